//! A few series of the demo database to look at, the hard ones among them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use super::charts::{modules, points};
use super::{DemoError, DemoSpec, connect, console_rules, module};
use crate::chart::{ChartRules, Difference, Point, Series, Window, compare};

const DAY: i64 = 86_400;

/// One series before and after a compaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhibit {
    /// Its name.
    pub name: String,
    /// What is to be seen.
    pub about: &'static str,
    /// The stretch of time to draw.
    pub window: Window,
    /// How it is drawn.
    pub rules: ChartRules,
    /// Its rows before.
    pub before: Series,
    /// Its rows after.
    pub after: Series,
    /// What one average a bucket would have left.
    pub average: Series,
    /// How the charts before and after differ.
    pub difference: Difference,
}

/// The series to look at, from two states of a demo database made by `spec`. `tiers` holds, finest
/// first, where each tier ends (epoch seconds) and the length of its buckets in seconds.
///
/// # Errors
/// [`DemoError`] if one of them is no demo database.
pub fn exhibits(
    (before, after): (&Path, &Path),
    spec: &DemoSpec,
    tiers: &[(i64, NonZeroU32)],
) -> Result<Vec<Exhibit>, DemoError> {
    let (mut before, mut after) = (connect(before)?, connect(after)?);
    let rules = console_rules(spec.interval_s());
    let end = spec.now.as_second() / DAY * DAY;
    let all = Window {
        start: end - i64::from(spec.days) * DAY * 3 / 4,
        end,
    };
    let longest = tiers.iter().map(|(_, length)| *length).max();
    let bucket = longest.unwrap_or(NonZeroU32::MIN);
    let names: BTreeMap<i64, String> = modules(&mut before)?
        .into_iter()
        .map(|(id, name, _)| (id, name))
        .collect();
    let mut exhibits = Vec::new();
    for (id, about, zoom) in module::exhibits(spec) {
        let (was, is) = (points(&mut before, id)?, points(&mut after, id)?);
        let average = Series::new(averaged(&was, tiers));
        let (was, is) = (Series::new(was), Series::new(is));
        let window = zoom.unwrap_or(all);
        exhibits.push(Exhibit {
            name: names.get(&id).cloned().unwrap_or_default(),
            about,
            window,
            difference: compare(&was, &is, &rules, window, bucket),
            rules: rules.clone(),
            before: was,
            after: is,
            average,
        });
    }
    Ok(exhibits)
}

/// One row with the mean for every bucket, at the time of its first row; rows younger than all
/// tiers stay.
fn averaged(rows: &[Point], tiers: &[(i64, NonZeroU32)]) -> Vec<Point> {
    let mut averaged = Vec::new();
    let mut bucket: Option<(i64, i64, f64, f64)> = None;
    let mean = |(_, at, sum, count): (i64, i64, f64, f64)| (at, Some(sum / count));
    for (at, value) in rows {
        // The coarsest tier that the row is old enough for.
        let tier = tiers.iter().rev().find(|(until, _)| at < until);
        let (Some((_, length)), Some(value)) = (tier, value) else {
            averaged.extend(bucket.take().map(mean));
            averaged.push((*at, *value));
            continue;
        };
        let start = at.div_euclid(length.get().into()) * i64::from(length.get());
        bucket = match bucket {
            Some((same, first, sum, count)) if same == start => {
                Some((same, first, sum + value, count + 1.0))
            }
            other => {
                averaged.extend(other.map(mean));
                Some((start, *at, *value, 1.0))
            }
        };
    }
    averaged.extend(bucket.map(mean));
    averaged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_rows_are_averaged_by_bucket_and_young_ones_stay() {
        let rows = [(0, 1.0), (1800, 3.0), (3600, 7.0), (7200, 5.0), (7300, 6.0)];
        let rows = rows.map(|(at, value)| (at, Some(value)));
        let hour = NonZeroU32::new(3600).unwrap();
        assert_eq!(
            averaged(&rows, &[(7200, hour)]),
            [
                (0, Some(2.0)),
                (3600, Some(7.0)),
                (7200, Some(5.0)),
                (7300, Some(6.0))
            ]
        );
        let two = NonZeroU32::new(7200).unwrap();
        let tiers = [(7200, hour), (3600, two)];
        assert_eq!(
            averaged(&rows, &tiers)[..2],
            [(0, Some(2.0)), (3600, Some(7.0))]
        );
    }
}
