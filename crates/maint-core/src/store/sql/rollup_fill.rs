//! The SQL that rolls buckets up: from rows, from instants, or from what was rolled up before.
//!
//! A bucket is made of *items*, each an instant of the table or a finer bucket that was rolled up
//! before. An item knows the time it covers by itself; between items, and from the bucket's edge
//! to its first item, the value before stands.

use super::builder::{Dialect, Sql};
use super::envelope::instants;
use super::rollup::levels;
use crate::Mode;
use crate::compact::CompactTask;
use crate::store::{SeriesChunk, StoreError};

/// What the buckets of a chunk are rolled up from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum From {
    /// Rows, of which no two stand at one time: the usual case, and the quickest. A bucket where
    /// two do, or before which they do, gets `kept` = -1, for [`drop_unsettled`] to find.
    Rows,
    /// Instants, of which nothing was rolled up before.
    Instants,
    /// Instants and what was rolled up before.
    Parts,
}

/// Rolls up the buckets of a chunk that hold more rows than a minimal one. The new rows have
/// `kept = 0` until the table itself has been changed.
pub(in crate::store) fn fill(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
    from: From,
) -> Result<Sql, StoreError> {
    let length = task.bucket;
    let buckets = match from {
        From::Rows => buckets_of_rows(dialect, task, chunk)?,
        From::Instants => buckets_of_items(dialect, task, chunk, &items(dialect, task, chunk)?)?,
        From::Parts => {
            let items = items_with_priors(dialect, task, chunk)?;
            buckets_of_items(dialect, task, chunk, &items)?
        }
    };
    let kept = match from {
        From::Rows => "CASE WHEN twins > 0 THEN -1 ELSE 0 END",
        From::Instants | From::Parts => "0",
    };
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
             last_v, {kept}, 0, {drawn}, approximate FROM ("
        ))
        .append(&buckets)
        .raw(&format!(
            ") AS buckets WHERE n = m AND rows_now > {}{anchored}",
            task.minimal_rows()
        )))
}

/// Forgets the buckets that [`From::Rows`] could not settle.
pub(in crate::store) fn drop_unsettled(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "DELETE FROM ").name(&task.rollup_table())?;
    let sql = sql.raw(" WHERE ").chunk("series", "bucket", chunk)?;
    let length = task.bucket;
    Ok(sql.raw(&format!(" AND bucket_length = {length} AND kept = -1")))
}

/// How long a step that ends at `end_at` stands in its bucket, and whether it is the first or the
/// last there.
struct Edges {
    held: String,
    first: &'static str,
    last: String,
}

fn edges(length: i64, end_at: &str) -> Edges {
    let end = format!("b + {length}");
    Edges {
        held: format!("(CASE WHEN after_at < {end} THEN after_at ELSE {end} END) - {end_at}"),
        first: "before_at IS NULL OR before_at < b",
        last: format!("after_at IS NULL OR after_at >= {end}"),
    }
}

/// The buckets of a chunk, if no two rows of a series stand at one time. Windows over as few
/// columns as can be: they are what a roll-up costs most.
fn buckets_of_rows(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    // As in `instants`: values whose sums could overflow count as none.
    let value = |sql: Sql| -> Result<Sql, StoreError> {
        let sql = sql.raw("CASE WHEN ").name(&task.value)?;
        let sql = sql.raw(" BETWEEN -1e300 AND 1e300 THEN ");
        Ok(sql.name(&task.value)?.raw(" END"))
    };
    let sql = Sql::new(dialect, "SELECT ")
        .name(&task.series)?
        .raw(" AS s, ");
    let sql = sql.name(&task.time)?.raw(" AS start_at, ");
    let sql = value(sql)?.raw(" AS v, ");
    let sql = sql.bucket_of(task)?.raw(" AS b, LAG(").name(&task.time)?;
    let sql = value(sql.raw(") OVER along AS before_at, LAG("))?;
    let sql = sql.raw(") OVER along AS before_v, LAG(").name(&task.time)?;
    let sql = sql
        .raw(", 2) OVER along AS earlier_at, LEAD(")
        .name(&task.time)?;
    let sql = sql.raw(") OVER along AS after_at FROM ");
    let sql = sql
        .points_of(task, chunk)?
        .raw(" WINDOW along AS (PARTITION BY ");
    let sql = sql.name(&task.series)?.raw(" ORDER BY ");
    // Locked as the deletes that follow will want them: a shared lock first would cost a second
    // one of every row, and a deadlock with whoever waits for the same row in between.
    let steps = sql.name(&task.time)?.raw(")").for_update();
    let Edges { held, first, last } = edges(task.bucket, "start_at");
    Ok(Sql::new(
        dialect,
        "SELECT s, b, COUNT(*) AS rows_now, COUNT(*) AS n, COUNT(v) AS m, SUM(v) AS total, \
         MIN(v) AS lo, MAX(v) AS hi, ",
    )
    .raw(&format!(
        "SUM(v * ({held}) + CASE WHEN {first} THEN COALESCE(carry * (start_at - b), 0) ELSE 0 END) \
         AS integral, "
    ))
    .raw(&format!(
        "SUM(({held}) + CASE WHEN ({first}) AND carry IS NOT NULL THEN start_at - b ELSE 0 END) \
         AS covered, MIN(start_at) AS first_t, MAX(start_at) AS last_t, "
    ))
    .raw(&format!("SUM(CASE WHEN {first} THEN v END) AS first_v, "))
    .raw(&format!("SUM(CASE WHEN {last} THEN v END) AS last_v, "))
    .raw("MIN(start_at) AS anchor, 0 AS approximate, ")
    // Also the first row after two: what stands before it is not the value of one of them.
    .raw("SUM(CASE WHEN after_at = start_at OR earlier_at = before_at THEN 1 ELSE 0 END) AS twins FROM (")
    .append(&carried(dialect, task, chunk, &steps)?)
    .raw(") AS steps GROUP BY s, b"))
}

/// The buckets that some items make up.
fn buckets_of_items(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
    items: &Sql,
) -> Result<Sql, StoreError> {
    let length = task.bucket;
    let steps = Sql::new(dialect, "SELECT items.*, start_at - start_at % ")
        .raw(&length.to_string())
        .raw(
            " AS b, LAG(start_at) OVER along AS before_at, LAG(last_v) OVER along AS before_v, \
             LEAD(start_at) OVER along AS after_at FROM (",
        )
        .append(items)
        .raw(") AS items WINDOW along AS (PARTITION BY s ORDER BY start_at)");
    let steps = carried(dialect, task, chunk, &steps)?;
    let Edges { held, first, last } = edges(length, "end_at");
    Ok(Sql::new(
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
    .raw(") AS steps GROUP BY s, b"))
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
