//! What is true of a database, as far as a sequence of tasks is concerned.

use serde::Serialize;

use crate::Facts;
use crate::sweep::{Resolved, SkipReason, SweepFacts};

/// The facts that a plan is made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HousekeepingFacts {
    /// The server, the moment, and the tables that have a retention rule and fit it.
    pub purge: Facts,
    /// For each task, what is true of each of its parts.
    pub tasks: Vec<Vec<WorkFacts>>,
}

/// What is true of one part of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum WorkFacts {
    /// A retention rule that fits its table, which is one of [`HousekeepingFacts::purge`].
    Retention {
        /// The table.
        table: String,
    },
    /// A sweep that fits its tables.
    Sweep {
        /// The exact task and what was left out.
        resolved: Box<Resolved>,
        /// What was counted or estimated.
        facts: SweepFacts,
    },
    /// A program; nothing is known of it before it runs.
    Program,
    /// There is nothing to do.
    Skip {
        /// Why.
        reason: SkipReason,
    },
}
