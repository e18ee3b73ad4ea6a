//! The side table and the means that rest on it, against a second implementation in memory.

use std::collections::BTreeMap;

use elpis_maint_core::SeriesStore;
use elpis_maint_core::chart::Point;
use elpis_testkit::conformance::Fixture;
use elpis_testkit::{
    CompactRun, Database, Defect, Dialect, MariaDb, SeriesSpec, Shape, SqliteFile,
    compaction_policy, create_series, reference_envelope, reference_rollup, store_all_series,
    store_series, stored_all_series, stored_series,
};

const DAY: i64 = 86_400;

macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::SqliteFile::new()).await;
            })+
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::MariaDb::new()).await;
            })+
        }
    };
}

on_both!(
    a_mean_is_one_row_and_the_side_table_knows_the_rest,
    the_envelope_can_be_rolled_up_too,
    coarser_tiers_are_made_of_finer_ones,
    late_rows_are_weighed_once,
    deltas_keep_their_sum,
    weights_are_never_forgotten,
);

/// One row of the side table.
#[derive(Debug, Clone)]
struct Rolled {
    length: i64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    integral: f64,
    covered_s: f64,
    first: f64,
    last: f64,
    kept: u64,
    kept_sum: f64,
    drawn: Option<(i64, f64)>,
    approximate: bool,
}

/// The side table of one series, by bucket.
fn rolled(on: &dyn Database, series: u64) -> Vec<(i64, Rolled)> {
    let reals = [
        "value_sum",
        "value_min",
        "value_max",
        "integral",
        "covered_s",
        "first_value",
        "last_value",
        "kept_sum",
        "drawn_value",
    ];
    let reals = reals.map(|name| match on.dialect() {
        Dialect::MySql => name.to_owned(),
        Dialect::Sqlite => format!("quote({name})"),
    });
    let text = on.sql(&format!(
        "SELECT bucket, bucket_length, rows_count, kept, approximate, COALESCE(drawn_time, -1), {} \
         FROM elpis_rollup_tagente_datos WHERE series = {series} ORDER BY bucket, bucket_length;",
        reals.join(", ")
    ));
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let int = |i: usize| fields[i].parse::<i64>().unwrap();
        let real = |i: usize| fields[6 + i].parse::<f64>().unwrap();
        let drawn = (int(5) >= 0).then(|| (int(5), real(8)));
        let rolled = Rolled {
            length: int(1),
            count: int(2) as u64,
            sum: real(0),
            min: real(1),
            max: real(2),
            integral: real(3),
            covered_s: real(4),
            first: real(5),
            last: real(6),
            kept: int(3) as u64,
            kept_sum: real(7),
            drawn,
            approximate: int(4) == 1,
        };
        (int(0), rolled)
    };
    text.lines().map(parse).collect()
}

/// Series whose values the second implementation understands in the same way: of several values
/// at one time it takes another one.
fn specs(count: u64) -> BTreeMap<u64, SeriesSpec> {
    let all = (0..count).map(|seed| (seed * 7 + 3, SeriesSpec::of(seed)));
    let fits = |spec: &SeriesSpec| {
        !spec.defects.contains(&Defect::SameTime) && spec.shape != Shape::Extreme
    };
    all.filter(|(_, spec)| fits(spec)).collect()
}

fn store_all(on: &dyn Database, specs: &BTreeMap<u64, SeriesSpec>) -> BTreeMap<u64, Vec<Point>> {
    create_series(on);
    let all = specs.iter().map(|(id, spec)| (*id, spec.points()));
    store_all_series(on, &all.collect());
    let mut stored = stored_all_series(on);
    let rows = |id: &u64| (*id, stored.remove(id).unwrap_or_default());
    specs.keys().map(rows).collect()
}

fn close(found: f64, expected: f64, magnitude: f64, what: &str) {
    let allowed = 1e-9 * magnitude.max(1e-300);
    assert!(
        (found - expected).abs() <= allowed,
        "{what}: {found} instead of {expected}"
    );
}

/// Every row of the side table says what the second implementation says of its bucket.
fn check_rollups(before: &[Point], rolled: &[(i64, Rolled)], cutoff: i64, context: &str) {
    for (bucket, found) in rolled {
        let context = format!("{context}, bucket {bucket} of {} s", found.length);
        assert!(!found.approximate, "{context}");
        let all = reference_rollup(before, found.length as u32, cutoff);
        let expected = &all[bucket];
        assert_eq!(found.count, expected.count, "{context}");
        assert_eq!(
            (Some(found.min), Some(found.max)),
            (expected.min, expected.max),
            "{context}"
        );
        assert_eq!(
            (Some(found.first), Some(found.last)),
            (expected.first, expected.last),
            "{context}"
        );
        close(found.sum, expected.sum, expected.magnitude, &context);
        let largest = expected.min.unwrap().abs().max(expected.max.unwrap().abs());
        assert_eq!(found.covered_s, expected.known_s as f64, "{context}");
        let span = largest.max(1.0) * found.length as f64;
        close(found.integral, expected.integral, span, &context);
    }
}

async fn a_mean_is_one_row_and_the_side_table_knows_the_rest<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    let specs = specs(40);
    let before = store_all(&on, &specs);
    let end = SeriesSpec::of(0).end();
    let policy = compaction_policy(&[(1, 6)], "mode = \"mean\"");
    let mut store = Fixture::store(&mut on).await;
    let report = CompactRun::at(end, 900)
        .on(&policy, &mut store)
        .await
        .unwrap();
    let (length, mut gone) = (6 * 3600, 0);
    let all = stored_all_series(&on);
    for (id, spec) in &specs {
        let rolled = rolled(&on, *id);
        check_rollups(&before[id], &rolled, end - DAY, &format!("{spec:?}"));
        let rolled: BTreeMap<i64, Rolled> = rolled.into_iter().collect();
        let after = all.get(id).cloned().unwrap_or_default();
        gone += before[id].len() - after.len();
        // Whatever is in no rolled-up bucket is as it was.
        let outside = |points: &[Point]| {
            let mut points = points.to_vec();
            points.retain(|(at, _)| !rolled.contains_key(&(at / length * length)));
            points
        };
        assert_eq!(outside(&after), outside(&before[id]), "{spec:?}");
        for (bucket, rolled) in &rolled {
            let inside = |points: &[Point]| {
                let mut points = points.to_vec();
                points.retain(|(at, _)| at / length * length == *bucket);
                points
            };
            let rows = inside(&after);
            let [(at, Some(mean))] = rows[..] else {
                panic!("{rows:?} in {bucket} of {spec:?}");
            };
            let all = inside(&before[id]);
            let magnitude: f64 = all.iter().map(|(_, value)| value.unwrap().abs()).sum();
            close(
                mean,
                rolled.sum / rolled.count as f64,
                magnitude,
                "the mean",
            );
            assert_eq!(rolled.drawn, Some((at, mean)));
            assert_eq!((rolled.kept, rolled.kept_sum), (1, mean));
            assert!(
                all.iter().any(|(time, _)| *time == at),
                "a time that was there"
            );
        }
        // Sealed buckets with several rows that were not rolled up have a NULL.
        let mut left: BTreeMap<i64, Vec<Point>> = BTreeMap::new();
        for point in outside(&after) {
            left.entry(point.0 / length * length)
                .or_default()
                .push(point);
        }
        for (bucket, rows) in left {
            let null = rows.iter().any(|(_, value)| value.is_none());
            let lone = |at| rows.iter().filter(|(other, _)| *other == at).count() == 1;
            let anchored = rows.iter().any(|(at, _)| lone(*at));
            let sealed = bucket + length <= end - DAY;
            assert!(
                !sealed || rows.len() == 1 || null || !anchored,
                "{rows:?} of {spec:?}"
            );
        }
    }
    assert_eq!(report.removed(), gone as u64);
    let again = CompactRun::at(end, 900)
        .on(&policy, &mut store)
        .await
        .unwrap();
    assert_eq!(again.removed(), 0, "{again:?}");
}

async fn the_envelope_can_be_rolled_up_too<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    let specs = specs(30);
    let before = store_all(&on, &specs);
    let end = SeriesSpec::of(0).end();
    let policy = compaction_policy(&[(1, 1)], "rollup = true");
    let mut store = Fixture::store(&mut on).await;
    CompactRun::at(end, 400)
        .on(&policy, &mut store)
        .await
        .unwrap();
    let (all, mut rows) = (stored_all_series(&on), 0);
    for (id, spec) in &specs {
        let rolled = rolled(&on, *id);
        rows += rolled.len();
        check_rollups(&before[id], &rolled, end - DAY, &format!("{spec:?}"));
        let after = all.get(id).cloned().unwrap_or_default();
        let expected = reference_envelope(&before[id], 3600, end - DAY);
        assert_eq!(after.len(), expected.len(), "{spec:?}");
        for (bucket, rolled) in &rolled {
            let kept: Vec<f64> = after
                .iter()
                .filter(|(at, _)| at / 3600 * 3600 == *bucket)
                .map(|(_, value)| value.unwrap())
                .collect();
            assert_eq!(rolled.kept, kept.len() as u64);
            close(
                rolled.kept_sum,
                kept.iter().sum(),
                kept.iter().map(|value| value.abs()).sum(),
                "kept",
            );
            assert_eq!(rolled.drawn, None);
        }
    }
    assert!(rows > 100, "{rows} rows of the side table");
}

async fn coarser_tiers_are_made_of_finer_ones<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    for more in ["mode = \"mean\"", "rollup = true"] {
        let mut specs = specs(30);
        // A NULL leaves a finer bucket whole, which makes the coarser one whole as well.
        specs.retain(|_, spec| !spec.defects.contains(&Defect::Nulls) && spec.days <= 16);
        let before = store_all(&on, &specs);
        let end = SeriesSpec::of(0).end();
        let mut store = Fixture::store(&mut on).await;
        let policy = compaction_policy(&[(1, 1), (8, 6)], more);
        // Some days ago the finer tier took what the coarser one takes today.
        for now in [end - 5 * DAY, end] {
            CompactRun::at(now, 300)
                .on(&policy, &mut store)
                .await
                .unwrap();
        }
        let mut coarse = 0;
        for (id, spec) in &specs {
            let rolled = rolled(&on, *id);
            coarse += rolled
                .iter()
                .filter(|(_, rolled)| rolled.length > 3600)
                .count();
            check_rollups(
                &before[id],
                &rolled,
                end - DAY,
                &format!("{more}: {spec:?}"),
            );
        }
        assert!(coarse > 20, "{coarse} coarse buckets");
        on.sql(
            "DROP TABLE tagente_datos; DROP TABLE elpis_compaction; \
             DROP TABLE elpis_rollup_tagente_datos;",
        );
    }
}

/// Rows of the table and those that the side table stands for.
fn represented(on: &dyn Database) -> u64 {
    let rows = on.number("SELECT COUNT(*) FROM tagente_datos;");
    let more = "SELECT COALESCE(SUM(rows_count - kept), 0) FROM elpis_rollup_tagente_datos;";
    rows + on.number(more)
}

async fn late_rows_are_weighed_once<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    for more in ["mode = \"mean\"", "rollup = true"] {
        create_series(&on);
        let spec = SeriesSpec::new(Shape::Gauge, 7);
        let points = spec.points();
        let (end, cutoff) = (spec.end(), spec.end() - DAY);
        let late: Vec<Point> = points.iter().copied().skip(1).step_by(3).collect();
        let first: Vec<Point> = points
            .iter()
            .copied()
            .filter(|p| !late.contains(p))
            .collect();
        store_series(&on, 5, &first);
        let policy = compaction_policy(&[(1, 1)], more);
        let mut store = Fixture::store(&mut on).await;
        CompactRun::at(end, 100)
            .on(&policy, &mut store)
            .await
            .unwrap();
        let untouched = rolled(&on, 5);
        assert!(untouched.iter().all(|(_, rolled)| !rolled.approximate));
        store_series(&on, 5, &late);
        for _ in 0..2 {
            CompactRun::at(end, 100)
                .on(&policy, &mut store)
                .await
                .unwrap();
            assert_eq!(represented(&on), points.len() as u64, "{more}");
        }
        let expected = reference_rollup(&points, 3600, cutoff);
        let rolled = rolled(&on, 5);
        let mut checked = 0;
        for (bucket, found) in rolled.iter().filter(|(_, rolled)| rolled.approximate) {
            let expected = &expected[bucket];
            assert_eq!(found.count, expected.count, "{more}");
            close(found.sum, expected.sum, expected.magnitude, more);
            assert_eq!(
                (Some(found.min), Some(found.max)),
                (expected.min, expected.max)
            );
            if let Some((_, mean)) = found.drawn {
                close(
                    mean,
                    expected.sum / expected.count as f64,
                    expected.magnitude,
                    more,
                );
            }
            checked += 1;
        }
        assert!(checked > 600, "{checked} buckets with late rows, {more}");
        on.sql(
            "DROP TABLE tagente_datos; DROP TABLE elpis_compaction; \
             DROP TABLE elpis_rollup_tagente_datos;",
        );
    }
}

async fn deltas_keep_their_sum<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    create_series(&on);
    let spec = SeriesSpec::new(Shape::Delta, 3);
    let points = spec.points();
    store_series(&on, 1, &points);
    let policy = compaction_policy(&[(1, 1), (10, 24)], "mode = \"mean\"\nkind = \"delta\"");
    let mut store = Fixture::store(&mut on).await;
    for now in [spec.end() - 10 * DAY, spec.end()] {
        CompactRun::at(now, 1000)
            .on(&policy, &mut store)
            .await
            .unwrap();
    }
    let after = stored_series(&on, 1);
    assert!(after.len() * 4 < points.len(), "{} rows left", after.len());
    let by_day = |points: &[Point]| {
        let mut days: BTreeMap<i64, f64> = BTreeMap::new();
        for (at, value) in points {
            *days.entry(at / DAY).or_default() += value.unwrap();
        }
        days
    };
    // The counts are whole numbers, whose sums are exact.
    assert_eq!(by_day(&after), by_day(&points));
}

async fn weights_are_never_forgotten<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    let end = SeriesSpec::of(0).end();
    let (six_hours, one_hour) = ([(1, 6)], [(1, 1)]);
    let cases = [
        (
            "mode = \"mean\"",
            "mode = \"mean\"",
            "buckets of 6 h, which no tier has",
        ),
        (
            "rollup = true",
            "mode = \"mean\"",
            "buckets of 6 h, which no tier has",
        ),
        ("", "rollup = true", "buckets of 6 h without a side table"),
        ("", "mode = \"mean\"", "buckets of 6 h without a side table"),
    ];
    for (first, then, reason) in cases {
        store_all(&on, &specs(3));
        let mut store = Fixture::store(&mut on).await;
        let policy = compaction_policy(&six_hours, first);
        CompactRun::at(end, 300)
            .on(&policy, &mut store)
            .await
            .unwrap();
        let before = stored_all_series(&on);
        let policy = compaction_policy(&one_hour, then);
        let plan = CompactRun::at(end, 300).plan(&policy, &mut store).await;
        let refusals: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
        assert!(
            matches!(refusals.as_slice(), [one] if one.contains(reason)),
            "{first} then {then}: {refusals:?}"
        );
        assert!(
            CompactRun::at(end, 300)
                .on(&policy, &mut store)
                .await
                .is_err()
        );
        assert_eq!(stored_all_series(&on), before);
        // The envelope needs no weights: with it any length may come and go.
        let policy = compaction_policy(&one_hour, "");
        let plan = CompactRun::at(end, 300).plan(&policy, &mut store).await;
        assert_eq!(plan.refusals, []);
        on.sql(
            "DROP TABLE tagente_datos; DROP TABLE elpis_compaction; \
             DROP TABLE IF EXISTS elpis_rollup_tagente_datos;",
        );
    }
}
