//! What a backup came to, as data.

use std::path::PathBuf;

use elpis_run::RunId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::archive::{ComponentRecord, Omission};

/// A backup that was made and has its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupReport {
    /// The run's number in the journal.
    pub run: RunId,
    /// The archive.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The length of the tar in it, in bytes.
    pub raw_bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// Its members.
    pub members: u64,
    /// When it began.
    pub started: Timestamp,
    /// When the archive had its name.
    pub finished: Timestamp,
    /// Seconds each phase took.
    pub phases: Phases,
    /// The components.
    pub components: Vec<ComponentRecord>,
    /// Each database with its rows.
    pub databases: Vec<(String, u64)>,
    /// Whether everything that the profile asked for is in the archive, for sure.
    pub complete: bool,
    /// What is missing or doubtful.
    pub omissions: Vec<Omission>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Whether the archive was read back and found whole.
    pub verified: bool,
}

/// Seconds each phase of a backup took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Dumping and storing the databases.
    pub databases_s: f64,
    /// Collecting files.
    pub files_s: f64,
    /// Writing the rest and making it durable.
    pub finish_s: f64,
    /// Reading it back.
    pub verify_s: f64,
}
