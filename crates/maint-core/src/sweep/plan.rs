//! What a sweep will do, and how much of it there is.

use serde::Serialize;

use super::{Act, Condition, SweepRule, SweepTask};
use crate::store::{Count, RowKey};

/// What is true of one sweep's table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepFacts {
    /// Rows that meet the conditions at this moment.
    pub due: Count,
    /// Rows that hang on them, by table, if they were counted.
    pub dependents: Option<Vec<(String, u64)>>,
    /// All rows of the table.
    pub rows: Count,
    /// The keys of all that met the conditions, if the whole table was looked at and they are few.
    #[serde(skip)]
    pub found: Option<Vec<RowKey>>,
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
    /// The most rows that a run may take without more consent.
    pub row_limit: u64,
    /// What is meant, by its keys, if that is settled: the whole table was looked at, and no earlier
    /// part of the plan can give more to do. The run looks for nothing else then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Vec<RowKey>>,
}

/// Orphans up to this number are never too many: of a small table they may well be all.
const FEW: u64 = 1000;

/// The most rows that the sweep of `rule` may delete as orphans where at most `share` of `rows` are
/// believed to be. Estimates of a table's size get a margin.
pub(crate) fn orphan_limit(rule: &SweepRule, rows: Count, share: f64) -> u64 {
    let finds_orphans = rule
        .when
        .iter()
        .any(|condition| matches!(condition, Condition::Missing(_)));
    if !finds_orphans || !matches!(rule.act, Act::Delete { .. }) || share >= 1.0 {
        return u64::MAX;
    }
    let margin = if rows.exact { 1.0 } else { 1.25 };
    ((rows.rows as f64 * share * margin) as u64).max(FEW)
}
