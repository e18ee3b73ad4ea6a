//! The bytes of an archive, wherever they lie.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use elpis_run::FsError;
use rustix::fs::{Mode, OFlags};

/// The bytes of one archive. They are the same however often they are read: an archive that takes
/// the same name meanwhile is another one.
pub trait ArchiveBytes: fmt::Debug + Send + Sync {
    /// What to call it in messages: its path, or its address in a store.
    fn path(&self) -> &Path;

    /// Reads from the beginning. What happens to the archive meanwhile is an error of the reader.
    ///
    /// # Errors
    /// When it cannot be read.
    fn reader(&self) -> io::Result<Box<dyn Read + Send + '_>>;
}

/// An archive in a file, which stays open.
#[derive(Debug)]
pub(crate) struct FileBytes {
    file: File,
    path: PathBuf,
}

impl FileBytes {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path) -> Result<FileBytes, FsError> {
        let fail = |source| FsError::new("open", path, source);
        // A pipe of that name must not keep us waiting.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| fail(e.into()))?;
        let file = File::from(file);
        if !file.metadata().map_err(fail)?.is_file() {
            let why = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(fail(why));
        }
        Ok(FileBytes {
            file,
            path: path.to_owned(),
        })
    }
}

impl ArchiveBytes for FileBytes {
    fn path(&self) -> &Path {
        &self.path
    }

    fn reader(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(FromStart {
            file: &self.file,
            at: 0,
        }))
    }
}

/// A reader with a place of its own in a shared file.
struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(into, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}
