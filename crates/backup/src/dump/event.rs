//! What a dump tells its observer.

use std::time::Duration;

use serde::Serialize;

use super::policy::SnapshotStep;

/// Something happened during a dump.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DumpEvent {
    /// A step of the ladder did not give a snapshot; the next one is tried.
    SnapshotMissed {
        /// Which step.
        step: SnapshotStep,
        /// Why not.
        reason: String,
    },
    /// All readers see the same moment.
    SnapshotTaken {
        /// By which step.
        step: SnapshotStep,
        /// How many readers.
        readers: usize,
        /// How long all writers were held up.
        lock_held: Duration,
    },
    /// What is to be read is known.
    Cut {
        /// Tables.
        tables: usize,
        /// Chunks of all tables.
        chunks: usize,
        /// About how many bytes of data the server holds for them.
        data_bytes: u64,
    },
    /// A chunk was read and stored.
    Chunk {
        /// `database.table`.
        table: String,
        /// Its rows.
        rows: u64,
        /// Its bytes of SQL text.
        bytes: u64,
    },
    /// A chunk was read and is the same as in an earlier dump.
    Reused {
        /// `database.table`.
        table: String,
        /// Its rows.
        rows: u64,
        /// Its bytes of SQL text.
        bytes: u64,
    },
    /// Nothing is read for now.
    Held {
        /// In the throttle's words.
        why: String,
    },
    /// Something the operator should know; it is in the report as well.
    Warning {
        /// What.
        message: String,
    },
}
