//! An archive in hand: what may be done with it depends on whether it has been verified.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use elpis_run::FsError;
use rustix::fs::{Mode, OFlags};

use super::container::Container;
use super::manifest::Manifest;
use super::verify::{Contents, Verify, VerifyError};

/// An archive that is open for reading. In state [`Unverified`] it can only be verified; what
/// puts files or data anywhere needs [`Verified`].
///
/// The file stays open: an archive that takes its name meanwhile is another one.
#[derive(Debug)]
pub struct Archive<S> {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) container: Container,
    pub(super) state: S,
}

/// Nobody has looked into the archive yet.
#[derive(Debug)]
pub struct Unverified(());

/// Every checksum of the archive was right when it was read.
#[derive(Debug)]
pub struct Verified {
    pub(super) contents: Contents,
}

impl Archive<Unverified> {
    /// Opens a file and looks at its first bytes.
    ///
    /// # Errors
    /// [`VerifyError::Fs`] when it cannot be read or is not a regular file;
    /// [`VerifyError::NotAnArchive`] when it begins like neither container.
    pub fn open(path: &Path) -> Result<Archive<Unverified>, VerifyError> {
        let fail = |source| FsError::new("open", path, source);
        // A pipe of that name must not keep us waiting.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| fail(e.into()))?;
        let mut file = File::from(file);
        if !file.metadata().map_err(fail)?.is_file() {
            let why = std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file");
            return Err(fail(why).into());
        }
        let mut start = Vec::new();
        (&mut file).take(4).read_to_end(&mut start).map_err(fail)?;
        let container = Container::detect(&start).ok_or_else(|| VerifyError::NotAnArchive {
            path: path.to_owned(),
        })?;
        Ok(Archive {
            file,
            path: path.to_owned(),
            container,
            state: Unverified(()),
        })
    }

    /// Reads the whole archive and compares every checksum. Blocks.
    ///
    /// # Errors
    /// [`VerifyError::Broken`] with everything that is wrong; the others when the archive could
    /// not be read to its end.
    pub fn verify(mut self, how: &Verify<'_>) -> Result<Archive<Verified>, VerifyError> {
        self.rewind()?;
        let contents = how.run(&self.file, &self.path, self.container)?;
        Ok(Archive {
            file: self.file,
            path: self.path,
            container: self.container,
            state: Verified { contents },
        })
    }
}

impl Archive<Verified> {
    /// What is in it.
    pub fn contents(&self) -> &Contents {
        &self.state.contents
    }

    /// What it says about itself; archives of the old script say nothing.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.state.contents.manifest.as_ref()
    }
}

impl<S> Archive<S> {
    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is.
    pub fn container(&self) -> Container {
        self.container
    }

    pub(super) fn rewind(&mut self) -> Result<(), FsError> {
        self.file
            .rewind()
            .map_err(|source| FsError::new("read", &self.path, source))
    }
}
