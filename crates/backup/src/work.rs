//! The private directory in which an archive grows, beside the place where it will be published.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use elpis_run::FsError;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// What the names of work directories begin with.
const PREFIX: &str = ".elpis-backup-work.";

/// A directory of mode 0700 with a name that nobody can foretell, locked as long as it is in use.
/// It goes when dropped, with everything in it; one whose process was killed goes with the next
/// [`sweep`].
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    /// `None` where the file system has no locks; then it stays when its process is killed.
    _lock: Option<OwnedFd>,
}

impl WorkDir {
    /// Makes one in `parent`.
    pub(crate) fn create(parent: &Path) -> Result<WorkDir, FsError> {
        loop {
            let path = parent.join(format!("{PREFIX}{}", random_name()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(FsError::new("create directory", &path, error)),
            }
            let lock = match lock(&path) {
                // A sweep that came in between has it now, and removes it.
                Ok(None) => continue,
                Ok(lock) => lock,
                Err(Errno::NOLCK | Errno::OPNOTSUPP) => None,
                Err(errno) => return Err(FsError::new("lock directory", &path, errno.into())),
            };
            return Ok(WorkDir { path, _lock: lock });
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Locks a directory until the handle is closed, which the kernel does for a dead process.
/// `None` if somebody else has it, or had it and removed it.
fn lock(path: &Path) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(handle) => handle,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    match rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(errno) => return Err(errno),
    }
    let locked = rustix::fs::fstat(&handle)?;
    let is_there = std::fs::symlink_metadata(path).is_ok_and(|found| found.ino() == locked.st_ino);
    Ok(is_there.then_some(handle))
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What is left is private and goes with the next sweep.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes what killed runs have left in `parent`: directories that nobody has locked. Those of
/// other users are theirs. Returns how many there were.
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
        if !is_ours {
            continue;
        }
        let path = entry.path();
        let Ok(Some(lock)) = lock(&path) else {
            continue;
        };
        std::fs::remove_dir_all(&path)
            .map_err(|source| FsError::new("remove directory", &path, source))?;
        drop(lock);
        swept += 1;
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
pub(crate) fn random_name() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_what_nobody_works_in() {
        let parent = tempfile::tempdir().unwrap();
        let mut swept_while_made = 0;
        std::thread::scope(|scope| {
            let sweeper = scope.spawn(|| {
                let mut swept = 0;
                for _ in 0..200 {
                    swept += sweep(parent.path()).unwrap();
                }
                swept
            });
            for _ in 0..200 {
                let work = WorkDir::create(parent.path()).unwrap();
                create_new(&work.path().join("file"), 0o600).unwrap();
                assert!(work.path().join("file").exists());
            }
            swept_while_made = sweeper.join().unwrap();
        });
        println!("{swept_while_made} were swept before they were locked");
        let alive = WorkDir::create(parent.path()).unwrap();
        let dead = WorkDir::create(parent.path()).unwrap();
        // As a killed process leaves it: unlocked, and there.
        let dead_path = dead.path().to_owned();
        let handle = dead._lock.as_ref().unwrap();
        rustix::fs::flock(handle, FlockOperation::Unlock).unwrap();
        assert_eq!(sweep(parent.path()).unwrap(), 1);
        assert!(alive.path().exists() && !dead_path.exists());
        assert_eq!(sweep(parent.path()).unwrap(), 0);
    }
}
