//! The run: visits every series of every tier, oldest time first, in short transactions.
//!
//! Time is cut into slabs; within a slab series follow one another by number. The place is
//! remembered in the database itself, in the transaction that changes the rows, so that a killed
//! run goes on exactly where it was.

use std::time::Duration;

use elpis_run::journal::JournalError;
use elpis_run::{ChunkTiming, RunId};
use jiff::Timestamp;
use serde_json::json;

use super::inspect::stretch;
use super::pack::{MAX_SERIES, Queue};
use super::verify::Sample;
use super::{CompactEvent, CompactPlan, CompactReport, PassReport, Span, TierPlan, TierReport};
use crate::frame::{RunError, Terms, Walked, settle, why_not};
use crate::pacing::{Pacer, Turn};
use crate::store::{Mark, Pass, SeriesStore, StoreError};
use crate::{Ended, Run};

/// The name of this job in the journal.
pub const COMPACT_JOB: &str = "compact";
/// Series surveyed at once to begin with.
const FIRST_SERIES: u64 = 16;
/// The largest chunk, whatever the throttle allows: it locks what it reads, and a writer of one of
/// these rows, or of a newer one of a series that ends here, waits for the whole chunk.
const LARGEST_CHUNK: u64 = 10_000;
/// A slab with fewer rows than this makes the next one longer, up to [`LONGEST_SLAB`] days.
const THIN_SLAB: u64 = 50_000;
const LONGEST_SLAB: i64 = 64;

/// Whether some series of each tier are read before and after, and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// A few are. A failure ends the run ([`Ended::NotVerified`]).
    Sample,
    /// None is.
    Nothing,
}

/// Why a compaction did not do what its plan said. What it did are whole buckets.
pub type CompactError = RunError<CompactReport>;

/// One tier on its way.
struct Tier<'p> {
    plan: &'p TierPlan,
    report: TierReport,
    last: Option<ChunkTiming>,
}

impl Run<'_, CompactEvent> {
    /// Compacts the series in `store` as `plan` says. `limits.max_rows` bounds the rows left out.
    ///
    /// # Errors
    /// [`CompactError`]. A run that ends early but safely ([`Ended`]) is a report, not an error.
    pub async fn compact<S: SeriesStore>(
        &mut self,
        plan: &CompactPlan,
        store: &mut S,
        verify: Verify,
    ) -> Result<CompactReport, CompactError> {
        let terms = Terms {
            job: COMPACT_JOB,
            target: &plan.target,
            refusals: &plan.refusals,
            locks: &plan.locks,
            allow_replica: plan.allow_replica,
        };
        let (run, started) = self.open(terms, plan, store).await?;
        let walked = self.tiers(run, started, plan, store, verify).await;
        let finished = CompactEvent::CompactionFinished;
        self.close(run, walked, store, finished).await
    }

    async fn tiers<S: SeriesStore>(
        &mut self,
        run: RunId,
        started: Timestamp,
        plan: &CompactPlan,
        store: &mut S,
        verify: Verify,
    ) -> Walked<CompactReport> {
        self.observer.on(&CompactEvent::CompactionStarted {
            run,
            target: plan.target.clone(),
            tiers: plan.tiers.len(),
        });
        let mut pacer = Pacer::new(self.limits, self.clock);
        let mut report = CompactReport {
            run,
            target: plan.target.clone(),
            started,
            finished: started,
            tiers: Vec::new(),
            verified: None,
            ended: Ended::Done,
        };
        let mut failure = None;
        for tier in &plan.tiers {
            let tier = self.tier(run, tier, store, &mut pacer, verify);
            let (tier, ended) = tier.await?;
            if let Some(found) = tier.verified.clone() {
                match &mut report.verified {
                    Some(verified) => verified.absorb(found),
                    None => report.verified = Some(found),
                }
            }
            report.tiers.push(tier);
            report.ended = settle(ended, &mut failure);
            if report.ended != Ended::Done {
                break;
            }
        }
        report.finished = self.clock.now();
        Ok((report, failure))
    }

    /// Compacts one tier between its two journal records.
    async fn tier<S: SeriesStore>(
        &mut self,
        run: RunId,
        plan: &TierPlan,
        store: &mut S,
        pacer: &mut Pacer,
        verify: Verify,
    ) -> Result<(TierReport, Result<Ended, StoreError>), JournalError> {
        let table = &plan.task.table;
        let step = format!("compact {table} to {} s", plan.bucket_s);
        let intent = json!({ "fresh": plan.fresh, "sealed": plan.sealed, "mode": plan.task.mode });
        self.intend(run, &step, intent)?;
        self.observer.on(&CompactEvent::TierStarted {
            table: table.clone(),
            bucket_s: plan.bucket_s,
            due: plan.due,
        });
        let mut tier = Tier {
            plan,
            report: TierReport {
                table: table.clone(),
                bucket_s: plan.bucket_s,
                ..TierReport::default()
            },
            last: None,
        };
        let ended = match verify {
            Verify::Sample => self.verified(&mut tier, store, pacer).await,
            Verify::Nothing => self.passes(&mut tier, store, pacer).await,
        };
        let (mut report, idle) = (tier.report, pacer.idle());
        report.paused_s = idle.paused.as_secs_f64();
        report.waited_s = idle.waited.as_secs_f64();
        report.complete = matches!(ended, Ok(Ended::Done));
        let detail = serde_json::to_value(&report).unwrap_or_default();
        self.conclude(run, step, detail, why_not(&ended))?;
        self.observer
            .on(&CompactEvent::TierFinished(report.clone()));
        Ok((report, ended))
    }

    /// Compacts one tier and compares a sample of its series before and after.
    async fn verified<S: SeriesStore>(
        &mut self,
        tier: &mut Tier<'_>,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Ended, StoreError> {
        let sample = Sample::take(tier.plan, store, self.clock).await?;
        // A tier that ended early is compared as well: what was compacted must be right.
        let ended = self.passes(tier, store, pacer).await?;
        tier.report.verified = sample.check(store, self.clock).await?;
        let failure = tier
            .report
            .verified
            .iter()
            .flat_map(|found| &found.failures)
            .next();
        Ok(match failure {
            None => ended,
            Some(failure) => Ended::NotVerified {
                why: failure.to_string(),
            },
        })
    }

    async fn passes<S: SeriesStore>(
        &mut self,
        tier: &mut Tier<'_>,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Ended, StoreError> {
        let (task, fresh, sealed) = (&tier.plan.task, tier.plan.fresh, tier.plan.sealed);
        if fresh.from < fresh.to {
            store.prepare_series(task).await?;
            let mark = store.mark(task, Pass::Seal).await?;
            let mark = resume(mark, fresh);
            let ended = self.pass(tier, Pass::Seal, mark, fresh.to, store, pacer);
            let ended = ended.await?;
            if ended != Ended::Done {
                return Ok(ended);
            }
        }
        if sealed.from < sealed.to && task.sealed_rows().is_some() {
            let mark = store.mark(task, Pass::Recheck).await?;
            let mark = resume(mark, sealed);
            let ended = self.pass(tier, Pass::Recheck, mark, sealed.to, store, pacer);
            let ended = ended.await?;
            if ended != Ended::Done {
                return Ok(ended);
            }
            // The next one starts over.
            let mark = store.mark(task, Pass::Recheck).await?;
            let mark = Mark {
                done_until: sealed.from,
                ..resume(mark, sealed)
            };
            store.set_mark(task, Pass::Recheck, &mark).await?;
        }
        Ok(Ended::Done)
    }

    /// One way through the time from `mark` to `until`, slab by slab.
    async fn pass<S: SeriesStore>(
        &mut self,
        tier: &mut Tier<'_>,
        pass: Pass,
        mut mark: Mark,
        until: i64,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Ended, StoreError> {
        let task = &tier.plan.task;
        let day = stretch(task);
        let mut length = day;
        while mark.done_until < until {
            let planned = mark.slab_until.filter(|end| *end <= until);
            let slab = Span {
                from: mark.done_until,
                to: planned.unwrap_or((mark.done_until + length).min(until)),
            };
            mark.slab_until = Some(slab.to);
            let before = tally(&mut tier.report, pass).examined;
            let ended = self.slab(tier, pass, slab, &mut mark, store, pacer).await?;
            if ended != Ended::Done {
                return Ok(ended);
            }
            mark = Mark {
                done_until: slab.to,
                slab_until: None,
                series_done: None,
                part: None,
                rows_removed: mark.rows_removed,
            };
            store.set_mark(task, pass, &mark).await?;
            self.observer.on(&CompactEvent::Slab {
                table: task.table.clone(),
                pass: pass.name(),
                until: slab.to,
            });
            let rows = tally(&mut tier.report, pass).examined - before;
            length = if rows < THIN_SLAB {
                (length * 2).min(day * LONGEST_SLAB)
            } else {
                day
            };
        }
        Ok(Ended::Done)
    }

    /// Every series once, in one slab of time.
    async fn slab<S: SeriesStore>(
        &mut self,
        tier: &mut Tier<'_>,
        pass: Pass,
        slab: Span,
        mark: &mut Mark,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Ended, StoreError> {
        let task = &tier.plan.task;
        let above = match pass {
            Pass::Seal => task.minimal_rows(),
            Pass::Recheck => task.sealed_rows().unwrap_or(u64::MAX),
        };
        let (mut after, mut batch) = (mark.series_done, FIRST_SERIES);
        loop {
            let (mut limit, mut pause) = match self.turn(tier, store, pacer).await? {
                Turn::Go { rows, paused } => (rows.min(LARGEST_CHUNK), paused),
                Turn::End(ended) => return Ok(ended),
            };
            let begun = self.clock.monotonic();
            let survey = store.survey(task, slab, after, batch, above).await?;
            tier.report.working_s += self.since(begun).as_secs_f64();
            let Some(last) = survey.last else {
                return Ok(Ended::Done);
            };
            tally(&mut tier.report, pass).series += batch;
            let mut queue = Queue::new(task, slab, survey.series, mark);
            let mut found = 0;
            while let Some(cut) = queue.cut(limit, mark.series_done) {
                found += cut.rows;
                mark.series_done = cut.series_done;
                mark.part = cut.part;
                let begun = self.clock.monotonic();
                let done = store.compact_chunk(task, &cut.chunk, pass, mark).await?;
                let took = self.since(begun);
                mark.rows_removed += done.removed;
                pacer.spend(done.removed);
                tier.note(pass, cut.rows, &done, took);
                self.observer.on(&CompactEvent::Compacted {
                    table: task.table.clone(),
                    examined: cut.rows,
                    removed: done.removed,
                    total: tier.report.sealed.examined + tier.report.rechecked.examined,
                    limit,
                    took_ms: took.as_secs_f64() * 1000.0,
                    pause_ms: pause.as_secs_f64() * 1000.0,
                });
                tier.last = Some(ChunkTiming {
                    asked: limit,
                    examined: cut.rows,
                    changed: done.removed + done.rewritten,
                    took,
                });
                (limit, pause) = match self.turn(tier, store, pacer).await? {
                    Turn::Go { rows, paused } => (rows.min(LARGEST_CHUNK), paused),
                    Turn::End(ended) => return Ok(ended),
                };
            }
            after = Some(last);
            mark.series_done = after;
            mark.part = None;
            // A survey should find work for a few chunks, and take no longer than one.
            batch = if found < 2 * limit {
                (batch * 2).min(MAX_SERIES as u64)
            } else if found > 8 * limit {
                (batch / 2).max(1)
            } else {
                batch
            };
        }
    }

    /// Waits for the next chunk's turn.
    async fn turn<S: SeriesStore>(
        &mut self,
        tier: &mut Tier<'_>,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Turn, StoreError> {
        let last = tier.last.take();
        let turn = pacer.turn(self, store, last.as_ref(), &tier.report.table);
        turn.await
    }
}

impl Tier<'_> {
    fn note(&mut self, pass: Pass, examined: u64, done: &crate::store::Compacted, took: Duration) {
        self.report.retries += u64::from(done.retries);
        self.report.working_s += took.as_secs_f64();
        let tally = tally(&mut self.report, pass);
        tally.examined += examined;
        tally.removed += done.removed;
        tally.rewritten += done.rewritten;
        tally.chunks += 1;
    }
}

fn tally(report: &mut TierReport, pass: Pass) -> &mut PassReport {
    match pass {
        Pass::Seal => &mut report.sealed,
        Pass::Recheck => &mut report.rechecked,
    }
}

/// Where an earlier run was, or the beginning of `span`.
fn resume(mark: Option<Mark>, span: Span) -> Mark {
    let fresh = Mark {
        done_until: span.from,
        slab_until: None,
        series_done: None,
        part: None,
        rows_removed: mark.as_ref().map_or(0, |mark| mark.rows_removed),
    };
    match mark {
        Some(mark) if mark.done_until >= span.from && mark.done_until < span.to => mark,
        _ => fresh,
    }
}
