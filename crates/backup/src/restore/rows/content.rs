//! How the rows of a table are told apart: by everything that they hold.

use std::collections::BTreeSet;

use elpis_mysql::{Params, Session, Value};

use super::RowsTable;
use super::window::Window;
use crate::restore::accept::Refusal;
use crate::restore::error::RestoreError;
use crate::restore::plan::RestorePlan;
use crate::restore::session::{Ask, of, qualified, quoted};

/// One column, as a database describes it.
type Column = (String, String, String, String, bool);

/// Kinds of columns whose text says all that they hold.
const PLAIN: [&str; 12] = [
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "bigint",
    "decimal",
    "double",
    "date",
    "datetime",
    "timestamp",
    "time",
    "year",
];

/// One table on its way from the side database into the live one.
pub(super) struct Content {
    /// Where it was loaded.
    pub(super) side: String,
    /// Where its rows go.
    pub(super) live: String,
    /// Its columns but those that the server makes, in order.
    names: Vec<String>,
    /// What tells its rows apart.
    identity: String,
    /// The columns of its only unique index.
    unique: Vec<String>,
    /// The column with the part; `None` if all rows are meant.
    part: Option<String>,
    pub(super) time: Option<String>,
}

impl Content {
    /// Looks at both tables, which must have the same columns.
    pub(super) async fn compare(
        session: &mut Session,
        plan: &RestorePlan,
        rows: &RowsTable,
    ) -> Result<Content, RestoreError> {
        let (table, database) = (&rows.table, &plan.policy.database);
        let live = columns(session, database, table).await?;
        let side = columns(session, &plan.side, table).await?;
        let named = |columns: Vec<Column>| columns.into_iter().collect::<BTreeSet<Column>>();
        if named(live) != named(side) {
            let what = format!("table {table} of {database} has other columns than in the text");
            let refusals = vec![Refusal { accept: None, what }];
            return Err(RestoreError::Refused { refusals });
        }
        let part = Some(rows.part.as_str());
        Content::look(session, plan, table, part, rows.time.as_deref()).await
    }

    /// Looks at the live table.
    pub(super) async fn look(
        session: &mut Session,
        plan: &RestorePlan,
        table: &str,
        part: Option<&str>,
        time: Option<&str>,
    ) -> Result<Content, RestoreError> {
        let database = &plan.policy.database;
        let live = columns(session, database, table).await?;
        let own = live.iter().filter(|(.., is_made)| !is_made);
        let mut names = Vec::new();
        let mut parts = Vec::new();
        for (name, kind, ..) in own {
            let name = quoted(name)?;
            let part = match kind.as_str() {
                plain if PLAIN.contains(&plain) => format!("CAST({name} AS CHAR)"),
                // As text it would be rounded.
                "float" => format!("CAST({name} + 0e0 AS CHAR)"),
                "bit" => format!("CAST({name} + 0 AS CHAR)"),
                _ => format!("SHA2(CAST({name} AS BINARY), 256)"),
            };
            parts.push(format!("IFNULL({part}, '-')"));
            names.push(name);
        }
        let facts = plan.facts.rows.as_ref();
        let facts = facts.and_then(|facts| facts.tables.get(table));
        let unique = facts.into_iter().flat_map(|facts| &facts.unique).flatten();
        let unique = unique.map(|name| quoted(name));
        Ok(Content {
            side: qualified(&plan.side, table)?,
            live: qualified(database, table)?,
            names,
            identity: format!("SHA2(CONCAT_WS(',', {}), 256)", parts.join(", ")),
            unique: unique.collect::<Result<_, _>>()?,
            part: part.map(quoted).transpose()?,
            time: time.map(quoted).transpose()?,
        })
    }

    /// Its columns, each after `of`.
    pub(super) fn columns(&self, of: &str) -> String {
        let all: Vec<String> = self
            .names
            .iter()
            .map(|name| format!("{of}{name}"))
            .collect();
        all.join(", ")
    }

    /// The rows of one part in a stretch of time.
    pub(super) fn within(&self, part: u64, window: &Window) -> (String, Vec<Value>) {
        let (mut condition, mut values) = match &self.part {
            Some(column) => (format!("{column} = ?"), vec![part.into()]),
            None => ("TRUE".to_owned(), Vec::new()),
        };
        if let Some(time) = &self.time {
            window.narrow(time, &mut condition, &mut values);
        }
        (condition, values)
    }

    /// The rows of `table` under a condition, each with what it holds as `elpis_id`, and equal
    /// ones counted in `elpis_nth`.
    pub(super) fn numbered(&self, table: &str, condition: &str) -> String {
        let (columns, identity) = (self.columns(""), &self.identity);
        format!(
            "SELECT q.*, ROW_NUMBER() OVER (PARTITION BY q.elpis_id ORDER BY q.elpis_id) AS elpis_nth \
             FROM (SELECT {columns}, {identity} AS elpis_id FROM {table} WHERE {condition}) q"
        )
    }

    /// What the rows of `table` under a condition hold, and how many times.
    pub(super) fn counted(&self, table: &str, condition: &str) -> String {
        let identity = &self.identity;
        format!(
            "SELECT {identity} AS elpis_id, COUNT(*) AS elpis_count FROM {table} \
             WHERE {condition} GROUP BY 1"
        )
    }

    /// The same of every row of the live table, called `l`.
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// `FROM` and `WHERE` of the rows, called `s`, that the live table lacks, with their values.
    /// Of a table with a key those whose key is taken are not among them.
    pub(super) fn missing(&self, part: u64, window: &Window) -> (String, Vec<Value>) {
        let (condition, values) = self.within(part, window);
        let side = self.numbered(&self.side, &condition);
        let live = self.numbered(&self.live, &condition);
        let mut sql = format!(
            "FROM ({side}) s LEFT JOIN ({live}) l \
             ON l.elpis_id = s.elpis_id AND l.elpis_nth = s.elpis_nth WHERE l.elpis_id IS NULL"
        );
        if !self.unique.is_empty() {
            let same: Vec<String> = self
                .unique
                .iter()
                .map(|column| format!("u.{column} = s.{column}"))
                .collect();
            sql += &format!(
                " AND NOT EXISTS (SELECT 1 FROM {} u WHERE {})",
                self.live,
                same.join(" AND ")
            );
        }
        (sql, [values.clone(), values].concat())
    }

    /// Whether all rows are put into the live table, and not only those that it lacks.
    pub(super) fn is_of_all(&self) -> bool {
        self.part.is_none()
    }

    /// How many rows the live table lacks in a stretch of time.
    pub(super) async fn count(
        &self,
        session: &mut Session,
        part: u64,
        window: &Window,
    ) -> Result<u64, RestoreError> {
        let (from, values) = self.missing(part, window);
        let sql = format!("SELECT COUNT(*) {from}");
        let count = session.ask_first(&sql, Params::Positional(values)).await?;
        Ok(count.unwrap_or_default())
    }
}

async fn columns(
    session: &mut Session,
    database: &str,
    table: &str,
) -> Result<Vec<Column>, RestoreError> {
    session
        .ask(
            "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(COLLATION_NAME, ''), \
             COALESCE(GENERATION_EXPRESSION, '') <> '' FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
            of(&[database, table]),
        )
        .await
}
