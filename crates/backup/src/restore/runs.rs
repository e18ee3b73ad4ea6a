//! The restores that a journal knows, and where each stands.

use elpis_run::{Event, History, Holder, Journal, JournalError, Outcome, Query, RunId, RunSummary};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::run::START;
use super::steps::is_try_of;
use super::{FORGET_JOB, JOB, UNDO_JOB};

/// Where a restore stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RestoreState {
    /// It runs, or its process died: resume it or undo it.
    Unfinished,
    /// Exchanged, and the rows that may come later are not all there yet: it runs, or its process
    /// died. Resume it or undo it.
    Filling,
    /// Done; it can be undone.
    Done,
    /// Taking it back has begun: undo it once more.
    Undoing,
    /// Taken back. What it brought is kept until it is forgotten.
    Undone,
    /// Its old tables are gone.
    Forgotten,
}

/// One restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreRun {
    /// Its number in the journal.
    pub run: RunId,
    /// When it began.
    pub started: Timestamp,
    /// Who began it: what was restored together has the same.
    pub holder: Holder,
    /// The server and the live database, as the journal has them.
    pub target: String,
    /// The database that its text is of, if the text says so: of an archive with several it tells
    /// which.
    pub source: Option<String>,
    /// Where it stands.
    pub state: RestoreState,
}

/// The restores of a journal, newest first.
///
/// # Errors
/// When the journal cannot be read.
pub fn runs(journal: &dyn Journal) -> Result<Vec<RestoreRun>, JournalError> {
    let of = |job: &str| {
        journal.list(&Query {
            job: Some(job.to_owned()),
            ..Query::default()
        })
    };
    let (undos, forgets) = (
        followers(journal, of(UNDO_JOB)?)?,
        followers(journal, of(FORGET_JOB)?)?,
    );
    let mut restores = Vec::new();
    for run in of(JOB)? {
        let undo = undos.iter().find(|(restore, _)| *restore == run.id);
        let is_forgotten = forgets
            .iter()
            .any(|(restore, forget)| *restore == run.id && is_done(forget));
        let state = match undo {
            _ if is_forgotten => RestoreState::Forgotten,
            Some((_, undo)) if is_done(undo) => RestoreState::Undone,
            Some(_) => RestoreState::Undoing,
            None if run.finished.is_none() => RestoreState::Unfinished,
            None => RestoreState::Done,
        };
        let history = journal.replay(run.id)?;
        let state = match state {
            RestoreState::Unfinished if is_filling(&history) => RestoreState::Filling,
            state => state,
        };
        let plan = history.plan;
        restores.push(RestoreRun {
            run: run.id,
            started: run.started,
            holder: run.holder,
            target: run.target,
            source: plan
                .get("source")
                .and_then(Value::as_str)
                .map(str::to_owned),
            state,
        });
    }
    Ok(restores)
}

/// Whether all that is left are rows that may come later.
fn is_filling(history: &History) -> bool {
    let mut events = history.records.iter().map(|record| &record.event);
    history.plan.get("rest").is_some()
        && events.any(|event| matches!(event, Event::Done { step, .. } if is_try_of(step, START)))
}

/// Runs that follow a restore, each with that restore's number; newest first.
pub(super) fn followers(
    journal: &dyn Journal,
    runs: Vec<RunSummary>,
) -> Result<Vec<(RunId, RunSummary)>, JournalError> {
    let mut found = Vec::new();
    for run in runs {
        let plan = journal.replay(run.id)?.plan;
        if let Some(restore) = plan.get("restore").and_then(Value::as_i64) {
            found.push((RunId(restore), run));
        }
    }
    Ok(found)
}

pub(super) fn is_done(run: &RunSummary) -> bool {
    let outcome = run.finished.as_ref().map(|finish| &finish.outcome);
    matches!(outcome, Some(Outcome::Done | Outcome::Warnings { .. }))
}
