//! A restore that lets the product work before its time series are there: killed while they follow,
//! shown by `list`, finished or taken back; and gentle where the configuration says so.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use super::{Installation, REACH, rounds, seed};
use crate::backup_server::sql;

impl Installation {
    /// Starts it and kills it so long after the product can work; whether it was still at work.
    fn kill_while_it_fills(&self, after: Duration) -> bool {
        let mut command = self.site.command(&self.args("config-first"));
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("the product can work")));
        std::thread::sleep(after);
        let _ = child.kill();
        child.wait().unwrap().code().is_none()
    }

    fn restores(&self) -> Vec<serde_json::Value> {
        let said = self.site.run(&["list", "--restores", "--format", "json"]);
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str(&said.out).unwrap()
    }
}

#[test]
fn a_restore_that_fills_is_listed_and_killed_anywhere_it_ends_well() {
    let world = Installation::new();
    assert_eq!(world.restores(), [serde_json::Value::Null; 0]);
    let seed = seed(8);
    let mut random = fastrand::Rng::with_seed(seed);
    let (wanted, mut counted, mut tried) = (rounds(2, 40), 0, 0);
    while counted < wanted {
        tried += 1;
        assert!(tried <= 4 * wanted, "only {counted} of {tried} met it");
        let after = Duration::from_millis(random.u64(..600));
        let what = format!("seed {seed}, try {tried}, {after:?}");
        let met = world.kill_while_it_fills(after);
        let found = world.restores();
        let of = |what: &str| found.iter().find(|run| run["what"] == what).unwrap();
        let (database, files) = (of("database"), of("files"));
        assert_eq!(files["state"], "done", "{what}: {found:?}");
        if met && database["state"] == "filling" {
            counted += 1;
            assert_eq!(database["is_running"], false);
            let run = &database["run"];
            let next = [
                format!("elpis-backup resume --run {run}"),
                format!("elpis-backup undo --run {run}"),
            ];
            assert_eq!(database["next"], serde_json::json!(next));
            let said = world.site.run(&["list", "--target", "dest"]);
            assert_eq!(said.code, 0, "{said:?}");
            let reminder = format!(
                "in use, rows still follow, its process has ended; `{}` or `{}`",
                next[0], next[1]
            );
            assert!(said.err.contains(&reminder), "{said:?}");
            let said = world.site.run(&["list", "--restores"]);
            assert!(said.out.contains("in use, rows still follow"), "{said:?}");
        }
        let verb = if tried % 2 == 0 { "undo" } else { "resume" };
        if verb == "resume" && database["state"] == "filling" {
            let said = world.run("resume");
            assert_eq!(said.code, 0, "{what}: {said:?}");
            world.is(&world.new, &what);
        }
        let said = world.run("undo");
        assert_eq!(said.code, 0, "{what}: {said:?}");
        world.is(&world.old, &what);
        let found = world.restores();
        assert!(
            found.iter().all(|run| run["state"] == "undone"),
            "{found:?}"
        );
        let said = world.site.run(&["list", "--target", "dest"]);
        assert!(!said.err.contains("restore "), "{said:?}");
        world.forget_all(&what);
        assert_eq!(world.open_runs(), 0, "{what}");
    }
    assert_eq!(world.restores(), [serde_json::Value::Null; 0]);
    println!("seed {seed}: {counted} of {tried} kills met a restore that filled");
}

/// `max_threads_running`, as backups have it: rows wait for a server that has other work.
#[test]
fn rows_that_follow_wait_for_a_busy_server() {
    let world = Installation::new();
    let config = std::fs::read_to_string(world.site.path("backup.toml")).unwrap_or_default();
    let limit = |limit: u32| {
        let more = format!("{config}\n[restore]\nmax_threads_running = {limit}\n");
        world.site.write("backup.toml", &more);
    };
    limit(0);
    let said = world.run("config-first");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("restore.max_threads_running"), "{said:?}");
    world.is(&world.old, "refused");
    limit(4);
    let busy = std::thread::scope(|scope| {
        for _ in 0..8 {
            // They work somewhere else, for longer than it takes to come to the rows.
            scope.spawn(|| sql(&world.server, "DO SLEEP(12)"));
        }
        world.run("config-first")
    });
    assert_eq!(busy.code, 0, "{busy:?}");
    let (before, after) = busy.err.split_once("the product can work").unwrap();
    assert!(!before.contains("waiting: "), "{busy:?}");
    assert!(after.contains("statements are running > 4"), "{busy:?}");
    world.is(&world.new, "and then they came");
    let said = world.site.run(&[&["undo"][..], &REACH].concat());
    assert_eq!(said.code, 0, "{said:?}");
}
