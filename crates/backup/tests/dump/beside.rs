//! Beside others: limits on load, and replicas.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use elpis_backup::{DumpControl, DumpEvent, DumpLimits, DumpPolicy, DumpThrottle};
use elpis_mysql::{LoadProbe, Params, PrivateServer};
use elpis_run::FnObserver;

use crate::endings::{bulk, slow};
use crate::{database, dump_with, open, policy, run};

/// Beside statements of others the dump waits, and goes on when they are gone; its own readers do
/// not count, though they wait in the middle of a statement.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_load_counts_others_only() {
    let server = PrivateServer::builder()
        .arg("--log-bin=bin")
        .start()
        .unwrap();
    let options = server.options();
    bulk(&options, "busy").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        let mut session = open(&options).await;
        others.push(tokio::spawn(async move {
            run(&mut session, "DO SLEEP(3)").await;
        }));
    }
    let (held, heard) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
    let observer = FnObserver({
        let held = held.clone();
        move |event: &DumpEvent| {
            if let DumpEvent::Held { why } = event {
                held.lock().unwrap().push(why.clone());
            }
        }
    });
    let control = DumpControl {
        observer: Arc::new(observer),
        throttle: Some(DumpThrottle {
            throttle: Box::new(DumpLimits {
                max_threads_running: Some(1),
                ..DumpLimits::default()
            }),
            probe: LoadProbe::new(options.clone(), Vec::new()),
        }),
        ..DumpControl::default()
    };
    let policy = DumpPolicy {
        bytes_per_second: Some(5_000_000),
        ..slow("busy")
    };
    let (report, _) = dump_with(&options, policy, control).await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert!(heard.elapsed() >= Duration::from_secs(3));
    let rows: u64 = report.pieces.iter().map(|piece| piece.rows).sum();
    assert_eq!(rows, 100_000);
    let held = held.lock().unwrap();
    assert!(
        held.first()
            .is_some_and(|why| why.ends_with("statements are running > 1")),
        "{held:?}"
    );
}

/// A dump of a replica says so, and how far the replica had come.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_recorded_as_one() {
    let primary = PrivateServer::builder()
        .arg("--log-bin=bin")
        .start()
        .unwrap();
    let replica = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--log-slave-updates=1")
        .start()
        .unwrap();
    replica.replicate_from(&primary).await.unwrap();
    let mut session = database(&primary.options(), "copied").await;
    run(&mut session, "CREATE TABLE a (id INT PRIMARY KEY)").await;
    run(&mut session, "INSERT INTO a SELECT seq FROM seq_1_to_1000").await;
    let gtid: Option<String> = session
        .first("SELECT @@GLOBAL.gtid_binlog_pos", Params::Empty)
        .await
        .unwrap();
    let gtid = gtid.unwrap();
    let mut there = open(&replica.options()).await;
    let wait = format!("SELECT MASTER_GTID_WAIT('{gtid}', 60)");
    let waited: Option<i64> = there.first(&wait, Params::Empty).await.unwrap();
    assert_eq!(waited, Some(0));
    let (report, _) = dump_with(&replica.options(), policy("copied"), DumpControl::default())
        .await
        .unwrap();
    let of = report.snapshot.replica.unwrap();
    assert_eq!(of.primary, format!("127.0.0.1:{}", primary.port()));
    assert_eq!(of.gtid, gtid);
    let (report, _) = dump_with(&primary.options(), policy("copied"), DumpControl::default())
        .await
        .unwrap();
    assert_eq!(report.snapshot.replica, None);
}

/// A replica that stands still holds the dump, in its own name, until it runs again.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stands_still_holds_the_dump() {
    let start = || PrivateServer::builder().arg("--log-bin=bin").start();
    let (primary, replica) = (start().unwrap(), start().unwrap());
    replica.replicate_from(&primary).await.unwrap();
    bulk(&primary.options(), "held").await;
    let mut there = open(&replica.options()).await;
    run(&mut there, "STOP SLAVE SQL_THREAD").await;
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let observer = FnObserver(move |event: &DumpEvent| {
        if let DumpEvent::Held { why } = event {
            let _ = said.send(why.clone());
        }
    });
    let control = DumpControl {
        observer: Arc::new(observer),
        throttle: Some(DumpThrottle {
            throttle: Box::new(DumpLimits {
                max_replica_lag: Duration::from_secs(5),
                ..DumpLimits::default()
            }),
            probe: LoadProbe::new(
                primary.options(),
                vec![("db2".to_owned(), replica.options())],
            ),
        }),
        ..DumpControl::default()
    };
    let policy = DumpPolicy {
        bytes_per_second: Some(10_000_000),
        ..slow("held")
    };
    let options = primary.options();
    let dump = tokio::spawn(async move { dump_with(&options, policy, control).await });
    let patience = Duration::from_secs(60);
    for _ in 0..4 {
        let why = tokio::time::timeout(patience, heard.recv()).await;
        let why = why.unwrap().unwrap();
        assert!(why.contains("db2"), "{why}");
    }
    assert!(!dump.is_finished());
    run(&mut there, "START SLAVE SQL_THREAD").await;
    let (report, _) = dump.await.unwrap().unwrap();
    let rows: u64 = report.pieces.iter().map(|piece| piece.rows).sum();
    assert_eq!(rows, 100_000);
}
