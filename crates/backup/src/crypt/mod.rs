//! Archives that only some can read: the age format, version 1 (<https://age-encryption.org/v1>),
//! which the `age` program reads and writes as well.
//!
//! The types are there in every build; without feature `age` nobody can make one that does
//! anything, and an encrypted archive is recognised and refused.

#[cfg(feature = "age")]
mod age;
#[cfg(feature = "age")]
mod load;
#[cfg(not(feature = "age"))]
mod without;

use std::path::PathBuf;

use elpis_run::FsError;

#[cfg(feature = "age")]
pub use age::{Encryption, Keys};
#[cfg(feature = "age")]
pub(crate) use age::{Opened, Sealed, Sealer};
#[cfg(not(feature = "age"))]
pub use without::{Encryption, Keys};
#[cfg(not(feature = "age"))]
pub(crate) use without::{Opened, Sealed, Sealer};

/// What every encrypted archive begins with.
const MAGIC: &[u8] = b"age-encryption.org/";

/// How many bytes [`is_encrypted`] needs.
pub(crate) const MAGIC_BYTES: u64 = MAGIC.len() as u64;

/// Whether an archive that begins so is encrypted.
pub(crate) fn is_encrypted(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// Why an archive cannot be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A file with recipients, identities or a passphrase.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A line of such a file, or an argument, is none.
    #[error("{place} is no {what}")]
    Wrong {
        /// Which one; never what it says.
        place: String,
        /// What it should be.
        what: &'static str,
    },
    /// Others can read a secret.
    #[error("{} is readable by others: set its mode to 0600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// A file in which there is nothing.
    #[error("{} holds no {what}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// No key fits.
    #[error("it was encrypted to others, or with another passphrase")]
    NoMatch,
    /// The header is damaged, or asks for too much.
    #[error("its encryption header is refused: {0}")]
    Header(String),
}
