//! Decorators that fail on purpose: stores, journals, throttles.

use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use elpis_maint_core::store::{Count, Counted, Extent, Position, Purged, ServerFacts, Shape};
use elpis_maint_core::{PurgeTask, Scalar, Store, StoreError, TableRule};
use elpis_run::journal::{Event, History, NewRun, Outcome, Query, RunSummary};
use elpis_run::{ChunkTiming, Journal, JournalError, Load, MemoryJournal, Pace, RunId, Throttle};
use jiff::Timestamp;

type ChunkHook = Box<dyn FnMut(u64) -> Option<StoreError> + Send>;

/// A store that behaves as the one inside until it is told otherwise.
pub struct FaultStore<S> {
    inner: S,
    chunks: u64,
    hook: Option<ChunkHook>,
    hang_at: Option<u64>,
    rows: Option<Count>,
    due: Option<Count>,
    load: Option<Load>,
    /// The verbs that were called so far, in order.
    pub calls: Vec<&'static str>,
}

impl<S: Store> FaultStore<S> {
    /// A store without faults yet.
    pub fn new(inner: S) -> FaultStore<S> {
        FaultStore {
            inner,
            chunks: 0,
            hook: None,
            hang_at: None,
            rows: None,
            due: None,
            load: None,
            calls: Vec::new(),
        }
    }

    /// Asks `hook` before each chunk, numbered from 1: an error is returned instead of the chunk.
    #[must_use]
    pub fn before_chunk(
        mut self,
        hook: impl FnMut(u64) -> Option<StoreError> + Send + 'static,
    ) -> FaultStore<S> {
        self.hook = Some(Box::new(hook));
        self
    }

    /// The chunk of this number, from 1, never ends (the hook is still asked first).
    #[must_use]
    pub fn hang_at(mut self, chunk: u64) -> FaultStore<S> {
        self.hang_at = Some(chunk);
        self
    }

    /// Claims these sizes for every table: its rows, and the expired ones.
    #[must_use]
    pub fn claim(mut self, rows: Count, due: Count) -> FaultStore<S> {
        (self.rows, self.due) = (Some(rows), Some(due));
        self
    }

    /// Claims this load.
    #[must_use]
    pub fn under(mut self, load: Load) -> FaultStore<S> {
        self.load = Some(load);
        self
    }
}

impl<S: Store> Store for FaultStore<S> {
    async fn server(&mut self) -> Result<ServerFacts, StoreError> {
        self.calls.push("server");
        self.inner.server().await
    }

    async fn shape(&mut self, table: &str) -> Result<Option<Shape>, StoreError> {
        self.calls.push("shape");
        let shape = self.inner.shape(table).await?;
        Ok(shape.map(|shape| Shape {
            rows: self.rows.unwrap_or(shape.rows),
            ..shape
        }))
    }

    async fn estimate(&mut self, task: &PurgeTask) -> Result<Extent, StoreError> {
        self.calls.push("estimate");
        let extent = self.inner.estimate(task).await?;
        Ok(Extent {
            rows: self.rows.unwrap_or(extent.rows),
            due: self.due.unwrap_or(extent.due),
            ..extent
        })
    }

    async fn nth_newest(
        &mut self,
        rule: &TableRule,
        keep: u64,
    ) -> Result<Option<Scalar>, StoreError> {
        self.calls.push("nth_newest");
        self.inner.nth_newest(rule, keep).await
    }

    async fn count_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Counted, StoreError> {
        self.calls.push("count_chunk");
        self.inner.count_chunk(task, from, limit).await
    }

    async fn purge_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Purged, StoreError> {
        self.calls.push("purge_chunk");
        self.chunks += 1;
        let chunk = self.chunks;
        if let Some(error) = self.hook.as_mut().and_then(|hook| hook(chunk)) {
            return Err(error);
        }
        if self.hang_at == Some(chunk) {
            pending::<()>().await;
        }
        self.inner.purge_chunk(task, from, limit).await
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), StoreError> {
        self.calls.push("lock");
        self.inner.lock(names).await
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        self.calls.push("unlock");
        self.inner.unlock().await
    }

    async fn load(&mut self) -> Result<Load, StoreError> {
        self.calls.push("load");
        match &self.load {
            Some(load) => Ok(load.clone()),
            None => self.inner.load().await,
        }
    }
}

/// A journal in memory whose writes fail from a chosen one on.
pub struct FaultJournal {
    inner: MemoryJournal,
    writes_left: Mutex<u64>,
}

impl FaultJournal {
    /// Takes `writes` writes (create, append, finish) and then no more.
    pub fn after(writes: u64) -> FaultJournal {
        FaultJournal {
            inner: MemoryJournal::new(),
            writes_left: Mutex::new(writes),
        }
    }

    fn write(&self) -> Result<(), JournalError> {
        let mut left = self
            .writes_left
            .lock()
            .map_err(|_| JournalError::Poisoned)?;
        *left = left.checked_sub(1).ok_or(JournalError::Poisoned)?;
        Ok(())
    }
}

impl Journal for FaultJournal {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        self.write()?;
        self.inner.create(run)
    }

    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        self.write()?;
        self.inner.append(run, at, event)
    }

    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        self.write()?;
        self.inner.finish(run, at, outcome)
    }

    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.list(query)
    }

    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        self.inner.replay(run)
    }
}

/// A throttle that calls back before it says what the one inside decided.
pub struct HookThrottle<T, F> {
    /// Decides.
    pub inner: T,
    /// Hears of the load that was looked at and of the decision.
    pub hook: F,
}

impl<T: Throttle, F: FnMut(&Load, &Pace) + Send> Throttle for HookThrottle<T, F> {
    fn pace(&mut self, last: Option<&ChunkTiming>, load: &Load) -> Pace {
        let pace = self.inner.pace(last, load);
        (self.hook)(load, &pace);
        pace
    }
}

/// Chunks and pauses of a fixed size.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    /// Rows a chunk.
    pub rows: u64,
    /// The pause before each chunk.
    pub pause: Duration,
}

impl Throttle for Paced {
    fn pace(&mut self, _last: Option<&ChunkTiming>, _load: &Load) -> Pace {
        Pace::Go {
            rows: self.rows,
            pause: self.pause,
        }
    }
}
