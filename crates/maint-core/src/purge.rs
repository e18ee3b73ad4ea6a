//! The run: walks a plan, one table after the other, one short transaction after the other.
//!
//! The journal knows what was meant (one record before and one after each table), the database
//! knows what is. A killed run needs no repair: the next one looks again and goes on.

use std::time::Duration;

use elpis_run::journal::{Event, Journal, JournalError};
use elpis_run::{ChunkTiming, Clock, Holder, Observer, RunId, StopToken, Throttle, with_causes};
use jiff::Timestamp;
use serde_json::json;

use crate::frame::{Frame, RunError, Walked, settle};
use crate::pacing::{Pacer, Reins, Turn, Wait};
use crate::report::{Ended, PurgeReport, TableReport};
use crate::store::{Position, Store, StoreError};
use crate::{Plan, PurgeEvent, TablePlan, Walk};

/// The name of this job in the journal.
pub const JOB: &str = "purge";
/// How often a walk along time starts again from the oldest row, to catch rows that arrived late.
const MAX_PASSES: u32 = 3;

/// What a run needs besides plan and store.
pub struct Purge<'a> {
    /// Where intents and results go before and after each table.
    pub journal: &'a dyn Journal,
    /// Chooses chunk sizes and pauses.
    pub throttle: &'a mut dyn Throttle,
    /// Hears what happens.
    pub observer: &'a dyn Observer<PurgeEvent>,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Ends the run between two chunks.
    pub stop: &'a StopToken,
    /// Who runs it.
    pub holder: Holder,
    /// Bounds of the run.
    pub limits: Limits,
}

/// Bounds of one run; `None` is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// No chunk begins after this long.
    pub max_time: Option<Duration>,
    /// No more rows than this are deleted, cascades not counted.
    pub max_rows: Option<u64>,
}

/// Why a purge did not do what its plan said.
pub type PurgeError = RunError<PurgeReport>;

impl Purge<'_> {
    /// Carries out `plan` on `store`.
    ///
    /// # Errors
    /// [`PurgeError`]. A run that ends early but safely ([`Ended`]) is a report, not an error.
    pub async fn run<S: Store>(
        &mut self,
        plan: &Plan,
        store: &mut S,
    ) -> Result<PurgeReport, PurgeError> {
        let frame = Frame {
            job: JOB,
            target: &plan.target,
            refusals: &plan.refusals,
            locks: &plan.locks,
            allow_replica: plan.allow_replica,
            journal: self.journal,
            clock: self.clock,
            holder: self.holder.clone(),
        };
        let (run, started) = frame.open(plan, store).await?;
        let walked = self.tables(run, started, plan, store).await;
        let observer = self.observer;
        let tell = |report: &PurgeReport| observer.on(&PurgeEvent::Finished(report.clone()));
        frame.close(run, walked, store, tell).await
    }

    async fn tables<S: Store>(
        &mut self,
        run: RunId,
        started: Timestamp,
        plan: &Plan,
        store: &mut S,
    ) -> Walked<PurgeReport> {
        self.observer.on(&PurgeEvent::Started {
            run,
            target: plan.target.clone(),
            tables: plan.tables.len(),
        });
        let mut pacer = Pacer::new(self.limits, self.clock);
        let mut report = PurgeReport {
            run,
            target: plan.target.clone(),
            started,
            finished: started,
            tables: Vec::new(),
            ended: Ended::Done,
        };
        let mut failure = None;
        for table in plan.tables.iter().filter(|table| table.cutoff.is_some()) {
            let (table, ended) = self.table(run, table, store, &mut pacer).await?;
            report.tables.push(table);
            report.ended = settle(ended, &mut failure);
            if report.ended != Ended::Done {
                break;
            }
        }
        report.finished = self.clock.now();
        Ok((report, failure))
    }

    /// Purges one table between its two journal records.
    pub(crate) async fn table<S: Store>(
        &mut self,
        run: RunId,
        plan: &TablePlan,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<(TableReport, Result<Ended, StoreError>), JournalError> {
        let name = &plan.task.table;
        let step = format!("purge {name}");
        let cutoff = plan.task.due.cutoff.to_string();
        let intent = json!({ "cutoff": cutoff, "due": plan.due, "walk": plan.task.walk });
        let intent = Event::Intent {
            step: step.clone(),
            detail: intent,
        };
        self.journal.append(run, self.clock.now(), &intent)?;
        self.observer.on(&PurgeEvent::TableStarted {
            table: name.clone(),
            cutoff,
            due: plan.due,
        });
        let mut report = TableReport {
            table: name.clone(),
            ..TableReport::default()
        };
        report.cascaded = plan
            .task
            .cascaded_tables()
            .into_iter()
            .map(|t| (t.to_owned(), 0))
            .collect();
        let ended = self.passes(plan, store, pacer, &mut report).await;
        report.complete = matches!(ended, Ok(Ended::Done));
        let detail = serde_json::to_value(&report).unwrap_or_default();
        let event = match &ended {
            Ok(Ended::Done) => Event::Done { step, detail },
            Ok(other) => Event::Failed {
                step,
                error: other.to_string(),
                detail,
            },
            Err(error) => Event::Failed {
                step,
                error: with_causes(error),
                detail,
            },
        };
        self.journal.append(run, self.clock.now(), &event)?;
        self.observer.on(&PurgeEvent::TableFinished(report.clone()));
        Ok((report, ended))
    }

    /// Walks the table until nothing expired is left.
    async fn passes<S: Store>(
        &mut self,
        plan: &TablePlan,
        store: &mut S,
        pacer: &mut Pacer,
        report: &mut TableReport,
    ) -> Result<Ended, StoreError> {
        for _ in 0..MAX_PASSES {
            let before = report.deleted;
            let ended = self.walk(plan, store, pacer, report).await?;
            // Along a key every row is seen in one pass. Along time, rows with an old time that
            // arrive behind the walk are seen by the next pass.
            let seen_all = matches!(plan.task.walk, Walk::Key { .. }) || report.deleted == before;
            if ended != Ended::Done || seen_all {
                return Ok(ended);
            }
        }
        Ok(Ended::Done)
    }

    async fn walk<S: Store>(
        &mut self,
        plan: &TablePlan,
        store: &mut S,
        pacer: &mut Pacer,
        report: &mut TableReport,
    ) -> Result<Ended, StoreError> {
        let mut last: Option<ChunkTiming> = None;
        let mut from: Option<Position> = None;
        loop {
            if report.deleted >= plan.row_limit {
                return Ok(Ended::ShareReached {
                    table: report.table.clone(),
                });
            }
            let (limit, pause) = match self.turn(store, pacer, last.as_ref(), report).await? {
                Turn::Go { rows, paused, .. } => {
                    (rows.min(plan.row_limit - report.deleted), paused)
                }
                Turn::End(ended) => return Ok(ended),
            };
            let begun = self.clock.monotonic();
            let purged = store.purge_chunk(&plan.task, from.as_ref(), limit).await?;
            let took = self.clock.monotonic().saturating_sub(begun);
            let cascaded = purged.cascaded.iter().sum();
            report.deleted += purged.deleted;
            for (sum, more) in report.cascaded.iter_mut().zip(&purged.cascaded) {
                sum.1 += more;
            }
            report.chunks += 1;
            report.retries += u64::from(purged.retries);
            report.working_s += took.as_secs_f64();
            pacer.spend(purged.deleted);
            self.observer.on(&PurgeEvent::Chunk {
                table: report.table.clone(),
                deleted: purged.deleted,
                cascaded,
                total: report.deleted,
                limit,
                took_ms: took.as_secs_f64() * 1000.0,
                pause_ms: pause.as_secs_f64() * 1000.0,
            });
            let changed = purged.deleted + cascaded;
            if changed == 0 && purged.next.is_some() && purged.next == from {
                return Err(StoreError::Failed {
                    doing: format!("walking {}", report.table),
                    source: "the walk came back to where it was and would never end".into(),
                });
            }
            last = Some(ChunkTiming {
                asked: limit,
                examined: purged.examined,
                changed,
                took,
            });
            from = purged.next;
            if from.is_none() {
                return Ok(Ended::Done);
            }
        }
    }

    /// Waits for the next chunk's turn; the report says how long.
    async fn turn<S: Store>(
        &mut self,
        store: &mut S,
        pacer: &mut Pacer,
        last: Option<&ChunkTiming>,
        report: &mut TableReport,
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
                Wait::For(why) => PurgeEvent::Waiting {
                    table,
                    why: why.to_owned(),
                },
                Wait::Over(waited) => PurgeEvent::Resumed {
                    table,
                    waited_s: waited.as_secs_f64(),
                },
            });
        };
        let turn = pacer.turn(reins, store, last, &mut hear).await?;
        if let Turn::Go { paused, waited, .. } = &turn {
            report.paused_s += paused.as_secs_f64();
            report.waited_s += waited.as_secs_f64();
        }
        Ok(turn)
    }
}
