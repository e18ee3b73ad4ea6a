//! What a sweep is asked for: pure data, as a product's profile writes it down.

use std::time::Duration;

use serde::Serialize;

use crate::{Filter, Scalar, TimeUnit};

/// Rows of one table that meet every condition, and what is done about them.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRule {
    /// What the journal calls it; unique within a run.
    pub name: String,
    /// The table.
    pub table: String,
    /// What must hold of a row, all of it. Never empty of meaning: a rule without conditions takes
    /// every row.
    pub when: Vec<Condition>,
    /// What is done.
    pub act: Act,
}

/// One thing that must hold of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A test of one of its own columns.
    Own(Filter),
    /// The same, where the table has this column: in versions that lack it, it holds of every row.
    IfKnown(Filter),
    /// Its own time is older than this.
    Older(Age),
    /// The relation's columns are not NULL, and no such row is there: the row is an orphan. Where the
    /// other table is empty, that is asked of a person first
    /// ([`SkipReason::EmptyParent`](super::SkipReason::EmptyParent)).
    Missing(Relation),
    /// No such row is there, as may well be: what could hang on the row does not.
    Without(Relation),
    /// Such a row is there.
    Present(Relation),
}

/// How a row points at rows of another table, or is pointed at.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// The other table.
    pub table: String,
    /// Pairs of an own column and the other table's column, which are equal.
    pub on: Vec<(String, String)>,
    /// What must hold of the other row.
    pub filters: Vec<Filter>,
    /// Times of the other row that are older than this.
    pub older: Vec<Age>,
}

/// How old a time column must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Age {
    /// The column; rows with NULL are never old.
    pub column: String,
    /// What the column holds.
    pub unit: TimeUnit,
    /// Rows strictly older are meant. For a DATE, whole days count, on the calendar.
    pub keep: Duration,
}

/// What is done about the rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// They are deleted, after everything that hangs on them.
    Delete {
        /// What hangs on them, besides what the schema's foreign keys tell.
        dependents: Vec<Dependent>,
        /// Rows of other tables that have to know of it.
        marks: Vec<Mark>,
    },
    /// Everything that hangs on them is deleted; they stay.
    Clear {
        /// What hangs on them, besides what the schema's foreign keys tell.
        dependents: Vec<Dependent>,
    },
    /// A row is added to another table for each of them.
    Insert {
        /// The other table.
        into: String,
        /// Its columns and where their values come from; the others get their defaults.
        values: Vec<(String, Expr)>,
        /// How long after a row was found it must still be found: whoever made it a moment ago may
        /// be about to add what is missing.
        settle: Duration,
    },
    /// Columns of theirs are changed. Afterwards the conditions must no longer hold.
    Set {
        /// The columns and their new values.
        values: Vec<(String, Expr)>,
    },
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// Copied from this column of the row that was found.
    Column(String),
    /// Always this.
    Value(Scalar),
}

/// A row of another table that is changed in the transaction in which the row it belongs to goes, so
/// that neither happens without the other. It counts as no change of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The other table.
    pub table: String,
    /// The column of the row that goes which names the other row.
    pub own: String,
    /// The other table's column that it names: a unique key. Elsewhere nothing is marked.
    pub there: String,
    /// The columns and their new values. Where one is missing, nothing is marked.
    pub values: Vec<(String, Scalar)>,
}

/// A table whose rows go with the row they point at, with or without a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependent {
    /// The table.
    pub table: String,
    /// Its column that points at the parent.
    pub column: String,
    /// The parent's column it points at; the same for all dependents of one table.
    pub parent_column: String,
    /// What happens to its rows.
    pub fate: Fate,
    /// What hangs on it in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<Dependent>,
}

/// What happens to a row whose parent goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It goes too.
    Delete,
    /// The column that points at the parent becomes NULL.
    Detach,
}

impl Dependent {
    /// Rows of `table` that are deleted with the row whose `parent_column` their `column` equals.
    pub fn new(table: &str, column: &str, parent_column: &str) -> Dependent {
        Dependent {
            table: table.to_owned(),
            column: column.to_owned(),
            parent_column: parent_column.to_owned(),
            fate: Fate::Delete,
            dependents: Vec::new(),
        }
    }

    /// With what hangs on it in turn.
    pub fn with(self, dependents: Vec<Dependent>) -> Dependent {
        Dependent { dependents, ..self }
    }

    /// `dependents` over all levels, depth first: parents before their children. A table that is
    /// reached in two ways stands there twice.
    pub fn on_all_levels(dependents: &[Dependent]) -> Vec<&Dependent> {
        let with_those_below = dependents.iter().flat_map(|one| {
            let below = Dependent::on_all_levels(&one.dependents);
            std::iter::once(one).chain(below)
        });
        with_those_below.collect()
    }
}

impl Act {
    /// What is declared to hang on the rows.
    pub fn dependents(&self) -> &[Dependent] {
        match self {
            Act::Delete { dependents, .. } | Act::Clear { dependents } => dependents,
            Act::Insert { .. } | Act::Set { .. } => &[],
        }
    }
}

impl Relation {
    /// `own` equals `column` of a row of `table`.
    pub fn to(own: &str, table: &str, column: &str) -> Relation {
        Relation {
            table: table.to_owned(),
            on: vec![(own.to_owned(), column.to_owned())],
            filters: Vec::new(),
            older: Vec::new(),
        }
    }

    /// Of which this must hold too.
    pub fn and(mut self, filter: Filter) -> Relation {
        self.filters.push(filter);
        self
    }

    /// Whose time is older than this.
    pub fn older(mut self, age: Age) -> Relation {
        self.older.push(age);
        self
    }
}
