//! Files, with the path in every error and durability where it is promised.
//!
//! The one module that may call `std::fs`: everyone else comes here.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the module that the ban on bare std::fs sends everyone to"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{Access, Mode, OFlags};

/// A file operation that failed, and where.
#[derive(Debug, thiserror::Error)]
#[error("cannot {op} {}", path.display())]
pub struct FsError {
    /// What was tried, as a verb: `read`, `create`, `rename`, ...
    pub op: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl FsError {
    /// Puts the operation and the path to an error of the system's.
    pub fn new(op: &'static str, path: &Path, source: io::Error) -> FsError {
        FsError {
            op,
            path: path.to_owned(),
            source,
        }
    }
}

/// Reads a whole file, of whatever encoding.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    fs::read(path).map_err(|source| FsError::new("read", path, source))
}

/// How many bytes are free for ordinary users on the file system of `path`, and how many it has.
///
/// # Errors
/// When the path is not there or its file system does not tell.
pub fn space(path: &Path) -> Result<(u64, u64), FsError> {
    let found = rustix::fs::statvfs(path)
        .map_err(|errno| FsError::new("ask for the free space of", path, errno.into()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok((bytes(found.f_bavail), bytes(found.f_blocks)))
}

/// Reads a whole file of UTF-8 text.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String, FsError> {
    fs::read_to_string(path).map_err(|source| FsError::new("read", path, source))
}

/// Replaces `path` by a file of `bytes` with exactly the permissions `mode`, atomically: after a
/// crash there is either the old file or the new one, whole. On return the new one is on disk.
///
/// # Errors
/// When the directory is not there or not writable, or the disk is full. The old file is then
/// untouched and no temporary file stays behind.
pub fn write_durable(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FsError> {
    let (temporary, mut file) = create_temporary(path, mode)?;
    let written = file
        .write_all(bytes)
        // The umask may have taken bits away that the caller asked for.
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .map_err(|source| FsError::new("write", &temporary, source))
        .and_then(|()| {
            fs::rename(&temporary, path).map_err(|source| FsError::new("replace", path, source))
        });
    if let Err(error) = written {
        remove_quietly(&temporary);
        return Err(error);
    }
    sync_dir(parent(path))
}

/// Makes sure that `path` is a directory nobody else can write to. A new one gets mode 0700, its
/// missing parents 0755 (less the umask).
///
/// # Errors
/// When it cannot be created, is not a directory, or its group or everybody may write to it.
pub fn create_private_dir(path: &Path) -> Result<(), FsError> {
    let create = |source| FsError::new("create directory", path, source);
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        let mut parents = fs::DirBuilder::new();
        parents.recursive(true).mode(0o755);
        parents
            .create(parent)
            .map_err(|source| FsError::new("create directory", parent, source))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return sync_dir(parent(path)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(create(error)),
    }
    check_private_dir(path)
}

fn check_private_dir(path: &Path) -> Result<(), FsError> {
    let refused = |source| FsError::new("use directory", path, source);
    let found = fs::metadata(path).map_err(refused)?;
    if !found.is_dir() {
        return Err(refused(ErrorKind::NotADirectory.into()));
    }
    if found.mode() & 0o022 != 0 {
        let source = refusal(found.mode(), "others may write to it", "go-w");
        return Err(refused(source));
    }
    Ok(())
}

/// Whether files could be made in the directory of ours `path`, or it could be made itself, as
/// [`create_private_dir`] would. Makes nothing.
///
/// # Errors
/// When it, or the nearest of its parents that is there, is no directory or may not be written to,
/// or others may write to it.
pub fn check_usable_dir(path: &Path) -> Result<(), FsError> {
    let refused = |path: &Path, source| FsError::new("use directory", path, source);
    let whole = std::path::absolute(path).map_err(|source| refused(path, source))?;
    let is_there = |path: &&Path| fs::symlink_metadata(path).is_ok();
    let nearest = whole.ancestors().find(is_there).unwrap_or(&whole);
    if nearest == whole {
        check_private_dir(nearest)?;
    } else if !nearest.is_dir() {
        return Err(refused(nearest, ErrorKind::NotADirectory.into()));
    }
    rustix::fs::access(nearest, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|errno| FsError::new("write to directory", nearest, errno.into()))
}

/// Opens a file of ours for reading and writing, creating it with mode 0600 if it is not there.
///
/// # Errors
/// When it is a symbolic link or not a regular file, when others may read or write it, or when it
/// cannot be opened.
pub fn open_private(path: &Path) -> Result<File, FsError> {
    let open = |source| FsError::new("open", path, source);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags | OFlags::NONBLOCK, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| open(errno.into()))?
        .into();
    check_private(&file.metadata().map_err(open)?).map_err(open)?;
    Ok(file)
}

/// Whether there is a private regular file, without opening it: closing a file, anywhere in the
/// process, drops the locks SQLite holds on it.
#[cfg(feature = "sqlite")]
pub(crate) fn is_private_file(path: &Path) -> Result<bool, FsError> {
    let open = |source| FsError::new("open", path, source);
    match fs::symlink_metadata(path) {
        Ok(found) => check_private(&found).map(|()| true).map_err(open),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(open(error)),
    }
}

/// Lets `build` fill a private file under a temporary name beside `path`, then gives it that name
/// unless somebody else was first. Nobody ever sees it half built.
#[cfg(feature = "sqlite")]
pub(crate) fn create_whole<E: From<FsError>>(
    path: &Path,
    build: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let (temporary, file) = create_temporary(path, 0o600)?;
    let built = build(&temporary).and_then(|()| {
        file.sync_all()
            .map_err(|source| FsError::new("write", &temporary, source))?;
        // Closed before others can open it, for the reason that `is_private_file` gives.
        drop(file);
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(FsError::new("create", path, error).into())
            }
            _ => Ok(()),
        }
    });
    remove_quietly(&temporary);
    built.and_then(|()| Ok(sync_dir(parent(path))?))
}

fn create_temporary(path: &Path, mode: u32) -> Result<(PathBuf, File), FsError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(name) = path.file_name() else {
        return Err(FsError::new("create", path, ErrorKind::InvalidInput.into()));
    };
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{count}.tmp", std::process::id()));
        let temporary = path.with_file_name(hidden);
        let mut options = OpenOptions::new();
        match options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)
        {
            Ok(file) => return Ok((temporary, file)),
            // Left by a process of the same number that was killed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FsError::new("create", &temporary, error)),
        }
    }
}

fn check_private(found: &fs::Metadata) -> io::Result<()> {
    if !found.is_file() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    if found.mode() & 0o077 != 0 {
        return Err(refusal(
            found.mode(),
            "others may read or write it",
            "go-rwx",
        ));
    }
    Ok(())
}

fn refusal(mode: u32, why: &str, cure: &str) -> io::Error {
    let mode = mode & 0o7777;
    let message = format!("{why} (mode {mode:04o}); if its content can be trusted, chmod {cure}");
    io::Error::new(ErrorKind::PermissionDenied, message)
}

/// A new name is only as durable as the directory it stands in.
fn sync_dir(dir: &Path) -> Result<(), FsError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| FsError::new("sync directory", dir, source))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// For a temporary file whose fate changes nothing any more.
fn remove_quietly(path: &Path) {
    let _ = fs::remove_file(path);
}
