//! The active side of a move: what is held is read and locked, and goes when it is told to.

use elpis_mysql::{Session, Value};

use super::text::{
    any_value, condition, equals, gone, held, marks, ordered, owned, place, quoted, several,
};
use super::transit::{moment, rows_of, value};
use super::{NAMED, change, failed, first, odd, query};
use crate::moves::MoveTask;
use crate::store::mysql::{MOST_KEYS, MySqlStore};
use crate::store::{Batch, Cell, MoveRow, StoreError, Window};

impl MySqlStore {
    /// One try at [`MoveStore::hold`]; the transaction is open if it comes to rows.
    pub(super) async fn try_hold(
        &mut self,
        task: &MoveTask,
        limit: u64,
        window: Option<&Window>,
    ) -> Result<Option<Batch>, StoreError> {
        let s = &mut self.session;
        let window = match (window, &task.key) {
            (Some(window), _) => Some(window.clone()),
            (None, Some(_)) => None,
            (None, None) => match next_window(s, task, limit).await? {
                Some(window) => Some(window),
                None => return Ok(None),
            },
        };
        let (sql, params) = held(task, window.as_ref(), limit.min(NAMED))?;
        let (rows, is_like) = rows_of(query(s, &sql, params).await?, task.columns.len());
        unlost(is_like, &task.table)?;
        let at = place(&task.columns, &task.time_column)?;
        let (Some(oldest), Some(newest)) = (rows.first(), rows.last()) else {
            return Ok(None);
        };
        let window = match window {
            Some(window) => window,
            None => Window {
                from: moment(&oldest[at])?,
                to: moment(&newest[at])?,
                closed: true,
                below: None,
            },
        };
        let mut children = Vec::with_capacity(task.children.len());
        if let Some(key) = &task.key {
            let at = place(&task.columns, key)?;
            let keys: Vec<Value> = rows.iter().map(|row| value(&row[at])).collect();
            for child in &task.children {
                let mut found = Vec::new();
                for piece in keys.chunks(MOST_KEYS) {
                    let sql = several(child, piece.len())?;
                    let rows = query(s, &sql, piece.to_vec()).await?;
                    let (rows, is_like) = rows_of(rows, child.columns.len());
                    unlost(is_like, &child.table)?;
                    found.extend(rows);
                }
                children.push(found);
            }
        }
        Ok(Some(Batch {
            window,
            rows,
            children,
        }))
    }

    /// Ends a transaction that was to delete `expected` rows: by committing, with the record, if it
    /// deleted those; else by undoing it.
    pub(super) async fn conclude(
        &mut self,
        deleted: Result<bool, StoreError>,
        table: &str,
        id: &str,
    ) -> Result<bool, StoreError> {
        let recorded = match deleted {
            Ok(true) => gone(&mut self.session, table, id).await.map(|()| true),
            other => other,
        };
        match recorded {
            Ok(true) => {
                let committed = self.session.commit().await;
                committed.map_err(|e| failed("at COMMIT", e))?;
                Ok(true)
            }
            Ok(false) | Err(StoreError::Contended { .. }) => {
                let undone = self.session.rollback().await;
                undone.map_err(|e| failed("at ROLLBACK", e))?;
                Ok(false)
            }
            Err(error) => {
                let _ = self.session.rollback().await;
                Err(error)
            }
        }
    }
}

/// Rows whose values in columns that the history database lacks are not the default stay.
fn unlost(is_like: bool, table: &str) -> Result<(), StoreError> {
    match is_like {
        true => Ok(()),
        false => Err(odd(
            &format!("reading {table}"),
            "a row has a value in a column that the history database lacks: bring its schema up to \
             the same version",
        )),
    }
}

/// The oldest due rows of a table without a key, about `limit`: whole instants, or of one instant
/// the rows below a value.
async fn next_window(
    s: &mut Session,
    task: &MoveTask,
    limit: u64,
) -> Result<Option<Window>, StoreError> {
    let due = vec![owned(&task.cutoff)];
    let Some(oldest) = first(s, &ordered(task, 0)?, due.clone()).await? else {
        return Ok(None);
    };
    let from = moment(&oldest[0])?;
    let to = match first(s, &ordered(task, limit)?, due).await? {
        Some(next) => moment(&next[0])?,
        None => task.cutoff.clone(),
    };
    if to != from {
        return Ok(Some(Window {
            from,
            to,
            closed: false,
            below: None,
        }));
    }
    let mut below = None;
    if let Some(split) = &task.split {
        let at = |offset| any_value(task, split, offset);
        let instant = vec![owned(&from)];
        let least = first(s, &at(0)?, instant.clone()).await?;
        let next = first(s, &at(limit)?, instant).await?;
        // Rows with NULL there come first, and no comparison finds them.
        if let (Some(least), Some(next)) = (least, next)
            && least != next
            && least[0] != Cell::Null
        {
            below = Some(moment(&next[0])?);
        }
    }
    Ok(Some(Window {
        to: from.clone(),
        from,
        closed: true,
        below,
    }))
}

/// Deletes rows by a column of theirs, in pieces, and counts them.
async fn delete_keys(
    s: &mut Session,
    table: &str,
    key: &str,
    keys: &[Value],
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for piece in keys.chunks(MOST_KEYS) {
        let marks = marks(piece.len());
        let sql = format!(
            "DELETE FROM {} WHERE {} IN ({marks})",
            quoted(table)?,
            quoted(key)?
        );
        deleted += change(s, &sql, piece.to_vec()).await?;
    }
    Ok(deleted)
}

/// Deletes what is held; false if it was not exactly that.
pub(super) async fn delete_batch(
    s: &mut Session,
    task: &MoveTask,
    batch: &Batch,
) -> Result<bool, StoreError> {
    let rows = batch.rows.len() as u64;
    let Some(key) = &task.key else {
        let (condition, params) = condition(task, &batch.window)?;
        // One more than expected is enough to know.
        let sql = format!(
            "DELETE FROM {} WHERE {condition} ORDER BY {} LIMIT {}",
            quoted(&task.table)?,
            quoted(&task.time_column)?,
            rows + 1
        );
        return Ok(change(s, &sql, params).await? == rows);
    };
    let at = place(&task.columns, key)?;
    let keys: Vec<Value> = batch.rows.iter().map(|row| value(&row[at])).collect();
    // By their parents: without a foreign key nothing keeps more of them from coming meanwhile.
    for (child, rows) in task.children.iter().zip(&batch.children) {
        if delete_keys(s, &child.table, &child.column, &keys).await? != rows.len() as u64 {
            return Ok(false);
        }
    }
    Ok(delete_keys(s, &task.table, key, &keys).await? == rows)
}

/// Deletes `rows` of those that are held, each as often as it is named.
pub(super) async fn delete_each(
    s: &mut Session,
    task: &MoveTask,
    rows: &[MoveRow],
) -> Result<bool, StoreError> {
    let mut sorted: Vec<&MoveRow> = rows.iter().collect();
    sorted.sort();
    for same in sorted.chunk_by(|a, b| a == b) {
        let (condition, params) = equals(task, same[0])?;
        let sql = format!(
            "DELETE FROM {} WHERE {condition} LIMIT {}",
            quoted(&task.table)?,
            same.len()
        );
        if change(s, &sql, params).await? != same.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}
