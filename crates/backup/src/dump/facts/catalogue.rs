//! One database: its tables with their columns, and everything else that has a name.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::dump::encode::Form;

/// One database and what it holds. Lists are sorted by name.
#[derive(Clone, Debug, Serialize)]
pub struct Catalogue {
    /// Its name.
    pub name: String,
    /// Its default character set.
    pub charset: String,
    /// Its default collation.
    pub collation: String,
    /// Its tables.
    pub tables: Vec<TableFacts>,
    /// Its sequences (MariaDB).
    pub sequences: Vec<String>,
    /// Its views.
    pub views: Vec<String>,
    /// Its triggers, in the order in which they fire.
    pub triggers: Vec<String>,
    /// Its procedures, functions and packages.
    #[serde(skip)]
    pub(crate) routines: Vec<Routine>,
    /// Its events.
    pub events: Vec<String>,
    /// Columns of its views, in their order.
    #[serde(skip)]
    pub(crate) view_columns: HashMap<String, Vec<String>>,
}

impl Catalogue {
    /// The names of its tables, views and sequences.
    pub(in crate::dump) fn names(&self) -> HashSet<String> {
        let tables = self.tables.iter().map(|table| &table.name);
        tables
            .chain(&self.views)
            .chain(&self.sequences)
            .cloned()
            .collect()
    }
}

/// One table.
#[derive(Clone, Debug, Serialize)]
pub struct TableFacts {
    /// Its name.
    pub name: String,
    /// Its engine.
    pub engine: String,
    /// Whether its engine knows transactions, and so snapshots.
    pub transactional: bool,
    /// The server's guess of its rows.
    pub rows: u64,
    /// The server's measure of its data without secondary indexes, in bytes.
    pub data_bytes: u64,
    /// Whether it has a primary key, in whose order it is read.
    pub primary_key: bool,
    /// Whether it keeps the history of its rows (which is not dumped).
    pub versioned: bool,
    /// The first column of its primary key, if that is an integer.
    pub key: Option<RangeColumn>,
    /// Its partitions, in their order, with their bytes.
    pub partitions: Vec<(String, u64)>,
    /// Integer columns that begin a secondary index.
    #[serde(skip)]
    pub(in crate::dump) indexed: Vec<RangeColumn>,
    /// The columns that are dumped: all but generated ones.
    #[serde(skip)]
    pub(in crate::dump) columns: Vec<ColumnFacts>,
}

impl TableFacts {
    /// Tables that only show rows which other tables hold.
    pub(in crate::dump) fn is_a_window(&self) -> bool {
        ["MRG_MyISAM", "MRG_MYISAM", "FEDERATED", "SPIDER"].contains(&self.engine.as_str())
    }
}

/// A column by whose ranges a table can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RangeColumn {
    /// Its name.
    pub column: String,
    /// The index it begins.
    pub index: String,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// One column.
#[derive(Clone, Debug)]
pub(in crate::dump) struct ColumnFacts {
    pub(in crate::dump) name: String,
    pub(in crate::dump) form: Form,
    pub(in crate::dump) integer: bool,
}

/// One procedure, function or package.
#[derive(Clone, Debug)]
pub(crate) struct Routine {
    pub(crate) name: String,
    /// `PROCEDURE`, `FUNCTION`, `PACKAGE` or `PACKAGE BODY`.
    pub(crate) kind: String,
    pub(in crate::dump) readable: bool,
}

impl ColumnFacts {
    pub(super) fn new(name: String, data_type: &str) -> Self {
        let integers = ["tinyint", "smallint", "mediumint", "int", "bigint"];
        Self {
            name,
            form: form(data_type),
            integer: integers.contains(&data_type),
        }
    }
}

fn form(data_type: &str) -> Form {
    match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "numeric"
        | "float" | "double" | "real" | "year" => Form::Number,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "bit"
        | "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" | "vector" => Form::Binary,
        "date" => Form::Date,
        "datetime" | "timestamp" => Form::Moment,
        _ => Form::Text,
    }
}
