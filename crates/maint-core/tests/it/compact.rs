//! Compaction on real databases, against the reduction in memory and the charts. 60 series;
//! `ELPIS_SOAK=1` makes it 1,000.

use std::collections::BTreeMap;

use elpis_maint_core::chart::Point;
use elpis_maint_core::compact::CompactReport;
use elpis_maint_core::{Kind, Kinds, SeriesStore};
use elpis_testkit::conformance::Fixture;
use elpis_testkit::{
    Charts, CompactRun, Database, Defect, MariaDb, Scenario, SeriesSpec, Shape, SqliteFile,
    compaction_policy, create_series, reference_envelope, reference_mean_shift, store_all_series,
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
    the_envelope_is_that_of_the_reference,
    what_the_incumbent_gets_wrong,
    rows_that_arrive_late_join_their_bucket,
    more_rows_are_kept_for_the_sake_of_the_mean,
    what_other_tables_except_stays_whatever_its_type,
    what_no_list_names_stays_and_the_plan_knows_it,
);

/// Rows in the order of time and value.
fn sorted(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a.partial_cmp(b).unwrap());
    points
}

/// Hard series by number; the numbers leave gaps.
fn hard_series(count: u64) -> BTreeMap<u64, SeriesSpec> {
    (0..count)
        .map(|seed| (seed * 7 + 3, SeriesSpec::of(seed)))
        .collect()
}

/// The same rows, in whatever order.
#[track_caller]
fn assert_rows(found: Vec<Point>, expected: Vec<Point>, context: &str) {
    let (found, expected) = (sorted(found), sorted(expected));
    let shorter = found.len().min(expected.len());
    let differ = found.iter().zip(&expected).position(|(a, b)| a != b);
    let at = differ.unwrap_or(shorter);
    let around = |rows: &[Point]| {
        let rows = rows.iter().skip(at.saturating_sub(3)).take(6);
        rows.copied().collect::<Vec<_>>()
    };
    assert!(
        differ.is_none() && found.len() == expected.len(),
        "{context}: {} rows instead of {}; first difference in {:?}, expected {:?}",
        found.len(),
        expected.len(),
        around(&found),
        around(&expected)
    );
}

/// Stores the series. Their rows as the client reads them back: not every one prints every digit.
fn store_all(on: &dyn Database, specs: &BTreeMap<u64, SeriesSpec>) -> BTreeMap<u64, Vec<Point>> {
    let all = specs.iter().map(|(id, spec)| (*id, spec.points()));
    store_all_series(on, &all.collect());
    rows_of(on, specs)
}

/// The rows of the series; none for a series that has none.
fn rows_of(on: &dyn Database, specs: &BTreeMap<u64, SeriesSpec>) -> BTreeMap<u64, Vec<Point>> {
    let mut stored = stored_all_series(on);
    let rows = |id: &u64| (*id, stored.remove(id).unwrap_or_default());
    specs.keys().map(rows).collect()
}

fn removed(report: &CompactReport) -> u64 {
    report.removed()
}

async fn the_envelope_is_that_of_the_reference<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    let soak = std::env::var_os("ELPIS_SOAK").is_some();
    let series = if soak { 1000 } else { 60 };
    for (i, (days, hours, rows)) in [(2, 1, 700), (5, 6, 90), (1, 24, 5000)]
        .into_iter()
        .enumerate()
    {
        if i > 0 {
            on.sql("DROP TABLE tagente_datos; DROP TABLE elpis_compaction;");
        }
        create_series(&on);
        let specs = hard_series(series);
        let before = store_all(&on, &specs);
        let (end, bucket_s) = (specs[&3].end(), hours * 3600);
        let policy = compaction_policy(&[(days, hours)], "");
        let mut store = Fixture::store(&mut on).await;
        let report = CompactRun::at(end, rows)
            .on(&policy, &mut store)
            .await
            .unwrap();
        let (mut gone, mut kept) = (0, 0);
        let all = rows_of(&on, &specs);
        for (id, spec) in &specs {
            let after = all[id].clone();
            let cutoff = end - i64::from(days) * DAY;
            let expected = reference_envelope(&before[id], bucket_s, cutoff);
            assert_rows(
                after.clone(),
                expected,
                &format!("{id}: {spec:?}, {hours} h"),
            );
            gone += before[id].len() - after.len();
            kept += after.len();
            let charts = Charts::of(&before[id], spec.interval, bucket_s);
            charts.assert_same(&after, end, &format!("{spec:?}"));
        }
        assert_eq!(removed(&report), gone as u64);
        assert!(gone * 4 > kept, "{gone} rows gone, {kept} kept");
        let again = CompactRun::at(end, rows)
            .on(&policy, &mut store)
            .await
            .unwrap();
        assert_eq!(removed(&again), 0, "{again:?}");
    }
}

async fn what_the_incumbent_gets_wrong<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    for scenario in Scenario::all(elpis_testkit::now().as_second()) {
        create_series(&on);
        // A policy knows no age of zero days.
        let days = scenario.older_than_days.max(1);
        let policy = compaction_policy(&[(days, scenario.bucket_s / 3600)], "");
        let mut store = Fixture::store(&mut on).await;
        let mut since = i64::MIN;
        for run in &scenario.runs {
            for (id, points) in &scenario.series {
                let arrived: Vec<Point> = points
                    .iter()
                    .copied()
                    .filter(|(at, _)| *at > since && at <= run)
                    .collect();
                if !arrived.is_empty() {
                    store_series(&on, *id, &arrived);
                }
            }
            since = *run;
            CompactRun::at(*run, 1000)
                .on(&policy, &mut store)
                .await
                .unwrap();
        }
        for (id, _) in &scenario.series {
            scenario.check(*id, &stored_series(&on, *id));
        }
        on.sql("DROP TABLE tagente_datos; DROP TABLE elpis_compaction;");
    }
}

async fn rows_that_arrive_late_join_their_bucket<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    create_series(&on);
    // A NULL that comes late is drawn as unknown until the next row that is kept; see the docs.
    let mut specs = hard_series(30);
    specs.retain(|_, spec| !spec.defects.contains(&Defect::Nulls));
    let end = specs[&3].end();
    let policy = compaction_policy(&[(1, 1), (8, 6)], "");
    let mut store = Fixture::store(&mut on).await;
    // Every third row comes when its bucket is sealed.
    let (mut early, mut late) = (BTreeMap::new(), BTreeMap::new());
    for (id, spec) in &specs {
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for (i, point) in spec.points().into_iter().enumerate() {
            if i % 3 == 1 {
                later.push(point);
            } else {
                now.push(point);
            }
        }
        early.insert(*id, now);
        late.insert(*id, later);
    }
    store_all_series(&on, &early);
    CompactRun::at(end, 500)
        .on(&policy, &mut store)
        .await
        .unwrap();
    store_all_series(&on, &late);
    let all = rows_of(&on, &specs);
    let report = CompactRun::at(end, 500)
        .on(&policy, &mut store)
        .await
        .unwrap();
    assert!(report.tiers.iter().any(|tier| tier.rechecked.removed > 0));
    let left = rows_of(&on, &specs);
    for (id, before) in &all {
        let after = left[id].clone();
        let charts = Charts::of(before, specs[id].interval, 6 * 3600);
        charts.assert_same(&after, end, &format!("{:?}", specs[id]));
        // At most four rows a bucket, or as few as can be.
        let buckets = |points: &[Point]| {
            let mut counts = BTreeMap::new();
            for (at, _) in points {
                *counts.entry(at / 3600).or_insert(0) += 1;
            }
            counts
        };
        let fewest = buckets(&reference_envelope(&after, 3600, end - DAY));
        for (bucket, rows) in buckets(&after) {
            assert!(rows <= 4 || rows == fewest[&bucket], "{rows} in {bucket}");
        }
    }
    let again = CompactRun::at(end, 500)
        .on(&policy, &mut store)
        .await
        .unwrap();
    assert_eq!(removed(&again), 0, "{again:?}");
}

async fn more_rows_are_kept_for_the_sake_of_the_mean<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    create_series(&on);
    let mut specs = hard_series(40);
    // Values whose sums overflow are left alone.
    specs.retain(|_, spec| spec.shape != Shape::Extreme && spec.days < 100);
    let before = store_all(&on, &specs);
    let (end, limit) = (specs[&3].end(), 0.03);
    let policy = compaction_policy(&[(1, 6)], &format!("max_mean_shift = {limit}"));
    let mut store = Fixture::store(&mut on).await;
    CompactRun::at(end, 800)
        .on(&policy, &mut store)
        .await
        .unwrap();
    let all = rows_of(&on, &specs);
    let (mut fewest, mut kept) = (0, 0);
    for (id, spec) in &specs {
        let (after, before) = (all[id].clone(), &before[id]);
        let expected = reference_mean_shift(before, 6 * 3600, end - DAY, limit);
        assert_rows(after.clone(), expected, &format!("{spec:?}"));
        fewest += reference_envelope(before, 6 * 3600, end - DAY).len();
        kept += after.len();
    }
    assert!(
        kept > fewest,
        "{kept} rows, the envelope alone has {fewest}"
    );
    // Thinned once, never again: the mean would drift. Rows that come late stay, too.
    store_series(
        &on,
        3,
        &[(end - 2 * DAY, Some(1.5)), (end - 2 * DAY + 1, Some(2.5))],
    );
    let again = CompactRun::at(end, 800)
        .on(&policy, &mut store)
        .await
        .unwrap();
    assert_eq!(removed(&again), 0, "{again:?}");
}

/// What is left alone: types that no list names, series without a type, series that a report
/// names, series with a mark in the table of types itself.
async fn what_other_tables_except_stays_whatever_its_type<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    create_series(&on);
    let specs = hard_series(6);
    let before = store_all(&on, &specs);
    on.sql(
        "CREATE TABLE modules (id BIGINT NOT NULL PRIMARY KEY, kind INT NOT NULL, kept INT NULL);\
         INSERT INTO modules VALUES (3, 1, NULL), (10, 4, 1), (17, 1, 1), (24, 1, 0), (31, 2, 1);\
         CREATE TABLE sla (n INT NOT NULL, module BIGINT NOT NULL);\
         INSERT INTO sla VALUES (1, 17), (2, 17), (3, 99);",
    );
    let kinds = "[compact.kinds]\ntable = \"modules\"\nkey = \"id\"\ncolumn = \"kind\"\n\
                 gauge = [1]\nrate = [4]\nexcept = [{ table = \"sla\", column = \"module\" }, \
                 { table = \"modules\", column = \"id\", where = [{ column = \"kept\", op = \"=\", \
                 value = 0 }] }]\n";
    let end = specs[&3].end();
    let policy = compaction_policy(&[(2, 1)], kinds);
    let mut store = Fixture::store(&mut on).await;
    let done = CompactRun::at(end, 700).on(&policy, &mut store).await;
    assert!(removed(&done.unwrap()) > 0);
    let after = rows_of(&on, &specs);
    for id in specs.keys() {
        let expected = match id {
            3 | 10 => reference_envelope(&before[id], 3600, end - 2 * DAY),
            _ => before[id].clone(),
        };
        assert_rows(after[id].clone(), expected, &format!("series {id}"));
    }
    on.sql("DROP TABLE sla;");
    let plan = CompactRun::at(end, 700).plan(&policy, &mut store).await;
    let refused = format!("{:?}", plan.refusals);
    assert!(
        refused.contains("sla") && refused.contains("does not exist"),
        "{refused}"
    );
}

/// Of a database that does not tell the kinds of its series.
async fn what_no_list_names_stays_and_the_plan_knows_it<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    create_series(&on);
    let specs = hard_series(8);
    let end = specs[&3].end();
    // Three even days, so that a sample of them is like all of them.
    let points = |id: u64| -> Vec<Point> {
        let value = |i: i64| Some((i * 7919 % (id as i64 + 11)) as f64);
        (0..3 * 720)
            .map(|i| (end - 6 * DAY + i * 120, value(i)))
            .collect()
    };
    store_all_series(&on, &specs.keys().map(|id| (*id, points(*id))).collect());
    let before = rows_of(&on, &specs);
    let mut policy = compaction_policy(&[(2, 1)], "");
    let of = |list: &[(i64, Kind)]| Kinds::Listed(list.iter().copied().collect());
    // One of them the envelope would hurt, and one is not there.
    let listed = [
        (3, Kind::Gauge),
        (10, Kind::Delta),
        (17, Kind::Rate),
        (999, Kind::Gauge),
    ];
    policy.series[0].kinds = of(&[]);
    let mut store = Fixture::store(&mut on).await;
    let plan = CompactRun::at(end, 700).plan(&policy, &mut store).await;
    let estimate = plan.tiers[0].estimate.as_ref().unwrap();
    assert_eq!(
        (estimate.kept_share, estimate.rows_after),
        (1.0, plan.due())
    );
    let all = CompactRun::at(end, 700)
        .plan(&compaction_policy(&[(2, 1)], ""), &mut store)
        .await;
    let every: Vec<(i64, Kind)> = specs.keys().map(|id| (*id as i64, Kind::Gauge)).collect();
    policy.series[0].kinds = of(&every);
    let plan = CompactRun::at(end, 700).plan(&policy, &mut store).await;
    assert!(plan.tiers[0].estimate.as_ref().unwrap().kept_share < 1.0);
    assert_eq!(plan.tiers[0].estimate, all.tiers[0].estimate);
    policy.series[0].kinds = of(&listed);
    let plan = CompactRun::at(end, 700).plan(&policy, &mut store).await;
    let written = serde_json::to_value(&plan.tiers[0].task.kinds).unwrap();
    assert_eq!(written, serde_json::json!({ "listed": { "series": 4 } }));

    let done = CompactRun::at(end, 700).on(&policy, &mut store).await;
    assert!(removed(&done.unwrap()) > 0);
    let after = rows_of(&on, &specs);
    for id in specs.keys() {
        let expected = match id {
            3 | 17 => reference_envelope(&before[id], 3600, end - 2 * DAY),
            _ => before[id].clone(),
        };
        assert_rows(after[id].clone(), expected, &format!("series {id}"));
    }
}
