//! The SQL of `envelope` mode: which rows of a bucket its chart does not need.

use super::builder::{Dialect, Sql};
use crate::compact::CompactTask;
use crate::store::{SeriesChunk, StoreError};

/// The instants of a chunk: how many rows stand at one time (`n`), how many of them have a value
/// (`m`), and their extremes.
pub(super) fn instants(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ")
        .name(&task.series)?
        .raw(" AS s, ");
    let mut sql = sql.name(&task.time)?.raw(" AS t, COUNT(*) AS n, ");
    let sums = task.rollup || task.max_mean_shift.is_some();
    let calls = [
        ("COUNT", "m"),
        ("MIN", "lo"),
        ("MAX", "hi"),
        ("SUM", "total"),
    ];
    // Sums only where they are wanted. Values whose sums could overflow, which MariaDB takes for
    // 0, then count as none, so that their buckets stay as they are.
    let wanted = if sums { 4 } else { 3 };
    for (call, name) in &calls[..wanted] {
        sql = sql.raw(call).raw("(");
        if sums {
            sql = sql.raw("CASE WHEN ").name(&task.value)?;
            sql = sql.raw(" BETWEEN -1e300 AND 1e300 THEN ");
        }
        sql = sql.name(&task.value)?;
        let end = if sums { " END) AS " } else { ") AS " };
        sql = sql.raw(end).raw(name).raw(", ");
    }
    let sql = sql
        .bucket_of(task)?
        .raw(" AS b FROM ")
        .points_of(task, chunk)?;
    let sql = sql.raw(" GROUP BY ").name(&task.series)?;
    sql.raw(", ").name(&task.time)
}

/// Every instant of a chunk with what decides whether the envelope needs it: whether it is the
/// last of its bucket, the bucket's extremes and those of the instants before it, and how many
/// rows of the bucket have no value. Windows cost more than all else here, so there are few.
fn judged(dialect: Dialect, task: &CompactTask, chunk: &SeriesChunk) -> Result<Sql, StoreError> {
    let bucket = "PARTITION BY s, b";
    let before = "PARTITION BY s, b ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING";
    let along = "PARTITION BY s, b ORDER BY t";
    let mut windows = vec![
        ("LEAD(t)", along, "after_t"),
        ("MIN(lo)", before, "lo_before"),
        ("MAX(hi)", before, "hi_before"),
        ("MIN(lo)", bucket, "lowest"),
        ("MAX(hi)", bucket, "highest"),
        ("SUM(n - m)", bucket, "unvalued"),
    ];
    if task.max_mean_shift.is_some() {
        windows.push(("ROW_NUMBER()", along, "place"));
    }
    let windows: Vec<String> = windows
        .iter()
        .map(|(call, over, name)| format!("{call} OVER ({over}) AS {name}"))
        .collect();
    Ok(Sql::new(dialect, "SELECT instants.*, ")
        .raw(&windows.join(", "))
        .raw(" FROM (")
        .append(&instants(dialect, task, chunk)?)
        .raw(") AS instants"))
}

/// True of instants that the envelope does not need: neither the first (before which there are no
/// extremes) nor the last of their bucket, nor the first with its lowest or highest value, in a
/// bucket where every row has one.
const DISPENSABLE: &str = "unvalued = 0 AND lo_before IS NOT NULL AND after_t IS NOT NULL \
    AND NOT (lo = lowest AND lo_before > lo) AND NOT (hi = highest AND hi_before < hi)";

/// Every instant of a chunk, with `gone` = 1 where it is not needed.
fn flagged(dialect: Dialect, task: &CompactTask, chunk: &SeriesChunk) -> Result<Sql, StoreError> {
    let judged = judged(dialect, task, chunk)?;
    let Some(limit) = task.max_mean_shift else {
        return Ok(Sql::new(dialect, "SELECT judged.*, CASE WHEN ")
            .raw(DISPENSABLE)
            .raw(" THEN 1 ELSE 0 END AS gone FROM (")
            .append(&judged)
            .raw(") AS judged"));
    };
    // More instants are kept, evenly over the bucket: every k-th, for the largest power of two k
    // with which the mean of what is kept is near enough. An instant's stride is the largest
    // power of two that divides its place; the envelope's instants have one beyond all others.
    let strides = Sql::new(
        dialect,
        "SELECT judged.*, total * 1.0 - n * lowest AS above, CASE WHEN ",
    )
    .raw(DISPENSABLE)
    .raw(" THEN (place - 1) & -(place - 1) ELSE 4611686018427387904 END AS stride FROM (")
    .append(&judged)
    .raw(") AS judged");
    let upto = "PARTITION BY s, b ORDER BY stride DESC";
    let all = "PARTITION BY s, b";
    let mean = |over: &str| format!("SUM(above) OVER ({over}) / SUM(n) OVER ({over})");
    let fits = format!(
        "highest = lowest OR ABS({} - {}) <= {limit:e} * (highest - lowest)",
        mean(upto),
        mean(all)
    );
    let fitting = Sql::new(dialect, "SELECT strides.*, CASE WHEN ")
        .raw(&fits)
        .raw(" THEN stride ELSE 1 END AS fitting FROM (")
        .append(&strides)
        .raw(") AS strides");
    Ok(Sql::new(
        dialect,
        "SELECT fits.*, CASE WHEN stride < MAX(fitting) OVER (PARTITION BY s, b) \
         THEN 1 ELSE 0 END AS gone FROM (",
    )
    .append(&fitting)
    .raw(") AS fits"))
}

/// Deletes the rows of a chunk that the envelope does not need.
pub(in crate::store) fn thin(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    // No row has a name of its own, but all rows of an instant go or stay together.
    let gone = Sql::new(dialect, "SELECT s, t FROM (")
        .append(&flagged(dialect, task, chunk)?)
        .raw(") AS flagged WHERE gone = 1");
    match dialect {
        #[cfg(feature = "mysql")]
        Dialect::MySql => {
            let sql = Sql::new(dialect, "DELETE target FROM (")
                .append(&gone)
                .raw(") AS gone STRAIGHT_JOIN ");
            let sql = sql.name(&task.table)?.raw(" AS target FORCE INDEX (");
            let sql = sql.name(&task.index)?.raw(") ON target.");
            let sql = sql.name(&task.series)?.raw(" = gone.s AND target.");
            Ok(sql.name(&task.time)?.raw(" = gone.t"))
        }
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let sql = Sql::new(dialect, "DELETE FROM ").name(&task.table)?;
            let sql = sql.raw(" WHERE (").name(&task.series)?.raw(", ");
            let sql = sql.name(&task.time)?.raw(") IN (");
            Ok(sql.append(&gone).raw(")"))
        }
    }
}

/// For each bucket of a chunk: rows, rows that the envelope does not need, range of the values.
pub(in crate::store) fn preview(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Sql, StoreError> {
    Ok(Sql::new(
        dialect,
        "SELECT SUM(n), SUM(n * gone), COALESCE(MAX(hi) / 2 - MIN(lo) / 2, 0), SUM(n - m) FROM (",
    )
    .append(&flagged(dialect, task, chunk)?)
    .raw(") AS flagged GROUP BY s, b"))
}
