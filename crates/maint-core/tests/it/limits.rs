//! Bounds of a run, and the ways to end it early: always between two chunks.

use std::sync::Arc;
use std::time::Duration;

use elpis_maint_core::store::Count;
use elpis_maint_core::{AdaptiveThrottle, Ended, Limits, PurgeError, PurgeEvent, ThrottleRules};
use elpis_run::{Clock, Load, Outcome, VirtualClock};
use elpis_testkit::{
    Database, FaultStore, Paced, Recorder, Run, SqliteFile, now, plan, policy, tables,
};

use crate::support::{expired, fill_series, rule, run, runs, series};

#[tokio::test]
async fn max_rows_holds_to_the_row_and_over_all_tables() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let other = tables::tagente_datos().named("tagente_datos_inc");
    file.create(&other);
    fill_series(&file, &other, 1000);
    let mut store = file.store();
    let policy = policy(&(rule("tagente_datos", "") + &rule("tagente_datos_inc", "")));
    let plan = plan(&policy, &mut store, false).await;
    for (max_rows, left) in [(150, 850), (407, 443), (1, 442)] {
        let mut bounded = Run {
            limits: Limits {
                max_rows: Some(max_rows),
                ..Limits::default()
            },
            ..Run::new(100)
        };
        let report = bounded.on(&plan, &mut store).await.unwrap();
        assert_eq!(report.deleted(), max_rows);
        assert!(matches!(&report.ended, Ended::Limit { why } if why.contains("row limit")));
        let outcome = runs(&bounded.journal).remove(0).finished.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Partial { .. }), "{outcome:?}");
        let found = expired(&file, "tagente_datos") + expired(&file, "tagente_datos_inc");
        assert_eq!(found, left);
    }
    // The next run without a bound goes on.
    assert_eq!(run(&plan, &mut store, 100).await.unwrap().deleted(), 442);
}

#[tokio::test]
async fn max_time_begins_no_chunk_after_it() {
    let file = SqliteFile::new();
    series(&file, 2000);
    let mut store = file.store();
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, false).await;
    let mut bounded = Run {
        // On the virtual clock a chunk takes no time and a pause ten seconds.
        throttle: Box::new(Paced {
            rows: 10,
            pause: Duration::from_secs(10),
        }),
        limits: Limits {
            max_time: Some(Duration::from_secs(95)),
            ..Limits::default()
        },
        ..Run::new(10)
    };
    let report = bounded.on(&plan, &mut store).await.unwrap();
    assert!(matches!(&report.ended, Ended::Limit { why } if why.contains("time limit")));
    // Chunks at 10, 20, ... 90 s; the one whose pause ends at 100 s begins after the limit.
    assert!(
        (90..=100).contains(&report.deleted()),
        "{}",
        report.deleted()
    );
    assert_eq!(expired(&file, "tagente_datos"), 1000 - report.deleted());
}

/// "No chunk begins after this long": not even when the pause before it ends too late.
#[tokio::test]
async fn max_time_counts_the_pause() {
    let file = SqliteFile::new();
    series(&file, 2000);
    let mut store = file.store();
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, false).await;
    let clock = Arc::new(VirtualClock::new(now()));
    let begun = clock.monotonic();
    let late = Recorder::with(|event| {
        if let PurgeEvent::Chunk { .. } = event {
            let after = clock.monotonic() - begun;
            assert!(
                after < Duration::from_secs(95),
                "a chunk began after {after:?}"
            );
        }
    });
    let mut bounded = Run {
        throttle: Box::new(Paced {
            rows: 10,
            pause: Duration::from_secs(10),
        }),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        observer: &late,
        limits: Limits {
            max_time: Some(Duration::from_secs(95)),
            ..Limits::default()
        },
        ..Run::new(10)
    };
    bounded.on(&plan, &mut store).await.unwrap();
}

#[tokio::test]
async fn a_stop_ends_the_run_between_two_chunks() {
    let file = SqliteFile::new();
    series(&file, 2000);
    let mut store = file.store();
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, false).await;
    let run = Run::new(100);
    let stop = run.stop.clone();
    let stopping = Recorder::after_chunks(3, move || stop.stop());
    let mut run = Run {
        observer: &stopping,
        ..run
    };
    let report = run.on(&plan, &mut store).await.unwrap();
    assert_eq!(
        (report.ended.clone(), report.deleted()),
        (Ended::Interrupted, 300)
    );
    assert!(!report.tables[0].complete);
    assert_eq!(expired(&file, "tagente_datos"), 700);
    assert!(matches!(stopping.events().last(), Some(PurgeEvent::Finished(r)) if *r == report));
}

#[tokio::test]
async fn a_critical_load_stops_the_run() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let mut store = FaultStore::new(file.store()).under(Load {
        threads_running: Some(101),
        ..Load::default()
    });
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, false).await;
    let mut run = Run {
        throttle: Box::new(AdaptiveThrottle::new(ThrottleRules::default())),
        ..Run::new(1)
    };
    let report = run.on(&plan, &mut store).await.unwrap();
    assert!(
        matches!(&report.ended, Ended::Critical { why } if why.contains("101")),
        "{report:?}"
    );
    assert_eq!(
        (report.deleted(), expired(&file, "tagente_datos")),
        (0, 500)
    );
}

/// Estimates let the run begin; what it really deletes is capped all the same.
#[tokio::test]
async fn the_share_caps_a_run_whose_estimates_were_wrong() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let claimed = (Count::estimated(1000), Count::estimated(10));
    let mut store = FaultStore::new(file.store()).claim(claimed.0, claimed.1);
    let policy = policy(&rule("tagente_datos", "").replace("1.0", "0.2"));
    let plan = plan(&policy, &mut store, false).await;
    assert_eq!(plan.refusals, []);
    let report = run(&plan, &mut store, 30).await.unwrap();
    let ended = Ended::ShareReached {
        table: "tagente_datos".to_owned(),
    };
    assert_eq!(report.ended, ended);
    // A fifth of the claimed rows, with the margin that estimates get, and not one more.
    assert_eq!((report.deleted(), plan.tables[0].row_limit), (250, 250));
    assert_eq!(expired(&file, "tagente_datos"), 250);
}

/// A run never counts and never inspects again.
#[tokio::test]
async fn a_run_does_not_count_first() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let mut store = FaultStore::new(file.store());
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, false).await;
    store.calls.clear();
    run(&plan, &mut store, 100).await.unwrap();
    assert_eq!(store.calls[0], "lock");
    assert_eq!(store.calls.last(), Some(&"unlock"));
    for verb in ["count_chunk", "estimate", "nth_newest"] {
        assert!(!store.calls.contains(&verb), "{:?}", store.calls);
    }
}

/// Whatever the row limit, an error is an error.
#[tokio::test]
async fn a_store_that_fails_in_the_middle() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let mut store = FaultStore::new(file.store()).before_chunk(|chunk| {
        (chunk == 3).then(|| elpis_maint_core::StoreError::Failed {
            doing: "a test".to_owned(),
            source: "the disk is full".into(),
        })
    });
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, false).await;
    let error = run(&plan, &mut store, 100).await.unwrap_err();
    let PurgeError::Stopped { report, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(&report.ended, Ended::Failed { error } if error.contains("disk is full")));
    assert_eq!(
        (report.deleted(), expired(&file, "tagente_datos")),
        (200, 300)
    );
    assert_eq!(store.calls.last(), Some(&"unlock"));
    assert_eq!(
        run(&plan, &mut file.store(), 100).await.unwrap().deleted(),
        300
    );
}
