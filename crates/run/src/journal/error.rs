//! What can be wrong with a journal.

use std::path::PathBuf;

use super::{IllegalEvent, RunId};
use crate::fsx::FsError;

/// Why a journal could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The journal's directory or file cannot be used.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// There is no journal to read.
    #[error("there is no journal at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is a sound database, but not a journal of ours. It was not touched.
    #[error("{} is not an Elpis journal: {reason}; move it away or name another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What gave it away.
        reason: String,
    },
    /// The file is damaged. It was not repaired.
    #[error("the journal {} is damaged: {reason}; keep it for inspection and move it away to start a new one", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a later release.
    #[error("the journal {} has schema {found}, which this release does not know; use the newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version that is not known here.
        found: String,
    },
    /// Another process kept the journal locked for too long. Trying again later may help.
    #[error("the journal {} has been locked by another process for too long", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The database refused an operation.
    #[error("cannot {doing} in the journal {}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb phrase.
        doing: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record is there but does not say what a record must say.
    #[error("run {run} has an unreadable {what} in the journal")]
    Unreadable {
        /// Which run.
        run: RunId,
        /// Which part of it.
        what: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such run; it may be older than the journal keeps runs.
    #[error("there is no run {0} in the journal")]
    UnknownRun(RunId),
    /// The event may not come now, or, on replay, may not have come when it did.
    #[error("run {run}: an event is out of order")]
    Illegal {
        /// Which run.
        run: RunId,
        /// Which event in which state.
        source: IllegalEvent,
    },
    /// A thread panicked while it used the journal. Open it again.
    #[error("the journal was given up by a thread that panicked; open it again")]
    Poisoned,
}

impl JournalError {
    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, JournalError::Busy { .. })
    }
}
