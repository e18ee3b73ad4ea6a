//! That the console and the operator hear of a run, whatever stands in the way.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;
use serde_json::Value;

use super::{Site, alone, json};
use crate::harness::Said;
use crate::interrupted::signal;

#[test]
fn a_report_that_cannot_be_written_stops_neither_compaction_nor_the_word_to_the_console() {
    let site = Site::with(&[("days_compact", "20")]);
    let said = {
        let _alone = alone();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = site.command(&["run", "--no-throttle"]);
        site.world.said(&command.stdout(full).output().unwrap())
    };
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("cannot write the report"), "{}", said.err);
    assert_eq!(site.last_run().len(), 1);
    let status = site.run(&["status"]).out;
    assert!(status.contains("compact"), "{status}");
}

#[test]
fn a_server_that_wants_keys_in_every_statement_is_told_that_we_know() {
    let server = MariaDb::own_server(&[]);
    let installation = Installation {
        now: Timestamp::now(),
        ..Installation::small()
    };
    let site = Site::on(&server, installation);
    site.db.sql("SET GLOBAL sql_safe_updates = 1;");
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(site.last_run().len(), 1);
}

#[test]
fn a_console_that_cannot_be_told_is_a_concern_and_no_failure() {
    let site = Site::with(&[]);
    let name = site.db.name();
    let mut grants = format!("REVOKE ALL ON {name}.* FROM '{name}'@'localhost';");
    for table in site.db.sql("SHOW TABLES;").lines() {
        let may = match table {
            "tconfig" => "SELECT",
            _ => "SELECT, INSERT, UPDATE, DELETE",
        };
        grants += &format!("GRANT {may} ON {name}.{table} TO '{name}'@'localhost';");
    }
    site.db.sql(&grants);
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.err.contains("the console was not told"),
        "{}",
        said.err
    );
    assert!(said.err.contains("tconfig"), "{}", said.err);
    assert!(
        said.err.contains("everything else was done"),
        "{}",
        said.err
    );
}

fn history(site: &Site, more: &[&str]) -> Value {
    let mut args = vec!["history", "--format", "json"];
    args.extend(more);
    let mut command = site.command(&args);
    if !command.get_args().any(|arg| arg == "--config") {
        command.arg("--config").arg(site.world.path("state.toml"));
    }
    let said: Said = site.world.said(&command.output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    json(&said.out)
}

/// 24 runs a day that have nothing to do: most of a journal is of these.
#[test]
fn a_run_that_did_nothing_leaves_little_behind() {
    let site = Site::with(&[]);
    let both = ["run", "--no-throttle", "--only", "check,integrity"];
    for _ in 0..2 {
        let said = site.run(&both);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let runs = history(&site, &[]);
    let of = |run: &Value| history(&site, &[&run["id"].to_string()]);
    let [idle, busy] = [&runs[0], &runs[1]].map(of);
    assert!(busy["plan"]["tasks"].is_array());
    assert_eq!(idle["plan"], Value::Null);
    // Which parts there were, and at how many rows they looked, is there still.
    let [record] = &idle["records"].as_array().unwrap()[..] else {
        panic!("{idle}");
    };
    assert!(
        record["detail"]["sweep"]["orphan_status"].is_u64(),
        "{record}"
    );
    let parts = record["detail"]["sweep"].as_object().unwrap().len();
    assert!(record.to_string().len() < 200 + 40 * parts, "{record}");
}

#[test]
fn whoever_stops_watching_is_told_that_the_run_goes_on() {
    let site = Site::with(&[]);
    let _alone = alone();
    let held = site.hold_sessions();
    let said = site.run(&["run", "--background", "--only", "audit"]);
    assert_eq!(said.code, 0, "{said:?}");
    let mut command = site.command(&["status", "--follow"]);
    command.stderr(Stdio::piped());
    command.stdout(Stdio::piped());
    let watching = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    signal(&watching, "INT");
    let left = site.world.said(&watching.wait_with_output().unwrap());
    held.release();
    assert_eq!(left.code, 130, "{left:?}");
    assert!(left.err.contains("the run goes on"), "{}", left.err);
    assert!(!left.err.contains("gone stays gone"), "{}", left.err);
    let followed = site.run(&["status", "--follow"]);
    assert_eq!(followed.code, 0, "{followed:?}");
}

/// What lands in a mail or a log is as wide as one reads it, and says each thing once.
#[test]
fn a_plan_that_is_piped_can_be_read() {
    let site = Site::with(&[]);
    let before = parts_of(&site);
    let said = site.run(&["plan", "--exact"]);
    assert_eq!(said.code, 0, "{said:?}");
    let (table, below) = said.out.split_once("rows to delete or change").unwrap();
    for line in table.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
    let starred = |task: &str| {
        let line = table.lines().find(|line| line.starts_with(task)).unwrap();
        line.contains(" * ")
    };
    assert!(starred("orphan_status") && starred("network_configuration"));
    assert!(!starred("audit"), "{table}");
    assert_eq!(below.matches("* counted as the database is now").count(), 1);
    let notes: Vec<&str> = below.lines().filter(|line| line.starts_with('[')).collect();
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    for (i, note) in notes.iter().enumerate() {
        let (number, note) = note.split_once(' ').unwrap();
        assert_eq!(number, format!("[{}]", i + 1));
        assert!(table.contains(number) && !words.contains(note), "{note}");
    }

    // The sum is that of all parts. Time goes by between plans, and makes more due, never less.
    let after = parts_of(&site);
    assert!(after.0, "no part says that it shares rows");
    let head = table.lines().last().unwrap().trim().replace(',', "");
    let said: u64 = head.parse().unwrap();
    let (before, after) = (before.1, after.1);
    assert!(
        (before..=after).contains(&said),
        "{before}, {said}, {after}"
    );
}

/// Whether parts of the plan for programs say that they share rows, and what all parts are together.
fn parts_of(site: &Site) -> (bool, u64) {
    let plan = json(&site.run(&["plan", "--exact", "--format", "json"]).out);
    let tasks = plan["tasks"].as_array().unwrap().iter();
    let parts = tasks.flat_map(|task| task["parts"].as_array().unwrap());
    let rows = |part: &Value| {
        let more = |list: &Value| -> u64 {
            let list = list.as_array().into_iter().flatten();
            list.filter_map(|pair| pair[1].as_u64()).sum()
        };
        let own = &part["due"]["rows"];
        let own = own.as_u64().or(part["facts"]["due"]["rows"].as_u64());
        own.unwrap_or(0) + more(&part["cascaded"]) + more(&part["facts"]["dependents"])
    };
    let share = parts.clone().any(|part| part["overlaps"].is_array());
    (share, parts.map(rows).sum())
}

/// No file may have a byte, as if the disk were full.
fn without_room(site: &Site, args: &[&str]) -> Said {
    let inner = site.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.current_dir(site.world.dir.path()).env_clear();
    let set = inner
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.envs(set).env("PATH", "/usr/bin:/bin");
    site.world.said(&command.output().unwrap())
}

#[test]
fn a_full_state_directory_is_2_and_nothing_begins() {
    let site = Site::with(&[]);
    let said = without_room(&site, &["run"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("state/journal.db"), "{}", said.err);
    assert!(
        said.err.contains("\nhint: see whether the file system"),
        "{}",
        said.err
    );
    let said = without_room(&site, &["run", "--background"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.err
            .contains("could not write why to [DIR]/state/background.log"),
        "{}",
        said.err
    );
    assert!(said.err.contains("\nhint: see whether"), "{}", said.err);
}
