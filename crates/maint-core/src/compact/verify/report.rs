//! What a verification found, as data.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chart::Difference;
use crate::compact::{CompactTask, Span};

/// The most failures that are told one by one.
const TOLD: usize = 20;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Series that were read before and after; of several tiers each counts again.
    pub series: u64,
    /// Charts that were compared.
    pub charts: u64,
    /// Buckets whose rows were compared one by one.
    pub buckets: u64,
    /// Of these, the ones whose mean moved further than `max_mean_shift` allows. With late writers
    /// there may be a few: rows that arrived meanwhile counted too, and were left out again.
    pub drifted: u64,
    /// Buckets that were compared with their row in the side table.
    pub rollups: u64,
    /// Rows read before.
    pub points_before: u64,
    /// Rows read afterwards; rows that arrived meanwhile are among them.
    pub points_after: u64,
    /// Whether everything is as promised: true if there are no failures.
    pub within_promise: bool,
    /// The furthest that the arithmetic mean of a slice moved, in the series' own unit. It may.
    pub mean_shift: f64,
    /// The furthest as a share of the range in its chart.
    pub mean_shift_relative: f64,
    /// Slices whose edge cuts a bucket.
    pub cut_slices: u64,
    /// Of these, the ones with another extreme, by no more than the range of the cut bucket.
    pub cut_slices_changed: u64,
    /// What `mean` mode lost of the charts; `None` in `envelope` mode, where that is a failure.
    pub lost: Option<ChartLoss>,
    /// How many failures there are.
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<VerifyFailure>,
}

/// What averages hide, as measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ChartLoss {
    /// Ends of buckets in all charts.
    pub bucket_ends: u64,
    /// Of these, the ones where another value stands.
    pub bucket_ends_changed: u64,
    /// Slices made of whole buckets.
    pub slices: u64,
    /// Of these, the ones with another minimum or maximum.
    pub slices_changed: u64,
    /// The furthest that one of those extremes moved, in the series' own unit.
    pub largest: f64,
    /// The furthest as a share of the range in its chart.
    pub largest_relative: f64,
}

/// Something that is not as promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyFailure {
    /// The table.
    pub table: String,
    /// The series.
    pub series: i64,
    /// The bucket, or the window of the chart, in the units of the time column.
    pub span: Span,
    /// When the first of it is, if that is a time that a calendar has.
    pub at: Option<Timestamp>,
    /// What it is, in words.
    pub what: String,
}

impl fmt::Display for VerifyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, series {}, ", self.table, self.series)?;
        match self.at {
            Some(at) => write!(f, "{at}: {}", self.what),
            None => write!(f, "time {}: {}", self.span.from, self.what),
        }
    }
}

impl Verification {
    /// One that has looked at nothing yet.
    pub(super) fn new() -> Verification {
        Verification {
            within_promise: true,
            ..Verification::default()
        }
    }

    /// Adds what another one found.
    pub(in crate::compact) fn absorb(&mut self, other: Verification) {
        self.series += other.series;
        self.charts += other.charts;
        self.buckets += other.buckets;
        self.drifted += other.drifted;
        self.rollups += other.rollups;
        self.points_before += other.points_before;
        self.points_after += other.points_after;
        self.within_promise &= other.within_promise;
        self.mean_shift = self.mean_shift.max(other.mean_shift);
        self.mean_shift_relative = self.mean_shift_relative.max(other.mean_shift_relative);
        self.cut_slices += other.cut_slices;
        self.cut_slices_changed += other.cut_slices_changed;
        if let Some(more) = other.lost {
            self.lost.get_or_insert_default().absorb(more);
        }
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.failures.truncate(TOLD);
    }

    pub(super) fn fail(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        at: i64,
        what: String,
    ) {
        self.failed += 1;
        self.within_promise = false;
        if self.failures.len() < TOLD {
            let at = match task.per_second {
                1000 => Timestamp::from_millisecond(at),
                _ => Timestamp::from_second(at),
            };
            self.failures.push(VerifyFailure {
                table: task.table.clone(),
                series,
                span,
                at: at.ok(),
                what,
            });
        }
    }

    /// Notes what a chart shows that may move.
    pub(super) fn note(&mut self, difference: &Difference) {
        self.charts += 1;
        let shift = difference.mean_shift;
        // Where only one of the charts draws a value there is no distance.
        if shift.max < f64::MAX {
            self.mean_shift = self.mean_shift.max(shift.max);
            self.mean_shift_relative = self.mean_shift_relative.max(shift.max_relative);
        }
        self.cut_slices += difference.cut.slices;
        self.cut_slices_changed += difference.cut.differ.count;
    }
}

impl ChartLoss {
    pub(super) fn of(difference: &Difference) -> ChartLoss {
        ChartLoss {
            bucket_ends: difference.bucket_ends,
            bucket_ends_changed: difference.steps.count,
            slices: difference.aligned.slices,
            slices_changed: difference.aligned.differ.count,
            largest: difference.aligned.largest,
            largest_relative: difference.aligned.largest_relative,
        }
    }

    pub(super) fn absorb(&mut self, more: ChartLoss) {
        self.bucket_ends += more.bucket_ends;
        self.bucket_ends_changed += more.bucket_ends_changed;
        self.slices += more.slices;
        self.slices_changed += more.slices_changed;
        self.largest = self.largest.max(more.largest);
        self.largest_relative = self.largest_relative.max(more.largest_relative);
    }
}
