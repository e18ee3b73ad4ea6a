//! The sweep itself: looks along the walk and acts on what it finds, a bounded step at a time.

use elpis_run::{ChunkTiming, JournalError};
use std::time::Duration;

use super::HousekeepingEvent;
use crate::pacing::{Pacer, Turn};
use crate::store::{RelationStore, RowKey, StoreError, Swept};
use crate::sweep::{SweepAct, SweepPlan, SweepReport};
use crate::{Ended, Run};

/// Rows that one look reads at least: reading disturbs nobody, and most looks find nothing.
const WINDOW: u64 = 2_000;
/// The most keys that one transaction names.
const MAX_KEYS: u64 = 2_000;

/// What ends a sweep in the middle.
#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is about to be done could not be remembered, so it was not done.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// One sweep on its way.
pub(super) struct Sweeper<'r, 'a> {
    pub(super) run: &'r mut Run<'a, HousekeepingEvent>,
    /// Called before anything is changed, each time.
    pub(super) announce: &'r mut (dyn FnMut() -> Result<(), JournalError> + Send),
    pub(super) last: Option<ChunkTiming>,
    pub(super) report: SweepReport,
    /// The counts in the order of the task's dependent tables.
    pub(super) slots: Vec<u64>,
}

impl Sweeper<'_, '_> {
    /// Walks the whole table once. Where the plan says what is meant, acts on that and does not look
    /// for more: what others change meanwhile is for the next run.
    pub(super) async fn sweep<S: RelationStore>(
        &mut self,
        plan: &SweepPlan,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Ended, SweepError> {
        if let Some(meant) = &plan.settled {
            if meant.is_empty() {
                return Ok(Ended::Done);
            }
            self.report.examined = meant.len() as u64;
            (self.announce)()?;
            return Ok(self.act(plan, meant.clone(), store, pacer).await?);
        }
        let mut from = None;
        loop {
            let limit = match self.turn(store, pacer).await? {
                Turn::Go { rows, .. } => rows,
                Turn::End(ended) => return Ok(ended),
            };
            let begun = self.run.clock.monotonic();
            let asked = limit.max(WINDOW);
            let looked = store.look(&plan.task, from.as_ref(), asked).await?;
            let took = self.run.since(begun);
            self.report.examined += looked.examined;
            self.report.working_s += took.as_secs_f64();
            // Looking is not what the throttle measures chunks by; its pause is the same share.
            self.last = Some(ChunkTiming {
                asked,
                examined: 0,
                changed: 0,
                took,
            });
            if !looked.found.is_empty() {
                (self.announce)()?;
                let ended = self.act(plan, looked.found, store, pacer).await?;
                if ended != Ended::Done || self.report.held.is_some() {
                    return Ok(ended);
                }
            }
            if looked.next.is_none() {
                return Ok(Ended::Done);
            }
            if looked.next == from {
                return Err(endless(plan).into());
            }
            from = looked.next;
        }
    }

    /// Acts on what one look found.
    async fn act<S: RelationStore>(
        &mut self,
        plan: &SweepPlan,
        mut found: Vec<RowKey>,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Ended, StoreError> {
        if let SweepAct::Insert { settle, .. } = &plan.task.act {
            // Whoever is making these rows now gets the time to finish. Those that the plan has seen
            // had it since.
            let known = plan.facts.known_for(&found, self.run.clock.now());
            let wait = settle.saturating_sub(known);
            if self.run.stop.sleep(self.run.clock, wait).await.is_err() {
                return Ok(Ended::Interrupted);
            }
        }
        while !found.is_empty() {
            let (limit, paused) = match self.turn(store, pacer).await? {
                Turn::Go { rows, paused } => (rows, paused),
                Turn::End(ended) => return Ok(ended),
            };
            let left = plan.row_limit.saturating_sub(self.report.changed);
            if left == 0 {
                self.report.held = Some(too_many(plan));
                return Ok(Ended::Done);
            }
            let limit = limit.min(MAX_KEYS).min(left);
            let first = usize::try_from(limit).unwrap_or(usize::MAX);
            let these = &found[..found.len().min(first)];
            let begun = self.run.clock.monotonic();
            let swept = store.sweep(&plan.task, these, limit).await?;
            let took = self.run.since(begun);
            let (keys, rows) = (these.len() as u64, self.note(&swept, limit, took, paused));
            pacer.spend(swept.changed);
            self.last = Some(ChunkTiming {
                asked: limit,
                examined: rows.max(keys),
                changed: rows,
                took,
            });
            if swept.complete {
                found.drain(..these.len());
            } else if rows == 0 {
                return Err(endless(plan));
            }
        }
        Ok(Ended::Done)
    }

    /// Enters a transaction in the report; the rows it changed in all tables.
    fn note(&mut self, swept: &Swept, limit: u64, took: Duration, paused: Duration) -> u64 {
        let dependents: u64 = swept.dependents.iter().sum();
        for (sum, more) in self.slots.iter_mut().zip(&swept.dependents) {
            *sum += more;
        }
        self.report.changed += swept.changed;
        self.report.chunks += 1;
        self.report.retries += u64::from(swept.retries);
        self.report.working_s += took.as_secs_f64();
        self.run.observer.on(&HousekeepingEvent::Swept {
            sweep: self.report.name.clone(),
            changed: swept.changed,
            dependents,
            total: self.report.changed,
            limit,
            took_ms: took.as_secs_f64() * 1000.0,
            pause_ms: paused.as_secs_f64() * 1000.0,
        });
        swept.changed + dependents
    }

    /// Waits for the next step's turn.
    async fn turn<S: RelationStore>(
        &mut self,
        store: &mut S,
        pacer: &mut Pacer,
    ) -> Result<Turn, StoreError> {
        let last = self.last.take();
        let turn = pacer.turn(self.run, store, last.as_ref(), &self.report.name);
        turn.await
    }
}

fn too_many(plan: &SweepPlan) -> String {
    let table = &plan.task.table;
    let (deleted, rows) = (plan.row_limit, plan.facts.rows.rows);
    format!(
        "{deleted} of about {rows} rows of {table} are gone and there are more, which stay: see \
         what became of the rows they belong to before you allow more"
    )
}

fn endless(plan: &SweepPlan) -> StoreError {
    StoreError::Failed {
        doing: format!("walking {}", plan.task.table),
        source: "the walk came back to where it was and would never end".into(),
    }
}
