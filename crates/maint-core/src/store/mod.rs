//! The seam between housekeeping and a database: what a monitoring database is asked to do.
//!
//! The verbs are housekeeping acts, never SQL text, so that a store of any kind can offer them.
//! `elpis-testkit` holds one conformance suite that every implementation must pass.

mod error;
mod moves;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod named;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod purge_work;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod relation_look;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod relation_work;
mod relations;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod rollup_work;
mod series;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod series_work;
mod shape;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod walk;

use std::future::Future;

use elpis_run::Load;
use jiff::Timestamp;
use serde::Serialize;

pub use error::StoreError;
pub use moves::{
    Batch, Cell, MoveColumn, MoveRecord, MoveRow, MoveSide, MoveStore, Received, Window,
    row_checksum,
};
#[cfg(feature = "mysql")]
pub use mysql::MySqlStore;
pub use relations::{Looked, LookedFor, RelationStore, RowKey, Swept, Weighed};
pub use series::{
    BucketPreview, BucketRollup, Compacted, Mark, Part, Pass, PastLength, STATE_TABLE, SeriesChunk,
    SeriesStore, SeriesWork, Survey,
};
pub use shape::{Column, ColumnKind, Count, Index, OnDelete, Reference, Shape};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use crate::{PurgeTask, Scalar, TableRule};

/// A monitoring database as housekeeping sees it.
///
/// One store is one session that writes. It never reconnects by itself: locks live in the
/// session, so a lost session must end the run ([`StoreError::Lost`]).
pub trait Store: Send {
    /// What server this is, and whether it may be written to.
    fn server(&mut self) -> impl Future<Output = Result<ServerFacts, StoreError>> + Send;

    /// The structure of a table, or `None` if there is no such table.
    fn shape(
        &mut self,
        table: &str,
    ) -> impl Future<Output = Result<Option<Shape>, StoreError>> + Send;

    /// A quick look at what is expired: milliseconds, whatever the size of the table.
    fn estimate(
        &mut self,
        task: &PurgeTask,
    ) -> impl Future<Output = Result<Extent, StoreError>> + Send;

    /// The time of the `keep`-th newest row, so that a policy can keep a number of rows.
    /// `None` if the table has fewer.
    fn nth_newest(
        &mut self,
        rule: &TableRule,
        keep: u64,
    ) -> impl Future<Output = Result<Option<Scalar>, StoreError>> + Send;

    /// Counts one stretch of about `limit` rows from `from` on (the beginning if `None`), over
    /// the whole table, expired or not. Changes nothing.
    fn count_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> impl Future<Output = Result<Counted, StoreError>> + Send;

    /// Deletes the next expired rows, at most `limit` (and at most `limit` rows of every table
    /// that would follow by cascade), oldest first or along the key, in one short transaction.
    ///
    /// Deadlocks and lock waits are retried a few times. When it returns, the rows are gone
    /// durably; when it fails, none of this chunk is.
    fn purge_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> impl Future<Output = Result<Purged, StoreError>> + Send;

    /// Takes the named locks on the writing session, all or none, without waiting. On a server,
    /// who holds them may take them again: they are held until the last of as many
    /// [`unlock`](Store::unlock)s, so that one span of locks can cover several jobs.
    ///
    /// # Errors
    /// [`StoreError::LockHeld`] names the holder.
    fn lock(&mut self, names: &[String]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives the locks back that the last [`lock`](Store::lock) took.
    fn unlock(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How busy the server and its replicas are.
    fn load(&mut self) -> impl Future<Output = Result<Load, StoreError>> + Send;
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServerFacts {
    /// Product and version, such as `MariaDB 10.11.19`.
    pub product: String,
    /// The database's name, for lock names and messages.
    pub database: String,
    /// Where it is: host and port, socket, or file. Identifies the target in the journal.
    pub target: String,
    /// Why nothing may be written here; empty if it may.
    pub obstacles: Vec<String>,
    /// What could not be found out, in words; nothing is refused for it.
    pub warnings: Vec<String>,
    /// Where this server replicates from, if it does.
    pub replica_of: Option<String>,
    /// The server's clock, if it has one of its own.
    pub clock: Option<Timestamp>,
}

/// What a quick look at a table tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extent {
    /// All rows.
    pub rows: Count,
    /// Expired rows.
    pub due: Count,
    /// The oldest time in the table.
    pub oldest: Option<Scalar>,
    /// The newest time in the table.
    pub newest: Option<Scalar>,
}

/// A place on the way along an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The index columns' values there; empty at the beginning.
    pub at: Vec<Scalar>,
    /// Whether rows with exactly these values are still ahead.
    pub inclusive: bool,
    /// Places ahead that the store has read and not come to yet; it may leave this empty.
    pub measured: Vec<Scalar>,
}

impl Position {
    /// The beginning of a walk.
    pub fn beginning() -> Position {
        Position::at(Vec::new(), true)
    }

    /// The place of a row; `inclusive` if that row is still ahead.
    pub fn at(at: Vec<Scalar>, inclusive: bool) -> Position {
        Position {
            at,
            inclusive,
            measured: Vec::new(),
        }
    }
}

/// The count of one stretch of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Rows looked at.
    pub rows: u64,
    /// Expired rows among them.
    pub due: u64,
    /// Rows among them without a time; they stay.
    pub untimed: u64,
    /// Rows of other tables that would follow, in the order of [`PurgeTask::cascaded_tables`].
    pub cascaded: Vec<u64>,
    /// The oldest and newest time among them.
    pub span: Option<(Scalar, Scalar)>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// The result of one deleting chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows looked at, at least `deleted`.
    pub examined: u64,
    /// Rows deleted from the table itself.
    pub deleted: u64,
    /// Rows deleted from tables that would follow by cascade, in the order of
    /// [`PurgeTask::cascaded_tables`].
    pub cascaded: Vec<u64>,
    /// How often the chunk was begun again after a deadlock or lock wait.
    pub retries: u32,
    /// Where to go on; `None` when the end of the walk was reached.
    pub next: Option<Position>,
}
