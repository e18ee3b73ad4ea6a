//! What the operator wants of a dump.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a dump is to be made. [`DumpPolicy::new`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DumpPolicy {
    /// The databases, each of which becomes one SQL text. At least one, none twice.
    pub databases: Vec<String>,
    /// Tables whose rows are left out, in every database: `name`, or `start*`.
    pub without_rows: Vec<String>,
    /// Parallel readers, 1 to 64; `None`: one a core, at most four.
    pub readers: Option<usize>,
    /// The ways to a snapshot that may be tried, in this order. [`SnapshotStep::SingleReader`]
    /// cannot fail, so without it the dump is refused rather than slow.
    pub ladder: Vec<SnapshotStep>,
    /// How often the lock-free step is tried before the next one.
    pub lock_free_tries: u32,
    /// The longest wait for a lock on all writers, which wait as long: at least 10 ms.
    pub lock_wait: Duration,
    /// The longest time such a lock is held: at least 10 ms.
    pub lock_hold: Duration,
    /// What to do about tables whose engine knows no transactions.
    pub non_transactional: NonTransactional,
    /// Whether a dump is made even if the account may not see everything.
    pub accept_gaps: bool,
    /// What becomes of the definers of views, triggers, routines and events.
    pub definers: Definers,
    /// How long an `INSERT` gets, in bytes; a longer row stands alone. 4 KiB to 512 MiB.
    pub statement_bytes: usize,
    /// About how many bytes of a table make one chunk; at least 1 MiB.
    pub chunk_bytes: u64,
    /// Tables that are cut into windows of an integer column instead, first match first.
    pub windows: Vec<Window>,
    /// The most bytes of SQL text a second, over all readers.
    pub bytes_per_second: Option<u64>,
    /// The longest time from the first connection to the completion mark.
    pub deadline: Option<Duration>,
    /// How long the server may be silent in the middle of a table.
    pub stall: Duration,
}

impl DumpPolicy {
    /// The defaults for `databases`.
    #[must_use]
    pub fn new(databases: Vec<String>) -> Self {
        Self {
            databases,
            without_rows: Vec::new(),
            readers: None,
            ladder: vec![
                SnapshotStep::LockFree,
                SnapshotStep::BackupStage,
                SnapshotStep::GlobalReadLock,
                SnapshotStep::SingleReader,
            ],
            lock_free_tries: 20,
            lock_wait: Duration::from_millis(200),
            lock_hold: Duration::from_secs(1),
            non_transactional: NonTransactional::Lock,
            accept_gaps: false,
            definers: Definers::Keep,
            statement_bytes: 1 << 20,
            chunk_bytes: 64 << 20,
            windows: Vec::new(),
            bytes_per_second: None,
            deadline: None,
            stall: Duration::from_secs(300),
        }
    }
}

/// Cuts tables at the multiples of `width`, so that a window of the past is the same chunk in
/// every dump.
///
/// On a table without a primary key a window is read through a secondary index, which costs the
/// server about three times as much as reading the table from end to end. Without windows such a
/// table is one chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Which tables: `name`, or `start*`.
    pub table: String,
    /// The integer column, which must be the first of an index.
    pub column: String,
    /// The width, in the column's own unit; at least 1.
    pub width: u64,
}

/// A way to give all readers the same snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotStep {
    /// MariaDB with a binary log: every reader takes its snapshot without any lock and tells the
    /// log position that belongs to it; equal positions are equal snapshots. Ruled out where the
    /// log is known not to hold every change. That a session writes with `sql_log_bin = 0` cannot
    /// be known: leave the step out where one does.
    LockFree,
    /// MariaDB 10.4 and later: `BACKUP STAGE BLOCK_COMMIT` while the readers take their
    /// snapshots.
    BackupStage,
    /// `FLUSH TABLES WITH READ LOCK` while the readers take their snapshots.
    GlobalReadLock,
    /// One reader, which is consistent by itself.
    SingleReader,
}

/// What to do about tables that no snapshot covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NonTransactional {
    /// Lock them against writing (`LOCK TABLES ... READ`) from before the snapshot until they
    /// are dumped, which happens first. Their writers wait as long.
    Lock,
    /// Read them as they are and say so.
    Warn,
}

/// What becomes of `DEFINER` clauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Definers {
    /// As they are. Whoever restores needs the right to name other accounts.
    Keep,
    /// Left out: whoever restores becomes the definer.
    Omit,
}
