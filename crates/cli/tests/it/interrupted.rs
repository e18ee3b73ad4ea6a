//! Signals: the first waits for the chunk, the second does not.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use crate::harness::{ALL_EXPIRED, SLOW, World, timed_numbers};

pub(crate) fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Starts a slow run and waits until its first chunk is gone.
fn begun(world: &World) -> (Child, BufReader<ChildStdout>) {
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
    (child, out)
}

#[test]
fn a_signal_ends_the_run_after_the_chunk_and_the_next_one_completes() {
    for name in ["INT", "TERM"] {
        let world = World::with(10_000, SLOW);
        let before = timed_numbers(&world.database());
        let (child, out) = begun(&world);
        signal(&child, name);
        let last = out.lines().map(Result::unwrap).last().unwrap();
        let said = world.said(&child.wait_with_output().unwrap());
        assert_eq!(said.code, 130, "{said:?}");
        assert!(said.err.contains("hint: "), "{}", said.err);
        let report: serde_json::Value = serde_json::from_str(&last).unwrap();
        assert_eq!(report["event"], "finished");
        assert_eq!(report["ended"]["how"], "interrupted");
        let deleted = report["tables"][0]["deleted"].as_u64().unwrap();
        assert!(deleted > 0 && deleted < before, "{deleted} of {before}");
        assert_eq!(timed_numbers(&world.database()), before - deleted);

        let history = world.run(&["history", "--format", "json"]);
        let history: serde_json::Value = serde_json::from_str(&history.out).unwrap();
        assert_eq!(history[0]["finished"]["outcome"], "stopped");

        world.configure(ALL_EXPIRED);
        assert_eq!(world.run(&["run"]).code, 0);
        assert_eq!(timed_numbers(&world.database()), 0);
    }
}

#[test]
fn a_run_at_work_is_seen_and_refuses_a_second_one() {
    // One chunk, then a pause that no test would wait for.
    let endless = SLOW
        .replace("max_rows = 20", "max_rows = 1")
        .replace("min_rows = 20", "min_rows = 1");
    let world = World::with(10_000, &endless);
    let (child, out) = begun(&world);

    let status = world.run(&["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status[0]["running"], true);
    assert_eq!(status[0]["last"]["holder"]["pid"], child.id());

    let second = world.run(&["run"]);
    assert_eq!(second.code, 6, "{second:?}");
    let hint = format!("hint: run 1 of elpis-maint (pid {}", child.id());
    assert!(second.err.contains(&hint), "{}", second.err);

    signal(&child, "INT");
    drop(out);
    let said = world.said(&child.wait_with_output().unwrap());
    assert_eq!(said.code, 130, "{said:?}");
}

#[test]
fn a_killed_run_is_told_from_one_at_work_and_closed_by_the_next() {
    let world = World::with(10_000, SLOW);
    let (mut child, _out) = begun(&world);
    child.kill().unwrap();
    child.wait().unwrap();
    let status = world.run(&["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status[0]["running"], false);
    assert_eq!(status[0]["last"]["finished"], serde_json::Value::Null);
    assert!(world.run(&["status"]).out.contains("died without a word"));

    world.configure(ALL_EXPIRED);
    assert_eq!(world.run(&["run"]).code, 0);
    assert_eq!(timed_numbers(&world.database()), 0);
    let history = world.run(&["history", "--format", "json"]);
    let history: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    assert_eq!(history[0]["finished"]["outcome"], "done");
    assert_eq!(history[1]["finished"]["outcome"], "interrupted");
}
