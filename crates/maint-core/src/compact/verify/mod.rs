//! Verification on the operator's own data: some series are read before a run and once more
//! after it, and their charts and buckets compared; or the table is held against the side table.
//!
//! The sample of a tier is read just before the tier's turn and compared just after it, so that
//! memory holds one tier's sample at a time: at most 8 series of 20 000 rows of 24 bytes each.

mod account;
mod promise;
mod read;
mod report;
mod rollups;

use std::time::Duration;

use elpis_run::Clock;

pub use report::{ChartLoss, Verification, VerifyFailure};
pub use rollups::verify_rollups;

use self::account::Known;
use self::read::{Reader, end_of};
use super::{CompactTask, Span, TierPlan};
use crate::Mode;
use crate::store::{SeriesStore, StoreError};

/// Series of a sample.
const SERIES: usize = 8;
/// Series looked at for one; some have no rows where they are looked for.
const CANDIDATES: u64 = 24;
/// Rows read of one series.
const POINTS: usize = 20_000;
/// How long the reading of one sample may take: rows of one series lie far apart on a disk.
const READING: Duration = Duration::from_secs(10);
/// The windows that consoles offer, in days.
const WINDOWS: [i64; 4] = [1, 7, 30, 365];
const DAY_S: i64 = 86_400;

/// Some series of one tier as they were before it was compacted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    task: CompactTask,
    stretches: Vec<Stretch>,
}

/// A stretch of one series.
#[derive(Debug, Clone, PartialEq)]
struct Stretch {
    series: i64,
    /// What was read, from a bucket's edge on.
    span: Span,
    /// Where the windows end, on a bucket's edge.
    end: i64,
    /// The lengths of the windows that were read as a whole.
    windows: Vec<i64>,
    known: Known,
}

impl Sample {
    /// Reads a sample of what a tier is about to change. It has no series if there are none.
    ///
    /// # Errors
    /// [`StoreError`], as from any read.
    pub(super) async fn take<S: SeriesStore>(
        plan: &TierPlan,
        store: &mut S,
        clock: &dyn Clock,
    ) -> Result<Sample, StoreError> {
        let task = &plan.task;
        let mut sample = Sample {
            task: task.clone(),
            stretches: Vec::new(),
        };
        let Some(changed) = changed(plan) else {
            return Ok(sample);
        };
        let until = clock.monotonic().saturating_add(READING);
        let mut reader = Reader {
            store,
            clock,
            until: Some(until),
        };
        let candidates = reader.store.some_series(task, CANDIDATES).await?;
        for series in spread(candidates) {
            if sample.stretches.len() >= SERIES || reader.is_over() {
                break;
            }
            // Each series ends elsewhere, so that all of the time has its turn.
            let end = end_of(task, changed, sample.stretches.len(), SERIES);
            if let Some(stretch) = reader.stretch(task, series, end).await? {
                let touched = |at: i64| (changed.from..changed.to).contains(&at);
                if stretch.known.points.iter().any(|(at, _)| touched(*at)) {
                    sample.stretches.push(stretch);
                }
            }
        }
        Ok(sample)
    }

    /// Reads the same once more and compares. `None` if there is nothing to compare.
    ///
    /// # Errors
    /// [`StoreError`], as from any read.
    pub(super) async fn check<S: SeriesStore>(
        &self,
        store: &mut S,
        clock: &dyn Clock,
    ) -> Result<Option<Verification>, StoreError> {
        let mut found = Verification::new();
        // What was read before in time is in memory now.
        let mut reader = Reader {
            store,
            clock,
            until: None,
        };
        for stretch in &self.stretches {
            let limit = stretch.known.points.len() + POINTS;
            let known = reader
                .known(&self.task, stretch.series, stretch.span, limit)
                .await?;
            if let Some(known) = known {
                found.absorb(stretch.compare(&self.task, &known));
            }
        }
        Ok((found.series > 0).then_some(found))
    }
}

impl Stretch {
    fn compare(&self, task: &CompactTask, after: &Known) -> Verification {
        let mut found = Verification::new();
        found.series = 1;
        found.points_before = self.known.points.len() as u64;
        found.points_after = after.points.len() as u64;
        let whole = Span {
            from: self.span.from,
            to: self.end,
        };
        let bucket = |begin: i64| Span {
            from: begin,
            to: begin + task.bucket,
        };
        let rows = promise::join(&self.known.points, &after.points);
        if task.mode == Mode::Envelope {
            let buckets = promise::buckets(task, whole, &rows);
            found.buckets = buckets.checked;
            found.drifted = buckets.drifted;
            for (begin, what) in buckets.losses {
                found.fail(task, self.series, bucket(begin), begin, what);
            }
        }
        if task.rollup {
            let (rollups, wrong) = account::discrepancies(task, whole, &self.known, after);
            found.rollups = rollups;
            for (begin, what) in wrong {
                found.fail(task, self.series, bucket(begin), begin, what);
            }
        }
        for difference in promise::charts(task, &rows, &self.windows, self.end) {
            found.note(&difference);
            let window = Span {
                from: difference.window.start,
                to: difference.window.end,
            };
            match (task.mode, promise::broken(&difference)) {
                (Mode::Mean, _) => {
                    let lost = report::ChartLoss::of(&difference);
                    found.lost.get_or_insert_default().absorb(lost);
                }
                (Mode::Envelope, Some((at, what))) => {
                    let days = (window.to - window.from) as f64 / (DAY_S * task.per_second) as f64;
                    let what = format!("{what}, in a chart of {days:.0} days");
                    found.fail(task, self.series, window, at, what);
                }
                (Mode::Envelope, None) => {}
            }
        }
        found
    }
}

/// The time in which a tier's run may change rows.
fn changed(plan: &TierPlan) -> Option<Span> {
    let is_some = |span: &Span| span.from < span.to;
    let sealed = Some(plan.sealed).filter(|_| plan.task.sealed_rows().is_some());
    Some(plan.fresh).filter(is_some).or(sealed.filter(is_some))
}

/// Every third, then the others: the first few are spread over all.
fn spread(series: Vec<i64>) -> impl Iterator<Item = i64> {
    (0..3).flat_map(move |first| series.clone().into_iter().skip(first).step_by(3))
}
