//! The private directory in which an archive grows, beside the place where it will be published.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use elpis_run::FsError;

/// What the names of work directories begin with.
const PREFIX: &str = ".elpis-backup-work.";

/// A directory of mode 0700 with a name that nobody can foretell. It goes when dropped, with
/// everything in it; one whose process was killed goes with the next [`sweep`].
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
}

impl WorkDir {
    /// Makes one in `parent`.
    pub(crate) fn create(parent: &Path) -> Result<WorkDir, FsError> {
        loop {
            let path = parent.join(format!("{PREFIX}{}", random_name()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(WorkDir { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(FsError::new("create directory", &path, error)),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What is left is private and goes with the next sweep.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes what killed runs have left in `parent`. The caller holds the lock on `parent`, so none
/// of them is at work. Directories of other users are theirs. Returns how many there were.
pub(crate) fn sweep(parent: &Path) -> Result<u64, FsError> {
    let fail = |source| FsError::new("read directory", parent, source);
    let me = rustix::process::geteuid().as_raw();
    let mut swept = 0;
    for entry in std::fs::read_dir(parent).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|found| found.is_dir() && found.uid() == me);
        if is_ours {
            let path = entry.path();
            std::fs::remove_dir_all(&path)
                .map_err(|source| FsError::new("remove directory", &path, source))?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Creates a file that was not there, for reading and writing, never through a link.
pub(crate) fn create_new(path: &Path, mode: u32) -> Result<File, FsError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|source| FsError::new("create", path, source))
}

/// Bytes that an unprivileged writer could still put into the file system of `path`.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, FsError> {
    let found = rustix::fs::statvfs(path)
        .map_err(|errno| FsError::new("measure the free space of", path, errno.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Sixteen hexadecimal digits from the kernel's generator; without it, from time and process.
fn random_name() -> String {
    let mut bytes = [0u8; 8];
    let filled = OpenOptions::new()
        .read(true)
        .open("/dev/urandom")
        .and_then(|mut urandom| io::Read::read_exact(&mut urandom, &mut bytes));
    if filled.is_err() {
        let now = jiff::Timestamp::now().as_nanosecond() as u64;
        bytes = (now ^ (u64::from(std::process::id()) << 32)).to_le_bytes();
    }
    crate::archive::hex(&bytes)
}
