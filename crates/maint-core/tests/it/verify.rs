//! Verification on real databases: it passes where the promise is kept, and finds what is done
//! behind the engine's back.

use std::sync::Mutex;

use elpis_maint_core::chart::Point;
use elpis_maint_core::compact::{
    CompactEvent, CompactReport, Verification, Verify, verify_rollups,
};
use elpis_maint_core::{Ended, SeriesStore};
use elpis_run::{FnObserver, Outcome, StopToken, VirtualClock};
use elpis_testkit::conformance::Fixture;
use elpis_testkit::{
    CompactRun, Database, MariaDb, SeriesSpec, Shape, SqliteFile, compaction_policy, create_series,
    store_series, stored_series,
};
use fastrand::Rng;

const DAY: i64 = 86_400;
/// The series that is tampered with.
const SERIES: u64 = 7;

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
    what_was_done_as_promised_passes,
    what_is_done_behind_our_back_is_found,
    rows_that_arrive_meanwhile_do_not_matter,
    the_table_is_held_against_the_side_table,
    nothing_to_verify_against_is_said_so,
);

/// The settings of a rule that verification has to know about.
const RULES: [&str; 4] = [
    "",
    "rollup = true",
    "max_mean_shift = 0.03",
    "mode = \"mean\"",
];

fn fresh(on: &dyn Database) {
    on.sql(
        "DROP TABLE IF EXISTS tagente_datos; DROP TABLE IF EXISTS elpis_compaction; \
         DROP TABLE IF EXISTS elpis_rollup_tagente_datos;",
    );
    create_series(on);
}

fn verified(report: &CompactReport) -> &Verification {
    report.verified.as_ref().expect("a verification")
}

async fn what_was_done_as_promised_passes<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    for more in RULES {
        fresh(&on);
        for seed in 0..40 {
            let spec = SeriesSpec::of(seed);
            let points = if spec.days <= 16 {
                spec.points()
            } else {
                Vec::new()
            };
            if !points.is_empty() {
                store_series(&on, seed * 7 + 3, &points);
            }
        }
        let end = SeriesSpec::of(0).end();
        let policy = compaction_policy(&[(1, 1), (8, 6)], more);
        let mut store = Fixture::store(&mut on).await;
        let mut seen = Verification::default();
        // The last one has late rows to take in, and nothing else.
        for now in [end - 6 * DAY, end, end] {
            let report = CompactRun::at(now, 700)
                .on(&policy, &mut store)
                .await
                .unwrap();
            assert_eq!(report.ended, Ended::Done, "{more}");
            let Some(found) = report.verified else {
                // Rows that come late stay where the mean has a limit.
                assert!(more.contains("max_mean_shift") && now == end);
                continue;
            };
            assert!(
                found.within_promise && found.failed == 0,
                "{more}: {found:?}"
            );
            assert_eq!(found.lost.is_some(), more.contains("mean\""), "{more}");
            assert!((1..=16).contains(&found.series) && found.charts > 0);
            assert!(found.points_before <= found.series * 20_000);
            if now == end {
                let late = [(end - 3 * DAY, Some(1.25)), (end - 20 * DAY, Some(-3.0))];
                store_series(&on, 3, &late);
            }
            seen = found;
        }
        assert!(
            seen.rollups > 0 || !more.contains("mode"),
            "{more}: {seen:?}"
        );
        assert!(
            seen.buckets > 0 || more.contains("mode"),
            "{more}: {seen:?}"
        );
    }
}

/// A kept row in the middle of time that is in front of, behind and between others of its hour,
/// or as large as none of them.
fn target(points: &[Point], which: &str) -> Point {
    let hours = points.chunk_by(|a, b| a.0 / 3600 == b.0 / 3600);
    let sealed = hours.filter(|rows| rows.len() == 4 && rows[0].0 % DAY < 20 * 3600);
    let hours: Vec<&[Point]> = sealed.collect();
    let rows = hours[hours.len() / 2];
    let peak = rows[1..3]
        .iter()
        .max_by(|a, b| a.1.partial_cmp(&b.1).unwrap())
        .unwrap();
    match which {
        "first" => rows[0],
        "last" => rows[3],
        _ => *peak,
    }
}

/// What somebody does to the table, by name; the row it is about.
fn tamper(on: &dyn Database, how: &str) -> i64 {
    let points = stored_series(on, SERIES);
    let which = how.split(' ').next().unwrap();
    let (at, value) = target(&points, which);
    let row = format!("WHERE id_agente_modulo = {SERIES} AND utimestamp = {at}");
    let hour = at / 3600 * 3600;
    match how.split(' ').nth(1).unwrap() {
        "deleted" => on.sql(&format!("DELETE FROM tagente_datos {row};")),
        "changed" => {
            let value = value.unwrap() + 0.5;
            on.sql(&format!(
                "UPDATE tagente_datos SET datos = {value:e} {row};"
            ))
        }
        _ => on.sql(&format!(
            "DELETE FROM tagente_datos WHERE id_agente_modulo = {SERIES} \
             AND utimestamp >= {hour} AND utimestamp < {hour} + 3600;"
        )),
    };
    at
}

const TAMPERINGS: [&str; 6] = [
    "peak deleted",
    "peak changed",
    "first changed",
    "last deleted",
    "last changed",
    "peak bucket",
];

async fn what_is_done_behind_our_back_is_found<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    let spec = SeriesSpec::new(Shape::Gauge, 3);
    for (i, how) in TAMPERINGS.into_iter().enumerate() {
        fresh(&on);
        store_series(&on, SERIES, &spec.points());
        store_series(&on, 12, &SeriesSpec::new(Shape::Gauge, 4).points());
        let more = ["", "rollup = true"][i % 2];
        let policy = compaction_policy(&[(1, 1)], more);
        let mut store = Fixture::store(&mut on).await;
        let tampered = Mutex::new(None);
        let observer = FnObserver(|event: &CompactEvent| {
            if let CompactEvent::Slab { until, .. } = event
                && *until > spec.end() - 2 * DAY
            {
                tampered
                    .lock()
                    .unwrap()
                    .get_or_insert_with(|| tamper(&on, how));
            }
        });
        let mut run = CompactRun::at(spec.end(), 5000);
        run.observer = &observer;
        let journal = std::sync::Arc::clone(&run.journal);
        let report = run.on(&policy, &mut store).await.unwrap();
        let at = tampered.lock().unwrap().unwrap();
        let Ended::NotVerified { why } = &report.ended else {
            panic!("{how}: {:?}", report.verified);
        };
        assert!(why.contains("tagente_datos, series 7"), "{how}: {why}");
        let found = verified(&report);
        assert!(!found.within_promise && found.failed > 0);
        assert!(
            found.failures.iter().all(|failure| failure.series == 7),
            "{how}: {found:?}"
        );
        let bucket = found
            .failures
            .iter()
            .find(|f| f.span.to - f.span.from == 3600);
        let bucket = bucket.unwrap_or_else(|| panic!("{how}: {found:?}"));
        assert_eq!(bucket.span.from, at / 3600 * 3600, "{how}");
        let finish = journal
            .replay(report.run)
            .unwrap()
            .summary
            .finished
            .unwrap();
        assert!(matches!(finish.outcome, Outcome::Warnings { .. }), "{how}");
    }
}

async fn rows_that_arrive_meanwhile_do_not_matter<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    let spec = SeriesSpec::new(Shape::Gauge, 9);
    let end = spec.end();
    for more in RULES {
        fresh(&on);
        let points = spec.points();
        for series in [3, SERIES, 40] {
            store_series(&on, series, &points);
        }
        let policy = compaction_policy(&[(1, 1), (9, 6)], more);
        let mut store = Fixture::store(&mut on).await;
        let late = Mutex::new((Rng::with_seed(4), 0));
        // After every chunk some rows come late, in time that is compacted and in time that will
        // be: between others, as the first or last of their bucket, as its extreme, twice.
        let observer = FnObserver(|event: &CompactEvent| {
            if !matches!(event, CompactEvent::Compacted { .. }) {
                return;
            }
            let mut late = late.lock().unwrap();
            let rows: Vec<Point> = (0..6)
                .map(|i| {
                    let (at, value) = points[late.0.usize(..points.len())];
                    let value = value.unwrap();
                    match i {
                        0 => (at, Some(value)),
                        1 => (at + 1, None),
                        2 => (at + 7, Some(value + 500.0)),
                        3 => (at / 3600 * 3600, Some(value)),
                        4 => (at / 3600 * 3600 + 3599, Some(value - 1.0)),
                        _ => (at, Some(value + 1.0)),
                    }
                })
                // A mean takes a NULL for a reason to leave its bucket alone.
                .collect();
            late.1 += rows.len();
            store_series(&on, SERIES, &rows);
        });
        let mut run = CompactRun::at(end, 900);
        run.observer = &observer;
        for _ in 0..2 {
            let report = run.on(&policy, &mut store).await.unwrap();
            assert_eq!(report.ended, Ended::Done, "{more}: {:?}", report.verified);
        }
        assert!(late.lock().unwrap().1 > 100, "{more}");
    }
}

async fn the_table_is_held_against_the_side_table<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    let spec = SeriesSpec::new(Shape::Gauge, 3);
    for more in ["rollup = true", "mode = \"mean\""] {
        for how in [None].into_iter().chain(TAMPERINGS.map(Some)) {
            if more.contains("mean") && how.is_some_and(|how| !how.starts_with("peak")) {
                continue;
            }
            fresh(&on);
            store_series(&on, SERIES, &spec.points());
            let policy = compaction_policy(&[(1, 1), (20, 6)], more);
            let mut store = Fixture::store(&mut on).await;
            CompactRun::at(spec.end(), 5000)
                .on(&policy, &mut store)
                .await
                .unwrap();
            let at = match how {
                None => {
                    // Late rows that no run has taken in yet.
                    store_series(&on, SERIES, &[(spec.end() - 5 * DAY, Some(1000.0))]);
                    None
                }
                Some(how) if more.contains("mean") => Some(tamper_mean(&on, how)),
                Some(how) => Some(tamper(&on, how)),
            };
            let run = CompactRun::at(spec.end(), 5000);
            let plan = run.plan(&policy, &mut store).await;
            let clock = VirtualClock::new(run.now);
            let found = verify_rollups(&plan, &mut store, &clock, &StopToken::new()).await;
            let found = found.unwrap();
            assert_eq!((found.series, found.charts), (1, 0));
            assert!(found.rollups > 300, "{found:?}");
            let Some(at) = at else {
                assert!(found.within_promise, "{more}: {found:?}");
                continue;
            };
            let [failure] = &found.failures[..] else {
                panic!("{more}, {how:?}: {found:?}");
            };
            assert_eq!(
                (failure.table.as_str(), failure.series),
                ("tagente_datos", 7)
            );
            assert!(
                failure.span.from <= at && at < failure.span.to,
                "{more}, {how:?}"
            );
        }
    }
}

/// The same where every bucket has one row.
fn tamper_mean(on: &dyn Database, how: &str) -> i64 {
    let points = stored_series(on, SERIES);
    let (at, value) = points[points.len() / 2];
    let row = format!("WHERE id_agente_modulo = {SERIES} AND utimestamp = {at}");
    on.sql(&match (how, value) {
        ("peak changed", Some(value)) => {
            format!("UPDATE tagente_datos SET datos = {:e} {row};", value + 0.5)
        }
        _ => format!("DELETE FROM tagente_datos {row};"),
    });
    at
}

async fn nothing_to_verify_against_is_said_so<F>(mut on: F)
where
    F: Fixture<Store: SeriesStore> + Database,
{
    create_series(&on);
    let spec = SeriesSpec::new(Shape::Gauge, 3);
    store_series(&on, SERIES, &spec.points());
    let mut store = Fixture::store(&mut on).await;
    for more in ["", "rollup = true"] {
        let policy = compaction_policy(&[(1, 1)], more);
        let run = CompactRun::at(spec.end(), 5000);
        let plan = run.plan(&policy, &mut store).await;
        let clock = VirtualClock::new(run.now);
        let found = verify_rollups(&plan, &mut store, &clock, &StopToken::new()).await;
        assert_eq!(found.unwrap().rollups, 0);
    }
    // A run without anything to do reads nothing twice.
    let policy = compaction_policy(&[(3000, 1)], "");
    let report = CompactRun::at(spec.end(), 100)
        .on(&policy, &mut store)
        .await
        .unwrap();
    assert_eq!(report.verified, None);
    let mut run = CompactRun::at(spec.end(), 5000);
    run.verify = Verify::Nothing;
    let report = run
        .on(&compaction_policy(&[(1, 1)], ""), &mut store)
        .await
        .unwrap();
    assert_eq!(report.verified, None);
    assert!(report.removed() > 0);
}
