//! The journal of the state directory, for those who may write it and those who only look.

use elpis_maint_core::{JOB, Rates, measured_rates};
use elpis_run::RunSummary;
use elpis_run::journal::{Journal, JournalError, Query, SqliteJournal};

use crate::settings::State;

/// Opens the journal to write, creating it if need be.
pub(crate) fn open(state: &State) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(&state.journal(), Some(state.keep_days))
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
pub(crate) fn rates(state: &State, target: &str) -> (Rates, Option<JournalError>) {
    let read = || match look(state)? {
        Some(journal) => measured_rates(&journal, target),
        None => Ok(Rates::new()),
    };
    match read() {
        Ok(rates) => (rates, None),
        Err(error) => (Rates::new(), Some(error)),
    }
}

/// The run of `target` that is at work now, if this host's journal knows it.
pub(crate) fn at_work(journal: &dyn Journal, target: &str) -> Option<RunSummary> {
    let query = Query {
        job: Some(JOB.to_owned()),
        target: Some(target.to_owned()),
        open_only: true,
        limit: Some(10),
    };
    let runs = journal.list(&query).ok()?;
    runs.into_iter()
        .find(|run| run.holder.is_alive() != Some(false))
}
