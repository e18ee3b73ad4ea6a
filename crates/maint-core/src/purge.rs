//! The run: walks a plan, one table after the other, one short transaction after the other.
//!
//! The journal knows what was meant (one record before and one after each table), the database
//! knows what is. A killed run needs no repair: the next one looks again and goes on.

use std::error::Error as StdError;
use std::time::Duration;

use elpis_run::journal::{Event, Journal, JournalError, NewRun, Outcome, Query};
use elpis_run::{ChunkTiming, Clock, Holder, Load, Observer, Pace, RunId, StopToken, Throttle};
use serde_json::json;

use crate::plan::server_refusals;
use crate::report::{Ended, PurgeReport, TableReport};
use crate::store::{Position, Store, StoreError};
use crate::{Plan, PurgeEvent, Refusal, TablePlan, Walk};

/// The name of this job in the journal.
pub const JOB: &str = "purge";
/// How often the load is looked at.
const LOAD_INTERVAL: Duration = Duration::from_secs(1);
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

/// Why a run did not do what its plan said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PurgeError {
    /// A safety check failed before anything was touched.
    #[error("refused, nothing was changed: {}", list(.0))]
    Refused(Vec<Refusal>),
    /// The database failed before anything was touched; this includes a lock held by another run.
    #[error("could not begin, nothing was changed")]
    NotBegun(#[source] StoreError),
    /// The database failed in the middle.
    #[error("stopped part-way after {} rows; what was deleted stays deleted", .report.deleted())]
    Stopped {
        /// What was done until then.
        report: Box<PurgeReport>,
        /// What the store said.
        source: StoreError,
    },
    /// The journal could not be written, so no further step was taken.
    #[error("the journal could not be written, so the run stopped before the next step")]
    Journal(#[from] JournalError),
}

fn list(refusals: &[Refusal]) -> String {
    refusals
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

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
        if !plan.refusals.is_empty() {
            return Err(PurgeError::Refused(plan.refusals.clone()));
        }
        store
            .lock(&plan.locks)
            .await
            .map_err(PurgeError::NotBegun)?;
        let result = self.locked(plan, store).await;
        // The locks go with the session anyway; a session that is lost cannot give them back.
        let _ = store.unlock().await;
        let (report, failure) = result?;
        self.observer.on(&PurgeEvent::Finished(report.clone()));
        match failure {
            None => Ok(report),
            Some(source) => Err(PurgeError::Stopped {
                report: Box::new(report),
                source,
            }),
        }
    }

    async fn locked<S: Store>(
        &mut self,
        plan: &Plan,
        store: &mut S,
    ) -> Result<(PurgeReport, Option<StoreError>), PurgeError> {
        // The server may have become a replica since the plan was made.
        let server = store.server().await.map_err(PurgeError::NotBegun)?;
        let refusals = server_refusals(&server, plan.allow_replica);
        if !refusals.is_empty() {
            return Err(PurgeError::Refused(refusals));
        }
        self.close_dead_runs(&plan.target)?;
        let started = self.clock.now();
        let run = self.journal.create(&NewRun {
            job: JOB.to_owned(),
            target: plan.target.clone(),
            holder: self.holder.clone(),
            started,
            plan: serde_json::to_value(plan).unwrap_or_default(),
        })?;
        let tables = plan.tables.len();
        self.observer.on(&PurgeEvent::Started {
            run,
            target: plan.target.clone(),
            tables,
        });
        let deadline = self
            .limits
            .max_time
            .map(|limit| self.clock.monotonic() + limit);
        let mut progress = Progress {
            overslept: Duration::ZERO,
            load: None,
            deadline,
            rows_left: self.limits.max_rows,
        };
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
            let (table, ended) = self.table(run, table, store, &mut progress).await?;
            report.tables.push(table);
            report.ended = match ended {
                Ok(ended) => ended,
                Err(error) => {
                    let ended = Ended::Failed {
                        error: chain(&error),
                    };
                    failure = Some(error);
                    ended
                }
            };
            if report.ended != Ended::Done {
                break;
            }
        }
        report.finished = self.clock.now();
        self.journal
            .finish(run, report.finished, &report.ended.outcome())?;
        Ok((report, failure))
    }

    /// We hold the lock, so a run of this target that is still open has died.
    fn close_dead_runs(&self, target: &str) -> Result<(), JournalError> {
        let query = Query {
            job: Some(JOB.to_owned()),
            target: Some(target.to_owned()),
            open_only: true,
            limit: None,
        };
        for run in self.journal.list(&query)? {
            self.journal
                .finish(run.id, self.clock.now(), &Outcome::Interrupted)?;
        }
        Ok(())
    }

    /// Purges one table between its two journal records.
    async fn table<S: Store>(
        &mut self,
        run: RunId,
        plan: &TablePlan,
        store: &mut S,
        progress: &mut Progress,
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
        let ended = self.passes(plan, store, progress, &mut report).await;
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
                error: chain(error),
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
        progress: &mut Progress,
        report: &mut TableReport,
    ) -> Result<Ended, StoreError> {
        for _ in 0..MAX_PASSES {
            let before = report.deleted;
            let ended = self.walk(plan, store, progress, report).await?;
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
        progress: &mut Progress,
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
            let (limit, pause) = match self.turn(store, progress, last.as_ref(), report).await? {
                Turn::Go { rows, pause } => (rows.min(plan.row_limit - report.deleted), pause),
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
            progress.rows_left = progress
                .rows_left
                .map(|left| left - purged.deleted.min(left));
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

    /// Decides whether the next chunk may begin, and waits until it may.
    async fn turn<S: Store>(
        &mut self,
        store: &mut S,
        progress: &mut Progress,
        last: Option<&ChunkTiming>,
        report: &mut TableReport,
    ) -> Result<Turn, StoreError> {
        let table = &report.table;
        let mut last = last;
        let mut waiting: Option<(Duration, String)> = None;
        loop {
            let now = self.clock.monotonic();
            if self.stop.is_stopped() {
                return Ok(Turn::End(Ended::Interrupted));
            }
            if let Some(ended) = progress.limit_reached(now) {
                return Ok(Turn::End(ended));
            }
            if progress
                .load
                .as_ref()
                .is_none_or(|(at, _)| now >= *at + LOAD_INTERVAL)
            {
                progress.load = Some((now, store.load().await?));
            }
            let load = progress
                .load
                .as_ref()
                .map(|(_, load)| load.clone())
                .unwrap_or_default();
            match self.throttle.pace(last.take(), &load) {
                Pace::Go { rows, pause } => {
                    if let Some((since, _)) = waiting {
                        let waited = self.clock.monotonic().saturating_sub(since).as_secs_f64();
                        report.waited_s += waited;
                        let table = table.clone();
                        self.observer.on(&PurgeEvent::Resumed {
                            table,
                            waited_s: waited,
                        });
                    }
                    let begun = self.clock.monotonic();
                    let wanted = pause.saturating_sub(progress.overslept);
                    if self.stop.sleep(self.clock, wanted).await.is_err() {
                        return Ok(Turn::End(Ended::Interrupted));
                    }
                    let slept = self.clock.monotonic().saturating_sub(begun);
                    progress.overslept = (progress.overslept + slept).saturating_sub(pause);
                    report.paused_s += slept.as_secs_f64();
                    // The pause may have used up the rest of the time.
                    if let Some(ended) = progress.limit_reached(self.clock.monotonic()) {
                        return Ok(Turn::End(ended));
                    }
                    let rows = rows.min(progress.rows_left.unwrap_or(u64::MAX)).max(1);
                    return Ok(Turn::Go { rows, pause: slept });
                }
                Pace::Hold { retry_after, why } => {
                    if waiting.as_ref().is_none_or(|(_, before)| *before != why) {
                        let (table, why) = (table.clone(), why.clone());
                        self.observer.on(&PurgeEvent::Waiting { table, why });
                    }
                    let since = waiting.map_or(now, |(since, _)| since);
                    waiting = Some((since, why));
                    if self.stop.sleep(self.clock, retry_after).await.is_err() {
                        return Ok(Turn::End(Ended::Interrupted));
                    }
                    progress.load = None;
                }
                Pace::Stop { why } => return Ok(Turn::End(Ended::Critical { why })),
            }
        }
    }
}

/// What the run carries from table to table.
struct Progress {
    /// By how much pauses were longer than asked for: timers are coarse, and a pause of a
    /// millisecond may take two. The next one makes up for it.
    overslept: Duration,
    load: Option<(Duration, Load)>,
    deadline: Option<Duration>,
    rows_left: Option<u64>,
}

impl Progress {
    fn limit_reached(&self, now: Duration) -> Option<Ended> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Some(Ended::Limit {
                why: "the time limit of this run was reached".to_owned(),
            });
        }
        if self.rows_left == Some(0) {
            return Some(Ended::Limit {
                why: "the row limit of this run was reached".to_owned(),
            });
        }
        None
    }
}

enum Turn {
    Go { rows: u64, pause: Duration },
    End(Ended),
}

/// An error with its sources on one line, for the journal.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
