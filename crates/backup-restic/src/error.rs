//! What can happen to a repository. `Display` is one line without its source.

use std::path::PathBuf;

use elpis_backup::archive::ExtractError;
use elpis_run::FsError;
use rustic_core::RusticError;

/// Why a repository did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// A file or directory.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The archive could not be unpacked.
    #[error("cannot unpack the archive")]
    Extract(#[from] ExtractError),
    /// The library that keeps the repository.
    #[error("cannot {doing} in repository {}", path.display())]
    Repository {
        /// What was to be done.
        doing: &'static str,
        /// The repository.
        path: PathBuf,
        /// Why not.
        source: Box<RusticError>,
    },
    /// Others can read the password, or there is none.
    #[error("{}: {why}", path.display())]
    Password {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The list of a dump's pieces is not what the dump is.
    #[error("the list of pieces of {dump} does not fit it")]
    Pieces {
        /// The dump.
        dump: String,
    },
    /// The archive is in the repository already.
    #[error("{name} is in the repository as snapshot {snapshot}")]
    Exists {
        /// The archive.
        name: String,
        /// Its snapshot.
        snapshot: String,
    },
    /// Something could not be read while it was stored; the snapshot is removed again.
    #[error(
        "{stored} of {expected} files were stored, with {stored_bytes} of {expected_bytes} bytes"
    )]
    Incomplete {
        /// Files that were stored.
        stored: u64,
        /// Files that should have been.
        expected: u64,
        /// Bytes that were stored.
        stored_bytes: u64,
        /// Bytes that should have been.
        expected_bytes: u64,
    },
}
