//! Reading the tables.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use elpis_mysql::Session;

use super::encode::{Encoder, Form};
use super::error::DumpError;
use super::gate::Gate;
use super::sink::{Piece, PieceId};
use super::store::{Gone, Shelf, Store};

/// About how many bytes go to the sink at once.
const BATCH: usize = 256 << 10;

/// One chunk to read.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) piece: PieceId,
    pub(super) select: String,
    /// What every statement begins with.
    pub(super) insert: String,
    pub(super) forms: Arc<[Form]>,
    /// About how much there is to read.
    pub(super) bytes: u64,
}

/// All chunks, shared by the readers.
pub(super) struct Work {
    tasks: Vec<Task>,
    next: AtomicUsize,
    longest: AtomicU64,
    statement_bytes: usize,
    gate: Arc<Gate>,
    shelf: Arc<Shelf>,
}

impl Work {
    /// Puts the tasks into the order in which they are taken: the biggest first, so that the
    /// readers end at about the same time.
    pub(super) fn new(
        mut tasks: Vec<Task>,
        statement_bytes: usize,
        gate: Arc<Gate>,
        shelf: Arc<Shelf>,
    ) -> Self {
        tasks.sort_by_key(|task| std::cmp::Reverse(task.bytes));
        Self {
            tasks,
            next: AtomicUsize::new(0),
            longest: AtomicU64::new(0),
            statement_bytes,
            gate,
            shelf,
        }
    }

    pub(super) fn longest(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }

    /// Takes task after task until there are none.
    pub(super) async fn run(
        &self,
        session: &mut Session,
        stall: Duration,
    ) -> Result<(), DumpError> {
        let store = Store::start(self.shelf.clone())?;
        let result = self.read_all(session, stall, &store).await;
        // What the storing thread says goes first: the reader only sees that it is gone.
        store.end()?;
        result.map_err(|failure| match failure {
            Failure::Dump(error) => error,
            Failure::Gone => DumpError::Reader {
                reason: "the storing thread ended".to_owned(),
            },
        })
    }

    async fn read_all(
        &self,
        session: &mut Session,
        stall: Duration,
        store: &Store,
    ) -> Result<(), Failure> {
        while let Some(task) = self.tasks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            self.read(task, session, stall, store).await?;
        }
        Ok(())
    }

    async fn read(
        &self,
        task: &Task,
        session: &mut Session,
        stall: Duration,
        store: &Store,
    ) -> Result<(), Failure> {
        if self.shelf.sink.may_have(&task.piece) && self.is_there(task, session, stall).await? {
            return Ok(());
        }
        let mut begun = false;
        let rows = self
            .encode(task, session, stall, |encoder| {
                if !begun {
                    store.begin(task.piece.clone())?;
                    begun = true;
                }
                Ok(store.write(encoder.take(store.buffer()))?)
            })
            .await?;
        if begun {
            store.finish(rows)?;
        }
        Ok(())
    }

    /// Reads the rows only for their sum, and tells whether the sink has them already.
    async fn is_there(
        &self,
        task: &Task,
        session: &mut Session,
        stall: Duration,
    ) -> Result<bool, Failure> {
        let (mut sum, mut bytes) = (blake3::Hasher::new(), 0);
        let mut spare = Vec::new();
        let rows = self
            .encode(task, session, stall, |encoder| {
                let mut text = encoder.take(std::mem::take(&mut spare));
                sum.update(&text);
                bytes += text.len() as u64;
                text.clear();
                spare = text;
                Ok(())
            })
            .await?;
        Ok(self.shelf.take_over(Piece {
            id: task.piece.clone(),
            rows,
            bytes,
            blake3: sum.finalize().to_hex().to_string(),
        })?)
    }

    /// Reads the rows of a chunk as text, which `put` takes batch by batch. Returns their number.
    async fn encode(
        &self,
        task: &Task,
        session: &mut Session,
        stall: Duration,
        mut put: impl FnMut(&mut Encoder) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let failed = |source| Failure::Dump(reading(task, source));
        let mut rows = tokio::select! {
            biased;
            rows = session.stream(&task.select, stall) => rows.map_err(failed)?,
            end = self.gate.ended() => return Err(end.into_error().into()),
        };
        let insert = task.insert.clone().into_bytes();
        let mut encoder = Encoder::new(insert, task.forms.clone(), self.statement_bytes);
        let mut counted = 0;
        loop {
            let batch = rows.read(|row| {
                encoder.push(&row);
                if encoder.len() < BATCH {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            let more = tokio::select! {
                biased;
                more = batch => more.map_err(failed)?,
                end = self.gate.ended() => return Err(end.into_error().into()),
            };
            if !more {
                encoder.close();
            }
            if encoder.len() > 0 {
                self.gate.count_rows(encoder.rows() - counted);
                counted = encoder.rows();
                self.gate.pass(encoder.len()).await?;
                put(&mut encoder)?;
            }
            if !more {
                break;
            }
        }
        self.longest
            .fetch_max(encoder.longest() as u64, Ordering::Relaxed);
        Ok(encoder.rows())
    }
}

fn reading(task: &Task, source: elpis_mysql::Error) -> DumpError {
    let table = format!("{}.{}", task.piece.database_name, task.piece.table_name);
    DumpError::server(format!("reading {table}"), source)
}

enum Failure {
    Dump(DumpError),
    Gone,
}

impl From<DumpError> for Failure {
    fn from(error: DumpError) -> Self {
        Self::Dump(error)
    }
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}
