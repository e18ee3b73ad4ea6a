//! What a run did, as data.

use std::fmt;

use elpis_run::{Outcome, RunId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::RunReport;

/// What a purge run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PurgeReport {
    /// The run's number in the journal.
    pub run: RunId,
    /// The database.
    pub target: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The tables it came to, in order.
    pub tables: Vec<TableReport>,
    /// How it ended.
    pub ended: Ended,
}

/// What a run did to one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableReport {
    /// The table.
    pub table: String,
    /// Rows deleted from it.
    pub deleted: u64,
    /// Rows deleted from tables that would have followed by cascade.
    pub cascaded: Vec<(String, u64)>,
    /// Bytes that became free inside the table, estimated from its average row, if that is known.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Chunks, empty ones included.
    pub chunks: u64,
    /// Chunks begun again after a deadlock or lock wait.
    pub retries: u64,
    /// Seconds spent deleting.
    pub working_s: f64,
    /// Seconds of the throttle's pauses between chunks.
    pub paused_s: f64,
    /// Seconds waited for the server or a replica.
    pub waited_s: f64,
    /// Whether the end of the table was reached.
    pub complete: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Ended {
    /// Everything expired is gone.
    Done,
    /// A limit of the run was reached; the next run goes on.
    Limit {
        /// Which one.
        why: String,
    },
    /// The operator stopped it between two chunks.
    Interrupted,
    /// The throttle saw something critical and stopped it between two chunks.
    Critical {
        /// What it saw.
        why: String,
    },
    /// A table lost the share of its rows that the policy allows.
    ShareReached {
        /// The table.
        table: String,
    },
    /// Series were compared before and after, and something was not as promised.
    NotVerified {
        /// The first failure.
        why: String,
    },
    /// The database failed; chunks acknowledged before are durable.
    Failed {
        /// What it said.
        error: String,
    },
}

impl PurgeReport {
    /// Rows deleted from all tables, cascades included.
    pub fn deleted(&self) -> u64 {
        self.tables.iter().map(TableReport::all_deleted).sum()
    }
}

impl RunReport for PurgeReport {
    fn changed(&self) -> u64 {
        self.deleted()
    }

    fn finished(&self) -> Timestamp {
        self.finished
    }

    fn outcome(&self) -> Outcome {
        self.ended.outcome()
    }
}

impl TableReport {
    /// Rows deleted from the table and from those that would have followed.
    pub fn all_deleted(&self) -> u64 {
        self.deleted + self.cascaded.iter().map(|(_, rows)| rows).sum::<u64>()
    }

    /// Rows a second over all the time the table took, if that can be said.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.working_s + self.paused_s + self.waited_s;
        (seconds > 0.0 && self.deleted > 0).then(|| self.all_deleted() as f64 / seconds)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Done => f.write_str("everything expired is gone"),
            Ended::Limit { why } | Ended::Critical { why } => f.write_str(why),
            Ended::Interrupted => f.write_str("stopped by the operator"),
            Ended::ShareReached { table } => write!(f, "max_share of table {table} was reached"),
            Ended::NotVerified { why } => write!(f, "VERIFICATION FAILED: {why}"),
            Ended::Failed { error } => f.write_str(error),
        }
    }
}

impl Ended {
    /// The same in the journal's words; a run at its end that leaves `concerns` ends with them.
    pub(crate) fn outcome_with<S: AsRef<str>>(&self, concerns: &[S]) -> Outcome {
        if *self != Ended::Done || concerns.is_empty() {
            return self.outcome();
        }
        let concerns: Vec<&str> = concerns.iter().map(AsRef::as_ref).collect();
        Outcome::Warnings {
            reason: concerns.join("; "),
        }
    }

    /// The same in the journal's words.
    pub(crate) fn outcome(&self) -> Outcome {
        let reason = self.to_string();
        match self {
            Ended::Done => Outcome::Done,
            Ended::Limit { .. } => Outcome::Partial { reason },
            Ended::NotVerified { .. } => Outcome::Warnings { reason },
            Ended::Failed { .. } => Outcome::Failed { error: reason },
            _ => Outcome::Stopped { reason },
        }
    }
}
