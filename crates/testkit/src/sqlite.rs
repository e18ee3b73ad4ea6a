//! A SQLite file, filled and recounted by the `sqlite3` program.

use std::path::PathBuf;
use std::process::Command;

use elpis_maint_core::SqliteStore;
use tempfile::TempDir;

use crate::database::{Database, client};
use crate::table::Dialect;

/// A SQLite database in a directory of its own, removed when dropped.
pub struct SqliteFile {
    dir: TempDir,
}

impl SqliteFile {
    /// A new, empty database.
    pub fn new() -> SqliteFile {
        let file = SqliteFile {
            dir: tempfile::tempdir().expect("a temporary directory"),
        };
        file.sql("PRAGMA user_version = 1;");
        file
    }

    /// Where the file is.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("monitoring.db")
    }

    /// A store on it, in a session of its own.
    pub fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), "elpis-test").expect("the database just made")
    }
}

impl Default for SqliteFile {
    fn default() -> SqliteFile {
        SqliteFile::new()
    }
}

impl Database for SqliteFile {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn sql(&self, statements: &str) -> String {
        let mut command = Command::new("sqlite3");
        command
            .args(["-batch", "-bail", "-noheader", "-list", "-separator", "\t"])
            .args(["-nullvalue", "NULL", "-cmd", ".timeout 10000"])
            .args(["-cmd", "PRAGMA foreign_keys = ON"])
            .arg(self.path());
        client(&mut command, statements)
    }
}
