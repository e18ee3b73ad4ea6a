//! Compaction with the side table: roll up, change the table, note what is left.

use super::sql::{rollup, series};
use super::walk::{Executor, number};
use super::{Compacted, SeriesChunk, StoreError};
use crate::Mode;
use crate::compact::CompactTask;

/// Compacts the buckets of a chunk, inside a transaction.
pub(super) async fn compact<E: Executor>(
    on: &mut E,
    task: &CompactTask,
    chunk: &SeriesChunk,
) -> Result<Compacted, StoreError> {
    let priors = number(on, &rollup::has_priors(E::DIALECT, task, chunk)?).await? > 0;
    on.change(&rollup::fill(E::DIALECT, task, chunk, priors)?)
        .await?;
    let mut done = Compacted::default();
    match task.mode {
        Mode::Envelope => {
            done.removed = on.change(&series::thin(E::DIALECT, task, chunk)?).await?;
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
