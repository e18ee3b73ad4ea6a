use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use elpis_mysql::{PrivateServer, ServerError, SessionSettings};

use crate::{open, run, text};

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Run as a process of its own by the test below.
#[test]
#[ignore = "the owner that the next test kills"]
fn owner() {
    let server = PrivateServer::start().unwrap();
    println!("\nOWNS {} {}", server.pid(), server.datadir().display());
    // Until the test is gone, whatever happens to it.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_killed_owner_takes_its_server_along() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "guardian::owner", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find(|line| line.starts_with("OWNS "))
        .unwrap();
    let mut words = line.split(' ').skip(1);
    let pid: u32 = words.next().unwrap().parse().unwrap();
    let datadir = PathBuf::from(words.next().unwrap());
    assert!(runs(pid) && datadir.join("ibdata1").exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the server outlives its owner", || !runs(pid));
    wait_until("the files stay", || !datadir.parent().unwrap().exists());
}

#[tokio::test]
async fn kill_stop_and_restart_keep_data_and_address() {
    let mut server = PrivateServer::start().unwrap();
    let mut session = open(&server.options(), &SessionSettings::default()).await;
    run(&mut session, "CREATE DATABASE kept").await;
    run(&mut session, "CREATE TABLE kept.t AS SELECT 7 AS n").await;
    let (options, mut pid) = (server.tcp_options(), server.pid());

    server.kill().unwrap();
    assert!(!runs(pid));
    let error = session.begin().await.unwrap_err();
    assert!(error.is_lost(), "{error:?}");
    server.restart().unwrap();
    assert_ne!(server.pid(), pid);
    // The old session does not come back with the server.
    assert!(session.begin().await.unwrap_err().is_lost());
    let mut session = open(&options, &SessionSettings::default()).await;
    assert_eq!(text(&mut session, "SELECT n FROM kept.t").await, "7");

    // Without a stop before, restart stops in good order.
    pid = server.pid();
    server.restart().unwrap();
    assert_ne!(server.pid(), pid);
    let mut session = open(&options, &SessionSettings::default()).await;
    assert_eq!(text(&mut session, "SELECT n FROM kept.t").await, "7");

    server.stop().unwrap();
    let (pid, datadir) = (server.pid(), server.datadir());
    drop(server);
    assert!(!runs(pid) && !datadir.exists());
}

#[test]
fn long_directories_still_give_a_usable_socket() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let server = PrivateServer::builder().dir(deep.clone()).start().unwrap();
    assert!(server.datadir().starts_with(&deep));
    let socket_dir = server.socket().parent().unwrap().to_owned();
    assert!(server.socket().as_os_str().len() < 100);
    drop(server);
    assert!(!socket_dir.exists());
    assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 0);
}

#[test]
fn failures_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().to_owned();
    let builder = PrivateServer::builder().dir(parent.clone());
    let error = builder.clone().arg("--no-such-option").start().unwrap_err();
    let ServerError::Start { log_tail, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(log_tail.contains("no-such-option"), "{log_tail}");
    let error = builder.mariadbd("/nowhere/mariadbd").start().unwrap_err();
    assert!(matches!(error, ServerError::Missing { .. }), "{error:?}");
    assert!(error.to_string().contains("mariadb-server"), "{error}");
    assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 0);
}
