//! The run of a sequence: one task after the other, one short transaction after the other.
//!
//! The journal has one record before and one after each part that changes something, and one note
//! of those that had nothing to do; the database knows the rest. A killed run needs no repair: the
//! next one looks again and goes on.

use std::collections::BTreeMap;

use elpis_run::journal::{Event, JournalError};
use elpis_run::{Observer, RunId, with_causes};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::event::AsHousekeeping;
use super::sweep::{SweepError, Sweeper};
use super::{
    HousekeepingEvent, HousekeepingPlan, HousekeepingReport, PartPlan, PartReport, ProgramError,
    ProgramRunner, ProgramTask, TaskPlan, TaskReport,
};
use crate::frame::{RunError, Terms, Walked, settle, why_not};
use crate::pacing::Pacer;
use crate::store::{RelationStore, StoreError};
use crate::sweep::{SweepPlan, SweepReport};
use crate::{Ended, PurgeEvent, Run, TablePlan, TableReport};

/// The name of this job in the journal.
pub const HOUSEKEEPING_JOB: &str = "housekeeping";

/// Why a run of a sequence did not do what its plan said.
pub type HousekeepingError = RunError<HousekeepingReport>;

impl Run<'_, HousekeepingEvent> {
    /// Carries out `plan` on `store`; what is outside of the database is left to `programs`.
    ///
    /// # Errors
    /// [`HousekeepingError`]. A run that ends early but safely ([`Ended`]) is a report, not an
    /// error; so is a program that fails.
    pub async fn housekeep<S: RelationStore>(
        &mut self,
        plan: &HousekeepingPlan,
        store: &mut S,
        programs: &dyn ProgramRunner,
    ) -> Result<HousekeepingReport, HousekeepingError> {
        let terms = Terms {
            job: HOUSEKEEPING_JOB,
            target: &plan.target,
            refusals: &plan.refusals,
            locks: &plan.locks,
            allow_replica: plan.allow_replica,
        };
        let (id, started) = self.open(terms, plan, store).await?;
        let sequence = Sequence {
            id,
            programs,
            pacer: Pacer::new(self.limits, self.clock),
            idle: BTreeMap::new(),
            run: &mut *self,
        };
        let walked = sequence.tasks(started, plan, store).await;
        let finished = HousekeepingEvent::HousekeepingFinished;
        self.close(id, walked, store, finished).await
    }
}

/// A sequence on its way.
struct Sequence<'r, 'a> {
    run: &'r mut Run<'a, HousekeepingEvent>,
    /// In the journal.
    id: RunId,
    programs: &'r dyn ProgramRunner,
    pacer: Pacer,
    /// The parts that had nothing to do: by kind and name, and of sweeps how many rows they looked
    /// at. Most parts are that every hour, so it is kept short.
    idle: BTreeMap<&'static str, Map<String, Value>>,
}

impl Sequence<'_, '_> {
    async fn tasks<S: RelationStore>(
        mut self,
        started: Timestamp,
        plan: &HousekeepingPlan,
        store: &mut S,
    ) -> Walked<HousekeepingReport> {
        self.tell(&HousekeepingEvent::HousekeepingStarted {
            run: self.id,
            target: plan.target.clone(),
            tasks: plan.tasks.len(),
        });
        let mut report = HousekeepingReport {
            run: self.id,
            target: plan.target.clone(),
            started,
            finished: started,
            tasks: Vec::new(),
            ended: Ended::Done,
        };
        let mut failure = None;
        for task in &plan.tasks {
            let (task, ended) = self.task(task, store).await?;
            self.tell(&HousekeepingEvent::TaskFinished(task.clone()));
            report.tasks.push(task);
            report.ended = settle(ended, &mut failure);
            if report.ended != Ended::Done {
                break;
            }
        }
        report.finished = self.run.clock.now();
        if !self.idle.is_empty() {
            let note = Event::Note {
                step: "nothing to do".to_owned(),
                detail: json!(self.idle),
            };
            self.run.journal.append(self.id, report.finished, &note)?;
        }
        Ok((report, failure))
    }

    fn tell(&self, event: &HousekeepingEvent) {
        self.run.observer.on(event);
    }

    async fn task<S: RelationStore>(
        &mut self,
        plan: &TaskPlan,
        store: &mut S,
    ) -> Result<(TaskReport, Result<Ended, StoreError>), JournalError> {
        self.tell(&HousekeepingEvent::TaskStarted {
            id: plan.id.clone(),
            group: plan.group,
            title: plan.title.clone(),
        });
        let begun = self.run.clock.monotonic();
        let mut report = TaskReport {
            id: plan.id.clone(),
            group: plan.group,
            title: plan.title.clone(),
            parts: Vec::with_capacity(plan.parts.len()),
            seconds: 0.0,
        };
        let mut ended = Ok(Ended::Done);
        // The program, and what it works on, of which one was not there: once is enough to say so.
        let mut absent = None;
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
                    self.idle("purge", plan.task.table.clone(), json!(0));
                    (PartReport::Purge(report), Ok(Ended::Done))
                }
                PartPlan::Purge(plan) => {
                    let observer = AsHousekeeping(self.run.observer);
                    let mut purge = self.run.heard_by(&observer);
                    let purged = purge.table(self.id, plan, store, &mut self.pacer);
                    let (report, how) = purged.await?;
                    (PartReport::Purge(report), how)
                }
                PartPlan::Sweep(plan) => {
                    let (report, how) = self.sweep(plan, store).await?;
                    (PartReport::Sweep(report), how)
                }
                PartPlan::Program(ProgramTask {
                    program, directory, ..
                }) if absent == Some((program, directory)) => continue,
                PartPlan::Program(program) => {
                    let part = self.program(&report.id, program).await?;
                    if matches!(part, PartReport::Skipped { .. }) {
                        absent = Some((&program.program, &program.directory));
                    }
                    let ended = match self.run.stop.is_stopped() {
                        true => Ended::Interrupted,
                        false => Ended::Done,
                    };
                    (part, Ok(ended))
                }
                PartPlan::Skipped { why } => {
                    (self.skipped(&report.id, why.clone()), Ok(Ended::Done))
                }
                PartPlan::Held { by, why } => {
                    self.tell(&HousekeepingEvent::PartHeld {
                        id: report.id.clone(),
                        why: why.clone(),
                    });
                    let (by, why) = (*by, why.clone());
                    (PartReport::Held { by, why }, Ok(Ended::Done))
                }
            };
            report.parts.push(part);
            ended = how;
            if !matches!(ended, Ok(Ended::Done)) {
                break;
            }
        }
        report.seconds = self.run.since(begun).as_secs_f64();
        Ok((report, ended))
    }

    fn idle(&mut self, kind: &'static str, name: String, detail: Value) {
        self.idle.entry(kind).or_default().insert(name, detail);
    }

    fn skipped(&self, id: &str, why: String) -> PartReport {
        self.tell(&HousekeepingEvent::PartSkipped {
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
        let observer = AsHousekeeping(self.run.observer);
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
        plan: &SweepPlan,
        store: &mut S,
    ) -> Result<(SweepReport, Result<Ended, StoreError>), JournalError> {
        let step = format!("sweep {}", plan.name);
        self.tell(&HousekeepingEvent::SweepStarted {
            sweep: plan.name.clone(),
            table: plan.task.table.clone(),
            due: plan.facts.due,
        });
        let (id, journal, clock) = (self.id, self.run.journal, self.run.clock);
        let mut announced = false;
        let mut announce = || {
            if !std::mem::replace(&mut announced, true) {
                let detail = json!({ "table": plan.task.table, "due": plan.facts.due });
                let step = step.clone();
                journal.append(id, clock.now(), &Event::Intent { step, detail })?;
            }
            Ok(())
        };
        let mut sweeper = Sweeper {
            run: &mut *self.run,
            announce: &mut announce,
            last: None,
            report: SweepReport {
                name: plan.name.clone(),
                table: plan.task.table.clone(),
                ..SweepReport::default()
            },
            slots: vec![0; plan.task.dependent_tables().len()],
        };
        let ended = sweeper.sweep(plan, store, &mut self.pacer).await;
        let (mut report, slots) = (sweeper.report, sweeper.slots);
        let ended = match ended {
            Ok(ended) => Ok(ended),
            Err(SweepError::Store(error)) => Err(error),
            Err(SweepError::Journal(error)) => return Err(error),
        };
        let idle = self.pacer.idle();
        report.paused_s = idle.paused.as_secs_f64();
        report.waited_s = idle.waited.as_secs_f64();
        report.dependents = plan.task.by_table(&slots);
        report.complete = matches!(ended, Ok(Ended::Done)) && report.held.is_none();
        let error = why_not(&ended).or_else(|| report.held.clone());
        if announced {
            let detail = serde_json::to_value(&report).unwrap_or_default();
            self.run.conclude(id, step, detail, error)?;
        } else {
            self.idle("sweep", report.name.clone(), json!(report.examined));
            if let Some(error) = error {
                self.idle("error", report.name.clone(), json!(error));
            }
        }
        self.tell(&HousekeepingEvent::SweepFinished(report.clone()));
        Ok((report, ended))
    }

    /// Runs a program between its two journal records. Whatever it says, the run goes on: what is
    /// outside of the database is no reason to leave the inside undone.
    async fn program(
        &mut self,
        id: &str,
        program: &ProgramTask,
    ) -> Result<PartReport, JournalError> {
        let step = format!("program {}", program.name);
        let intent = serde_json::to_value(program).unwrap_or_default();
        self.run.intend(self.id, &step, intent)?;
        let begun = self.run.clock.monotonic();
        let done = self.programs.run(program, self.run.stop).await;
        let seconds = self.run.since(begun).as_secs_f64();
        if let Err(ProgramError::NotHere { why }) = done {
            let detail = json!({ "skipped": why });
            self.run.conclude(self.id, step, detail, None)?;
            return Ok(self.skipped(id, why));
        }
        let error = done.err().map(|error| with_causes(&error));
        let detail = json!({ "seconds": seconds, "error": error });
        // A failed program is part of the result, not a step that a resumed run must repeat.
        self.run.conclude(self.id, step, detail, None)?;
        self.tell(&HousekeepingEvent::ProgramFinished {
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
}
