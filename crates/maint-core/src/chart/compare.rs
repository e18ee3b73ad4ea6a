//! What of a chart looks different with other rows.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Chart, ChartRules, Series, Slice, Span, Window, draw};

/// The difference between the charts of a window before and after its rows were reduced bucket
/// by bucket. Buckets are aligned to absolute time. All figures are finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The window.
    pub window: Window,
    /// The buckets whose end lies in the window.
    pub bucket_ends: u64,
    /// Of these, the ones where another value stands, in the bucket's last second or the one
    /// after it.
    pub steps: Mismatch,
    /// Stretches of time that are unknown in exactly this form in only one of the charts.
    pub unknown: Mismatch,
    /// Slices made of whole buckets: their extremes must not change.
    pub aligned: Extremes,
    /// Slices whose edge cuts a bucket.
    pub cut: Extremes,
    /// Of the cut slices, those with an extreme that changed by more than the range of the rows
    /// of the bucket that is cut.
    pub beyond_bucket: Mismatch,
    /// How far the arithmetic means moved. They may: a mean counts points.
    pub mean_shift: MeanShift,
}

/// How many things differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mismatch {
    /// How many.
    pub count: u64,
    /// When the first of them is, in seconds since 1970.
    pub first_at: Option<i64>,
}

/// The smallest and largest values of some slices. The relative figure is a share of the range:
/// the distance between the lowest and the highest value in both charts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Extremes {
    /// How many slices there are.
    pub slices: u64,
    /// Those whose minimum or maximum differs.
    pub differ: Mismatch,
    /// The largest difference.
    pub largest: f64,
    /// The same as a share of the range.
    pub largest_relative: f64,
}

/// By how much the means of the slices differ. Relative figures are shares of the range: the
/// distance between the lowest and the highest value in both charts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MeanShift {
    /// The largest difference.
    pub max: f64,
    /// The average difference over all slices.
    pub mean: f64,
    /// The largest difference, relative.
    pub max_relative: f64,
    /// The average difference, relative.
    pub mean_relative: f64,
}

impl Difference {
    /// Whether the charts are the same as far as compaction promises it: steps, unknown
    /// stretches, extremes of whole buckets; other extremes within the range of a cut bucket.
    pub fn is_within_promise(&self) -> bool {
        let mismatches = [
            self.steps,
            self.unknown,
            self.aligned.differ,
            self.beyond_bucket,
        ];
        mismatches.iter().all(|mismatch| mismatch.count == 0)
    }
}

impl Mismatch {
    fn note(&mut self, at: i64) {
        self.count += 1;
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
    }
}

/// Compares the charts of a window `before` and `after` rows were reduced in buckets of
/// `bucket_s` seconds. Where there are several lengths, the longest is meant, and the others
/// divide it.
pub fn compare(
    before: &Series,
    after: &Series,
    rules: &ChartRules,
    window: Window,
    bucket_s: NonZeroU32,
) -> Difference {
    let charts = (draw(before, rules, window), draw(after, rules, window));
    let buckets = Buckets::new(before, bucket_s);
    let (bucket_ends, steps) = steps(before, after, window, &buckets);
    let mut difference = Difference {
        window,
        bucket_ends,
        steps,
        unknown: unknown(&charts.0, &charts.1),
        aligned: Extremes::default(),
        cut: Extremes::default(),
        beyond_bucket: Mismatch::default(),
        mean_shift: MeanShift::default(),
    };
    difference.slices(&charts.0, &charts.1, buckets);
    difference
}

fn steps(
    before: &Series,
    after: &Series,
    window: Window,
    buckets: &Buckets<'_>,
) -> (u64, Mismatch) {
    let (mut ends, mut mismatch) = (0, Mismatch::default());
    let mut end = buckets.end(window.start);
    while end <= window.end {
        ends += 1;
        let differs = |t| before.step_value_at(t) != after.step_value_at(t);
        if differs(end - 1) || differs(end) {
            mismatch.note(end);
        }
        end = buckets.end(end);
    }
    (ends, mismatch)
}

fn unknown(before: &Chart, after: &Chart) -> Mismatch {
    let mut mismatch = Mismatch::default();
    if before.unknown != after.unknown {
        let only = |spans: &[Span], others: &[Span], mismatch: &mut Mismatch| {
            for span in spans.iter().filter(|span| !others.contains(span)) {
                mismatch.note(span.from as i64);
            }
        };
        only(&before.unknown, &after.unknown, &mut mismatch);
        only(&after.unknown, &before.unknown, &mut mismatch);
    }
    for (a, b) in before.slices.iter().zip(&after.slices) {
        if a.unknown != b.unknown {
            mismatch.note(a.start as i64);
        }
    }
    mismatch
}

impl Difference {
    fn slices(&mut self, before: &Chart, after: &Chart, mut buckets: Buckets<'_>) {
        let range = range(&before.slices, &after.slices);
        let count = before.slices.len() as f64;
        for (a, b) in before.slices.iter().zip(&after.slices) {
            let change = distance(a.min, b.min).max(distance(a.max, b.max));
            let bound = buckets.bound(a, self.window);
            let extremes = match bound {
                None => &mut self.aligned,
                Some(_) => &mut self.cut,
            };
            extremes.slices += 1;
            if change > 0.0 {
                extremes.differ.note(a.start as i64);
                extremes.largest = extremes.largest.max(change);
            }
            if bound.is_some_and(|bound| change > bound) {
                self.beyond_bucket.note(a.start as i64);
            }
            let shift = distance(a.mean, b.mean);
            self.mean_shift.max = self.mean_shift.max.max(shift);
            // Divided before it is added, so that the sum stays finite.
            self.mean_shift.mean += shift / count;
        }
        for extremes in [&mut self.aligned, &mut self.cut] {
            extremes.largest_relative = relative(extremes.largest, range);
        }
        self.mean_shift.max_relative = relative(self.mean_shift.max, range);
        self.mean_shift.mean_relative = relative(self.mean_shift.mean, range);
    }
}

/// How far two drawn values are apart; as far as possible if only one of them is drawn.
fn distance(a: Option<f64>, b: Option<f64>) -> f64 {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs().min(f64::MAX),
        (None, None) => 0.0,
        _ => f64::MAX,
    }
}

/// A difference as a share of the range; finite even where only one chart draws a value.
fn relative(difference: f64, range: f64) -> f64 {
    if range > 0.0 {
        (difference / range).min(f64::MAX)
    } else {
        0.0
    }
}

fn range(before: &[Slice], after: &[Slice]) -> f64 {
    let slices = || before.iter().chain(after);
    let min = slices().filter_map(|slice| slice.min).reduce(f64::min);
    let max = slices().filter_map(|slice| slice.max).reduce(f64::max);
    distance(min, max)
}

/// The buckets of a series, and what they span.
struct Buckets<'a> {
    series: &'a Series,
    length: i64,
    /// By the begin of a bucket, the range of its rows.
    ranges: BTreeMap<i64, f64>,
}

impl<'a> Buckets<'a> {
    fn new(series: &'a Series, length: NonZeroU32) -> Buckets<'a> {
        Buckets {
            series,
            length: i64::from(length.get()),
            ranges: BTreeMap::new(),
        }
    }

    /// The end of the bucket that `at` is in.
    fn end(&self, at: i64) -> i64 {
        (at.div_euclid(self.length) + 1).saturating_mul(self.length)
    }

    /// By how much an extreme of a slice may change: the larger range of the buckets that its
    /// edges cut, or `None` if it cuts none.
    fn bound(&mut self, slice: &Slice, window: Window) -> Option<f64> {
        // The seconds whose rows are drawn in the slice.
        let first = slice.start.ceil() as i64;
        let past = (slice.end.ceil() as i64).min(window.end.saturating_add(1));
        let length = self.length;
        let cut = [first, past].into_iter();
        cut.filter(|edge| edge.rem_euclid(length) != 0)
            .map(|edge| self.range_around(edge))
            .reduce(f64::max)
    }

    fn range_around(&mut self, at: i64) -> f64 {
        let begin = at.div_euclid(self.length) * self.length;
        *self.ranges.entry(begin).or_insert_with(|| {
            let rows = self
                .series
                .between(begin, begin.saturating_add(self.length));
            let values = || rows.iter().filter_map(|(_, value)| *value);
            distance(values().reduce(f64::min), values().reduce(f64::max))
        })
    }
}

#[cfg(test)]
mod tests;
