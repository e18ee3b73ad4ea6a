use super::*;
use crate::compact::task::tests::task;

fn points(values: &[(i64, f64)]) -> Vec<Point> {
    values
        .iter()
        .map(|(at, value)| (*at, Some(*value)))
        .collect()
}

/// Before, with a value carried in; after, in `envelope` mode; and what is said of it.
fn bucket() -> (Known, Known) {
    let before = points(&[
        (3500, 2.0),
        (3700, 5.0),
        (4000, 1.0),
        (4300, 9.0),
        (4600, 6.0),
        (5200, 6.0),
        (6000, 4.0),
    ]);
    let after = points(&[
        (3500, 2.0),
        (3700, 5.0),
        (4000, 1.0),
        (4300, 9.0),
        (6000, 4.0),
    ]);
    let integral = 2.0 * 100.0 + 5.0 * 300.0 + 300.0 + 9.0 * 300.0 + 6.0 * 1400.0 + 4.0 * 1200.0;
    let rollup = BucketRollup {
        bucket: 3600,
        length: 3600,
        rows: 6,
        sum: 31.0,
        min: 1.0,
        max: 9.0,
        integral,
        first_time: 3700,
        first_value: 5.0,
        last_time: 6000,
        last_value: 4.0,
        kept: 4,
        kept_sum: 19.0,
        drawn: None,
        approximate: false,
    };
    let before = Known {
        points: before,
        rollups: Vec::new(),
    };
    let after = Known {
        points: after,
        rollups: vec![rollup],
    };
    (before, after)
}

fn wrong(mode: Mode, before: &Known, after: &Known) -> Option<String> {
    let task = CompactTask {
        mode,
        rollup: true,
        ..task()
    };
    let (rolled, mut wrong) = discrepancies(&task, Span { from: 0, to: 7200 }, before, after);
    assert_eq!(rolled, 1);
    wrong.pop().map(|(begin, what)| {
        assert_eq!(begin, 3600);
        what
    })
}

#[test]
fn a_true_side_table_is_found_so_and_every_lie_in_it() {
    let (before, after) = bucket();
    assert_eq!(wrong(Mode::Envelope, &before, &after), None);
    let lies: [fn(&mut BucketRollup); 10] = [
        |r| r.rows -= 1,
        |r| r.sum += 1e-3,
        |r| r.min = 2.0,
        |r| r.max = 8.0,
        |r| r.integral *= 1.0 + 1e-6,
        |r| r.first_time += 1,
        |r| r.last_time -= 1,
        |r| r.first_value = 5.5,
        |r| r.last_value = 0.0,
        |r| r.kept_sum = 18.0,
    ];
    for (i, lie) in lies.iter().enumerate() {
        let mut after = after.clone();
        lie(&mut after.rollups[0]);
        assert!(wrong(Mode::Envelope, &before, &after).is_some(), "lie {i}");
    }
    for place in 1..5 {
        let mut gone = after.clone();
        gone.points.remove(place);
        assert!(
            wrong(Mode::Envelope, &before, &gone).is_some(),
            "row {place}"
        );
        let mut changed = after.clone();
        changed.points[place].1 = Some(5.1);
        assert!(
            wrong(Mode::Envelope, &before, &changed).is_some(),
            "row {place}"
        );
    }
}

#[test]
fn a_mean_carries_what_the_side_table_says() {
    let (before, mut after) = bucket();
    after.points = points(&[(3500, 2.0), (3700, 31.0 / 6.0)]);
    let rollup = &mut after.rollups[0];
    (rollup.kept, rollup.kept_sum) = (1, 31.0 / 6.0);
    rollup.drawn = Some((3700, 31.0 / 6.0));
    assert_eq!(wrong(Mode::Mean, &before, &after), None);
    let mut changed = after.clone();
    changed.points[1].1 = Some(5.0);
    assert!(wrong(Mode::Mean, &before, &changed).is_some());
    after.rollups[0].drawn = Some((3700, 5.0));
    after.points[1].1 = Some(5.0);
    assert!(wrong(Mode::Mean, &before, &after).is_some(), "not the mean");
}

#[test]
fn late_rows_are_no_loss() {
    let (before, mut after) = bucket();
    after.points.push((6100, Some(70.0)));
    assert_eq!(
        wrong(Mode::Envelope, &before, &after),
        None,
        "not yet taken in"
    );
    let (before, mut after) = bucket();
    let rollup = &mut after.rollups[0];
    rollup.rows += 3;
    rollup.sum += 100.0;
    rollup.approximate = true;
    assert_eq!(wrong(Mode::Envelope, &before, &after), None, "taken in");
    let (before, mut after) = bucket();
    // Another value stands when the bucket begins than the one that was read.
    after.points.insert(1, (3550, Some(3.0)));
    after.rollups[0].integral += 50.0;
    assert_eq!(
        wrong(Mode::Envelope, &before, &after),
        None,
        "in the bucket before"
    );
}

#[test]
fn a_longer_bucket_speaks_for_the_shorter_ones_in_it() {
    let (_, after) = bucket();
    let hour = after.rollups[0].clone();
    let day = BucketRollup {
        bucket: 0,
        length: 86_400,
        ..hour.clone()
    };
    let next = BucketRollup {
        bucket: 86_400,
        ..hour.clone()
    };
    let known = Known {
        points: Vec::new(),
        rollups: vec![day.clone(), hour, next.clone()],
    };
    assert_eq!(known.speaking(), [&day, &next]);
}
