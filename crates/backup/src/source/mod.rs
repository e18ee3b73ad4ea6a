//! Where databases come from.

mod mysql;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use mysql::MySqlSource;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteError, SqliteSource};

use elpis_run::{Observer, StopToken};
use serde::Serialize;

use crate::archive::PieceFiles;
use crate::event::BackupEvent;

/// What a source says when it cannot go on; the backup ends with it.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A database server, or a database file, whose databases go into a backup.
///
/// All methods block.
pub trait Source: Send {
    /// Looks at the databases without changing anything. Their order is the same in every call
    /// and in [`collect`](Self::collect).
    ///
    /// # Errors
    /// When a database cannot be reached or not be backed up.
    fn inspect(&mut self) -> Result<Vec<DatabaseFacts>, SourceError>;

    /// Brings all databases, as they were at one moment, into the work directory.
    ///
    /// # Errors
    /// When not all of them are there, whole.
    fn collect(&mut self, into: &Intake<'_>) -> Result<Vec<Collected>, SourceError>;
}

/// What is known of a database before it is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseFacts {
    /// Its name.
    pub name: String,
    /// About how many bytes its data take where it lies.
    pub bytes: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What a source works with.
#[derive(Clone)]
pub struct Intake<'a> {
    /// A private directory for files.
    pub dir: &'a Path,
    /// Takes the pieces of dumps.
    pub pieces: Arc<PieceFiles>,
    /// Ends it early.
    pub stop: &'a StopToken,
    /// Hears what happens.
    pub observer: Arc<dyn Observer<BackupEvent>>,
}

/// A database that has been brought in.
#[derive(Debug)]
pub struct Collected {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: CollectedData,
    /// How it was done, for the manifest.
    pub report: serde_json::Value,
    /// SQL that gives the accounts of the application their rights again.
    pub grants: Option<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// The data of a database that has been brought in.
#[derive(Debug)]
pub enum CollectedData {
    /// Its dump lies in the pieces whose [`PieceId`](crate::PieceId) has this number.
    Pieces(u32),
    /// A SQLite database file in the private directory.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Rows of all tables.
        rows: u64,
    },
}
