//! Where archives are kept, and what is known of each without opening it.

#[cfg(feature = "remote")]
mod copies;
mod local;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "sftp")]
mod sftp;
#[cfg(feature = "remote")]
mod waiting;

use std::fmt;
use std::path::Path;

use elpis_run::{FsError, Holder, LockError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(feature = "remote")]
pub use copies::{Copies, CopyError, CopyReport};
pub use local::{LocalLock, LocalStore};
#[cfg(feature = "s3")]
pub use s3::{S3Access, S3Address, S3Options, S3Store};
#[cfg(feature = "sftp")]
pub use sftp::{SftpAddress, SftpOptions, SftpStore};

use crate::archive::ArchiveBytes;
use crate::name::ArchiveName;

/// A place that keeps archives. An archive is there whole, under its name, or not at all.
///
/// All methods block. [`LocalStore`] is a directory, `S3Store` (feature `s3`) a bucket of an
/// S3-compatible service, `SftpStore` (feature `sftp`) a directory on another host.
pub trait ObjectStore: Send + Sync {
    /// The place in words, for messages.
    fn place(&self) -> String;

    /// Every archive, the newest name first. Other things that lie there are passed over.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn list(&self) -> Result<Vec<Stored>, StoreError>;

    /// Opens an archive for reading.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not there; others when it cannot be read.
    fn open(&self, name: &ArchiveName) -> Result<Box<dyn ArchiveBytes>, StoreError>;

    /// The SHA-256 that the store has for an archive, if it has one.
    ///
    /// # Errors
    /// When it cannot be looked up.
    fn sha256(&self, name: &ArchiveName) -> Result<Option<[u8; 32]>, StoreError>;

    /// Takes in the whole archive in `file`, of which `note` tells length and SHA-256, and gives
    /// it its name as the last act. A directory moves the file; other stores copy it.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken; whatever the error, no archive of that name
    /// is listed that was not before.
    fn publish(&self, file: &Path, name: &ArchiveName, note: &Note) -> Result<(), StoreError>;

    /// Replaces what is known of an archive.
    ///
    /// # Errors
    /// When it cannot be written; what was known before stays.
    fn annotate(&self, name: &ArchiveName, note: &Note) -> Result<(), StoreError>;

    /// Removes an archive and what is known of it.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, name: &ArchiveName) -> Result<(), StoreError>;

    /// Keeps other processes of ours from changing the store for as long as the answer is kept,
    /// where it needs that, and removes what killed ones have left.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when somebody is at work.
    fn hold(&self, holder: &Holder) -> Result<Hold, StoreError>;
}

/// A note as it is written down.
#[cfg(feature = "remote")]
fn note_text(note: &Note) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec_pretty(note).map_err(StoreError::Note)?;
    text.push(b'\n');
    Ok(text)
}

/// The right to change a store, until dropped.
pub struct Hold {
    _held: Option<LocalLock>,
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// An archive in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// Its name.
    pub name: ArchiveName,
    /// Its length in bytes.
    pub bytes: u64,
    /// What is known of it; nothing of one that came from elsewhere, and of one that has been
    /// replaced.
    pub note: Option<Note>,
}

/// What is known of an archive without opening it. It can be made again by verifying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Its length in bytes; if the file has another, the note is of another file.
    pub bytes: u64,
    /// When the backup began.
    pub began: Timestamp,
    /// The profile, if the archive says.
    pub profile: Option<String>,
    /// Whether everything is in it that belongs into it, if the archive says.
    pub complete: Option<bool>,
    /// What the last verification came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verification>,
    /// Why it must never be pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// What the last rehearsal came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<RehearsalNote>,
}

/// The last time an archive was restored for a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalNote {
    /// When.
    pub at: Timestamp,
    /// What was not as it should be; empty if everything was.
    pub failed: Vec<String>,
    /// How long the restore took, in milliseconds.
    pub restore_ms: u64,
    /// When the newest data in it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_data: Option<Timestamp>,
}

/// The last time an archive was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// When.
    pub at: Timestamp,
    /// What was wrong with it; nothing if it was whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

impl Stored {
    /// Whether its last verification found it whole.
    pub fn is_verified(&self) -> bool {
        self.verification()
            .is_some_and(|verification| verification.broken.is_none())
    }

    /// Whether its last verification found it broken.
    pub fn is_broken(&self) -> bool {
        self.broken().is_some()
    }

    /// What its last verification found to be wrong with it; nothing if it was whole, or is not
    /// verified.
    pub fn broken(&self) -> Option<&str> {
        self.verification()?.broken.as_deref()
    }

    fn verification(&self) -> Option<&Verification> {
        self.note.as_ref()?.verified.as_ref()
    }

    /// When it was begun: as noted, or as its name says in `zone`.
    pub fn began(&self, zone: &jiff::tz::TimeZone) -> Timestamp {
        self.note
            .as_ref()
            .map_or_else(|| self.name.began(zone), |note| note.began)
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or directory of a local store.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// There is an archive of that name.
    #[error("{place} has an archive {name} already")]
    Exists {
        /// Where.
        place: String,
        /// Its name.
        name: ArchiveName,
    },
    /// There is no archive of that name.
    #[error("{place} has no archive {name}")]
    Missing {
        /// Where.
        place: String,
        /// Its name.
        name: ArchiveName,
    },
    /// Nothing is known of an archive, not even its sum.
    #[error("nothing is known of {name} in {place}: verify it first")]
    Unknown {
        /// Where.
        place: String,
        /// Its name.
        name: ArchiveName,
    },
    /// An archive is not what is known of it, so it was not published.
    #[error("{name} is not the file that was noted; it is not taken into {place}")]
    Changed {
        /// Where it should have gone.
        place: String,
        /// Its name.
        name: ArchiveName,
    },
    /// How to reach a store is not said as it must be.
    #[error("{what}: {why}")]
    Settings {
        /// Which setting.
        what: String,
        /// What is wrong; never the value of a secret.
        why: String,
    },
    /// A store on the network did not do what it was asked.
    #[error("cannot {doing} in {place}")]
    Remote {
        /// What was to be done.
        doing: String,
        /// Where.
        place: String,
        /// What the service says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Stopped on request; what has arrived is kept for the next time.
    #[error("stopped on request: could not {doing} in {place}")]
    Stopped {
        /// What was to be done.
        doing: String,
        /// Where.
        place: String,
    },
    /// Another process works there.
    #[error("somebody else is at work in {place}: {holder}")]
    Locked {
        /// Where.
        place: String,
        /// Who.
        holder: String,
        /// Who, for programs; unknown when they have only just come.
        who: Option<Box<Holder>>,
    },
    /// What is known of an archive cannot be written down.
    #[error("cannot write the note of an archive")]
    Note(#[source] serde_json::Error),
}

impl StoreError {
    fn lock(place: String, error: LockError) -> StoreError {
        match error {
            LockError::Fs(error) => StoreError::Fs(error),
            LockError::Held { holder, .. } => StoreError::Locked {
                place,
                holder: holder.as_ref().map_or_else(
                    || "a process that has only just come".to_owned(),
                    |holder| holder.to_string(),
                ),
                who: holder,
            },
            other => StoreError::Locked {
                place,
                holder: other.to_string(),
                who: None,
            },
        }
    }
}
