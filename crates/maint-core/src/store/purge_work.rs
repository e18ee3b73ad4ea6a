//! The deletion of expired rows, the same for every SQL store.

use super::named::{child_keys, delete_keys};
use super::sql::{self, Stretch, purge as stmt};
use super::walk::{Executor, first};
use super::{Position, Purged, StoreError};
use crate::{Cascade, PurgeTask, Scalar, Walk};

/// How many times are read at once to cut small chunks from.
const WINDOW: u64 = 2_000;
/// The most rows of one transaction if others hang on them.
const MOST_PARENTS: u64 = 5_000;

/// [`super::Store::purge_chunk`], inside a transaction if the task has cascades.
pub(super) async fn purge_chunk<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Purged, StoreError> {
    if !task.cascades.is_empty() {
        purge_with_children(on, task, from, limit.min(MOST_PARENTS)).await
    } else if limit < WINDOW && is_by_time_alone(task) {
        purge_by_time(on, task, from, limit).await
    } else {
        let boundary = measure(on, task, from, limit).await?;
        let stretch = Stretch {
            from,
            to: boundary.as_deref(),
        };
        let deleted = delete_due(on, task, stretch, limit).await?;
        Ok(advance(task, from, boundary, deleted, limit))
    }
}

/// Deletes the expired rows of a stretch. A delete locks and marks whatever it passes, so that it
/// only gets what lies between the first and the last of them; along time all of a stretch that has
/// a measured end is expired.
async fn delete_due<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
    stretch: Stretch<'_>,
    limit: u64,
) -> Result<u64, StoreError> {
    let along_time = matches!(task.walk, Walk::Time { .. });
    if along_time && stretch.to.is_some() {
        let delete = stmt::delete(E::DIALECT, task, stretch, limit)?;
        return on.change(&delete).await;
    }
    let Some(oldest) = first(on, &stmt::due_edge(E::DIALECT, task, stretch, false)?).await? else {
        return Ok(0);
    };
    if along_time {
        let delete = stmt::delete(E::DIALECT, task, stretch, limit)?;
        return on.change(&delete).await;
    }
    let last = first(on, &stmt::due_edge(E::DIALECT, task, stretch, true)?).await?;
    let begin = Position::at(oldest, true);
    let narrow = Stretch {
        from: Some(&begin),
        to: last.as_deref().or(stretch.to),
    };
    let delete = stmt::delete(E::DIALECT, task, narrow, limit)?;
    on.change(&delete).await
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
            .query(&stmt::times(E::DIALECT, task, from, WINDOW)?)
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
        .change(&stmt::delete(E::DIALECT, task, stretch, limit)?)
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
    let keys = stmt::due_keys(E::DIALECT, task, key, stretch, limit)?;
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
    let deleted = delete_keys(on, (&task.table, key), &keys, limit).await?;
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
        let deleted = match cascade.cascades.first() {
            None => delete_keys(on, child, keys, limit).await?,
            Some(grandchild) => {
                let wanted = &grandchild.parent_column;
                let found = child_keys(on, child, wanted, keys, limit).await?;
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
                delete_keys(on, (child.0, wanted), &found, limit).await?
            }
        };
        slots[slot] += deleted;
        if more || deleted >= limit {
            return Ok(false);
        }
        slot += 1 + below;
    }
    Ok(true)
}
