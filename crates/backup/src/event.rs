//! What a backup tells its observer while it works. Typed here once; the CLI renders it.

use elpis_run::RunId;
use serde::Serialize;

use crate::dump::DumpEvent;
use crate::report::BackupReport;

/// One thing that happened. In JSON: an object whose `event` names the variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BackupEvent {
    /// The lock is held and the journal has the run.
    Started {
        /// The run's number in the journal.
        run: RunId,
        /// What the archive will be called.
        name: String,
        /// Bytes of files to collect.
        file_bytes: u64,
    },
    /// A run before this one died; its lock was taken over and its work directories removed.
    TookOver {
        /// Who had the lock, if it said.
        holder: Option<String>,
        /// Work directories that were removed.
        swept: u64,
    },
    /// Something in the dump of a database.
    Dump {
        /// What.
        dump: DumpEvent,
    },
    /// A database is in the archive.
    DatabaseStored {
        /// Its name.
        name: String,
        /// Rows.
        rows: u64,
        /// Bytes of SQL text or of its file.
        bytes: u64,
    },
    /// So much of the files is in the archive.
    Collected {
        /// Files, directories and links so far.
        entries: u64,
        /// Bytes so far.
        bytes: u64,
    },
    /// So much of an archive's tar has been verified.
    Verifying {
        /// Bytes so far.
        bytes: u64,
    },
    /// So much of an archive has arrived in another store.
    Uploaded {
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all.
        of: u64,
    },
    /// The archive has its name.
    Finished(Box<BackupReport>),
}
