//! A sweep with nothing left to choose.

use std::time::Duration;

use serde::Serialize;

use super::{Dependent, Expr, Mark};
use crate::Filter;

/// Exactly what a store carries out: a [`SweepRule`](super::SweepRule) resolved against the live
/// schema at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepTask {
    /// The table.
    pub table: String,
    /// How it is walked.
    pub walk: SweepWalk,
    /// What must hold of a row's own columns, ages included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// Rows of other tables that must not be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Join>,
    /// Rows of other tables that must be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub present: Vec<Join>,
    /// What is done.
    pub act: SweepAct,
}

/// How a table is walked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum SweepWalk {
    /// Along a unique key: every row is looked at once.
    Key {
        /// The key's columns.
        columns: Vec<String>,
        /// The index of that key, if it has a name.
        index: Option<String>,
    },
    /// Along the different values of a column of whole numbers: each value is looked at once,
    /// however many rows have it. NULLs are no values.
    Values {
        /// The column.
        column: String,
        /// An index that begins with it.
        index: String,
    },
}

/// A row of another table that belongs to the row in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Join {
    /// The other table.
    pub table: String,
    /// Pairs of an own column and the other table's column, which are equal.
    pub on: Vec<(String, String)>,
    /// What must hold of the other row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
}

/// What is done about the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum SweepAct {
    /// They are deleted, after everything that hangs on them.
    Delete {
        /// What hangs on them, in the order in which it goes.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        dependents: Vec<Dependent>,
        /// What is changed elsewhere in the transaction in which they go.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        marks: Vec<Mark>,
    },
    /// Everything that hangs on them is deleted; they stay.
    Clear {
        /// What hangs on them, in the order in which it goes.
        dependents: Vec<Dependent>,
    },
    /// A row is added to another table for each of them.
    Insert {
        /// The other table.
        into: String,
        /// Its columns and their values.
        values: Vec<(String, Expr)>,
        /// How long after a row was found it must still be found.
        settle: Duration,
    },
    /// Columns of theirs are changed.
    Set {
        /// The columns and their new values.
        values: Vec<(String, Expr)>,
    },
}

impl SweepTask {
    /// What hangs on the rows.
    pub fn dependents(&self) -> &[Dependent] {
        match &self.act {
            SweepAct::Delete { dependents, .. } | SweepAct::Clear { dependents } => dependents,
            SweepAct::Insert { .. } | SweepAct::Set { .. } => &[],
        }
    }

    /// What is changed elsewhere when the rows go.
    pub fn marks(&self) -> &[Mark] {
        match &self.act {
            SweepAct::Delete { marks, .. } => marks,
            SweepAct::Clear { .. } | SweepAct::Insert { .. } | SweepAct::Set { .. } => &[],
        }
    }

    /// The tables of [`SweepTask::dependents`] on all levels, in the order of
    /// [`Dependent::on_all_levels`].
    pub fn dependent_tables(&self) -> Vec<&str> {
        let all = Dependent::on_all_levels(self.dependents()).into_iter();
        all.map(|one| one.table.as_str()).collect()
    }

    /// Counts in the order of [`SweepTask::dependent_tables`], added up by table.
    pub fn by_table(&self, rows: &[u64]) -> Vec<(String, u64)> {
        let mut sums: Vec<(String, u64)> = Vec::new();
        for (table, rows) in self.dependent_tables().into_iter().zip(rows) {
            match sums.iter_mut().find(|(known, _)| known == table) {
                Some((_, sum)) => *sum += rows,
                None => sums.push((table.to_owned(), *rows)),
            }
        }
        sums
    }

    /// The columns that name a row on the walk.
    pub fn key(&self) -> &[String] {
        match &self.walk {
            SweepWalk::Key { columns, .. } => columns,
            SweepWalk::Values { column, .. } => std::slice::from_ref(column),
        }
    }
}

impl Dependent {
    /// How many tables hang on this one, over all levels.
    pub fn tables_below(&self) -> usize {
        Dependent::on_all_levels(&self.dependents).len()
    }
}
