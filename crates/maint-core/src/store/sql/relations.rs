//! The statements of sweeps.
//!
//! Rows are judged by `LEFT JOIN ... IS NULL` and by joins, never by `NOT IN`: each statement sees
//! a bounded number of rows and asks the other tables about these, one by one along an index. What
//! is read is not copied first, and only what was found comes over the wire.

use super::{Dialect, Sql, Stretch};
use crate::store::relations::RowKey;
use crate::store::{Position, StoreError};
use crate::sweep::{Expr, Join, SweepTask, SweepWalk};
use crate::{Filter, Scalar, Test};

/// What the walked table is called in a statement with joins.
const ROW: &str = "t.";

/// The key of the `limit`-th row from `from` on.
pub(in crate::store) fn boundary(
    dialect: Dialect,
    task: &SweepTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ").names(task.key())?;
    let sql = along(sql, task, Stretch { from, to: None })?;
    Ok(sql.raw(" LIMIT 1 OFFSET ").number(limit.saturating_sub(1)))
}

/// The keys of a stretch's rows that meet the conditions. A row that is met by several rows of
/// another table may come several times, one after the other.
///
/// What bounds it is the stretch: its end was measured, or there were fewer rows than that left.
pub(in crate::store) fn candidates(
    dialect: Dialect,
    task: &SweepTask,
    stretch: Stretch<'_>,
) -> Result<Sql, StoreError> {
    let sql = keys(Sql::new(dialect, in_this_order(dialect)), task)?;
    let mut sql = sql.raw(" FROM ").name(&task.table)?.raw(" AS t");
    if let SweepWalk::Key {
        index: Some(index), ..
    } = &task.walk
    {
        sql = sql.along(index)?;
    }
    let sql = conditions(joined(sql, task)?, task)?.raw(" AND ");
    in_order(sql.stretch_of(ROW, task.key(), stretch)?, task)
}

/// Those of `found` that still meet the conditions: their keys, then `more` columns. With `lock`,
/// they are locked, and what they are judged by.
pub(in crate::store) fn confirmed(
    dialect: Dialect,
    task: &SweepTask,
    found: &[RowKey],
    more: &[&str],
    lock: bool,
) -> Result<Sql, StoreError> {
    let mut sql = keys(Sql::new(dialect, in_this_order(dialect)), task)?;
    for column in more {
        sql = sql.raw(", ").raw(ROW).name(column)?;
    }
    sql = joined(sql.raw(" FROM ").name(&task.table)?.raw(" AS t"), task)?;
    sql = conditions(sql, task)?.raw(" AND ");
    sql = these(sql, ROW, task.key(), found)?;
    let sql = in_order(sql, task)?;
    Ok(if lock { sql.for_update() } else { sql })
}

/// The next `limit` different values of the walk's column, each with 1 if its relations are as the
/// task wants them, else 0. A value that several rows of another table have may come several times,
/// one after the other.
pub(in crate::store) fn values(
    dialect: Dialect,
    task: &SweepTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let column = task.key().first().map_or("", String::as_str);
    let found = |sql: Sql, alias: &str, join: &Join, there: &str| {
        let (_, other) = join.on.first().map_or(("", ""), |(a, b)| (a, b));
        sql.raw(alias)
            .raw(".")
            .name(other)
            .map(|sql| sql.raw(there))
    };
    let mut sql = Sql::new(dialect, "SELECT t.").name(column)?;
    sql = sql.raw(", CASE WHEN 1 = 1");
    for (i, join) in task.missing.iter().enumerate() {
        sql = found(sql.raw(" AND "), &format!("m{i}"), join, " IS NULL")?;
    }
    for (i, join) in task.present.iter().enumerate() {
        sql = found(sql.raw(" AND "), &format!("p{i}"), join, " IS NOT NULL")?;
    }
    sql = sql.raw(" THEN 1 ELSE 0 END FROM (SELECT DISTINCT ");
    // NULL is no value; comparing with the last one leaves it out by itself.
    sql = along(sql.name(column)?, task, Stretch { from, to: None })?;
    sql = sql.raw(" LIMIT ").number(limit).raw(") AS t");
    let missing = task.missing.iter().enumerate();
    let missing = missing.map(|(i, join)| (format!("m{i}"), join));
    let present = task.present.iter().enumerate();
    let present = present.map(|(i, join)| (format!("p{i}"), join));
    for (alias, join) in missing.chain(present) {
        sql = join_by(sql, " LEFT JOIN ", &alias, join)?;
    }
    in_order(sql, task)
}

/// Those of `values` that the other table has.
pub(in crate::store) fn known(
    dialect: Dialect,
    join: &Join,
    values: &[Scalar],
    lock: bool,
) -> Result<Sql, StoreError> {
    let column = join.on.first().map_or("", |(_, there)| there.as_str());
    let mut sql = Sql::new(dialect, "SELECT ").name(column)?.raw(" FROM ");
    sql = sql.name(&join.table)?.raw(" WHERE ");
    sql = sql.within(column, values)?;
    for filter in &join.filters {
        sql = sql.raw(" AND ").filter(filter)?;
    }
    Ok(if lock { sql.for_update() } else { sql })
}

/// How many rows have one of these values.
pub(in crate::store) fn count_values(
    dialect: Dialect,
    task: &SweepTask,
    values: &[Scalar],
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT COUNT(*) AS n FROM ");
    with_values(sql.name(&task.table)?, task, values)
}

/// Deletes at most `limit` rows that have one of these values.
pub(in crate::store) fn delete_values(
    dialect: Dialect,
    task: &SweepTask,
    values: &[Scalar],
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "DELETE FROM ").name(&task.table)?;
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => Ok(with_values(sql, task, values)?.raw(" LIMIT ").number(limit)),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let sql = sql.raw(" WHERE rowid IN (SELECT rowid FROM ");
            let sql = with_values(sql.name(&task.table)?, task, values)?;
            Ok(sql.raw(" LIMIT ").number(limit).raw(")"))
        }
    }
}

/// Deletes exactly these rows.
pub(in crate::store) fn delete_rows(
    dialect: Dialect,
    task: &SweepTask,
    rows: &[RowKey],
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "DELETE FROM ").name(&task.table)?;
    these(sql.raw(" WHERE "), "", task.key(), rows)
}

/// Changes columns of exactly these rows.
pub(in crate::store) fn set_rows(
    dialect: Dialect,
    task: &SweepTask,
    values: &[(String, Expr)],
    rows: &[RowKey],
) -> Result<Sql, StoreError> {
    let mut sql = Sql::new(dialect, "UPDATE ").name(&task.table)?.raw(" SET ");
    for (i, (column, expr)) in values.iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).name(column)?;
        sql = value_of(sql.raw(" = "), expr)?;
    }
    these(sql.raw(" WHERE "), "", task.key(), rows)
}

/// Adds a row to `into` for each of these rows.
pub(in crate::store) fn insert_for(
    dialect: Dialect,
    task: &SweepTask,
    into: &str,
    values: &[(String, Expr)],
    rows: &[RowKey],
) -> Result<Sql, StoreError> {
    let mut sql = Sql::new(dialect, "INSERT INTO ").name(into)?.raw(" (");
    for (i, (column, _)) in values.iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).name(column)?;
    }
    sql = sql.raw(") SELECT ");
    for (i, (_, expr)) in values.iter().enumerate() {
        sql = value_of(sql.raw(if i == 0 { "" } else { ", " }), expr)?;
    }
    let sql = sql.raw(" FROM ").name(&task.table)?.raw(" WHERE ");
    these(sql, "", task.key(), rows)
}

/// Cuts the tie of at most `limit` rows of a child table to `keys`.
pub(in crate::store) fn detach(
    dialect: Dialect,
    (table, column): (&str, &str),
    keys: &[Scalar],
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "UPDATE ").name(table)?.raw(" SET ");
    let sql = sql.name(column)?.raw(" = NULL WHERE ");
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => Ok(sql.within(column, keys)?.raw(" LIMIT ").number(limit)),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let sql = sql.raw("rowid IN (SELECT rowid FROM ").name(table)?;
            let sql = sql.raw(" WHERE ").within(column, keys)?;
            Ok(sql.raw(" LIMIT ").number(limit).raw(")"))
        }
    }
}

/// Pushes, for every dependent in depth-first order, a count of the rows that hang on `parents`
/// (a list of values in brackets, or a query), each row once however it is reached.
pub(in crate::store) fn count_dependents(
    dialect: Dialect,
    dependents: &[crate::sweep::Dependent],
    parents: &Sql,
    reached: &mut Vec<(String, Sql)>,
    into: &mut Vec<Sql>,
) -> Result<(), StoreError> {
    for dependent in dependents {
        let hanging = Sql::new(dialect, "").name(&dependent.column)?;
        let hanging = hanging.raw(" IN (").append(parents).raw(")");
        let mut source = Sql::new(dialect, " FROM ").name(&dependent.table)?;
        source = source.raw(" WHERE ").append(&hanging);
        for (_, before) in reached
            .iter()
            .filter(|(table, _)| *table == dependent.table)
        {
            source = source.raw(" AND (").append(before).raw(") IS NOT TRUE");
        }
        into.push(Sql::new(dialect, "SELECT COUNT(*) AS n").append(&source));
        reached.push((dependent.table.clone(), hanging));
        if let Some(first) = dependent.dependents.first() {
            let below = Sql::new(dialect, "SELECT ").name(&first.parent_column)?;
            let below = below.append(&source);
            count_dependents(dialect, &dependent.dependents, &below, reached, into)?;
        }
    }
    Ok(())
}

/// `FROM table WHERE stretch ORDER BY key`, read along the walk's index.
fn along(sql: Sql, task: &SweepTask, stretch: Stretch<'_>) -> Result<Sql, StoreError> {
    let sql = sql.raw(" FROM ");
    let sql = match &task.walk {
        SweepWalk::Key { index: None, .. } => sql.name(&task.table)?,
        SweepWalk::Key {
            index: Some(index), ..
        }
        | SweepWalk::Values { index, .. } => sql.read_by(&task.table, index)?,
    };
    let mut sql = sql.raw(" WHERE ").stretch(task.key(), stretch)?;
    if let SweepWalk::Values { column, .. } = &task.walk {
        sql = sql.raw(" AND ").name(column)?.raw(" IS NOT NULL");
    }
    sql.raw(" ORDER BY ").names(task.key())
}

/// The optimiser may not begin with another table than the one that is walked.
fn in_this_order(dialect: Dialect) -> &'static str {
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => "SELECT STRAIGHT_JOIN ",
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => "SELECT ",
    }
}

fn keys(mut sql: Sql, task: &SweepTask) -> Result<Sql, StoreError> {
    for (i, column) in task.key().iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).raw(ROW);
        sql = sql.name(column)?;
    }
    Ok(sql)
}

fn in_order(sql: Sql, task: &SweepTask) -> Result<Sql, StoreError> {
    keys(sql.raw(" ORDER BY "), task)
}

fn joined(mut sql: Sql, task: &SweepTask) -> Result<Sql, StoreError> {
    let cross = match sql.dialect() {
        #[cfg(feature = "mysql")]
        Dialect::MySql => " JOIN ",
        // SQLite keeps the order of a CROSS JOIN.
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => " CROSS JOIN ",
    };
    let present = task.present.iter().enumerate();
    let present = present.map(|(i, join)| (cross, format!("p{i}"), join));
    let missing = task.missing.iter().enumerate();
    let missing = missing.map(|(i, join)| (" LEFT JOIN ", format!("m{i}"), join));
    for (kind, alias, join) in present.chain(missing) {
        sql = join_by(sql, kind, &alias, join)?;
    }
    Ok(sql)
}

/// One more table, of which the row `t` asks.
fn join_by(sql: Sql, kind: &str, alias: &str, join: &Join) -> Result<Sql, StoreError> {
    let mut sql = sql.raw(kind).name(&join.table)?.raw(" AS ").raw(alias);
    let alias = format!("{alias}.");
    for (i, (own, there)) in join.on.iter().enumerate() {
        sql = sql.raw(if i == 0 { " ON " } else { " AND " });
        sql = sql.raw(&alias).name(there)?.raw(" = ").raw(ROW).name(own)?;
    }
    for filter in &join.filters {
        sql = tested(sql.raw(" AND "), &alias, filter)?;
    }
    Ok(sql)
}

fn conditions(mut sql: Sql, task: &SweepTask) -> Result<Sql, StoreError> {
    sql = sql.raw(" WHERE 1 = 1");
    for filter in &task.filters {
        sql = tested(sql.raw(" AND "), ROW, filter)?;
    }
    for (i, join) in task.missing.iter().enumerate() {
        for (own, there) in &join.on {
            sql = sql.raw(" AND ").raw(ROW).name(own)?.raw(" IS NOT NULL");
            sql = sql.raw(&format!(" AND m{i}.")).name(there)?.raw(" IS NULL");
        }
    }
    Ok(sql)
}

fn tested(sql: Sql, alias: &str, filter: &Filter) -> Result<Sql, StoreError> {
    match &filter.test {
        Test::NotIn(values) => sql.raw("NOT ").raw(alias).within(&filter.column, values),
        _ => sql.raw(alias).filter(filter),
    }
}

fn value_of(sql: Sql, expr: &Expr) -> Result<Sql, StoreError> {
    match expr {
        Expr::Column(column) => sql.name(column),
        Expr::Value(value) => Ok(sql.value(value)),
    }
}

/// Exactly these rows, by their key.
fn these(
    mut sql: Sql,
    alias: &str,
    columns: &[String],
    rows: &[RowKey],
) -> Result<Sql, StoreError> {
    if let [column] = columns {
        let values: Vec<Scalar> = rows.iter().flatten().cloned().collect();
        return sql.raw(alias).within(column, &values);
    }
    sql = sql.raw("(");
    for (i, row) in rows.iter().enumerate() {
        sql = sql.raw(if i == 0 { "(" } else { " OR (" });
        for (j, (column, value)) in columns.iter().zip(row).enumerate() {
            sql = sql.raw(if j == 0 { "" } else { " AND " }).raw(alias);
            sql = sql.name(column)?.raw(" = ").value(value);
        }
        sql = sql.raw(")");
    }
    Ok(sql.raw(")"))
}

/// ` WHERE column IN (...)` and the row's own filters.
fn with_values(sql: Sql, task: &SweepTask, values: &[Scalar]) -> Result<Sql, StoreError> {
    let column = task.key().first().map_or("", String::as_str);
    let mut sql = sql.raw(" WHERE ").within(column, values)?;
    for filter in &task.filters {
        sql = sql.raw(" AND ").filter(filter)?;
    }
    Ok(sql)
}
