//! The run: walks a plan, one table after the other, one short transaction after the other.
//!
//! The journal knows what was meant (one record before and one after each table), the database
//! knows what is. A killed run needs no repair: the next one looks again and goes on.

use elpis_run::journal::JournalError;
use elpis_run::{ChunkTiming, RunId};
use jiff::Timestamp;
use serde_json::json;

use crate::frame::{RunError, Terms, Walked, settle, why_not};
use crate::pacing::{Pacer, Turn};
use crate::report::{Ended, PurgeReport, TableReport};
use crate::store::{Position, Store, StoreError};
use crate::{Plan, PurgeEvent, Run, TablePlan, Walk};

/// The name of this job in the journal.
pub const JOB: &str = "purge";
/// How often a walk along time starts again from the oldest row, to catch rows that arrived late.
const MAX_PASSES: u32 = 3;

/// Why a purge did not do what its plan said.
pub type PurgeError = RunError<PurgeReport>;

impl Run<'_, PurgeEvent> {
    /// Deletes what `plan` says from `store`.
    ///
    /// # Errors
    /// [`PurgeError`]. A run that ends early but safely ([`Ended`]) is a report, not an error.
    pub async fn purge<S: Store>(
        &mut self,
        plan: &Plan,
        store: &mut S,
    ) -> Result<PurgeReport, PurgeError> {
        let terms = Terms {
            job: JOB,
            target: &plan.target,
            refusals: &plan.refusals,
            locks: &plan.locks,
            allow_replica: plan.allow_replica,
        };
        let (run, started) = self.open(terms, plan, store).await?;
        let walked = self.tables(run, started, plan, store).await;
        self.close(run, walked, store, PurgeEvent::Finished).await
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
        self.intend(run, &step, intent)?;
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
        let idle = pacer.idle();
        report.paused_s = idle.paused.as_secs_f64();
        report.waited_s = idle.waited.as_secs_f64();
        report.complete = matches!(ended, Ok(Ended::Done));
        let each = plan.bytes.filter(|_| plan.due.rows > 0);
        report.bytes = each.map(|all| {
            let share = report.deleted as f64 / plan.due.rows as f64;
            (all as f64 * share) as u64
        });
        let detail = serde_json::to_value(&report).unwrap_or_default();
        self.conclude(run, step, detail, why_not(&ended))?;
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
            let turn = pacer.turn(self, store, last.as_ref(), &report.table);
            let (limit, pause) = match turn.await? {
                Turn::Go { rows, paused } => (rows.min(plan.row_limit - report.deleted), paused),
                Turn::End(ended) => return Ok(ended),
            };
            let begun = self.clock.monotonic();
            let purged = store.purge_chunk(&plan.task, from.as_ref(), limit).await?;
            let took = self.since(begun);
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
}
