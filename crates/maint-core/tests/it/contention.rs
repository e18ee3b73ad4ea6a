//! Somebody else holds a row that is to be deleted.

use std::time::Duration;

use elpis_mysql::{Params, Session, SessionSettings};
use elpis_testkit::{Database, MariaDb, plan, policy};

use crate::support::{expired, rule, run, series};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_waits_too_long_is_begun_again() {
    // Its own server: the waiting is seen by looking at all of the server's transactions.
    let server = MariaDb::own_server(&[]);
    let db = MariaDb::on(&server);
    series(&db, 1000);
    let mut store = db.store().await;
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    let mut other = Session::open(&db.options, &SessionSettings::default())
        .await
        .unwrap();
    other.begin().await.unwrap();
    let oldest = "SELECT utimestamp FROM tagente_datos ORDER BY utimestamp LIMIT 1 FOR UPDATE";
    other.rows::<i64>(oldest, Params::Empty).await.unwrap();

    let purge = tokio::spawn(async move { run(&plan, &mut store, 100).await });
    // The store waits three seconds for a lock; the second wait is that of the second try.
    let waits = "SELECT COALESCE(MAX(trx_wait_started), 0) FROM information_schema.innodb_trx;";
    let mut seen = std::collections::BTreeSet::new();
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    while seen.len() < 2 {
        let wait = db.sql(waits).trim().to_owned();
        if wait != "0" {
            seen.insert(wait);
        }
        if purge.is_finished() {
            panic!("ended before it could: {:?}", purge.await);
        }
        assert!(std::time::Instant::now() < patience, "waits: {seen:?}");
        // InnoDB renews this table only when nobody has read it for a tenth of a second.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    other.rollback().await.unwrap();
    let report = purge.await.unwrap().unwrap();
    assert_eq!(report.deleted(), 500);
    assert!(report.tables[0].retries >= 1, "{report:?}");
    assert_eq!(expired(&db, "tagente_datos"), 0);
}
