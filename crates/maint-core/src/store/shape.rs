//! The structure of a table, as far as housekeeping needs it.

use serde::Serialize;

/// A table's structure and rough size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shape {
    /// How many rows it has.
    pub rows: Count,
    /// Data and indexes together, in bytes, where the engine can tell.
    pub bytes: Option<u64>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Unique keys without NULLs, the primary key first. A hidden row id that the store can walk
    /// along counts as one.
    pub keys: Vec<Vec<String>>,
    /// The unique key by which every index orders rows of the same values, as the primary key
    /// does in InnoDB and the row id in SQLite; empty if there is none.
    pub tie_break: Vec<String>,
    /// All indexes that can be walked in order.
    pub indexes: Vec<Index>,
    /// Foreign keys of other tables that point here.
    pub referenced_by: Vec<Reference>,
    /// Why rows cannot be deleted safely (a view, an engine without transactions), if so.
    pub obstacle: Option<String>,
}

/// A number of rows, and whether it was counted or estimated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The number.
    pub rows: u64,
    /// True if counted.
    pub exact: bool,
}

impl Count {
    /// A counted number.
    pub fn exact(rows: u64) -> Count {
        Count { rows, exact: true }
    }

    /// An estimated number.
    pub fn estimated(rows: u64) -> Count {
        Count { rows, exact: false }
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

/// What a column can hold, as far as time columns are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// SQL TIMESTAMP.
    Timestamp,
    /// SQL DATETIME.
    Datetime,
    /// SQL DATE.
    Date,
    /// A column that takes values of any type (SQLite); times are text in ISO form.
    Dynamic,
    /// Anything else, by its declared type.
    Other(String),
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<String>,
}

/// A foreign key that points at a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// The constraint's name, for messages.
    pub name: String,
    /// The table that has the foreign key.
    pub child: String,
    /// Its referencing columns.
    pub columns: Vec<String>,
    /// The referenced columns here.
    pub parent_columns: Vec<String>,
    /// What happens to the child's rows.
    pub on_delete: OnDelete,
}

/// The action of a foreign key when the referenced row is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The child's rows are deleted too.
    Cascade,
    /// The child's columns become NULL or their default.
    SetNull,
    /// The delete fails while a child's row is there.
    Restrict,
}
