//! The SQL that both stores speak: built here once, values always as parameters, names always
//! through [`Dialect::quote`].

use crate::store::{Position, StoreError};
use crate::{Due, PurgeTask, Scalar, Test, Walk};

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    #[cfg(feature = "mysql")]
    MySql,
    #[cfg(feature = "sqlite")]
    Sqlite,
}

impl Dialect {
    fn quote(self, name: &str) -> Result<String, StoreError> {
        match self {
            #[cfg(feature = "mysql")]
            Dialect::MySql => elpis_mysql::quote(name).map_err(|e| StoreError::Failed {
                doing: "quoting an identifier".to_owned(),
                source: e.into(),
            }),
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => Ok(super::sqlite::quote(name)),
        }
    }
}

/// A statement under construction.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) params: Vec<Scalar>,
    dialect: Dialect,
}

/// A stretch of a walk: from a position (or the beginning) to its last key, or to the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub(super) from: Option<&'a Position>,
    pub(super) to: Option<&'a [Scalar]>,
}

impl Sql {
    pub(super) fn new(dialect: Dialect, text: &str) -> Sql {
        Sql {
            text: text.to_owned(),
            params: Vec::new(),
            dialect,
        }
    }

    pub(super) fn raw(mut self, text: &str) -> Sql {
        self.text.push_str(text);
        self
    }

    fn append(mut self, other: &Sql) -> Sql {
        self.text.push_str(&other.text);
        self.params.extend(other.params.iter().cloned());
        self
    }

    pub(super) fn name(mut self, name: &str) -> Result<Sql, StoreError> {
        let quoted = self.dialect.quote(name)?;
        self.text.push_str(&quoted);
        Ok(self)
    }

    pub(super) fn names(mut self, names: &[String]) -> Result<Sql, StoreError> {
        for (i, name) in names.iter().enumerate() {
            self = self.raw(if i == 0 { "" } else { ", " }).name(name)?;
        }
        Ok(self)
    }

    pub(super) fn value(mut self, value: &Scalar) -> Sql {
        self.text.push('?');
        self.params.push(value.clone());
        self
    }

    pub(super) fn number(self, n: u64) -> Sql {
        self.value(&Scalar::Int(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    /// `name IN (?, …)`; the list is never empty.
    pub(super) fn within(mut self, column: &str, values: &[Scalar]) -> Result<Sql, StoreError> {
        self = self.name(column)?.raw(" IN (");
        for (i, value) in values.iter().enumerate() {
            self = self.raw(if i == 0 { "" } else { ", " }).value(value);
        }
        Ok(self.raw(")"))
    }

    /// The table of `task`, read along the index it is walked by.
    fn walked(self, task: &PurgeTask) -> Result<Sql, StoreError> {
        let sql = self.name(&task.table)?;
        let Walk::Time { index, .. } = &task.walk else {
            return Ok(sql);
        };
        match sql.dialect {
            #[cfg(feature = "mysql")]
            Dialect::MySql => Ok(sql.raw(" FORCE INDEX (").name(index)?.raw(")")),
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => Ok(sql.raw(" INDEXED BY ").name(index)?),
        }
    }

    /// The condition for expired rows.
    pub(super) fn due(self, due: &Due) -> Result<Sql, StoreError> {
        let mut sql = self.name(&due.time_column)?.raw(" < ").value(&due.cutoff);
        for filter in &due.filters {
            sql = sql.raw(" AND ");
            sql = match &filter.test {
                Test::Compare(op, value) => sql
                    .name(&filter.column)?
                    .raw(" ")
                    .raw(op)
                    .raw(" ")
                    .value(value),
                Test::In(values) => sql.within(&filter.column, values)?,
                Test::NotIn(values) => sql.raw("NOT ").within(&filter.column, values)?,
                Test::IsNull => sql.name(&filter.column)?.raw(" IS NULL"),
                Test::IsNotNull => sql.name(&filter.column)?.raw(" IS NOT NULL"),
            };
        }
        if let Some(condition) = &due.where_sql {
            sql = sql.raw(" AND (").raw(condition).raw(")");
        }
        Ok(sql)
    }

    /// The rows of a stretch, as a condition on the walk's columns.
    fn stretch(mut self, columns: &[String], stretch: Stretch<'_>) -> Result<Sql, StoreError> {
        let mut any = false;
        // An empty position stands for the beginning.
        if let Some(from) = stretch.from.filter(|from| !from.at.is_empty()) {
            let op = if from.inclusive { " >= " } else { " > " };
            self = self.compare(columns, &from.at, " > ", op)?;
            any = true;
        }
        if let Some(to) = stretch.to {
            self = self
                .raw(if any { " AND " } else { "" })
                .compare(columns, to, " < ", " <= ")?;
            any = true;
        }
        Ok(if any { self } else { self.raw("1 = 1") })
    }

    /// A comparison of a compound key, written out: the optimiser of MariaDB reads a range from
    /// this form, not from `(a, b) > (?, ?)`.
    fn compare(
        mut self,
        columns: &[String],
        values: &[Scalar],
        strict: &str,
        last: &str,
    ) -> Result<Sql, StoreError> {
        self = self.raw("(");
        for depth in 0..columns.len().min(values.len()) {
            self = self.raw(if depth == 0 { "(" } else { " OR (" });
            for (column, value) in columns.iter().zip(values).take(depth) {
                self = self.name(column)?.raw(" = ").value(value).raw(" AND ");
            }
            let op = if depth + 1 == columns.len() {
                last
            } else {
                strict
            };
            self = self
                .name(&columns[depth])?
                .raw(op)
                .value(&values[depth])
                .raw(")");
        }
        Ok(self.raw(")"))
    }
}

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

/// The delete of a stretch's expired rows, bounded by `limit` whatever happened meanwhile.
pub(super) fn delete(
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
pub(super) fn due_keys(
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
    sql = sql.raw(" ORDER BY ");
    for (i, column) in columns.iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).name(column)?;
        sql = sql.raw(if last { " DESC" } else { "" });
    }
    Ok(sql.raw(" LIMIT 1"))
}

/// Counts expired rows, but looks at no more than `limit` rows.
pub(super) fn quick_due(dialect: Dialect, task: &PurgeTask, limit: u64) -> Result<Sql, StoreError> {
    let columns = walk_columns(task);
    let sql = Sql::new(dialect, "SELECT COUNT(CASE WHEN ").due(&task.due)?;
    // The inner query yields every column because a raw condition may name any of them.
    let mut sql = sql.raw(" THEN 1 END) FROM (SELECT * FROM ").walked(task)?;
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

/// The time of the `keep`-th newest row.
pub(super) fn nth_newest(
    dialect: Dialect,
    table: &str,
    time: &str,
    keep: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ")
        .name(time)?
        .raw(" FROM ")
        .name(table)?;
    let sql = sql
        .raw(" WHERE ")
        .name(time)?
        .raw(" IS NOT NULL ORDER BY ")
        .name(time)?;
    Ok(sql
        .raw(" DESC LIMIT 1 OFFSET ")
        .number(keep.saturating_sub(1)))
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

impl Sql {
    /// Locks what is read, where the database has row locks. A child row cannot be added while
    /// its parent is locked, so nothing can slip in between and go uncounted.
    fn for_update(self) -> Sql {
        match self.dialect {
            #[cfg(feature = "mysql")]
            Dialect::MySql => self.raw(" FOR UPDATE"),
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self,
        }
    }
}

#[cfg(all(test, feature = "mysql", feature = "sqlite"))]
mod tests;
