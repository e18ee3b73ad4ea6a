//! The engine: walks a plan, one step after the other, and survives its own death in any of them.
//!
//! What was *meant* comes from the journal, what *is* comes from looking again. Before a change:
//! fresh guards, a durable intent, then the order. After it: a look. Whatever cannot be decided
//! safely ends in a hold, with the pair left as it is and the next step named.

mod act;
mod adopt;
mod close;
mod drive;
mod outside;
mod steps;
mod undo;
mod wait;
mod watch;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use elpis_run::{
    Clock, FileLock, History, Holder, Journal, JournalError, LockError, NewRun, Observer, Query,
    RunId, StopToken,
};
use sha2::{Digest, Sha256};

use self::drive::Drive;
use crate::aids::Aids;
use crate::concern::{Cause, Concern};
use crate::driver::PairDriver;
use crate::event::UpgradeEvent;
use crate::inspect::Inspection;
use crate::ledger::{Ledger, LedgerError};
use crate::plan::Plan;
use crate::policy::{Gate, Policy, PolicyError, Window};
use crate::report::{Ended, Report};

pub use outside::{approve, pause};

/// The name of this job in the journal.
pub const JOB: &str = "failover";

/// What a run needs besides its plan.
pub struct Upgrade<'a, D> {
    /// The pair.
    pub driver: &'a D,
    /// Where intents and results go before and after each step.
    pub journal: &'a dyn Journal,
    /// A directory for the lock of each pair; it must exist.
    pub lock_dir: &'a Path,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Hears what happens.
    pub observer: &'a dyn Observer<UpgradeEvent>,
    /// Ends the run after the present step, at a point where the pair can rest.
    pub stop: &'a StopToken,
    /// Ends the run now. What a unit has begun goes on by itself.
    pub leave: &'a StopToken,
    /// Hooks, backups, monitoring.
    pub aids: Aids<'a>,
    /// Who runs it.
    pub holder: Holder,
}

/// On what terms a run is taken up again. By default: on its own, and nothing is compared.
#[derive(Debug, Clone, Default)]
pub struct Resume<'a> {
    /// A maintenance window in place of the plan's.
    pub window: Option<Window>,
    /// An installation of the plan's package that somebody has begun by hand on the unit whose
    /// turn it is becomes the run's own: it is watched, not started again.
    pub adopt: bool,
    /// The policy as it is configured now. A run goes by the one in its plan; if the two differ
    /// somebody has edited the file since, and the run is not taken up.
    pub policy: Option<&'a Policy>,
    /// Somebody knows that policy or driver were configured anew, and wants the run to go on by
    /// its plan; what was edited goes to the journal.
    pub as_planned: bool,
}

/// Why a run could not begin, or could not go on recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The facts are no longer those of the plan, or forbid touching the pair. Nothing was
    /// touched.
    #[error("refused, nothing was touched: {}", words(.0))]
    Refused(Vec<Concern>),
    /// The policy in the plan is invalid.
    #[error("the plan's policy cannot be used")]
    Policy(#[from] PolicyError),
    /// Another process works on this pair.
    #[error("another run works on this pair")]
    Locked(#[source] LockError),
    /// An earlier run of this pair has not come to an end.
    #[error("run {run} of this pair has not come to an end: resume or abort it first")]
    Unfinished {
        /// Which run.
        run: RunId,
    },
    /// The run has come to its end and cannot be continued.
    #[error("run {run} has come to its end")]
    Finished {
        /// Which run.
        run: RunId,
    },
    /// The run is of something else, such as a task of the manager.
    #[error("run {run} is not an upgrade")]
    NotAnUpgrade {
        /// Which run.
        run: RunId,
    },
    /// The run is not an upgrade of this pair.
    #[error("run {run} is not an upgrade of {pair}")]
    OtherPair {
        /// Which run.
        run: RunId,
        /// This pair.
        pair: String,
    },
    /// The configuration is not the one that the run's plan was made by.
    #[error(
        "run {run} goes by its plan, and the configuration was edited since: {}",
        .keys.join(", ")
    )]
    Edited {
        /// Which run.
        run: RunId,
        /// What was edited, such as `policy.limits.install`.
        keys: Vec<String>,
    },
    /// There is no switchover that could be undone.
    #[error("nothing can be undone: {reason}")]
    NotUndoable {
        /// Why.
        reason: String,
    },
    /// The gate is not one of this run's plan.
    #[error("the plan of run {run} has no gate `{gate}`")]
    NoSuchGate {
        /// Which run.
        run: RunId,
        /// Which gate.
        gate: Gate,
    },
    /// The operator asked to stop before anything began.
    #[error("stopped on request, nothing was touched")]
    Stopped,
    /// The journal's records are not those of an upgrade.
    #[error("run {run} cannot be read back")]
    Unreadable {
        /// Which run.
        run: RunId,
        /// What is wrong with it.
        source: LedgerError,
    },
    /// The journal's plan is not one.
    #[error("the plan of run {run} cannot be read back")]
    UnreadablePlan {
        /// Which run.
        run: RunId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The journal could not be read or written, so nothing more was done.
    #[error("the journal cannot be used, so nothing more was done")]
    Journal(#[from] JournalError),
}

fn words(concerns: &[Concern]) -> String {
    let words: Vec<String> = concerns.iter().map(Concern::to_string).collect();
    words.join("; ")
}

/// A run of the journal that was read back whole.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// What it was going to do.
    pub plan: Plan,
    /// Where it stands.
    pub ledger: Ledger,
    /// Its records.
    pub history: History,
}

impl StoredRun {
    /// Reads a run back.
    ///
    /// # Errors
    /// [`UpgradeError::Journal`], [`UpgradeError::NotAnUpgrade`], [`UpgradeError::Unreadable`],
    /// [`UpgradeError::UnreadablePlan`].
    pub fn load(journal: &dyn Journal, run: RunId) -> Result<StoredRun, UpgradeError> {
        let history = journal.replay(run)?;
        if history.summary.job != JOB {
            return Err(UpgradeError::NotAnUpgrade { run });
        }
        let plan: Plan = serde_json::from_value(history.plan.clone())
            .map_err(|source| UpgradeError::UnreadablePlan { run, source })?;
        let ledger = Ledger::replay(&plan, &history)
            .map_err(|source| UpgradeError::Unreadable { run, source })?;
        Ok(StoredRun {
            plan,
            ledger,
            history,
        })
    }

    /// The steps that were carried out, are open and are to come.
    pub fn steps(&self) -> Vec<crate::report::StepReport> {
        // It was replayed before.
        crate::report::steps(&self.plan, &self.history).unwrap_or_default()
    }
}

impl<D: PairDriver> Upgrade<'_, D> {
    /// Carries out `plan` from its beginning.
    ///
    /// # Errors
    /// [`UpgradeError`]. A run that holds is a report, not an error.
    pub async fn apply(&self, plan: &Plan) -> Result<Report, UpgradeError> {
        plan.policy.check()?;
        if plan.pair != self.driver.pair() {
            let text = format!("the plan is for {}, not {}", plan.pair, self.driver.pair());
            return Err(UpgradeError::Refused(vec![Concern::new(
                Cause::OtherUnits,
                text,
            )]));
        }
        if plan.steps.is_empty() {
            return self.nothing_to_do(plan).await;
        }
        let _lock = self.lock()?;
        let query = Query {
            job: Some(JOB.to_owned()),
            target: Some(plan.pair.clone()),
            open_only: true,
            limit: Some(1),
        };
        if let Some(run) = self.journal.list(&query)?.first() {
            return Err(UpgradeError::Unfinished { run: run.id });
        }
        let run = self.journal.create(&NewRun {
            job: JOB.to_owned(),
            target: plan.pair.clone(),
            holder: self.holder.clone(),
            started: self.clock.now(),
            plan: serde_json::to_value(plan).map_err(|source| UpgradeError::UnreadablePlan {
                run: RunId(0),
                source,
            })?,
        })?;
        let stored = StoredRun::load(self.journal, run)?;
        let drive = Drive::new(self, run, stored);
        drive.announce(false);
        drive.run().await
    }

    /// Takes an unfinished run up again: looks at the pair, settles what became of an order that
    /// was not acknowledged, and goes on.
    ///
    /// # Errors
    /// [`UpgradeError::Edited`], otherwise as [`apply`](Self::apply).
    pub async fn resume(&self, run: RunId, how: Resume<'_>) -> Result<Report, UpgradeError> {
        let _lock = self.lock()?;
        let stored = self.unfinished(run)?;
        let (plan, terms) = (&stored.plan, self.driver.terms());
        let mut keys = match how.policy {
            Some(policy) => plan.edited(policy, &terms),
            None => plan.edited_terms(&terms),
        };
        if how.window.is_some() {
            keys.retain(|key| !key.starts_with("policy.window"));
        }
        if !keys.is_empty() && !how.as_planned {
            return Err(UpgradeError::Edited { run, keys });
        }
        let mut drive = Drive::new(self, run, stored);
        drive.adopting = how.adopt;
        drive.announce(true);
        if let Some(report) = drive.take_up(how.window, keys).await? {
            return Ok(report);
        }
        drive.run().await
    }

    /// Undoes the last switchover of a run that stands still, if the unit that traffic goes back
    /// to has not been touched since. It closes the run.
    ///
    /// # Errors
    /// [`UpgradeError::NotUndoable`], otherwise as [`apply`](Self::apply).
    pub async fn rollback(&self, run: RunId) -> Result<Report, UpgradeError> {
        let _lock = self.lock()?;
        let stored = self.unfinished(run)?;
        let undoable = stored.ledger.undoable(&stored.plan).is_some();
        let refuse = |reason: &str| {
            Err(UpgradeError::NotUndoable {
                reason: reason.to_owned(),
            })
        };
        if stored.ledger.outstanding().is_some() && stored.ledger.undoing().is_none() {
            return refuse("an order is outstanding; resume the run until it has ended");
        }
        if !undoable && stored.ledger.undoing().is_none() {
            return refuse(
                "no switchover was made, or the unit that traffic would go back to has been \
                 touched since; an installed version can only be reverted by the vendor's own \
                 procedure",
            );
        }
        let mut drive = Drive::new(self, run, stored);
        drive.announce(true);
        if let Some(report) = drive.take_up(None, Vec::new()).await? {
            return Ok(report);
        }
        drive.roll_back().await
    }

    /// Gives a run up and closes it. Nothing is sent to the pair; the report says what goes on
    /// by itself.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn abort(&self, run: RunId) -> Result<Report, UpgradeError> {
        let _lock = self.lock()?;
        let stored = self.unfinished(run)?;
        Drive::new(self, run, stored).abort().await
    }

    fn unfinished(&self, run: RunId) -> Result<StoredRun, UpgradeError> {
        let stored = StoredRun::load(self.journal, run)?;
        let summary = &stored.history.summary;
        if summary.target != self.driver.pair() {
            let pair = self.driver.pair();
            return Err(UpgradeError::OtherPair { run, pair });
        }
        if summary.finished.is_some() {
            return Err(UpgradeError::Finished { run });
        }
        Ok(stored)
    }

    async fn nothing_to_do(&self, plan: &Plan) -> Result<Report, UpgradeError> {
        let inspection = Inspection {
            driver: self.driver,
            clock: self.clock,
            stop: self.leave,
            limits: &plan.policy.limits,
        };
        let facts = inspection
            .run(&plan.policy.target)
            .await
            .map_err(|_| UpgradeError::Stopped)?;
        plan.check_current(&facts).map_err(UpgradeError::Refused)?;
        let now = self.clock.now();
        Ok(Report {
            run: None,
            pair: plan.pair.clone(),
            target: plan.policy.target.version.clone(),
            started: now,
            finished: now,
            ended: Ended::NothingToDo,
            steps: Vec::new(),
            switches: 0,
            warnings: plan.warnings.clone(),
        })
    }

    fn lock(&self) -> Result<FileLock, UpgradeError> {
        lock(self.lock_dir, &self.driver.pair(), &self.holder).map_err(UpgradeError::Locked)
    }
}

/// One process at a time does anything to a pair.
pub(crate) fn lock(dir: &Path, pair: &str, holder: &Holder) -> Result<FileLock, LockError> {
    FileLock::acquire(&lock_path(dir, pair), holder)
}

/// The lock file of a pair: one name for one pair, whatever characters its name has.
fn lock_path(dir: &Path, pair: &str) -> PathBuf {
    let digest = Sha256::digest(pair.as_bytes());
    let hex = digest.iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    dir.join(format!("failover-{hex}.lock"))
}
