//! What a run leaves in its journal, also when it dies.

use std::sync::Arc;

use elpis_maint_core::{
    JOB, PurgeError, SqliteStore, Store, StoreError, TableReport, measured_rates,
};
use elpis_run::{Event, Journal, MemoryJournal, Outcome, RunId, SqliteJournal};
use elpis_testkit::{Database, FaultJournal, FaultStore, Run, SqliteFile, plan, policy, tables};
use tokio::sync::Notify;

use crate::support::{expired, fill_series, rule, runs, series};

const TABLES: [&str; 2] = ["tagente_datos", "tagente_datos_inc"];

fn two_tables() -> (SqliteFile, elpis_maint_core::Policy) {
    let file = SqliteFile::new();
    series(&file, 1000);
    let other = tables::tagente_datos().named(TABLES[1]);
    file.create(&other);
    fill_series(&file, &other, 1000);
    (file, policy(&(rule(TABLES[0], "") + &rule(TABLES[1], ""))))
}

fn events(journal: &dyn Journal, run: RunId) -> Vec<Event> {
    // A replay checks the order of the events.
    let history = journal.replay(run).unwrap();
    history
        .records
        .into_iter()
        .map(|record| record.event)
        .collect()
}

#[tokio::test]
async fn one_record_before_and_one_after_each_table() {
    let (file, policy) = two_tables();
    let mut store = file.store();
    let plan = plan(&policy, &mut store, true).await;
    let mut run = Run::new(100);
    let report = run.on(&plan, &mut store).await.unwrap();
    let found = runs(&run.journal);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].job.as_str(), &found[0].target),
        (JOB, &plan.target)
    );
    assert_eq!(found[0].finished.as_ref().unwrap().outcome, Outcome::Done);
    let history = run.journal.replay(report.run).unwrap();
    assert_eq!(history.plan, serde_json::to_value(&plan).unwrap());
    let events = events(&*run.journal, report.run);
    assert_eq!(
        events.len(),
        4,
        "one step a table, whatever the number of chunks"
    );
    for (pair, (table, done)) in events.chunks(2).zip(TABLES.iter().zip(&report.tables)) {
        let [
            Event::Intent { step, detail },
            Event::Done {
                step: after,
                detail: result,
            },
        ] = pair
        else {
            panic!("{pair:?}");
        };
        assert_eq!(step, after);
        assert!(step.contains(table), "{step}");
        assert_eq!(detail["cutoff"], crate::support::cutoff().to_string());
        let result: TableReport = serde_json::from_value(result.clone()).unwrap();
        assert_eq!(result, *done);
    }
}

/// An hourly run that finds nothing leaves what it found, and not 70 KB of what it meant.
#[tokio::test]
async fn a_run_that_changed_nothing_keeps_no_plan() {
    let (file, policy) = two_tables();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state").join("journal.db");
    let mut run = Run {
        journal: Arc::new(SqliteJournal::open(&path, None).unwrap()),
        ..Run::new(100)
    };
    let mut store = file.store();
    for _ in 0..2 {
        let plan = plan(&policy, &mut store, true).await;
        run.on(&plan, &mut store).await.unwrap();
    }
    let [idle, busy] = &runs(&run.journal)[..] else {
        panic!("two runs");
    };
    let of = |run_id| run.journal.replay(run_id).unwrap();
    assert!(of(busy.id).plan["tables"].is_array());
    assert!(of(idle.id).plan.is_null());
    assert_eq!(of(idle.id).records.len(), of(busy.id).records.len());
    assert_eq!(idle.finished.as_ref().unwrap().outcome, Outcome::Done);
}

#[tokio::test]
async fn a_failed_step_is_recorded_with_what_it_did() {
    let (file, policy) = two_tables();
    let mut store = FaultStore::new(file.store()).before_chunk(|chunk| {
        (chunk == 4).then(|| StoreError::Failed {
            doing: "a test".to_owned(),
            source: "the disk is full".into(),
        })
    });
    let plan = plan(&policy, &mut store, true).await;
    let mut run = Run::new(100);
    run.on(&plan, &mut store).await.unwrap_err();
    let found = runs(&run.journal).remove(0);
    let outcome = found.finished.unwrap().outcome;
    assert!(matches!(&outcome, Outcome::Failed { error } if error.contains("disk is full")));
    let events = events(&*run.journal, found.id);
    let [Event::Intent { .. }, Event::Failed { error, detail, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(error.contains("disk is full"), "{error}");
    assert_eq!(detail["deleted"], 300);
}

/// A store whose chunk of this number never ends, and what tells that it was reached.
fn dying(file: &SqliteFile, at: u64) -> (FaultStore<SqliteStore>, Arc<Notify>) {
    let reached = Arc::new(Notify::new());
    let here = Arc::clone(&reached);
    let store = FaultStore::new(file.store()).before_chunk(move |chunk| {
        if chunk == at {
            here.notify_one();
        }
        None
    });
    (store.hang_at(at), reached)
}

/// The process dies in the middle of a chunk; the next run closes its record and goes on.
#[tokio::test]
async fn a_crash_leaves_an_open_run_that_the_next_one_closes() {
    let (file, policy) = two_tables();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state").join("journal.db");
    let open = || -> Arc<dyn Journal> { Arc::new(SqliteJournal::open(&path, None).unwrap()) };

    let (mut store, reached) = dying(&file, 4);
    let plan = plan(&policy, &mut store, true).await;
    let mut run = Run {
        journal: open(),
        ..Run::new(100)
    };
    tokio::select! {
        ended = run.on(&plan, &mut store) => panic!("{ended:?}"),
        () = reached.notified() => {}
    }
    drop((run, store));
    let journal = open();
    let dead = runs(&journal).remove(0);
    assert_eq!(dead.finished, None);
    let state = journal.replay(dead.id).unwrap().state().unwrap();
    assert!(state.open_step().unwrap().contains(TABLES[0]));
    assert_eq!(expired(&file, TABLES[0]), 200);

    let mut next = Run {
        journal: Arc::clone(&journal),
        ..Run::new(100)
    };
    let report = next.on(&plan, &mut file.store()).await.unwrap();
    assert_eq!(report.deleted(), 200 + 500);
    let found = runs(&journal);
    let outcomes: Vec<Outcome> = found
        .iter()
        .map(|run| run.finished.clone().unwrap().outcome)
        .collect();
    assert_eq!(
        outcomes,
        [Outcome::Done, Outcome::Interrupted],
        "the newest first"
    );
    assert_eq!(expired(&file, TABLES[0]) + expired(&file, TABLES[1]), 0);
}

/// A run of another database is none of our business.
#[tokio::test]
async fn open_runs_of_other_targets_stay_open() {
    let journal = Arc::new(MemoryJournal::new());
    let (file, policy) = two_tables();
    let (other, _) = two_tables();
    let (mut hanging, reached) = dying(&other, 1);
    let elsewhere = plan(&policy, &mut hanging, true).await;
    let mut first = Run {
        journal: journal.clone(),
        ..Run::new(100)
    };
    tokio::select! {
        ended = first.on(&elsewhere, &mut hanging) => panic!("{ended:?}"),
        () = reached.notified() => {}
    }
    let mut store = file.store();
    let here = plan(&policy, &mut store, true).await;
    let mut second = Run {
        journal,
        ..Run::new(100)
    };
    second.on(&here, &mut store).await.unwrap();
    let found = runs(&second.journal);
    assert!(
        found[0].finished.is_some() && found[1].finished.is_none(),
        "{found:?}"
    );
}

/// What cannot be announced is not done: whichever write of the journal fails.
#[tokio::test]
async fn a_journal_that_fails_stops_the_run_before_the_next_table() {
    // create, intent, done, intent, done, finish
    for (writes, deleted) in [
        (0, [0, 0]),
        (1, [0, 0]),
        (2, [500, 0]),
        (3, [500, 0]),
        (4, [500, 500]),
        (5, [500, 500]),
    ] {
        let (file, policy) = two_tables();
        let mut store = FaultStore::new(file.store());
        let plan = plan(&policy, &mut store, true).await;
        let mut run = Run {
            journal: Arc::new(FaultJournal::after(writes)),
            ..Run::new(100)
        };
        let error = run.on(&plan, &mut store).await.unwrap_err();
        assert!(
            matches!(error, PurgeError::Journal(_)),
            "{error:?} after {writes} writes"
        );
        for (table, deleted) in TABLES.iter().zip(deleted) {
            assert_eq!(
                expired(&file, table),
                500 - deleted,
                "{table} after {writes} writes"
            );
        }
        assert_eq!(store.calls.last(), Some(&"unlock"));
        file.store().lock(&plan.locks).await.unwrap();
    }
}

/// The next plan's duration rests on what this run measured.
#[tokio::test]
async fn rates_are_measured_for_the_next_plan() {
    let file = SqliteFile::new();
    series(&file, 4000);
    let mut store = file.store();
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    assert!(!plan.tables[0].rate_measured);
    let mut run = Run {
        clock: Arc::new(elpis_run::RealClock::new()),
        ..Run::new(500)
    };
    let report = run.on(&plan, &mut store).await.unwrap();
    let rates = measured_rates(&*run.journal, &plan.target).unwrap();
    let measured = report.tables[0].rate().unwrap();
    assert!(
        (rates["tagente_datos"] - measured).abs() < 1.0,
        "{rates:?} is {measured}"
    );
    assert!(
        measured_rates(&*run.journal, "elsewhere")
            .unwrap()
            .is_empty()
    );
}
