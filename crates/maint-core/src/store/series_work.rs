//! Compaction itself, the same for every SQL store.

use std::collections::BTreeMap;

use super::named;
use super::sql::{envelope, series as sql};
use super::walk::{Executor, value};
use super::{
    BucketPreview, Compacted, Mark, Part, Pass, PastLength, SeriesChunk, SeriesWork, StoreError,
    Survey,
};
use crate::compact::{CompactTask, Span};
use crate::{Kind, Kinds, Mode, Scalar};

fn int(value: Option<&Scalar>) -> Option<i64> {
    match value? {
        Scalar::Int(n) => Some(*n),
        Scalar::UInt(n) => i64::try_from(*n).ok(),
        _ => None,
    }
}

/// [`super::SeriesStore::prepare_series`].
pub(super) async fn prepare<E: Executor>(on: &mut E, task: &CompactTask) -> Result<(), StoreError> {
    on.change(&sql::create_state(E::DIALECT)?).await?;
    if task.rollup {
        on.change(&super::sql::rollup::create(E::DIALECT, task)?)
            .await?;
    }
    Ok(())
}

/// [`super::SeriesStore::mark`], if the state table exists.
pub(super) async fn mark<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    pass: Pass,
) -> Result<Option<Mark>, StoreError> {
    let rows = on.integers(&sql::mark(E::DIALECT, task, pass)?).await?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(None);
    };
    let at = |i: usize| row.get(i).copied().flatten();
    let part = at(3).zip(at(4));
    Ok(Some(Mark {
        done_until: at(0).unwrap_or(0),
        slab_until: at(1),
        series_done: at(2),
        part: part.map(|(series, until)| Part { series, until }),
        rows_removed: at(5).and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
    }))
}

/// [`super::SeriesStore::past_lengths`], if the state table exists.
pub(super) async fn past_lengths<E: Executor>(
    on: &mut E,
    table: &str,
) -> Result<Vec<PastLength>, StoreError> {
    let rows = on.integers(&sql::past_lengths(E::DIALECT, table)?).await?;
    let past = |row: Vec<Option<i64>>| {
        Some(PastLength {
            bucket: (*row.first()?)?,
            rolled_up: *row.get(1)? == Some(1),
        })
    };
    Ok(rows.into_iter().filter_map(past).collect())
}

/// [`super::SeriesStore::set_mark`].
pub(super) async fn set_mark<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    pass: Pass,
    mark: &Mark,
) -> Result<(), StoreError> {
    let sql = sql::set_mark(E::DIALECT, task, pass, mark, 0)?;
    on.change(&sql).await.map(|_| ())
}

/// [`super::SeriesStore::oldest_point`].
pub(super) async fn oldest<E: Executor>(
    on: &mut E,
    task: &CompactTask,
) -> Result<Option<i64>, StoreError> {
    let oldest = value(on, &sql::oldest(E::DIALECT, task)?).await?;
    Ok(int(oldest.as_ref()))
}

/// [`super::SeriesStore::survey`].
pub(super) async fn survey<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    span: Span,
    after: Option<i64>,
    limit: u64,
    above: u64,
) -> Result<Survey, StoreError> {
    let ids = on
        .query(&sql::next_series(E::DIALECT, task, after, limit)?)
        .await?
        .concat();
    let last = int(ids.last());
    let kinds = kinds(on, task, &ids).await?;
    if kinds.is_empty() {
        return Ok(Survey {
            series: Vec::new(),
            last,
        });
    }
    let chunk = SeriesChunk {
        series: kinds.keys().copied().collect(),
        span,
        sums: false,
    };
    let mut series: Vec<SeriesWork> = Vec::new();
    for row in on
        .query(&sql::large_buckets(E::DIALECT, task, &chunk, above)?)
        .await?
    {
        let (Some(id), Some(bucket), Some(rows)) =
            (int(row.first()), int(row.get(1)), int(row.get(2)))
        else {
            continue;
        };
        let bucket = (bucket, u64::try_from(rows).unwrap_or(0));
        match series.last_mut().filter(|work| work.series == id) {
            Some(work) => work.buckets.push(bucket),
            None => series.extend(kinds.get(&id).map(|kind| SeriesWork {
                series: id,
                kind: *kind,
                buckets: vec![bucket],
            })),
        }
    }
    Ok(Survey { series, last })
}

/// The series among `ids` that may be compacted, with their kinds.
async fn kinds<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    ids: &[Scalar],
) -> Result<BTreeMap<i64, Kind>, StoreError> {
    let all = |kind: Kind| {
        let ids = ids.iter().filter_map(|id| int(Some(id)));
        ids.map(|id| (id, kind)).collect::<BTreeMap<_, _>>()
    };
    match &task.kinds {
        _ if ids.is_empty() => Ok(BTreeMap::new()),
        Kinds::All(kind) if kind.fits(task.mode) => Ok(all(*kind)),
        Kinds::All(_) => Ok(BTreeMap::new()),
        Kinds::Listed(list) => {
            let ids = ids.iter().filter_map(|id| int(Some(id)));
            let known = ids.filter_map(|id| Some((id, list.kind(id)?)));
            Ok(known.filter(|(_, kind)| kind.fits(task.mode)).collect())
        }
        Kinds::Lookup {
            table,
            key,
            column,
            types,
            except,
        } => {
            let place = (table.as_str(), key.as_str(), column.as_str());
            let types_of = |ids: &[Scalar], _| sql::types(E::DIALECT, place, ids);
            let rows = named::query(on, ids, u64::MAX, types_of).await?;
            let known = rows.iter().filter_map(|row| {
                let kind = types.get(&int(row.get(1))?)?;
                kind.fits(task.mode).then_some((int(row.first())?, *kind))
            });
            let mut known: BTreeMap<i64, Kind> = known.collect();
            for except in except {
                let excepted = |ids: &[Scalar], _| sql::excepted(E::DIALECT, except, ids);
                for row in named::query(on, ids, u64::MAX, excepted).await? {
                    int(row.first()).map(|id| known.remove(&id));
                }
            }
            Ok(known)
        }
    }
}

/// [`super::SeriesStore::compact_chunk`], inside a transaction.
pub(super) async fn compact_chunk<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    chunk: &SeriesChunk,
    pass: Pass,
    mark: &Mark,
) -> Result<Compacted, StoreError> {
    let done = match (task.mode, task.rollup) {
        (Mode::Envelope, false) => Compacted {
            removed: on.change(&envelope::thin(E::DIALECT, task, chunk)?).await?,
            ..Compacted::default()
        },
        _ => super::rollup_work::compact(on, task, chunk).await?,
    };
    on.change(&sql::set_mark(E::DIALECT, task, pass, mark, done.removed)?)
        .await?;
    Ok(done)
}

/// [`super::SeriesStore::preview`].
pub(super) async fn preview<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Vec<BucketPreview>, StoreError> {
    let rows = on
        .reals(&envelope::preview(E::DIALECT, task, chunk)?)
        .await?;
    let bucket = |row: &Vec<Option<f64>>| {
        let at = |i: usize| row.get(i).copied().flatten().unwrap_or(0.0);
        let (rows, gone, nulls) = (at(0) as u64, at(1) as u64, at(3) as u64);
        let kept = match task.mode {
            Mode::Envelope => rows - gone.min(rows),
            Mode::Mean if nulls > 0 => rows,
            Mode::Mean => rows.min(1),
        };
        BucketPreview {
            rows,
            kept,
            // Halved in the query, where it must not overflow.
            range: (at(2) * 2.0).min(f64::MAX),
        }
    };
    Ok(rows.iter().map(bucket).collect())
}

/// How often, and how many at once, series are read to fill up a sample.
const FILL_ROUNDS: u64 = 10;
const FILL_SERIES: u64 = 100;

/// [`super::SeriesStore::some_series`]: evenly spread over the numbers, whatever their gaps.
pub(super) async fn some_series<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    count: u64,
) -> Result<Vec<i64>, StoreError> {
    let ends = super::walk::first(on, &sql::series_ends(E::DIALECT, task)?).await?;
    let ends = ends.unwrap_or_default();
    let (Some(first), Some(last)) = (int(ends.first()), int(ends.get(1))) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let width = (i128::from(last) - i128::from(first) + 1).max(1);
    for i in 0..count {
        // The middle of each part, so that the ends, which are often special, do not lead.
        let part = width * i128::from(2 * i + 1) / i128::from(2 * count.max(1));
        let before = i64::try_from(i128::from(first) + part - 1).ok();
        let next = sql::next_series(E::DIALECT, task, before, 1)?;
        let ids = on.query(&next).await?.concat();
        for id in kinds(on, task, &ids).await?.into_keys() {
            if found.last() != Some(&id) {
                found.push(id);
            }
        }
    }
    // Where the numbers have large gaps, most parts found the same one: the first ones fill up.
    let mut after = None;
    for _ in 0..FILL_ROUNDS {
        if found.len() as u64 >= count {
            break;
        }
        let next = sql::next_series(E::DIALECT, task, after, FILL_SERIES)?;
        let ids = on.query(&next).await?.concat();
        after = int(ids.last());
        let known = kinds(on, task, &ids).await?;
        let new: Vec<i64> = known.into_keys().filter(|id| !found.contains(id)).collect();
        found.extend(new.into_iter().take(count as usize - found.len()));
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

/// [`super::SeriesStore::points`].
pub(super) async fn points<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    series: i64,
    span: Span,
    limit: u64,
) -> Result<Vec<(i64, Option<f64>)>, StoreError> {
    let rows = on
        .reals(&sql::points(E::DIALECT, task, series, span, limit)?)
        .await?;
    // Times are exact in an f64 up to 2^53, in milliseconds beyond the year 280 000.
    let point = |row: Vec<Option<f64>>| Some(((*row.first()?)? as i64, *row.get(1)?));
    Ok(rows.into_iter().filter_map(point).collect())
}
