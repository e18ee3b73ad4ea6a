//! The password, made of every printable character, is seen nowhere: not in the process table,
//! not in any output, not in the state directory.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use elpis_mysql::{Params, PrivateServer, Session, SessionSettings};

use crate::harness::World;

/// 20 rows a chunk and long pauses, so that there is time to look at the process.
const POLICY: &str = r#"
[policy]
max_share = 1.0

[policy.throttle]
max_rows = 20
min_rows = 20
duty = 0.02

[[policy.table]]
name = "samples"
time = { column = "at", unit = "epoch_seconds" }
keep = { days = 1 }
"#;

fn password() -> String {
    (' '..='~').chain("äß€😀".chars()).collect()
}

/// Eight characters in a row are enough to call it a leak.
fn leaks(text: &[u8]) -> Option<String> {
    let secret: Vec<char> = password().chars().collect();
    secret
        .windows(8)
        .map(|window| window.iter().collect::<String>())
        .find(|part| {
            text.windows(part.len())
                .any(|candidate| candidate == part.as_bytes())
        })
}

#[test]
fn the_search_for_leaks_finds_one() {
    assert!(leaks("xx ABCDEFGH xx".as_bytes()).is_some());
    assert!(leaks("xx ABCDEFG xx".as_bytes()).is_none());
}

async fn prepare(server: &PrivateServer) {
    let mut root = Session::open(&server.options(), &SessionSettings::default())
        .await
        .unwrap();
    let literal = password().replace('\\', "\\\\").replace('\'', "''");
    for sql in [
        "CREATE DATABASE p",
        "CREATE TABLE p.samples (at BIGINT, value DOUBLE, KEY (at))",
        &format!("CREATE USER keeper@localhost IDENTIFIED BY '{literal}'"),
        "GRANT SELECT, DELETE ON p.* TO keeper@localhost",
    ] {
        root.execute(sql, Params::Empty).await.unwrap();
    }
    root.close().await.unwrap();
}

async fn fill(server: &PrivateServer) {
    let mut root = Session::open(&server.options(), &SessionSettings::default())
        .await
        .unwrap();
    let fill = "INSERT INTO p.samples SELECT 1000000 + seq, seq FROM p.seq_1_to_600";
    root.execute(fill, Params::Empty).await.unwrap();
    root.close().await.unwrap();
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs the binary and looks at its command line and environment all the while.
fn watched(world: &World, args: &[&str]) -> (Output, u32) {
    let child = world
        .command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let mut looks = 0;
    let waiter = std::thread::spawn(move || child.wait_with_output().unwrap());
    while !waiter.is_finished() {
        for what in ["cmdline", "environ"] {
            let seen = std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            assert_eq!(leaks(&seen), None, "{what} of elpis-maint {args:?}");
            looks += u32::from(!seen.is_empty());
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    (waiter.join().unwrap(), looks)
}

fn assert_sealed(world: &World, output: &Output) {
    assert_eq!(leaks(&output.stdout), None);
    assert_eq!(leaks(&output.stderr), None);
    let state = world.path("state");
    if !state.exists() {
        return;
    }
    for entry in state.read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(leaks(&std::fs::read(&path).unwrap()), None, "{path:?}");
    }
}

#[tokio::test]
async fn the_password_is_seen_nowhere() {
    let server = PrivateServer::start().unwrap();
    prepare(&server).await;
    let world = World::empty();
    let socket = server.socket().display();
    private(&world.path("password"), &format!("{}\n", password()));
    let escaped = password().replace('\\', "\\\\").replace('"', "\\\"");
    private(
        &world.path("my.cnf"),
        &format!("[client]\nuser = keeper\npassword = \"{escaped}\"\nsocket = {socket}\n"),
    );
    private(&world.path("wrong"), &format!("{}x", password()));
    let state = "[state]\ndirectory = \"state\"\n";
    let ways = [
        format!("socket = \"{socket}\"\nuser = \"keeper\"\npassword_file = \"password\""),
        "option_file = \"my.cnf\"".to_owned(),
    ];
    for way in ways {
        fill(&server).await;
        let head = format!("[database]\nkind = \"mysql\"\nname = \"p\"\n{way}\n{state}");
        world.write("maint.toml", &format!("{head}{POLICY}"));
        for args in [
            &["policy", "check", "-v"][..],
            &["plan", "-v"],
            &["run", "-v"],
            &["history", "-v"],
        ] {
            let (output, looks) = watched(&world, args);
            let said = world.said(&output);
            assert_eq!(said.code, 0, "{args:?} {said:?}");
            assert_sealed(&world, &output);
            assert!(
                looks > 10 || args[0] != "run",
                "only {looks} looks at a run"
            );
        }
    }
    let head = format!("[database]\nkind = \"mysql\"\nname = \"p\"\n{state}");
    let head = head.replace(
        "name",
        &format!("socket = \"{socket}\"\nuser = \"keeper\"\npassword_file = \"wrong\"\nname"),
    );
    world.write("maint.toml", &format!("{head}{POLICY}"));
    for args in [&["plan", "-v"][..], &["run", "-v", "--format", "json"]] {
        let (output, _) = watched(&world, args);
        let said = world.said(&output);
        assert_eq!(said.code, 8, "{said:?}");
        assert!(said.err.contains("keeper"), "{}", said.err);
        assert_sealed(&world, &output);
    }
}

#[test]
fn a_password_that_others_may_read_is_refused() {
    let world = World::empty();
    std::fs::write(world.path("password"), password()).unwrap();
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(world.path("password"), mode).unwrap();
    world.write(
        "maint.toml",
        &format!(
            "[database]\nkind = \"mysql\"\nname = \"p\"\nuser = \"u\"\n\
             password_file = \"password\"\n{POLICY}"
        ),
    );
    for verb in [&["policy", "check"][..], &["plan"], &["run"]] {
        let output = world.command(verb).output().unwrap();
        let said = world.said(&output);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains("chmod 600"), "{}", said.err);
        assert_sealed(&world, &output);
    }
}
