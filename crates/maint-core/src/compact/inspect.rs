//! Gathering what a compaction plan is made from. Changes nothing.

use std::time::Duration;

use elpis_run::{Clock, StopToken};
use jiff::{SignedDuration, Timestamp};

use super::{CompactTask, Span, tasks};
use crate::store::{
    BucketPreview, Mark, Pass, PastLength, SeriesChunk, SeriesStore, ServerFacts, Shape, StoreError,
};
use crate::{Exception, InspectError, Kind, Kinds, Policy, SeriesRule, Tier};

/// Series looked at for an estimate.
const SAMPLE_SERIES: u64 = 20;
/// Stretches of time looked at of each.
const SAMPLE_STRETCHES: i64 = 4;
/// The length of a stretch, in seconds; at least one bucket.
const STRETCH_S: i64 = 86_400;

/// What is true of the series that a policy names.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesFacts {
    /// The moment that ages are measured from.
    pub now: Timestamp,
    /// The server.
    pub server: ServerFacts,
    /// How far the server's clock is from ours, either way.
    pub clock_skew: Duration,
    /// Why this server cannot compact series at all.
    pub obstacle: Option<String>,
    /// One entry for every rule, in the policy's order.
    pub tables: Vec<TableSeries>,
}

/// What is true of one table of series.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSeries {
    /// Its name.
    pub table: String,
    /// Its tiers, coarsest (and oldest) first, or why it cannot be compacted.
    pub tiers: Result<Vec<TierFacts>, String>,
}

/// What is true of one tier.
#[derive(Debug, Clone, PartialEq)]
pub struct TierFacts {
    /// The task.
    pub task: CompactTask,
    /// The rule it follows from.
    pub tier: Tier,
    /// The end of the newest bucket that is wholly older than the tier's age.
    pub cutoff: i64,
    /// The fresh buckets; empty if there are none.
    pub fresh: Span,
    /// The sealed buckets, which may have got late rows; empty if there are none.
    pub sealed: Span,
    /// How far an earlier run has come.
    pub mark: Option<Mark>,
    /// About how many rows lie in the fresh buckets.
    pub due: u64,
    /// For each series of a sample, some of its fresh buckets.
    pub sample: Vec<Vec<BucketPreview>>,
}

/// What an inspection of series needs besides policy and store.
pub struct SeriesInspection<'a> {
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Ends it early.
    pub stop: &'a StopToken,
}

impl SeriesInspection<'_> {
    /// Gathers the facts about every `[[compact]]` rule of `policy`: some hundred short reads,
    /// whatever the size of the tables.
    ///
    /// # Errors
    /// [`InspectError`]. Tables that do not fit the policy are facts, not errors.
    pub async fn run<S: SeriesStore>(
        &self,
        policy: &Policy,
        store: &mut S,
    ) -> Result<SeriesFacts, InspectError> {
        let server = store.server().await.map_err(at("the server"))?;
        let now = self.clock.now();
        let skew = server.clock.map_or(Duration::ZERO, |theirs| {
            theirs.duration_since(now).unsigned_abs()
        });
        let obstacle = store.series_obstacle().await;
        let mut tables = Vec::with_capacity(policy.series.len());
        for rule in policy.series.iter().filter(|_| obstacle.is_none()) {
            tables.push(TableSeries {
                table: rule.table.clone(),
                tiers: self.table(rule, now, store).await?,
            });
        }
        Ok(SeriesFacts {
            now,
            server,
            clock_skew: skew,
            obstacle,
            tables,
        })
    }

    async fn table<S: SeriesStore>(
        &self,
        rule: &SeriesRule,
        now: Timestamp,
        store: &mut S,
    ) -> Result<Result<Vec<TierFacts>, String>, InspectError> {
        let Some(shape) = store.shape(&rule.table).await.map_err(at(&rule.table))? else {
            return Ok(Err("does not exist in this database".to_owned()));
        };
        if let Some(reason) = kinds_obstacle(rule, store).await? {
            return Ok(Err(reason));
        }
        let tasks = match tasks(rule, &shape) {
            Ok(tasks) => tasks,
            Err(reason) => return Ok(Err(reason)),
        };
        let past = store.past_lengths(&rule.table).await;
        if let Some(reason) = weights_lost(&tasks, &past.map_err(at(&rule.table))?) {
            return Ok(Err(reason));
        }
        let oldest = match tasks.first() {
            Some(task) => store.oldest_point(task).await.map_err(at(&rule.table))?,
            None => None,
        };
        let mut tiers: Vec<TierFacts> = Vec::new();
        for (task, tier) in tasks.into_iter().zip(&rule.tiers).rev() {
            // What is old enough for the next coarser tier belongs to that one alone.
            let begin = match (tiers.last(), oldest) {
                (Some(coarser), _) => coarser.cutoff,
                (None, Some(oldest)) => task.bucket_start(oldest),
                (None, None) => 0,
            };
            tiers.push(self.tier(task, *tier, now, begin, store).await?);
        }
        Ok(Ok(tiers))
    }

    async fn tier<S: SeriesStore>(
        &self,
        task: CompactTask,
        tier: Tier,
        now: Timestamp,
        begin: i64,
        store: &mut S,
    ) -> Result<TierFacts, InspectError> {
        let cutoff = cutoff(&task, tier, now);
        let here = task.table.clone();
        let mark = store.mark(&task, Pass::Seal).await.map_err(at(&here))?;
        let done = mark.as_ref().map_or(begin, |mark| mark.done_until);
        let fresh = Span {
            from: done.max(begin).min(cutoff.max(begin)),
            to: cutoff.max(begin),
        };
        let sealed = Span {
            from: begin,
            to: fresh.from,
        };
        let mut facts = TierFacts {
            task,
            tier,
            cutoff,
            fresh,
            sealed,
            mark,
            due: 0,
            sample: Vec::new(),
        };
        if fresh.from < fresh.to {
            facts.due = store
                .points_in(&facts.task, fresh)
                .await
                .map_err(at(&here))?;
            facts.sample = self.sample(&facts.task, fresh, store).await?;
        }
        Ok(facts)
    }

    /// Some stretches of some series of all kinds, as the rows that are due are of all kinds:
    /// enough for an estimate, few enough for a second.
    async fn sample<S: SeriesStore>(
        &self,
        task: &CompactTask,
        fresh: Span,
        store: &mut S,
    ) -> Result<Vec<Vec<BucketPreview>>, InspectError> {
        let here = || at(&task.table);
        let any = CompactTask {
            kinds: Kinds::All(Kind::Gauge),
            ..task.clone()
        };
        let series = store.some_series(&any, SAMPLE_SERIES).await;
        let series = series.map_err(here())?;
        let length = stretch(task);
        let slots = ((fresh.to - fresh.from) / length).max(1);
        let mut sample = Vec::with_capacity(series.len());
        for (nth, id) in series.into_iter().enumerate() {
            if self.stop.is_stopped() {
                return Err(InspectError::Stopped);
            }
            let mut buckets = Vec::new();
            let stretches = SAMPLE_STRETCHES.min(slots);
            for i in 0..stretches {
                // Spread over the time, and shifted from series to series.
                let slot = (slots * i / stretches + nth as i64 * slots / 37) % slots;
                let from = fresh.from + slot * length;
                let chunk = SeriesChunk {
                    series: vec![id],
                    span: Span {
                        from,
                        to: (from + length).min(fresh.to),
                    },
                    sums: false,
                };
                let mut seen = store.preview(task, &chunk).await.map_err(here())?;
                if !seen.is_empty() && !is_touched(task, id, chunk.span, store).await? {
                    for bucket in &mut seen {
                        (bucket.kept, bucket.range) = (bucket.rows, 0.0);
                    }
                }
                buckets.extend(seen);
            }
            sample.push(buckets);
        }
        Ok(sample)
    }
}

/// Whether a series with rows in `span` is of a kind that may be compacted.
async fn is_touched<S: SeriesStore>(
    task: &CompactTask,
    series: i64,
    span: Span,
    store: &mut S,
) -> Result<bool, InspectError> {
    if let Kinds::All(kind) = task.kinds {
        return Ok(kind.fits(task.mode));
    }
    let survey = store.survey(task, span, series.checked_sub(1), 1, 0).await;
    let survey = survey.map_err(at(&task.table))?;
    Ok(!survey.series.is_empty())
}

fn at(table: &str) -> impl FnOnce(StoreError) -> InspectError {
    let table = table.to_owned();
    move |source| InspectError::Store { table, source }
}

/// A day in whole buckets, in the units of the time column.
pub(super) fn stretch(task: &CompactTask) -> i64 {
    let day = STRETCH_S * task.per_second;
    task.bucket * ((day + task.bucket - 1) / task.bucket)
}

/// Where a tier begins: only buckets wholly before it are old enough.
fn cutoff(task: &CompactTask, tier: Tier, now: Timestamp) -> i64 {
    let age = SignedDuration::from_hours(24 * i64::from(tier.older_than_days));
    let at = now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let at = if task.per_second == 1000 {
        at.as_millisecond()
    } else {
        at.as_second()
    };
    task.bucket_start(at)
}

/// Why the side table cannot tell what every bucket held: earlier runs left out rows whose weights
/// it does not know, or would not find, because they stand under a length that is no tier now.
fn weights_lost(tasks: &[CompactTask], past: &[PastLength]) -> Option<String> {
    let task = tasks.iter().find(|task| task.rollup)?;
    let hours = |past: &PastLength| past.bucket / (3600 * task.per_second);
    if let Some(past) = past.iter().find(|past| !past.rolled_up) {
        return Some(format!(
            "was compacted into buckets of {} h without a side table, so nobody knows what they \
             held: keep mode = \"envelope\" and rollup = false for it",
            hours(past)
        ));
    }
    let forgotten = past
        .iter()
        .find(|past| !task.levels.contains(&past.bucket))?;
    Some(format!(
        "was rolled up into buckets of {0} h, which no tier has now, so what they held would be \
         forgotten: keep a tier with bucket_hours = {0} (its older_than_days may change)",
        hours(forgotten)
    ))
}

/// Why the table that tells the kinds cannot do so.
async fn kinds_obstacle<S: SeriesStore>(
    rule: &SeriesRule,
    store: &mut S,
) -> Result<Option<String>, InspectError> {
    let Kinds::Lookup {
        table,
        key,
        column,
        except,
        ..
    } = &rule.kinds
    else {
        return Ok(None);
    };
    let from = format!("takes its kinds from table {table}, which");
    let shape = match columns_of(table, &[key, column], store).await? {
        Ok(shape) => shape,
        Err(lacks) => return Ok(Some(format!("{from} {lacks}"))),
    };
    for Exception {
        table,
        column,
        filters,
    } in except
    {
        let mut columns = vec![column];
        columns.extend(filters.iter().map(|filter| &filter.column));
        if let Err(lacks) = columns_of(table, &columns, store).await? {
            let from = format!("leaves the series alone that table {table} names, which");
            return Ok(Some(format!("{from} {lacks}")));
        }
    }
    let indexed = shape.indexes.iter().any(|i| i.columns.first() == Some(key));
    let keyed = shape
        .keys
        .iter()
        .any(|columns| columns.first() == Some(key));
    Ok((!indexed && !keyed).then(|| format!("{from} has no index on {key}: add one")))
}

/// The shape of a table that must have these columns, or what it lacks.
async fn columns_of<S: SeriesStore>(
    table: &str,
    columns: &[&String],
    store: &mut S,
) -> Result<Result<Shape, String>, InspectError> {
    let Some(shape) = store.shape(table).await.map_err(at(table))? else {
        return Ok(Err("does not exist".to_owned()));
    };
    let missing = columns
        .iter()
        .find(|name| !shape.columns.iter().any(|column| column.name == ***name));
    Ok(match missing {
        Some(name) => Err(format!("has no column {name}")),
        None => Ok(shape),
    })
}
