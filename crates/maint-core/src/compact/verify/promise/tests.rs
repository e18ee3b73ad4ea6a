use super::*;
use crate::compact::task::tests::task;

fn rows(points: &[(i64, f64)]) -> Vec<Point> {
    points
        .iter()
        .map(|(at, value)| (*at, Some(*value)))
        .collect()
}

fn all() -> Span {
    Span { from: 0, to: 7200 }
}

/// The loss of the only bucket that has one.
fn lost(before: &[Point], after: &[Point]) -> Option<String> {
    let losses = buckets(&task(), all(), &join(before, after)).losses;
    assert!(losses.len() <= 1, "{losses:?}");
    losses.into_iter().next().map(|(_, what)| what)
}

fn full() -> Vec<Point> {
    rows(&[
        (10, 5.0),
        (20, 1.0),
        (30, 6.0),
        (40, 9.0),
        (50, 6.0),
        (60, 5.0),
        (3700, 2.0),
    ])
}

fn thinned() -> Vec<Point> {
    rows(&[(10, 5.0), (20, 1.0), (40, 9.0), (60, 5.0), (3700, 2.0)])
}

#[test]
fn the_envelope_is_enough_and_nothing_of_it_can_be_missing() {
    assert_eq!(lost(&full(), &thinned()), None);
    for (place, what) in ["first", "smallest", "largest", "last", "all 1 rows"]
        .iter()
        .enumerate()
    {
        let mut after = thinned();
        after.remove(place);
        let lost = lost(&full(), &after).unwrap();
        assert!(lost.contains(what), "{lost}");
    }
}

#[test]
fn a_changed_value_is_a_loss_wherever_it_is_kept() {
    for place in 0..5 {
        for value in [5.5, 100.0, -100.0] {
            let mut after = thinned();
            after[place].1 = Some(value);
            assert!(lost(&full(), &after).is_some(), "row {place} as {value}");
        }
    }
}

#[test]
fn what_arrives_meanwhile_is_no_loss_and_takes_its_part() {
    let with = |more: &[(i64, Option<f64>)], less: &[i64]| {
        let mut after = thinned();
        after.retain(|(at, _)| !less.contains(at));
        after.extend(more);
        after.sort_by_key(|(at, _)| *at);
        lost(&full(), &after)
    };
    assert_eq!(with(&[(35, Some(6.0))], &[]), None, "in between");
    assert_eq!(with(&[(5, Some(6.0))], &[10]), None, "a new first row");
    assert_eq!(with(&[(35, Some(99.0))], &[40]), None, "a new peak");
    assert_eq!(
        with(&[(30, Some(99.0))], &[]),
        None,
        "at a time that was dropped"
    );
    assert_eq!(
        with(&[(10, Some(6.0))], &[]),
        None,
        "at a time that was kept"
    );
    assert_eq!(with(&[(10, Some(5.0))], &[]), None, "a duplicate");
    assert_eq!(with(&[(33, None)], &[]), None, "a NULL");
    assert_eq!(with(&[(4000, Some(1.0))], &[]), None, "in another bucket");
    assert!(
        with(&[(35, Some(6.0))], &[40]).is_some(),
        "the peak is gone all the same"
    );
}

#[test]
fn a_bucket_with_a_null_stays_as_it_is() {
    let mut before = full();
    before[2].1 = None;
    assert_eq!(lost(&before, &before), None);
    let mut after = before.clone();
    after.remove(4);
    assert!(lost(&before, &after).is_some());
}

#[test]
fn only_whole_buckets_are_judged() {
    let rows = join(&full(), &[]);
    let part = |from, to| buckets(&task(), Span { from, to }, &rows).checked;
    assert_eq!((part(0, 7200), part(0, 7199), part(1, 7200)), (2, 1, 1));
}

#[test]
fn the_mean_may_move_as_far_as_was_asked_for() {
    let mut task = task();
    let before = full();
    let after = rows(&[(10, 5.0), (20, 1.0), (40, 9.0), (60, 5.0), (3700, 2.0)]);
    // From 32/6 to 5, which is 1/24 of the range.
    for (limit, fits) in [(0.05, true), (0.04, false)] {
        task.max_mean_shift = Some(limit);
        let found = buckets(&task, all(), &join(&before, &after));
        assert_eq!((found.drifted == 0, found.losses), (fits, Vec::new()));
    }
}

#[test]
fn charts_tell_what_is_broken() {
    let day: Vec<Point> = (0..864).map(|i| (i * 100, Some((i % 7) as f64))).collect();
    let joined = |keep: fn(&Point) -> bool| {
        let after: Vec<Point> = day.iter().copied().filter(keep).collect();
        join(&day, &after)
    };
    let found = |rows: &Joined| {
        let charts = charts(&task(), rows, &[86_400], 86_400);
        assert_eq!(charts.len(), 2);
        charts.iter().find_map(broken)
    };
    assert_eq!(found(&joined(|_| true)), None);
    let (_, what) = found(&joined(|(at, _)| at % 3600 < 3500)).unwrap();
    assert!(what.contains("24: bucket ends"), "{what}");
    let (at, what) = found(&joined(|(at, _)| !(7200..10_800).contains(at))).unwrap();
    assert!(
        at == 7200 && what.contains("2: bucket ends"),
        "{at}: {what}"
    );
}

#[test]
fn milliseconds_are_seconds_a_thousand_times_as_fine() {
    let mut task = task();
    (task.per_second, task.bucket) = (1000, 3_600_000);
    let day: Vec<Point> = (0..864)
        .map(|i| (i * 100_000 + i % 3, Some((i % 7) as f64)))
        .collect();
    let charts = charts(&task, &join(&day, &day), &[86_400_000], 86_400_000);
    assert_eq!(charts[0].bucket_ends, 24);
    assert_eq!(charts[1].aligned.slices, 24);
    assert_eq!(charts.iter().find_map(broken), None);
}
