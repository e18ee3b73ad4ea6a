//! A table in memory, and which of its rows a task means.

use elpis_maint_core::store::{Column, ColumnKind, Count, Index, Shape};
use elpis_maint_core::{Due, PurgeTask, Scalar, Test, Walk};

/// One row: a value for each column, `None` for NULL.
pub type Row = Vec<Option<Scalar>>;

/// A table: columns of whole numbers or text, and rows in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct MemoryTable {
    columns: Vec<Column>,
    key: Vec<String>,
    indexes: Vec<Index>,
    /// Rows with a number that only grows: what `rowid` is to SQLite.
    rows: Vec<(i64, Row)>,
    next_id: i64,
}

impl MemoryTable {
    /// A table without rows. `integers` says of each column whether it holds whole numbers;
    /// `key` may be empty; `indexes` are names with columns.
    pub fn new(columns: &[(&str, bool)], key: &[&str], indexes: &[(&str, &[&str])]) -> MemoryTable {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let column = |(name, integer): &(&str, bool)| Column {
            name: (*name).to_owned(),
            kind: if *integer {
                ColumnKind::Integer
            } else {
                ColumnKind::Dynamic
            },
        };
        let index = |(name, columns): &(&str, &[&str])| Index {
            name: (*name).to_owned(),
            columns: owned(columns),
        };
        MemoryTable {
            columns: columns.iter().map(column).collect(),
            key: owned(key),
            indexes: indexes.iter().map(index).collect(),
            ..MemoryTable::default()
        }
    }

    /// Adds a row.
    pub fn insert(&mut self, row: Row) {
        self.rows.push((self.next_id, row));
        self.next_id += 1;
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().map(|(_, row)| row)
    }

    /// What housekeeping needs to know of the structure.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            rows: Count::exact(self.rows.len() as u64),
            bytes: None,
            columns: self.columns.clone(),
            keys: if self.key.is_empty() {
                vec![]
            } else {
                vec![self.key.clone()]
            },
            tie_break: vec![],
            indexes: self.indexes.clone(),
            referenced_by: vec![],
            obstacle: None,
        }
    }

    /// The value of a column.
    pub(crate) fn value<'a>(&self, row: &'a Row, column: &str) -> Option<&'a Scalar> {
        let at = self.columns.iter().position(|c| c.name == column)?;
        row.get(at)?.as_ref()
    }

    /// The rows in the order of the task's walk, each with its place: the values walked along
    /// and, because these may repeat, the row's number. Rows without a time come first.
    pub(crate) fn walk(&self, task: &PurgeTask) -> Vec<(Vec<Scalar>, i64, &Row)> {
        let columns = match &task.walk {
            Walk::Time { .. } => vec![task.due.time_column.clone()],
            Walk::Key { columns } => columns.clone(),
        };
        let place = |row: &Row, id: i64| {
            let values = columns
                .iter()
                .filter_map(|column| self.value(row, column).cloned());
            values.chain([Scalar::Int(id)]).collect::<Vec<_>>()
        };
        let mut walk: Vec<_> = self
            .rows
            .iter()
            .map(|(id, row)| (place(row, *id), *id, row))
            .collect();
        walk.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
        walk
    }

    /// Whether a row is expired.
    pub(crate) fn is_due(&self, row: &Row, due: &Due) -> bool {
        self.value(row, &due.time_column)
            .is_some_and(|time| *time < due.cutoff)
            && due
                .filters
                .iter()
                .all(|f| meets(self.value(row, &f.column), &f.test))
    }

    /// Deletes the rows with these numbers.
    pub(crate) fn delete(&mut self, ids: &[i64]) {
        self.rows.retain(|(id, _)| !ids.contains(id));
    }
}

/// NULL meets nothing but `IS NULL`, as in SQL.
fn meets(value: Option<&Scalar>, test: &Test) -> bool {
    match (test, value) {
        (Test::IsNull, value) => value.is_none(),
        (Test::IsNotNull, value) => value.is_some(),
        (_, None) => false,
        (Test::In(list), Some(value)) => list.contains(value),
        (Test::NotIn(list), Some(value)) => !list.contains(value),
        (Test::Compare(op, wanted), Some(value)) => match *op {
            "=" => value == wanted,
            "<>" => value != wanted,
            "<" => value < wanted,
            "<=" => value <= wanted,
            ">" => value > wanted,
            _ => value >= wanted,
        },
    }
}
