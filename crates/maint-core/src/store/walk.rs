//! The walk itself, the same for every SQL store: how a stretch is found and counted.

use std::future::Future;

use super::sql::{self, Dialect, Sql, Stretch};
use super::{Count, Counted, Extent, Position, StoreError};
use crate::{PurgeTask, Scalar, Walk};

/// How many rows a quick look counts before it turns to an estimate.
const QUICK_LOOK: u64 = 20_000;
/// How many rows one statement passes on the way to the n-th newest.
const KEEP_STEP: u64 = 50_000;

/// A session that carries out statements one after the other.
pub(super) trait Executor: Send {
    /// The SQL it speaks.
    const DIALECT: Dialect;

    /// The most keys that one statement names.
    const MOST_KEYS: usize;

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
    let (oldest, newest, looked) = extent(on, task).await?;
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

/// The time at both ends of the walk and the expired rows that a quick look sees. There is no such
/// row where one of the ends has no time, as those of an empty table: then one asks for each.
async fn extent<E: Executor>(
    on: &mut E,
    task: &PurgeTask,
) -> Result<(Option<Scalar>, Option<Scalar>, u64), StoreError> {
    let extent = sql::extent(E::DIALECT, task, QUICK_LOOK)?;
    if let Some(row) = first(on, &extent).await?
        && let Ok([oldest, newest, Scalar::Int(looked)]) = <[Scalar; 3]>::try_from(row)
        && let Ok(looked) = u64::try_from(looked)
    {
        return Ok((Some(oldest), Some(newest), looked));
    }
    let oldest = value(on, &sql::edge(E::DIALECT, task, false)?).await?;
    let newest = value(on, &sql::edge(E::DIALECT, task, true)?).await?;
    let looked = number(on, &sql::quick_due(E::DIALECT, task, QUICK_LOOK)?).await?;
    Ok((oldest, newest, looked))
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
