//! Compaction in a SQLite file.

use super::{SqliteStore, begin, end};
use crate::compact::{CompactTask, Span};
use crate::store::sql::{Dialect, Sql, series};
use crate::store::{
    BucketPreview, BucketRollup, Compacted, Mark, Pass, PastLength, STATE_TABLE, SeriesChunk,
    SeriesStore, StoreError, Survey, rollup_work, series_work as work, walk,
};

/// Whether there is a table of this name.
async fn has_table<E: walk::Executor>(on: &mut E, name: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new(
        Dialect::Sqlite,
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?",
    );
    sql.params = vec![name.into()];
    Ok(walk::number(on, &sql).await? > 0)
}

impl SeriesStore for SqliteStore {
    async fn series_obstacle(&mut self) -> Option<String> {
        // The bundled library has window functions.
        None
    }

    async fn prepare_series(&mut self, task: &CompactTask) -> Result<(), StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| work::prepare(&mut c, &task).await)
            .await
    }

    async fn mark(&mut self, task: &CompactTask, pass: Pass) -> Result<Option<Mark>, StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| {
            if !has_table(&mut c, STATE_TABLE).await? {
                return Ok(None);
            }
            work::mark(&mut c, &task, pass).await
        })
        .await
    }

    async fn past_lengths(&mut self, table: &str) -> Result<Vec<PastLength>, StoreError> {
        let table = table.to_owned();
        self.blocking(async move |mut c| {
            if !has_table(&mut c, STATE_TABLE).await? {
                return Ok(Vec::new());
            }
            work::past_lengths(&mut c, &table).await
        })
        .await
    }

    async fn set_mark(
        &mut self,
        task: &CompactTask,
        pass: Pass,
        mark: &Mark,
    ) -> Result<(), StoreError> {
        let (task, mark) = (task.clone(), mark.clone());
        self.blocking(async move |mut c| work::set_mark(&mut c, &task, pass, &mark).await)
            .await
    }

    async fn oldest_point(&mut self, task: &CompactTask) -> Result<Option<i64>, StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| work::oldest(&mut c, &task).await)
            .await
    }

    async fn points_in(&mut self, task: &CompactTask, span: Span) -> Result<u64, StoreError> {
        let task = task.clone();
        // SQLite does not guess; it counts along the index.
        self.blocking(async move |mut c| {
            let rows = series::rows_in(Dialect::Sqlite, &task, span)?;
            let count = Sql::new(Dialect::Sqlite, "SELECT COUNT(*) FROM (").append(&rows);
            walk::number(&mut c, &count.raw(")")).await
        })
        .await
    }

    async fn survey(
        &mut self,
        task: &CompactTask,
        span: Span,
        after: Option<i64>,
        limit: u64,
        above: u64,
    ) -> Result<Survey, StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| {
            work::survey(&mut c, &task, span, after, limit, above).await
        })
        .await
    }

    async fn compact_chunk(
        &mut self,
        task: &CompactTask,
        chunk: &SeriesChunk,
        pass: Pass,
        mark: &Mark,
    ) -> Result<Compacted, StoreError> {
        let (task, chunk, mark) = (task.clone(), chunk.clone(), mark.clone());
        self.blocking(async move |mut c| {
            begin(&c)?;
            let done = work::compact_chunk(&mut c, &task, &chunk, pass, &mark).await;
            end(&c, done)
        })
        .await
    }

    async fn preview(
        &mut self,
        task: &CompactTask,
        chunk: &SeriesChunk,
    ) -> Result<Vec<BucketPreview>, StoreError> {
        let (task, chunk) = (task.clone(), chunk.clone());
        self.blocking(async move |mut c| work::preview(&mut c, &task, &chunk).await)
            .await
    }

    async fn some_series(
        &mut self,
        task: &CompactTask,
        count: u64,
    ) -> Result<Vec<i64>, StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| work::some_series(&mut c, &task, count).await)
            .await
    }

    async fn points(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: u64,
    ) -> Result<Vec<(i64, Option<f64>)>, StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| work::points(&mut c, &task, series, span, limit).await)
            .await
    }

    async fn rollups(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: u64,
    ) -> Result<Vec<BucketRollup>, StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| {
            if !has_table(&mut c, &task.rollup_table()).await? {
                return Ok(Vec::new());
            }
            rollup_work::read(&mut c, &task, series, span, limit).await
        })
        .await
    }
}
