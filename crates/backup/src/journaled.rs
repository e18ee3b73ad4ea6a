//! What a run owes the journal besides its steps.

use std::error::Error;

use elpis_run::{Clock, Journal, JournalError, Outcome, Query};

/// Closes the runs of a job on a store whose processes died. The caller holds the store's lock, so
/// none of them is at work.
pub(crate) fn close_dead_runs(
    journal: &dyn Journal,
    clock: &dyn Clock,
    job: &str,
    target: &str,
) -> Result<(), JournalError> {
    let query = Query {
        job: Some(job.to_owned()),
        target: Some(target.to_owned()),
        open_only: true,
        limit: None,
    };
    for run in journal.list(&query)? {
        journal.finish(run.id, clock.now(), &Outcome::Interrupted)?;
    }
    Ok(())
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
