//! What a dump came to.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::SnapshotStep;
use super::sink::Piece;

/// A complete dump. It goes into the manifest of an archive as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DumpReport {
    /// When it began, by our clock.
    pub started: Timestamp,
    /// When it ended, by our clock.
    pub finished: Timestamp,
    /// `VERSION()` of the server.
    pub server_version: String,
    /// How the readers came to the same snapshot.
    pub snapshot: Snapshot,
    /// Every database with its tables, in the order of the plan.
    pub databases: Vec<DatabaseReport>,
    /// Every piece, in the order of concatenation.
    pub pieces: Vec<Piece>,
    /// How many of the pieces the sink had already.
    #[serde(default)]
    pub reused_pieces: u64,
    /// The longest statement in bytes. The server that loads the dump needs a
    /// `max_allowed_packet` above it.
    pub longest_statement: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// The proof that the data belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The step of the ladder that worked.
    pub step: SnapshotStep,
    /// Steps that were tried or ruled out before it, each with the reason.
    pub passed_over: Vec<String>,
    /// When it was taken, by our clock.
    pub taken: Timestamp,
    /// How many readers share it.
    pub readers: usize,
    /// The position in the server's binary log that each reader saw, in the readers' order;
    /// empty if the server tells none.
    pub positions: Vec<BinlogPosition>,
    /// The GTIDs up to that position, as `gtid_slave_pos` takes them; empty if unknown.
    pub gtid: String,
    /// If the server is a replica: what it had applied.
    pub replica: Option<ReplicaPosition>,
    /// Seconds for which all writers were held up, waiting for the lock included; 0 without a
    /// lock.
    #[serde(with = "seconds")]
    pub lock_held: Duration,
    /// Tables that were locked for writing while they were dumped, as `database.table`.
    pub locked_tables: Vec<String>,
    /// Seconds for which they were locked.
    #[serde(with = "seconds")]
    pub tables_locked: Duration,
}

/// A place in a binary log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BinlogPosition {
    /// The log file.
    pub file: String,
    /// The byte in it.
    pub position: u64,
}

/// What a replica had applied of its primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaPosition {
    /// `host:port` of the primary.
    pub primary: String,
    /// The last GTIDs it had applied; empty if unknown.
    pub gtid: String,
    /// Whether it was read while nothing could change; otherwise it is a moment older than the
    /// snapshot.
    pub exact: bool,
}

/// One database of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseReport {
    /// Its name.
    pub name: String,
    /// Its default character set.
    pub charset: String,
    /// Its default collation.
    pub collation: String,
    /// Its tables, in the order of the text.
    pub tables: Vec<TableReport>,
    /// How many views, sequences, triggers, routines and events it has.
    pub views: u64,
    /// See `views`.
    pub sequences: u64,
    /// See `views`.
    pub triggers: u64,
    /// See `views`.
    pub routines: u64,
    /// See `views`.
    pub events: u64,
    /// The accounts its views, triggers, routines and events name as definers, as
    /// `user@host`, each once.
    pub definers: Vec<String>,
}

/// One table of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its engine.
    pub engine: String,
    /// Rows dumped.
    pub rows: u64,
    /// Bytes of SQL text.
    pub bytes: u64,
    /// Whether the rows are in the text; false for [`DumpPolicy::without_rows`](super::DumpPolicy::without_rows).
    pub has_rows: bool,
    /// Whether the rows are of the one moment of the snapshot.
    pub consistent: bool,
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
