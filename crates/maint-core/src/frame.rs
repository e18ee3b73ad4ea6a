//! The frame of every run: how it begins, how it ends, and why it did not do what its plan said.

use std::fmt;

use elpis_run::journal::{JournalError, NewRun, Outcome, close_dead_runs};
use elpis_run::{RunId, with_causes};
use jiff::Timestamp;
use serde::Serialize;

use crate::plan::server_refusals;
use crate::store::{Store, StoreError};
use crate::{Ended, Refusal, Run};

/// What the report of every kind of run can say.
pub trait RunReport: fmt::Debug {
    /// Rows deleted, changed or added in all tables.
    fn changed(&self) -> u64;
    /// When the run ended.
    fn finished(&self) -> Timestamp;
    /// How it ended, in the journal's words.
    fn outcome(&self) -> Outcome;
}

/// Why a run did not do what its plan said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError<R: RunReport> {
    /// A safety check failed before anything was touched.
    #[error("refused, nothing was changed: {}", list(.0))]
    Refused(Vec<Refusal>),
    /// The database failed before anything was touched; this includes a lock held by another run.
    #[error("could not begin, nothing was changed")]
    NotBegun(#[source] StoreError),
    /// The database failed in the middle.
    #[error("stopped part-way after {} rows; what was done stays done", .report.changed())]
    Stopped {
        /// What was done until then.
        report: Box<R>,
        /// What the store said.
        source: StoreError,
    },
    /// The journal could not be written, so no further step was taken.
    #[error("the journal could not be written, so the run stopped before the next step")]
    Journal(#[from] JournalError),
}

fn list(refusals: &[Refusal]) -> String {
    let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    refusals.join("; ")
}

/// What a run did, and the failure that ended it.
pub(crate) type Walked<R> = Result<(R, Option<StoreError>), JournalError>;

/// Under what name and on what terms a run begins.
pub(crate) struct Terms<'a> {
    pub(crate) job: &'static str,
    pub(crate) target: &'a str,
    pub(crate) refusals: &'a [Refusal],
    pub(crate) locks: &'a [String],
    pub(crate) allow_replica: bool,
}

impl<E> Run<'_, E> {
    /// Takes the locks, looks at the server once more, and enters the run and its plan into the
    /// journal. If that fails nothing is locked.
    pub(crate) async fn open<S: Store, R: RunReport>(
        &mut self,
        terms: Terms<'_>,
        plan: &impl Serialize,
        store: &mut S,
    ) -> Result<(RunId, Timestamp), RunError<R>> {
        if !terms.refusals.is_empty() {
            return Err(RunError::Refused(terms.refusals.to_vec()));
        }
        store.lock(terms.locks).await.map_err(RunError::NotBegun)?;
        // The server may have become a replica since the plan was made.
        let server = store.server().await;
        let entered = match server {
            Ok(server) => match server_refusals(&server, terms.allow_replica) {
                refusals if refusals.is_empty() => {
                    self.enter(&terms, plan).map_err(RunError::Journal)
                }
                refusals => Err(RunError::Refused(refusals)),
            },
            Err(error) => Err(RunError::NotBegun(error)),
        };
        if entered.is_err() {
            give_back(store).await;
        }
        entered
    }

    fn enter(
        &self,
        terms: &Terms<'_>,
        plan: &impl Serialize,
    ) -> Result<(RunId, Timestamp), JournalError> {
        close_dead_runs(self.journal, self.clock, terms.job, terms.target)?;
        let started = self.clock.now();
        let run = self.journal.create(&NewRun {
            job: terms.job.to_owned(),
            target: terms.target.to_owned(),
            holder: self.holder.clone(),
            started,
            plan: serde_json::to_value(plan).unwrap_or_default(),
        })?;
        Ok((run, started))
    }

    /// Enters how the run ended, gives the locks back, and tells.
    pub(crate) async fn close<S: Store, R: RunReport + Clone>(
        &mut self,
        run: RunId,
        walked: Walked<R>,
        store: &mut S,
        finished: impl FnOnce(R) -> E,
    ) -> Result<R, RunError<R>> {
        let ended = walked.and_then(|(report, failure)| {
            let outcome = report.outcome();
            match outcome == Outcome::Done && report.changed() == 0 {
                true => self.journal.finish_idle(run, report.finished(), &outcome)?,
                false => self.journal.finish(run, report.finished(), &outcome)?,
            }
            Ok((report, failure))
        });
        give_back(store).await;
        let (report, failure) = ended?;
        self.observer.on(&finished(report.clone()));
        match failure {
            None => Ok(report),
            Some(source) => Err(RunError::Stopped {
                report: Box::new(report),
                source,
            }),
        }
    }
}

async fn give_back<S: Store>(store: &mut S) {
    // The locks go with the session anyway; a session that is lost cannot give them back.
    let _ = store.unlock().await;
}

/// How a part of a run ended, in the report's words. An error is kept for the caller.
pub(crate) fn settle(ended: Result<Ended, StoreError>, failure: &mut Option<StoreError>) -> Ended {
    ended.unwrap_or_else(|error| {
        let ended = Ended::Failed {
            error: with_causes(&error),
        };
        *failure = Some(error);
        ended
    })
}

/// Why a part of a run is not at its end, for the journal.
pub(crate) fn why_not(ended: &Result<Ended, StoreError>) -> Option<String> {
    match ended {
        Ok(Ended::Done) => None,
        Ok(other) => Some(other.to_string()),
        Err(error) => Some(with_causes(error)),
    }
}
