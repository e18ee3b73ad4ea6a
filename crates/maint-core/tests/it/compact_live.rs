//! Compaction beside writers that insert into the very buckets being compacted, on MariaDB.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use elpis_maint_core::chart::Point;
use elpis_mysql::{ConnectOptions, Params, Session, SessionSettings};
use elpis_testkit::{
    Charts, CompactRun, Database, MariaDb, SeriesSpec, Shape, compaction_policy, create_series,
    reference_envelope, server, store_all_series, stored_all_series, stored_series,
};

const DAY: i64 = 86_400;

async fn session(on: &MariaDb) -> Session {
    let options = ConnectOptions {
        database: Some(on.name().to_owned()),
        ..server().options()
    };
    Session::open(&options, &SessionSettings::default())
        .await
        .unwrap()
}

/// A gauge of a week, by number of the series.
fn gauges(count: u64) -> BTreeMap<u64, Vec<Point>> {
    (1..=count)
        .map(|id| {
            let mut spec = SeriesSpec::new(Shape::Gauge, id);
            spec.days = 7;
            (id, spec.points())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_committed_at_the_very_time_of_a_doomed_one_stays() {
    let on = MariaDb::new();
    create_series(&on);
    let all = gauges(1);
    store_all_series(&on, &all);
    let end = SeriesSpec::of(0).end();
    let kept = reference_envelope(&all[&1], 3600, end - DAY);
    let doomed = all[&1].iter().find(|row| !kept.contains(row)).unwrap();
    // A late row at the time of one that will go; nobody but its writer sees it yet.
    let mut writer = session(&on).await;
    writer.begin().await.unwrap();
    let late = format!("INSERT INTO tagente_datos VALUES (1, 1000, {})", doomed.0);
    writer.execute(&late, Params::Empty).await.unwrap();
    let mut store = on.store().await;
    let policy = compaction_policy(&[(1, 1)], "");
    let mut compaction = CompactRun::at(end, 10_000);
    let run = compaction.on(&policy, &mut store);
    // It waits for the writer, because it locks what it reads.
    let mut watch = session(&on).await;
    let waits = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let commit = async {
        while watch.first::<u64>(waits, Params::Empty).await.unwrap() != Some(1) {
            // InnoDB shows nothing new to those who ask more often than every 100 ms.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        writer.commit().await.unwrap();
    };
    let (report, ()) = tokio::join!(run, commit);
    let report = report.unwrap();
    assert!(report.removed() > 0);
    let after = stored_series(&on, 1);
    assert!(
        after.contains(&(doomed.0, Some(1000.0))),
        "the late row is gone"
    );
    let mut union = all[&1].clone();
    union.push((doomed.0, Some(1000.0)));
    Charts::of(&union, 300, 3600).assert_same(&after, end, "with the late row");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_beside_writers_of_old_rows() {
    let on = MariaDb::new();
    create_series(&on);
    let all = gauges(12);
    store_all_series(&on, &all);
    let end = SeriesSpec::of(0).end();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for seed in 0..2 {
        let (mut writer, stop) = (session(&on).await, stop.clone());
        writers.push(tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut written: Vec<(u64, Point)> = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let series = rng.u64(1..=12);
                let at = end - DAY - rng.i64(0..6 * DAY);
                // Every other one lies outside the envelope of its bucket.
                let value = if rng.bool() { 500.0 } else { 20.0 } + rng.f64();
                let sql = format!("INSERT INTO tagente_datos VALUES ({series}, {value:e}, {at})");
                // A deadlock or lock wait is the writer's to retry; what was not acknowledged
                // was not written.
                if writer.execute(&sql, Params::Empty).await.is_ok() {
                    written.push((series, (at, Some(value))));
                }
            }
            written
        }));
    }
    let policy = compaction_policy(&[(1, 1), (4, 6)], "");
    let mut store = on.store().await;
    let mut removed = 0;
    for _ in 0..3 {
        let report = CompactRun::at(end, 60)
            .on(&policy, &mut store)
            .await
            .unwrap();
        removed += report.removed();
    }
    stop.store(true, Ordering::Relaxed);
    let mut union = all.clone();
    let mut late = 0;
    for writer in writers {
        for (series, row) in writer.await.unwrap() {
            union.get_mut(&series).unwrap().push(row);
            late += 1;
        }
    }
    assert!(late > 100, "the writers wrote {late} rows");
    removed += CompactRun::at(end, 60)
        .on(&policy, &mut store)
        .await
        .unwrap()
        .removed();
    let after = stored_all_series(&on);
    let left: usize = after.values().map(Vec::len).sum();
    let rows: usize = union.values().map(Vec::len).sum();
    assert_eq!(
        rows as u64,
        left as u64 + removed,
        "the database's count and ours"
    );
    for (series, before) in &union {
        Charts::of(before, 300, 6 * 3600).assert_same(&after[series], end, "beside writers");
    }
    assert!(on.number("SELECT COUNT(*) FROM tagente_datos;") < rows as u64 / 2);
}
