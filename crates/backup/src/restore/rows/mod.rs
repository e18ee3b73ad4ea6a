//! The data of one of many: rows that are missing in tables which are in use are put back into
//! them.
//!
//! Nothing is exchanged and nothing stands still. The tables are loaded aside as for any restore;
//! then, for one part of the owner and one stretch of time after the other, the newest first, what
//! the live table lacks is inserted in one transaction together with a copy of it and a mark, so
//! that it happens once however often it is tried, and `undo` knows what to take out again. Rows
//! without a key are told apart by everything that they hold, and counted: two equal rows of the
//! text are two rows of the table.

mod content;
mod facts;
mod fill;
mod kept;
mod plan;
mod take_out;
mod window;

use serde::{Deserialize, Serialize};

pub(super) use facts::gather;
pub use facts::{OwnerFacts, RowsFacts, RowsTableFacts};

/// Whose rows are restored, and where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsOf {
    /// The tables.
    pub tables: Belongings,
    /// The owner: a number is its key, anything else one of its names.
    pub whose: String,
}

/// Where a product keeps what belongs to one of many, such as the data of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belongings {
    /// The owners.
    pub owners: Owners,
    /// What an owner consists of.
    pub parts: Parts,
    /// The tables with rows of parts. Those that a database does not have are left out.
    pub rows: Vec<RowsTable>,
}

/// A table of owners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// What people call one, such as `agent`.
    pub word: String,
    /// The table.
    pub table: String,
    /// Its key: a column of whole numbers.
    pub key: String,
    /// The columns that name an owner.
    pub names: Vec<String>,
}

/// A table of the parts that an owner has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// What people call them, such as `modules`.
    pub word: String,
    /// The table.
    pub table: String,
    /// Its key: a column of whole numbers.
    pub key: String,
    /// The column with the key of the owner.
    pub owner: String,
}

/// A table with rows of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsTable {
    /// The table.
    pub table: String,
    /// The column with the key of the part.
    pub part: String,
    /// The column with the time, a whole number, if there is one: the newest rows come first, and
    /// many rows of one part are not all put back at once.
    pub time: Option<String>,
}

impl RowsOf {
    /// Whether a table of the text is needed for it.
    pub(super) fn loads(&self, table: &str) -> bool {
        let tables = &self.tables;
        tables.parts.table == table || tables.rows.iter().any(|rows| rows.table == table)
    }
}
