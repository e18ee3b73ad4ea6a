//! `kill -9` of the server in the middle of a restore, at a step that the program has just said it
//! begins: an exit code that tells it, and a `resume` or `undo` that works once the server is back.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use super::{Installation, rounds, seed};
use crate::harness::Said;

/// What the program says when it begins a step, in the order of a run.
const STEPS: [&str; 9] = [
    "load",
    "indexes",
    "compare",
    "capture",
    "take down",
    "rename",
    "exchanged in",
    "objects",
    "events",
];

impl Installation {
    /// Restores as `verb` says it, and kills the server so long after the program has said `step`;
    /// whether it was said at all.
    fn restore_without_server(&mut self, verb: &str, step: &str, after: Duration) -> (Said, bool) {
        let mut command = self.site.command(&self.args(verb));
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut err = String::new();
        let mut killed = false;
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            if !killed && line.contains(&format!("] {step}")) {
                if step == "take down" {
                    self.wait_for_triggers_to_go();
                }
                std::thread::sleep(after);
                self.server.kill().unwrap();
                killed = true;
            }
            err += &format!("{line}\n");
        }
        let code = child.wait().unwrap().code().unwrap_or(-1);
        if killed {
            self.server.restart().unwrap();
            crate::backup_server::sql(
                &self.server,
                "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
            );
        }
        let said = Said {
            out: String::new(),
            err,
            code,
        };
        (said, killed)
    }

    /// The triggers of the live database are gone, and the exchange is what comes next.
    fn wait_for_triggers_to_go(&self) {
        let dir = self.server.datadir().join("pandora");
        let give_up = std::time::Instant::now() + Duration::from_secs(30);
        let is_there = || dir.join("tmodulo.TRG").exists() || dir.join("tagente.TRG").exists();
        while is_there() {
            assert!(std::time::Instant::now() < give_up);
            std::hint::spin_loop();
        }
    }

    /// What becomes of it afterwards.
    fn settle(&mut self, verb: &str, what: &str) {
        let said = self.run(verb);
        assert_eq!(said.code, 0, "{what}: {said:?}");
        assert_eq!(
            self.is_new(&format!("{what}: {said:?}")),
            verb == "resume",
            "{what}"
        );
        if verb == "resume" {
            let said = self.run("undo");
            assert_eq!(said.code, 0, "{what}: {said:?}");
            self.is(&self.old, what);
        }
        assert_eq!(self.open_runs(), 0, "{what}");
        self.forget_all(what);
        self.is(&self.old, what);
    }
}

#[test]
fn a_restore_whose_server_was_killed_is_finished_or_taken_back() {
    let mut world = Installation::new();
    let seed = seed(5);
    let mut random = fastrand::Rng::with_seed(seed);
    // Rows half there, the moment before the exchange with the triggers gone, and right behind it.
    let mut plan = vec![
        ("load", 0, "resume"),
        ("take down", 0, "undo"),
        ("exchanged in", 0, "resume"),
    ];
    for round in 0..rounds(0, 30) {
        let step = STEPS[random.usize(..STEPS.len())];
        let verb = if round % 2 == 0 { "undo" } else { "resume" };
        plan.push((step, random.u64(..40), verb));
    }
    let counted = world.lose_servers("restore", &plan, seed);
    println!("seed {seed}: {counted} restores lost their server");
    assert!(counted >= 2);
}

/// What the program says while rows follow: the live database is the new one, and not whole yet.
const LATER: [&str; 8] = [
    "rename",
    "objects",
    "events",
    "rest load",
    "rest indexes",
    "rest compare",
    "fill",
    "clean up rest",
];

/// The transactions that put rows into live tables are not on disk yet when the server is killed
/// (`innodb_flush_log_at_trx_commit` is 0), and neither are their marks.
#[test]
fn rows_that_follow_come_once_whenever_the_server_is_killed() {
    let mut world = Installation::new();
    let seed = seed(6);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut plan = vec![("fill", 60, "resume"), ("fill", 150, "undo")];
    for round in 0..rounds(0, 40) {
        let step = match random.u8(..3) {
            0 => LATER[random.usize(..LATER.len())],
            _ => "fill",
        };
        let verb = if round % 3 == 0 { "undo" } else { "resume" };
        let longest = if step == "fill" { 500 } else { 40 };
        plan.push((step, random.u64(..longest), verb));
    }
    let counted = world.lose_servers("config-first", &plan, seed);
    println!("seed {seed}: {counted} restores lost their server while rows followed");
    assert!(counted >= 1);
}

impl Installation {
    /// Kills the server as the plan says, and settles each; how many restores met it.
    fn lose_servers(&mut self, how: &str, plan: &[(&str, u64, &str)], seed: u64) -> u32 {
        let world = self;
        let mut counted = 0;
        for &(step, after, verb) in plan {
            let what = format!("seed {seed}, {after} ms after `{step}`, {verb}");
            let (said, killed) =
                world.restore_without_server(how, step, Duration::from_millis(after));
            assert!(killed, "{what}: {said:?}");
            if said.code == 0 || said.code == 7 {
                // The last answer had come.
                let is_last = ["exchanged in", "fill", "clean up rest"].contains(&step);
                assert!(after > 0 || is_last, "{what}: {said:?}");
                let said = world.run("undo");
                assert_eq!(said.code, 0, "{what}: {said:?}");
                world.forget_all(&what);
                continue;
            }
            counted += 1;
            assert_eq!(said.code, 4, "{what}: {said:?}");
            assert!(
                said.err.contains("error: ") && said.err.contains("hint: "),
                "{said:?}"
            );
            assert!(said.err.contains("elpis-backup resume"), "{said:?}");
            world.settle(verb, &format!("{what}: {said:?}"));
            println!("{what}: {counted} so far");
        }
        counted
    }
}
