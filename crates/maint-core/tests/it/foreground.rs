//! A foreground client writes 200 rows a second, with late, present and future clocks, while a
//! purge goes on.

use std::sync::Arc;
use std::time::Duration;

use elpis_maint_core::Scalar;
use elpis_run::RealClock;
use elpis_testkit::{
    Database, MariaDb, Paced, Recorder, Run, Writer, multiset, plan, policy, tables,
};

use crate::support::{cutoff, expired, rule, series, young};

/// Seconds from the cutoff: far too late, just too late, the very cutoff, present, future.
const OFFSETS: [i64; 8] = [-5000, -1, -900, 0, 1, 2_592_000, 9_000_000, -3];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_young_is_touched_and_no_insert_fails() {
    let db = MariaDb::new();
    let table = series(&db, 40_000);
    let before = young(&db, &table);
    let policy = policy(&rule("tagente_datos", ""));
    let mut store = db.store().await;
    let plan = plan(&policy, &mut store, false).await;

    let writer = Writer::start(db.options.clone(), tables::tagente_datos(), 200, |number| {
        let time = cutoff() + OFFSETS[number as usize % OFFSETS.len()];
        // Every row has a number of its own, so that the recount knows each of them.
        let id = Scalar::Int(1_000_000 + number as i64);
        vec![
            Some(id),
            Some(Scalar::Int(number as i64)),
            Some(Scalar::Int(time)),
        ]
    });
    let recorder = Recorder::new();
    let mut run = Run {
        throttle: Box::new(Paced {
            rows: 100,
            pause: Duration::from_millis(5),
        }),
        clock: Arc::new(RealClock::new()),
        observer: &recorder,
        ..Run::new(100)
    };
    let report = run.on(&plan, &mut store).await.unwrap();
    let during = writer.count();
    let written = writer.finish();
    assert!(recorder.chunks() >= 200);
    assert!(
        during > 100,
        "the writer must have worked beside the purge: {during} rows"
    );
    assert_eq!(written.errors, [""; 0]);
    assert!(report.deleted() >= 20_000);

    let time = table.at("utimestamp");
    let is_young = |row: &&elpis_testkit::Row| row[time] >= Some(Scalar::Int(cutoff()));
    let mut expected = before;
    expected.extend(written.rows.iter().filter(is_young).cloned());
    assert_eq!(multiset(young(&db, &table)), multiset(expected.clone()));

    // What arrived late and expired is gone now or with the next run.
    Run::new(100).on(&plan, &mut store).await.unwrap();
    assert_eq!(expired(&db, "tagente_datos"), 0);
    assert_eq!(multiset(db.rows(&table)), multiset(expected));
}
