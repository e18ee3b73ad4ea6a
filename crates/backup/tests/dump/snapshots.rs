//! The steps of the ladder, and what may happen while one is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use elpis_backup::{Dump, DumpControl, DumpError, DumpPolicy, SnapshotStep};
use elpis_mysql::{Params, PrivateServer, Session};

use crate::{database, dump, dump_with, load, open, policy, run, server};

fn by(name: &str, ladder: &[SnapshotStep]) -> DumpPolicy {
    DumpPolicy {
        readers: Some(4),
        ladder: ladder.to_vec(),
        ..policy(name)
    }
}

async fn table(name: &str) -> Session {
    let mut session = database(&server().options(), name).await;
    run(&mut session, "CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    run(
        &mut session,
        "INSERT INTO t SELECT seq, 0 FROM seq_1_to_1000",
    )
    .await;
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_prove_the_snapshot() {
    table("proof").await;
    for (step, locks) in [
        (SnapshotStep::LockFree, false),
        (SnapshotStep::BackupStage, true),
        (SnapshotStep::GlobalReadLock, true),
    ] {
        let (report, _) = dump(&server().options(), by("proof", &[step])).await;
        let snapshot = &report.snapshot;
        assert_eq!(snapshot.step, step);
        assert_eq!(snapshot.readers, 4);
        assert_eq!(snapshot.positions.len(), 4);
        assert!(
            snapshot
                .positions
                .iter()
                .all(|position| *position == snapshot.positions[0])
        );
        assert!(snapshot.positions[0].file.starts_with("bin."));
        assert!(snapshot.gtid.starts_with("0-"), "{snapshot:?}");
        assert_eq!(snapshot.lock_held > Duration::ZERO, locks, "{snapshot:?}");
        assert!(snapshot.replica.is_none());
        let json = serde_json::to_string(&report).unwrap();
        let back: elpis_backup::DumpReport = serde_json::from_str(&json).unwrap();
        assert_eq!(back.snapshot.positions, report.snapshot.positions);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_to_be_had_is_not_waited_for() {
    let server = PrivateServer::start().unwrap();
    let mut session = database(&server.options(), "busy").await;
    run(&mut session, "CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    run(&mut session, "INSERT INTO t VALUES (1, 0), (2, 0)").await;
    // A statement that holds up a global read lock for as long as it runs.
    let mut long = open(&server.options()).await;
    let long = tokio::spawn(async move {
        long.execute(
            "UPDATE busy.t SET v = SLEEP(20) WHERE id = 1",
            Params::Empty,
        )
        .await
    });
    let running =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE busy%'";
    while session.first::<i64>(running, Params::Empty).await.unwrap() != Some(1) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let slowest = Arc::new(AtomicU64::new(0));
    let writer = tokio::spawn({
        let (stop, slowest) = (stop.clone(), slowest.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                run(&mut session, "UPDATE t SET v = v + 1 WHERE id = 2").await;
                slowest.fetch_max(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
            }
            session
        }
    });
    let ladder = [SnapshotStep::GlobalReadLock, SnapshotStep::SingleReader];
    let begun = Instant::now();
    let (report, _) = dump(&server.options(), by("busy", &ladder)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    stop.store(true, Ordering::Relaxed);
    let mut session = writer.await.unwrap();
    assert_eq!(report.snapshot.step, SnapshotStep::SingleReader);
    assert!(
        report.snapshot.passed_over[0].contains("FLUSH TABLES WITH READ LOCK"),
        "{report:?}"
    );
    // The lock is asked for 200 ms at a time; the rest is the machine.
    let slowest = slowest.load(Ordering::Relaxed);
    assert!(slowest < 2_000, "a writer waited {slowest} ms");
    assert!(!long.is_finished(), "nothing was in the way");
    let id = running.replace("COUNT(*)", "id");
    let id: Option<u64> = session.first(&id, Params::Empty).await.unwrap();
    run(&mut session, &format!("KILL QUERY {}", id.unwrap())).await;
    let _ = long.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_do_not_show_every_change_are_not_trusted() {
    let primary = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--server-id=1")
        .start()
        .unwrap();
    let replica = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--server-id=2")
        .start()
        .unwrap();
    replica.replicate_from(&primary).await.unwrap();
    let mut session = database(&primary.options(), "shown").await;
    run(&mut session, "CREATE TABLE t (id INT PRIMARY KEY)").await;
    run(&mut session, "INSERT INTO t VALUES (1)").await;
    let mut there = open(&replica.options()).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while there
        .rows::<i32>("SELECT id FROM shown.t", Params::Empty)
        .await
        .ok()
        != Some(vec![1])
    {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (report, _) = dump(
        &replica.options(),
        DumpPolicy {
            readers: Some(2),
            ..policy("shown")
        },
    )
    .await;
    assert_eq!(report.snapshot.step, SnapshotStep::BackupStage);
    assert!(
        report.snapshot.passed_over[0].contains("replica"),
        "{:?}",
        report.snapshot
    );
    let position = report.snapshot.replica.unwrap();
    assert_eq!(position.primary, format!("127.0.0.1:{}", primary.port()));
    assert!(
        position.gtid.starts_with("0-1-") && position.exact,
        "{position:?}"
    );

    let filtered = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--binlog-ignore-db=quiet")
        .start()
        .unwrap();
    database(&filtered.options(), "quiet").await;
    let facts = Dump::new(filtered.options(), policy("quiet"))
        .inspect()
        .await
        .unwrap();
    assert!(facts.server.no_lock_free.unwrap().contains("filtered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_cannot_be_altered_while_they_are_read() {
    let mut session = table("altered").await;
    let policy = DumpPolicy {
        bytes_per_second: Some(10_000),
        ..by("altered", &[SnapshotStep::LockFree])
    };
    let dump = tokio::spawn(async move {
        dump_with(&server().options(), policy, DumpControl::default()).await
    });
    let mut watcher = open(&server().options()).await;
    let reading = "SELECT COUNT(*) FROM information_schema.processlist WHERE db IS NULL AND info LIKE 'SELECT `id`,`v` FROM `altered`%'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while watcher.first::<i64>(reading, Params::Empty).await.unwrap() == Some(0)
        && !dump.is_finished()
    {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    run(&mut session, "DROP TABLE t").await;
    let (report, memory) = dump.await.unwrap().unwrap();
    assert_eq!(report.databases[0].tables[0].rows, 1000);
    database(&server().options(), "altered2").await;
    load(server(), "altered2", &memory.text(0));
}

/// Each generation of a table is made beside the one before and takes its place: whatever is
/// dumped must be one whole generation, and nobody may wait for anybody until a time limit.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_change_while_the_snapshot_is_taken() {
    let mut session = table("churn").await;
    let stop = Arc::new(AtomicBool::new(false));
    let churn = tokio::spawn({
        let stop = stop.clone();
        async move {
            for generation in 1.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                for sql in [
                    "CREATE TABLE new LIKE t",
                    &format!("INSERT INTO new SELECT seq, {generation} FROM seq_1_to_1000"),
                    "RENAME TABLE t TO old, new TO t",
                    "DROP TABLE old",
                ] {
                    run(&mut session, sql).await;
                }
                tokio::time::sleep(Duration::from_millis(generation % 40)).await;
            }
        }
    });
    let mut good = 0;
    for number in 0..12 {
        let ladder = [SnapshotStep::LockFree, SnapshotStep::BackupStage];
        match dump_with(
            &server().options(),
            by("churn", &ladder),
            DumpControl::default(),
        )
        .await
        {
            Ok((_, memory)) => {
                good += 1;
                let copy = format!("churn_{number}");
                let mut session = database(&server().options(), &copy).await;
                load(server(), &copy, &memory.text(0));
                let found: Option<(i64, i64, i64)> = session
                    .first("SELECT COUNT(*), MIN(v), MAX(v) FROM t", Params::Empty)
                    .await
                    .unwrap();
                let (rows, oldest, newest) = found.unwrap();
                assert_eq!((rows, oldest), (1000, newest));
            }
            Err(DumpError::Altered { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    churn.await.unwrap();
    println!("{good} of 12");
    assert!(good >= 6, "{good} of 12");
}

/// A writer that locks two MyISAM tables changes both; no snapshot knows of them.
#[tokio::test(flavor = "multi_thread")]
async fn tables_without_transactions_are_of_one_moment() {
    let mut session = database(&server().options(), "isam").await;
    for table in ["a", "z"] {
        run(
            &mut session,
            &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v INT) ENGINE=MyISAM"),
        )
        .await;
        run(&mut session, &format!("INSERT INTO {table} VALUES (1, 0)")).await;
    }
    run(
        &mut session,
        "CREATE TABLE bulk (id INT PRIMARY KEY, t CHAR(200)) ENGINE=MyISAM",
    )
    .await;
    run(
        &mut session,
        "INSERT INTO bulk SELECT seq, 'x' FROM seq_1_to_20000",
    )
    .await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let stop = stop.clone();
        async move {
            let mut rounds = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                for sql in [
                    "LOCK TABLES a WRITE, z WRITE",
                    "UPDATE a SET v = v + 1",
                    "UPDATE z SET v = v + 1",
                    "UNLOCK TABLES",
                ] {
                    run(&mut session, sql).await;
                }
                rounds += 1;
            }
            rounds
        }
    });
    for (number, step) in [
        SnapshotStep::LockFree,
        SnapshotStep::BackupStage,
        SnapshotStep::GlobalReadLock,
    ]
    .into_iter()
    .enumerate()
    {
        let (report, memory) = dump(
            &server().options(),
            by("isam", &[step, SnapshotStep::SingleReader]),
        )
        .await;
        println!("{:?}", report.snapshot);
        assert!(
            report.databases[0]
                .tables
                .iter()
                .all(|table| table.consistent)
        );
        assert!(report.snapshot.tables_locked > Duration::ZERO);
        let copy = format!("isam_{number}");
        let mut session = database(&server().options(), &copy).await;
        load(server(), &copy, &memory.text(0));
        let apart: Option<i64> = session
            .first("SELECT a.v - z.v FROM a, z", Params::Empty)
            .await
            .unwrap();
        assert_eq!(apart, Some(0));
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 3);
}
