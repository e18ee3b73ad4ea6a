//! What a run of a sequence did, as data.

use elpis_run::{Outcome, RunId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Group;
use crate::sweep::{HeldBy, SweepReport};
use crate::{Ended, RunReport, TableReport};

/// What a run of a sequence did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HousekeepingReport {
    /// The run's number in the journal.
    pub run: RunId,
    /// The database.
    pub target: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The tasks it came to, in order.
    pub tasks: Vec<TaskReport>,
    /// How it ended.
    pub ended: Ended,
}

/// What a run did for one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The task's short name.
    pub id: String,
    /// What kind of task it is.
    pub group: Group,
    /// What was printed when its turn came.
    pub title: String,
    /// Its parts in order.
    pub parts: Vec<PartReport>,
    /// Seconds it took, pauses included.
    pub seconds: f64,
}

/// What a run did for one part of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum PartReport {
    /// Old rows were deleted.
    Purge(TableReport),
    /// Rows were judged by more than their age.
    Sweep(SweepReport),
    /// A program was run.
    Program {
        /// Its name in the journal.
        name: String,
        /// What went wrong; the run goes on.
        error: Option<String>,
        /// Seconds it took.
        seconds: f64,
    },
    /// Nothing was done.
    Skipped {
        /// Why.
        why: String,
    },
    /// Nothing was done, and nothing will be until a person has looked.
    Held {
        /// By which safety check.
        by: HeldBy,
        /// Why.
        why: String,
    },
}

impl RunReport for HousekeepingReport {
    fn changed(&self) -> u64 {
        self.changed()
    }

    fn finished(&self) -> Timestamp {
        self.finished
    }

    fn outcome(&self) -> Outcome {
        self.ended.outcome_with(&self.concerns())
    }
}

impl HousekeepingReport {
    /// Rows deleted, changed or added in all tables.
    pub fn changed(&self) -> u64 {
        self.tasks.iter().map(TaskReport::changed).sum()
    }

    /// What a person should see to although the run came to its end: programs that failed, and
    /// what was held back.
    pub fn concerns(&self) -> Vec<&str> {
        let parts = self.tasks.iter().flat_map(|task| &task.parts);
        parts.filter_map(PartReport::concern).collect()
    }

    /// Whether something stays that would go if a larger share of a table might (all of it, where
    /// the table of its parents is empty).
    pub fn is_held_by_share(&self) -> bool {
        let mut parts = self.tasks.iter().flat_map(|task| &task.parts);
        parts.any(|part| match part {
            PartReport::Sweep(report) => report.held.is_some(),
            PartReport::Held { by, .. } => matches!(by, HeldBy::Share | HeldBy::EmptyParent),
            _ => false,
        })
    }
}

impl TaskReport {
    /// Rows deleted, changed or added in all tables.
    pub fn changed(&self) -> u64 {
        self.parts.iter().map(PartReport::changed).sum()
    }
}

impl PartReport {
    /// Rows deleted, changed or added in all tables.
    pub fn changed(&self) -> u64 {
        match self {
            PartReport::Purge(report) => report.all_deleted(),
            PartReport::Sweep(report) => report.all_changed(),
            PartReport::Program { .. } | PartReport::Skipped { .. } | PartReport::Held { .. } => 0,
        }
    }

    /// What a person should see to, if there is something.
    fn concern(&self) -> Option<&str> {
        match self {
            PartReport::Program { error, .. } => error.as_deref(),
            PartReport::Sweep(report) => report.held.as_deref(),
            PartReport::Held { why, .. } => Some(why),
            PartReport::Purge(_) | PartReport::Skipped { .. } => None,
        }
    }
}
