//! Loading a text into the side database: tables, rows on parallel sessions, and then what works
//! on them.
//!
//! One thread reads and cuts the text. What is not rows is carried out in the text's order on the
//! control session; rows go in chunks to the sessions, one of which at a time loads a table, as a
//! file where that means the same. Who loads the last rows of a table makes its indexes, while
//! others load the next one. Chunks and statements are numbered and marked in the
//! side database, so that an interrupted load goes on where it was.

mod conductor;
mod event;
mod feed;
mod index;
mod infile;
mod keys;
mod marks;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use elpis_mysql::Session;
use elpis_run::{Observer, StopToken};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;

pub(super) use event::enable;
pub(super) use index::build;
pub(super) use marks::{Made, Marks};

use super::error::{RestoreError, TextError};
use super::event::RestoreEvent;
use super::plan::RestorePlan;
use super::session::{Ask, Opening, quoted};
use conductor::Conductor;
use feed::{Order, feed};
use index::Growing;
use infile::Infiles;
use worker::{Shared, work};

/// Chunks a session may have: one that it loads and one that waits for it.
const CHUNKS: usize = 2;

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
        let infiles = Infiles::new(control, self.plan).await?;
        let mut conductor = self.conductor(control, marks, infiles, done, unsure);
        while let Some(order) = conductor.next(&mut orders).await? {
            if self.stop.is_stopped() {
                return Err(RestoreError::Stopped);
            }
            match order? {
                Order::Rows(chunk) => conductor.rows(chunk).await?,
                Order::Statement(statement) => conductor.statement(&statement).await?,
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
        infiles: Infiles,
        done: BTreeSet<u64>,
        unsure: BTreeSet<String>,
    ) -> Conductor<'c> {
        let shared = Arc::new(Shared {
            opening: self.opening.clone(),
            side: self.plan.side.clone(),
            marks,
            observer: Arc::clone(&self.observer),
            unsure: std::sync::Mutex::new(unsure),
            growing: Growing::default(),
            infiles,
            turns: std::sync::Mutex::default(),
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
