//! Loading a text into the side database: tables, rows on parallel sessions, and then what works
//! on them.
//!
//! One thread reads and cuts the text. What is not rows is carried out in the text's order on the
//! control session; rows go in chunks to whoever is free. Chunks and statements are numbered and
//! marked in the side database, so that an interrupted load goes on where it was.

mod event;
mod feed;
mod keys;
mod marks;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use elpis_mysql::{Params, Session};
use elpis_run::{Observer, StopToken};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

pub(super) use event::enable;
pub(super) use marks::{Made, Marks};

use super::error::{RestoreError, TextError};
use super::event::RestoreEvent;
use super::plan::RestorePlan;
use super::session::{Ask, Opening, quoted};
use super::sql::{Kind, Object, is_ambiguous};
use feed::{Chunk, Order, feed};
use worker::{Job, Reading, Shared, work};

/// Chunks a session may have: one that it loads and one that waits for it.
const CHUNKS: usize = 2;
/// What the server answers when something that is to be made is there already.
const EXISTS: [u16; 4] = [1050, 1304, 1359, 1537];

/// What MySQL answers when it is to prepare what makes a routine, a trigger or an event.
const NOT_PREPARED: u16 = 1295;

/// What a load came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Loaded {
    pub(super) rows: u64,
    pub(super) retries: u64,
    pub(super) warnings: u64,
}

/// Loads one text.
pub(super) struct Loader<'a> {
    pub(super) plan: &'a RestorePlan,
    pub(super) opening: Opening,
    pub(super) observer: Arc<dyn Observer<RestoreEvent>>,
    pub(super) stop: &'a StopToken,
}

impl Loader<'_> {
    /// Loads what is not loaded yet. Blocks the thread, on which `runtime` runs.
    pub(super) fn load(
        &self,
        runtime: &tokio::runtime::Runtime,
        control: &mut Session,
        text: Box<dyn std::io::Read + Send + '_>,
    ) -> Result<Loaded, RestoreError> {
        let chunk_bytes = self.plan.policy.chunk_bytes;
        let plan = self.plan;
        let (sender, orders) = mpsc::channel(1);
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name("elpis-feed".to_owned())
                .spawn_scoped(scope, move || feed(text, plan, chunk_bytes, &sender))
                .map_err(RestoreError::Threads)?;
            runtime.block_on(self.conduct(control, orders))
        })
    }

    async fn conduct(
        &self,
        control: &mut Session,
        mut orders: mpsc::Receiver<Result<Order, TextError>>,
    ) -> Result<Loaded, RestoreError> {
        let marks = Marks::new(&self.plan.side)?;
        marks.create(control).await?;
        marks.forget_unsure(control).await?;
        control
            .tell(&format!("USE {}", quoted(&self.plan.side)?))
            .await?;
        let done = marks.all_done(control).await?;
        let unsure = marks.unsure(control, None).await?;
        let mut conductor = self.conductor(control, marks, done, unsure);
        while let Some(order) = conductor.next(&mut orders).await? {
            if self.stop.is_stopped() {
                return Err(RestoreError::Stopped);
            }
            match order? {
                Order::Rows(chunk) => conductor.rows(chunk).await?,
                Order::Statement {
                    id,
                    sql,
                    kind,
                    silenced,
                } => conductor.statement(id, &sql, &kind, silenced).await?,
                Order::End { blake3 } => {
                    if blake3 != self.plan.text {
                        return Err(TextError::Changed.into());
                    }
                    return conductor.finish().await;
                }
            }
        }
        Err(RestoreError::Threads(std::io::Error::other(
            "the reader of the text is gone",
        )))
    }

    fn conductor<'c>(
        &'c self,
        control: &'c mut Session,
        marks: Marks,
        done: BTreeSet<u64>,
        unsure: BTreeSet<String>,
    ) -> Conductor<'c> {
        let shared = Arc::new(Shared {
            opening: self.opening.clone(),
            side: self.plan.side.clone(),
            marks,
            observer: Arc::clone(&self.observer),
            unsure: std::sync::Mutex::new(unsure),
            text_bytes: self.plan.text_bytes,
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            warnings: AtomicU64::new(0),
        });
        let sessions = self.plan.policy.sessions;
        let (jobs, queue) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = JoinSet::new();
        for _ in 0..sessions {
            workers.spawn(work(Arc::clone(&shared), Arc::clone(&queue)));
        }
        Conductor {
            plan: self.plan,
            control,
            is_resumed: !done.is_empty(),
            done,
            shared,
            jobs,
            workers,
            room: Arc::new(Semaphore::new(sessions * CHUNKS)),
            all_room: u32::try_from(sessions * CHUNKS).unwrap_or(u32::MAX),
            reading: None,
        }
    }
}

struct Conductor<'c> {
    plan: &'c RestorePlan,
    control: &'c mut Session,
    done: BTreeSet<u64>,
    /// The first statement that is not marked may have been carried out all the same.
    is_resumed: bool,
    shared: Arc<Shared>,
    jobs: mpsc::UnboundedSender<Job>,
    workers: JoinSet<Result<(), RestoreError>>,
    room: Arc<Semaphore>,
    all_room: u32,
    /// How rows are to be read; `None` after a `SET`.
    reading: Option<Arc<Reading>>,
}

impl Conductor<'_> {
    async fn next(
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

    async fn rows(&mut self, chunk: Chunk) -> Result<(), RestoreError> {
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

    async fn statement(
        &mut self,
        id: u64,
        sql: &[u8],
        kind: &Kind,
        silenced: bool,
    ) -> Result<(), RestoreError> {
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
        let made = self.make(sql, kind).await;
        let is_first = std::mem::take(&mut self.is_resumed);
        match made {
            Ok(()) => {}
            Err(error) if is_first && error.code().is_some_and(|code| EXISTS.contains(&code)) => {}
            Err(error) => return Err(fail(error)),
        }
        match kind {
            Kind::Table { table } => self.made(table).await?,
            Kind::Object { name, .. } if silenced => {
                self.shared.marks.fires(self.control, name).await?;
            }
            Kind::NoTable { .. } => return Ok(()),
            _ => {}
        }
        let mark = vec![id.into(), "".into(), 0_u64.into()];
        let mark = self
            .control
            .execute(&self.shared.marks.done(), Params::Positional(mark))
            .await;
        mark.map(drop)
            .map_err(|source| RestoreError::server("marking a statement", source))
    }

    /// Carries a statement out. One that has statements of its own may only look like one: the
    /// server is asked to take it as one.
    async fn make(&mut self, sql: &[u8], kind: &Kind) -> Result<(), elpis_mysql::Error> {
        if !kind.is_body() {
            return self.control.execute_bytes(sql).await.map(drop);
        }
        match self.control.execute_single(sql).await {
            // It was looked at when it was recognised, word for word.
            Err(error) if error.code() == Some(NOT_PREPARED) => {
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
        if !planned.is_some_and(|planned| planned.deferred) {
            return Ok(());
        }
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
        }
        Ok(())
    }

    /// Waits for all rows.
    async fn finish(mut self) -> Result<Loaded, RestoreError> {
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

impl Made {
    /// The statement that makes the indexes of a table that were taken away; `None` if there are
    /// none.
    pub(super) fn add_keys(&self, side: &str) -> Result<Option<String>, RestoreError> {
        let keys = keys::deferrable(&self.create);
        match keys.is_empty() {
            true => Ok(None),
            false => keys::add_keys(side, &self.table, &keys).map(Some),
        }
    }
}
