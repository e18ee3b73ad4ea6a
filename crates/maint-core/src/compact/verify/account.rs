//! What the side table and the table say of a bucket together. Pure.

use super::promise::{between, extremes};
use crate::Mode;
use crate::chart::Point;
use crate::compact::{CompactTask, Span};
use crate::store::BucketRollup;

/// How far sums may be apart, as a share of what was summed up.
const TOLERANCE: f64 = 1e-9;
/// The side table takes larger values for none, because their sums could overflow.
const SUMMED: f64 = 1e300;

/// What is known of one series at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    /// The rows, in the order of time.
    pub(super) points: Vec<Point>,
    /// The side table's rows.
    pub(super) rollups: Vec<BucketRollup>,
}

impl Known {
    /// The rollups that speak for the rows of their bucket: those that no longer one took up.
    pub(super) fn speaking(&self) -> Vec<&BucketRollup> {
        let mut speaking: Vec<&BucketRollup> = Vec::new();
        // The longer ones of one time come first.
        for rollup in &self.rollups {
            let covered = speaking
                .last()
                .is_some_and(|last| rollup.bucket < last.bucket + last.length);
            if !covered {
                speaking.push(rollup);
            }
        }
        speaking
    }

    fn rows(&self, span: Span) -> &[Point] {
        between(&self.points, span.from, span.to)
    }
}

/// Rows, kept or stood for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Account {
    count: u64,
    sum: f64,
    /// The sum of what was added, without signs.
    magnitude: f64,
    min: f64,
    max: f64,
}

/// The account of one bucket.
fn account(known: &Known, rollups: &[&BucketRollup], span: Span) -> Account {
    let rows = known.rows(span);
    let mut account = Account {
        count: rows.len() as u64,
        sum: 0.0,
        magnitude: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
    };
    let mut drawn = Vec::new();
    for rollup in rollups {
        account.count += rollup.rows.saturating_sub(rollup.kept);
        account.sum += rollup.sum - rollup.kept_sum;
        account.magnitude += rollup.sum.abs() + rollup.kept_sum.abs();
        account.min = account.min.min(rollup.min);
        account.max = account.max.max(rollup.max);
        drawn.extend(rollup.drawn.map(|(at, _)| at));
    }
    for (at, value) in rows {
        let Some(value) = *value else { continue };
        account.sum += value;
        account.magnitude += value.abs();
        // A drawn mean is no value of its bucket.
        if !drawn.contains(at) {
            account.min = account.min.min(value);
            account.max = account.max.max(value);
        }
    }
    account
}

/// What the side table lost or added in buckets that lie wholly in `span`: how many buckets have
/// a rollup, and what is wrong with which bucket.
pub(super) fn discrepancies(
    task: &CompactTask,
    span: Span,
    before: &Known,
    after: &Known,
) -> (u64, Vec<(i64, String)>) {
    let (old, new) = (before.speaking(), after.speaking());
    let inside = |rollups: &[&BucketRollup], begin: i64| -> Vec<usize> {
        let from = rollups.partition_point(|r| r.bucket < begin);
        let to = rollups.partition_point(|r| r.bucket < begin + task.bucket);
        (from..to.max(from)).collect()
    };
    let (mut rolled, mut wrong, mut grown) = (0, Vec::new(), false);
    for begin in buckets(task, span, before) {
        let bucket = Span {
            from: begin,
            to: begin + task.bucket,
        };
        let priors: Vec<&BucketRollup> = inside(&old, begin).iter().map(|i| old[*i]).collect();
        let now: Vec<&BucketRollup> = inside(&new, begin).iter().map(|i| new[*i]).collect();
        let (was, is) = (
            account(before, &priors, bucket),
            account(after, &now, bucket),
        );
        let late = is.count > was.count;
        let carry = carry(task, before, after, begin).filter(|_| !grown);
        grown = late;
        let own = now.first().filter(|rollup| rollup.length == task.bucket);
        let mut what = conserved(was, is);
        if let Some(own) = own {
            rolled += 1;
            what = what.or_else(|| agrees(task, own, after.rows(bucket)));
            if !late && priors.is_empty() {
                what = what.or_else(|| told(task, own, before.rows(bucket), carry));
            }
        }
        wrong.extend(what.map(|what| (begin, what)));
    }
    (rolled, wrong)
}

/// The buckets with rows that lie wholly in `span`.
fn buckets(task: &CompactTask, span: Span, known: &Known) -> Vec<i64> {
    let rows = known
        .rows(span)
        .iter()
        .map(|(at, _)| task.bucket_start(*at));
    let mut buckets: Vec<i64> = rows.collect();
    buckets.dedup();
    buckets.retain(|begin| *begin >= span.from && begin + task.bucket <= span.to);
    buckets
}

/// Whether a bucket stands for the same rows as before, and those that came late.
fn conserved(was: Account, is: Account) -> Option<String> {
    if is.count < was.count {
        return Some(format!(
            "{} rows were there, {} are accounted for",
            was.count, is.count
        ));
    }
    let close = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * was.magnitude.max(is.magnitude);
    let inside = is.min <= was.min + slack(was.min) && is.max >= was.max - slack(was.max);
    if !inside {
        return Some(format!(
            "values went from {} to {}, now from {} to {}",
            was.min, was.max, is.min, is.max
        ));
    }
    // NaN where an overflow leaves nothing to compare.
    let differs =
        is.count == was.count && (was.sum - is.sum).is_finite() && !close(was.sum, is.sum);
    differs.then(|| format!("the sum was {}, now {}", was.sum, is.sum))
}

fn slack(value: f64) -> f64 {
    1e-12 * value.abs()
}

/// Whether the rows of the table are those that the side table says were kept. More rows are
/// late ones, which the next run takes in.
pub(super) fn agrees(task: &CompactTask, rollup: &BucketRollup, rows: &[Point]) -> Option<String> {
    let (found, kept) = (rows.len() as u64, rollup.kept);
    if found < kept {
        return Some(format!(
            "{found} of the {kept} rows that were kept are there"
        ));
    }
    let Some((min, max)) = extremes(rows) else {
        return Some("no row has a value".to_owned());
    };
    if task.mode == Mode::Mean {
        return drawn(rollup, rows);
    }
    let late = found > kept;
    let same = |a: f64, b: f64| (a - b).abs() <= slack(b);
    if min > rollup.min + slack(rollup.min) || (!late && !same(min, rollup.min)) {
        return Some(format!(
            "the smallest value is {min}, it was {}",
            rollup.min
        ));
    }
    if max < rollup.max - slack(rollup.max) || (!late && !same(max, rollup.max)) {
        return Some(format!("the largest value is {max}, it was {}", rollup.max));
    }
    if late {
        return None;
    }
    let values = || rows.iter().filter_map(|(_, value)| *value);
    let (sum, magnitude) = (values().sum::<f64>(), values().map(f64::abs).sum::<f64>());
    if (sum - rollup.kept_sum).abs() > TOLERANCE * magnitude {
        return Some(format!(
            "the rows add up to {sum}, they did to {}",
            rollup.kept_sum
        ));
    }
    if rollup.approximate {
        return None;
    }
    ends(rollup, rows)
}

/// Whether the row that stands for a bucket carries what the side table says.
fn drawn(rollup: &BucketRollup, rows: &[Point]) -> Option<String> {
    let Some((at, value)) = rollup.drawn else {
        return Some("the side table names no row that stands for the bucket".to_owned());
    };
    if !between(rows, at, at + 1)
        .iter()
        .any(|(_, found)| *found == Some(value))
    {
        return Some(format!("the row at {at} does not carry {value}"));
    }
    let count = rollup.rows as f64;
    let allowed = TOLERANCE * count * rollup.min.abs().max(rollup.max.abs());
    let (mean, sum) = (value * count - rollup.sum, value - rollup.sum);
    (mean.abs() > allowed && sum.abs() > allowed).then(|| {
        format!(
            "{value} is neither mean nor sum of {count} rows with {}",
            rollup.sum
        )
    })
}

/// Whether first and last row are as the side table says.
fn ends(rollup: &BucketRollup, rows: &[Point]) -> Option<String> {
    let (first, last) = (rows.first()?.0, rows.last()?.0);
    let ends = [
        ("first", first, rollup.first_time, rollup.first_value),
        ("last", last, rollup.last_time, rollup.last_value),
    ];
    ends.into_iter().find_map(|(name, at, expected, value)| {
        if at != expected {
            return Some(format!("the {name} row is at {at}, it was at {expected}"));
        }
        let (mean, magnitude) = instant_mean(between(rows, at, at + 1))?;
        ((mean - value).abs() > TOLERANCE * magnitude)
            .then(|| format!("the {name} value is {mean}, it was {value}"))
    })
}

/// The mean of the values of one time, and the largest of them without sign.
fn instant_mean(rows: &[Point]) -> Option<(f64, f64)> {
    let values = || rows.iter().filter_map(|(_, value)| *value);
    let magnitude = values().map(f64::abs).reduce(f64::max)?;
    Some((values().sum::<f64>() / values().count() as f64, magnitude))
}

/// The value that stands when a bucket begins; `None` if that cannot be told from what was read.
fn carry(task: &CompactTask, known: &Known, after: &Known, begin: i64) -> Option<f64> {
    let until = known.points.partition_point(|(at, _)| *at < begin);
    let (at, _) = *known.points[..until].last()?;
    // A row that came meanwhile may be what stands.
    if !between(&after.points, at + 1, begin).is_empty() {
        return None;
    }
    let rolled = known
        .speaking()
        .into_iter()
        .find(|r| r.bucket <= at && at < r.bucket + r.length);
    if let Some(rollup) = rolled.filter(|_| task.mode == Mode::Mean) {
        return Some(rollup.last_value);
    }
    // Of several values at one time either may be the one that stands.
    match between(&known.points, at, at + 1) {
        [(_, Some(value))] if value.abs() <= SUMMED => Some(*value),
        _ => None,
    }
}

/// Whether a rollup says of a bucket what its rows said.
fn told(
    task: &CompactTask,
    own: &BucketRollup,
    rows: &[Point],
    carry: Option<f64>,
) -> Option<String> {
    let what = ends(own, rows);
    let Some(carry) = carry.filter(|_| what.is_none()) else {
        return what;
    };
    let (mut integral, mut stands, mut since) = (0.0, carry, own.bucket);
    let mut largest = carry.abs();
    for instant in rows.chunk_by(|a, b| a.0 == b.0) {
        integral += stands * (instant[0].0 - since) as f64;
        let (mean, magnitude) = instant_mean(instant)?;
        (stands, since) = (mean, instant[0].0);
        largest = largest.max(magnitude);
    }
    let end = own.bucket + own.length;
    integral += stands * (end - since) as f64;
    let (integral, seconds) = (
        integral / task.per_second as f64,
        own.length / task.per_second,
    );
    let allowed = TOLERANCE * largest * seconds as f64;
    ((integral - own.integral).abs() > allowed).then(|| {
        let (was, is) = (integral / seconds as f64, own.integral / seconds as f64);
        format!("the mean over time was {was}, the side table says {is}")
    })
}

#[cfg(test)]
mod tests;
