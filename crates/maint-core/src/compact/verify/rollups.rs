//! The table held against the side table, without a run.

use elpis_run::{Clock, StopToken};

use super::account::{Known, agrees};
use super::promise::between;
use super::read::{PIECE, Reader, end_of, longest_start};
use super::{CANDIDATES, CompactTask, POINTS, READING, SERIES, Span, Verification, spread};
use crate::compact::CompactPlan;
use crate::store::{BucketRollup, SeriesStore, StoreError};

/// Compares, for some series of every table of `plan` with a side table, the rows of the table
/// with what the side table says was kept of their buckets: some ten thousand rows of each table,
/// for at most 10 seconds each. Changes nothing.
///
/// Buckets that begin before the oldest row of their table are left out: a purge has been there.
/// Rows that arrived after their bucket was compacted are no failure.
///
/// # Errors
/// [`StoreError`], as from any read. A stop ends it early with what was found until then.
pub async fn verify_rollups<S: SeriesStore>(
    plan: &CompactPlan,
    store: &mut S,
    clock: &dyn Clock,
    stop: &StopToken,
) -> Result<Verification, StoreError> {
    let mut found = Verification::new();
    let mut done: Vec<&str> = Vec::new();
    for tier in plan.tiers.iter().filter(|tier| tier.task.rollup) {
        let table = tier.task.table.as_str();
        if done.contains(&table) {
            continue;
        }
        done.push(table);
        let of_table = plan.tiers.iter().filter(|tier| tier.task.table == table);
        let Some(until) = of_table
            .map(|tier| tier.sealed.to.max(tier.fresh.from))
            .max()
        else {
            continue;
        };
        let until_read = clock.monotonic().saturating_add(READING);
        let reader = Reader {
            store: &mut *store,
            clock,
            until: Some(until_read),
        };
        found.absorb(table_agrees(&tier.task, until, reader, stop).await?);
    }
    Ok(found)
}

async fn table_agrees<S: SeriesStore>(
    task: &CompactTask,
    until: i64,
    mut reader: Reader<'_, S>,
    stop: &StopToken,
) -> Result<Verification, StoreError> {
    let mut found = Verification::new();
    let Some(oldest) = reader.store.oldest_point(task).await? else {
        return Ok(found);
    };
    let all = Span {
        from: longest_start(task, oldest),
        to: until,
    };
    for series in spread(reader.store.some_series(task, CANDIDATES).await?) {
        if stop.is_stopped() || reader.is_over() {
            break;
        }
        // All of it if that is not much, or else, of a long time, another piece of each series.
        let nth = usize::try_from(found.series).unwrap_or(0);
        let mut rollups = reader
            .store
            .rollups(task, series, all, PIECE as u64)
            .await?;
        if rollups.len() >= PIECE {
            let from = longest_start(task, end_of(task, all, nth % PARTS + 1, PARTS));
            let piece = Span { from, to: until };
            rollups = reader
                .store
                .rollups(task, series, piece, PIECE as u64)
                .await?;
        }
        if let Some(one) = series_agrees(task, series, oldest, rollups, &mut reader).await? {
            found.absorb(one);
        }
        if found.series >= SERIES as u64 {
            break;
        }
    }
    Ok(found)
}

/// Into how many parts the time is divided.
const PARTS: usize = 8;

/// One series; `None` if it has no rollups here.
async fn series_agrees<S: SeriesStore>(
    task: &CompactTask,
    series: i64,
    oldest: i64,
    rollups: Vec<BucketRollup>,
    reader: &mut Reader<'_, S>,
) -> Result<Option<Verification>, StoreError> {
    let known = Known {
        points: Vec::new(),
        rollups,
    };
    let mut speaking = known.speaking();
    speaking.retain(|rollup| rollup.bucket > oldest);
    let (Some(first), Some(last)) = (speaking.first(), speaking.last()) else {
        return Ok(None);
    };
    let span = Span {
        from: first.bucket,
        to: last.bucket + last.length,
    };
    let Some(points) = reader.points(task, series, span, POINTS).await? else {
        return Ok(None);
    };
    let mut found = Verification::new();
    found.series = 1;
    found.points_after = points.len() as u64;
    for rollup in speaking {
        let end = rollup.bucket + rollup.length;
        found.rollups += 1;
        if let Some(what) = agrees(task, rollup, between(&points, rollup.bucket, end)) {
            let bucket = Span {
                from: rollup.bucket,
                to: end,
            };
            found.fail(task, series, bucket, rollup.bucket, what);
        }
    }
    Ok(Some(found))
}
