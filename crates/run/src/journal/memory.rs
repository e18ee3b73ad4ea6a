//! A journal that lasts as long as its process: for tests and for runs that change nothing.

use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

use super::{
    Event, Finish, History, Journal, JournalError, NewRun, Outcome, Query, Record, RunId,
    RunSummary, to_micros,
};

/// The journal in memory. It forgets everything when dropped; until then it behaves as the durable
/// one does, and keeps all plans.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    /// Run `n` stands at `n - 1`.
    runs: Mutex<Vec<History>>,
}

impl MemoryJournal {
    /// A journal without runs.
    pub fn new() -> MemoryJournal {
        MemoryJournal::default()
    }

    fn lock(&self) -> Result<MutexGuard<'_, Vec<History>>, JournalError> {
        self.runs.lock().map_err(|_| JournalError::Poisoned)
    }
}

fn find(runs: &mut [History], run: RunId) -> Result<&mut History, JournalError> {
    usize::try_from(run.0)
        .ok()
        .and_then(|number| runs.get_mut(number.checked_sub(1)?))
        .ok_or(JournalError::UnknownRun(run))
}

impl Journal for MemoryJournal {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        let mut runs = self.lock()?;
        let id = RunId(i64::try_from(runs.len() + 1).unwrap_or(i64::MAX));
        runs.push(History {
            summary: RunSummary {
                id,
                job: run.job.clone(),
                target: run.target.clone(),
                holder: run.holder.clone(),
                started: to_micros(run.started),
                finished: None,
            },
            plan: run.plan.clone(),
            records: Vec::new(),
        });
        Ok(id)
    }

    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        let mut runs = self.lock()?;
        let history = find(&mut runs, run)?;
        history
            .state()?
            .apply(event)
            .map_err(|source| JournalError::Illegal { run, source })?;
        history.records.push(Record {
            at: to_micros(at),
            event: event.clone(),
        });
        Ok(())
    }

    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        let mut runs = self.lock()?;
        let history = find(&mut runs, run)?;
        history
            .state()?
            .finish(outcome)
            .map_err(|source| JournalError::Illegal { run, source })?;
        history.summary.finished = Some(Finish {
            at: to_micros(at),
            outcome: outcome.clone(),
        });
        Ok(())
    }

    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        let runs = self.lock()?;
        let wanted = |run: &&RunSummary| {
            query.job.as_ref().is_none_or(|job| *job == run.job)
                && query
                    .target
                    .as_ref()
                    .is_none_or(|target| *target == run.target)
                && !(query.open_only && run.finished.is_some())
        };
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let newest_first = runs.iter().rev().map(|run| &run.summary);
        Ok(newest_first.filter(wanted).take(limit).cloned().collect())
    }

    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        let mut runs = self.lock()?;
        let history = find(&mut runs, run)?;
        history.state()?;
        Ok(history.clone())
    }
}
