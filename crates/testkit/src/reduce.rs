//! Compaction once more, in plain Rust over one series in memory: what a store must be left with.
//! It shares no code with the engine.
//!
//! Whatever is kept is kept as it was stored: all rows of a time, in their order. A bucket is
//! touched only if it is sealed, that is, wholly older than the cutoff, and none of its rows is
//! NULL: a NULL is drawn as *unknown* until the next value, so no row beside it can be spared.

use std::collections::{BTreeMap, BTreeSet};

use elpis_maint_core::chart::Point;

/// Keeps of every sealed bucket of `bucket_s` seconds, aligned to 1970, the first, the smallest,
/// the largest and the last row, and all others of their times. Of several smallest or largest
/// the earliest is kept. Rows stay in storage order.
pub fn reference_envelope(points: &[Point], bucket_s: u32, cutoff: i64) -> Vec<Point> {
    keep(points, bucket_s, cutoff, envelope)
}

/// Keeps the envelope and, where the mean of the kept rows would be further than `limit` from
/// the mean of all, as a share of the bucket's range, rows at every k-th time as well, with the
/// largest power of two as k for which it is not.
///
/// A time's stride is the largest power of two that divides its place among the bucket's times,
/// counted from 0; that of the envelope's times is without bound. The rows of stride k or more
/// are those of every k-th time and the envelope, and each smaller k only adds to them.
pub fn reference_mean_shift(
    points: &[Point],
    bucket_s: u32,
    cutoff: i64,
    limit: f64,
) -> Vec<Point> {
    keep(points, bucket_s, cutoff, |rows| within(rows, limit))
}

/// Replaces every sealed bucket of more than one row by one row with their mean, in the bucket's
/// middle.
pub fn reference_mean(points: &[Point], bucket_s: u32, cutoff: i64) -> Vec<Point> {
    combine(points, bucket_s, cutoff, |rows| {
        let share = rows.len() as f64;
        rows.iter().map(|(_, value)| value / share).sum()
    })
}

/// The same with the sum, for series whose rows are counts.
pub fn reference_sum(points: &[Point], bucket_s: u32, cutoff: i64) -> Vec<Point> {
    combine(points, bucket_s, cutoff, |rows| {
        rows.iter().map(|(_, value)| value).sum()
    })
}

/// A row of a bucket without NULL.
type Row = (i64, f64);

/// The buckets that may be touched, by their begin: rows in the order of time.
fn sealed(points: &[Point], bucket_s: u32, cutoff: i64) -> BTreeMap<i64, Vec<Row>> {
    let length = i64::from(bucket_s);
    let mut buckets: BTreeMap<i64, Option<Vec<Row>>> = BTreeMap::new();
    for (at, value) in points {
        let begin = at.div_euclid(length) * length;
        if begin + length <= cutoff {
            let rows = buckets.entry(begin).or_insert_with(|| Some(Vec::new()));
            match (value, rows.as_mut()) {
                (Some(value), Some(rows)) => rows.push((*at, *value)),
                _ => *rows = None,
            }
        }
    }
    let whole = buckets
        .into_iter()
        .filter_map(|(begin, rows)| Some((begin, rows?)));
    whole
        .map(|(begin, mut rows)| {
            rows.sort_by_key(|(at, _)| *at);
            (begin, rows)
        })
        .collect()
}

fn keep(
    points: &[Point],
    bucket_s: u32,
    cutoff: i64,
    choose: impl Fn(&[Row]) -> BTreeSet<i64>,
) -> Vec<Point> {
    let length = i64::from(bucket_s);
    let buckets = sealed(points, bucket_s, cutoff);
    let kept: BTreeMap<i64, BTreeSet<i64>> = buckets
        .into_iter()
        .map(|(begin, rows)| (begin, choose(&rows)))
        .collect();
    let stays = |at: i64| {
        kept.get(&(at.div_euclid(length) * length))
            .is_none_or(|times| times.contains(&at))
    };
    points
        .iter()
        .copied()
        .filter(|(at, _)| stays(*at))
        .collect()
}

fn combine(
    points: &[Point],
    bucket_s: u32,
    cutoff: i64,
    value: impl Fn(&[Row]) -> f64,
) -> Vec<Point> {
    let length = i64::from(bucket_s);
    let mut buckets = sealed(points, bucket_s, cutoff);
    buckets.retain(|_, rows| rows.len() > 1);
    let untouched = |at: i64| !buckets.contains_key(&(at.div_euclid(length) * length));
    let mut left: Vec<Point> = points
        .iter()
        .copied()
        .filter(|(at, _)| untouched(*at))
        .collect();
    left.extend(
        buckets
            .iter()
            .map(|(begin, rows)| (begin + length / 2, Some(value(rows)))),
    );
    left
}

/// The times of the envelope.
fn envelope(rows: &[Row]) -> BTreeSet<i64> {
    let mut by_value = rows.to_vec();
    by_value.sort_by(|a, b| (a.1 + 0.0).total_cmp(&(b.1 + 0.0)));
    let smallest = by_value.first().map(|(at, _)| *at);
    by_value.sort_by(|a, b| (b.1 + 0.0).total_cmp(&(a.1 + 0.0)));
    let largest = by_value.first().map(|(at, _)| *at);
    let ends = [rows.first(), rows.last()].map(|row| row.map(|(at, _)| *at));
    ends.into_iter()
        .chain([smallest, largest])
        .flatten()
        .collect()
}

/// The times to keep so that the mean moves by `limit` of the range at most.
fn within(rows: &[Row], limit: f64) -> BTreeSet<i64> {
    let mut times: Vec<i64> = rows.iter().map(|(at, _)| *at).collect();
    times.dedup();
    let outline = envelope(rows);
    let stride = |place: usize| match times[place] {
        at if outline.contains(&at) => usize::MAX,
        _ => 1 << place.trailing_zeros(),
    };
    let kept_from = |k: usize| -> BTreeSet<i64> {
        let places = (0..times.len()).filter(|place| stride(*place) >= k);
        places.map(|place| times[place]).collect()
    };
    let shares = shares_of_range(rows);
    let mean = |kept: &BTreeSet<i64>| {
        let kept: Vec<f64> = shares
            .iter()
            .filter(|(at, _)| kept.contains(at))
            .map(|(_, share)| *share)
            .collect();
        kept.iter().sum::<f64>() / kept.len() as f64
    };
    let all = kept_from(1);
    let wanted = mean(&all);
    let mut k = usize::MAX;
    while k > 1 {
        let kept = kept_from(k);
        if (mean(&kept) - wanted).abs() <= limit {
            return kept;
        }
        k = match k {
            usize::MAX => times.len().next_power_of_two(),
            k => k / 2,
        };
    }
    all
}

/// The rows with the place of their values between the smallest (0) and the largest (1); all 0 if
/// all are the same. Halved before they are subtracted, so that nothing overflows.
fn shares_of_range(rows: &[Row]) -> Vec<Row> {
    let halves = || rows.iter().map(|(_, value)| value / 2.0);
    let min = halves().fold(f64::INFINITY, f64::min);
    let range = halves().fold(f64::NEG_INFINITY, f64::max) - min;
    let share = |value: f64| {
        if range > 0.0 {
            (value / 2.0 - min) / range
        } else {
            0.0
        }
    };
    rows.iter()
        .map(|(at, value)| (*at, share(*value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(values: &[f64]) -> Vec<Point> {
        let rows = values.iter().enumerate();
        rows.map(|(i, value)| (i as i64 * 10, Some(*value)))
            .collect()
    }

    fn values(points: &[Point]) -> Vec<f64> {
        points.iter().filter_map(|(_, value)| *value).collect()
    }

    #[test]
    fn the_envelope_is_first_smallest_largest_last() {
        let points = stored(&[5.0, 4.0, 1.0, 1.0, 9.0, 6.0, 9.0, 7.0]);
        assert_eq!(
            values(&reference_envelope(&points, 80, 80)),
            [5.0, 1.0, 9.0, 7.0]
        );
        assert_eq!(reference_envelope(&points, 80, 79), points, "not sealed");
        assert_eq!(reference_envelope(&points, 40, 80).len(), 3 + 3);
        let flat = stored(&[2.0; 8]);
        assert_eq!(reference_envelope(&flat, 80, 80), [flat[0], flat[7]]);
        let zeros = stored(&[0.0, -0.0, 0.0, -0.0]);
        assert_eq!(
            reference_envelope(&zeros, 80, 80).len(),
            2,
            "both zeros are one"
        );
    }

    #[test]
    fn a_time_is_kept_whole_and_a_bucket_with_null_too() {
        let tied = [
            (0, Some(1.0)),
            (5, Some(3.0)),
            (9, Some(2.0)),
            (5, Some(2.5)),
            (5, Some(3.0)),
            (7, Some(2.0)),
        ];
        let kept = reference_envelope(&tied, 10, 10);
        assert_eq!(kept, tied[..5], "7 s is no extreme");
        let null = [(0, Some(1.0)), (5, None), (6, Some(2.0)), (9, Some(1.0))];
        assert_eq!(reference_envelope(&null, 10, 10), null);
    }

    #[test]
    fn more_rows_are_kept_until_the_mean_is_right() {
        let mut spiky = vec![1.0; 256];
        (spiky[17], spiky[90]) = (1000.0, -500.0);
        let points = stored(&spiky);
        // The range is 1500, and no sum rounds.
        let mean =
            |points: &[Point]| values(points).iter().sum::<f64>() / points.len() as f64 / 1500.0;
        let mut fewer = usize::MAX;
        for limit in [0.0, 0.001, 0.01, 0.1, 1.0] {
            let kept = reference_mean_shift(&points, 2560, 2560, limit);
            assert!(
                (mean(&kept) - mean(&points)).abs() <= limit + 1e-12,
                "{limit}"
            );
            assert!(kept.len() <= fewer, "{limit}");
            fewer = kept.len();
        }
        assert_eq!(fewer, 4, "the envelope");
        assert_eq!(reference_mean_shift(&points, 2560, 2560, 0.0), points);
        assert!(reference_mean_shift(&points, 2560, 2560, 0.01).len() < 70);
    }

    #[test]
    fn a_flat_bucket_needs_no_more_rows() {
        let flat = stored(&[0.1; 300]);
        assert_eq!(reference_mean_shift(&flat, 3000, 3000, 0.0).len(), 2);
    }

    #[test]
    fn a_mean_is_one_row_and_a_sum_too() {
        let points = stored(&[1.0, 2.0, 6.0, 5.0]);
        assert_eq!(
            reference_mean(&points, 30, 30),
            [(30, Some(5.0)), (15, Some(3.0))]
        );
        assert_eq!(
            reference_sum(&points, 30, 30),
            [(30, Some(5.0)), (15, Some(9.0))]
        );
        assert_eq!(
            reference_mean(&points, 30, 60)[0],
            (30, Some(5.0)),
            "left as it is"
        );
    }
}
