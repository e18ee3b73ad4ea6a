//! Where archives are kept, and what is known of each without opening it.

mod local;

use elpis_run::{FsError, Holder, LockError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use local::{LocalLock, LocalStore};

use crate::archive::Finished;
use crate::name::ArchiveName;

/// A place that keeps archives. An archive is there whole, under its name, or not at all.
///
/// All methods block. [`LocalStore`] is a directory.
pub trait ObjectStore: Send + Sync {
    /// The place in words, for messages.
    fn place(&self) -> String;

    /// Every archive, the newest name first. Other things that lie there are passed over.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn list(&self) -> Result<Vec<Stored>, StoreError>;

    /// Gives a finished archive its name, as the last act; what is known of it is there by then.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken; nothing has changed then.
    fn publish(
        &self,
        finished: &Finished,
        name: &ArchiveName,
        note: &Note,
    ) -> Result<(), StoreError>;

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
        self.verification()
            .is_some_and(|verification| verification.broken.is_some())
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
