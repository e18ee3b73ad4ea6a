//! What a rehearsal came to.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::store::RehearsalNote;

/// A rehearsal that was held.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RehearsalReport {
    /// The archive.
    pub archive: PathBuf,
    /// When the backup was begun.
    pub began: Timestamp,
    /// When it was rehearsed.
    pub at: Timestamp,
    /// Where the databases were restored.
    pub server: String,
    /// Databases that were restored.
    pub databases: u64,
    /// Their tables.
    pub tables: u64,
    /// The rows in them.
    pub rows: u64,
    /// Files, directories and links.
    pub files: u64,
    /// When the newest data was written.
    pub newest_data: Option<Timestamp>,
    /// Seconds to load, index, compare and exchange the databases.
    pub databases_s: f64,
    /// Seconds to unpack the files.
    pub files_s: f64,
    /// Seconds to restore everything; neither verifying the archive nor the checks count.
    pub restore_s: f64,
    /// What was looked at.
    pub checks: Vec<CheckResult>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// What.
    pub name: String,
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was found.
    pub said: String,
}

impl RehearsalReport {
    /// Whether everything is as it should be.
    pub fn is_passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// What is kept of it beside the archive.
    pub fn note(&self) -> RehearsalNote {
        let failed = self.checks.iter().filter(|check| !check.passed);
        RehearsalNote {
            at: self.at,
            failed: failed.map(|check| check.name.clone()).collect(),
            restore_ms: (self.restore_s * 1000.0) as u64,
            newest_data: self.newest_data,
        }
    }

    pub(super) fn passed(&mut self, name: &str, said: String) {
        self.found(name, true, said);
    }

    pub(super) fn failed(&mut self, name: &str, said: String) {
        self.found(name, false, said);
    }

    pub(super) fn found(&mut self, name: &str, passed: bool, said: String) {
        let name = name.to_owned();
        self.checks.push(CheckResult { name, passed, said });
    }
}
