//! A journal on a disk that is full after so many records.

use std::sync::atomic::{AtomicUsize, Ordering};

use elpis_run::{
    Event, History, Journal, JournalError, MemoryJournal, NewRun, Outcome, Query, RunId, RunSummary,
};
use jiff::Timestamp;

pub(crate) struct Full {
    inner: MemoryJournal,
    left: AtomicUsize,
}

impl Full {
    pub(crate) fn after(records: usize) -> Full {
        Full {
            inner: MemoryJournal::new(),
            left: AtomicUsize::new(records),
        }
    }

    fn take(&self) -> Result<(), JournalError> {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map(drop).map_err(|_| JournalError::Poisoned)
    }
}

impl Journal for Full {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        self.take()?;
        self.inner.create(run)
    }

    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        self.take()?;
        self.inner.append(run, at, event)
    }

    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        self.take()?;
        self.inner.finish(run, at, outcome)
    }

    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.list(query)
    }

    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        self.inner.replay(run)
    }
}
