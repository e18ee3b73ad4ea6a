//! The journal of the state directory, for those who may write it and those who only look.

use elpis_maint_core::compact::COMPACT_JOB;
use elpis_maint_core::housekeeping::HOUSEKEEPING_JOB;
use elpis_maint_core::moves::MOVE_JOB;
use elpis_maint_core::{JOB, Rates, measured_compact_rates, measured_rates};
use elpis_run::RunSummary;
use elpis_run::journal::{Journal, JournalError, Query, SqliteJournal};

use crate::settings::State;

/// What this program does, as the journal names it. Other programs may share the journal.
const JOBS: [&str; 4] = [HOUSEKEEPING_JOB, MOVE_JOB, JOB, COMPACT_JOB];

/// What earlier runs measured.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) purge: Rates,
    pub(crate) compaction: Rates,
}

impl Measured {
    pub(crate) fn read(journal: &dyn Journal, target: &str) -> Result<Measured, JournalError> {
        Ok(Measured {
            purge: measured_rates(journal, target)?,
            compaction: measured_compact_rates(journal, target)?,
        })
    }
}

/// How long the plan of a run is kept that is over: long enough to see what was meant, where
/// something went wrong. A run of every task has 70 KB of it, 24 times a day.
const PLAN_DAYS: u32 = 7;

/// Opens the journal to write, creating it if need be.
pub(crate) fn open(state: &State) -> Result<SqliteJournal, JournalError> {
    let journal = SqliteJournal::open(&state.journal(), Some(state.keep_days))?;
    // Old plans harm nobody: what cannot be removed now goes with a later run.
    let _ = journal.forget_plans(&JOBS, PLAN_DAYS);
    Ok(journal)
}

/// Opens the journal to read; `None` if there is none yet. Creates nothing.
pub(crate) fn look(state: &State) -> Result<Option<SqliteJournal>, JournalError> {
    if !state.journal().exists() {
        return Ok(None);
    }
    SqliteJournal::open_read_only(&state.journal()).map(Some)
}

/// What earlier runs measured. A plan is good without it, so a journal that cannot be read is
/// only a warning.
pub(crate) fn rates(state: &State, target: &str) -> (Measured, Option<JournalError>) {
    let read = || match look(state)? {
        Some(journal) => Measured::read(&journal, target),
        None => Ok(Measured::default()),
    };
    match read() {
        Ok(rates) => (rates, None),
        Err(error) => (Measured::default(), Some(error)),
    }
}

/// The runs of all our jobs that match, newest first.
pub(crate) fn runs(journal: &dyn Journal, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
    let mut runs = Vec::new();
    for job in JOBS {
        let query = Query {
            job: Some(job.to_owned()),
            ..query.clone()
        };
        runs.extend(journal.list(&query)?);
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.id));
    runs.truncate(query.limit.map_or(usize::MAX, |limit| limit as usize));
    Ok(runs)
}

/// The newest run of each of our jobs on every target, newest first.
pub(crate) fn latest(journal: &dyn Journal) -> Result<Vec<RunSummary>, JournalError> {
    let mut runs = journal.latest()?;
    runs.retain(|run| JOBS.contains(&run.job.as_str()));
    Ok(runs)
}

/// The run of `target` that is at work now, if this host's journal knows it.
pub(crate) fn at_work(journal: &dyn Journal, target: &str) -> Option<RunSummary> {
    let query = Query {
        target: Some(target.to_owned()),
        open_only: true,
        limit: Some(10),
        ..Query::default()
    };
    let runs = runs(journal, &query).ok()?;
    runs.into_iter()
        .find(|run| run.holder.is_alive() != Some(false))
}
