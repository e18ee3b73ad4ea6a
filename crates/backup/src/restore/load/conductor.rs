//! Giving the orders of a text to whoever carries them out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use elpis_mysql::{Params, Session};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::feed::{Chunk, Order};
use super::marks::Made;
use super::worker::{Job, Reading, Shared};
use super::{Loaded, keys};
use crate::restore::error::{RestoreError, TextError};
use crate::restore::plan::RestorePlan;
use crate::restore::session::{Ask, quoted};
use crate::restore::sql::{Kind, Object, is_ambiguous};

/// What the server answers when something that is to be made is there already.
const EXISTS: [u16; 4] = [1050, 1304, 1359, 1537];

/// What servers answer that cannot prepare what makes a routine, a trigger or an event: MySQL, and
/// MariaDB before 10.6.
const NOT_PREPARED: u16 = 1295;

/// A statement that is not rows.
pub(super) struct Statement {
    pub(super) id: u64,
    pub(super) sql: Vec<u8>,
    pub(super) kind: Kind,
    /// It makes an event that must not fire yet.
    pub(super) silenced: bool,
    /// Only a server that prepares it can tell that it is one statement.
    pub(super) only_prepared: bool,
}

pub(super) struct Conductor<'c> {
    pub(super) plan: &'c RestorePlan,
    pub(super) control: &'c mut Session,
    pub(super) done: BTreeSet<u64>,
    /// The first statement that is not marked may have been carried out all the same.
    pub(super) is_resumed: bool,
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    pub(super) workers: JoinSet<Result<(), RestoreError>>,
    pub(super) room: Arc<Semaphore>,
    pub(super) all_room: u32,
    /// How rows are to be read; `None` after a `SET`.
    pub(super) reading: Option<Arc<Reading>>,
}

impl Conductor<'_> {
    pub(super) async fn next(
        &mut self,
        orders: &mut mpsc::Receiver<Result<Order, TextError>>,
    ) -> Result<Option<Result<Order, TextError>>, RestoreError> {
        tokio::select! {
            biased;
            Some(ended) = self.workers.join_next() => Err(failure(ended)),
            order = orders.recv() => Ok(order),
        }
    }

    /// Waits until so many chunks of all that may be under way are not.
    async fn room(&mut self, chunks: u32) -> Result<OwnedSemaphorePermit, RestoreError> {
        let room = Arc::clone(&self.room);
        tokio::select! {
            biased;
            Some(ended) = self.workers.join_next() => Err(failure(ended)),
            room = room.acquire_many_owned(chunks) => {
                room.map_err(|error| RestoreError::Threads(std::io::Error::other(error)))
            }
        }
    }

    pub(super) async fn rows(&mut self, chunk: Chunk) -> Result<(), RestoreError> {
        if self.done.contains(&chunk.id) {
            self.shared.count(0, chunk.bytes);
            return Ok(());
        }
        let room = self.room(1).await?;
        let reading = self.reading().await?;
        // Without anybody to take it, the next wait tells why.
        let _ = self.jobs.send(Job {
            chunk,
            reading,
            room,
        });
        Ok(())
    }

    async fn reading(&mut self) -> Result<Arc<Reading>, RestoreError> {
        if let Some(reading) = &self.reading {
            return Ok(Arc::clone(reading));
        }
        let found: Option<(String, String, String, String)> = self
            .control
            .ask_first(
                "SELECT @@character_set_client, @@collation_connection, @@sql_mode, @@time_zone",
                Params::Empty,
            )
            .await?;
        let (charset, collation, sql_mode, time_zone) = found.unwrap_or_default();
        if is_ambiguous(&charset) {
            let what = format!("the text is in {charset}, in which quotes cannot be told apart");
            return Err(RestoreError::NeedsPerson { what });
        }
        let reading = Arc::new(Reading {
            charset,
            collation,
            sql_mode,
            time_zone,
        });
        self.reading = Some(Arc::clone(&reading));
        Ok(reading)
    }

    pub(super) async fn statement(&mut self, statement: &Statement) -> Result<(), RestoreError> {
        let Statement { id, sql, kind, .. } = statement;
        let (what, name) = words(kind);
        let fail = |source| RestoreError::server(format!("making {what} {name}"), source);
        match kind {
            Kind::Set => {
                self.reading = None;
                self.control.execute_bytes(sql).await.map_err(fail)?;
                return Ok(());
            }
            Kind::Collate { options } => {
                let options = sql.get(*options..).unwrap_or_default();
                let options = options.strip_suffix(b"*/").unwrap_or(options);
                let alter = format!("ALTER DATABASE {} ", quoted(&self.plan.side)?);
                let sql = [alter.as_bytes(), options].concat();
                self.control.execute_bytes(&sql).await.map_err(fail)?;
                return Ok(());
            }
            // A statement that is marked comes after all those before it.
            _ if self.done.range(id..).next().is_some() => return Ok(()),
            _ => {}
        }
        let needs_rows = match kind {
            Kind::Alter { .. } => true,
            Kind::Object { object, .. } => *object != Object::View,
            _ => false,
        };
        let _all = match needs_rows {
            true => Some(self.room(self.all_room).await?),
            false => None,
        };
        let made = self.make(statement).await;
        let is_first = std::mem::take(&mut self.is_resumed);
        match made {
            Ok(()) => {}
            Err(error) if is_first && error.code().is_some_and(|code| EXISTS.contains(&code)) => {}
            Err(error) => return Err(fail(error)),
        }
        match kind {
            Kind::Table { table } => self.made(table).await?,
            Kind::Object { name, .. } if statement.silenced => {
                self.shared.marks.fires(self.control, name).await?;
            }
            Kind::NoTable { .. } => return Ok(()),
            _ => {}
        }
        let mark = vec![(*id).into(), "".into(), 0_u64.into()];
        let mark = self
            .control
            .execute(&self.shared.marks.done(), Params::Positional(mark))
            .await;
        mark.map(drop)
            .map_err(|source| RestoreError::server("marking a statement", source))
    }

    /// Carries a statement out. One that has statements of its own may only look like one: the
    /// server is asked to take it as one.
    async fn make(&mut self, statement: &Statement) -> Result<(), elpis_mysql::Error> {
        let sql = &statement.sql;
        if !statement.kind.is_body() {
            return self.control.execute_bytes(sql).await.map(drop);
        }
        match self.control.execute_single(sql).await {
            // It was looked at when it was recognised, word for word.
            Err(error) if error.code() == Some(NOT_PREPARED) && !statement.only_prepared => {
                self.control.execute_bytes(sql).await.map(drop)
            }
            made => made,
        }
    }

    /// Takes the indexes away that are made after the rows, and remembers them first.
    async fn made(&mut self, table: &str) -> Result<(), RestoreError> {
        let marks = &self.shared.marks;
        let unsure = marks.unsure(self.control, Some(table)).await?;
        if let Ok(mut all) = self.shared.unsure.lock() {
            all.extend(unsure);
        }
        let planned = self
            .plan
            .tables
            .iter()
            .find(|planned| planned.text.name == table);
        let Some(planned) = planned.filter(|planned| planned.deferred) else {
            return Ok(());
        };
        let now = marks.show(self.control, table).await?;
        let remembered = marks.remembered(self.control).await?;
        let create = match remembered.into_iter().find(|made| made.table == table) {
            Some(made) => made.create,
            None => {
                let made = Made {
                    table: table.to_owned(),
                    create: now.clone(),
                };
                marks.remember(self.control, &made).await?;
                now.clone()
            }
        };
        let keys = keys::deferrable(&create);
        if now == create && !keys.is_empty() {
            let drop = keys::drop_keys(&self.plan.side, table, &keys)?;
            self.control.tell(&drop).await?;
            let add = keys::add_keys(&self.plan.side, table, &keys)?;
            self.shared.growing.begin(table, planned.text.rows, add);
        }
        Ok(())
    }

    /// Waits for all rows.
    pub(super) async fn finish(mut self) -> Result<Loaded, RestoreError> {
        drop(self.jobs);
        while let Some(ended) = self.workers.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                other => return Err(failure(other)),
            }
        }
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Loaded {
            rows: get(&self.shared.rows),
            retries: get(&self.shared.retries),
            warnings: get(&self.shared.warnings),
        })
    }
}

/// Why a worker has ended before there was nothing left.
fn failure(ended: Result<Result<(), RestoreError>, tokio::task::JoinError>) -> RestoreError {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) => RestoreError::Threads(std::io::Error::other("a session ended early")),
        Err(error) => RestoreError::Threads(std::io::Error::other(error)),
    }
}

/// A statement in words: what it makes and how that is called.
fn words(kind: &Kind) -> (&'static str, &str) {
    match kind {
        Kind::Table { table } | Kind::Rows { table, .. } => ("table", table),
        Kind::Object { object, name, .. } => {
            let what = match object {
                Object::View => "view",
                Object::Trigger => "trigger",
                Object::Routine => "routine",
                Object::Event => "event",
            };
            (what, name)
        }
        Kind::NoTable { .. } => ("room for", "tables"),
        Kind::Set => ("settings of", "the session"),
        Kind::Collate { .. } => ("the character set of", "the database"),
        Kind::Alter { table } => ("changes of table", table),
        _ => ("sequences of", "the text"),
    }
}
