//! Why there is nothing to carry out, or not before a person has looked.

use serde::{Deserialize, Serialize};

/// The safety check for which rows stay until a person has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeldBy {
    /// A larger share of a table would go than is believed
    /// ([`crate::housekeeping::Housekeeping::max_orphan_share`]).
    Share,
    /// The table that rows are missed in is empty.
    EmptyParent,
    /// The account may not do it.
    Privilege,
    /// The table has a form in which what is too old cannot be told or deleted: it grows for ever.
    Form,
}

/// Why there is nothing to carry out. Never an error: editions and versions differ.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "skip", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// This installation has no such table.
    #[error("this database has no table {table}")]
    NoTable {
        /// The table.
        table: String,
    },
    /// The table has another form here.
    #[error("table {table} has no column {column} here")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// As [`SkipReason::Unfit`], of a table whose rows have a limit.
    #[error("table {table} {reason}: nothing of it is deleted")]
    UnfitAge {
        /// The table.
        table: String,
        /// Why, and what to do.
        reason: String,
    },
    /// No bounded walk is possible, or what hangs on the rows cannot be taken along.
    #[error("table {table} {reason}")]
    Unfit {
        /// The table.
        table: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The table that rows are missed in is empty, so every row would be an orphan. That is a
    /// restore under way or a mishap more often than the truth, so a person has to look first.
    #[error(
        "table {parent} is empty, so all of {table} would go: nothing is deleted; see what became of {parent}"
    )]
    EmptyParent {
        /// The table whose rows would go.
        table: String,
        /// The table that is empty.
        parent: String,
    },
    /// More of the table would go as orphans than is believed without a person's look.
    #[error(
        "at least {due} of {rows} rows of {table} have lost what they belong to, more than {share:.0} %: nothing is deleted; see what became of it before you allow more"
    )]
    TooManyOrphans {
        /// The table whose rows would go.
        table: String,
        /// Rows that would go, at least.
        due: u64,
        /// Rows of the table.
        rows: u64,
        /// The largest share that is believed, in per cent.
        share: f64,
    },
    /// The task is switched off or is not for this tool.
    #[error("{why}")]
    Told {
        /// Why.
        why: String,
    },
}

impl SkipReason {
    /// By which safety check it waits for a person, rather than that there is nothing to do.
    pub fn held_by(&self) -> Option<HeldBy> {
        match self {
            SkipReason::EmptyParent { .. } => Some(HeldBy::EmptyParent),
            SkipReason::TooManyOrphans { .. } => Some(HeldBy::Share),
            SkipReason::UnfitAge { .. } => Some(HeldBy::Form),
            _ => None,
        }
    }
}
