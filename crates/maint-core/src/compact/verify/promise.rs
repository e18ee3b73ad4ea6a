//! The rows of one series before and after: do they keep the promise of `envelope`? Pure.

use std::num::NonZeroU32;

use crate::chart::{ChartRules, Difference, Point, Series, SliceLength, Window, compare};
use crate::compact::{CompactTask, Span};

/// How consoles cut a window without zoom: so many parts, each longer by so many seconds.
const PARTS: u32 = 250;
const PLUS_S: u32 = 100;
/// The silence after which consoles draw a series as unknown, besides twice its interval.
const GAP_S: i64 = 86_400;

/// Rows before and after, as they would be had every row that arrived meanwhile been there from
/// the beginning. Both in the order of time.
#[derive(Debug, PartialEq)]
pub(super) struct Joined {
    pub(super) before: Vec<Point>,
    pub(super) after: Vec<Point>,
    /// The times of the rows that arrived meanwhile.
    pub(super) late: Vec<i64>,
}

/// Adds rows that arrived meanwhile to those that were there before, because they take part in
/// what is the first, the last or an extreme of their bucket. A NULL among them is left out of
/// both: what it hides until the next row is not known once that row is gone.
pub(super) fn join(before: &[Point], after: &[Point]) -> Joined {
    let mut joined = Joined {
        before: Vec::with_capacity(before.len()),
        after: Vec::with_capacity(after.len()),
        late: Vec::new(),
    };
    let (mut before, mut after) = (instants(before).peekable(), instants(after).peekable());
    loop {
        let next = [before.peek(), after.peek()];
        let Some(at) = next.into_iter().flatten().map(|rows| rows[0].0).min() else {
            return joined;
        };
        let old = before.next_if(|rows| rows[0].0 == at).unwrap_or_default();
        let new = after.next_if(|rows| rows[0].0 == at).unwrap_or_default();
        joined.instant(at, old, new);
    }
}

fn instants(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points.chunk_by(|a, b| a.0 == b.0)
}

impl Joined {
    fn instant(&mut self, at: i64, before: &[Point], after: &[Point]) {
        let same = |a: &Point, b: &Point| a.1.map(f64::to_bits) == b.1.map(f64::to_bits);
        let mut missing = before.to_vec();
        let (mut arrived, mut rest) = (Vec::new(), Vec::with_capacity(after.len()));
        for row in after {
            if let Some(place) = missing.iter().position(|other| same(other, row)) {
                missing.remove(place);
                rest.push(*row);
            } else if row.1.is_some() {
                arrived.push(*row);
                rest.push(*row);
            }
        }
        if missing.is_empty() {
            if !arrived.is_empty() {
                self.late.push(at);
            }
            self.before.extend(&rest);
        } else {
            // Rows of one time stay or go together. One beside others that are gone came when
            // they were gone already, or is one of them, changed; either way it stands for none.
            rest.retain(|row| !arrived.contains(row));
            self.before.extend(before);
        }
        self.after.extend(rest);
    }
}

/// What was found in some buckets.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Buckets {
    /// How many were looked at.
    pub(super) checked: u64,
    /// Those whose mean moved further than was asked for.
    pub(super) drifted: u64,
    /// Which of them miss something of their envelope, and what.
    pub(super) losses: Vec<(i64, String)>,
}

/// Looks at the buckets that lie wholly in `span`.
pub(super) fn buckets(task: &CompactTask, span: Span, rows: &Joined) -> Buckets {
    let mut found = Buckets::default();
    let same_bucket = |a: &Point, b: &Point| task.bucket_start(a.0) == task.bucket_start(b.0);
    for before in rows.before.chunk_by(same_bucket) {
        let begin = task.bucket_start(before[0].0);
        let end = begin + task.bucket;
        if begin < span.from || end > span.to {
            continue;
        }
        found.checked += 1;
        let after = between(&rows.after, begin, end);
        if before == after {
            continue;
        }
        found
            .losses
            .extend(loss(before, after).map(|what| (begin, what)));
        let late = rows.late.iter().any(|at| (begin..end).contains(at));
        found.drifted += u64::from(!late && drifted(task, before, after));
    }
    found
}

/// The rows at or after `from` and before `to`.
pub(super) fn between(points: &[Point], from: i64, to: i64) -> &[Point] {
    let first = points.partition_point(|(at, _)| *at < from);
    let past = points.partition_point(|(at, _)| *at < to);
    points.get(first..past).unwrap_or_default()
}

/// What is missing of one bucket, whose rows differ.
fn loss(before: &[Point], after: &[Point]) -> Option<String> {
    let rows = before.len();
    if after.is_empty() {
        return Some(format!("all {rows} rows of the bucket are gone"));
    }
    let nulls = |points: &[Point]| points.iter().filter(|(_, value)| value.is_none()).count();
    if nulls(before) > 0 {
        // A bucket with a NULL stays as it is.
        return Some(format!("{} of {rows} rows are left", after.len()));
    }
    for (name, at) in [("first", before[0].0), ("last", before[rows - 1].0)] {
        if between(before, at, at + 1) != between(after, at, at + 1) {
            return Some(format!("the {name} row, at {at}, is gone or changed"));
        }
    }
    let (old, new) = (extremes(before)?, extremes(after)?);
    if old.0 != new.0 {
        return Some(format!("the smallest value was {}, now {}", old.0, new.0));
    }
    if old.1 != new.1 {
        return Some(format!("the largest value was {}, now {}", old.1, new.1));
    }
    None
}

/// Whether the mean of a bucket's rows moved further than the task allows. Rows that arrived
/// meanwhile and were left out again may explain it: nobody sees them any more.
fn drifted(task: &CompactTask, before: &[Point], after: &[Point]) -> bool {
    let (Some(limit), Some((min, max))) = (task.max_mean_shift, extremes(before)) else {
        return false;
    };
    // Halved, so that nothing overflows.
    let allowed = limit * (max / 2.0 - min / 2.0) + 1e-9 * min.abs().max(max.abs());
    (mean(before) - mean(after)).abs() > allowed
}

/// The smallest and the largest value.
pub(super) fn extremes(points: &[Point]) -> Option<(f64, f64)> {
    let values = || points.iter().filter_map(|(_, value)| *value);
    values().reduce(f64::min).zip(values().reduce(f64::max))
}

/// Half the mean of the values.
fn mean(points: &[Point]) -> f64 {
    let share = points.len() as f64 * 2.0;
    points
        .iter()
        .filter_map(|(_, value)| *value)
        .map(|value| value / share)
        .sum()
}

/// The charts of windows of these lengths that end at `end`, before and after: as a console cuts
/// them, and once more in slices made of whole buckets.
pub(super) fn charts(
    task: &CompactTask,
    rows: &Joined,
    windows: &[i64],
    end: i64,
) -> Vec<Difference> {
    let gap = gap(task, &rows.before);
    let before = Series::new(rows.before.iter().copied());
    let after = Series::new(rows.after.iter().copied());
    let Some(bucket) = nonzero(task.bucket) else {
        return Vec::new();
    };
    let drawn = |slice: SliceLength, length: i64| {
        let rules = ChartRules {
            slice,
            gap_s: Some(gap),
            start_point_in_first_slice: true,
            // Rows before those that were read are not known.
            ground: None,
        };
        let window = Window {
            start: end - length,
            end,
        };
        compare(&before, &after, &rules, window, bucket)
    };
    let mut charts = Vec::with_capacity(windows.len() * 2);
    for length in windows {
        let plus = i64::from(PLUS_S) * task.per_second;
        if let Some((parts, plus_s)) = NonZeroU32::new(PARTS).zip(u32::try_from(plus).ok()) {
            charts.push(drawn(SliceLength::Parts { parts, plus_s }, *length));
        }
        let slice = (length / i64::from(PARTS) / task.bucket + 1) * task.bucket;
        if let Some(seconds) = nonzero(slice) {
            charts.push(drawn(SliceLength::Seconds(seconds), length / slice * slice));
        }
    }
    charts
}

fn nonzero(n: i64) -> Option<NonZeroU32> {
    u32::try_from(n).ok().and_then(NonZeroU32::new)
}

/// A day and twice the usual interval between rows.
fn gap(task: &CompactTask, points: &[Point]) -> u32 {
    let mut intervals: Vec<i64> = points
        .windows(2)
        .map(|rows| rows[1].0 - rows[0].0)
        .collect();
    intervals.retain(|interval| *interval > 0);
    intervals.sort_unstable();
    let median = intervals.get(intervals.len() / 2).copied().unwrap_or(0);
    let gap = (GAP_S * task.per_second).saturating_add(median.saturating_mul(2));
    u32::try_from(gap).unwrap_or(u32::MAX)
}

/// What a chart shows that it must not, in words, and when the first of it is.
pub(super) fn broken(difference: &Difference) -> Option<(i64, String)> {
    let kinds = [
        (difference.steps, "bucket ends where another value stands"),
        (
            difference.unknown,
            "stretches that are unknown in one chart only",
        ),
        (
            difference.aligned.differ,
            "slices of whole buckets with another extreme",
        ),
        (
            difference.beyond_bucket,
            "slices whose extreme moved by more than the bucket they cut",
        ),
    ];
    let (mismatch, what) = kinds.into_iter().find(|(mismatch, _)| mismatch.count > 0)?;
    let at = mismatch.first_at.unwrap_or(difference.window.start);
    Some((at, format!("{}: {what}", mismatch.count)))
}

#[cfg(test)]
mod tests;
