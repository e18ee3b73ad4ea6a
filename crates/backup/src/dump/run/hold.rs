//! The snapshot, and what keeps it whole: tables that cannot be altered, and, for engines
//! without snapshots, tables that cannot be written to.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use elpis_mysql::{Params, Session, quote};
use elpis_run::{Clock, Observer};

use super::Conductor;
use crate::dump::error::DumpError;
use crate::dump::event::DumpEvent;
use crate::dump::facts::{self, Catalogue, TableFacts};
use crate::dump::objects::unquotable;
use crate::dump::plan::{DumpPlan, has_rows, unprotected};
use crate::dump::policy::NonTransactional;
use crate::dump::query::Query;
use crate::dump::reader::{self, Reader};
use crate::dump::snapshot::{Ladder, Taken};

/// How often the snapshot is taken anew because a table changed meanwhile.
const TRIES: u32 = 5;

/// The pause before the second try; the next ones are longer.
const RETRY: Duration = Duration::from_millis(50);

impl Conductor {
    /// Takes the snapshot and makes it last.
    ///
    /// A guard opens every table before and keeps them open until every reader has opened them
    /// in its snapshot: in between, a table could be replaced by one that the snapshot sees as
    /// empty (measured: MariaDB 10.11 refuses to read tables that were truncated or altered
    /// since, but not those that were created).
    pub(super) async fn snapshot(
        &mut self,
        control: &mut Session,
        clock: &dyn Clock,
        observer: &dyn Observer<DumpEvent>,
    ) -> Result<(Taken, TableLocks, Vec<HashSet<String>>), DumpError> {
        let mut altered = String::new();
        for attempt in 1..=TRIES {
            // Asked for while nothing is held: see `facts::database`.
            let mut found = Vec::new();
            for name in &self.plan.policy.databases {
                found.push(facts::database(control, name, None).await?);
            }
            let known: Vec<_> = found.iter().map(Catalogue::names).collect();
            let locks = self.lock_tables(&found, clock).await?;
            let tables = opened(&found, &locks)?;
            let guard = Reader::start(self.plan.readers + 1, self.setup()).await?;
            guard
                .ask("START TRANSACTION READ ONLY".to_owned())
                .get()
                .await?;
            let mut touched = guard.touch(tables.clone()).get().await?;
            if touched.is_none() {
                let ladder = Ladder {
                    plan: &self.plan,
                    control: &mut *control,
                    readers: &self.readers,
                    clock,
                    observer,
                };
                let taken = ladder.snapshot().await?;
                // Each reader must hold each table itself: whoever wants to alter one, and waits
                // for a reader, would be in the way of the next.
                let readers = self.readers.iter().take(taken.readers);
                let answers =
                    reader::all(readers.map(|reader| reader.touch(tables.clone()))).await?;
                touched = answers.into_iter().flatten().next();
                if touched.is_none() {
                    touched = self.newcomer(control, &known).await?;
                }
                if touched.is_none() {
                    guard.end();
                    for reader in self.readers.drain(taken.readers..) {
                        reader.end();
                    }
                    return Ok((taken, locks, known));
                }
            }
            // Whatever stood in the way may be waiting for what is held.
            guard.end();
            let rollback = |reader: &Reader| reader.ask("ROLLBACK".to_owned());
            reader::all(self.readers.iter().map(rollback)).await?;
            altered = touched.unwrap_or_default();
            clock.sleep(attempt * RETRY).await;
        }
        Err(DumpError::Altered {
            table: altered,
            tries: TRIES,
        })
    }

    /// A table that was not seen before the snapshot: made since, perhaps before the snapshot,
    /// or overlooked because it was being renamed. Opens none.
    async fn newcomer(
        &self,
        control: &mut Session,
        known: &[HashSet<String>],
    ) -> Result<Option<String>, DumpError> {
        for (database, known) in self.plan.policy.databases.iter().zip(known) {
            let quoted = quote(database).map_err(|error| unquotable(database, &error))?;
            let show = format!("SHOW TABLES FROM {quoted}");
            let names: Vec<String> = control.ask(&show, Params::Empty).await?;
            if let Some(new) = names.iter().find(|&name| !known.contains(name)) {
                return Ok(Some(format!("{database}.{new}")));
            }
        }
        Ok(None)
    }

    /// Locks the tables that no snapshot covers against writing, by a reader of their own, which
    /// also reads them: another's request would queue behind a writer that waits for the lock.
    async fn lock_tables(
        &mut self,
        databases: &[Catalogue],
        clock: &dyn Clock,
    ) -> Result<TableLocks, DumpError> {
        if let Some(locker) = self.locker.take() {
            locker.end();
        }
        let mut locks = TableLocks {
            tables: Vec::new(),
            since: clock.monotonic(),
        };
        if self.plan.policy.non_transactional == NonTransactional::Warn {
            return Ok(locks);
        }
        let mut words = Vec::new();
        for found in databases {
            for table in found
                .tables
                .iter()
                .filter(|table| needs_lock(&self.plan, table))
            {
                words.push(format!("{} READ", qualified(&found.name, &table.name)?));
                locks.tables.push((found.name.clone(), table.name.clone()));
            }
        }
        if words.is_empty() {
            return Ok(locks);
        }
        let locker = Reader::start(self.plan.readers, self.setup()).await?;
        // Writers wait behind this request as long as it waits itself.
        let limit = if self.plan.server.is_mariadb() {
            let seconds = self.plan.policy.lock_wait.as_secs_f64();
            format!("SET SESSION max_statement_time = {seconds:.3}")
        } else {
            "SET SESSION lock_wait_timeout = 1".to_owned()
        };
        locker.ask(limit).get().await?;
        for _ in 0..TRIES {
            locks.since = clock.monotonic();
            match locker
                .ask(format!("LOCK TABLES {}", words.join(", ")))
                .get()
                .await
            {
                Ok(_) => {
                    if self.plan.server.is_mariadb() {
                        locker
                            .ask("SET SESSION max_statement_time = 0".to_owned())
                            .get()
                            .await?;
                    }
                    self.locker = Some(locker);
                    return Ok(locks);
                }
                Err(DumpError::Server { source, .. }) if !source.is_lost() => {
                    tracing::debug!(error = %source, "tables not locked");
                }
                Err(error) => return Err(error),
            }
            clock.sleep(self.plan.policy.lock_wait).await;
        }
        locker.end();
        locks.tables.clear();
        Ok(locks)
    }

    /// What there is to dump, now that it cannot change.
    pub(super) async fn catalogues(
        &mut self,
        control: &mut Session,
        names: &[HashSet<String>],
        locks: &TableLocks,
    ) -> Result<Vec<Catalogue>, DumpError> {
        let mut databases = Vec::new();
        for (name, known) in self.plan.policy.databases.iter().zip(names) {
            let found = facts::database(control, name, Some(known)).await?;
            for table in found
                .tables
                .iter()
                .filter(|table| needs_lock(&self.plan, table))
            {
                if !locks.hold(name, &table.name)
                    && self.plan.policy.non_transactional == NonTransactional::Lock
                {
                    self.warnings.push(unprotected(name, table));
                }
            }
            databases.push(found);
        }
        Ok(databases)
    }
}

/// Tables locked against writing.
pub(super) struct TableLocks {
    /// Database and table.
    pub(super) tables: Vec<(String, String)>,
    pub(super) since: Duration,
}

impl TableLocks {
    pub(super) fn hold(&self, database: &str, table: &str) -> bool {
        self.tables.iter().any(|(d, t)| d == database && t == table)
    }
}

/// What every reader must open: all tables that hold rows but those that the locker holds.
fn opened(databases: &[Catalogue], locks: &TableLocks) -> Result<Arc<[reader::Table]>, DumpError> {
    let mut tables = Vec::new();
    for found in databases {
        for table in &found.tables {
            if !table.is_a_window() && !locks.hold(&found.name, &table.name) {
                tables.push(reader::Table {
                    name: format!("{}.{}", found.name, table.name),
                    quoted: qualified(&found.name, &table.name)?,
                });
            }
        }
    }
    Ok(tables.into())
}

fn needs_lock(plan: &DumpPlan, table: &TableFacts) -> bool {
    !table.transactional && has_rows(&plan.policy, table)
}

fn qualified(database: &str, table: &str) -> Result<String, DumpError> {
    let quoted = |name: &str| quote(name).map_err(|error| unquotable(name, &error));
    Ok(format!("{}.{}", quoted(database)?, quoted(table)?))
}
