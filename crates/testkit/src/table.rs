//! Tables as data, so that any kind of store can be given one.

use elpis_maint_core::Scalar;

/// One row: a value for each column, `None` for NULL.
pub type Row = Vec<Option<Scalar>>;

/// Which SQL a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// MariaDB or MySQL.
    MySql,
    /// SQLite.
    Sqlite,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 64 bits.
    Int,
    /// A floating-point number; rows hold it in thousandths, as an integer.
    Real,
    /// Text up to 190 characters.
    Text,
    /// SQL DATETIME.
    Datetime,
    /// SQL TIMESTAMP.
    Timestamp,
    /// SQL DATE.
    Date,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it takes NULL.
    pub nullable: bool,
}

/// A foreign key of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The referencing column.
    pub column: String,
    /// The referenced table.
    pub parent: String,
    /// The referenced column.
    pub parent_column: String,
    /// The action in SQL: `CASCADE`, `SET NULL`, `RESTRICT`.
    pub on_delete: &'static str,
}

/// A table to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The columns of its primary key; empty for none.
    pub primary_key: Vec<String>,
    /// Plain indexes: name and columns.
    pub indexes: Vec<(String, Vec<String>)>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Table {
    /// A table without columns yet.
    pub fn new(name: &str) -> Table {
        Table {
            name: name.to_owned(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
        }
    }

    /// Adds a column that takes no NULL.
    #[must_use]
    pub fn column(mut self, name: &str, kind: Kind) -> Table {
        self.columns.push(Column {
            name: name.to_owned(),
            kind,
            nullable: false,
        });
        self
    }

    /// Adds a column that takes NULL.
    #[must_use]
    pub fn nullable(self, name: &str, kind: Kind) -> Table {
        let mut table = self.column(name, kind);
        if let Some(column) = table.columns.last_mut() {
            column.nullable = true;
        }
        table
    }

    /// Sets the primary key.
    #[must_use]
    pub fn primary_key(mut self, columns: &[&str]) -> Table {
        self.primary_key = owned(columns);
        self
    }

    /// Adds a plain index.
    #[must_use]
    pub fn index(mut self, name: &str, columns: &[&str]) -> Table {
        self.indexes.push((name.to_owned(), owned(columns)));
        self
    }

    /// Adds a foreign key.
    #[must_use]
    pub fn references(
        mut self,
        column: &str,
        (parent, parent_column): (&str, &str),
        on_delete: &'static str,
    ) -> Table {
        self.foreign_keys.push(ForeignKey {
            column: column.to_owned(),
            parent: parent.to_owned(),
            parent_column: parent_column.to_owned(),
            on_delete,
        });
        self
    }

    /// The same table under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Table {
        self.name = name.to_owned();
        self
    }

    /// The place of a column.
    pub fn at(&self, column: &str) -> usize {
        self.columns
            .iter()
            .position(|c| c.name == column)
            .unwrap_or_else(|| panic!("{} has no column {column}", self.name))
    }

    /// The statements that make the table.
    pub fn ddl(&self, dialect: Dialect) -> String {
        let mut parts: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let null = if column.nullable { "NULL" } else { "NOT NULL" };
                let kind = column.kind.sql(dialect);
                format!("{} {kind} {null}", column.name)
            })
            .collect();
        if !self.primary_key.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", self.primary_key.join(", ")));
        }
        for key in &self.foreign_keys {
            parts.push(format!(
                "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {}",
                key.column, key.parent, key.parent_column, key.on_delete
            ));
        }
        let mut ddl = format!("CREATE TABLE {} ({});\n", self.name, parts.join(", "));
        for (name, columns) in &self.indexes {
            // In SQLite an index name belongs to the whole database.
            let name = match dialect {
                Dialect::MySql => name.clone(),
                Dialect::Sqlite => format!("{}_{name}", self.name),
            };
            let columns = columns.join(", ");
            ddl.push_str(&format!(
                "CREATE INDEX {name} ON {} ({columns});\n",
                self.name
            ));
        }
        ddl
    }

    /// One statement that inserts `rows`, which are not empty.
    pub fn insert(&self, rows: &[Row]) -> String {
        let tuples: Vec<String> = rows
            .iter()
            .map(|row| {
                assert_eq!(row.len(), self.columns.len(), "a row of {}", self.name);
                let cells = row.iter().zip(&self.columns);
                let cells: Vec<String> = cells
                    .map(|(cell, column)| column.kind.literal(cell))
                    .collect();
                format!("({})", cells.join(","))
            })
            .collect();
        format!("INSERT INTO {} VALUES {};\n", self.name, tuples.join(","))
    }

    /// The query that returns all rows in a form that [`Table::parse`] reads.
    pub fn select(&self, dialect: Dialect) -> String {
        let columns = self
            .columns
            .iter()
            .map(|column| match (column.kind, dialect) {
                (Kind::Real, Dialect::MySql) => {
                    format!("CAST(ROUND({} * 1000) AS SIGNED)", column.name)
                }
                (Kind::Real, Dialect::Sqlite) => {
                    format!("CAST(ROUND({} * 1000) AS INTEGER)", column.name)
                }
                _ => column.name.clone(),
            });
        format!(
            "SELECT {} FROM {};",
            columns.collect::<Vec<_>>().join(", "),
            self.name
        )
    }

    /// Reads one line of a client's output, columns separated by tabs.
    pub fn parse(&self, line: &str) -> Row {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(
            cells.len(),
            self.columns.len(),
            "line {line:?} of {}",
            self.name
        );
        let cells = cells.iter().zip(&self.columns);
        cells
            .map(|(text, column)| column.kind.parse(text))
            .collect()
    }
}

impl Kind {
    fn sql(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Kind::Int, Dialect::MySql) => "BIGINT",
            (Kind::Int, Dialect::Sqlite) => "INTEGER",
            (Kind::Real, _) => "DOUBLE",
            (Kind::Text, _) => "VARCHAR(190)",
            (Kind::Datetime, _) => "DATETIME",
            (Kind::Timestamp, _) => "TIMESTAMP",
            (Kind::Date, _) => "DATE",
        }
    }

    fn literal(self, cell: &Option<Scalar>) -> String {
        match cell {
            None => "NULL".to_owned(),
            Some(Scalar::Int(n)) if self == Kind::Real => format!("{n} / 1000.0"),
            Some(Scalar::Text(text)) => format!("'{}'", text.replace('\'', "''")),
            Some(other) => other.to_string(),
        }
    }

    fn parse(self, text: &str) -> Option<Scalar> {
        match (text, self) {
            ("NULL", _) => None,
            (number, Kind::Int | Kind::Real) => {
                Some(Scalar::Int(number.parse().unwrap_or_else(|error| {
                    panic!("{number:?} is no whole number: {error}")
                })))
            }
            (text, _) => Some(Scalar::from(text)),
        }
    }
}
