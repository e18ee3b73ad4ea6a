//! What the operator wants: which tables, how long, and how carefully. No I/O, no clock.

mod problem;
mod raw;
mod series;
#[cfg(test)]
mod tests;
mod validate;
mod validate_filter;
mod validate_series;

use std::time::Duration;

pub use problem::{PolicyError, Problem};
pub use raw::RawPolicy;
pub use series::{Exception, Kind, Kinds, Mode, SeriesList, SeriesRule, Tier};

use crate::{Scalar, TimeUnit};

/// A validated housekeeping policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Names of the locks a run takes, all or none; `{database}` stands for the database's name.
    pub locks: Vec<String>,
    /// How far the server's clock may differ from ours before a run is refused.
    pub max_clock_skew: Duration,
    /// Whether a target that is itself a replica may be purged (a ring, or a test).
    pub allow_replica: bool,
    /// How a run shares the server with everybody else.
    pub throttle: ThrottleRules,
    /// One rule a table, in the order of the file.
    pub tables: Vec<TableRule>,
    /// Tables of series to compact, in the order of the file.
    pub series: Vec<SeriesRule>,
}

/// Retention of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRule {
    /// The table's name in its database.
    pub name: String,
    /// The key to walk along if the time column has no index; found in the schema if empty.
    pub key: Vec<String>,
    /// The column that tells a row's age.
    pub time_column: String,
    /// What that column holds.
    pub unit: TimeUnit,
    /// What is kept.
    pub keep: Retention,
    /// Only rows that meet every filter are deleted.
    pub filters: Vec<Filter>,
    /// A raw SQL condition, used only where the file says `unsafe_sql = true`.
    pub where_sql: Option<String>,
    /// Tables of the policy that are purged before this one.
    pub after: Vec<String>,
    /// The largest share of the table (0 to 1] that one run may delete without more consent.
    pub max_share: f64,
}

/// What is kept of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Rows younger than this many days.
    Days(u32),
    /// The newest rows, at least this many (rows of one instant stay together).
    Rows(u64),
}

/// A condition on one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The column's name.
    pub column: String,
    /// What must hold.
    pub test: Test,
}

/// The tests a filter may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `column OP value`, with one of `=`, `<>`, `<`, `<=`, `>`, `>=`.
    Compare(&'static str, Scalar),
    /// `column IN (…)`.
    In(Vec<Scalar>),
    /// `column NOT IN (…)`; rows with NULL do not match.
    NotIn(Vec<Scalar>),
    /// `column IS NULL`.
    IsNull,
    /// `column IS NOT NULL`.
    IsNotNull,
}

/// Limits of the adaptive throttle; see `docs/throttling.md` for how they work together.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottleRules {
    /// How long one chunk should take.
    pub target: Duration,
    /// The smallest chunk, in rows.
    pub min_rows: u64,
    /// The largest chunk, in rows.
    pub max_rows: u64,
    /// Share of the time spent deleting, above 0 and up to 1 (1: no pauses).
    pub duty: f64,
    /// Wait while more statements than this run on the server.
    pub max_threads_running: Option<u32>,
    /// Stop the run when more statements than this run on the server.
    pub critical_threads_running: Option<u32>,
    /// Wait while InnoDB's history list is longer than this.
    pub max_history_list: Option<u64>,
    /// Wait while a replica named in the configuration lags more, or does not replicate.
    pub max_replica_lag: Duration,
}

impl Default for ThrottleRules {
    fn default() -> Self {
        ThrottleRules {
            target: Duration::from_micros(1500),
            min_rows: 50,
            max_rows: 10_000,
            duty: 0.45,
            max_threads_running: Some(25),
            critical_threads_running: Some(100),
            max_history_list: Some(1_000_000),
            max_replica_lag: Duration::from_secs(5),
        }
    }
}

impl Policy {
    /// Reads a policy from TOML text whose top level is the policy.
    ///
    /// # Errors
    /// Every problem found, each with key, value, reason and place.
    pub fn from_toml(text: &str) -> Result<Policy, PolicyError> {
        let raw: RawPolicy = toml::from_str(text).map_err(|e| PolicyError::syntax(text, &e))?;
        raw.validate(text)
    }
}
