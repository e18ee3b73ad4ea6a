//! What else a dump promises: see docs/backup-checklist.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use elpis_backup::{DumpControl, DumpError, DumpLimits, DumpPolicy, DumpThrottle, SnapshotStep};
use elpis_mysql::{LoadProbe, Params, PrivateServer};
use elpis_run::{ChunkTiming, Load, Pace, Throttle};

use crate::endings::{bulk, slow};
use crate::{checksums, database, dump, dump_with, load, open, policy, run, server};

/// A server would read a short index that covers the table, and a restore would then insert at
/// random places.
#[tokio::test(flavor = "multi_thread")]
async fn rows_come_in_the_order_of_the_primary_key() {
    let mut session = database(&server().options(), "ordered").await;
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY, v SMALLINT NOT NULL, KEY (v))",
        "INSERT INTO t SELECT seq, 5000 - seq FROM seq_1_to_5000",
    ] {
        run(&mut session, sql).await;
    }
    let plain: Vec<(i32, i32)> = session
        .rows("SELECT id, v FROM t", Params::Empty)
        .await
        .unwrap();
    assert_eq!(
        plain[0],
        (5000, 0),
        "the server reads the primary key anyway"
    );
    let (_, memory) = dump(&server().options(), policy("ordered")).await;
    let text = String::from_utf8(memory.text(0)).unwrap();
    let (_, rows) = text.split_once("VALUES\n").unwrap();
    let (rows, _) = rows.split_once(");\n").unwrap();
    let ids: Vec<i32> = rows
        .split("(")
        .skip(1)
        .map(|row| row.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids, (1..=5000).collect::<Vec<i32>>());
}

/// Text that looks like something else, in columns that are text.
#[tokio::test(flavor = "multi_thread")]
async fn quotes_go_by_the_column_and_not_by_what_stands_in_it() {
    let mut session = database(&server().options(), "quoted").await;
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(20), n DECIMAL(20,3), d DOUBLE)",
        "INSERT INTO t VALUES (1,'007',7,7e100),(2,'1e3',-0.5,-1e-7),(3,'NULL',NULL,NULL),\
         (4,'0x41',0,0),(5,'CURRENT_TIMESTAMP',1,1),(6,'-0',2,2)",
    ] {
        run(&mut session, sql).await;
    }
    let (_, memory) = dump(&server().options(), policy("quoted")).await;
    let text = String::from_utf8(memory.text(0)).unwrap();
    for row in [
        "(1,'007',7.000,7e+100)",
        "(2,'1e3',-0.500,-1e-7)",
        "(3,'NULL',NULL,NULL)",
        "(4,'0x41',0.000,0)",
        "(5,'CURRENT_TIMESTAMP',1.000,1)",
    ] {
        assert!(text.contains(row), "{row} in {text}");
    }
    database(&server().options(), "quoted2").await;
    load(server(), "quoted2", text.as_bytes());
    assert_eq!(
        checksums(&mut session, "quoted").await,
        checksums(&mut session, "quoted2").await
    );
}

/// Holds the dump for longer than the server's patience, from its second question on.
struct Long(u32);

impl Throttle for Long {
    fn pace(&mut self, _: Option<&ChunkTiming>, _: &Load) -> Pace {
        self.0 += 1;
        match self.0 {
            2..=26 => Pace::Hold {
                retry_after: Duration::from_millis(100),
                why: "a test".to_owned(),
            },
            _ => Pace::Go {
                rows: 1,
                pause: Duration::ZERO,
            },
        }
    }
}

/// In the middle of statements and between them, in a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_waits_outlives_the_servers_time_limits() {
    let mut server = PrivateServer::builder().arg("--log-bin=bin");
    for limit in [
        "net-write-timeout",
        "net-read-timeout",
        "wait-timeout",
        "interactive-timeout",
        "idle-transaction-timeout",
        "idle-readonly-transaction-timeout",
        "idle-write-transaction-timeout",
        "max-statement-time",
    ] {
        server = server.arg(format!("--{limit}=1"));
    }
    let server = server.start().unwrap();
    let mut session = bulk(&server.options(), "patient").await;
    run(
        &mut session,
        "CREATE TABLE isam (id INT PRIMARY KEY) ENGINE=MyISAM",
    )
    .await;
    run(&mut session, "INSERT INTO isam VALUES (1), (2)").await;
    let control = DumpControl {
        throttle: Some(DumpThrottle {
            throttle: Box::new(Long(0)),
            probe: LoadProbe::new(server.options(), Vec::new()),
        }),
        ..DumpControl::default()
    };
    let policy = DumpPolicy {
        bytes_per_second: Some(10_000_000),
        ..slow("patient")
    };
    let (report, memory) = dump_with(&server.options(), policy, control).await.unwrap();
    let rows: u64 = report.pieces.iter().map(|piece| piece.rows).sum();
    assert_eq!(rows, 100_002);
    assert!(
        String::from_utf8(memory.text(0))
            .unwrap()
            .contains("-- Dump completed")
    );
}

/// Columns come and go without a copy of the table: what is written down must be the columns that
/// were read.
#[tokio::test(flavor = "multi_thread")]
async fn columns_that_come_and_go_while_the_snapshot_is_taken() {
    let mut session = database(&server().options(), "instant").await;
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY, a INT)",
        "INSERT INTO t SELECT seq, seq FROM seq_1_to_1000",
    ] {
        run(&mut session, sql).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let churn = tokio::spawn({
        let stop = stop.clone();
        async move {
            while !stop.load(Ordering::Relaxed) {
                for sql in [
                    "ALTER TABLE t ADD COLUMN z INT NOT NULL DEFAULT 7, ALGORITHM=INSTANT",
                    "ALTER TABLE t DROP COLUMN z, ALGORITHM=INSTANT",
                ] {
                    run(&mut session, sql).await;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    });
    let mut good = 0;
    for number in 0..12 {
        let policy = DumpPolicy {
            readers: Some(4),
            ladder: vec![SnapshotStep::LockFree, SnapshotStep::BackupStage],
            ..policy("instant")
        };
        match dump_with(&server().options(), policy, DumpControl::default()).await {
            Ok((_, memory)) => {
                good += 1;
                let copy = format!("instant_{number}");
                let mut session = database(&server().options(), &copy).await;
                load(server(), &copy, &memory.text(0));
                let found: Option<(i64, i64)> = session
                    .first("SELECT COUNT(*), SUM(a) FROM t", Params::Empty)
                    .await
                    .unwrap();
                assert_eq!(found, Some((1000, 500_500)));
                let later: Vec<i32> = session
                    .rows(
                        "SELECT ORDINAL_POSITION FROM information_schema.COLUMNS WHERE \
                         TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'z'",
                        Params::Empty,
                    )
                    .await
                    .unwrap();
                if !later.is_empty() {
                    let sum: Option<i64> = session
                        .first("SELECT CAST(SUM(z) AS SIGNED) FROM t", Params::Empty)
                        .await
                        .unwrap();
                    assert_eq!(sum, Some(7000));
                }
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

/// Old row versions that a long snapshot makes the server keep.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_grows_too_long_ends_it() {
    let server = PrivateServer::builder()
        .arg("--log-bin=bin")
        .start()
        .unwrap();
    let options = server.options();
    bulk(&options, "grown").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (stop, options) = (stop.clone(), options.clone());
        async move {
            let mut session = open(&options).await;
            run(
                &mut session,
                "CREATE TABLE grown.hot (id INT PRIMARY KEY, v INT)",
            )
            .await;
            run(&mut session, "INSERT INTO grown.hot VALUES (1, 0)").await;
            while !stop.load(Ordering::Relaxed) {
                run(&mut session, "UPDATE grown.hot SET v = v + 1").await;
            }
        }
    });
    let control = DumpControl {
        throttle: Some(DumpThrottle {
            throttle: Box::new(DumpLimits {
                max_history_list: Some(300),
                ..DumpLimits::default()
            }),
            probe: LoadProbe::new(options.clone(), Vec::new()),
        }),
        ..DumpControl::default()
    };
    let result = dump_with(&options, slow("grown"), control).await;
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    let Err(DumpError::Throttled { why }) = result else {
        panic!("{:?}", result.err());
    };
    assert!(why.starts_with("InnoDB's history list is"), "{why}");
}

/// Whoever loads a dump gets the session back as it was, and no client of any age meets a line that
/// is meant for others.
#[tokio::test(flavor = "multi_thread")]
async fn the_text_is_for_every_client_and_leaves_its_session_as_it_was() {
    let mut session = database(&server().options(), "framed").await;
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(9) DEFAULT 'x', KEY (v))",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 'y'",
    ] {
        run(&mut session, sql).await;
    }
    let (_, memory) = dump(&server().options(), policy("framed")).await;
    let text = String::from_utf8(memory.text(0)).unwrap();
    for no in [
        "sandbox",
        "/*M!",
        "GRANT ",
        "CREATE USER",
        "CREATE DATABASE",
        "USE `",
    ] {
        assert!(!text.contains(no), "{no} in {text}");
    }
    let about = "SELECT CONCAT_WS('|', @@sql_mode, @@time_zone, @@unique_checks, \
                 @@foreign_key_checks, @@character_set_client, @@character_set_results, \
                 @@collation_connection, @@sql_notes)";
    let set = "SET sql_mode = 'STRICT_ALL_TABLES', time_zone = '+05:00', sql_notes = 1, \
               collation_connection = latin1_german1_ci";
    // Into tables of its own, since the client writes nothing while it loads.
    let around = format!(
        "{set};\nCREATE TABLE before_it (is_so TEXT) AS {about} AS is_so;\n{text}\n\
         CREATE TABLE after_it (is_so TEXT) AS {about} AS is_so;\n"
    );
    let mut copy = database(&server().options(), "framed2").await;
    load(server(), "framed2", around.as_bytes());
    let ask = "SELECT b.is_so, a.is_so FROM before_it b, after_it a";
    let found: Option<(String, String)> = copy.first(ask, Params::Empty).await.unwrap();
    let (before, after) = found.unwrap();
    assert!(
        before.starts_with("STRICT_ALL_TABLES|+05:00|ON|ON|"),
        "{before}"
    );
    assert_eq!(before, after);
}
