//! The SQL that both stores speak, one function a statement.

mod builder;
pub(super) mod envelope;
pub(super) mod looks;
pub(super) mod purge;
pub(super) mod relations;
pub(super) mod rollup;
pub(super) mod rollup_fill;
pub(super) mod series;

use std::collections::BTreeSet;

use crate::store::{Position, StoreError};
use crate::{PurgeTask, Scalar, Walk};

pub(super) use builder::{Dialect, Sql, Stretch};

/// The columns a task walks along.
pub(super) fn walk_columns(task: &PurgeTask) -> Vec<String> {
    match &task.walk {
        Walk::Time { then, .. } => {
            let mut columns = vec![task.due.time_column.clone()];
            columns.extend_from_slice(then);
            columns
        }
        Walk::Key { columns } => columns.clone(),
    }
}

/// The key of the `limit`-th row from `from` on; with `due_only`, not beyond the cutoff.
pub(super) fn boundary(
    dialect: Dialect,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
    due_only: bool,
) -> Result<Sql, StoreError> {
    let columns = walk_columns(task);
    let mut sql = Sql::new(dialect, "SELECT ")
        .names(&columns)?
        .raw(" FROM ")
        .walked(task)?;
    sql = sql
        .raw(" WHERE ")
        .stretch(&columns, Stretch { from, to: None })?;
    if let Walk::Time { .. } = &task.walk {
        let time = &task.due.time_column;
        sql = sql.raw(" AND ").name(time)?;
        sql = if due_only {
            sql.raw(" < ").value(&task.due.cutoff)
        } else {
            sql.raw(" IS NOT NULL")
        };
    }
    sql = sql.raw(" ORDER BY ").names(&columns)?;
    Ok(sql.raw(" LIMIT 1 OFFSET ").number(limit.saturating_sub(1)))
}

/// The values of `wanted` in the rows of a child table that point at `keys`.
pub(super) fn child_keys(
    dialect: Dialect,
    child: (&str, &str),
    wanted: &str,
    keys: &[Scalar],
    limit: u64,
) -> Result<Sql, StoreError> {
    let (table, column) = child;
    let sql = Sql::new(dialect, "SELECT ")
        .name(wanted)?
        .raw(" FROM ")
        .name(table)?;
    let sql = sql
        .raw(" WHERE ")
        .within(column, keys)?
        .raw(" LIMIT ")
        .number(limit);
    Ok(sql.for_update())
}

/// The delete of at most `limit` rows whose `column` is one of `keys`.
pub(super) fn delete_keys(
    dialect: Dialect,
    table: &str,
    column: &str,
    keys: &[Scalar],
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "DELETE FROM ")
        .name(table)?
        .raw(" WHERE ");
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => Ok(sql.within(column, keys)?.raw(" LIMIT ").number(limit)),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let sql = sql
                .raw("rowid IN (SELECT rowid FROM ")
                .name(table)?
                .raw(" WHERE ");
            Ok(sql
                .within(column, keys)?
                .raw(" LIMIT ")
                .number(limit)
                .raw(")"))
        }
    }
}

/// Counts a stretch: rows, expired rows, rows with a time.
pub(super) fn count(
    dialect: Dialect,
    task: &PurgeTask,
    stretch: Stretch<'_>,
) -> Result<Sql, StoreError> {
    let columns = walk_columns(task);
    let time = &task.due.time_column;
    let sql = Sql::new(dialect, "SELECT COUNT(*) AS n, COUNT(CASE WHEN ").due(&task.due)?;
    let sql = sql
        .raw(" THEN 1 END) AS due, COUNT(")
        .name(time)?
        .raw(") AS timed FROM ");
    let sql = sql
        .walked(task)?
        .raw(" WHERE ")
        .stretch(&columns, stretch)?;
    match &task.walk {
        Walk::Time { .. } => Ok(sql.raw(" AND ").name(time)?.raw(" IS NOT NULL")),
        Walk::Key { .. } => Ok(sql),
    }
}

/// The oldest and newest time of a stretch.
pub(super) fn span(
    dialect: Dialect,
    task: &PurgeTask,
    stretch: Stretch<'_>,
) -> Result<Sql, StoreError> {
    let (columns, time) = (walk_columns(task), &task.due.time_column);
    let sql = Sql::new(dialect, "SELECT MIN(")
        .name(time)?
        .raw("), MAX(")
        .name(time)?;
    sql.raw(") FROM ")
        .walked(task)?
        .raw(" WHERE ")
        .stretch(&columns, stretch)
}

/// Counts the rows without a time.
pub(super) fn untimed(dialect: Dialect, task: &PurgeTask) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT COUNT(*) FROM ")
        .walked(task)?
        .raw(" WHERE ");
    Ok(sql.name(&task.due.time_column)?.raw(" IS NULL"))
}

/// The time of the first or the last row of the walk.
pub(super) fn edge(dialect: Dialect, task: &PurgeTask, last: bool) -> Result<Sql, StoreError> {
    let (columns, time) = (walk_columns(task), &task.due.time_column);
    let mut sql = Sql::new(dialect, "SELECT ")
        .name(time)?
        .raw(" FROM ")
        .walked(task)?;
    if let Walk::Time { .. } = &task.walk {
        sql = sql.raw(" WHERE ").name(time)?.raw(" IS NOT NULL");
    }
    Ok(sql.ordered(&columns, last)?.raw(" LIMIT 1"))
}

/// Counts expired rows, but looks at no more than `limit` rows.
pub(super) fn quick_due(dialect: Dialect, task: &PurgeTask, limit: u64) -> Result<Sql, StoreError> {
    let columns = walk_columns(task);
    let mut sql = Sql::new(dialect, "SELECT COUNT(CASE WHEN ").due(&task.due)?;
    sql = sql.raw(" THEN 1 END) FROM (SELECT ");
    sql = match &task.due.where_sql {
        // A raw condition may name any column.
        Some(_) => sql.raw("*"),
        None => {
            let tested = task.due.filters.iter().map(|filter| &filter.column);
            let read: BTreeSet<&String> = tested.chain([&task.due.time_column]).collect();
            let read: Vec<String> = read.into_iter().cloned().collect();
            sql.names(&read)?
        }
    };
    let mut sql = sql.raw(" FROM ").walked(task)?;
    if let Walk::Time { .. } = &task.walk {
        sql = sql
            .raw(" WHERE ")
            .name(&task.due.time_column)?
            .raw(" < ")
            .value(&task.due.cutoff);
    }
    sql = sql
        .raw(" ORDER BY ")
        .names(&columns)?
        .raw(" LIMIT ")
        .number(limit);
    Ok(sql.raw(") AS looked"))
}

/// The time at both ends of the walk, then [`quick_due`], in one row.
pub(super) fn extent(dialect: Dialect, task: &PurgeTask, limit: u64) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT (").append(&edge(dialect, task, false)?);
    let sql = sql.raw("), (").append(&edge(dialect, task, true)?);
    let sql = sql.raw("), (").append(&quick_due(dialect, task, limit)?);
    Ok(sql.raw(")"))
}

/// The rows on one side of the cutoff (`op` is ` < ` or ` >= `), for the optimiser to guess at.
pub(super) fn one_side(dialect: Dialect, task: &PurgeTask, op: &str) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT 1 FROM ")
        .walked(task)?
        .raw(" WHERE ");
    Ok(sql
        .name(&task.due.time_column)?
        .raw(op)
        .value(&task.due.cutoff))
}

/// The time of the `nth` newest row among those older than `below`.
pub(super) fn nth_below(
    dialect: Dialect,
    (table, time): (&str, &str),
    below: Option<&Scalar>,
    nth: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ").name(time)?.raw(" FROM ");
    let sql = sql.name(table)?.raw(" WHERE ").older(time, below)?;
    let sql = sql.raw(" ORDER BY ").name(time)?;
    Ok(sql
        .raw(" DESC LIMIT 1 OFFSET ")
        .number(nth.saturating_sub(1)))
}

/// Counts the rows from `oldest` up to, but without, `below`.
pub(super) fn count_below(
    dialect: Dialect,
    (table, time): (&str, &str),
    below: Option<&Scalar>,
    oldest: &Scalar,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT COUNT(*) FROM ").name(table)?;
    let sql = sql.raw(" WHERE ").older(time, below)?.raw(" AND ");
    Ok(sql.name(time)?.raw(" >= ").value(oldest))
}

/// Counts, for every cascaded table in depth-first order, the rows that go with a stretch.
pub(super) fn count_cascaded(
    dialect: Dialect,
    task: &PurgeTask,
    stretch: Stretch<'_>,
) -> Result<Vec<Sql>, StoreError> {
    let columns = walk_columns(task);
    let parents = Sql::new(dialect, " FROM ").walked(task)?.raw(" WHERE ");
    let parents = parents
        .stretch(&columns, stretch)?
        .raw(" AND ")
        .due(&task.due)?;
    let mut counts = Vec::new();
    cascaded_sources(
        dialect,
        &task.cascades,
        &parents,
        &mut Vec::new(),
        &mut counts,
    )?;
    Ok(counts)
}

/// Pushes a count for each cascade; `parents` is a FROM clause that yields the dying parents,
/// `reached` the conditions under which a table was reached before by another way.
fn cascaded_sources(
    dialect: Dialect,
    cascades: &[crate::Cascade],
    parents: &Sql,
    reached: &mut Vec<(String, Sql)>,
    into: &mut Vec<Sql>,
) -> Result<(), StoreError> {
    for cascade in cascades {
        let table = &cascade.table;
        let mut dying = Sql::new(dialect, "")
            .name(&cascade.column)?
            .raw(" IN (SELECT ");
        dying = dying.name(&cascade.parent_column)?.append(parents).raw(")");
        if let Some(own) = &cascade.own {
            // Its own rule has taken these before; IS NOT TRUE keeps those whose time is NULL.
            dying = dying.raw(" AND (").due(own)?.raw(") IS NOT TRUE");
        }
        let mut source = Sql::new(dialect, " FROM ")
            .name(table)?
            .raw(" WHERE ")
            .append(&dying);
        for (_, before) in reached.iter().filter(|(known, _)| known == table) {
            source = source.raw(" AND (").append(before).raw(") IS NOT TRUE");
        }
        into.push(Sql::new(dialect, "SELECT COUNT(*) AS n").append(&source));
        reached.push((table.clone(), dying));
        cascaded_sources(dialect, &cascade.cascades, &source, reached, into)?;
    }
    Ok(())
}

#[cfg(all(test, feature = "mysql", feature = "sqlite"))]
mod tests;
