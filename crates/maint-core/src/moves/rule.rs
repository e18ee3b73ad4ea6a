//! What should move, and the exact task a pair of stores carries out. Pure data.

use std::time::Duration;

use serde::Serialize;

use crate::{Scalar, ThrottleRules, TimeUnit};

/// What should move to a history database, and on which terms.
#[derive(Debug, Clone, PartialEq)]
pub struct MovePolicy {
    /// Names of the locks taken in the active database; `{database}` stands for its name.
    pub locks: Vec<String>,
    /// The same for the history database.
    pub history_locks: Vec<String>,
    /// How far the active server's clock may differ from ours before a run is refused.
    pub max_clock_skew: Duration,
    /// Whether a target that is itself a replica may be written to.
    pub allow_replica: bool,
    /// How a run shares the active server; for durations in plans.
    pub throttle: ThrottleRules,
    /// How the operator wants the steps.
    pub steps: Steps,
    /// The tables in their order.
    pub rules: Vec<MoveRule>,
}

/// How large steps are at most, and how long a run rests between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// The most rows of a step; `None` leaves it to the throttle.
    pub rows: Option<u64>,
    /// How long the run rests after so many rows.
    pub pause: Duration,
}

/// A table whose old rows move.
#[derive(Debug, Clone, PartialEq)]
pub struct MoveRule {
    /// A short name that stays the same; several rules may share one.
    pub id: String,
    /// What is printed when its turn comes.
    pub title: String,
    /// The table.
    pub table: String,
    /// The column that tells a row's age.
    pub time_column: String,
    /// What that column counts or writes.
    pub unit: TimeUnit,
    /// Rows move when they are older than this many days.
    pub days: u32,
    /// A column by which the rows of one instant can be told apart, where the table has no key.
    pub split: Option<String>,
    /// Tables whose rows belong to those that move, also where no foreign key says so. One that is
    /// not there is none.
    pub children: Vec<MoveChild>,
}

/// Rows that belong to rows of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveChild {
    /// Their table.
    pub table: String,
    /// Its column that points at the other.
    pub column: String,
    /// The column it points at, a unique key.
    pub parent_column: String,
}

/// A move of one table, with nothing left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveTask {
    /// The table, of that name on both sides.
    pub table: String,
    /// The column that tells a row's age.
    pub time_column: String,
    /// An index that begins with it, in the active database.
    pub index: String,
    /// Rows strictly below this move; rows with NULL never do.
    pub cutoff: Scalar,
    /// The columns that both sides have.
    pub columns: Vec<String>,
    /// Columns that only the active side has. Rows move as long as they hold the default there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The column that identifies a row, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A column by which the rows of one instant can be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Tables whose rows follow by ON DELETE CASCADE; they move with their parents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildMove>,
}

/// A table whose rows move with those of its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChildMove {
    /// The child table.
    pub table: String,
    /// Its column that points at the parent's key.
    pub column: String,
    /// The columns that both sides have.
    pub columns: Vec<String>,
    /// Columns that only the active side has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The column that identifies a row.
    pub key: String,
}
