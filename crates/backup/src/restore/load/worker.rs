//! A session that loads chunks, each in one transaction with its mark: it is loaded once, however
//! often it is tried.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use elpis_mysql::{Backoff, Params, Session};
use elpis_run::Observer;
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};

use super::feed::Chunk;
use super::index::{Growing, build};
use super::infile::Infiles;
use super::marks::Marks;
use crate::restore::error::RestoreError;
use crate::restore::event::RestoreEvent;
use crate::restore::session::{Opening, quoted};

/// How often a chunk is tried.
const TRIES: u32 = 12;

/// How statements with rows are to be read, as the text has set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) charset: String,
    pub(super) collation: String,
    pub(super) sql_mode: String,
    pub(super) time_zone: String,
}

/// A chunk for whoever is free.
pub(super) struct Job {
    pub(super) chunk: Chunk,
    pub(super) reading: Arc<Reading>,
    /// Frees the chunk's room when dropped.
    pub(super) room: OwnedSemaphorePermit,
}

/// What all sessions share.
pub(super) struct Shared {
    pub(super) opening: Opening,
    pub(super) side: String,
    pub(super) marks: Marks,
    pub(super) observer: Arc<dyn Observer<RestoreEvent>>,
    /// Tables whose engine knows no transactions.
    pub(super) unsure: std::sync::Mutex<BTreeSet<String>>,
    pub(super) growing: Growing,
    pub(super) infiles: Infiles,
    /// Whose turn it is to put rows into a table.
    pub(super) turns: std::sync::Mutex<HashMap<String, Arc<Mutex<()>>>>,
    pub(super) text_bytes: u64,
    pub(super) rows: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) warnings: AtomicU64,
}

impl Shared {
    /// One session at a time puts rows into a table: several fight for its end, which costs the
    /// server more than they bring.
    fn turn(&self, table: &str) -> Arc<Mutex<()>> {
        let turns = self.turns.lock();
        let mut turns = turns.unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(table.to_owned()).or_default())
    }

    /// So much more is loaded.
    pub(super) fn count(&self, rows: u64, bytes: u64) {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let of = self.text_bytes;
        self.observer.on(&RestoreEvent::Loaded { rows, bytes, of });
    }
}

/// Loads until there is nothing more.
pub(super) async fn work(
    shared: Arc<Shared>,
    queue: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>,
) -> Result<(), RestoreError> {
    let mut worker = Worker {
        shared,
        session: None,
        reading: None,
    };
    loop {
        let job = queue.lock().await.recv().await;
        let Some(Job {
            chunk,
            reading,
            room,
        }) = job
        else {
            return Ok(());
        };
        worker.load(&chunk, &reading).await?;
        drop(chunk);
        drop(room);
    }
}

struct Worker {
    shared: Arc<Shared>,
    session: Option<Session>,
    /// What the session has been told.
    reading: Option<Arc<Reading>>,
}

impl Worker {
    async fn load(&mut self, chunk: &Chunk, reading: &Arc<Reading>) -> Result<(), RestoreError> {
        let fail =
            |source| RestoreError::server(format!("loading rows of {}", chunk.table), source);
        let (base, cap) = (Duration::from_millis(20), Duration::from_secs(5));
        let mut backoff = Backoff::new(TRIES, base, cap);
        loop {
            let error = match self.attempt(chunk, reading).await {
                Ok(rows) => {
                    self.shared.count(rows, chunk.bytes);
                    self.index(&chunk.table, rows).await;
                    return Ok(());
                }
                Err(error) => error,
            };
            let is_connecting = matches!(error, elpis_mysql::Error::Connect { .. });
            if error.is_lost() || is_connecting {
                self.session = None;
            } else if error.is_retryable() {
                if let Some(session) = &mut self.session {
                    session.rollback().await.map_err(fail)?;
                }
            } else {
                return Err(fail(error));
            }
            // Nobody knows what of the chunk is in such a table; a resumed restore empties it.
            let unsure = &self.shared.unsure;
            let unsure = unsure
                .lock()
                .map_or(true, |unsure| unsure.contains(&chunk.table));
            let Some(wait) = backoff.next().filter(|_| !unsure) else {
                return Err(fail(error));
            };
            self.shared.retries.fetch_add(1, Ordering::Relaxed);
            self.shared.observer.on(&RestoreEvent::Retry {
                table: chunk.table.clone(),
                why: error.to_string(),
            });
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes the indexes of `table` if these rows were its last ones. If that fails, the step that
    /// comes after the rows of all tables makes them, and tells.
    async fn index(&self, table: &str, rows: u64) {
        let shared = &self.shared;
        if let Some(alter) = shared.growing.grown(table, rows)
            && build(&shared.opening, table, &alter).await.is_ok()
        {
            let table = table.to_owned();
            shared.observer.on(&RestoreEvent::Indexed { table });
        }
    }

    /// One transaction. Returns the rows that it loaded.
    async fn attempt(
        &mut self,
        chunk: &Chunk,
        reading: &Arc<Reading>,
    ) -> Result<u64, elpis_mysql::Error> {
        let shared = Arc::clone(&self.shared);
        let session = match &mut self.session {
            Some(session) => session,
            none => {
                self.reading = None;
                let mut session = shared.opening.open().await?;
                let side = quoted(&shared.side).unwrap_or_default();
                session
                    .execute(&format!("USE {side}"), Params::Empty)
                    .await?;
                // The answer to the last commit may have been lost, and not the commit.
                let params = Params::Positional(vec![chunk.id.into()]);
                let loaded: Option<u64> = session.first(&shared.marks.rows_of(), params).await?;
                let session = none.insert(session);
                if let Some(rows) = loaded {
                    return Ok(rows);
                }
                session
            }
        };
        if self.reading.as_ref() != Some(reading) {
            let set = "SET character_set_client = ?, collation_connection = ?, sql_mode = ?, time_zone = ?";
            let values = [
                &reading.charset,
                &reading.collation,
                &reading.sql_mode,
                &reading.time_zone,
            ];
            let values = values.map(|value| value.as_str().into()).to_vec();
            session.execute(set, Params::Positional(values)).await?;
            self.reading = Some(Arc::clone(reading));
        }
        let turn = shared.turn(&chunk.table);
        let turn = turn.lock().await;
        let mut put = None;
        if shared.infiles.take(session, &chunk.table, reading).await? {
            session.begin().await?;
            put = shared.infiles.put(session, chunk).await?;
            if put.is_none() {
                session.rollback().await?;
            }
        }
        let (mut rows, mut warnings) = (put.unwrap_or_default(), 0);
        if put.is_none() {
            session.begin().await?;
            for insert in &chunk.inserts {
                let executed = session.execute_bytes(&insert.sql).await?;
                rows += executed.rows;
                warnings += u64::from(executed.warnings);
            }
        }
        // The next one may begin while this one waits for its commit.
        drop(turn);
        let mark = vec![chunk.id.into(), chunk.table.as_str().into(), rows.into()];
        session
            .execute(&shared.marks.done(), Params::Positional(mark))
            .await?;
        session.commit().await?;
        shared.warnings.fetch_add(warnings, Ordering::Relaxed);
        Ok(rows)
    }
}
