//! What the manager does on both units before an upgrade: copying the package, checking readiness.
//! Each is a run of its own in the journal, so that a request is never sent twice blindly.

use std::path::Path;
use std::time::Duration;

use elpis_run::{
    Clock, Event, Holder, Journal, JournalError, LockError, NewRun, Outcome, Query, RunId,
    StopToken, Stopped, with_causes,
};
use serde_json::{Value, json};

use super::error::FmcError;
use super::manager::{Fmc, TaskState};
use crate::upgrade::{JOB, lock};

/// The name of these runs in the journal.
const ERRAND_JOB: &str = "failover-manager";
/// Between two looks at the manager's task.
const POLL: Duration = Duration::from_secs(5);

/// Something for the manager to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Copy a package that was uploaded to the manager to both units, and nothing else.
    CopyPackage,
    /// Run the readiness check on both units.
    CheckReadiness,
}

impl Errand {
    fn step(self) -> &'static str {
        match self {
            Errand::CopyPackage => "copy-package",
            Errand::CheckReadiness => "check-readiness",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrandEnd {
    /// The manager's task came to its good end.
    Done,
    /// It failed, in the manager's words.
    Failed(String),
    /// The time was up, or somebody asked to stop; the task goes on. Asking again goes on
    /// watching it.
    GoingOn {
        /// The task's identifier at the manager.
        task: String,
    },
    /// The request may have arrived or not: look at the manager's tasks before asking again.
    Unknown(String),
}

/// Why nothing was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrandError {
    /// Another process works on this pair.
    #[error("another run works on this pair")]
    Locked(#[source] LockError),
    /// An upgrade of this pair has not come to its end.
    #[error("run {run} of this pair has not come to an end: resume or abort it first")]
    Unfinished {
        /// Which run.
        run: RunId,
    },
    /// The manager refused, or could not be asked.
    #[error(transparent)]
    Manager(#[from] FmcError),
    /// The journal could not be read or written.
    #[error("the journal cannot be used, so nothing was asked for")]
    Journal(#[from] JournalError),
}

/// What an errand needs.
pub struct ErrandRun<'a> {
    /// The manager.
    pub fmc: &'a Fmc,
    /// Where the request goes before it is sent.
    pub journal: &'a dyn Journal,
    /// The directory with the locks of all pairs.
    pub lock_dir: &'a Path,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Ends the watching; the manager's task goes on.
    pub stop: &'a StopToken,
    /// Who asks.
    pub holder: Holder,
    /// The pair, as its driver names it.
    pub pair: String,
}

impl ErrandRun<'_> {
    /// Asks for `errand` with `package` and watches the manager's task for at most `most`; or goes
    /// on watching the one that an earlier process has asked for. `tell` hears the task's words.
    ///
    /// # Errors
    /// [`ErrandError`]; what is known to have begun is no error.
    pub async fn run(
        &self,
        errand: Errand,
        package: &str,
        most: Duration,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<ErrandEnd, ErrandError> {
        let _lock = lock(self.lock_dir, &self.pair, &self.holder).map_err(ErrandError::Locked)?;
        if let Some(run) = self.open_run(JOB)? {
            return Err(ErrandError::Unfinished { run });
        }
        if let Some(run) = self.open_run(ERRAND_JOB)? {
            return self.go_on(run, most, tell).await;
        }
        let pair = self.fmc.pair().await?;
        let step = errand.step();
        let run = self.journal.create(&NewRun {
            job: ERRAND_JOB.to_owned(),
            target: self.pair.clone(),
            holder: self.holder.clone(),
            started: self.clock.now(),
            plan: json!({ "errand": step, "package": package }),
        })?;
        self.record(
            run,
            |step| Event::Intent {
                step,
                detail: json!({ "package": package }),
            },
            step,
        )?;
        let asked = match errand {
            Errand::CopyPackage => self.fmc.copy_package(package, &pair).await,
            Errand::CheckReadiness => self.fmc.check_readiness(package, &pair).await,
        };
        let task = match asked {
            Ok(task) => task,
            Err(error) if error.is_refusal() => {
                self.fail(run, step, &with_causes(&error))?;
                return Err(error.into());
            }
            Err(error) => return self.unknown(run, with_causes(&error)),
        };
        self.record(
            run,
            |step| Event::Note {
                step,
                detail: json!({ "task": task }),
            },
            step,
        )?;
        self.watch(run, step, task, most, tell).await
    }

    fn open_run(&self, job: &str) -> Result<Option<RunId>, JournalError> {
        let query = Query {
            job: Some(job.to_owned()),
            target: Some(self.pair.clone()),
            open_only: true,
            limit: Some(1),
        };
        Ok(self.journal.list(&query)?.first().map(|run| run.id))
    }

    /// An earlier process asked; what it asked for comes to its end first.
    async fn go_on(
        &self,
        run: RunId,
        most: Duration,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<ErrandEnd, ErrandError> {
        let history = self.journal.replay(run)?;
        let step = match history.plan.get("errand").and_then(Value::as_str) {
            Some(name) if name == Errand::CheckReadiness.step() => Errand::CheckReadiness.step(),
            _ => Errand::CopyPackage.step(),
        };
        let task = history
            .records
            .iter()
            .find_map(|record| match &record.event {
                Event::Note { detail, .. } => detail.get("task")?.as_str().map(str::to_owned),
                _ => None,
            });
        match task {
            Some(task) => {
                tell("going on with what was asked for before");
                self.watch(run, step, task, most, tell).await
            }
            None => self.unknown(run, "the process that asked has died".to_owned()),
        }
    }

    async fn watch(
        &self,
        run: RunId,
        step: &'static str,
        task: String,
        most: Duration,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<ErrandEnd, ErrandError> {
        let deadline = self.clock.monotonic().saturating_add(most);
        loop {
            match self.fmc.task(&task).await? {
                TaskState::Completed => {
                    self.record(
                        run,
                        |step| Event::Done {
                            step,
                            detail: Value::Null,
                        },
                        step,
                    )?;
                    self.journal.finish(run, self.clock.now(), &Outcome::Done)?;
                    return Ok(ErrandEnd::Done);
                }
                TaskState::Failed(words) => {
                    self.fail(run, step, &words)?;
                    return Ok(ErrandEnd::Failed(words));
                }
                TaskState::Running(words) => tell(&words),
            }
            let over = self.clock.monotonic() >= deadline;
            if over || matches!(self.stop.sleep(self.clock, POLL).await, Err(Stopped)) {
                return Ok(ErrandEnd::GoingOn { task });
            }
        }
    }

    fn record(
        &self,
        run: RunId,
        event: impl FnOnce(String) -> Event,
        step: &str,
    ) -> Result<(), JournalError> {
        self.journal
            .append(run, self.clock.now(), &event(step.to_owned()))
    }

    fn fail(&self, run: RunId, step: &str, words: &str) -> Result<(), JournalError> {
        let error = words.to_owned();
        self.record(
            run,
            |step| Event::Failed {
                step,
                error: error.clone(),
                detail: Value::Null,
            },
            step,
        )?;
        let now = self.clock.now();
        self.journal.finish(run, now, &Outcome::Failed { error })
    }

    /// Closed, so that asking again is somebody's decision.
    fn unknown(&self, run: RunId, reason: String) -> Result<ErrandEnd, ErrandError> {
        let text = format!("it is not known whether the manager took the request: {reason}");
        let outcome = Outcome::Stopped {
            reason: text.clone(),
        };
        self.journal.finish(run, self.clock.now(), &outcome)?;
        Ok(ErrandEnd::Unknown(text))
    }
}
