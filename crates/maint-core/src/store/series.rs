//! What compaction asks of a database, beyond what the purge asks.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::Kind;
use crate::compact::{CompactTask, Span};

/// The table in which the progress of every pass is kept. Rows of it are inserted and replaced.
pub const STATE_TABLE: &str = "elpis_compaction";

/// A store whose series can be compacted.
///
/// The state of the work (which buckets are sealed, how far a pass has come) lives in tables
/// named `elpis_…` of the same database, so that a backup of the one carries the other.
pub trait SeriesStore: Store {
    /// Why this database cannot compact series (no window functions), in words.
    fn series_obstacle(&mut self) -> impl Future<Output = Option<String>> + Send;

    /// Makes the state tables of `task` if they are missing.
    fn prepare_series(
        &mut self,
        task: &CompactTask,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How far a pass has come; `None` if it never began.
    fn mark(
        &mut self,
        task: &CompactTask,
        pass: Pass,
    ) -> impl Future<Output = Result<Option<Mark>, StoreError>> + Send;

    /// The bucket lengths that `table` was compacted into before, shortest first.
    fn past_lengths(
        &mut self,
        table: &str,
    ) -> impl Future<Output = Result<Vec<PastLength>, StoreError>> + Send;

    /// Remembers, durably, how far a pass has come.
    fn set_mark(
        &mut self,
        task: &CompactTask,
        pass: Pass,
        mark: &Mark,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The oldest time of the table that is not negative.
    fn oldest_point(
        &mut self,
        task: &CompactTask,
    ) -> impl Future<Output = Result<Option<i64>, StoreError>> + Send;

    /// About how many rows lie in a span.
    fn points_in(
        &mut self,
        task: &CompactTask,
        span: Span,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The buckets of the next `limit` series after `after` that hold more than `above` rows in
    /// `span`. Reads the index only.
    fn survey(
        &mut self,
        task: &CompactTask,
        span: Span,
        after: Option<i64>,
        limit: u64,
        above: u64,
    ) -> impl Future<Output = Result<Survey, StoreError>> + Send;

    /// Compacts the buckets of some series in a span and sets the mark, in one transaction. The
    /// rows are read under locks that keep others from changing the span meanwhile.
    ///
    /// The mark is stored with the removed rows added. When this fails, nothing has changed.
    fn compact_chunk(
        &mut self,
        task: &CompactTask,
        chunk: &SeriesChunk,
        pass: Pass,
        mark: &Mark,
    ) -> impl Future<Output = Result<Compacted, StoreError>> + Send;

    /// What compaction of some series in a span would keep, bucket by bucket. Changes nothing.
    fn preview(
        &mut self,
        task: &CompactTask,
        chunk: &SeriesChunk,
    ) -> impl Future<Output = Result<Vec<BucketPreview>, StoreError>> + Send;

    /// Some series of the table, spread evenly over their numbers.
    fn some_series(
        &mut self,
        task: &CompactTask,
        count: u64,
    ) -> impl Future<Output = Result<Vec<i64>, StoreError>> + Send;

    /// The points of one series in a span, in order of time, at most `limit`.
    fn points(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<(i64, Option<f64>)>, StoreError>> + Send;

    /// What the side table says of the buckets of one series that begin in a span: in order of
    /// time, the longer bucket first, at most `limit`. None if there is no side table.
    fn rollups(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<BucketRollup>, StoreError>> + Send;
}

/// The two ways through a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// Buckets that nobody has compacted yet.
    Seal,
    /// Sealed buckets, in search of rows that arrived late.
    Recheck,
}

impl Pass {
    /// As the state table and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Pass::Seal => "seal",
            Pass::Recheck => "recheck",
        }
    }
}

/// How far a pass has come. Times in the units of the time column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Everything before this is done, for every series.
    pub done_until: i64,
    /// The end of the slab that is under way.
    pub slab_until: Option<i64>,
    /// The last series that is done in that slab.
    pub series_done: Option<i64>,
    /// The series after it that is done in part.
    pub part: Option<Part>,
    /// Rows left out so far, over all runs.
    pub rows_removed: u64,
}

/// A bucket length that a table was compacted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastLength {
    /// The length, in the units of the time column.
    pub bucket: i64,
    /// Whether the side table remembers all those buckets.
    pub rolled_up: bool,
}

/// How much of one series is done in a slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The series.
    pub series: i64,
    /// Its buckets before this are done.
    pub until: i64,
}

/// What [`SeriesStore::survey`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Series that may be compacted and hold large buckets, in order.
    pub series: Vec<SeriesWork>,
    /// The last series looked at; `None` if there was none after `after`.
    pub last: Option<i64>,
}

/// The buckets of one series that may be compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesWork {
    /// The series' number.
    pub series: i64,
    /// Its kind.
    pub kind: Kind,
    /// The beginning of each bucket and its number of rows, in order.
    pub buckets: Vec<(i64, u64)>,
}

/// Whole buckets of some series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesChunk {
    /// The series, not empty, all of kinds that are treated alike.
    pub series: Vec<i64>,
    /// The time, on bucket edges.
    pub span: Span,
    /// Whether a bucket's drawn row carries the sum instead of the mean.
    pub sums: bool,
}

/// What one chunk did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Rows that are gone.
    pub removed: u64,
    /// Rows that carry another value now (`mean`).
    pub rewritten: u64,
    /// How often it was begun again after a deadlock or lock wait.
    pub retries: u32,
}

/// What compaction would do to one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketPreview {
    /// Rows now.
    pub rows: u64,
    /// Rows afterwards.
    pub kept: u64,
    /// The largest value less the smallest.
    pub range: f64,
}

/// One row of the side table: what a bucket held before rows were left out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketRollup {
    /// The beginning of the bucket, in the units of the time column.
    pub bucket: i64,
    /// Its length, in the same units.
    pub length: i64,
    /// The rows it stands for.
    pub rows: u64,
    /// The sum of their values.
    pub sum: f64,
    /// The smallest of them.
    pub min: f64,
    /// The largest of them.
    pub max: f64,
    /// Each value times the seconds that it stood in the bucket, the one carried into it included.
    pub integral: f64,
    /// The time of the first row.
    pub first_time: i64,
    /// Its value; of several rows of that time the mean.
    pub first_value: f64,
    /// The time of the last row.
    pub last_time: i64,
    /// Its value; of several rows of that time the mean.
    pub last_value: f64,
    /// How many rows the table was left with.
    pub kept: u64,
    /// The sum of their values.
    pub kept_sum: f64,
    /// Time and value of the row that stands for the others, in `mean` mode.
    pub drawn: Option<(i64, f64)>,
    /// Whether rows that came late are weighed in without their place in time.
    pub approximate: bool,
}
