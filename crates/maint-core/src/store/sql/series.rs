//! The SQL of compaction that both modes share.

use super::builder::{Dialect, Sql};
use crate::compact::{CompactTask, Span};
use crate::store::{Mark, Pass, STATE_TABLE, SeriesChunk, StoreError};
use crate::{Exception, Scalar};

/// Makes the state table.
pub(in crate::store) fn create_state(dialect: Dialect) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "CREATE TABLE IF NOT EXISTS ").name(STATE_TABLE)?;
    Ok(sql
        .raw(
            " (table_name VARCHAR(64) NOT NULL, bucket BIGINT NOT NULL, pass VARCHAR(8) NOT NULL, \
             done_until BIGINT NOT NULL, slab_until BIGINT NULL, series_done BIGINT NULL, \
             part_series BIGINT NULL, part_until BIGINT NULL, rows_removed BIGINT NOT NULL, \
             rolled_up INT NOT NULL, PRIMARY KEY (table_name, bucket, pass))",
        )
        .transactional())
}

/// Whether a pass has left a mark, and which.
pub(in crate::store) fn mark(
    dialect: Dialect,
    task: &CompactTask,
    pass: Pass,
) -> Result<Sql, StoreError> {
    let columns = "done_until, slab_until, series_done, part_series, part_until, rows_removed";
    let sql = Sql::new(dialect, "SELECT ").raw(columns).raw(" FROM ");
    Ok(keyed(sql.name(STATE_TABLE)?.raw(" WHERE "), task, pass))
}

fn keyed(sql: Sql, task: &CompactTask, pass: Pass) -> Sql {
    sql.raw("table_name = ")
        .value(&Scalar::from(task.table.as_str()))
        .raw(" AND bucket = ")
        .int(task.bucket)
        .raw(" AND pass = ")
        .value(&Scalar::from(pass.name()))
}

/// Sets a pass's mark, with `removed` more rows.
pub(in crate::store) fn set_mark(
    dialect: Dialect,
    task: &CompactTask,
    pass: Pass,
    mark: &Mark,
    removed: u64,
) -> Result<Sql, StoreError> {
    let optional = |sql: Sql, value: Option<i64>| match value {
        Some(value) => sql.raw(", ").int(value),
        None => sql.raw(", NULL"),
    };
    let sql = Sql::new(dialect, "REPLACE INTO ").name(STATE_TABLE)?.raw(
        " (table_name, bucket, pass, done_until, slab_until, series_done, part_series, part_until, \
         rows_removed, rolled_up) VALUES (",
    );
    let sql = sql
        .value(&Scalar::from(task.table.as_str()))
        .raw(", ")
        .int(task.bucket)
        .raw(", ")
        .value(&Scalar::from(pass.name()))
        .raw(", ")
        .int(mark.done_until);
    let sql = optional(optional(sql, mark.slab_until), mark.series_done);
    let sql = optional(sql, mark.part.map(|part| part.series));
    let sql = optional(sql, mark.part.map(|part| part.until));
    let sql = sql.raw(", ").number(mark.rows_removed + removed);
    Ok(sql.raw(", ").int(i64::from(task.rollup)).raw(")"))
}

/// The bucket lengths of a table that a pass has left a mark of, and whether every such pass
/// remembered its buckets in the side table.
pub(in crate::store) fn past_lengths(dialect: Dialect, table: &str) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT bucket, MIN(rolled_up) FROM ").name(STATE_TABLE)?;
    let sql = sql.raw(" WHERE table_name = ").value(&Scalar::from(table));
    Ok(sql.raw(" GROUP BY bucket ORDER BY bucket"))
}

/// The oldest time that is not negative.
pub(in crate::store) fn oldest(dialect: Dialect, task: &CompactTask) -> Result<Sql, StoreError> {
    if task.time_index.is_some() {
        let sql = Sql::new(dialect, "SELECT MIN(")
            .name(&task.time)?
            .raw(") FROM ");
        let sql = sql.name(&task.table)?.raw(" WHERE ");
        return Ok(sql.name(&task.time)?.raw(" >= 0"));
    }
    // One look into the index for every series.
    let sql = Sql::new(dialect, "SELECT MIN(oldest) FROM (SELECT MIN(")
        .name(&task.time)?
        .raw(") AS oldest FROM ");
    let sql = sql.read_by(&task.table, &task.index)?.raw(" WHERE ");
    let sql = sql.name(&task.time)?.raw(" >= 0 GROUP BY ");
    Ok(sql.name(&task.series)?.raw(") AS each_series"))
}

/// The rows of a span, for the optimiser to guess at.
pub(in crate::store) fn rows_in(
    dialect: Dialect,
    task: &CompactTask,
    span: Span,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT 1 FROM ");
    let sql = match &task.time_index {
        Some(index) => sql.read_by(&task.table, index)?,
        None => sql.name(&task.table)?,
    };
    sql.raw(" WHERE ").within_span(&task.time, span)
}

/// The next `limit` series after `after`, each found by one look into the index, however many
/// rows it has.
pub(in crate::store) fn next_series(
    dialect: Dialect,
    task: &CompactTask,
    after: Option<i64>,
    limit: u64,
) -> Result<Sql, StoreError> {
    match dialect {
        // MariaDB and MySQL jump from group to group. They do not find a minimum in a subquery
        // that depends on a row by a look into the index, but by reading all that follows.
        #[cfg(feature = "mysql")]
        Dialect::MySql => {
            let sql = Sql::new(dialect, "SELECT DISTINCT ").name(&task.series)?;
            let sql = sql.raw(" FROM ").read_by(&task.table, &task.index)?;
            let sql = sql.raw(" WHERE ").series_after(task, after)?;
            let sql = sql.raw(" ORDER BY ").name(&task.series)?;
            Ok(sql.raw(" LIMIT ").number(limit))
        }
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let next = |sql: Sql| -> Result<Sql, StoreError> {
                let sql = sql.raw("(SELECT MIN(").name(&task.series)?.raw(") FROM ");
                Ok(sql.name(&task.table)?.raw(" WHERE "))
            };
            let sql = Sql::new(dialect, "WITH RECURSIVE found (id, n) AS (SELECT ");
            let sql = next(sql)?.series_after(task, after)?;
            let sql = next(sql.raw("), 1 UNION ALL SELECT "))?.name(&task.series)?;
            let sql = sql.raw(" > found.id), n + 1 FROM found WHERE id IS NOT NULL AND n < ");
            Ok(sql
                .number(limit)
                .raw(") SELECT id FROM found WHERE id IS NOT NULL"))
        }
    }
}

/// The types of some series, as another table tells them.
pub(in crate::store) fn types(
    dialect: Dialect,
    (table, key, column): (&str, &str, &str),
    series: &[Scalar],
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ").name(key)?.raw(", ");
    let sql = sql.name(column)?.raw(" FROM ").name(table)?;
    sql.raw(" WHERE ").within(key, series)
}

/// Those of some series that an exception names.
pub(in crate::store) fn excepted(
    dialect: Dialect,
    except: &Exception,
    series: &[Scalar],
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT DISTINCT ").name(&except.column)?;
    let sql = sql.raw(" FROM ").name(&except.table)?.raw(" WHERE ");
    let mut sql = sql.within(&except.column, series)?;
    for filter in &except.filters {
        sql = sql.raw(" AND ").filter(filter)?;
    }
    Ok(sql)
}

/// The buckets of some series that hold more than `above` rows. Reads the index only.
pub(in crate::store) fn large_buckets(
    dialect: Dialect,
    task: &CompactTask,
    chunk: &SeriesChunk,
    above: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ").name(&task.series)?.raw(", ");
    let sql = sql.bucket_of(task)?.raw(" AS b, COUNT(*) AS n FROM ");
    let sql = sql.points_of(task, chunk)?.raw(" GROUP BY ");
    let sql = sql.name(&task.series)?.raw(", b HAVING n > ").number(above);
    Ok(sql.raw(" ORDER BY 1, 2"))
}

/// The points of one series, in order of time.
pub(in crate::store) fn points(
    dialect: Dialect,
    task: &CompactTask,
    series: i64,
    span: Span,
    limit: u64,
) -> Result<Sql, StoreError> {
    let chunk = SeriesChunk {
        series: vec![series],
        span,
        sums: false,
    };
    let sql = Sql::new(dialect, "SELECT ").name(&task.time)?.raw(", ");
    let sql = sql.name(&task.value)?.raw(" FROM ");
    let sql = sql.points_of(task, &chunk)?.raw(" ORDER BY ");
    Ok(sql.name(&task.time)?.raw(" LIMIT ").number(limit))
}

/// The smallest and the largest series number.
pub(in crate::store) fn series_ends(
    dialect: Dialect,
    task: &CompactTask,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT MIN(")
        .name(&task.series)?
        .raw("), MAX(");
    let sql = sql.name(&task.series)?.raw(") FROM ");
    sql.name(&task.table)
}

impl Sql {
    pub(in crate::store) fn int(self, n: i64) -> Sql {
        self.value(&Scalar::Int(n))
    }

    fn series_after(self, task: &CompactTask, after: Option<i64>) -> Result<Sql, StoreError> {
        let sql = self.name(&task.series)?;
        Ok(match after {
            Some(after) => sql.raw(" > ").int(after),
            None => sql.raw(" IS NOT NULL"),
        })
    }

    /// The beginning of the bucket that a row lies in. Times are not negative here.
    pub(super) fn bucket_of(self, task: &CompactTask) -> Result<Sql, StoreError> {
        let sql = self.raw("(").name(&task.time)?.raw(" - ");
        let bucket = task.bucket;
        Ok(sql.name(&task.time)?.raw(&format!(" % {bucket})")))
    }

    pub(super) fn within_span(self, time: &str, span: Span) -> Result<Sql, StoreError> {
        let sql = self.name(time)?.raw(" >= ").int(span.from).raw(" AND ");
        Ok(sql.name(time)?.raw(" < ").int(span.to))
    }

    /// `table WHERE …`: the rows of a chunk, read along the series' index.
    pub(super) fn points_of(
        self,
        task: &CompactTask,
        chunk: &SeriesChunk,
    ) -> Result<Sql, StoreError> {
        self.read_by(&task.table, &task.index)?
            .raw(" WHERE ")
            .chunk(&task.series, &task.time, chunk)
    }

    /// The condition for a chunk on columns of these names.
    pub(super) fn chunk(
        self,
        series: &str,
        time: &str,
        chunk: &SeriesChunk,
    ) -> Result<Sql, StoreError> {
        let series_ids: Vec<Scalar> = chunk.series.iter().map(|id| Scalar::Int(*id)).collect();
        let sql = self.within(series, &series_ids)?.raw(" AND ");
        sql.within_span(time, chunk.span)
    }

    /// A table whose changes can be rolled back.
    pub(super) fn transactional(self) -> Sql {
        match self.dialect() {
            #[cfg(feature = "mysql")]
            Dialect::MySql => {
                self.raw(" ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
            }
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self,
        }
    }
}
