//! Ends that only a server can bring about.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use elpis_mysql::{Params, PrivateServer, Session, SessionSettings};
use tokio::task::JoinHandle;

use crate::harness::World;
use crate::interrupted::signal;

const POLICY: &str = r#"
[policy]
max_share = 1.0

[policy.throttle]
max_rows = 20
min_rows = 20
THROTTLE

[[policy.table]]
name = "samples"
time = { column = "at", unit = "epoch_seconds" }
keep = { days = 1 }
"#;

async fn root(server: &PrivateServer) -> Session {
    Session::open(&server.options(), &SessionSettings::default())
        .await
        .unwrap()
}

/// Keeps `statements` of them running until the handles are aborted.
pub(crate) async fn occupy(server: &PrivateServer, statements: u64) -> Vec<JoinHandle<()>> {
    let mut sleepers = Vec::new();
    for _ in 0..statements {
        let mut session = root(server).await;
        sleepers.push(tokio::spawn(async move {
            let _ = session.execute("DO SLEEP(300)", Params::Empty).await;
        }));
    }
    let mut watch = root(server).await;
    let busy = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'";
    while watch.first::<u64>(busy, Params::Empty).await.unwrap() != Some(statements) {
        tokio::task::yield_now().await;
    }
    sleepers
}

/// A server with 2000 expired rows, and a configuration with these throttle settings.
pub(crate) async fn world(throttle: &str) -> (World, PrivateServer) {
    let server = PrivateServer::start().unwrap();
    let mut session = root(&server).await;
    for sql in [
        "CREATE DATABASE p",
        "CREATE TABLE p.samples (at BIGINT, value DOUBLE, KEY (at))",
        "INSERT INTO p.samples SELECT 1000000 + seq, seq FROM p.seq_1_to_2000",
    ] {
        session.execute(sql, Params::Empty).await.unwrap();
    }
    let world = World::empty();
    configure(&world, &server, throttle);
    (world, server)
}

fn configure(world: &World, server: &PrivateServer, throttle: &str) {
    let socket = server.socket().display();
    world.write(
        "maint.toml",
        &format!(
            "[database]\nkind = \"mysql\"\nname = \"p\"\nsocket = \"{socket}\"\nuser = \"root\"\n\
             [state]\ndirectory = \"state\"\n{}",
            POLICY.replace("THROTTLE", throttle)
        ),
    );
}

async fn rows(server: &PrivateServer) -> u64 {
    let sql = "SELECT COUNT(*) FROM p.samples";
    let rows: Option<u64> = root(server).await.first(sql, Params::Empty).await.unwrap();
    rows.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_distress_ends_the_run_with_4() {
    let (world, server) = world("critical_threads_running = 3").await;
    let sleepers = occupy(&server, 6).await;
    let said = world.run(&["run"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.err.contains("critical limit 3"), "{}", said.err);
    for sleeper in sleepers {
        sleeper.abort();
    }
    assert_eq!(rows(&server).await, 2000);
    configure(&world, &server, "");
    assert_eq!(world.run(&["run"]).code, 0);
    assert_eq!(rows(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_mid_run_is_4_then_8_and_then_the_run_continues() {
    let (world, mut server) = world("duty = 0.01").await;
    let mut child = world
        .command(&["run", "--format", "json", "-v"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"chunk\"") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the run ended early");
    }
    server.kill().unwrap();
    let last = out.lines().map(Result::unwrap).last().unwrap();
    let said = world.said(&child.wait_with_output().unwrap());
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.err.contains("stopped part-way"), "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(report["ended"]["how"], "failed");
    let deleted = report["tables"][0]["deleted"].as_u64().unwrap();

    assert_eq!(world.run(&["run"]).code, 8);
    server.restart().unwrap();
    // The chunk that was under way when the server died may be gone or not.
    let left = rows(&server).await;
    assert!(left == 2000 - deleted || left == 1980 - deleted, "{left}");
    configure(&world, &server, "");
    assert_eq!(world.run(&["run"]).code, 0);
    assert_eq!(rows(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_the_server_is_6_and_names_the_session() {
    let (world, server) = world("").await;
    let mut session = root(&server).await;
    let lock = ["p_elpis_maint".to_owned()];
    session
        .lock(&lock, std::time::Duration::ZERO)
        .await
        .unwrap();
    let said = world.run(&["run"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("p_elpis_maint"), "{}", said.err);
    assert!(said.err.contains("root"), "{}", said.err);
    assert_eq!(rows(&server).await, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait_for_the_chunk() {
    let (world, server) = world("").await;
    let mut blocker = root(&server).await;
    blocker.begin().await.unwrap();
    let lock = "SELECT COUNT(*) FROM p.samples FOR UPDATE";
    blocker.first::<u64>(lock, Params::Empty).await.unwrap();
    let mut child = world
        .command(&["run", "-v", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap()).lines();
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DELETE%'";
    let mut watch = root(&server).await;
    while watch.first::<u64>(waiting, Params::Empty).await.unwrap() == Some(0) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
    }
    signal(&child, "INT");
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
    let heard = err.next().unwrap().unwrap();
    assert!(heard.contains("once more to leave at once"), "{heard}");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // It left; it did not end: a chunk that waits for its locks has no safe point.
    assert_eq!(
        out.map(Result::unwrap)
            .find(|line| line.contains("finished")),
        None
    );
    blocker.rollback().await.unwrap();
    // The server may finish the one statement that waited, and notices only then that its client,
    // and with it the owner of the lock, is gone.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut said = world.run(&["run"]);
    while said.code == 6 && std::time::Instant::now() < patience {
        said = world.run(&["run"]);
    }
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(rows(&server).await, 0);
}
