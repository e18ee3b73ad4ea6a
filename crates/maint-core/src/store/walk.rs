//! The walk itself, the same for every SQL store: how a stretch is found, counted and deleted.

use std::future::Future;

use super::sql::{self, Dialect, Sql, Stretch};
use super::{Count, Counted, Extent, Position, Purged, StoreError};
use crate::{Cascade, PurgeTask, Scalar, Walk};

/// How many rows a quick look counts before it turns to an estimate.
const QUICK_LOOK: u64 = 20_000;
/// How many times are read at once to cut small chunks from.
const WINDOW: u64 = 2_000;
/// How many rows one statement passes on the way to the n-th newest.
const KEEP_STEP: u64 = 50_000;
/// The most keys that one statement names: SQLite takes 32 766 parameters, MySQL 65 535.
const MAX_KEYS: u64 = 5_000;

/// A session that carries out statements one after the other.
pub(super) trait Executor: Send {
    /// The SQL it speaks.
    const DIALECT: Dialect;

    /// Carries out a statement that returns no rows; the number of rows it changed.
    fn change(&mut self, sql: &Sql) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The rows of a query; rows with a NULL in any column are left out.
    fn query(
        &mut self,
        sql: &Sql,
    ) -> impl Future<Output = Result<Vec<Vec<Scalar>>, StoreError>> + Send;

    /// The rows of a query whose columns are all whole numbers; `None` for NULL.
    fn integers(
        &mut self,
        sql: &Sql,
    ) -> impl Future<Output = Result<Vec<Vec<Option<i64>>>, StoreError>> + Send;

    /// The rows of a query whose columns are all numbers, as real numbers; `None` for NULL.
    fn reals(
        &mut self,
        sql: &Sql,
    ) -> impl Future<Output = Result<Vec<Vec<Option<f64>>>, StoreError>> + Send;

    /// The engine's own guess at a query's number of rows, if it has one.
    fn guess(&mut self, sql: &Sql) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;
}

/// The first row of a query.
pub(super) async fn first<E: Executor>(
    on: &mut E,
    sql: &Sql,
) -> Result<Option<Vec<Scalar>>, StoreError> {
    Ok(on.query(sql).await?.into_iter().next())
}

/// The only value of a query's first row.
pub(super) async fn value<E: Executor>(
    on: &mut E,
    sql: &Sql,
) -> Result<Option<Scalar>, StoreError> {
    Ok(first(on, sql).await?.and_then(|row| row.into_iter().next()))
}

/// The number a query returns.
pub(super) async fn number<E: Executor>(on: &mut E, sql: &Sql) -> Result<u64, StoreError> {
    let [number] = numbers(on, sql).await?;
    Ok(number)
}

/// The numbers in a query's only row.
async fn numbers<E: Executor, const N: usize>(
    on: &mut E,
    sql: &Sql,
) -> Result<[u64; N], StoreError> {
    let row = first(on, sql).await?.unwrap_or_default();
    let numbers: Option<Vec<u64>> = row
        .iter()
        .map(|value| match value {
            Scalar::Int(n) => u64::try_from(*n).ok(),
            Scalar::UInt(n) => Some(*n),
            _ => None,
        })
        .collect();
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| StoreError::Failed {
            doing: format!("at `{}`", sql.text),
            source: format!("expected {N} numbers, got {row:?}").into(),
        })
}

/// [`super::Store::estimate`].
pub(super) async fn estimate<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    total: Count,
) -> Result<Extent, StoreError> {
    let oldest = value(on, &sql::edge(E::DIALECT, task, false)?).await?;
    let newest = value(on, &sql::edge(E::DIALECT, task, true)?).await?;
    let looked = number(on, &sql::quick_due(E::DIALECT, task, QUICK_LOOK)?).await?;
    let whole = match &task.walk {
        Walk::Time { .. } => looked < QUICK_LOOK,
        Walk::Key { .. } => total.exact && total.rows <= QUICK_LOOK,
    };
    let due = if whole {
        Count::exact(looked)
    } else {
        let guess = match &task.walk {
            Walk::Time { .. } => guess_due(on, task, total).await?,
            Walk::Key { .. } => None,
        };
        let rows = guess.or_else(|| {
            share_of_span(&task.due.cutoff, oldest.as_ref()?, newest.as_ref()?)
                .map(|share| (share * total.rows as f64) as u64)
        });
        Count::estimated(
            rows.unwrap_or(looked)
                .max(looked)
                .min(total.rows.max(looked)),
        )
    };
    Ok(Extent {
        rows: total,
        due,
        oldest,
        newest,
    })
}

/// The optimiser's guess. InnoDB never guesses more than half a table for a range, so the side of
/// the cutoff for which it guesses less is the one that it knows.
async fn guess_due<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    total: Count,
) -> Result<Option<u64>, StoreError> {
    let due = on.guess(&sql::one_side(E::DIALECT, task, " < ")?).await?;
    let kept = on.guess(&sql::one_side(E::DIALECT, task, " >= ")?).await?;
    Ok(due.zip(kept).map(|(due, kept)| {
        if kept < due {
            total.rows.saturating_sub(kept)
        } else {
            due
        }
    }))
}

/// The share of the time between `oldest` and `newest` that lies before the cutoff, for tables
/// that are filled evenly. Known for integer times only.
fn share_of_span(cutoff: &Scalar, oldest: &Scalar, newest: &Scalar) -> Option<f64> {
    let (Scalar::Int(cutoff), Scalar::Int(oldest), Scalar::Int(newest)) = (cutoff, oldest, newest)
    else {
        return None;
    };
    let span = (*newest as f64) - (*oldest as f64);
    (span > 0.0).then(|| (((*cutoff as f64) - (*oldest as f64)) / span).clamp(0.0, 1.0))
}

/// [`super::Store::nth_newest`], in steps of a bounded number of rows from the newest on.
pub(super) async fn nth_newest<E: Executor>(
    on: &mut E,
    table: &str,
    time: &str,
    keep: u64,
) -> Result<Option<Scalar>, StoreError> {
    let (place, mut left) = ((table, time), keep);
    let mut below: Option<Scalar> = None;
    loop {
        let step = left.min(KEEP_STEP);
        let oldest = sql::nth_below(E::DIALECT, place, below.as_ref(), step)?;
        let Some(oldest) = value(on, &oldest).await? else {
            return Ok(None);
        };
        // At least `step`; more if the step ends among rows of one instant.
        let count = sql::count_below(E::DIALECT, place, below.as_ref(), &oldest)?;
        let passed = number(on, &count).await?;
        if passed >= left {
            return Ok(Some(oldest));
        }
        left -= passed;
        below = Some(oldest);
    }
}

/// [`super::Store::count_chunk`].
pub(super) async fn count_chunk<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Counted, StoreError> {
    let boundary = sql::boundary(E::DIALECT, task, from, limit, false)?;
    let boundary = first(on, &boundary).await?;
    let stretch = Stretch {
        from,
        to: boundary.as_deref(),
    };
    let [rows, due, timed] = numbers(on, &sql::count(E::DIALECT, task, stretch)?).await?;
    let mut counted = Counted {
        rows,
        due,
        untimed: rows - timed,
        ..Counted::default()
    };
    if let (Walk::Time { .. }, None) = (&task.walk, from) {
        counted.untimed = number(on, &sql::untimed(E::DIALECT, task)?).await?;
        counted.rows += counted.untimed;
    }
    let span = first(on, &sql::span(E::DIALECT, task, stretch)?).await?;
    if let Some([oldest, newest]) = span.as_deref() {
        counted.span = Some((oldest.clone(), newest.clone()));
    }
    counted.cascaded = vec![0; task.cascaded_tables().len()];
    if due > 0 {
        let counts = sql::count_cascaded(E::DIALECT, task, stretch)?;
        for (slot, count) in counted.cascaded.iter_mut().zip(&counts) {
            *slot = number(on, count).await?;
        }
    }
    counted.next = boundary.map(|at| Position::at(at, false));
    Ok(counted)
}

/// [`super::Store::purge_chunk`], inside a transaction if the task has cascades.
pub(super) async fn purge_chunk<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Purged, StoreError> {
    if !task.cascades.is_empty() {
        purge_with_children(on, task, from, limit.min(MAX_KEYS)).await
    } else if limit < WINDOW && is_by_time_alone(task) {
        purge_by_time(on, task, from, limit).await
    } else {
        let boundary = measure(on, task, from, limit).await?;
        let stretch = Stretch {
            from,
            to: boundary.as_deref(),
        };
        let deleted = on
            .change(&sql::delete(E::DIALECT, task, stretch, limit)?)
            .await?;
        Ok(advance(task, from, boundary, deleted, limit))
    }
}

/// Whether the walk meets expired rows and no others.
fn is_by_time_alone(task: &PurgeTask) -> bool {
    let Walk::Time { .. } = &task.walk else {
        return false;
    };
    task.due.filters.is_empty() && task.due.where_sql.is_none()
}

/// The key of the `limit`-th row ahead that is not beyond the cutoff.
async fn measure<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Option<Vec<Scalar>>, StoreError> {
    first(on, &sql::boundary(E::DIALECT, task, from, limit, true)?).await
}

/// Where every row along time is expired, the times of many rows are read at once and small
/// chunks are cut at them. `LIMIT` alone from a fixed start would do, but it would read for every
/// chunk the index entries of rows deleted before, which InnoDB removes later: measured, that
/// nearly doubles the server's work.
async fn purge_by_time<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Purged, StoreError> {
    let mut times = from.map(|from| from.measured.clone()).unwrap_or_default();
    if times.is_empty() {
        times = on
            .query(&sql::times(E::DIALECT, task, from, WINDOW)?)
            .await?
            .concat();
    }
    let cut = times
        .len()
        .min(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut ahead = times.split_off(cut);
    let Some(last) = times.pop() else {
        return Ok(Purged::default());
    };
    let to = [last];
    let stretch = Stretch {
        from,
        to: Some(&to),
    };
    let deleted = on
        .change(&sql::delete(E::DIALECT, task, stretch, limit)?)
        .await?;
    // Less than full: everything of that instant is gone too, however many rows it had.
    let full = deleted >= limit;
    if !full {
        ahead.retain(|time| *time != to[0]);
    }
    let next = Position {
        at: to.to_vec(),
        inclusive: full,
        measured: ahead,
    };
    Ok(Purged {
        examined: deleted,
        deleted,
        next: Some(next),
        ..Purged::default()
    })
}

/// Deletes what hangs on the expired rows of a stretch, then these.
async fn purge_with_children<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Purged, StoreError> {
    let boundary = measure(on, task, from, limit).await?;
    let stretch = Stretch {
        from,
        to: boundary.as_deref(),
    };
    let Some(key) = task.cascades.first().map(|cascade| &cascade.parent_column) else {
        return Ok(Purged::default());
    };
    let keys = sql::due_keys(E::DIALECT, task, key, stretch, limit)?;
    let keys = on.query(&keys).await?.concat();
    let mut cascaded = vec![0; task.cascaded_tables().len()];
    if !purge_children(on, &task.cascades, &keys, limit, &mut cascaded).await? {
        // More children than one transaction should take: their parents wait for the next
        // chunk, which starts from the same place.
        let next = Some(from.cloned().unwrap_or_else(Position::beginning));
        return Ok(Purged {
            cascaded,
            next,
            ..Purged::default()
        });
    }
    let mut deleted = 0;
    if !keys.is_empty() {
        let delete = sql::delete_keys(E::DIALECT, &task.table, key, &keys, limit)?;
        deleted = on.change(&delete).await?;
    }
    Ok(Purged {
        cascaded,
        ..advance(task, from, boundary, deleted, limit)
    })
}

/// A chunk's result, and where the walk goes on after its `boundary`.
///
/// A full chunk along time may have left rows of the boundary's own instant behind (a second can
/// hold a million rows), so the walk stays there until a chunk comes back less than full.
fn advance(
    task: &PurgeTask,
    from: Option<&Position>,
    boundary: Option<Vec<Scalar>>,
    deleted: u64,
    limit: u64,
) -> Purged {
    let full = deleted >= limit;
    let along_time = matches!(&task.walk, Walk::Time { .. });
    Purged {
        examined: if boundary.is_some() { limit } else { deleted },
        deleted,
        next: match boundary {
            Some(at) => Some(Position::at(at, along_time && full)),
            None if along_time && full => Some(from.cloned().unwrap_or_else(Position::beginning)),
            None => None,
        },
        ..Purged::default()
    }
}

/// Deletes the rows that point at `keys`, deepest first, counting in the depth-first order of
/// `slots`. False if a table had more of them than `limit`; what was deleted stays deleted.
async fn purge_children<E: Executor>(
    on: &mut E,
    cascades: &[Cascade],
    keys: &[Scalar],
    limit: u64,
    slots: &mut [u64],
) -> Result<bool, StoreError> {
    if keys.is_empty() {
        return Ok(true);
    }
    let mut slot = 0;
    for cascade in cascades {
        let below = cascade.tables_below();
        let child = (cascade.table.as_str(), cascade.column.as_str());
        let mut more = false;
        let delete = match cascade.cascades.first() {
            None => sql::delete_keys(E::DIALECT, child.0, child.1, keys, limit)?,
            Some(grandchild) => {
                let wanted = &grandchild.parent_column;
                let found = sql::child_keys(E::DIALECT, child, wanted, keys, limit)?;
                let found = on.query(&found).await?.concat();
                if found.is_empty() {
                    slot += 1 + below;
                    continue;
                }
                more = found.len() as u64 >= limit;
                let slots = &mut slots[slot + 1..=slot + below];
                let all = Box::pin(purge_children(on, &cascade.cascades, &found, limit, slots));
                if !all.await? {
                    return Ok(false);
                }
                // Exactly the rows whose own children are gone, and no others.
                sql::delete_keys(E::DIALECT, child.0, wanted, &found, limit)?
            }
        };
        let deleted = on.change(&delete).await?;
        slots[slot] += deleted;
        if more || deleted >= limit {
            return Ok(false);
        }
        slot += 1 + below;
    }
    Ok(true)
}
