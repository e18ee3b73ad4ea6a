//! What keeps the maintenance from doing its work: each finding with its remedy. Looks, and
//! changes nothing.

mod database;
mod facts;
mod moves;
mod schema;
mod versions;

use jiff::Timestamp;
use serde::Serialize;

pub use database::judge_database;
pub use facts::{DatabaseFacts, Disk, UnknownTable};
pub use moves::judge_moves;
pub use schema::{SchemaVersion, judge_history_schema};

/// The maintenance runs every hour; after this long something is wrong.
const LATE_S: i64 = 3 * 3600;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A short name that stays the same, such as `cron.executable`.
    pub check: &'static str,
    /// Whether all is well.
    pub state: State,
    /// What was found.
    pub what: String,
    /// What to do; `None` if all is well.
    pub remedy: Option<String>,
    /// The table it is about, where that is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Since when it is so, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All is well.
    Ok,
    /// Works, but not as it should.
    Warning,
    /// The maintenance does not do its work, or soon will not.
    Problem,
}

impl Check {
    /// All is well.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Check {
        Check {
            check,
            state: State::Ok,
            what: what.into(),
            remedy: None,
            table: None,
            since: None,
        }
    }

    /// Something works, but not as it should.
    pub fn warning(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check {
            state: State::Warning,
            remedy: Some(remedy.into()),
            ..Check::ok(check, what)
        }
    }

    /// Something does not work.
    pub fn problem(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check {
            state: State::Problem,
            remedy: Some(remedy.into()),
            ..Check::ok(check, what)
        }
    }
}
