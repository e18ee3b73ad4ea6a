//! Compaction on MariaDB and MySQL.

use elpis_mysql::{Flavour, Params};

use super::{MySqlStore, Tries, begin, end, failed, schema};
use crate::compact::{CompactTask, Span};
use crate::store::sql::{Dialect, Sql, series};
use crate::store::{
    BucketPreview, BucketRollup, Compacted, Mark, Pass, PastLength, STATE_TABLE, SeriesChunk,
    SeriesStore, StoreError, Survey, rollup_work, series_work as work,
    walk::{self, Executor},
};

/// Rows of a span that are counted, in some milliseconds; of more, the optimiser's guess is asked.
const COUNTED: u64 = 50_000;

impl MySqlStore {
    async fn try_compact(
        &mut self,
        task: &CompactTask,
        chunk: &SeriesChunk,
        pass: Pass,
        mark: &Mark,
    ) -> Result<Compacted, StoreError> {
        // For this transaction only: what it reads it also locks, gaps included, so that no row
        // can appear beside those it has judged.
        let locking = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
        let set = self.session.execute(locking, Params::Empty).await;
        set.map_err(|e| failed("choosing the isolation level", e))?;
        begin(&mut self.session).await?;
        let done = work::compact_chunk(&mut self.session, task, chunk, pass, mark).await;
        end(&mut self.session, done).await
    }

    /// The optimiser's guess at the rows from `from` on and before `to`.
    async fn guess_in(
        &mut self,
        task: &CompactTask,
        from: i64,
        to: i64,
    ) -> Result<u64, StoreError> {
        let rows = series::rows_in(Dialect::MySql, task, Span { from, to })?;
        Ok(self.session.guess(&rows).await?.unwrap_or(0))
    }

    async fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        let mut sql = Sql::new(
            Dialect::MySql,
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = ?",
        );
        sql.params = vec![name.into()];
        Ok(walk::number(&mut self.session, &sql).await? > 0)
    }
}

impl SeriesStore for MySqlStore {
    async fn series_obstacle(&mut self) -> Option<String> {
        let server = self.session.server();
        let least = match server.flavour {
            Flavour::MariaDb => (10, 2),
            Flavour::MySql => (8, 0),
        };
        let version = (server.version.0, server.version.1);
        (version < least).then(|| {
            format!(
                "{:?} {} has no window functions: compaction needs MariaDB 10.2, MySQL 8.0 or \
                 newer",
                server.flavour, server.version_text
            )
        })
    }

    async fn prepare_series(&mut self, task: &CompactTask) -> Result<(), StoreError> {
        work::prepare(&mut self.session, task).await
    }

    async fn mark(&mut self, task: &CompactTask, pass: Pass) -> Result<Option<Mark>, StoreError> {
        if !self.has_table(STATE_TABLE).await? {
            return Ok(None);
        }
        work::mark(&mut self.session, task, pass).await
    }

    async fn past_lengths(&mut self, table: &str) -> Result<Vec<PastLength>, StoreError> {
        if !self.has_table(STATE_TABLE).await? {
            return Ok(Vec::new());
        }
        work::past_lengths(&mut self.session, table).await
    }

    async fn set_mark(
        &mut self,
        task: &CompactTask,
        pass: Pass,
        mark: &Mark,
    ) -> Result<(), StoreError> {
        work::set_mark(&mut self.session, task, pass, mark).await
    }

    async fn oldest_point(&mut self, task: &CompactTask) -> Result<Option<i64>, StoreError> {
        work::oldest(&mut self.session, task).await
    }

    async fn points_in(&mut self, task: &CompactTask, span: Span) -> Result<u64, StoreError> {
        let rows = series::rows_in(Dialect::MySql, task, span)?;
        let some = Sql::new(Dialect::MySql, "SELECT COUNT(*) FROM (").append(&rows);
        let some = some.raw(" LIMIT ").number(COUNTED).raw(") AS some");
        let counted = walk::number(&mut self.session, &some).await?;
        if counted < COUNTED {
            return Ok(counted);
        }
        let inside = self.guess_in(task, span.from, span.to).await?;
        let before = self.guess_in(task, i64::MIN, span.from).await?;
        let outside = before + self.guess_in(task, span.to, i64::MAX).await?;
        if outside >= inside {
            return Ok(inside);
        }
        // InnoDB never guesses more than half a table for a range: what it knows is the rest.
        let all = schema::rows(&mut self.session, &task.table).await?;
        Ok(all.rows.saturating_sub(outside).max(inside))
    }

    async fn survey(
        &mut self,
        task: &CompactTask,
        span: Span,
        after: Option<i64>,
        limit: u64,
        above: u64,
    ) -> Result<Survey, StoreError> {
        work::survey(&mut self.session, task, span, after, limit, above).await
    }

    async fn compact_chunk(
        &mut self,
        task: &CompactTask,
        chunk: &SeriesChunk,
        pass: Pass,
        mark: &Mark,
    ) -> Result<Compacted, StoreError> {
        let mut tries = Tries::new();
        loop {
            match self.try_compact(task, chunk, pass, mark).await {
                Ok(done) => {
                    return Ok(Compacted {
                        retries: tries.failed,
                        ..done
                    });
                }
                Err(error) => tries.again(error).await?,
            }
        }
    }

    async fn preview(
        &mut self,
        task: &CompactTask,
        chunk: &SeriesChunk,
    ) -> Result<Vec<BucketPreview>, StoreError> {
        work::preview(&mut self.session, task, chunk).await
    }

    async fn some_series(
        &mut self,
        task: &CompactTask,
        count: u64,
    ) -> Result<Vec<i64>, StoreError> {
        work::some_series(&mut self.session, task, count).await
    }

    async fn points(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: u64,
    ) -> Result<Vec<(i64, Option<f64>)>, StoreError> {
        work::points(&mut self.session, task, series, span, limit).await
    }

    async fn rollups(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: u64,
    ) -> Result<Vec<BucketRollup>, StoreError> {
        if !self.has_table(&task.rollup_table()).await? {
            return Ok(Vec::new());
        }
        rollup_work::read(&mut self.session, task, series, span, limit).await
    }
}
