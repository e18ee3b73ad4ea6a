//! The statements of sweeps that act, and look again before they do.
//!
//! Rows are judged by `LEFT JOIN ... IS NULL` and by joins, never by `NOT IN`: each statement sees
//! a bounded number of rows and asks the other tables about these, one by one along an index.

use super::{Dialect, Sql};
use crate::store::StoreError;
use crate::store::relations::RowKey;
use crate::sweep::{Expr, Join, Mark, SweepTask};
use crate::{Filter, Scalar, Test};

/// What the walked table is called in a statement with joins.
pub(super) const ROW: &str = "t.";

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

/// A column of exactly these rows.
pub(in crate::store) fn values_of(
    dialect: Dialect,
    task: &SweepTask,
    column: &str,
    rows: &[RowKey],
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ").name(column)?.raw(" FROM ");
    these(sql.name(&task.table)?.raw(" WHERE "), "", task.key(), rows)
}

/// Changes the rows of another table that `keys` name.
pub(in crate::store) fn mark(
    dialect: Dialect,
    mark: &Mark,
    keys: &[Scalar],
) -> Result<Sql, StoreError> {
    let mut sql = Sql::new(dialect, "UPDATE ").name(&mark.table)?.raw(" SET ");
    for (i, (column, value)) in mark.values.iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).name(column)?;
        sql = sql.raw(" = ").value(value);
    }
    sql.raw(" WHERE ").within(&mark.there, keys)
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

/// Pushes, for every dependent in depth-first order, a count of the rows that hang on some of all
/// `parents` (lists of values in brackets, or queries: these and all), each row once however it is
/// reached: a row that is reached by two ways, whichever parents by, counts for the first of them.
pub(in crate::store) fn count_dependents(
    dialect: Dialect,
    dependents: &[crate::sweep::Dependent],
    (these, all): (&Sql, &Sql),
    reached: &mut Vec<(String, Sql)>,
    into: &mut Vec<Sql>,
) -> Result<(), StoreError> {
    for dependent in dependents {
        let hanging = |parents: &Sql| -> Result<Sql, StoreError> {
            let sql = Sql::new(dialect, "").name(&dependent.column)?;
            Ok(sql.raw(" IN (").append(parents).raw(")"))
        };
        let ways = reached.iter();
        let ways: Vec<Sql> = ways
            .filter(|(table, _)| *table == dependent.table)
            .map(|(_, before)| before.clone())
            .collect();
        let rows = |hanging: &Sql| -> Result<Sql, StoreError> {
            let mut sql = Sql::new(dialect, " FROM ").name(&dependent.table)?;
            sql = sql.raw(" WHERE ").append(hanging);
            for before in &ways {
                sql = sql.raw(" AND (").append(before).raw(") IS NOT TRUE");
            }
            Ok(sql)
        };
        let (these, all) = (hanging(these)?, hanging(all)?);
        into.push(Sql::new(dialect, "SELECT COUNT(*) AS n").append(&rows(&these)?));
        reached.push((dependent.table.clone(), all.clone()));
        if let Some(first) = dependent.dependents.first() {
            let below = |hanging: &Sql| -> Result<Sql, StoreError> {
                let sql = Sql::new(dialect, "SELECT ").name(&first.parent_column)?;
                Ok(sql.append(&rows(hanging)?))
            };
            let parents = (&below(&these)?, &below(&all)?);
            count_dependents(dialect, &dependent.dependents, parents, reached, into)?;
        }
    }
    Ok(())
}

/// The optimiser may not begin with another table than the one that is walked.
pub(super) fn in_this_order(dialect: Dialect) -> &'static str {
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => "SELECT STRAIGHT_JOIN ",
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => "SELECT ",
    }
}

pub(super) fn keys(mut sql: Sql, task: &SweepTask) -> Result<Sql, StoreError> {
    for (i, column) in task.key().iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).raw(ROW);
        sql = sql.name(column)?;
    }
    Ok(sql)
}

pub(super) fn in_order(sql: Sql, task: &SweepTask) -> Result<Sql, StoreError> {
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
        sql = join_by(sql, kind, &alias, (join, &join.filters))?;
    }
    Ok(sql)
}

/// One more table, of which the row `t` asks.
pub(super) fn join_by(
    sql: Sql,
    kind: &str,
    alias: &str,
    (join, filters): (&Join, &[Filter]),
) -> Result<Sql, StoreError> {
    let mut sql = sql.raw(kind).name(&join.table)?.raw(" AS ").raw(alias);
    let alias = format!("{alias}.");
    for (i, (own, there)) in join.on.iter().enumerate() {
        sql = sql.raw(if i == 0 { " ON " } else { " AND " });
        sql = sql.raw(&alias).name(there)?.raw(" = ").raw(ROW).name(own)?;
    }
    for filter in filters {
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

pub(super) fn tested(sql: Sql, alias: &str, filter: &Filter) -> Result<Sql, StoreError> {
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
