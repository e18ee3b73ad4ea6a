//! What a sweep will do, and how much of it there is.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
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
    /// When the table was looked at; all of `found` was there by then.
    #[serde(skip)]
    pub looked: Option<Timestamp>,
}

impl SweepFacts {
    /// How long these rows have been known, all of them, at the moment `now`.
    pub(crate) fn known_for(&self, rows: &[RowKey], now: Timestamp) -> Duration {
        let known: BTreeSet<&RowKey> = self.found.iter().flatten().collect();
        if !rows.iter().all(|row| known.contains(row)) {
            return Duration::ZERO;
        }
        let age = self.looked.map(|looked| now.duration_since(looked));
        age.and_then(|age| Duration::try_from(age).ok())
            .unwrap_or_default()
    }
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
    /// The earlier tasks of the same plan that take, make or change rows that were counted here: as
    /// many as counted are done only if these tasks do nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<String>,
}

/// Orphans up to this number are never too many: of a small table they may well be all.
const FEW: u64 = 1000;

/// The most rows that the sweep of `rule` may delete as orphans where at most `share` of `rows` are
/// believed to be. Estimates of a table's size get a margin.
pub(crate) fn orphan_limit(rule: &SweepRule, rows: Count, share: f64) -> u64 {
    // A table that is asked for rows of another kind as well has not been lost.
    let is_there = |table: &str| {
        let mut when = rule.when.iter();
        when.any(|other| matches!(other, Condition::Present(present) if present.table == table))
    };
    let finds_orphans = rule.when.iter().any(|condition| match condition {
        Condition::Missing(relation) | Condition::Without(relation) => !is_there(&relation.table),
        _ => false,
    });
    if !finds_orphans || !matches!(rule.act, Act::Delete { .. }) || share >= 1.0 {
        return u64::MAX;
    }
    let margin = if rows.exact { 1.0 } else { 1.25 };
    ((rows.rows as f64 * share * margin) as u64).max(FEW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    #[test]
    fn rows_are_known_since_all_of_them_were_seen() {
        let row = |id| vec![Scalar::Int(id)];
        let at = |second| Timestamp::from_second(second).unwrap();
        let facts = SweepFacts {
            due: Count::exact(2),
            dependents: None,
            rows: Count::exact(9),
            found: Some(vec![row(1), row(2)]),
            looked: Some(at(100)),
        };
        let known = |facts: &SweepFacts, rows: &[RowKey], now| facts.known_for(rows, at(now));
        let seconds = Duration::from_secs;
        assert_eq!(known(&facts, &[row(2)], 103), seconds(3));
        assert_eq!(known(&facts, &[row(1), row(2)], 103), seconds(3));
        assert_eq!(known(&facts, &[row(1), row(3)], 103), seconds(0));
        // A clock that was set back proves nothing.
        assert_eq!(known(&facts, &[row(1)], 99), seconds(0));
        let unknown = SweepFacts {
            found: None,
            ..facts
        };
        assert_eq!(known(&unknown, &[row(1)], 103), seconds(0));
    }
}
