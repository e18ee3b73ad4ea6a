//! A store that dies at a chosen moment, as a process or a connection does: between two of its
//! acts, or after one of them without an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use elpis_maint_core::moves::MoveTask;
use elpis_maint_core::store::{
    Batch, Counted, Extent, MoveColumn, MoveRecord, MoveRow, MoveSide, MoveStore, Position, Purged,
    Received, ServerFacts, Shape, Window,
};
use elpis_maint_core::{MySqlStore, PurgeTask, Scalar, Store, StoreError, TableRule};
use elpis_run::Load;

/// How many moments are left; both sides of a move share one.
pub(super) type Fuse = Arc<AtomicI64>;

pub(super) struct Dying {
    pub(super) store: MySqlStore,
    pub(super) fuse: Fuse,
}

impl Dying {
    fn burn(&self) -> Result<(), StoreError> {
        match self.fuse.fetch_sub(1, Ordering::SeqCst) > 0 {
            true => Ok(()),
            false => Err(StoreError::Lost {
                doing: "dying".to_owned(),
                source: "killed by the test".into(),
            }),
        }
    }
}

/// The act between two moments.
macro_rules! act {
    ($self:ident, $act:expr) => {{
        $self.burn()?;
        let done = $act.await?;
        $self.burn()?;
        Ok(done)
    }};
}

impl Store for Dying {
    async fn server(&mut self) -> Result<ServerFacts, StoreError> {
        self.store.server().await
    }

    async fn shape(&mut self, table: &str) -> Result<Option<Shape>, StoreError> {
        self.store.shape(table).await
    }

    async fn estimate(&mut self, task: &PurgeTask) -> Result<Extent, StoreError> {
        self.store.estimate(task).await
    }

    async fn nth_newest(
        &mut self,
        rule: &TableRule,
        keep: u64,
    ) -> Result<Option<Scalar>, StoreError> {
        self.store.nth_newest(rule, keep).await
    }

    async fn count_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Counted, StoreError> {
        self.store.count_chunk(task, from, limit).await
    }

    async fn purge_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Purged, StoreError> {
        self.store.purge_chunk(task, from, limit).await
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), StoreError> {
        self.store.lock(names).await
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        self.store.unlock().await
    }

    async fn load(&mut self) -> Result<Load, StoreError> {
        Ok(Load::default())
    }
}

impl MoveStore for Dying {
    async fn identity(&mut self) -> Result<String, StoreError> {
        self.store.identity().await
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<MoveColumn>, StoreError> {
        self.store.columns(table).await
    }

    async fn unlike_default(
        &mut self,
        table: &str,
        columns: &[String],
        due: Option<(&str, &Scalar)>,
    ) -> Result<Option<String>, StoreError> {
        self.store.unlike_default(table, columns, due).await
    }

    async fn begin_moves(&mut self, side: MoveSide) -> Result<(), StoreError> {
        act!(self, self.store.begin_moves(side))
    }

    async fn end_moves(&mut self) -> Result<(), StoreError> {
        self.store.end_moves().await
    }

    async fn last_move(&mut self, table: &str) -> Result<Option<MoveRecord>, StoreError> {
        act!(self, self.store.last_move(table))
    }

    async fn last_moves(&mut self) -> Result<Vec<(String, MoveRecord)>, StoreError> {
        self.store.last_moves().await
    }

    async fn new_move(&mut self) -> Result<String, StoreError> {
        self.store.new_move().await
    }

    async fn hold(
        &mut self,
        task: &MoveTask,
        limit: u64,
        window: Option<&Window>,
    ) -> Result<Option<Batch>, StoreError> {
        act!(self, self.store.hold(task, limit, window))
    }

    async fn delete_held(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        id: &str,
    ) -> Result<bool, StoreError> {
        act!(self, self.store.delete_held(task, batch, id))
    }

    async fn delete_some(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        rows: &[MoveRow],
        id: &str,
    ) -> Result<(), StoreError> {
        act!(self, self.store.delete_some(task, batch, rows, id))
    }

    async fn none_left(&mut self, table: &str, id: &str) -> Result<(), StoreError> {
        act!(self, self.store.none_left(table, id))
    }

    async fn let_go(&mut self) {
        // The dead let go of nothing; the server ends the transaction when the session is gone.
        if self.fuse.load(Ordering::SeqCst) > 0 {
            self.store.let_go().await;
        }
    }

    async fn receive(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        id: &str,
        newer: bool,
    ) -> Result<Received, StoreError> {
        act!(self, self.store.receive(task, batch, id, newer))
    }

    async fn received(
        &mut self,
        task: &MoveTask,
        record: &MoveRecord,
    ) -> Result<Vec<MoveRow>, StoreError> {
        act!(self, self.store.received(task, record))
    }

    async fn tidy(&mut self, task: &MoveTask) -> Result<(), StoreError> {
        act!(self, self.store.tidy(task))
    }
}
