//! The run of a sequence: one task after the other, one short transaction after the other.
//!
//! The journal has one record before and one after each part that changes something, and one note
//! of those that had nothing to do; the database knows the rest. A killed run needs no repair: the
//! next one looks again and goes on.

use elpis_run::journal::{Event, Journal, JournalError};
use elpis_run::{Clock, Holder, Observer, RunId, StopToken, Throttle, with_causes};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::event::AsHousekeeping;
use super::{
    HousekeepingEvent, HousekeepingPlan, HousekeepingReport, PartPlan, PartReport, ProgramError,
    ProgramRunner, ProgramTask, TaskPlan, TaskReport,
};
use crate::frame::{Frame, RunError, Walked, settle};
use crate::pacing::Pacer;
use crate::store::{RelationStore, StoreError};
use crate::sweep::{Step, SweepError, SweepPlan, SweepReport, Sweeper};
use crate::{Ended, Limits, Purge, PurgeEvent, TablePlan, TableReport};

/// The name of this job in the journal.
pub const HOUSEKEEPING_JOB: &str = "housekeeping";

/// Why a run of a sequence did not do what its plan said.
pub type HousekeepingError = RunError<HousekeepingReport>;

/// What a run needs besides plan and store.
pub struct HousekeepingRun<'a> {
    /// Where intents and results go before and after each part.
    pub journal: &'a dyn Journal,
    /// Chooses chunk sizes and pauses.
    pub throttle: &'a mut dyn Throttle,
    /// Hears what happens.
    pub observer: &'a dyn Observer<HousekeepingEvent>,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Ends the run between two chunks.
    pub stop: &'a StopToken,
    /// Who runs it.
    pub holder: Holder,
    /// Bounds of the run.
    pub limits: Limits,
    /// Runs what is outside of the database.
    pub programs: &'a dyn ProgramRunner,
}

impl HousekeepingRun<'_> {
    /// Carries out `plan` on `store`.
    ///
    /// # Errors
    /// [`HousekeepingError`]. A run that ends early but safely ([`Ended`]) is a report, not an
    /// error; so is a program that fails.
    pub async fn run<S: RelationStore>(
        &mut self,
        plan: &HousekeepingPlan,
        store: &mut S,
    ) -> Result<HousekeepingReport, HousekeepingError> {
        let frame = Frame {
            job: HOUSEKEEPING_JOB,
            target: &plan.target,
            refusals: &plan.refusals,
            locks: &plan.locks,
            allow_replica: plan.allow_replica,
            journal: self.journal,
            clock: self.clock,
            holder: self.holder.clone(),
        };
        let (run, started) = frame.open(plan, store).await?;
        let walked = self.tasks(run, started, plan, store).await;
        let observer = self.observer;
        let tell = |report: &HousekeepingReport| {
            observer.on(&HousekeepingEvent::HousekeepingFinished(report.clone()));
        };
        frame.close(run, walked, store, tell).await
    }

    async fn tasks<S: RelationStore>(
        &mut self,
        run: RunId,
        started: Timestamp,
        plan: &HousekeepingPlan,
        store: &mut S,
    ) -> Walked<HousekeepingReport> {
        self.observer.on(&HousekeepingEvent::HousekeepingStarted {
            run,
            target: plan.target.clone(),
            tasks: plan.tasks.len(),
        });
        let mut pacer = Pacer::new(self.limits, self.clock);
        let mut report = HousekeepingReport {
            run,
            target: plan.target.clone(),
            started,
            finished: started,
            tasks: Vec::new(),
            ended: Ended::Done,
        };
        let (mut failure, mut idle) = (None, Vec::new());
        for task in &plan.tasks {
            let (task, ended) = self.task(run, task, store, &mut pacer, &mut idle).await?;
            self.observer
                .on(&HousekeepingEvent::TaskFinished(task.clone()));
            report.tasks.push(task);
            report.ended = settle(ended, &mut failure);
            if report.ended != Ended::Done {
                break;
            }
        }
        report.finished = self.clock.now();
        if !idle.is_empty() {
            let note = Event::Note {
                step: "nothing to do".to_owned(),
                detail: Value::Array(idle),
            };
            self.journal.append(run, report.finished, &note)?;
        }
        Ok((report, failure))
    }

    async fn task<S: RelationStore>(
        &mut self,
        run: RunId,
        plan: &TaskPlan,
        store: &mut S,
        pacer: &mut Pacer,
        idle: &mut Vec<Value>,
    ) -> Result<(TaskReport, Result<Ended, StoreError>), JournalError> {
        self.observer.on(&HousekeepingEvent::TaskStarted {
            id: plan.id.clone(),
            group: plan.group,
            title: plan.title.clone(),
        });
        let begun = self.clock.monotonic();
        let mut report = TaskReport {
            id: plan.id.clone(),
            group: plan.group,
            title: plan.title.clone(),
            parts: Vec::with_capacity(plan.parts.len()),
            seconds: 0.0,
        };
        let mut ended = Ok(Ended::Done);
        for part in &plan.parts {
            let (part, how) = match part {
                PartPlan::Purge(plan) if plan.cutoff.is_none() => {
                    let why = format!("{} has no more rows than are kept", plan.task.table);
                    (self.skipped(&report.id, why), Ok(Ended::Done))
                }
                // The cutoff stands since then, so that only a row that came late could be due now:
                // the next run sees it.
                PartPlan::Purge(plan) if plan.due.exact && plan.due.rows == 0 => {
                    let report = self.none_due(plan);
                    idle.push(json!({ "purge": plan.task.table }));
                    (PartReport::Purge(report), Ok(Ended::Done))
                }
                PartPlan::Purge(plan) => {
                    let observer = AsHousekeeping(self.observer);
                    let mut purge = Purge {
                        journal: self.journal,
                        throttle: &mut *self.throttle,
                        observer: &observer,
                        clock: self.clock,
                        stop: self.stop,
                        holder: self.holder.clone(),
                        limits: self.limits,
                    };
                    let (report, how) = purge.table(run, plan, store, pacer).await?;
                    (PartReport::Purge(report), how)
                }
                PartPlan::Sweep(plan) => {
                    let (report, how) = self.sweep(run, plan, store, pacer, idle).await?;
                    (PartReport::Sweep(report), how)
                }
                PartPlan::Program(program) => {
                    let part = self.program(run, &report.id, program).await?;
                    let ended = match self.stop.is_stopped() {
                        true => Ended::Interrupted,
                        false => Ended::Done,
                    };
                    (part, Ok(ended))
                }
                PartPlan::Skipped { why } => {
                    (self.skipped(&report.id, why.clone()), Ok(Ended::Done))
                }
                PartPlan::Held { why } => {
                    self.observer.on(&HousekeepingEvent::PartHeld {
                        id: report.id.clone(),
                        why: why.clone(),
                    });
                    (PartReport::Held { why: why.clone() }, Ok(Ended::Done))
                }
            };
            report.parts.push(part);
            ended = how;
            if !matches!(ended, Ok(Ended::Done)) {
                break;
            }
        }
        let took = self.clock.monotonic().saturating_sub(begun);
        report.seconds = took.as_secs_f64();
        Ok((report, ended))
    }

    fn skipped(&self, id: &str, why: String) -> PartReport {
        self.observer.on(&HousekeepingEvent::PartSkipped {
            id: id.to_owned(),
            why: why.clone(),
        });
        PartReport::Skipped { why }
    }

    /// What an observer hears of a table of which nothing is due.
    fn none_due(&self, plan: &TablePlan) -> TableReport {
        let report = TableReport {
            table: plan.task.table.clone(),
            complete: true,
            ..TableReport::default()
        };
        let observer = AsHousekeeping(self.observer);
        observer.on(&PurgeEvent::TableStarted {
            table: report.table.clone(),
            cutoff: plan.task.due.cutoff.to_string(),
            due: plan.due,
        });
        observer.on(&PurgeEvent::TableFinished(report.clone()));
        report
    }

    /// Carries out one sweep between its two journal records. Looking alone changes nothing, so the
    /// first of them is written when something was found; a sweep that finds nothing is one of the
    /// `idle`.
    async fn sweep<S: RelationStore>(
        &mut self,
        run: RunId,
        plan: &SweepPlan,
        store: &mut S,
        pacer: &mut Pacer,
        idle: &mut Vec<Value>,
    ) -> Result<(SweepReport, Result<Ended, StoreError>), JournalError> {
        let step = format!("sweep {}", plan.name);
        self.observer.on(&HousekeepingEvent::SweepStarted {
            sweep: plan.name.clone(),
            table: plan.task.table.clone(),
            due: plan.facts.due,
        });
        let (journal, clock) = (self.journal, self.clock);
        let mut announced = false;
        let mut announce = || {
            if !std::mem::replace(&mut announced, true) {
                let detail = json!({ "table": plan.task.table, "due": plan.facts.due });
                let step = step.clone();
                journal.append(run, clock.now(), &Event::Intent { step, detail })?;
            }
            Ok(())
        };
        let (observer, name) = (self.observer, &plan.name);
        let mut hear = |step: Step<'_>| observer.on(&HousekeepingEvent::of(name, step));
        let mut sweeper = Sweeper {
            throttle: &mut *self.throttle,
            clock: self.clock,
            stop: self.stop,
            hear: &mut hear,
            announce: &mut announce,
            last: None,
            report: SweepReport {
                name: plan.name.clone(),
                table: plan.task.table.clone(),
                ..SweepReport::default()
            },
            slots: vec![0; plan.task.dependent_tables().len()],
        };
        let ended = sweeper.run(plan, store, pacer).await;
        let (mut report, slots) = (sweeper.report, sweeper.slots);
        let ended = match ended {
            Ok(ended) => Ok(ended),
            Err(SweepError::Store(error)) => Err(error),
            Err(SweepError::Journal(error)) => return Err(error),
        };
        report.dependents = plan.task.by_table(&slots);
        report.complete = matches!(ended, Ok(Ended::Done)) && report.held.is_none();
        let error = match &ended {
            Ok(Ended::Done) => report.held.clone(),
            Ok(other) => Some(other.to_string()),
            Err(error) => Some(with_causes(error)),
        };
        if announced {
            let detail = serde_json::to_value(&report).unwrap_or_default();
            self.close(run, step, detail, error)?;
        } else {
            idle.push(json!({ "sweep": report.name, "examined": report.examined, "error": error }));
        }
        self.observer
            .on(&HousekeepingEvent::SweepFinished(report.clone()));
        Ok((report, ended))
    }

    /// Runs a program between its two journal records. Whatever it says, the run goes on: what is
    /// outside of the database is no reason to leave the inside undone.
    async fn program(
        &mut self,
        run: RunId,
        id: &str,
        program: &ProgramTask,
    ) -> Result<PartReport, JournalError> {
        let step = format!("program {}", program.name);
        let intent = Event::Intent {
            step: step.clone(),
            detail: serde_json::to_value(program).unwrap_or_default(),
        };
        self.journal.append(run, self.clock.now(), &intent)?;
        let begun = self.clock.monotonic();
        let done = self.programs.run(program, self.stop).await;
        let seconds = self.clock.monotonic().saturating_sub(begun).as_secs_f64();
        if let Err(ProgramError::NotHere { why }) = done {
            let detail = json!({ "skipped": why });
            self.close(run, step, detail, None)?;
            return Ok(self.skipped(id, why));
        }
        let error = done.err().map(|error| with_causes(&error));
        let detail = json!({ "seconds": seconds, "error": error });
        // A failed program is part of the result, not a step that a resumed run must repeat.
        self.close(run, step, detail, None)?;
        self.observer.on(&HousekeepingEvent::ProgramFinished {
            name: program.name.clone(),
            error: error.clone(),
            seconds,
        });
        Ok(PartReport::Program {
            name: program.name.clone(),
            error,
            seconds,
        })
    }

    fn close(
        &self,
        run: RunId,
        step: String,
        detail: Value,
        error: Option<String>,
    ) -> Result<(), JournalError> {
        let event = match error {
            None => Event::Done { step, detail },
            Some(error) => Event::Failed {
                step,
                error,
                detail,
            },
        };
        self.journal.append(run, self.clock.now(), &event)
    }
}
