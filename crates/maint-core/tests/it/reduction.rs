//! A reduction in memory that must keep the promise of compaction, beside others that must be
//! caught, and what the incumbent gets wrong.
//!
//! Seeds are fixed; `ELPIS_SOAK=1` makes 10,000 series instead of 1,000.

use elpis_maint_core::chart::{ChartRules, Point, Series, Window, draw};
use elpis_testkit::{
    Charts, Defect, Scenario, SeriesSpec, Shape, WINDOWS, generate, now, reference_envelope,
    reference_mean, reference_mean_shift, reference_sum, sliced_rules,
};
use fastrand::Rng;

const DAY: i64 = 86_400;
const BUCKETS: [u32; 4] = [1800, 3600, 6 * 3600, 24 * 3600];

/// The numbers of the series that are made.
pub(crate) fn seeds() -> std::ops::Range<u64> {
    let soak = std::env::var("ELPIS_SOAK").is_ok();
    0..if soak { 10_000 } else { 1000 }
}

/// A moment to look from, somewhere in the life of the series or at its end.
fn moment(spec: &SeriesSpec, rng: &mut Rng) -> i64 {
    match rng.u32(..4) {
        0 => spec.end(),
        _ => spec.end() - rng.i64(0..i64::from(spec.days) * DAY),
    }
}

/// A series, and how it is reduced.
struct Reduction {
    spec: SeriesSpec,
    points: Vec<Point>,
    bucket_s: u32,
    cutoff: i64,
    rng: Rng,
}

impl Reduction {
    fn of(seed: u64) -> Reduction {
        let mut rng = Rng::with_seed(!seed);
        let spec = SeriesSpec::of(seed);
        let points = spec.points();
        let bucket_s = BUCKETS[rng.usize(..BUCKETS.len())];
        let cutoff = moment(&spec, &mut rng);
        Reduction {
            spec,
            points,
            bucket_s,
            cutoff,
            rng,
        }
    }

    fn charts(&self) -> Charts {
        Charts::of(&self.points, self.spec.interval, self.bucket_s)
    }

    fn envelope(&self) -> Vec<Point> {
        reference_envelope(&self.points, self.bucket_s, self.cutoff)
    }
}

#[test]
fn the_envelope_leaves_the_charts_the_same() {
    let (mut before, mut left) = (0, 0);
    let (mut cut, mut cut_differ, mut largest) = ([0; 4], [0; 4], [0.0_f64; 4]);
    let (mut mean, mut mean_max, mut count) = ([0.0; 4], [0.0_f64; 4], 0.0);
    for seed in seeds() {
        let mut reduction = Reduction::of(seed);
        let after = reduction.envelope();
        before += reduction.points.len();
        left += after.len();
        let end = moment(&reduction.spec, &mut reduction.rng);
        let context = format!("{:?} older than {}", reduction.spec, reduction.cutoff);
        let differences = reduction.charts().assert_same(&after, end, &context);
        count += 1.0;
        for (i, difference) in differences[..WINDOWS.len()].iter().enumerate() {
            cut[i] += difference.cut.slices;
            cut_differ[i] += difference.cut.differ.count;
            largest[i] = largest[i].max(difference.cut.largest_relative);
            mean[i] += difference.mean_shift.mean_relative;
            mean_max[i] = mean_max[i].max(difference.mean_shift.max_relative);
        }
    }
    println!("{before} rows, {left} left");
    for (i, window) in WINDOWS.iter().enumerate() {
        println!(
            "{} days: {} of {} cut slices have another extreme, by {:.3} of the range at most; \
             means move by {:.4} of it on average and {:.3} at most",
            window / DAY,
            cut_differ[i],
            cut[i],
            largest[i],
            mean[i] / count,
            mean_max[i],
        );
    }
    assert!(left * 4 < before * 3, "something was compacted");
    assert!(cut_differ.iter().all(|n| *n > 0), "some slices cut buckets");
}

#[test]
fn a_second_run_changes_nothing_and_runs_add_up() {
    for seed in seeds().step_by(10) {
        let mut reduction = Reduction::of(seed);
        let once = reduction.envelope();
        let (bucket_s, cutoff) = (reduction.bucket_s, reduction.cutoff);
        let reduced = |points: &[Point], bucket_s, cutoff| {
            // No assert_eq: a failure would print thousands of rows.
            reference_envelope(points, bucket_s, cutoff) == once
        };
        assert!(
            reduced(&once, bucket_s, cutoff),
            "seed {seed}: a second run"
        );
        let earlier = moment(&reduction.spec, &mut reduction.rng).min(cutoff);
        let halfway = reference_envelope(&reduction.points, bucket_s, earlier);
        assert!(reduced(&halfway, bucket_s, cutoff), "seed {seed}: two runs");
        // A finer tier in between makes no difference either, unless a NULL keeps all rows of
        // the long bucket that it is in, but not those of the short ones beside.
        if reduction.points.iter().all(|(_, value)| value.is_some()) {
            let whole = cutoff.div_euclid(i64::from(bucket_s)) * i64::from(bucket_s);
            let finer = reference_envelope(&reduction.points, 900, whole);
            assert!(reduced(&finer, bucket_s, cutoff), "seed {seed}: two tiers");
        }
    }
}

#[test]
fn rows_that_come_late_are_merged() {
    for seed in seeds().step_by(10) {
        let mut reduction = Reduction::of(seed);
        let Some(late) = reduction.points.len().checked_div(20).filter(|n| *n > 0) else {
            continue;
        };
        let mut later = Vec::new();
        for _ in 0..late {
            let row = reduction
                .points
                .remove(reduction.rng.usize(..reduction.points.len()));
            // What a late NULL hides until the next row cannot be known once that row is gone.
            if row.1.is_some() {
                later.push(row);
            }
        }
        let mut stored = reduction.envelope();
        reduction.points.extend(&later);
        stored.extend(later);
        let after = reference_envelope(&stored, reduction.bucket_s, reduction.cutoff);
        let end = moment(&reduction.spec, &mut reduction.rng);
        let context = format!("{:?} older than {}", reduction.spec, reduction.cutoff);
        reduction.charts().assert_same(&after, end, &context);
    }
}

#[test]
fn the_mean_of_a_bucket_moves_less_than_the_limit() {
    let (mut rows, mut drawn) = ([0; 4], [0.0_f64; 4]);
    for seed in seeds().step_by(10) {
        let reduction = Reduction::of(seed);
        let (points, bucket_s, cutoff) = (&reduction.points, reduction.bucket_s, reduction.cutoff);
        // Slices that show their rows and nothing else.
        let rules = ChartRules {
            gap_s: None,
            start_point_in_first_slice: false,
            ..sliced_rules(reduction.spec.interval, bucket_s)
        };
        let end = cutoff.div_euclid(i64::from(bucket_s)) * i64::from(bucket_s);
        let window = Window {
            start: end - 40 * DAY,
            end,
        };
        let chart =
            |points: &[Point]| draw(&Series::new(points.iter().copied()), &rules, window).slices;
        let before = chart(points);
        for (i, limit) in [1.0, 0.05, 0.01, 0.0].into_iter().enumerate() {
            let after = reference_mean_shift(points, bucket_s, cutoff, limit);
            rows[i] += after.len();
            let context = format!("{:?}, limit {limit}", reduction.spec);
            let differences = reduction.charts().assert_same(&after, end, &context);
            // A slice of several buckets weighs each by its rows, of which some have fewer now.
            let shifts = differences.iter().map(|d| d.mean_shift.mean_relative);
            drawn[i] += shifts.sum::<f64>() / differences.len() as f64;
            for (a, b) in before.iter().zip(chart(&after)).filter(|(a, _)| !a.carried) {
                let (min, max) = (a.min.unwrap() / 2.0, a.max.unwrap() / 2.0);
                let shift = (a.mean.unwrap() / 2.0 - b.mean.unwrap() / 2.0).abs();
                let rounding = 1e-12 * min.abs().max(max.abs()) + 1e-315;
                assert!(
                    shift <= limit * (max - min) + rounding,
                    "{context}: {a:?} {b:?}"
                );
            }
        }
    }
    println!("rows left with limits of 1, 5 %, 1 %, 0: {rows:?}, shifts {drawn:?}");
    assert!(rows.is_sorted() && rows[0] * 5 < rows[3] * 4);
}

/// A gauge of 30 days in hours.
fn gauge() -> (Vec<Point>, Charts, i64) {
    let spec = SeriesSpec::new(Shape::Gauge, 1);
    let points = spec.points();
    let charts = Charts::of(&points, spec.interval, 3600);
    (points, charts, spec.end())
}

fn breaks(charts: &Charts, after: &[Point], end: i64) -> bool {
    let differences = charts.differences(after, end);
    !differences
        .iter()
        .all(|difference| difference.is_within_promise())
}

#[test]
fn what_breaks_the_promise_is_caught() {
    let (points, charts, end) = gauge();
    let envelope = reference_envelope(&points, 3600, end);
    assert!(!breaks(&charts, &envelope, end));
    assert!(
        breaks(&charts, &reference_mean(&points, 3600, end), end),
        "averages"
    );
    assert!(
        breaks(&charts, &reference_sum(&points, 3600, end), end),
        "sums"
    );
    let coarse = reference_envelope(&points, 7200, end);
    assert!(breaks(&charts, &coarse, end), "longer buckets than said");
    let shifted: Vec<Point> = points.iter().map(|(at, v)| (at + 1800, *v)).collect();
    let unaligned = reference_envelope(&shifted, 3600, end);
    let unaligned: Vec<Point> = unaligned.iter().map(|(at, v)| (at - 1800, *v)).collect();
    assert!(
        breaks(&charts, &unaligned, end),
        "buckets that are not aligned"
    );
    // In the last week slices are as long as buckets: no extreme and no last row can be spared.
    let hour = |place: usize| envelope.get(place).map(|(at, _)| at / 3600);
    let week = envelope.partition_point(|(at, _)| *at < end - 6 * DAY);
    let sealed = envelope.partition_point(|(at, _)| *at < end / 3600 * 3600);
    for place in (week..sealed).step_by(3) {
        let mut after = envelope.clone();
        after[place].1 = after[place].1.map(|value| value + 100.0);
        assert!(
            breaks(&charts, &after, end),
            "row {place} has another value"
        );
        // The first row of an hour is only needed after a hole and where a slice cuts the hour.
        if hour(place) == hour(place - 1) {
            let mut after = envelope.clone();
            after.remove(place);
            assert!(breaks(&charts, &after, end), "row {place} is gone");
        }
    }
}

#[test]
fn the_first_row_after_a_hole_is_needed() {
    let spec = SeriesSpec::new(Shape::Constant, 1).with(Defect::Holes);
    let points = spec.points();
    let charts = Charts::of(&points, spec.interval, 3600);
    let mut envelope = reference_envelope(&points, 3600, spec.end());
    assert!(!breaks(&charts, &envelope, spec.end()));
    let hole = envelope.windows(2).position(|w| w[1].0 - w[0].0 > 4 * DAY);
    envelope.remove(hole.unwrap() + 1);
    assert!(breaks(&charts, &envelope, spec.end()));
}

#[test]
fn buckets_longer_than_a_day_draw_false_holes() {
    let spec = SeriesSpec::new(Shape::Constant, 1);
    let points = spec.points();
    let charts = |bucket_s| Charts::of(&points, spec.interval, bucket_s);
    let reduced = |bucket_s| reference_envelope(&points, bucket_s, spec.end());
    let day = 24 * 3600;
    assert!(!breaks(&charts(day), &reduced(day), spec.end()));
    assert!(breaks(&charts(3 * day), &reduced(3 * day), spec.end()));
}

#[test]
fn order_among_rows_of_one_time_is_seen() {
    let spec = SeriesSpec::new(Shape::Gauge, 4).with(Defect::SameTime);
    let points = spec.points();
    let charts = Charts::of(&points, spec.interval, 3600);
    let mut swapped = points.clone();
    let differ = |i: &usize| points[*i].0 == points[i + 1].0 && points[*i].1 != points[i + 1].1;
    // The two are at an hour's end, where their order decides what stands.
    let at = (0..points.len() - 1).filter(differ);
    let mut found = 0;
    for i in at {
        swapped.swap(i, i + 1);
        let last_of_hour = points[i].0 / 3600 != points.get(i + 2).map_or(0, |next| next.0 / 3600);
        assert_eq!(
            breaks(&charts, &swapped, spec.end()),
            last_of_hour,
            "row {i}"
        );
        found += u32::from(last_of_hour);
        swapped.swap(i, i + 1);
    }
    assert!(found > 0);
}

/// The reference does what the stores will have to do.
fn scenario(letter: &str) -> Scenario {
    let all = Scenario::all(now().as_second());
    let mut found = all
        .into_iter()
        .filter(|scenario| scenario.name.starts_with(letter));
    let scenario = found.next().unwrap();
    for (number, points) in &scenario.series {
        let mut left: Vec<Point> = Vec::new();
        let mut stored = 0;
        for run in &scenario.runs {
            let until = points.partition_point(|(at, _)| at <= run);
            left.extend(&points[stored..until]);
            stored = until;
            left = reference_envelope(&left, scenario.bucket_s, scenario.cutoff_of(*run));
        }
        scenario.check(*number, &left);
    }
    scenario
}

/// What averages would have left of the first series.
fn averaged(scenario: &Scenario) -> Vec<Point> {
    reference_mean(&scenario.series[0].1, scenario.bucket_s, scenario.cutoff())
}

#[test]
fn scenario_a_thirty_days_without_a_gap() {
    let scenario = scenario("A");
    let (_, points) = &scenario.series[0];
    assert_eq!(points.len(), 8640);
    // The incumbent leaves 6,792 rows as it compacts 7 of the 23 days that are old enough.
    assert!(averaged(&scenario).len() < 2600);
}

#[test]
fn scenario_b_a_hole_of_two_hours() {
    assert_eq!(scenario("B").series[1].1.len(), 8616);
}

#[test]
fn scenario_c_a_hole_and_twelve_days_since_the_last_run() {
    scenario("C");
}

#[test]
fn scenario_d_beside_a_series_that_was_never_compacted() {
    scenario("D");
}

#[test]
fn scenario_e_change_only_keeps_its_peak() {
    let scenario = scenario("E");
    let (_, points) = &scenario.series[0];
    let averaged = averaged(&scenario);
    let values: Vec<f64> = averaged.iter().filter_map(|(_, value)| *value).collect();
    // As the incumbent: the peak is gone, and 40 stands for a day.
    assert!(
        values.contains(&40.0) && !values.contains(&100.0),
        "{values:?}"
    );
    let charts = Charts::of(points, 300, scenario.bucket_s);
    assert!(breaks(&charts, &averaged, scenario.runs[0]));
}

#[test]
fn scenario_f_few_series_with_any_numbers() {
    assert_eq!(scenario("F").series.len(), 5);
}

#[test]
fn a_delta_series_keeps_its_sum() {
    for seed in seeds()
        .step_by(10)
        .filter(|seed| !generate(*seed).is_empty())
    {
        let spec = SeriesSpec::new(Shape::Delta, seed);
        let points = spec.points();
        let sum = |points: &[Point]| points.iter().filter_map(|(_, v)| *v).sum::<f64>();
        let after = reference_sum(&points, 3600, spec.end());
        assert_eq!(sum(&after), sum(&points), "whole numbers add up exactly");
        assert!(after.len() * 10 < points.len());
    }
}
