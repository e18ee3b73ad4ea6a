//! What a sweep will do, and how much of it there is.

use serde::Serialize;

use super::SweepTask;
use crate::store::Count;

/// What is true of one sweep's table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepFacts {
    /// Rows that meet the conditions at this moment.
    pub due: Count,
    /// Rows that hang on them, by table, if they were counted.
    pub dependents: Option<Vec<(String, u64)>>,
    /// All rows of the table.
    pub rows: Count,
}

/// What one run will do in one sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepPlan {
    /// The sweep's name, as the journal has it.
    pub name: String,
    /// The exact task.
    pub task: SweepTask,
    /// What the database looked like. What an earlier part of the run changes is not in it.
    pub facts: SweepFacts,
    /// What was left out or held back, in words.
    pub notes: Vec<String>,
}
