//! One run per database, and a lock that lives and dies with the session that writes.

use std::sync::Arc;

use elpis_maint_core::{PurgeError, Store, StoreError};
use elpis_run::{MemoryJournal, Outcome};
use elpis_testkit::{Database, FaultStore, MariaDb, Recorder, Run, SqliteFile, plan, policy};

use crate::support::{expired, rule, run, runs, series, young};

fn lock_name(db: &MariaDb) -> String {
    format!("{}_elpis_maint", db.name())
}

#[tokio::test]
async fn a_second_run_is_refused_and_told_who_runs() {
    let db = MariaDb::new();
    series(&db, 1000);
    let (mut first, mut second) = (db.store().await, FaultStore::new(db.store().await));
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut first, true).await;
    assert_eq!(plan.locks, [lock_name(&db)]);
    first.lock(&plan.locks).await.unwrap();
    let mut refused = Run::new(100);
    let error = refused.on(&plan, &mut second).await.unwrap_err();
    let PurgeError::NotBegun(StoreError::LockHeld { name, holder }) = &error else {
        panic!("{error:?}");
    };
    let id = db.sql(&format!("SELECT IS_USED_LOCK('{name}');"));
    assert!(
        holder.contains(id.trim()) && holder.contains("root"),
        "{holder} is {id}"
    );
    assert!(!second.calls.contains(&"purge_chunk"));
    assert!(
        runs(&refused.journal).is_empty(),
        "a run that never began is not in the journal"
    );
    assert_eq!(expired(&db, "tagente_datos"), 500);
    first.unlock().await.unwrap();
    assert_eq!(run(&plan, &mut second, 100).await.unwrap().deleted(), 500);
    // It gave the lock back.
    first.lock(&plan.locks).await.unwrap();
}

/// One span of locks around several jobs, each of which takes and gives back its own.
#[tokio::test]
async fn locks_that_are_taken_twice_are_held_until_the_last_is_given_back() {
    let db = MariaDb::new();
    let (mut first, mut second) = (db.store().await, db.store().await);
    let names = [lock_name(&db), format!("{}_other", db.name())];
    first.lock(&names).await.unwrap();
    first.lock(&names[..1]).await.unwrap();
    first.unlock().await.unwrap();
    for name in &names {
        let held = second.lock(std::slice::from_ref(name)).await;
        assert!(matches!(held, Err(StoreError::LockHeld { .. })), "{name}");
    }
    first.unlock().await.unwrap();
    second.lock(&names).await.unwrap();
}

#[tokio::test]
async fn a_second_run_on_sqlite_is_refused_and_told_who_runs() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let (mut first, mut second) = (file.store(), file.store());
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut first, true).await;
    first.lock(&plan.locks).await.unwrap();
    let error = run(&plan, &mut second, 100).await.unwrap_err();
    let PurgeError::NotBegun(StoreError::LockHeld { holder, .. }) = &error else {
        panic!("{error:?}");
    };
    let pid = std::process::id().to_string();
    assert!(
        holder.contains(&pid) && holder.contains("elpis-test"),
        "{holder}"
    );
    assert_eq!(expired(&file, "tagente_datos"), 500);
    drop(first);
    assert_eq!(run(&plan, &mut second, 100).await.unwrap().deleted(), 500);
}

/// The operator's own names, all of them or none.
#[tokio::test]
async fn the_policy_names_the_locks() {
    let db = MariaDb::new();
    series(&db, 1000);
    let toml = format!(
        "locks = [\"{{database}}_a\", \"{{database}}_b\"]\n{}",
        rule("tagente_datos", "")
    );
    let (mut one, mut other) = (db.store().await, db.store().await);
    let plan = plan(&policy(&toml), &mut one, true).await;
    let (a, b) = (format!("{}_a", db.name()), format!("{}_b", db.name()));
    assert_eq!(plan.locks, [a.clone(), b.clone()]);
    other.lock(&[b]).await.unwrap();
    let error = run(&plan, &mut one, 100).await.unwrap_err();
    assert!(
        matches!(error, PurgeError::NotBegun(StoreError::LockHeld { .. })),
        "{error:?}"
    );
    assert_eq!(
        db.sql(&format!("SELECT IS_USED_LOCK('{a}');")).trim(),
        "NULL",
        "none of them"
    );
}

/// The lock's connection is the writing one: when it is killed, no further row goes.
#[tokio::test]
async fn a_killed_lock_connection_stops_the_run() {
    let db = MariaDb::new();
    let table = series(&db, 4000);
    let stays = young(&db, &table);
    let mut store = db.store().await;
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    let name = lock_name(&db);
    let killed = Recorder::after_chunks(3, || {
        let id = db.number(&format!("SELECT IS_USED_LOCK('{name}');"));
        db.sql(&format!("KILL {id};"));
    });
    let journal = Arc::new(MemoryJournal::new());
    let mut first = Run {
        observer: &killed,
        journal: journal.clone(),
        ..Run::new(100)
    };
    let error = first.on(&plan, &mut store).await.unwrap_err();
    let PurgeError::Stopped { report, source } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(source, StoreError::Lost { .. }), "{source:?}");
    assert_eq!((report.deleted(), killed.chunks()), (300, 3));
    assert_eq!(
        expired(&db, "tagente_datos"),
        1700,
        "nothing after the loss"
    );
    let ended = runs(&first.journal).remove(0).finished.unwrap().outcome;
    assert!(matches!(ended, Outcome::Failed { .. }), "{ended:?}");

    // The session stays lost; a new one completes the work.
    assert!(matches!(
        run(&plan, &mut store, 100).await,
        Err(PurgeError::NotBegun(_))
    ));
    let mut again = Run {
        journal,
        ..Run::new(100)
    };
    let report = again.on(&plan, &mut db.store().await).await.unwrap();
    assert_eq!(report.deleted(), 1700);
    assert_eq!(db.rows(&table).len(), stays.len());
    assert_eq!(
        elpis_testkit::multiset(db.rows(&table)),
        elpis_testkit::multiset(stays)
    );
}
