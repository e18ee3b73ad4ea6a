//! A SQLite database, copied by SQLite itself while others use it.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use serde_json::json;

use super::{Collected, CollectedData, DatabaseFacts, Intake, Source, SourceError};

/// A SQLite database file. Its copy is made by `VACUUM INTO`: one read transaction, beside which
/// others read and write, and a copy without free pages.
#[derive(Debug)]
pub struct SqliteSource {
    name: String,
    path: PathBuf,
}

/// Why a SQLite database was not copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// The file is not there or cannot be opened.
    #[error("cannot open the SQLite database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite refused a statement.
    #[error("cannot {doing} the SQLite database {}", path.display())]
    Statement {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: diesel::result::Error,
    },
    /// The database is damaged.
    #[error("the SQLite database {} is damaged: {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite's own check says.
        found: String,
    },
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl SqliteSource {
    /// The database in the file `path`, which must be there.
    pub fn new(name: impl Into<String>, path: &Path) -> SqliteSource {
        SqliteSource {
            name: name.into(),
            path: path.to_owned(),
        }
    }

    fn copy(&self, to: &Path) -> Result<u64, SqliteError> {
        let mut connection = open(&self.path)?;
        let shown = to.to_string_lossy();
        sql_query("VACUUM INTO ?")
            .bind::<Text, _>(&*shown)
            .execute(&mut connection)
            .map_err(|source| self.failed("copy", source))?;
        drop(connection);
        let mut copy = open(to)?;
        let found: Vec<Line> = sql_query("SELECT quick_check AS text FROM pragma_quick_check")
            .load(&mut copy)
            .map_err(|source| self.failed("check the copy of", source))?;
        let found: Vec<String> = found.into_iter().map(|line| line.text).collect();
        if found != ["ok"] {
            let (path, found) = (self.path.clone(), found.join("; "));
            return Err(SqliteError::Damaged { path, found });
        }
        self.rows(&mut copy)
    }

    fn rows(&self, connection: &mut SqliteConnection) -> Result<u64, SqliteError> {
        let tables = "SELECT name AS text FROM sqlite_master WHERE type = 'table' \
                      AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let tables: Vec<Line> = sql_query(tables)
            .load(connection)
            .map_err(|source| self.failed("list the tables of", source))?;
        let mut rows = 0;
        for table in tables {
            let name = table.text.replace('"', "\"\"");
            let count: Count = sql_query(format!("SELECT COUNT(*) AS n FROM \"{name}\""))
                .get_result(connection)
                .map_err(|source| self.failed("count the rows of", source))?;
            rows += count.n.unsigned_abs();
        }
        Ok(rows)
    }

    fn failed(&self, doing: &'static str, source: diesel::result::Error) -> SqliteError {
        let path = self.path.clone();
        SqliteError::Statement {
            doing,
            path,
            source,
        }
    }
}

/// Opens a file that is there: SQLite would make a missing one.
fn open(path: &Path) -> Result<SqliteConnection, SqliteError> {
    let fail = |source| SqliteError::Open {
        path: path.to_owned(),
        source,
    };
    std::fs::metadata(path).map_err(|error| fail(error.into()))?;
    let shown = path
        .to_str()
        .ok_or_else(|| fail("its path is not UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(shown).map_err(|error| fail(error.into()))?;
    connection
        .batch_execute("PRAGMA busy_timeout = 10000; PRAGMA schema_version;")
        .map_err(|error| fail(error.into()))?;
    Ok(connection)
}

impl Source for SqliteSource {
    fn inspect(&mut self) -> Result<Vec<DatabaseFacts>, SourceError> {
        open(&self.path)?;
        let fail = |error: std::io::Error| SqliteError::Open {
            path: self.path.clone(),
            source: error.into(),
        };
        let bytes = std::fs::metadata(&self.path).map_err(fail)?.len();
        let (name, warnings) = (self.name.clone(), Vec::new());
        Ok(vec![DatabaseFacts {
            name,
            bytes,
            warnings,
        }])
    }

    fn collect(&mut self, into: &Intake<'_>) -> Result<Vec<Collected>, SourceError> {
        let path = into.dir.join("copy.db");
        let rows = self.copy(&path)?;
        Ok(vec![Collected {
            name: self.name.clone(),
            data: CollectedData::Sqlite { path, rows },
            report: json!({ "method": "VACUUM INTO", "file": self.path }),
            grants: None,
            warnings: Vec::new(),
        }])
    }
}
