//! Sweeps on MariaDB and MySQL.

use std::collections::BTreeMap;

use super::{MySqlStore, Tries, begin, end, schema};
use crate::store::{
    LookedFor, Position, RelationStore, RowKey, Shape, StoreError, Swept, Weighed, relation_look,
    relation_work as work,
};
use crate::sweep::SweepTask;

impl MySqlStore {
    /// One try; `None` if something has changed since it was looked at, and nothing was done.
    async fn try_sweep(
        &mut self,
        task: &SweepTask,
        found: &[RowKey],
        limit: u64,
    ) -> Result<Option<Swept>, StoreError> {
        begin(&mut self.session).await?;
        match work::sweep(&mut self.session, task, found, limit).await {
            Ok(None) => {
                let undone = self.session.rollback().await;
                undone.map_err(|e| super::failed("at ROLLBACK", e))?;
                Ok(None)
            }
            done => end(&mut self.session, done).await,
        }
    }
}

impl RelationStore for MySqlStore {
    async fn outline(&mut self) -> Result<BTreeMap<String, Shape>, StoreError> {
        schema::outline(&mut self.session).await
    }

    async fn is_empty(&mut self, table: &str) -> Result<bool, StoreError> {
        work::is_empty(&mut self.session, table).await
    }

    async fn look_for(
        &mut self,
        tasks: &[&SweepTask],
        from: Option<&Position>,
        limit: u64,
    ) -> Result<LookedFor, StoreError> {
        relation_look::look_for(&mut self.session, tasks, from, limit).await
    }

    async fn weigh(&mut self, task: &SweepTask, found: &[RowKey]) -> Result<Weighed, StoreError> {
        work::weigh(&mut self.session, task, found).await
    }

    async fn sweep(
        &mut self,
        task: &SweepTask,
        found: &[RowKey],
        limit: u64,
    ) -> Result<Swept, StoreError> {
        let mut tries = Tries::new();
        let mut found = found.to_vec();
        loop {
            match self.try_sweep(task, &found, limit).await {
                Ok(Some(swept)) => {
                    return Ok(Swept {
                        retries: tries.failed,
                        ..swept
                    });
                }
                Ok(None) => found = work::still(&mut self.session, task, &found).await?,
                Err(error) => tries.again(error).await?,
            }
        }
    }
}
