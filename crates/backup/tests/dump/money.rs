//! A client moves money between tables while the dump runs: the sum must never change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use elpis_backup::{DumpPolicy, SnapshotStep};
use elpis_mysql::{Params, PrivateServer, Session};

use crate::{database, dump, load, open, policy, run, server};

const SUM: i64 = 2_000_000;

async fn make(options: &elpis_mysql::ConnectOptions, name: &str) -> Session {
    let mut session = database(options, name).await;
    for table in ["a_accounts", "z_accounts"] {
        let create = format!("CREATE TABLE {table} (id INT PRIMARY KEY, balance BIGINT)");
        run(&mut session, &create).await;
        let fill = format!("INSERT INTO {table} SELECT seq, 1000 FROM seq_1_to_1000");
        run(&mut session, &fill).await;
    }
    // Between the two, enough to keep a reader busy.
    run(
        &mut session,
        "CREATE TABLE m_bulk (id INT PRIMARY KEY, t CHAR(200))",
    )
    .await;
    run(
        &mut session,
        "INSERT INTO m_bulk SELECT seq, REPEAT('x', 200) FROM seq_1_to_100000",
    )
    .await;
    session
}

/// Moves money until told to stop; counts the transfers.
fn mover(
    options: &elpis_mysql::ConnectOptions,
    name: &'static str,
    seed: u64,
    stop: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
) -> tokio::task::JoinHandle<()> {
    let options = options.clone();
    tokio::spawn(async move {
        let mut session = open(&options).await;
        run(&mut session, &format!("USE {name}")).await;
        let mut random = fastrand::Rng::with_seed(seed);
        while !stop.load(Ordering::Relaxed) {
            let amount = random.i64(1..100);
            let (from, to) = if random.bool() {
                ("a_accounts", "z_accounts")
            } else {
                ("z_accounts", "a_accounts")
            };
            let (give, take) = (random.i32(1..=1000), random.i32(1..=1000));
            let transfer = async {
                session.begin().await?;
                let sql =
                    format!("UPDATE {from} SET balance = balance - {amount} WHERE id = {give}");
                session.execute(&sql, Params::Empty).await?;
                let sql = format!("UPDATE {to} SET balance = balance + {amount} WHERE id = {take}");
                session.execute(&sql, Params::Empty).await?;
                session.commit().await
            };
            match transfer.await {
                Ok(()) => {
                    moved.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) if error.is_retryable() => session.rollback().await.unwrap(),
                Err(error) => panic!("{error:?}"),
            }
        }
    })
}

async fn sum_is_kept(server: &PrivateServer, name: &'static str, policies: Vec<DumpPolicy>) {
    let mut session = make(&server.options(), name).await;
    let stop = Arc::new(AtomicBool::new(false));
    let moved = Arc::new(AtomicU64::new(0));
    let movers: Vec<_> = (0..3)
        .map(|seed| mover(&server.options(), name, seed, stop.clone(), moved.clone()))
        .collect();
    let mut dumps = Vec::new();
    for policy in policies {
        let before = moved.load(Ordering::Relaxed);
        let (report, memory) = dump(&server.options(), policy).await;
        assert!(
            moved.load(Ordering::Relaxed) > before,
            "nothing moved meanwhile"
        );
        dumps.push((report, memory));
    }
    stop.store(true, Ordering::Relaxed);
    for mover in movers {
        mover.await.unwrap();
    }
    for (number, (report, memory)) in dumps.into_iter().enumerate() {
        let copy = format!("{name}_{number}");
        database(&server.options(), &copy).await;
        load(server, &copy, &memory.text(0));
        let sql = format!(
            "SELECT CAST((SELECT SUM(balance) FROM {copy}.a_accounts) + \
             (SELECT SUM(balance) FROM {copy}.z_accounts) AS SIGNED)"
        );
        let sum: Option<i64> = session.first(&sql, Params::Empty).await.unwrap();
        assert_eq!(sum, Some(SUM), "{:?}", report.snapshot);
    }
}

fn by(name: &str, readers: usize, step: SnapshotStep) -> DumpPolicy {
    DumpPolicy {
        readers: Some(readers),
        ladder: vec![step],
        lock_free_tries: 500,
        chunk_bytes: 1 << 20,
        ..policy(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sum_is_kept_by_every_step() {
    let name = "money";
    let policies = [
        by(name, 8, SnapshotStep::LockFree),
        by(name, 3, SnapshotStep::LockFree),
        by(name, 8, SnapshotStep::BackupStage),
        by(name, 8, SnapshotStep::GlobalReadLock),
        by(name, 4, SnapshotStep::SingleReader),
    ];
    let rounds = soak();
    let policies = std::iter::repeat_n(policies, rounds).flatten().collect();
    sum_is_kept(server(), name, policies).await;
}

/// How often everything is done: more with `ELPIS_SOAK`.
fn soak() -> usize {
    if std::env::var_os("ELPIS_SOAK").is_some() {
        20
    } else {
        1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sum_is_kept_without_a_binary_log() {
    let server = PrivateServer::start().unwrap();
    let name = "money";
    let policies = vec![
        by(name, 8, SnapshotStep::BackupStage),
        by(name, 8, SnapshotStep::GlobalReadLock),
    ];
    sum_is_kept(&server, name, policies).await;
}

/// The test itself must be able to fail: snapshots taken one after the other do not agree.
#[tokio::test(flavor = "multi_thread")]
async fn the_sum_is_lost_without_a_common_snapshot() {
    let name = "money_naive";
    let options = server().options();
    make(&options, name).await;
    let stop = Arc::new(AtomicBool::new(false));
    let moved = Arc::new(AtomicU64::new(0));
    let movers: Vec<_> = (0..3)
        .map(|seed| mover(&options, name, seed, stop.clone(), moved.clone()))
        .collect();
    let mut lost = false;
    for _ in 0..200 {
        let mut sum = 0;
        for table in ["a_accounts", "z_accounts"] {
            let mut reader = open(&options).await;
            let sql = format!("SELECT CAST(SUM(balance) AS SIGNED) FROM {name}.{table}");
            sum += reader
                .first::<i64>(&sql, Params::Empty)
                .await
                .unwrap()
                .unwrap();
        }
        lost |= sum != SUM;
        if lost {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for mover in movers {
        mover.await.unwrap();
    }
    assert!(
        lost,
        "{} transfers did not show",
        moved.load(Ordering::Relaxed)
    );
}
