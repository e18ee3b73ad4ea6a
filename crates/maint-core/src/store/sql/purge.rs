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

/// The delete of a stretch's expired rows, bounded by `limit` whatever happened meanwhile.
pub(in crate::store) fn delete(
    dialect: Dialect,
    task: &PurgeTask,
    stretch: Stretch<'_>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let columns = walk_columns(task);
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => {
            let sql = Sql::new(dialect, "DELETE FROM ")
                .name(&task.table)?
                .raw(" WHERE ");
            let sql = sql
                .stretch(&columns, stretch)?
                .raw(" AND ")
                .due(&task.due)?;
            Ok(sql
                .raw(" ORDER BY ")
                .names(&columns)?
                .raw(" LIMIT ")
                .number(limit))
        }
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let sql = Sql::new(dialect, "DELETE FROM ").name(&task.table)?;
            let sql = sql
                .raw(" WHERE rowid IN (SELECT rowid FROM ")
                .walked(task)?
                .raw(" WHERE ");
            let sql = sql
                .stretch(&columns, stretch)?
                .raw(" AND ")
                .due(&task.due)?;
            Ok(sql
                .raw(" ORDER BY ")
                .names(&columns)?
                .raw(" LIMIT ")
                .number(limit)
                .raw(")"))
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
    let columns = walk_columns(task);
    let sql = Sql::new(dialect, "SELECT ")
        .name(column)?
        .raw(" FROM ")
        .walked(task)?;
    let sql = sql
        .raw(" WHERE ")
        .stretch(&columns, stretch)?
        .raw(" AND ")
        .due(&task.due)?;
    Ok(sql
        .raw(" ORDER BY ")
        .names(&columns)?
        .raw(" LIMIT ")
        .number(limit)
        .for_update())
}

/// The key of a stretch's first or last expired row.
pub(in crate::store) fn due_edge(
    dialect: Dialect,
    task: &PurgeTask,
    stretch: Stretch<'_>,
    last: bool,
) -> Result<Sql, StoreError> {
    let columns = walk_columns(task);
    let sql = Sql::new(dialect, "SELECT ").names(&columns)?;
    let sql = sql.raw(" FROM ").walked(task)?.raw(" WHERE ");
    let sql = sql.stretch(&columns, stretch)?.raw(" AND ");
    let mut sql = sql.due(&task.due)?.raw(" ORDER BY ");
    for (i, column) in columns.iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).name(column)?;
        sql = sql.raw(if last { " DESC" } else { "" });
    }
    Ok(sql.raw(" LIMIT 1"))
}
