//! Sweeps in a SQLite file.

use std::collections::BTreeMap;

use super::{SqliteStore, batch, begin, end, schema};
use crate::store::{
    LookedFor, Position, RelationStore, RowKey, Shape, StoreError, Swept, Weighed, relation_look,
    relation_work as work,
};
use crate::sweep::SweepTask;

impl RelationStore for SqliteStore {
    async fn outline(&mut self) -> Result<BTreeMap<String, Shape>, StoreError> {
        self.blocking(async move |mut c| schema::outline(&mut c).await)
            .await
    }

    async fn is_empty(&mut self, table: &str) -> Result<bool, StoreError> {
        let table = table.to_owned();
        self.blocking(async move |mut c| work::is_empty(&mut c, &table).await)
            .await
    }

    async fn look_for(
        &mut self,
        tasks: &[&SweepTask],
        from: Option<&Position>,
        limit: u64,
    ) -> Result<LookedFor, StoreError> {
        let tasks: Vec<SweepTask> = tasks.iter().map(|task| (*task).clone()).collect();
        let from = from.cloned();
        self.blocking(async move |mut c| {
            let tasks: Vec<&SweepTask> = tasks.iter().collect();
            relation_look::look_for(&mut c, &tasks, from.as_ref(), limit).await
        })
        .await
    }

    async fn weigh(&mut self, task: &SweepTask, found: &[RowKey]) -> Result<Weighed, StoreError> {
        let (task, found) = (task.clone(), found.to_vec());
        self.blocking(async move |mut c| work::weigh(&mut c, &task, &found).await)
            .await
    }

    async fn sweep(
        &mut self,
        task: &SweepTask,
        found: &[RowKey],
        limit: u64,
    ) -> Result<Swept, StoreError> {
        let (task, mut found) = (task.clone(), found.to_vec());
        self.blocking(async move |mut c| {
            loop {
                // Nobody else writes from here on.
                begin(&c)?;
                match work::sweep(&mut c, &task, &found, limit).await {
                    Ok(None) => {
                        batch(&c, "ROLLBACK")?;
                        found = work::still(&mut c, &task, &found).await?;
                    }
                    Ok(Some(swept)) => return end(&c, Ok(swept)),
                    Err(error) => return end(&c, Err(error)),
                }
            }
        })
        .await
    }
}
