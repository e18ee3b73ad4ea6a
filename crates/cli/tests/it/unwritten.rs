//! A full disk behind standard output: it must not stop the work.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use crate::compact::rule;
use crate::harness::{KEEP_ROWS, Said, World};

/// A purge and a compaction are due.
fn world() -> World {
    World::with(10_000, &format!("{KEEP_ROWS}\n{}", rule("")))
}

/// Every byte that is written is one too many.
fn into_a_full_disk(world: &World, args: &[&str]) -> Said {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = world.command(args);
    world.said(&command.stdout(full).output().unwrap())
}

fn done(world: &World) -> Vec<(String, String)> {
    let said = world.run(&["history", "--format", "json"]);
    let runs: Value = serde_json::from_str(&said.out).unwrap();
    let runs = runs.as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    runs.map(|run| (text(&run["job"]), text(&run["finished"]["outcome"])))
        .collect()
}

#[test]
fn a_report_that_cannot_be_written_stops_nothing_and_is_told_at_the_end() {
    for format in ["human", "json"] {
        let world = world();
        let said = into_a_full_disk(&world, &["run", "--no-throttle", "--format", format]);
        assert_eq!(said.code, 7, "{said:?}");
        let told = "note: cannot write the report to standard output: No space left on device";
        assert!(said.err.contains(told), "{}", said.err);
        assert_eq!(said.err.matches("No space left").count(), 1, "{}", said.err);
        assert!(
            said.err.contains("hint: `elpis-maint history` lists"),
            "{}",
            said.err
        );
        let both = [("compact", "done"), ("purge", "done")];
        let both = both.map(|(job, how)| (job.to_owned(), how.to_owned()));
        assert_eq!(done(&world), both, "{format}");
    }
}

#[test]
fn how_a_run_ended_is_told_beside_what_could_not_be_written() {
    let world = world();
    let said = into_a_full_disk(&world, &["run", "--no-throttle", "--max-rows", "500"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("row limit"), "{}", said.err);
    assert!(
        said.err.contains("; cannot write the report"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("the next run continues; `elpis-maint"),
        "{}",
        said.err
    );
}

#[test]
fn an_answer_that_cannot_be_written_is_1_with_a_hint() {
    let world = world();
    let said = into_a_full_disk(&world, &["plan"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err
            .contains("error: cannot write the report to standard output: No space left"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("\nhint: see where standard output goes"),
        "{}",
        said.err
    );
}

#[test]
fn a_reader_who_went_away_is_no_fault() {
    let world = world();
    let mut command = world.command(&["run", "--no-throttle"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(done(&world).len(), 2);
}
