//! What a profile writes down. Pure data.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ProgramTask;
use crate::sweep::{Act, Dependent, Fate, SweepRule};
use crate::{TableRule, ThrottleRules};

/// A sequence of tasks, and the terms under which it may run.
#[derive(Debug, Clone, PartialEq)]
pub struct Housekeeping {
    /// Names of the locks a run takes, all or none; `{database}` stands for the database's name.
    pub locks: Vec<String>,
    /// How far the server's clock may differ from ours before a run is refused.
    pub max_clock_skew: Duration,
    /// Whether a target that is itself a replica may be written to.
    pub allow_replica: bool,
    /// How a run shares the server with everybody else; for durations in plans.
    pub throttle: ThrottleRules,
    /// The largest share of a table (above 0, at most 1) that is believed to be orphans. Where more
    /// would go, and more than a thousand rows, a person has to look first: what they point at may
    /// have been lost or not yet restored.
    pub max_orphan_share: f64,
    /// The tasks in their order. No table has more than one retention rule.
    pub tasks: Vec<Task>,
}

/// One line of the sequence, as an operator knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// A short name that stays the same, such as `events`.
    pub id: String,
    /// What kind of task it is.
    pub group: Group,
    /// What is printed when its turn comes.
    pub title: String,
    /// What it consists of, in order.
    pub work: Vec<Work>,
}

/// Kinds of tasks, as the operator's log has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// What is old or not wanted goes.
    Purge,
    /// Rows are brought in line with one another.
    CheckDb,
    /// What is left of things that are gone goes.
    Integrity,
    /// The history database.
    HistoryDb,
    /// Tasks of the product's paid edition.
    Enterprise,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Group::Purge => "PURGE",
            Group::CheckDb => "CHECKDB",
            Group::Integrity => "INTEGRITY",
            Group::HistoryDb => "HISTORYDB",
            Group::Enterprise => "ENTERPRISE",
        })
    }
}

/// A part of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Rows older than the rule says are deleted.
    Retention(TableRule),
    /// Rows are judged by more than their age.
    Sweep(SweepRule),
    /// A program outside of the database is run.
    Program(ProgramTask),
    /// Nothing, for this reason.
    Skip {
        /// Why.
        why: String,
    },
}

impl Work {
    /// The table whose rows are judged.
    pub fn table(&self) -> Option<&str> {
        match self {
            Work::Retention(rule) => Some(&rule.name),
            Work::Sweep(rule) => Some(&rule.table),
            Work::Program(_) | Work::Skip { .. } => None,
        }
    }

    /// The tables that rows are deleted from, what is declared to hang on the rows that go included.
    /// What the live schema's foreign keys add is not known here.
    pub fn deletes_from(&self) -> Vec<&str> {
        let rule = match self {
            Work::Retention(rule) => return vec![&rule.name],
            Work::Sweep(rule) => rule,
            Work::Program(_) | Work::Skip { .. } => return Vec::new(),
        };
        let own = matches!(rule.act, Act::Delete { .. }).then_some(rule.table.as_str());
        let hanging = Dependent::on_all_levels(rule.act.dependents()).into_iter();
        let hanging = hanging.filter(|one| one.fate == Fate::Delete);
        own.into_iter()
            .chain(hanging.map(|one| one.table.as_str()))
            .collect()
    }
}
