//! The run of moves: one table after the other, one bounded step after the other.
//!
//! The journal has one record before and one after each table; what happened to each step is
//! recorded in the two databases, together with it.

use std::time::Duration;

use elpis_run::journal::JournalError;
use elpis_run::{ChunkTiming, RunId};
use jiff::Timestamp;
use serde_json::json;

use super::step::{Step, Trouble, settled, step};
use super::{MoveEvent, MovePlan, MoveReport, MoveTablePlan, MoveTask, MovedTable, Steps};
use crate::frame::{RunError, Terms, Walked, settle, why_not};
use crate::pacing::{Pacer, Turn};
use crate::plan::server_refusals;
use crate::store::{MoveSide, MoveStore, StoreError};
use crate::{Ended, Run};

/// The name of this job in the journal.
pub const MOVE_JOB: &str = "move";

/// Why a run of moves did not do what its plan said.
pub type MoveError = RunError<MoveReport>;

impl Run<'_, MoveEvent> {
    /// Moves what `plan` says from `active` to `history`. The throttle heeds the active server's
    /// load.
    ///
    /// A table that cannot move is left alone and told in the report; the others move.
    ///
    /// # Errors
    /// [`MoveError`]. A run that ends early but safely ([`Ended`]) is a report, not an error.
    pub async fn move_rows<A: MoveStore, H: MoveStore>(
        &mut self,
        plan: &MovePlan,
        active: &mut A,
        history: &mut H,
    ) -> Result<MoveReport, MoveError> {
        let terms = Terms {
            job: MOVE_JOB,
            target: &plan.target,
            refusals: &plan.refusals,
            locks: &plan.locks,
            allow_replica: plan.allow_replica,
        };
        if plan.refusals.is_empty() {
            other_side(plan, history).await?;
        }
        let ended = match self.open(terms, plan, active).await {
            Ok((run, started)) => {
                let walked = self.tables(run, started, plan, active, history).await;
                let finished = MoveEvent::MovesFinished;
                self.close(run, walked, active, finished).await
            }
            Err(error) => Err(error),
        };
        // The lock goes with the session anyway; a session that is lost cannot give it back.
        let _ = history.unlock().await;
        ended
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
        let begun = match active.begin_moves(MoveSide::Active).await {
            Ok(()) => history.begin_moves(MoveSide::History).await,
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
            }
        }
        // What cannot be put back goes with the session.
        let _ = active.end_moves().await;
        let _ = history.end_moves().await;
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
        let intent = json!({ "cutoff": cutoff, "due": plan.due });
        self.intend(run, &step, intent)?;
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
        let idle = pacer.idle();
        report.paused_s += idle.paused.as_secs_f64();
        report.waited_s = idle.waited.as_secs_f64();
        report.complete = matches!(ended, Ok(Ended::Done)) && report.held.is_none();
        let error = why_not(&ended).or_else(|| report.held.clone());
        let detail = serde_json::to_value(&report).unwrap_or_default();
        self.conclude(run, step, detail, error)?;
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
                report.paused_s += self.since(begun).as_secs_f64();
            }
            let turn = pacer.turn(self, active, last.as_ref(), &report.table);
            let (limit, paused) = match turn.await? {
                Turn::Go { rows, paused } => {
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
            let took = self.since(begun);
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
}

/// Takes the history database's locks, and looks at its server once more.
async fn other_side<H: MoveStore>(plan: &MovePlan, history: &mut H) -> Result<(), MoveError> {
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
