//! What a store must offer for sweeps: rows that are judged by their relations.

use std::collections::BTreeMap;
use std::future::Future;

use super::{Position, Shape, Store, StoreError};
use crate::Scalar;
use crate::sweep::SweepTask;

/// A row's key on its walk.
pub type RowKey = Vec<Scalar>;

/// A database whose tables belong together.
///
/// A sweep looks first and acts later: [`look`](RelationStore::look) reads a stretch of the walk
/// without locking anything, [`sweep`](RelationStore::sweep) looks at what was found once more,
/// locked, and acts on what still meets the conditions.
pub trait RelationStore: Store {
    /// The structure of every table of the database, by name, without counting rows.
    fn outline(
        &mut self,
    ) -> impl Future<Output = Result<BTreeMap<String, Shape>, StoreError>> + Send;

    /// Whether a table holds no row at all.
    fn is_empty(&mut self, table: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Looks at the next `limit` rows (or values) of the walk from `from` on, from its beginning
    /// if that is `None`. Changes nothing and locks nothing.
    fn look(
        &mut self,
        task: &SweepTask,
        from: Option<&Position>,
        limit: u64,
    ) -> impl Future<Output = Result<Looked, StoreError>> + Send {
        async move {
            let mut looked = self.look_for(&[task], from, limit).await?;
            Ok(Looked {
                examined: looked.examined,
                found: looked.found.pop().unwrap_or_default(),
                next: looked.next,
            })
        }
    }

    /// The same for several tasks at once, which walk the same table in the same way: each row is
    /// read once, whatever becomes of it.
    fn look_for(
        &mut self,
        tasks: &[&SweepTask],
        from: Option<&Position>,
        limit: u64,
    ) -> impl Future<Output = Result<LookedFor, StoreError>> + Send;

    /// Counts what acting on `found` would change. Changes nothing.
    fn weigh(
        &mut self,
        task: &SweepTask,
        found: &[RowKey],
    ) -> impl Future<Output = Result<Weighed, StoreError>> + Send;

    /// Acts on those of `found` that still meet the conditions, in one short transaction whose
    /// statements change at most `limit` rows each. `found` has at most `limit` keys.
    ///
    /// Where more hangs on the rows than that, as much of it goes and the rows wait:
    /// [`Swept::complete`] is false, and the same call again goes on. When it returns, the changes
    /// are durable; when it fails, nothing of this call is.
    fn sweep(
        &mut self,
        task: &SweepTask,
        found: &[RowKey],
        limit: u64,
    ) -> impl Future<Output = Result<Swept, StoreError>> + Send;
}

/// What a look at one stretch found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Rows (or values) looked at.
    pub examined: u64,
    /// The keys of those that meet the conditions, in the walk's order.
    pub found: Vec<RowKey>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// What a look at one stretch found for several tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookedFor {
    /// Rows (or values) looked at.
    pub examined: u64,
    /// For each task, the keys of those that meet its conditions, in the walk's order.
    pub found: Vec<Vec<RowKey>>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// What acting would change, at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weighed {
    /// Rows of the table itself, or rows that would be added.
    pub rows: u64,
    /// Rows that hang on them, in the order of [`SweepTask::dependent_tables`].
    pub dependents: Vec<u64>,
}

/// What acting on some rows came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows of the table itself that were deleted or changed, or rows that were added.
    pub changed: u64,
    /// Rows that hung on them and went, in the order of [`SweepTask::dependent_tables`].
    pub dependents: Vec<u64>,
    /// How often it was begun again after a deadlock or lock wait.
    pub retries: u32,
    /// Whether everything that was found is dealt with.
    pub complete: bool,
}
