//! An archive in hand: what may be done with it depends on whether it has been verified.

use std::io::{self, Read};
use std::path::Path;

use elpis_run::FsError;

use super::bytes::{ArchiveBytes, FileBytes};
use super::container::Container;
use super::manifest::Manifest;
use super::verify::{Contents, Verify, VerifyError};
use crate::crypt::{KeyError, Keys, MAGIC_BYTES, Opened, is_encrypted};

/// An archive that is open for reading. In state [`Unverified`] it can only be verified; what
/// puts files or data anywhere needs [`Verified`].
#[derive(Debug)]
pub struct Archive<S> {
    pub(super) bytes: Box<dyn ArchiveBytes>,
    pub(super) form: Form,
    pub(super) state: S,
}

/// How the tar is packed.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) container: Container,
    /// What decrypts it, if it is encrypted.
    pub(super) key: Option<Opened>,
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
    /// Opens a file that is not encrypted and looks at its first bytes.
    ///
    /// # Errors
    /// [`VerifyError::Fs`] when it cannot be read or is not a regular file;
    /// [`VerifyError::NotAnArchive`] when it begins like neither container;
    /// [`VerifyError::Encrypted`] when it is encrypted.
    pub fn open(path: &Path) -> Result<Archive<Unverified>, VerifyError> {
        Archive::open_with(path, &Keys::none())
    }

    /// Opens a file that may be encrypted, with the keys that are at hand.
    ///
    /// # Errors
    /// As [`open_bytes`](Self::open_bytes).
    pub fn open_with(path: &Path, keys: &Keys) -> Result<Archive<Unverified>, VerifyError> {
        Archive::open_bytes(Box::new(FileBytes::open(path)?), keys)
    }

    /// Opens what [`ObjectStore::open`](crate::ObjectStore::open) gives.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`VerifyError::Key`] when none of the keys fits.
    pub fn open_bytes(
        bytes: Box<dyn ArchiveBytes>,
        keys: &Keys,
    ) -> Result<Archive<Unverified>, VerifyError> {
        let form = Form::detect(bytes.as_ref(), keys)?;
        Ok(Archive {
            bytes,
            form,
            state: Unverified(()),
        })
    }

    /// Reads the whole archive and compares every checksum. Blocks.
    ///
    /// # Errors
    /// [`VerifyError::Broken`] with everything that is wrong; the others when the archive could
    /// not be read to its end.
    pub fn verify(self, how: &Verify<'_>) -> Result<Archive<Verified>, VerifyError> {
        let contents = how.run(self.bytes.as_ref(), &self.form)?;
        Ok(Archive {
            bytes: self.bytes,
            form: self.form,
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
    /// Where it was opened: a path, or an address in a store.
    pub fn path(&self) -> &Path {
        self.bytes.path()
    }

    /// What it is.
    pub fn container(&self) -> Container {
        self.form.container
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.form.key.is_some()
    }
}

impl Form {
    /// Looks at the first bytes.
    fn detect(bytes: &dyn ArchiveBytes, keys: &Keys) -> Result<Form, VerifyError> {
        let path = bytes.path();
        let fail = |source| FsError::new("read", path, source);
        let first = |reader: io::Result<Box<dyn Read + Send + '_>>, length| {
            let mut start = Vec::new();
            reader?.take(length).read_to_end(&mut start)?;
            Ok(start)
        };
        let mut start = first(bytes.reader(), MAGIC_BYTES).map_err(fail)?;
        let mut key = None;
        if is_encrypted(&start) {
            let opened = open(bytes, keys)?;
            start = first(opened.decrypt(bytes.reader().map_err(fail)?), 4).map_err(fail)?;
            key = Some(opened);
        }
        let container = Container::detect(&start).ok_or_else(|| VerifyError::NotAnArchive {
            path: path.to_owned(),
        })?;
        Ok(Form { container, key })
    }

    /// The tar in `packed`.
    pub(super) fn unpack<'a>(
        &self,
        packed: impl Read + Send + 'a,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        match &self.key {
            Some(key) => self.container.decoder(key.decrypt(packed)?),
            None => self.container.decoder(packed),
        }
    }
}

fn open(bytes: &dyn ArchiveBytes, keys: &Keys) -> Result<Opened, VerifyError> {
    let path = bytes.path().to_owned();
    if keys.is_empty() {
        return Err(VerifyError::Encrypted { path });
    }
    let reader = bytes
        .reader()
        .map_err(|source| FsError::new("read", &path, source))?;
    keys.open(reader)
        .map_err(|source: KeyError| VerifyError::Key { path, source })
}
