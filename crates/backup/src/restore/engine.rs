//! The verbs: inspect, run, resume, undo, forget.

use std::sync::Arc;
use std::time::Duration;

use elpis_mysql::{ConnectOptions, Session, SessionSettings};
use elpis_run::{
    Clock, History, Holder, Journal, NewRun, Observer, Outcome, Query, RunId, StopToken,
};
use serde_json::json;

use super::error::{Live, RestoreError};
use super::event::RestoreEvent;
use super::facts::{Here, RestoreFacts, gather};
use super::names::start_of;
use super::plan::RestorePlan;
use super::policy::RestorePolicy;
use super::report::{ForgetReport, RestoreReport, UndoReport};
use super::runs::{RestoreState, followers, is_done, runs};
use super::services::Services;
use super::session::{Ask, Opening, of, quoted};
use super::steps::Steps;
use super::swap::exists;
use super::text::{SqlText, Surveyed};
use super::undo::UndoPlan;
use super::work::{Work, control, runtime};
use super::{FORGET_JOB, JOB, UNDO_JOB};

/// Restores databases of one server.
///
/// Everything blocks, as long as it takes; a caller on an async runtime uses a thread of its own.
pub struct Restore<'a> {
    /// The server, with an account that may do it; the database does not matter.
    pub connect: ConnectOptions,
    /// Remembers every step before it is done.
    pub journal: &'a dyn Journal,
    /// Hears what happens, from several threads.
    pub observer: Arc<dyn Observer<RestoreEvent>>,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Ends a run between two steps or chunks. The exchange itself is not interrupted.
    pub stop: &'a StopToken,
    /// This process.
    pub holder: Holder,
    /// What is stopped before the exchange and started after it.
    pub services: Option<&'a dyn Services>,
}

impl Restore<'_> {
    pub(super) fn opening(&self, policy: &RestorePolicy) -> Opening {
        Opening {
            connect: self.connect.clone(),
            statement_timeout: policy.statement_timeout,
            lock_wait: policy.lock_wait.max(Duration::from_secs(1)),
            isolation: SessionSettings::default().isolation,
        }
    }

    /// Looks at the server and the live database. Changes nothing.
    ///
    /// # Errors
    /// [`RestoreError::Server`] if the server cannot be asked.
    pub fn inspect(
        &self,
        policy: &RestorePolicy,
        text: &SqlText<Surveyed>,
    ) -> Result<RestoreFacts, RestoreError> {
        let here = Here {
            host: &self.holder.host,
            stops_services: self.services.is_some(),
        };
        runtime()?.block_on(async {
            let session = self.opening(policy).open().await;
            let mut session =
                session.map_err(|source| RestoreError::server("opening a session", source))?;
            gather(&mut session, policy, text.survey(), here).await
        })
    }

    /// Carries `plan` out with the text that it was made for. Until the exchange only databases of
    /// its own are touched; what fails before it leaves the live database as it was.
    ///
    /// # Errors
    /// [`RestoreError::Refused`], [`RestoreError::Locked`], [`RestoreError::Unfinished`],
    /// [`RestoreError::HalfDone`] and others before anything was changed.
    /// [`RestoreError::Interrupted`] for everything after that: the run can be resumed or undone.
    pub fn run(
        &self,
        plan: &RestorePlan,
        text: &SqlText<Surveyed>,
    ) -> Result<RestoreReport, RestoreError> {
        self.expect_none_unfinished(plan)?;
        if !plan.refusals.is_empty() {
            let refusals = plan.refusals.clone();
            return Err(RestoreError::Refused { refusals });
        }
        let runtime = runtime()?;
        let database = &plan.policy.database;
        let mut control = runtime.block_on(control(&self.opening(&plan.policy), database))?;
        self.drop_counted(&runtime, &mut control, plan)?;
        runtime.block_on(expect_none_unknown(&mut control, database))?;
        // Another one may have begun while this one waited for the lock.
        self.expect_none_unfinished(plan)?;
        let run = self.journal.create(&self.new_run(JOB, plan, json!(plan)))?;
        self.observer.on(&RestoreEvent::Started {
            run,
            database: database.clone(),
            side: plan.side.clone(),
        });
        let steps = self.steps(run);
        let work = self.work(plan, runtime, control, steps);
        self.finish(work, |work| work.drive(Some(text)), |work| work.live())
    }

    /// Goes on with a restore whose process died or that ended early. The text is only needed as
    /// long as not all rows are loaded, and for a word about missing rights.
    ///
    /// # Errors
    /// [`RestoreError::Run`] if it cannot be resumed, [`RestoreError::NeedsText`]; else as
    /// [`run`](Self::run).
    pub fn resume(
        &self,
        run: RunId,
        text: Option<&SqlText<Surveyed>>,
    ) -> Result<RestoreReport, RestoreError> {
        let (history, plan) = self.restore_of(run)?;
        match self.state(run)? {
            RestoreState::Unfinished | RestoreState::Filling => {}
            RestoreState::Undoing => {
                return Err(RestoreError::run(
                    run,
                    "it is being undone: undo it once more",
                ));
            }
            _ => {
                return Err(RestoreError::run(
                    run,
                    "it is over: there is nothing to resume",
                ));
            }
        }
        let runtime = runtime()?;
        let control =
            runtime.block_on(control(&self.opening(&plan.policy), &plan.policy.database))?;
        let mut steps = self.steps(run);
        steps.take_over(&history)?;
        let work = self.work(&plan, runtime, control, steps);
        self.finish(work, |work| work.drive(text), |work| work.live())
    }

    /// Takes a restore back, finished or not: the live database is what it was before. What was
    /// written to it since is kept in a database of its own. After a crash it can be called again.
    ///
    /// # Errors
    /// [`RestoreError::Run`] if it is undone or forgotten; [`RestoreError::Interrupted`] if it
    /// failed on the way.
    pub fn undo(&self, run: RunId) -> Result<UndoReport, RestoreError> {
        let (history, plan) = self.restore_of(run)?;
        match self.state(run)? {
            RestoreState::Unfinished
            | RestoreState::Filling
            | RestoreState::Done
            | RestoreState::Undoing => {}
            state => {
                let why = format!("it is {state:?}").to_lowercase();
                return Err(RestoreError::run(run, why));
            }
        }
        let runtime = runtime()?;
        let control =
            runtime.block_on(control(&self.opening(&plan.policy), &plan.policy.database))?;
        let undo = self.undo_of(run)?;
        let steps = self.steps(undo.unwrap_or(run));
        let mut work = self.work(&plan, runtime, control, steps);
        let undo_plan = match undo {
            Some(undo) => {
                let history = self.journal.replay(undo)?;
                work.steps.take_over(&history)?;
                serde_json::from_value(history.plan)
                    .map_err(|error| RestoreError::run(undo, error.to_string()))?
            }
            None => {
                work.steps.replay(&history);
                let undo_plan = UndoPlan {
                    restore: run,
                    exchanged: work.is_exchanged()?,
                    down: work.steps.is_down(),
                    plan: plan.clone(),
                };
                let begun = self.new_run(UNDO_JOB, &plan, json!(undo_plan));
                work.steps = self.steps(self.journal.create(&begun)?);
                undo_plan
            }
        };
        if self.journal.replay(run)?.summary.finished.is_none() {
            let reason = format!("undone by run {}", work.steps.run);
            let stopped = Outcome::Stopped { reason };
            self.journal.finish(run, self.clock.now(), &stopped)?;
        }
        let exchanged = undo_plan.exchanged;
        self.finish(
            work,
            |work| work.take_back(&undo_plan),
            |work| work.live_after_undo(exchanged),
        )
    }

    /// Removes the database that keeps the old tables of a restore, and the one that keeps what an
    /// undone restore had brought. There is no way back after this.
    ///
    /// # Errors
    /// [`RestoreError::Run`] if the restore is not over.
    pub fn forget(&self, run: RunId) -> Result<ForgetReport, RestoreError> {
        let (_, plan) = self.restore_of(run)?;
        match self.state(run)? {
            RestoreState::Done | RestoreState::Undone => {}
            RestoreState::Forgotten => {
                return Err(RestoreError::run(run, "it is forgotten already"));
            }
            _ => {
                return Err(RestoreError::run(
                    run,
                    "it is not over: resume it or undo it first",
                ));
            }
        }
        let runtime = runtime()?;
        let control =
            runtime.block_on(control(&self.opening(&plan.policy), &plan.policy.database))?;
        let begun = self.new_run(FORGET_JOB, &plan, json!({ "restore": run }));
        let steps = self.steps(self.journal.create(&begun)?);
        let work = self.work(&plan, runtime, control, steps);
        let drop = |work: &mut Work<'_>| {
            let mut dropped = Vec::new();
            work.step("drop", |work| {
                for name in [&work.plan.old.clone(), &work.plan.new_database()] {
                    if work.runtime.block_on(exists(&mut work.control, name))? {
                        let quoted = quoted(name)?;
                        let drop = format!("DROP DATABASE {quoted}");
                        work.runtime.block_on(work.control.tell(&drop))?;
                        dropped.push(name.clone());
                    }
                }
                Ok(())
            })?;
            Ok(ForgetReport {
                restore: run,
                dropped,
            })
        };
        // The live database has no part in it.
        self.finish(work, drop, |_| Live::Old)
    }

    pub(super) fn steps(&self, run: RunId) -> Steps<'_> {
        Steps::new(self.journal, self.clock, Arc::clone(&self.observer), run)
    }

    pub(super) fn work<'w>(
        &'w self,
        plan: &'w RestorePlan,
        runtime: tokio::runtime::Runtime,
        control: Session,
        steps: Steps<'w>,
    ) -> Work<'w> {
        Work {
            restore: self,
            plan,
            runtime,
            control,
            steps,
            warnings: Vec::new(),
        }
    }

    pub(super) fn new_run(&self, job: &str, plan: &RestorePlan, json: serde_json::Value) -> NewRun {
        NewRun {
            job: job.to_owned(),
            target: plan.target(),
            holder: self.holder.clone(),
            started: self.clock.now(),
            plan: json,
        }
    }

    /// Does `act` and ends the run if that is done. One that failed stays open: it is to be
    /// resumed or undone.
    fn finish<T>(
        &self,
        mut work: Work<'_>,
        act: impl FnOnce(&mut Work<'_>) -> Result<T, RestoreError>,
        live: impl FnOnce(&mut Work<'_>) -> Live,
    ) -> Result<T, RestoreError> {
        let run = work.steps.run;
        match act(&mut work) {
            Ok(done) => {
                let mut remarks = std::mem::take(&mut work.warnings);
                if work.steps.put_back > 0 {
                    remarks.push("the exchange was put back before it came about".to_owned());
                }
                let outcome = outcome(&remarks);
                self.journal.finish(run, self.clock.now(), &outcome)?;
                Ok(done)
            }
            Err(source) => Err(RestoreError::Interrupted {
                run,
                live: live(&mut work),
                source: Box::new(source),
            }),
        }
    }

    /// A restore of the journal with its plan.
    fn restore_of(&self, run: RunId) -> Result<(History, RestorePlan), RestoreError> {
        let history = self.journal.replay(run)?;
        if history.summary.job != JOB {
            let why = format!(
                "it is no restore of a database but a {}",
                history.summary.job
            );
            return Err(RestoreError::run(run, why));
        }
        let plan: RestorePlan = serde_json::from_value(history.plan.clone())
            .map_err(|error| RestoreError::run(run, format!("its plan cannot be read: {error}")))?;
        let here = ConnectOptions {
            database: None,
            ..self.connect.clone()
        }
        .target();
        if plan.facts.target != here {
            let why = format!("it is of {}, and this is {here}", plan.facts.target);
            return Err(RestoreError::run(run, why));
        }
        Ok((history, plan))
    }

    fn state(&self, run: RunId) -> Result<RestoreState, RestoreError> {
        let all = runs(self.journal)?;
        let found = all.into_iter().find(|restore| restore.run == run);
        found
            .map(|restore| restore.state)
            .ok_or_else(|| RestoreError::run(run, "it is no restore of a database"))
    }

    /// No restore of the same database may be neither done nor taken back. Changes nothing.
    ///
    /// # Errors
    /// [`RestoreError::Unfinished`] names the one that is.
    pub fn expect_none_unfinished(&self, plan: &RestorePlan) -> Result<(), RestoreError> {
        use RestoreState::{Filling, Undoing, Unfinished};
        let open = |state| matches!(state, Unfinished | Filling | Undoing);
        let target = plan.target();
        let all = runs(self.journal)?;
        let found = all
            .into_iter()
            .find(|run| run.target == target && open(run.state));
        match found {
            Some(run) => Err(RestoreError::Unfinished { run: run.run }),
            None => Ok(()),
        }
    }

    /// The run that has begun to take this restore back.
    fn undo_of(&self, run: RunId) -> Result<Option<RunId>, RestoreError> {
        let undos = self.journal.list(&Query {
            job: Some(UNDO_JOB.to_owned()),
            ..Query::default()
        })?;
        let undos = followers(self.journal, undos)?;
        let found = undos
            .into_iter()
            .find(|(restore, undo)| *restore == run && !is_done(undo));
        Ok(found.map(|(_, undo)| undo.id))
    }
}

/// The journal alone does not know every restore: its directory may be lost, and a server has many
/// names. Who loads into a database beside `live` has not ended.
async fn expect_none_unknown(control: &mut Session, live: &str) -> Result<(), RestoreError> {
    for role in ["restore", "rest"] {
        let start = start_of(live, role);
        let sql = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA \
                   WHERE LEFT(SCHEMA_NAME, CHAR_LENGTH(?)) = ?";
        let found = control.ask_first(sql, of(&[&start, &start])).await?;
        if let Some(side) = found {
            return Err(RestoreError::HalfDone { side });
        }
    }
    Ok(())
}

fn outcome(warnings: &[String]) -> Outcome {
    match warnings.is_empty() {
        true => Outcome::Done,
        false => Outcome::Warnings {
            reason: warnings.join("; "),
        },
    }
}
