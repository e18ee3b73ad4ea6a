//! Why files were not restored.

use std::path::PathBuf;

use elpis_run::{FsError, JournalError, LockError, RunId};

use crate::archive::ExtractError;

/// Why files were not restored, or not taken back. Unless it says so, nothing that was there has
/// changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The plan says no.
    #[error("the files are not restored: {}", refusals.join("; "))]
    Refused {
        /// Why.
        refusals: Vec<String>,
    },
    /// A restore of files has begun and not ended; its process died.
    #[error("run {run} has begun to restore files and not ended: resume or undo it first")]
    Unfinished {
        /// That run.
        run: RunId,
    },
    /// A restore of files is half taken back.
    #[error("run {run} is being taken back: undo it once more")]
    Undoing {
        /// That run.
        run: RunId,
    },
    /// Another process restores files.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file or directory on the way.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The archive's files could not be unpacked.
    #[error("cannot unpack the files; nothing was changed")]
    Extract(#[from] ExtractError),
    /// What was unpacked would not work in its place.
    #[error("{} would not work as it is in the archive: {why}; nothing was changed", place.display())]
    Unfit {
        /// Where it would have gone.
        place: PathBuf,
        /// What is wrong with it; holds no secret.
        why: String,
    },
    /// A tree could not take its place.
    #[error("cannot put {} into its place; {}", place.display(), fate(*back))]
    Swap {
        /// Its place.
        place: PathBuf,
        /// Whether every tree is again what it was.
        back: bool,
        /// Why not.
        source: FsError,
    },
    /// Something else lies in a place than a restore has put there or found there.
    #[error("{} is neither what was restored nor what was there before: somebody replaced it", place.display())]
    Replaced {
        /// The place.
        place: PathBuf,
    },
    /// There is no such restore of files, or nothing of it is left to work with.
    #[error("run {run} is no restore of files that could be taken back or given up: {why}")]
    NothingLeft {
        /// The run.
        run: RunId,
        /// Why.
        why: &'static str,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Stopped on request.
    #[error("stopped on request before any file took its place; nothing was changed")]
    Stopped,
}

fn fate(back: bool) -> &'static str {
    match back {
        true => "every place is again what it was",
        false => "some places are exchanged and some are not: resume or undo",
    }
}
