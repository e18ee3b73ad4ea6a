//! The statements of the deletion of expired rows.

use super::{Dialect, Sql, Stretch, walk_columns};
use crate::PurgeTask;
use crate::store::{Position, StoreError};

/// The times of the next `limit` rows from `from` on that are not beyond the cutoff.
pub(in crate::store) fn times(
    dialect: Dialect,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let (columns, time) = (walk_columns(task), &task.due.time_column);
    let sql = Sql::new(dialect, "SELECT ")
        .name(time)?
        .raw(" FROM ")
        .walked(task)?;
    let sql = sql
        .raw(" WHERE ")
        .stretch(&columns, Stretch { from, to: None })?
        .raw(" AND ");
    let sql = sql
        .name(time)?
        .raw(" < ")
        .value(&task.due.cutoff)
        .raw(" ORDER BY ");
    Ok(sql.names(&columns)?.raw(" LIMIT ").number(limit))
}

/// ` WHERE` the expired rows of a stretch.
fn expired(sql: Sql, task: &PurgeTask, stretch: Stretch<'_>) -> Result<Sql, StoreError> {
    let sql = sql.raw(" WHERE ").stretch(&walk_columns(task), stretch)?;
    sql.raw(" AND ").due(&task.due)
}

/// The same, at most `limit` of them in the order of the walk.
fn oldest_expired(
    sql: Sql,
    task: &PurgeTask,
    stretch: Stretch<'_>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = expired(sql, task, stretch)?.ordered(&walk_columns(task), false)?;
    Ok(sql.raw(" LIMIT ").number(limit))
}

/// The delete of a stretch's expired rows, bounded by `limit` whatever happened meanwhile.
pub(in crate::store) fn delete(
    dialect: Dialect,
    task: &PurgeTask,
    stretch: Stretch<'_>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "DELETE FROM ").name(&task.table)?;
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => oldest_expired(sql, task, stretch, limit),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let sql = sql.raw(" WHERE rowid IN (SELECT rowid FROM ");
            let sql = oldest_expired(sql.walked(task)?, task, stretch, limit)?;
            Ok(sql.raw(")"))
        }
    }
}

/// The values of `column` in a stretch's expired rows, at most `limit` of them.
pub(in crate::store) fn due_keys(
    dialect: Dialect,
    task: &PurgeTask,
    column: &str,
    stretch: Stretch<'_>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ").name(column)?.raw(" FROM ");
    let sql = oldest_expired(sql.walked(task)?, task, stretch, limit)?;
    Ok(sql.for_update())
}

/// The key of a stretch's first or last expired row.
pub(in crate::store) fn due_edge(
    dialect: Dialect,
    task: &PurgeTask,
    stretch: Stretch<'_>,
    last: bool,
) -> Result<Sql, StoreError> {
    let columns = walk_columns(task);
    let sql = Sql::new(dialect, "SELECT ").names(&columns)?.raw(" FROM ");
    let sql = expired(sql.walked(task)?, task, stretch)?;
    Ok(sql.ordered(&columns, last)?.raw(" LIMIT 1"))
}
