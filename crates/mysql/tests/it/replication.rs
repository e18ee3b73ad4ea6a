use std::time::Duration;

use elpis_mysql::{LoadProbe, PrivateServer, Session, SessionSettings, role};
use elpis_run::{Load, ReplicaState};

use crate::{open, run, text};

fn start(more: &[&str]) -> PrivateServer {
    let builder = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--binlog-format=ROW");
    more.iter()
        .fold(builder, |builder, &arg| builder.arg(arg))
        .start()
        .unwrap()
}

async fn root(server: &PrivateServer) -> Session {
    open(&server.options(), &SessionSettings::default()).await
}

fn state(load: &Load) -> &ReplicaState {
    assert_eq!(load.replicas.len(), 1);
    assert_eq!(load.replicas[0].name, "db2");
    &load.replicas[0].state
}

#[tokio::test]
async fn load_and_lag_of_a_pair() {
    let (primary, mut replica) = (start(&[]), start(&["--read-only", "--skip-slave-start"]));
    let mut on_primary = root(&primary).await;
    let mut probe = LoadProbe::new(
        primary.options(),
        vec![("db2".to_owned(), replica.tcp_options())],
    );

    let load = probe.sample().await;
    let ReplicaState::NotReplicating { reason } = state(&load) else {
        panic!("{load:?}");
    };
    assert!(reason.contains("not configured"), "{reason}");

    replica.replicate_from(&primary).await.unwrap();
    run(&mut on_primary, "CREATE DATABASE pair").await;
    run(&mut on_primary, "CREATE TABLE pair.t (id INT PRIMARY KEY)").await;
    run(&mut on_primary, "INSERT INTO pair.t VALUES (1), (2)").await;
    let gtid = text(&mut on_primary, "SELECT @@gtid_binlog_pos").await;
    let mut on_replica = root(&replica).await;
    let waited = format!("SELECT MASTER_GTID_WAIT('{gtid}', 30)");
    assert_eq!(text(&mut on_replica, &waited).await, "0");
    assert_eq!(
        text(&mut on_replica, "SELECT COUNT(*) FROM pair.t").await,
        "2"
    );

    // It counts in whole seconds, and a second may have turned since the primary wrote.
    let give_up = tokio::time::Instant::now() + Duration::from_secs(30);
    while state(&probe.sample().await) != &ReplicaState::Behind(Duration::ZERO) {
        assert!(tokio::time::Instant::now() < give_up, "it stays behind");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let role = role(&mut on_replica).await.unwrap();
    assert_eq!(
        role.replica_of,
        Some(format!("127.0.0.1:{}", primary.port()))
    );
    assert!(role.read_only);

    // Behind: the SQL thread waits for a table lock while the primary goes on.
    run(&mut on_replica, "LOCK TABLES pair.t READ").await;
    run(&mut on_primary, "INSERT INTO pair.t VALUES (3)").await;
    let mut behind = Duration::ZERO;
    for _ in 0..100 {
        if let ReplicaState::Behind(lag) = state(&probe.sample().await) {
            behind = *lag;
        }
        if behind >= Duration::from_secs(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(behind >= Duration::from_secs(1));
    run(&mut on_replica, "UNLOCK TABLES").await;

    run(&mut on_replica, "STOP SLAVE SQL_THREAD").await;
    let load = probe.sample().await;
    let ReplicaState::NotReplicating { reason } = state(&load) else {
        panic!("{load:?}");
    };
    assert!(reason.contains("SQL thread"), "{reason}");

    // A row that is there already: the reason carries the error's number and no data.
    run(&mut on_replica, "INSERT INTO pair.t VALUES (77001)").await;
    run(&mut on_replica, "START SLAVE").await;
    run(&mut on_primary, "INSERT INTO pair.t VALUES (77001)").await;
    let mut last = String::new();
    for _ in 0..100 {
        if let ReplicaState::NotReplicating { reason } = state(&probe.sample().await) {
            last.clone_from(reason);
            if last.contains("1062") {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        last.contains("error 1062") && !last.contains("77001"),
        "{last}"
    );

    replica.stop().unwrap();
    let load = probe.sample().await;
    assert!(
        matches!(state(&load), ReplicaState::Unreachable { .. }),
        "{load:?}"
    );
    // The probe finds it again by itself.
    replica.restart().unwrap();
    let load = probe.sample().await;
    assert!(
        matches!(state(&load), ReplicaState::NotReplicating { .. }),
        "{load:?}"
    );
}

#[tokio::test]
async fn the_load_of_a_server() {
    let server = PrivateServer::start().unwrap();
    let mut probe = LoadProbe::new(server.options(), Vec::new());
    let idle = probe.sample().await;
    assert_eq!(idle.threads_running, Some(0));

    let mut reader = root(&server).await;
    let mut writer = root(&server).await;
    run(&mut writer, "CREATE DATABASE busy").await;
    run(
        &mut writer,
        "CREATE TABLE busy.t (id INT PRIMARY KEY, n INT)",
    )
    .await;
    run(&mut writer, "INSERT INTO busy.t VALUES (1, 0)").await;
    // An open snapshot keeps the purge from shortening the history.
    run(
        &mut reader,
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    )
    .await;
    run(&mut reader, "START TRANSACTION WITH CONSISTENT SNAPSHOT").await;
    for _ in 0..200 {
        run(&mut writer, "UPDATE busy.t SET n = n + 1").await;
    }
    let history = probe.sample().await.history_list.unwrap();
    assert!(history >= 150, "{history}");

    let mut sleepers = Vec::new();
    for _ in 0..3 {
        let mut session = root(&server).await;
        sleepers.push(tokio::spawn(async move {
            text(&mut session, "SELECT SLEEP(60)").await
        }));
    }
    let mut running = None;
    for _ in 0..100 {
        running = probe.sample().await.threads_running;
        if running == Some(3) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(running, Some(3));
    sleepers.iter().for_each(tokio::task::JoinHandle::abort);

    drop(server);
    let load = probe.sample().await;
    assert_eq!((load.threads_running, load.history_list), (None, None));
}
