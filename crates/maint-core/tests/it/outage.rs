//! The server or the network goes away in mid-run.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use elpis_maint_core::{MySqlStore, Plan, PurgeError, PurgeReport, StoreError};
use elpis_mysql::ConnectOptions;
use elpis_testkit::{
    Database, MariaDb, Proxy, Recorder, Row, Run, Table, multiset, plan, policy, server,
};

use crate::support::{expired, rule, run, series, young};

/// The error is a lost session; what was done until then.
fn lost(error: PurgeError) -> PurgeReport {
    let PurgeError::Stopped { report, source } = error else {
        panic!("{error:?}");
    };
    assert!(matches!(source, StoreError::Lost { .. }), "{source:?}");
    *report
}

/// A new session completes the work, and the recount is right.
async fn complete(db: &MariaDb, plan: &Plan, table: &Table, stays: Vec<Row>) {
    let left = expired(db, &table.name);
    let report = run(plan, &mut db.store().await, 100).await.unwrap();
    assert_eq!(report.deleted(), left);
    assert_eq!(multiset(db.rows(table)), multiset(stays));
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back() {
    let server = Mutex::new(MariaDb::own_server(&[]));
    let db = MariaDb::on(&server.lock().unwrap());
    let table = series(&db, 4000);
    let stays = young(&db, &table);
    let mut store = db.store().await;
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    // It is back before the run notices: a silent reconnect would go on without the lock.
    let killed = Recorder::after_chunks(5, || {
        let mut server = server.lock().unwrap();
        server.kill().unwrap();
        server.restart().unwrap();
    });
    let mut run = Run {
        observer: &killed,
        ..Run::new(100)
    };
    let report = lost(run.on(&plan, &mut store).await.unwrap_err());
    assert_eq!((report.deleted(), killed.chunks()), (500, 5));
    // What was acknowledged before is durable.
    assert_eq!(expired(&db, "tagente_datos"), 1500);
    complete(&db, &plan, &table, stays).await;
}

async fn through(proxy: &Proxy, db: &MariaDb) -> MySqlStore {
    let options = ConnectOptions {
        port: proxy.port(),
        database: db.options.database.clone(),
        ..server().tcp_options()
    };
    MySqlStore::connect(&options, Vec::new()).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_is_closed() {
    let (db, proxy) = (MariaDb::new(), Proxy::to(server().port()));
    let table = series(&db, 4000);
    let stays = young(&db, &table);
    let mut store = through(&proxy, &db).await;
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    let reset = Recorder::after_chunks(4, || proxy.reset());
    let mut run = Run {
        observer: &reset,
        ..Run::new(100)
    };
    let report = lost(run.on(&plan, &mut store).await.unwrap_err());
    assert_eq!(report.deleted(), 400);
    assert_eq!(expired(&db, "tagente_datos"), 1600);
    complete(&db, &plan, &table, stays).await;
}

/// A pulled cable: nobody says anything any more. The store's deadlines are 30 s for a statement
/// and 10 s of grace, so this test takes 40 s of waiting.
#[tokio::test]
async fn a_network_that_falls_silent() {
    let (db, proxy) = (MariaDb::new(), Proxy::to(server().port()));
    let table = series(&db, 4000);
    let stays = young(&db, &table);
    let mut store = through(&proxy, &db).await;
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    let cut = Recorder::after_chunks(4, || proxy.cut());
    let mut run = Run {
        observer: &cut,
        ..Run::new(100)
    };
    let begun = Instant::now();
    let report = lost(run.on(&plan, &mut store).await.unwrap_err());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(report.deleted(), 400);
    // The statement that got no answer was never sent through: no row more than reported is gone.
    assert_eq!(expired(&db, "tagente_datos"), 1600);
    // The server still holds the session and its lock; only now does it learn better.
    proxy.reset();
    let mut waited = 0;
    while db
        .sql(&format!("SELECT IS_USED_LOCK('{}');", plan.locks[0]))
        .trim()
        != "NULL"
    {
        waited += 1;
        assert!(waited < 1000, "the lock of a closed connection");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    complete(&db, &plan, &table, stays).await;
}
