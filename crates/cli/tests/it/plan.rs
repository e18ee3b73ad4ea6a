//! `policy check`, `plan` and the output of `run` on a small fixed database.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::harness::{FIXED, KEEP_ROWS, World, redact, timed_numbers};

/// A plan says when it was made and how many days ago the oldest row was; the width of the latter
/// moves everything to the right of it.
fn without_today(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let Some(days) = words.windows(2).position(|pair| pair == ["days", "ago"]) {
            words[days - 1] = "N";
        }
        lines.push(match words.as_slice() {
            [rule] => rule.chars().take(20).collect(),
            words => words.join(" "),
        });
    }
    if let Some(first) = lines.first_mut() {
        let version = first.find(" at ").unwrap_or(0);
        let time = first.rfind(", ").unwrap_or(first.len());
        *first = format!("SQLite [VERSION]{}, [NOW]", &first[version..time]);
    }
    lines.join("\n")
}

#[test]
fn a_policy_is_said_in_words() {
    let world = World::empty();
    world.configure(KEEP_ROWS);
    let said = world.run(&["policy", "check"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!("policy_check", said.out);
}

#[test]
fn every_problem_of_a_policy_is_listed_with_its_place() {
    let world = World::empty();
    world.write(
        "maint.toml",
        r#"[database]
kind = "sqlite"
path = "m.db"
password = "271828"

[policy]
max_share = 2.0

[[policy.table]]
name = "tevento"
time = { column = "utimestamp", unit = "fortnights" }
keep = { days = 0 }

[[policy.table]]
name = "taudit"
time = { column = "at", unit = "datetime" }
keep = { days = 3, rows = 4 }
after = ["nobody"]
"#,
    );
    let said = world.run(&["policy", "check"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(!said.err.contains("271828"));
    insta::assert_snapshot!("policy_problems", said.err);

    world.write(
        "maint.toml",
        "[database]\nkind = \"sqlite\"\npath = \"m.db\"\ncolour = 1\n",
    );
    let said = world.run(&["policy", "check"]);
    assert_eq!(said.code, 2);
    insta::assert_snapshot!("policy_unknown_key", said.err);
}

#[test]
fn a_plan_for_people() {
    let world = World::with(10_000, KEEP_ROWS);
    for args in [&["plan"][..], &["run", "--dry-run"]] {
        let said = world.run(args);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        insta::assert_snapshot!("plan_human", without_today(&said.out));
    }
    let said = world.run(&["plan", "--exact"]);
    insta::assert_snapshot!("plan_human_exact", without_today(&said.out));
}

#[test]
fn a_plan_for_programs() {
    let world = World::with(10_000, KEEP_ROWS);
    let said = world.run(&["plan", "--exact", "--format", "json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let mut plan: Value = serde_json::from_str(&said.out).unwrap();
    redact(&mut plan, &["now", "product"]);
    insta::assert_snapshot!("plan_json", serde_json::to_string_pretty(&plan).unwrap());
}

#[test]
fn a_run_for_programs() {
    let world = World::with(10_000, KEEP_ROWS);
    let said = world.run(&["run", "--format", "json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let mut lines = Vec::new();
    for line in said.out.lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let timings = ["started", "finished", "working_s", "paused_s", "chunks"];
        redact(&mut event, &timings);
        lines.push(event.to_string());
    }
    insta::assert_snapshot!("run_json", lines.join("\n"));
    let verbose = World::with(10_000, KEEP_ROWS).run(&["run", "--format", "json", "-v"]);
    let chunk = verbose.out.lines().find(|line| line.contains("\"chunk\""));
    let mut chunk: Value = serde_json::from_str(chunk.unwrap()).unwrap();
    redact(
        &mut chunk,
        &["took_ms", "pause_ms", "deleted", "total", "limit"],
    );
    insta::assert_snapshot!("run_json_chunk", chunk.to_string());
}

#[test]
fn a_run_for_logs_then_status_and_history() {
    let world = World::with(10_000, KEEP_ROWS);
    let nothing = world.run(&["status"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (0, ""));
    assert_eq!(nothing.err, "no run is known in [DIR]/state\n");

    let said = world.run(&["run"]);
    assert_eq!(said.code, 0);
    let first = said.err.lines().next().unwrap();
    let (time, rest) = first.split_at(8);
    assert!(
        time.bytes().all(|b| b.is_ascii_digit() || b == b':'),
        "{first}"
    );
    assert_eq!(rest, " [PURGE] run 1 on [DIR]/m.db: 3 tables");
    assert!(
        said.out.contains("everything expired is gone"),
        "{}",
        said.out
    );

    let status = world.run(&["status", "--format", "json"]);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status[0]["running"], false);
    assert_eq!(status[0]["last"]["id"], 1);
    assert_eq!(status[0]["last"]["finished"]["outcome"], "done");

    assert_eq!(world.run(&["run", "-q"]).err, "");
    let list = world.run(&["history", "--format", "json", "--limit", "1"]);
    let list: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["id"], 2);
    let one = world.run(&["history", "1", "--format", "json"]);
    let one: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(one["records"][0]["step"], "purge tagente_datos");
    assert_eq!(one["records"].as_array().unwrap().len(), 6);
    for args in [&["status"][..], &["history"], &["history", "1"]] {
        let said = world.run(args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
        assert!(said.out.contains("[DIR]/m.db"), "{}", said.out);
    }
}

#[test]
fn a_plan_changes_nothing_and_needs_no_state_directory() {
    let world = World::with(10_000, KEEP_ROWS);
    let hash = || {
        let mut hasher = DefaultHasher::new();
        std::fs::read(world.database()).unwrap().hash(&mut hasher);
        hasher.finish()
    };
    let before = hash();
    assert_eq!(world.run(&["plan", "--exact"]).code, 0);
    assert_eq!(world.run(&["run", "--dry-run"]).code, 0);
    assert_eq!(hash(), before);
    let mut left: Vec<String> = world
        .dir
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["m.db", "maint.toml"]);
}

#[test]
fn what_the_plan_counts_is_what_the_run_deletes() {
    let world = World::with(10_000, KEEP_ROWS);
    let all = timed_numbers(&world.database());
    assert!(all > 8_000 && FIXED > 0);
    let plan = world.run(&["plan", "--exact", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let run = world.run(&["run", "--format", "json"]);
    let report: Value = serde_json::from_str(run.out.lines().last().unwrap()).unwrap();
    for (planned, done) in plan["tables"]
        .as_array()
        .unwrap()
        .iter()
        .zip(report["tables"].as_array().unwrap())
    {
        assert_eq!(planned["due"]["rows"], done["deleted"], "{}", done["table"]);
        assert!(done["deleted"].as_u64().unwrap() > 0);
    }
    let numbers = report["tables"][0]["deleted"].as_u64().unwrap();
    assert_eq!(timed_numbers(&world.database()), all - numbers);
}

#[test]
fn the_documented_configuration_is_valid() {
    let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
    let doc = std::fs::read_to_string(doc).unwrap();
    let (_, rest) = doc.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let world = World::empty();
    for name in ["my.cnf", "password"] {
        world.write(name, "");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(world.path(name), private).unwrap();
    }
    world.write("maint.toml", &example.replace("/etc/elpis/", ""));
    let said = world.run(&["policy", "check"]);
    assert_eq!(said.code, 0, "{said:?}");
}
