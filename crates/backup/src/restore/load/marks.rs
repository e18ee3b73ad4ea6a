//! What has been loaded, remembered beside the rows and in the same transactions as they.

use std::collections::BTreeSet;

use elpis_mysql::{Params, Session};

use crate::restore::error::RestoreError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::session::{Ask, of, qualified, quoted};

/// The restore's own tables in the side database.
pub(in crate::restore) struct Marks {
    side: String,
    chunks: String,
    tables: String,
    events: String,
}

/// A table as the server had made it before its indexes were taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) struct Made {
    pub(in crate::restore) table: String,
    pub(in crate::restore) create: String,
}

impl Marks {
    pub(in crate::restore) fn new(side: &str) -> Result<Marks, RestoreError> {
        let own = |name: &str| qualified(side, &format!("{OWN_PREFIX}{name}"));
        Ok(Marks {
            side: side.to_owned(),
            chunks: own("chunks")?,
            tables: own("tables")?,
            events: own("events")?,
        })
    }

    /// Makes the tables where they are not there yet.
    pub(in crate::restore) async fn create(
        &self,
        session: &mut Session,
    ) -> Result<(), RestoreError> {
        let name = "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
        let end = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
        for (table, columns) in [
            (
                &self.chunks,
                format!(
                    "id BIGINT UNSIGNED PRIMARY KEY, name {name}, done BIGINT UNSIGNED NOT NULL"
                ),
            ),
            (
                &self.tables,
                format!("name {name} PRIMARY KEY, created LONGTEXT NOT NULL"),
            ),
            (&self.events, format!("name {name} PRIMARY KEY")),
        ] {
            session
                .tell(&format!(
                    "CREATE TABLE IF NOT EXISTS {table} ({columns}) {end}"
                ))
                .await?;
        }
        Ok(())
    }

    /// The statement that marks a chunk, for the transaction that loads it. Statements other than
    /// rows are chunks, too.
    pub(in crate::restore) fn done(&self) -> String {
        format!("INSERT INTO {} VALUES (?, ?, ?)", self.chunks)
    }

    /// The chunks that are loaded.
    pub(in crate::restore) async fn all_done(
        &self,
        session: &mut Session,
    ) -> Result<BTreeSet<u64>, RestoreError> {
        let sql = format!("SELECT id FROM {}", self.chunks);
        Ok(session
            .ask(&sql, Params::Empty)
            .await?
            .into_iter()
            .collect())
    }

    /// The rows of one chunk, if it is loaded; asked when an answer was lost.
    pub(in crate::restore) fn rows_of(&self) -> String {
        format!("SELECT done FROM {} WHERE id = ?", self.chunks)
    }

    /// Empties the tables whose engine knows no transactions: how far their last chunk came, nobody
    /// knows.
    pub(in crate::restore) async fn forget_unsure(
        &self,
        session: &mut Session,
    ) -> Result<(), RestoreError> {
        for table in self.unsure(session, None).await? {
            session
                .tell(&format!(
                    "TRUNCATE TABLE {}",
                    qualified(&self.side, &table)?
                ))
                .await?;
            let sql = format!("DELETE FROM {} WHERE name = ?", self.chunks);
            session
                .execute(&sql, of(&[&table]))
                .await
                .map_err(|source| RestoreError::server("forgetting marks", source))?;
        }
        Ok(())
    }

    /// Tables whose engine knows no transactions: all, or this one if it is such a table.
    pub(in crate::restore) async fn unsure(
        &self,
        session: &mut Session,
        only: Option<&str>,
    ) -> Result<BTreeSet<String>, RestoreError> {
        let (condition, params) = match only {
            None => ("", of(&[&self.side])),
            Some(table) => (" AND TABLE_NAME = ?", of(&[&self.side, table])),
        };
        let sql = format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES t \
                 JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
                 WHERE TABLE_SCHEMA = ? AND TABLE_TYPE NOT IN ('VIEW', 'SEQUENCE') \
                 AND COALESCE(e.TRANSACTIONS, '') <> 'YES' \
                 AND t.ENGINE NOT IN ('MRG_MyISAM', 'MRG_MYISAM'){condition}"
        );
        let names: Vec<String> = session.ask(&sql, params).await?;
        Ok(names.into_iter().collect())
    }

    /// Remembers a table before its indexes are taken away.
    pub(in crate::restore) async fn remember(
        &self,
        session: &mut Session,
        made: &Made,
    ) -> Result<(), RestoreError> {
        let sql = format!("REPLACE INTO {} VALUES (?, ?)", self.tables);
        session
            .execute(&sql, of(&[&made.table, &made.create]))
            .await
            .map(drop)
            .map_err(|source| RestoreError::server("remembering a table", source))
    }

    /// The tables that were remembered.
    pub(in crate::restore) async fn remembered(
        &self,
        session: &mut Session,
    ) -> Result<Vec<Made>, RestoreError> {
        let sql = format!("SELECT name, created FROM {} ORDER BY name", self.tables);
        let rows: Vec<(String, String)> = session.ask(&sql, Params::Empty).await?;
        let made = |(table, create)| Made { table, create };
        Ok(rows.into_iter().map(made).collect())
    }

    /// Remembers an event that the text makes to fire.
    pub(in crate::restore) async fn fires(
        &self,
        session: &mut Session,
        event: &str,
    ) -> Result<(), RestoreError> {
        let sql = format!("REPLACE INTO {} VALUES (?)", self.events);
        session
            .execute(&sql, of(&[event]))
            .await
            .map(drop)
            .map_err(|source| RestoreError::server("remembering an event", source))
    }

    /// The events that are to fire when the restore is done.
    pub(in crate::restore) async fn firing(
        &self,
        session: &mut Session,
    ) -> Result<BTreeSet<String>, RestoreError> {
        let sql = format!("SELECT name FROM {}", self.events);
        Ok(session
            .ask(&sql, Params::Empty)
            .await?
            .into_iter()
            .collect())
    }

    /// What `SHOW CREATE TABLE` says now, without the counter of `AUTO_INCREMENT`.
    pub(in crate::restore) async fn show(
        &self,
        session: &mut Session,
        table: &str,
    ) -> Result<String, RestoreError> {
        let sql = format!(
            "SHOW CREATE TABLE {}.{}",
            quoted(&self.side)?,
            quoted(table)?
        );
        let row: Option<(String, String)> = session.ask_first(&sql, Params::Empty).await?;
        let (_, create) = row.ok_or_else(|| RestoreError::NeedsPerson {
            what: format!("table {}.{table} is gone", self.side),
        })?;
        Ok(super::keys::without_counter(&create))
    }
}
