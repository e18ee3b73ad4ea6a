//! The SQL of the side table: what a bucket held before rows were left out of it.

use super::builder::{Dialect, Sql};
use crate::compact::{CompactTask, Span};
use crate::store::{SeriesChunk, StoreError};

/// Makes the side table.
pub(in crate::store) fn create(dialect: Dialect, task: &CompactTask) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "CREATE TABLE IF NOT EXISTS ").name(&task.rollup_table())?;
    Ok(sql
        .raw(
            " (series BIGINT NOT NULL, bucket_length BIGINT NOT NULL, bucket BIGINT NOT NULL, \
             rows_count BIGINT NOT NULL, value_sum DOUBLE NOT NULL, value_min DOUBLE NOT NULL, \
             value_max DOUBLE NOT NULL, integral DOUBLE NOT NULL, covered_s DOUBLE NOT NULL, \
             first_time BIGINT NOT NULL, first_value DOUBLE NOT NULL, \
             last_time BIGINT NOT NULL, last_value DOUBLE NOT NULL, \
             kept BIGINT NOT NULL, kept_sum DOUBLE NOT NULL, \
             drawn_time BIGINT NULL, drawn_value DOUBLE NULL, approximate INT NOT NULL, \
             PRIMARY KEY (series, bucket_length, bucket))",
        )
        .transactional())
}

/// The rows of the side table for one series, in the order of time, longer buckets first.
pub(in crate::store) fn of_series(
    dialect: Dialect,
    task: &CompactTask,
    series: i64,
    span: Span,
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(
        dialect,
        "SELECT bucket, bucket_length, rows_count, value_sum, value_min, value_max, integral, \
         first_time, first_value, last_time, last_value, kept, kept_sum, drawn_time, drawn_value, \
         approximate FROM ",
    );
    let sql = sql.name(&task.rollup_table())?.raw(" WHERE series = ");
    let sql = sql.int(series).raw(" AND ").within_span("bucket", span)?;
    Ok(sql
        .raw(" ORDER BY bucket, bucket_length DESC LIMIT ")
        .number(limit))
}

/// Whether buckets of this chunk, or parts of them, were rolled up before.
pub(in crate::store) fn has_priors(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT COUNT(*) FROM (SELECT 1 FROM ");
    let sql = sql.name(&task.rollup_table())?.raw(" WHERE ");
    let levels: Vec<String> = levels(task).iter().map(ToString::to_string).collect();
    let sql = sql.raw(&format!("bucket_length IN ({}) AND ", levels.join(", ")));
    let sql = sql.chunk("series", "bucket", chunk)?;
    Ok(sql.raw(" LIMIT 1) AS looked"))
}

/// The bucket lengths that a bucket of `task` may be made of, coarsest first.
pub(super) fn levels(task: &CompactTask) -> Vec<i64> {
    let mut levels = task.levels.clone();
    levels.retain(|level| *level <= task.bucket);
    levels.reverse();
    levels
}

/// Deletes the rows of freshly rolled-up buckets but the one that will carry the mean.
pub(in crate::store) fn keep_drawn(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    let sql = match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => Sql::new(dialect, "DELETE target FROM "),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => Sql::new(dialect, "DELETE FROM "),
    };
    let sql = target(sql, task)?.raw(" WHERE ");
    let sql = sql.chunk(&task.series, &task.time, chunk)?;
    let sql = sql.raw(" AND EXISTS (SELECT 1 ");
    Ok(fresh(sql, task, "<>")?.raw(")"))
}

/// Writes the mean into the row that was kept for it.
pub(in crate::store) fn draw(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    match dialect {
        // From the side table to the rows, which finds none of those that were deleted a moment
        // ago and are still in the index.
        #[cfg(feature = "mysql")]
        Dialect::MySql => {
            let sql = Sql::new(dialect, "UPDATE ").name(&task.rollup_table())?;
            let sql = target(sql.raw(" AS r STRAIGHT_JOIN "), task)?;
            let sql = sql.raw(" ON target.").name(&task.series)?;
            let sql = sql.raw(" = r.series AND target.").name(&task.time)?;
            let sql = sql.raw(" = r.drawn_time SET target.").name(&task.value)?;
            let sql = sql.raw(" = r.drawn_value WHERE r.bucket_length = ");
            let sql = sql.int(task.bucket).raw(" AND r.kept = 0 AND ");
            sql.chunk("series", "bucket", chunk)
        }
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let sql = target(Sql::new(dialect, "UPDATE "), task)?.raw(" SET ");
            let sql = sql.name(&task.value)?.raw(" = (SELECT r.drawn_value ");
            let sql = fresh(sql, task, "=")?.raw(") WHERE ");
            let sql = sql.chunk(&task.series, &task.time, chunk)?;
            let sql = sql.raw(" AND EXISTS (SELECT 1 ");
            Ok(fresh(sql, task, "=")?.raw(")"))
        }
    }
}

/// The table as `target`, read along the series' index.
fn target(sql: Sql, task: &CompactTask) -> Result<Sql, StoreError> {
    let sql = sql.name(&task.table)?.raw(" AS target");
    match sql.dialect() {
        #[cfg(feature = "mysql")]
        Dialect::MySql => Ok(sql.raw(" FORCE INDEX (").name(&task.index)?.raw(")")),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => Ok(sql.raw(" INDEXED BY ").name(&task.index)?),
    }
}

/// `FROM` the freshly rolled-up bucket of `target`, if its drawn time compares like this.
fn fresh(sql: Sql, task: &CompactTask, op: &str) -> Result<Sql, StoreError> {
    let length = task.bucket;
    let sql = sql.raw("FROM ").name(&task.rollup_table())?;
    let sql = sql
        .raw(" AS r WHERE r.series = target.")
        .name(&task.series)?;
    let sql = sql.raw(&format!(
        " AND r.bucket_length = {length} AND r.bucket = target."
    ));
    let sql = sql.name(&task.time)?.raw(" - target.").name(&task.time)?;
    let sql = sql.raw(&format!(
        " % {length} AND r.kept = 0 AND r.drawn_time {op} target."
    ));
    sql.name(&task.time)
}

/// Notes that one row is kept of the buckets that were rolled up: the drawn one.
pub(in crate::store) fn close_drawn(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "UPDATE ").name(&task.rollup_table())?;
    let sql = sql.raw(" SET kept = 1, kept_sum = drawn_value WHERE ");
    let sql = sql.chunk("series", "bucket", chunk)?;
    Ok(sql.raw(&format!(
        " AND bucket_length = {} AND kept = 0",
        task.bucket
    )))
}

/// Notes how many rows are kept of the buckets that were rolled up.
pub(in crate::store) fn close_thinned(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    let counted = Sql::new(dialect, "(SELECT ")
        .name(&task.series)?
        .raw(" AS s, ");
    let counted = counted.bucket_of(task)?.raw(" AS b, COUNT(*) AS n, SUM(");
    let counted = counted.name(&task.value)?.raw(") AS total FROM ");
    let counted = counted.points_of(task, chunk)?.raw(" GROUP BY ");
    let counted = counted.name(&task.series)?.raw(", b) AS counted");
    let length = task.bucket;
    let joined = format!(
        "r.series = counted.s AND r.bucket_length = {length} AND r.bucket = counted.b AND r.kept = 0"
    );
    let sql = Sql::new(dialect, "UPDATE ")
        .name(&task.rollup_table())?
        .raw(" AS r");
    Ok(match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => sql.raw(" JOIN ").append(&counted).raw(&format!(
            " ON {joined} SET r.kept = counted.n, r.kept_sum = counted.total"
        )),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => sql
            .raw(" SET kept = counted.n, kept_sum = counted.total FROM ")
            .append(&counted)
            .raw(&format!(" WHERE {joined}")),
    })
}
