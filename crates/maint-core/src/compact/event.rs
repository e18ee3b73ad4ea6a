//! What a compaction tells its observer while it works.

use elpis_run::RunId;
use serde::Serialize;

use super::{CompactReport, TierReport};
use crate::pacing::Waits;

/// One thing that happened. In JSON: an object whose `event` names the variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CompactEvent {
    /// The locks are held and the journal has the run.
    CompactionStarted {
        /// The run's number in the journal.
        run: RunId,
        /// The database.
        target: String,
        /// How many tiers of how many tables will be visited.
        tiers: usize,
    },
    /// A tier's turn has come.
    TierStarted {
        /// The table.
        table: String,
        /// The length of a bucket, in seconds.
        bucket_s: i64,
        /// About how many rows are due.
        due: u64,
    },
    /// A pass has come this far in time.
    Slab {
        /// The table.
        table: String,
        /// Which pass: `seal` or `recheck`.
        pass: &'static str,
        /// Everything before this is done, in units of the time column.
        until: i64,
    },
    /// One transaction is durable.
    Compacted {
        /// The table.
        table: String,
        /// Rows it looked at.
        examined: u64,
        /// Rows it left out.
        removed: u64,
        /// Rows looked at so far in this tier.
        total: u64,
        /// The limit the throttle had set, in rows.
        limit: u64,
        /// How long it took, in milliseconds.
        took_ms: f64,
        /// How long the run had paused before it, in milliseconds.
        pause_ms: f64,
    },
    /// The run waits, because of what the throttle saw.
    CompactionWaiting {
        /// The table.
        table: String,
        /// The reason, in words.
        why: String,
    },
    /// The run goes on after waiting.
    CompactionResumed {
        /// The table.
        table: String,
        /// How long it waited, in seconds.
        waited_s: f64,
    },
    /// A tier is finished, or the run ends in the middle of it.
    TierFinished(TierReport),
    /// The run is over; the journal has its outcome.
    CompactionFinished(CompactReport),
}

impl Waits for CompactEvent {
    fn waiting(table: String, why: String) -> CompactEvent {
        CompactEvent::CompactionWaiting { table, why }
    }

    fn resumed(table: String, waited_s: f64) -> CompactEvent {
        CompactEvent::CompactionResumed { table, waited_s }
    }
}
