//! What was inserted, kept in a database of its own: copies of the rows, and a mark for each
//! transaction, written in it.

use elpis_mysql::{Params, Session, Value};

use super::content::Content;
use super::window::Window;
use crate::restore::error::RestoreError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::session::{Ask, qualified, quoted};

/// The number of rows that stand in a copy only until the end of their transaction.
pub(super) const PASSING: u64 = 0;

/// The tables of one restore.
pub(super) struct Kept {
    old: String,
    marks: String,
}

/// One transaction that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) id: u64,
    pub(super) table: String,
    pub(super) part: u64,
    pub(super) window: Window,
    /// Rows that it inserted.
    pub(super) rows: u64,
}

impl Kept {
    pub(super) fn new(old: &str) -> Result<Kept, RestoreError> {
        Ok(Kept {
            old: old.to_owned(),
            marks: qualified(old, &format!("{OWN_PREFIX}inserted"))?,
        })
    }

    /// Makes the database and the table of marks where they are not there yet.
    pub(super) async fn create(&self, session: &mut Session) -> Result<(), RestoreError> {
        let old = quoted(&self.old)?;
        session
            .tell(&format!("CREATE DATABASE IF NOT EXISTS {old}"))
            .await?;
        session
            .tell(&format!(
                "CREATE TABLE IF NOT EXISTS {} (id BIGINT UNSIGNED PRIMARY KEY, \
                 name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
                 part BIGINT UNSIGNED NOT NULL, since BIGINT, below BIGINT, \
                 done BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB",
                self.marks
            ))
            .await
    }

    /// Where the copies of the `nth` table are.
    pub(super) fn copies(&self, nth: usize) -> Result<String, RestoreError> {
        qualified(&self.old, &format!("{OWN_PREFIX}rows_{nth}"))
    }

    /// Makes the table for copies.
    pub(super) async fn create_copies(
        &self,
        session: &mut Session,
        nth: usize,
        content: &Content,
    ) -> Result<(), RestoreError> {
        session
            .tell(&format!(
                "CREATE TABLE IF NOT EXISTS {} (elpis_batch BIGINT UNSIGNED NOT NULL, \
                 KEY elpis_batch (elpis_batch)) ENGINE=InnoDB SELECT {} FROM {} LIMIT 0",
                self.copies(nth)?,
                content.columns(""),
                content.live
            ))
            .await
    }

    /// Marks a transaction, as its last act.
    pub(super) async fn mark(
        &self,
        session: &mut Session,
        mark: &Mark,
    ) -> Result<(), elpis_mysql::Error> {
        let (since, below) = match mark.window {
            Window::Times { from, below } => (Value::from(from), Value::from(below)),
            Window::Rest => (Value::NULL, Value::NULL),
        };
        let values = vec![
            mark.id.into(),
            mark.table.as_str().into(),
            mark.part.into(),
            since,
            below,
            mark.rows.into(),
        ];
        let sql = format!("INSERT INTO {} VALUES (?, ?, ?, ?, ?, ?)", self.marks);
        session
            .execute(&sql, Params::Positional(values))
            .await
            .map(drop)
    }

    /// Removes the mark of a transaction that was taken back.
    pub(super) async fn unmark(
        &self,
        session: &mut Session,
        id: u64,
    ) -> Result<(), elpis_mysql::Error> {
        let sql = format!("DELETE FROM {} WHERE id = ?", self.marks);
        let values = Params::Positional(vec![id.into()]);
        session.execute(&sql, values).await.map(drop)
    }

    /// The last transaction that was done and was not taken back.
    pub(super) async fn last(&self, session: &mut Session) -> Result<Option<Mark>, RestoreError> {
        type Row = (u64, String, u64, Option<i64>, Option<i64>, u64);
        let sql = format!(
            "SELECT id, name, part, since, below, done FROM {} ORDER BY id DESC LIMIT 1",
            self.marks
        );
        let row: Option<Row> = session.ask_first(&sql, Params::Empty).await?;
        Ok(row.map(|(id, table, part, since, below, rows)| Mark {
            id,
            table,
            part,
            window: since.map_or(Window::Rest, |from| Window::Times { from, below }),
            rows,
        }))
    }

    /// Each table that rows were inserted into, and how many.
    pub(super) async fn totals(
        &self,
        session: &mut Session,
    ) -> Result<Vec<(String, u64)>, RestoreError> {
        let sql = format!(
            "SELECT name, CAST(SUM(done) AS UNSIGNED) FROM {} GROUP BY name ORDER BY name",
            self.marks
        );
        session.ask(&sql, Params::Empty).await
    }
}
