//! The SQL of the side table: what a bucket held before rows were left out of it.
//!
//! A bucket is made of *items*, each an instant of the table or a finer bucket that was rolled up
//! before. An item knows the time it covers by itself; between items, and from the bucket's edge
//! to its first item, the value before stands.

use super::builder::{Dialect, Sql};
use super::series::instants;
use crate::Mode;
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
fn levels(task: &CompactTask) -> Vec<i64> {
    let mut levels = task.levels.clone();
    levels.retain(|level| *level <= task.bucket);
    levels.reverse();
    levels
}

/// Rolls up the buckets of a chunk that hold more rows than a minimal one. The new rows have
/// `kept = 0` until the table itself has been changed.
pub(in crate::store) fn fill(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
    priors: bool,
) -> Result<Sql, StoreError> {
    let length = task.bucket;
    let items = if priors {
        items_with_priors(dialect, task, chunk)?
    } else {
        items(dialect, task, chunk)?
    };
    let steps = Sql::new(dialect, "SELECT items.*, start_at - start_at % ")
        .raw(&length.to_string())
        .raw(
            " AS b, LAG(start_at) OVER along AS before_at, LAG(last_v) OVER along AS before_v, \
             LEAD(start_at) OVER along AS after_at FROM (",
        )
        .append(&items)
        .raw(") AS items WINDOW along AS (PARTITION BY s ORDER BY start_at)");
    let steps = carried(dialect, task, chunk, &steps)?;
    let end = format!("b + {length}");
    let held = format!("(CASE WHEN after_at < {end} THEN after_at ELSE {end} END) - end_at");
    let (first, last) = (
        "before_at IS NULL OR before_at < b",
        format!("after_at IS NULL OR after_at >= {end}"),
    );
    let buckets = Sql::new(
        dialect,
        "SELECT s, b, SUM(rows_now) AS rows_now, SUM(n) AS n, SUM(m) AS m, ",
    )
    .raw("SUM(total) AS total, MIN(lo) AS lo, MAX(hi) AS hi, ")
    .raw(&format!("SUM(own_integral + last_v * ({held}) "))
    .raw(&format!(
        "+ CASE WHEN {first} THEN COALESCE(carry * (start_at - b), 0) ELSE 0 END) AS integral, "
    ))
    .raw(&format!("SUM(own_covered + ({held}) "))
    .raw(&format!(
        "+ CASE WHEN ({first}) AND carry IS NOT NULL THEN start_at - b ELSE 0 END) AS covered, "
    ))
    .raw("MIN(first_t) AS first_t, MAX(last_t) AS last_t, ")
    .raw(&format!(
        "SUM(CASE WHEN {first} THEN first_v END) AS first_v, "
    ))
    .raw(&format!(
        "SUM(CASE WHEN {last} THEN last_v END) AS last_v, "
    ))
    .raw("MIN(anchor) AS anchor, MAX(approximate) AS approximate FROM (")
    .append(&steps)
    .raw(") AS steps GROUP BY s, b");
    let drawn = match (task.mode, chunk.sums) {
        (Mode::Envelope, _) => "NULL, NULL",
        (Mode::Mean, false) => "anchor, total / n",
        (Mode::Mean, true) => "anchor, total",
    };
    let anchored = match task.mode {
        Mode::Envelope => "",
        Mode::Mean => " AND anchor IS NOT NULL",
    };
    let per_second = task.per_second;
    let sql = Sql::new(dialect, "REPLACE INTO ").name(&task.rollup_table())?;
    Ok(sql
        .raw(&format!(
            " (series, bucket_length, bucket, rows_count, value_sum, value_min, value_max, \
             integral, covered_s, first_time, first_value, last_time, last_value, kept, kept_sum, \
             drawn_time, drawn_value, approximate) SELECT s, {length}, b, n, total, lo, hi, \
             integral / {per_second}.0, covered / {per_second}.0, first_t, first_v, last_t, \
             last_v, 0, 0, {drawn}, approximate FROM ("
        ))
        .append(&buckets)
        .raw(&format!(
            ") AS buckets WHERE n = m AND rows_now > {}{anchored}",
            task.minimal_rows()
        )))
}

/// The items of buckets of which nothing was rolled up before. Several values at one time count as
/// their mean for the integral, since nothing tells which of them stood longer.
fn items(dialect: Dialect, task: &CompactTask, chunk: &SeriesChunk) -> Result<Sql, StoreError> {
    Ok(Sql::new(
        dialect,
        "SELECT s, t AS start_at, t AS end_at, n AS rows_now, n, m, total, lo, hi, \
         0 AS own_integral, 0 AS own_covered, t AS first_t, t AS last_t, \
         total * 1.0 / m AS first_v, total * 1.0 / m AS last_v, \
         CASE WHEN n = 1 THEN t END AS anchor, 0 AS approximate FROM (",
    )
    .append(&instants(dialect, task, chunk)?)
    .raw(") AS instants"))
}

/// The items where parts may have been rolled up: the kept rows of such a part stand for all its
/// rows. More of them than were kept are late ones, whose weight is known but not their place. A
/// drawn mean is no value of its bucket and may, by a rounding, lie beyond its extremes.
fn items_with_priors(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    let levels = levels(task);
    let prior = |column: &str| {
        let all: Vec<String> = (0..levels.len())
            .map(|i| format!("r{i}.{column}"))
            .collect();
        match all.as_slice() {
            [one] => one.clone(),
            several => format!("COALESCE({})", several.join(", ")),
        }
    };
    let columns = [
        "bucket",
        "bucket_length",
        "rows_count",
        "value_sum",
        "value_min",
        "value_max",
        "integral",
        "covered_s",
        "first_time",
        "first_value",
        "last_time",
        "last_value",
        "kept",
        "kept_sum",
        "approximate",
        "drawn_time",
    ];
    let priors: Vec<String> = columns
        .iter()
        .map(|column| format!("{} AS r_{column}", prior(column)))
        .collect();
    let mut joined = Sql::new(dialect, "SELECT instants.*, ")
        .raw(&priors.join(", "))
        .raw(" FROM (")
        .append(&instants(dialect, task, chunk)?)
        .raw(") AS instants");
    for (i, level) in levels.iter().enumerate() {
        joined = joined.raw(" LEFT JOIN ").name(&task.rollup_table())?;
        joined = joined.raw(&format!(
            " AS r{i} ON r{i}.series = instants.s AND r{i}.bucket_length = {level} \
             AND r{i}.bucket = instants.t - instants.t % {level}"
        ));
    }
    let per_second = task.per_second;
    let rolled = |sum: &str, column: &str, kept: &str| {
        format!("SUM({sum}) + COALESCE(MAX(r_{column}) - MAX(r_{kept}), 0) AS {sum}")
    };
    Ok(Sql::new(
        dialect,
        "SELECT s, COALESCE(r_bucket, t) AS start_at, \
         COALESCE(r_bucket + r_bucket_length, t) AS end_at, SUM(n) AS rows_now, ",
    )
    .raw(&rolled("n", "rows_count", "kept"))
    .raw(", ")
    .raw(&rolled("m", "rows_count", "kept"))
    .raw(", ")
    .raw(&rolled("total", "value_sum", "kept_sum"))
    .raw(", MIN(CASE WHEN r_value_min < lo OR t = r_drawn_time THEN r_value_min ELSE lo END) AS lo, ")
    .raw("MAX(CASE WHEN r_value_max > hi OR t = r_drawn_time THEN r_value_max ELSE hi END) AS hi, ")
    .raw(&format!("COALESCE(MAX(r_integral), 0) * {per_second} AS own_integral, "))
    .raw(&format!("COALESCE(MAX(r_covered_s), 0) * {per_second} AS own_covered, "))
    .raw("COALESCE(MIN(r_first_time), MIN(t)) AS first_t, ")
    .raw("COALESCE(MAX(r_last_time), MAX(t)) AS last_t, ")
    .raw("COALESCE(MAX(r_first_value), MAX(total * 1.0 / m)) AS first_v, ")
    .raw("COALESCE(MAX(r_last_value), MAX(total * 1.0 / m)) AS last_v, ")
    .raw("MIN(CASE WHEN n = 1 THEN t END) AS anchor, ")
    .raw("CASE WHEN MAX(r_approximate) = 1 OR SUM(n) <> MAX(r_kept) THEN 1 ELSE 0 END AS approximate FROM (")
    .append(&joined)
    .raw(") AS joined GROUP BY s, COALESCE(r_bucket, t), COALESCE(r_bucket + r_bucket_length, t)"))
}

/// The last row before the chunk of each of its series. Written out one by one, because the
/// optimiser reads an index backwards from a place that it knows, but not from one that depends
/// on a row.
fn last_rows(dialect: Dialect, task: &CompactTask, chunk: &SeriesChunk) -> Result<Sql, StoreError> {
    let mut all = Sql::new(dialect, "");
    for (i, series) in chunk.series.iter().enumerate() {
        let union = if i == 0 { "" } else { " UNION ALL " };
        let sql = all.raw(union).raw("SELECT * FROM (SELECT ");
        let sql = sql.name(&task.series)?.raw(" AS id, ");
        let sql = sql.name(&task.time)?.raw(" AS row_t, ");
        let sql = sql.name(&task.value)?.raw(" AS row_v FROM ");
        let sql = sql.read_by(&task.table, &task.index)?.raw(" WHERE ");
        let sql = sql.name(&task.series)?.raw(" = ").int(*series);
        let sql = sql.raw(" AND ").name(&task.time)?.raw(" < ");
        let sql = sql.int(chunk.span.from).raw(" ORDER BY ");
        let sql = sql.name(&task.time)?.raw(" DESC LIMIT 1)");
        all = sql.raw(&format!(" AS last_{i}"));
    }
    Ok(all)
}

/// `steps` with the value that stands when each begins: that of the step before or, for the first
/// of a chunk, of the last row before the chunk. In `mean` mode that row may be a drawn one, whose
/// bucket's true last value the side table knows.
fn carried(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
    steps: &Sql,
) -> Result<Sql, StoreError> {
    let with_row = Sql::new(dialect, "SELECT steps.*, row_t, row_v FROM (")
        .append(steps)
        .raw(") AS steps LEFT JOIN (")
        .append(&last_rows(dialect, task, chunk)?)
        .raw(") AS last_rows ON before_at IS NULL AND last_rows.id = steps.s");
    let mut sql = Sql::new(
        dialect,
        "SELECT edged.*, CASE WHEN before_at IS NULL THEN COALESCE(",
    );
    if task.mode == Mode::Mean {
        for level in task.levels.iter().rev() {
            sql = sql
                .raw("(SELECT last_value FROM ")
                .name(&task.rollup_table())?;
            sql = sql.raw(&format!(
                " AS r WHERE r.series = edged.s AND r.bucket_length = {level} \
                 AND r.bucket = edged.row_t - edged.row_t % {level}), "
            ));
        }
    }
    // COALESCE wants two arguments.
    Ok(sql
        // What is too large to be summed up is too large to be multiplied with a length.
        .raw("CASE WHEN row_v BETWEEN -1e300 AND 1e300 THEN row_v END, NULL) ")
        .raw("ELSE before_v END AS carry FROM (")
        .append(&with_row)
        .raw(") AS edged"))
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
