//! Compaction with the side table: roll up, change the table, note what is left.

use super::sql::rollup_fill::{self, From};
use super::sql::{envelope, rollup};
use super::walk::{Executor, number};
use super::{BucketRollup, Compacted, SeriesChunk, StoreError};
use crate::Mode;
use crate::compact::{CompactTask, Span};

/// Compacts the buckets of a chunk, inside a transaction.
pub(super) async fn compact<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Compacted, StoreError> {
    let priors = number(on, &rollup::has_priors(E::DIALECT, task, chunk)?).await? > 0;
    if priors {
        fill(on, task, chunk, From::Parts).await?;
    } else {
        fill(on, task, chunk, From::Rows).await?;
        let unsettled = rollup_fill::drop_unsettled(E::DIALECT, task, chunk)?;
        if on.change(&unsettled).await? > 0 {
            fill(on, task, chunk, From::Instants).await?;
        }
    }
    let mut done = Compacted::default();
    match task.mode {
        Mode::Envelope => {
            done.removed = on.change(&envelope::thin(E::DIALECT, task, chunk)?).await?;
            on.change(&rollup::close_thinned(E::DIALECT, task, chunk)?)
                .await?;
        }
        Mode::Mean => {
            done.removed = on
                .change(&rollup::keep_drawn(E::DIALECT, task, chunk)?)
                .await?;
            done.rewritten = on.change(&rollup::draw(E::DIALECT, task, chunk)?).await?;
            on.change(&rollup::close_drawn(E::DIALECT, task, chunk)?)
                .await?;
        }
    }
    Ok(done)
}

async fn fill<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    chunk: &SeriesChunk,
    from: From,
) -> Result<(), StoreError> {
    let sql = rollup_fill::fill(E::DIALECT, task, chunk, from)?;
    on.change(&sql).await.map(|_| ())
}

/// [`super::SeriesStore::rollups`], if there is a side table.
pub(super) async fn read<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    series: i64,
    span: Span,
    limit: u64,
) -> Result<Vec<BucketRollup>, StoreError> {
    let rows = on
        .reals(&rollup::of_series(E::DIALECT, task, series, span, limit)?)
        .await?;
    let rollup = |row: Vec<Option<f64>>| {
        let real = |i: usize| row.get(i).copied().flatten();
        // Times are exact in an f64 up to 2^53.
        let time = |i: usize| Some(real(i)? as i64);
        Some(BucketRollup {
            bucket: time(0)?,
            length: time(1)?,
            rows: real(2)? as u64,
            sum: real(3)?,
            min: real(4)?,
            max: real(5)?,
            integral: real(6)?,
            first_time: time(7)?,
            first_value: real(8)?,
            last_time: time(9)?,
            last_value: real(10)?,
            kept: real(11)? as u64,
            kept_sum: real(12)?,
            drawn: time(13).zip(real(14)),
            approximate: real(15)? > 0.0,
        })
    };
    Ok(rows.into_iter().filter_map(rollup).collect())
}
