//! What a compaction did, as data.

use elpis_run::{Outcome, RunId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Verification;
use crate::{Ended, RunReport};

/// What a compaction run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompactReport {
    /// The run's number in the journal.
    pub run: RunId,
    /// The database.
    pub target: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The tiers it came to, in order.
    pub tiers: Vec<TierReport>,
    /// What was read before and after, of all tiers together; `None` if nothing was.
    pub verified: Option<Verification>,
    /// How it ended.
    pub ended: Ended,
}

/// What a run did to one tier of one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TierReport {
    /// The table.
    pub table: String,
    /// The length of a bucket, in seconds.
    pub bucket_s: i64,
    /// The fresh buckets.
    pub sealed: PassReport,
    /// The buckets sealed by earlier runs, where rows arrived late.
    pub rechecked: PassReport,
    /// Chunks begun again after a deadlock or lock wait.
    pub retries: u64,
    /// Seconds spent in chunks and surveys.
    pub working_s: f64,
    /// Seconds of the throttle's pauses between chunks.
    pub paused_s: f64,
    /// Seconds waited for the server or a replica.
    pub waited_s: f64,
    /// Whether both passes came to their ends.
    pub complete: bool,
    /// What was read before and after; `None` if nothing was.
    pub verified: Option<Verification>,
}

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassReport {
    /// Series looked at, once for every slab of time.
    pub series: u64,
    /// Rows of the buckets that held enough of them to be compacted.
    pub examined: u64,
    /// Rows left out.
    pub removed: u64,
    /// Rows that carry another value now.
    pub rewritten: u64,
    /// Transactions.
    pub chunks: u64,
}

impl CompactReport {
    /// Rows left out of all tables.
    pub fn removed(&self) -> u64 {
        self.tiers.iter().map(TierReport::removed).sum()
    }
}

impl RunReport for CompactReport {
    fn changed(&self) -> u64 {
        self.removed()
    }

    fn finished(&self) -> Timestamp {
        self.finished
    }

    fn outcome(&self) -> Outcome {
        self.ended.outcome()
    }
}

impl TierReport {
    /// Rows left out by both passes.
    pub fn removed(&self) -> u64 {
        self.sealed.removed + self.rechecked.removed
    }

    /// Rows a second over all the time the tier took, if that can be said.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.working_s + self.paused_s + self.waited_s;
        let examined = self.sealed.examined + self.rechecked.examined;
        (seconds > 0.0 && examined > 0).then(|| examined as f64 / seconds)
    }
}
