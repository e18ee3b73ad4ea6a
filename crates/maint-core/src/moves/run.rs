//! The run of moves: one table after the other, one bounded step after the other.
//!
//! The journal has one record before and one after each table; what happened to each step is
//! recorded in the two databases, together with it.

use std::time::Duration;

use elpis_run::journal::{Event, Journal, JournalError};
use elpis_run::{ChunkTiming, Clock, Holder, Observer, RunId, StopToken, Throttle, with_causes};
use jiff::Timestamp;
use serde_json::json;

use super::step::{Step, Trouble, settled, step};
use super::{MoveEvent, MovePlan, MoveReport, MoveTablePlan, MoveTask, MovedTable, Steps};
use crate::frame::{Frame, RunError, Walked, settle};
use crate::pacing::{Pacer, Reins, Turn, Wait};
use crate::plan::server_refusals;
use crate::store::{MoveStore, StoreError};
use crate::{Ended, Limits};

/// The name of this job in the journal.
pub const MOVE_JOB: &str = "move";

/// Why a run of moves did not do what its plan said.
pub type MoveError = RunError<MoveReport>;

/// What a run needs besides plan and stores.
pub struct MoveRun<'a> {
    /// Where intents and results go before and after each table.
    pub journal: &'a dyn Journal,
    /// Chooses the size of steps and pauses, by the active server's load.
    pub throttle: &'a mut dyn Throttle,
    /// Hears what happens.
    pub observer: &'a dyn Observer<MoveEvent>,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Ends the run between two steps.
    pub stop: &'a StopToken,
    /// Who runs it.
    pub holder: Holder,
    /// Bounds of the run.
    pub limits: Limits,
}

impl MoveRun<'_> {
    /// Carries out `plan`, from `active` to `history`.
    ///
    /// A table that cannot move is left alone and told in the report; the others move.
    ///
    /// # Errors
    /// [`MoveError`]. A run that ends early but safely ([`Ended`]) is a report, not an error.
    pub async fn run<A: MoveStore, H: MoveStore>(
        &mut self,
        plan: &MovePlan,
        active: &mut A,
        history: &mut H,
    ) -> Result<MoveReport, MoveError> {
        let frame = Frame {
            job: MOVE_JOB,
            target: &plan.target,
            refusals: &plan.refusals,
            locks: &plan.locks,
            allow_replica: plan.allow_replica,
            journal: self.journal,
            clock: self.clock,
            holder: self.holder.clone(),
        };
        if plan.refusals.is_empty() {
            self.other_side(plan, history).await?;
        }
        let entered = frame.open(plan, active).await;
        let ended = match entered {
            Ok((run, started)) => {
                let walked = self.tables(run, started, plan, active, history).await;
                let observer = self.observer;
                let tell = |report: &MoveReport| {
                    observer.on(&MoveEvent::MovesFinished(report.clone()));
                };
                frame.close(run, walked, active, tell).await
            }
            Err(error) => Err(error),
        };
        // The lock goes with the session anyway; a session that is lost cannot give it back.
        let _ = history.unlock().await;
        ended
    }

    /// Takes the history database's locks, and looks at its server once more.
    async fn other_side<H: MoveStore>(
        &self,
        plan: &MovePlan,
        history: &mut H,
    ) -> Result<(), MoveError> {
        let locked = history.lock(&plan.history_locks).await;
        locked.map_err(RunError::NotBegun)?;
        let server = history.server().await;
        let refused = match server {
            Ok(server) => match server_refusals(&server, plan.allow_replica) {
                refusals if refusals.is_empty() => return Ok(()),
                refusals => RunError::Refused(refusals),
            },
            Err(error) => RunError::NotBegun(error),
        };
        let _ = history.unlock().await;
        Err(refused)
    }

    async fn tables<A: MoveStore, H: MoveStore>(
        &mut self,
        run: RunId,
        started: Timestamp,
        plan: &MovePlan,
        active: &mut A,
        history: &mut H,
    ) -> Walked<MoveReport> {
        self.observer.on(&MoveEvent::MovesStarted {
            run,
            target: plan.target.clone(),
            history: plan.history.clone(),
            tables: plan.tables.len(),
        });
        let mut report = MoveReport {
            run,
            target: plan.target.clone(),
            history: plan.history.clone(),
            started,
            finished: started,
            tables: Vec::new(),
            ended: Ended::Done,
        };
        let mut failure = None;
        let mut pacer = Pacer::new(self.limits, self.clock);
        let begun = match active.begin_moves().await {
            Ok(()) => history.begin_moves().await,
            Err(error) => Err(error),
        };
        match begun {
            Err(error) => report.ended = settle(Err(error), &mut failure),
            Ok(()) => {
                for table in &plan.tables {
                    let sides = (&mut *active, &mut *history);
                    let moved = self.table(run, table, plan.steps, sides, &mut pacer);
                    let (moved, ended) = moved.await?;
                    report.tables.push(moved);
                    report.ended = settle(ended, &mut failure);
                    if report.ended != Ended::Done {
                        break;
                    }
                }
                // What cannot be put back goes with the session.
                let _ = active.end_moves().await;
                let _ = history.end_moves().await;
            }
        }
        report.finished = self.clock.now();
        Ok((report, failure))
    }

    /// Moves one table between its two journal records.
    async fn table<A: MoveStore, H: MoveStore>(
        &mut self,
        run: RunId,
        plan: &MoveTablePlan,
        steps: Steps,
        sides: (&mut A, &mut H),
        pacer: &mut Pacer,
    ) -> Result<(MovedTable, Result<Ended, StoreError>), JournalError> {
        let mut report = MovedTable {
            id: plan.id.clone(),
            table: plan.table.clone(),
            ..MovedTable::default()
        };
        self.observer.on(&MoveEvent::MoveStarted {
            table: plan.table.clone(),
            title: plan.title.clone(),
            due: plan.due,
        });
        let step = format!("move {}", plan.table);
        let cutoff = plan.cutoff.as_ref().map(|cutoff| &cutoff.value);
        let detail = json!({ "cutoff": cutoff, "due": plan.due });
        let intent = Event::Intent {
            step: step.clone(),
            detail,
        };
        self.journal.append(run, self.clock.now(), &intent)?;
        let ended = match &plan.task {
            None => Err(Trouble::Held(plan.held.clone().unwrap_or_default())),
            Some(task) => {
                report.children = task
                    .children
                    .iter()
                    .map(|child| (child.table.clone(), 0))
                    .collect();
                self.walk(task, steps, sides, pacer, &mut report).await
            }
        };
        let ended = match ended {
            Ok(ended) => Ok(ended),
            Err(Trouble::Lost(error)) => Err(error),
            Err(Trouble::Held(why)) => {
                report.held = Some(why);
                Ok(Ended::Done)
            }
        };
        report.complete = matches!(ended, Ok(Ended::Done)) && report.held.is_none();
        let error = match (&ended, &report.held) {
            (Ok(Ended::Done), held) => held.clone(),
            (Ok(other), _) => Some(other.to_string()),
            (Err(error), _) => Some(with_causes(error)),
        };
        let detail = serde_json::to_value(&report).unwrap_or_default();
        let event = match error {
            None => Event::Done { step, detail },
            Some(error) => Event::Failed {
                step,
                error,
                detail,
            },
        };
        self.journal.append(run, self.clock.now(), &event)?;
        self.observer.on(&MoveEvent::MoveFinished(report.clone()));
        Ok((report, ended))
    }

    /// Finishes what an earlier run began, then moves until nothing due is left.
    async fn walk<A: MoveStore, H: MoveStore>(
        &mut self,
        task: &MoveTask,
        steps: Steps,
        (active, history): (&mut A, &mut H),
        pacer: &mut Pacer,
        report: &mut MovedTable,
    ) -> Result<Ended, Trouble> {
        let settled = settled(task, active, history).await?;
        report.settled = settled.moved;
        self.took(settled, (0, Duration::ZERO, Duration::ZERO), report);
        pacer.spend(report.moved);
        let mut last: Option<ChunkTiming> = None;
        let mut since_pause = 0;
        loop {
            if steps.rows.is_some_and(|rows| since_pause >= rows) {
                since_pause = 0;
                let begun = self.clock.monotonic();
                // The next turn says that the run was stopped.
                let _ = self.stop.sleep(self.clock, steps.pause).await;
                let rested = self.clock.monotonic().saturating_sub(begun);
                report.paused_s += rested.as_secs_f64();
            }
            let turn = self.turn(active, pacer, last.as_ref(), report).await?;
            let (limit, paused) = match turn {
                Turn::Go { rows, paused, .. } => {
                    let step = steps.rows.unwrap_or(u64::MAX);
                    (rows.min(step.saturating_sub(since_pause)).max(1), paused)
                }
                Turn::End(ended) => return Ok(ended),
            };
            let begun = self.clock.monotonic();
            let Some(step) = step(task, limit, active, history).await? else {
                history.tidy(task).await?;
                return Ok(Ended::Done);
            };
            let took = self.clock.monotonic().saturating_sub(begun);
            since_pause += step.moved;
            pacer.spend(step.moved);
            last = Some(ChunkTiming {
                asked: limit,
                examined: step.moved,
                changed: step.moved + step.children.iter().sum::<u64>(),
                took,
            });
            self.took(step, (limit, took, paused), report);
        }
    }

    /// Enters a step into the report, and tells.
    fn took(
        &self,
        step: Step,
        (limit, took, paused): (u64, Duration, Duration),
        report: &mut MovedTable,
    ) {
        if step.moved == 0 {
            return;
        }
        report.moved += step.moved;
        report.known += step.known;
        report.chunks += 1;
        report.working_s += took.as_secs_f64();
        for (sum, more) in report.children.iter_mut().zip(&step.children) {
            sum.1 += more;
        }
        self.observer.on(&MoveEvent::Moved {
            table: report.table.clone(),
            moved: step.moved,
            children: step.children.iter().sum(),
            total: report.moved,
            limit,
            took_ms: took.as_secs_f64() * 1000.0,
            pause_ms: paused.as_secs_f64() * 1000.0,
        });
    }

    /// Waits for the next step's turn; the report says how long.
    async fn turn<A: MoveStore>(
        &mut self,
        active: &mut A,
        pacer: &mut Pacer,
        last: Option<&ChunkTiming>,
        report: &mut MovedTable,
    ) -> Result<Turn, StoreError> {
        let reins = Reins {
            throttle: &mut *self.throttle,
            clock: self.clock,
            stop: self.stop,
        };
        let (observer, table) = (self.observer, &report.table);
        let mut hear = |wait: Wait<'_>| {
            let table = table.clone();
            observer.on(&match wait {
                Wait::For(why) => MoveEvent::MoveWaiting {
                    table,
                    why: why.to_owned(),
                },
                Wait::Over(waited) => MoveEvent::MoveResumed {
                    table,
                    waited_s: waited.as_secs_f64(),
                },
            });
        };
        let turn = pacer.turn(reins, active, last, &mut hear).await?;
        if let Turn::Go { paused, waited, .. } = &turn {
            report.paused_s += paused.as_secs_f64();
            report.waited_s += waited.as_secs_f64();
        }
        Ok(turn)
    }
}
