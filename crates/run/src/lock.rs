//! "Only one at a time" for processes on one host, with a refusal that says who.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::fsx::{self, FsError};
use crate::holder::Holder;

/// An exclusive lock on a file, held until dropped or until the process ends, however it ends.
///
/// The file is never removed: whoever removes a lock file can remove the one that somebody else
/// has just locked. When nobody holds the lock, the file is empty or names a dead process.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else has it.
    #[error("{} is locked by {}", path.display(), name(holder.as_deref()))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who, unless they took it this very moment and have not signed yet.
        holder: Option<Box<Holder>>,
    },
    /// The file cannot be opened, locked or written.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl FileLock {
    /// Takes the lock at once or not at all, and writes `holder` into the file. The file is
    /// created with mode 0600 if need be; its directory must be there.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process, or another `FileLock` of this one, has it;
    /// [`LockError::Fs`] also when the path is a symbolic link or not a regular file, or others
    /// may read or write it.
    pub fn acquire(path: &Path, holder: &Holder) -> Result<FileLock, LockError> {
        let mut file = fsx::open_private(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    path: path.to_owned(),
                    holder: read_holder(&mut file).map(Box::new),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(FsError::new("lock", path, source).into());
            }
        }
        let mut lock = FileLock { file };
        lock.sign(holder)
            .map_err(|source| FsError::new("write", path, source))?;
        Ok(lock)
    }

    fn sign(&mut self, holder: &Holder) -> std::io::Result<()> {
        let body = serde_json::to_vec(holder)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&body)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Only a courtesy to readers.
        let _ = self.file.set_len(0);
        // Closing the file frees the lock, but not before a child that was forked just now has
        // closed its copy.
        let _ = self.file.unlock();
    }
}

/// A name from an earlier, dead holder means that the present one is about to sign.
fn read_holder(file: &mut File) -> Option<Holder> {
    let mut body = String::new();
    file.read_to_string(&mut body).ok()?;
    let holder: Holder = serde_json::from_str(&body).ok()?;
    (holder.is_alive() != Some(false)).then_some(holder)
}

fn name(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), Holder::to_string)
}
