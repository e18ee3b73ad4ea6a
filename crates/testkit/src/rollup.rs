//! What a rollup table must say of a bucket, in plain Rust over one series in memory.

use std::collections::BTreeMap;

use elpis_maint_core::chart::Point;

/// The rows of one bucket, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    /// Rows, those with NULL included.
    pub count: u64,
    /// The sum of the values.
    pub sum: f64,
    /// The sum of their absolute values: what rounding is measured by.
    pub magnitude: f64,
    /// The smallest value; `None` if all are NULL.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
    /// The value of the first row.
    pub first: Option<f64>,
    /// The value of the last row.
    pub last: Option<f64>,
    /// Each value times the seconds that it stood in the bucket, the one carried into it
    /// included.
    pub integral: f64,
    /// The seconds in which a value stood: less than the bucket's length in a series' first
    /// bucket, and where a NULL stood.
    pub known_s: i64,
}

impl Rollup {
    /// The mean over time; `None` if no value stood.
    pub fn time_weighted_mean(&self) -> Option<f64> {
        (self.known_s > 0).then(|| self.integral / self.known_s as f64)
    }
}

/// The rollups of all sealed buckets that have rows, by their begin. Of several rows at one time
/// the last one stored stands. Silence, however long, does not end what stands.
pub fn reference_rollup(points: &[Point], bucket_s: u32, cutoff: i64) -> BTreeMap<i64, Rollup> {
    let length = i64::from(bucket_s);
    let mut points = points.to_vec();
    points.sort_by_key(|(at, _)| *at);
    let mut rollups = BTreeMap::new();
    let mut carried = None;
    for rows in points.chunk_by(|a, b| a.0.div_euclid(length) == b.0.div_euclid(length)) {
        let begin = rows[0].0.div_euclid(length) * length;
        if begin + length > cutoff {
            break;
        }
        let values = || rows.iter().filter_map(|(_, value)| *value);
        let (mut integral, mut known_s, mut since) = (0.0, 0, begin);
        for (at, value) in rows.iter().copied().chain([(begin + length, None)]) {
            if let Some(standing) = carried {
                integral += standing * (at - since) as f64;
                known_s += at - since;
            }
            (carried, since) = (value, at);
        }
        let last = rows[rows.len() - 1].1;
        carried = last;
        rollups.insert(
            begin,
            Rollup {
                count: rows.len() as u64,
                sum: values().sum(),
                magnitude: values().map(f64::abs).sum(),
                min: values().reduce(f64::min),
                max: values().reduce(f64::max),
                first: rows[0].1,
                last,
                integral,
                known_s,
            },
        );
    }
    rollups
}

#[cfg(test)]
mod tests {
    use elpis_maint_core::chart::Series;

    use super::*;
    use crate::{Defect, SeriesSpec, Shape};

    #[test]
    fn an_integral_is_what_stood_second_by_second() {
        let shapes = [Shape::Gauge, Shape::ChangeOnly, Shape::Negative];
        for (seed, shape) in shapes.into_iter().enumerate() {
            let mut spec = SeriesSpec::new(shape, seed as u64);
            spec.days = 2;
            spec = spec.with(Defect::SameTime).with(Defect::LateRows);
            let points = spec.points();
            let series = Series::new(points.iter().copied());
            let rollups = reference_rollup(&points, 3600, spec.end());
            assert!(!rollups.is_empty());
            for (begin, rollup) in rollups {
                let stood = (begin..begin + 3600).filter_map(|t| series.step_value_at(t));
                let (mut sum, mut seconds) = (0.0, 0);
                for value in stood {
                    sum += value;
                    seconds += 1;
                }
                assert_eq!(rollup.known_s, seconds);
                assert!((rollup.integral - sum).abs() <= 1e-9 * sum.abs().max(1.0));
                assert_eq!(rollup.last, series.step_value_at(begin + 3599));
                assert!(rollup.time_weighted_mean().is_some());
            }
        }
    }

    #[test]
    fn null_is_counted_and_does_not_stand() {
        let points = [(0, Some(4.0)), (5, None), (8, Some(-2.0)), (10, Some(1.0))];
        let rollups = reference_rollup(&points, 10, 20);
        let first = &rollups[&0];
        assert_eq!((first.count, first.sum, first.magnitude), (3, 2.0, 6.0));
        assert_eq!((first.integral, first.known_s), (16.0, 7));
        assert_eq!((first.first, first.last), (Some(4.0), Some(-2.0)));
        assert_eq!(reference_rollup(&points, 10, 19).len(), 1, "not sealed");
    }
}
