//! Moves on MariaDB and MySQL.

mod active;
mod history;
mod text;
mod transit;

use elpis_mysql::{Params, Row, Session, Value};

use self::active::{delete_batch, delete_each};
use self::text::{gone, owned, quoted, records};
use self::transit::cells;
use super::{MySqlStore, Tries, begin, end, failed};
use crate::Scalar;
use crate::moves::MoveTask;
use crate::store::{
    Batch, Cell, MoveColumn, MoveRecord, MoveRow, MoveSide, MoveStore, Received, StoreError, Window,
};

/// The table of records, on both sides.
const RECORDS: &str = "elpis_moves";
/// The most rows of a table with a key in one step: they are named one by one.
const NAMED: u64 = 5_000;
/// Values are refused rather than changed, and refused for nothing but their type.
const MODE: &str = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";

/// Runs a statement with parameters, which keeps the types of values.
async fn change(s: &mut Session, sql: &str, params: Vec<Value>) -> Result<u64, StoreError> {
    let done = s.execute(sql, Params::Positional(params)).await;
    done.map_err(|error| failed(&doing(sql), error))
}

async fn query(s: &mut Session, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    let rows = s.rows(sql, Params::Positional(params)).await;
    rows.map_err(|error| failed(&doing(sql), error))
}

async fn first(
    s: &mut Session,
    sql: &str,
    params: Vec<Value>,
) -> Result<Option<Vec<Cell>>, StoreError> {
    let rows = query(s, sql, params).await?;
    Ok(rows.into_iter().next().map(cells))
}

fn doing(sql: &str) -> String {
    format!("at `{}`", sql.chars().take(160).collect::<String>())
}

fn odd(doing: &str, what: &str) -> StoreError {
    StoreError::Failed {
        doing: doing.to_owned(),
        source: what.into(),
    }
}

impl MoveStore for MySqlStore {
    async fn identity(&mut self) -> Result<String, StoreError> {
        let sql = "SELECT CONCAT_WS(' ', @@hostname, @@port, @@socket, @@datadir, DATABASE())";
        let found = first(&mut self.session, sql, Vec::new()).await?;
        Ok(format!("{found:?}"))
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<MoveColumn>, StoreError> {
        let sql = "SELECT column_name, LOWER(column_type), COALESCE(character_set_name, ''), \
                     is_nullable = 'YES' OR column_default IS NOT NULL, LOWER(extra) \
                   FROM information_schema.columns \
                   WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
        let rows = query(&mut self.session, sql, vec![table.into()]).await?;
        let column = |row: Row| {
            let row = cells(row);
            let text = |at: usize| match row.get(at) {
                Some(Cell::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                _ => String::new(),
            };
            let extra = text(4);
            MoveColumn {
                name: text(0),
                declared: text(1),
                charset: Some(text(2)).filter(|charset| !charset.is_empty()),
                has_default: row.get(3) == Some(&Cell::Int(1)),
                is_generated: extra.contains(" generated") || extra == "virtual",
                is_numbered: extra.contains("auto_increment"),
            }
        };
        Ok(rows.into_iter().map(column).collect())
    }

    async fn unlike_default(
        &mut self,
        table: &str,
        columns: &[String],
        due: Option<(&str, &Scalar)>,
    ) -> Result<Option<String>, StoreError> {
        for column in columns {
            let name = quoted(column)?;
            let mut sql = format!(
                "SELECT 1 FROM {} WHERE NOT ({name} <=> DEFAULT({name}))",
                quoted(table)?
            );
            let mut params = Vec::new();
            if let Some((time, end)) = due {
                sql.push_str(&format!(" AND {} < ?", quoted(time)?));
                params.push(owned(end));
            }
            sql.push_str(" LIMIT 1");
            if first(&mut self.session, &sql, params).await?.is_some() {
                return Ok(Some(column.clone()));
            }
        }
        Ok(None)
    }

    async fn begin_moves(&mut self, side: MoveSide) -> Result<(), StoreError> {
        let set = self.session.set_for_session("sql_mode", MODE).await;
        set.map_err(|e| failed("setting sql_mode", e))?;
        if side == MoveSide::History {
            let set = self.session.set_for_session("foreign_key_checks", 0).await;
            set.map_err(|e| failed("setting foreign_key_checks", e))?;
        }
        if !exists(&mut self.session, RECORDS).await? {
            let sql = text::make_records()?;
            let made = self.session.execute(&sql, Params::Empty).await;
            made.map_err(|e| failed("creating elpis_moves", e))?;
        }
        Ok(())
    }

    async fn end_moves(&mut self) -> Result<(), StoreError> {
        let restored = self.session.restore().await;
        restored.map_err(|e| failed("restoring the session", e))
    }

    async fn last_move(&mut self, table: &str) -> Result<Option<MoveRecord>, StoreError> {
        let rows = query(&mut self.session, &records()?, vec![table.into()]).await?;
        let row = rows.into_iter().next().map(cells);
        row.map(|row| transit::record(&row)).transpose()
    }

    async fn last_moves(&mut self) -> Result<Vec<(String, MoveRecord)>, StoreError> {
        if !exists(&mut self.session, RECORDS).await? {
            return Ok(Vec::new());
        }
        let rows = query(&mut self.session, &text::tables()?, Vec::new()).await?;
        let mut all = Vec::with_capacity(rows.len());
        for mut row in rows.into_iter().map(cells) {
            if let Some(Cell::Bytes(table)) = row.pop() {
                let table = String::from_utf8_lossy(&table).into_owned();
                all.push((table, transit::record(&row)?));
            }
        }
        Ok(all)
    }

    async fn new_move(&mut self) -> Result<String, StoreError> {
        let named = first(&mut self.session, "SELECT UUID()", Vec::new()).await?;
        match named.as_deref() {
            Some([Cell::Bytes(name)]) => Ok(String::from_utf8_lossy(name).into_owned()),
            _ => Err(odd("naming a step", "the server has no UUID()")),
        }
    }

    async fn hold(
        &mut self,
        task: &MoveTask,
        limit: u64,
        window: Option<&Window>,
    ) -> Result<Option<Batch>, StoreError> {
        let mut tries = Tries::new();
        loop {
            begin(&mut self.session).await?;
            let error = match self.try_hold(task, limit, window).await {
                Ok(Some(batch)) => return Ok(Some(batch)),
                Ok(None) => return end(&mut self.session, Ok(None)).await,
                Err(error) => error,
            };
            // The first error tells more; a lost session has rolled back by itself.
            let _ = self.session.rollback().await;
            tries.again(error).await?;
        }
    }

    async fn delete_held(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        id: &str,
    ) -> Result<bool, StoreError> {
        let deleted = delete_batch(&mut self.session, task, batch).await;
        self.conclude(deleted, &task.table, id).await
    }

    async fn delete_some(
        &mut self,
        task: &MoveTask,
        _: &Batch,
        rows: &[MoveRow],
        id: &str,
    ) -> Result<(), StoreError> {
        let deleted = delete_each(&mut self.session, task, rows).await;
        match self.conclude(deleted, &task.table, id).await? {
            true => Ok(()),
            false => Err(odd(
                &format!("deleting rows of {} one by one", task.table),
                "they were not there as they had been read; nothing was deleted",
            )),
        }
    }

    async fn none_left(&mut self, table: &str, id: &str) -> Result<(), StoreError> {
        gone(&mut self.session, table, id).await
    }

    async fn let_go(&mut self) {
        // A lost session has rolled back by itself.
        let _ = self.session.rollback().await;
    }

    async fn receive(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        id: &str,
        newer: bool,
    ) -> Result<Received, StoreError> {
        history::receive(&mut self.session, task, batch, id, newer).await
    }

    async fn received(
        &mut self,
        task: &MoveTask,
        record: &MoveRecord,
    ) -> Result<Vec<MoveRow>, StoreError> {
        history::received(&mut self.session, task, record).await
    }

    async fn tidy(&mut self, task: &MoveTask) -> Result<(), StoreError> {
        history::tidy(&mut self.session, task).await
    }
}

async fn exists(s: &mut Session, table: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM information_schema.tables \
               WHERE table_schema = DATABASE() AND table_name = ?";
    Ok(first(s, sql, vec![table.into()]).await?.is_some())
}
