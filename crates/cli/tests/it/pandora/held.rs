//! The whole maintenance heeds a replica that stands still, and a server in distress: sweeps and
//! moves no less than a purge.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use elpis_mysql::PrivateServer;
use elpis_testkit::{Database, MariaDb};

use super::moved::Moving;
use super::{Site, alone, json};
use crate::server::occupy;

/// Quick at commits, with a binary log that a replica reads.
const SERVER: [&str; 2] = ["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"];

/// One sweep, of a table that does not move, and one move: the task, the table, and what an event of
/// waiting is called.
const PARTS: [(&str, &str, &str); 2] = [
    ("orphan_status", "tagente_estado", "waiting"),
    ("history", "tagente_datos", "move_waiting"),
];

fn started(moving: &Moving, only: &str, config: &str) -> Child {
    let config = moving.site.world.path(config).display().to_string();
    let args = ["run", "--only", only, "--format", "json", "-v"];
    let mut command = moving
        .site
        .command(&[&args[..], &["--config", &config]].concat());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn settings(throttle: &str) -> String {
    format!("[state]\ndirectory = \"state\"\n{throttle}")
}

fn rows(moving: &Moving, table: &str) -> u64 {
    let sql = format!("SELECT COUNT(*) FROM {table};");
    moving.site.number(&sql)
}

/// A replica of `primary` that begins with what the databases hold now: how they were filled is not
/// in the binary log.
fn replica_of(primary: &PrivateServer, databases: [&MariaDb; 2]) -> PrivateServer {
    let replica = MariaDb::own_server(&SERVER);
    databases[0].sql("RESET MASTER;");
    let socket = format!("--socket={}", primary.socket().display());
    let mut dump = Command::new("mariadb-dump");
    let dump = dump.args(["--no-defaults", &socket, "--user=root", "--databases"]);
    let dumped = dump.args(databases.map(MariaDb::name)).output().unwrap();
    assert!(dumped.status.success(), "{dumped:?}");
    let text = String::from_utf8(dumped.stdout).unwrap();
    let anywhere = MariaDb::existing(&replica, "mysql");
    anywhere.sql(&format!("SET sql_log_bin = 0; {text}"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(replica.replicate_from(primary)).unwrap();
    replica
}

#[test]
fn a_stopped_replica_holds_sweeps_and_moves() {
    let primary = MariaDb::own_server(&SERVER);
    let moving = Moving::between(&primary, &primary, &[]);
    moving.fill(300);
    let replica = replica_of(&primary, [&moving.site.db, &moving.history]);
    let there = MariaDb::existing(&replica, "mysql");
    let caught_up = || {
        let place = moving.site.db.sql("SELECT @@GLOBAL.gtid_binlog_pos;");
        let waited = format!("SELECT MASTER_GTID_WAIT('{}', 60);", place.trim());
        let waited = there.sql(&waited);
        assert_eq!(waited.trim(), "0", "{}", there.sql("SHOW SLAVE STATUS;"));
    };
    let socket = replica.socket().display();
    let watched = format!("[[replica]]\nname = \"db2\"\nsocket = \"{socket}\"\nuser = \"root\"\n");
    moving.site.world.write("watched.toml", &settings(&watched));
    for (only, table, waiting) in PARTS {
        caught_up();
        there.sql("STOP SLAVE SQL_THREAD;");
        let before = rows(&moving, table);
        let guard = alone();
        let mut child = started(&moving, only, "watched.toml");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut events = lines.map(|line| json(&line.unwrap()));
        let held = events.find(|event| event["event"] == waiting);
        let held = held.unwrap_or_else(|| panic!("{only} did not wait"));
        let why = held["why"].as_str().unwrap();
        assert!(why.contains("db2") && why.contains("SQL thread"), "{why}");
        assert_eq!(rows(&moving, table), before, "{only} did something");
        there.sql("START SLAVE SQL_THREAD;");
        let resumed = waiting.replace("waiting", "resumed");
        assert!(events.any(|event| event["event"] == resumed.as_str()));
        events.for_each(drop);
        let said = moving.site.world.said(&child.wait_with_output().unwrap());
        drop(guard);
        assert_eq!(said.code, 0, "{only}: {said:?}");
        assert!(rows(&moving, table) < before, "{only} did nothing");
    }
    caught_up();
    let there = MariaDb::existing(&replica, moving.site.db.name());
    for (_, table, _) in PARTS {
        assert_eq!(there.checksum(table), moving.site.db.checksum(table));
    }
}

#[test]
fn a_server_in_distress_ends_sweeps_and_moves_with_4() {
    let server = MariaDb::own_server(&elpis_testkit::pandora::QUICK);
    let moving = Moving::between(&server, &server, &[]);
    moving.fill(300);
    let limit = "[policy.throttle]\ncritical_threads_running = 3\n";
    moving.site.world.write("limit.toml", &settings(limit));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = moving.site.world.path("limit.toml").display().to_string();
    let run = |only: &str| {
        moving
            .site
            .run(&["run", "--only", only, "--config", &config])
    };
    let sleepers = runtime.block_on(occupy(&server, 6));
    let before = PARTS.map(|(_, table, _)| rows(&moving, table));
    for (only, _, _) in PARTS {
        let said = run(only);
        assert_eq!(said.code, 4, "{only}: {said:?}");
        assert!(said.err.contains("critical limit 3"), "{}", said.err);
    }
    assert_eq!(PARTS.map(|(_, table, _)| rows(&moving, table)), before);
    assert_eq!(
        moving.history.number("SELECT COUNT(*) FROM tagente_datos;"),
        0
    );

    sleepers.iter().for_each(tokio::task::JoinHandle::abort);
    // Their statements end with the sessions.
    let asleep = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%';";
    let ids = "SELECT id FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%';";
    let ids = moving.site.db.sql(ids);
    for id in ids.lines() {
        moving.site.db.sql(&format!("KILL {id};"));
    }
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while moving.site.number(asleep) > 0 {
        assert!(std::time::Instant::now() < give_up);
        std::thread::yield_now();
    }
    for (only, _, _) in PARTS {
        assert_eq!(run(only).code, 0, "{only}");
    }
    assert_eq!(moving.misplaced(), 0);
    let orphans = "SELECT COUNT(*) FROM tagente_estado WHERE id_agente_modulo NOT IN \
                   (SELECT id_agente_modulo FROM tagente_modulo);";
    assert_eq!(moving.site.number(orphans), 0);
}

#[test]
fn a_server_that_is_read_only_is_refused_before_anything_moves() {
    let server = MariaDb::own_server(&elpis_testkit::pandora::QUICK);
    let moving = Moving::between(&server, Site::server(), &[]);
    moving.fill(100);
    let before = moving.contents();
    moving.site.db.sql("SET GLOBAL read_only = 1;");
    let said = moving.site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("read_only"), "{}", said.err);
    assert!(
        !said.err.contains("some of the run was done"),
        "{}",
        said.err
    );
    moving.assert_holds(&before);
    let moved = "SELECT COUNT(*) FROM tagente_datos;";
    assert_eq!(moving.history.number(moved), 0);
}
