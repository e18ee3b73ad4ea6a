//! Killing the engine at a counted moment: before or after any record, before or after any call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use elpis_run::{Event, History, Journal, JournalError, NewRun, Outcome, Query, RunId, RunSummary};
use jiff::Timestamp;
use tokio::sync::Notify;

/// Counts moments; at the chosen one everything stops for good.
#[derive(Clone)]
pub(crate) struct Ticks {
    shared: Arc<Shared>,
}

struct Shared {
    count: AtomicUsize,
    fatal: AtomicUsize,
    /// Whether calls to units are moments, too.
    calls: AtomicBool,
    died: Notify,
}

impl Ticks {
    pub(crate) fn never() -> Ticks {
        Ticks {
            shared: Arc::new(Shared {
                count: AtomicUsize::new(0),
                fatal: AtomicUsize::new(usize::MAX),
                calls: AtomicBool::new(true),
                died: Notify::new(),
            }),
        }
    }

    /// Dies at the `n`-th moment from now, counted from 1.
    pub(crate) fn die_at(&self, n: usize) {
        self.shared.count.store(0, Ordering::SeqCst);
        self.shared.fatal.store(n, Ordering::SeqCst);
    }

    /// From now on only records are moments.
    pub(crate) fn only_records(&self) {
        self.shared.calls.store(false, Ordering::SeqCst);
    }

    /// Lives on.
    pub(crate) fn revive(&self) {
        self.die_at(usize::MAX);
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.count() >= self.shared.fatal.load(Ordering::SeqCst)
    }

    /// One moment. Whether the process is dead from now on.
    fn tick(&self) -> bool {
        self.shared.count.fetch_add(1, Ordering::SeqCst);
        if self.is_dead() {
            self.shared.died.notify_one();
        }
        self.is_dead()
    }

    /// One moment of an asynchronous call; a dead process never returns from it.
    pub(crate) async fn pass(&self) {
        let dead = if self.shared.calls.load(Ordering::SeqCst) {
            self.tick()
        } else {
            self.is_dead()
        };
        if dead {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn died(&self) {
        while !self.is_dead() {
            self.shared.died.notified().await;
        }
    }
}

/// A journal whose process may die before or after a record became durable.
pub(crate) struct CrashingJournal {
    pub(crate) inner: Arc<dyn Journal>,
    pub(crate) ticks: Ticks,
}

impl CrashingJournal {
    fn around<T>(
        &self,
        write: impl FnOnce() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if self.ticks.tick() {
            return Err(JournalError::Poisoned);
        }
        let written = write()?;
        if self.ticks.tick() {
            return Err(JournalError::Poisoned);
        }
        Ok(written)
    }
}

impl Journal for CrashingJournal {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        self.around(|| self.inner.create(run))
    }

    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        self.around(|| self.inner.append(run, at, event))
    }

    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        self.around(|| self.inner.finish(run, at, outcome))
    }

    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.list(query)
    }

    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        self.inner.replay(run)
    }
}
