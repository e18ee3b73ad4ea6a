//! The tool is killed at any moment of a restore; after `resume` the live database is the new one,
//! after `undo` the old one, and in between it is one of both as soon as somebody looks.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use elpis_backup::archive::Container;
use elpis_backup::restore::{RestoreState, runs};
use elpis_mysql::{ConnectOptions, PrivateServer};

use super::{
    Bench, CHANGES, backup, create, databases, difference, mariadb, of_archive, policy, portrait,
    same,
};
use crate::support::rounds;

/// Where the child finds its work: socket, directory of the journal, archive, and the run to resume
/// or undo.
const WORK: &str = "ELPIS_TEST_RESTORE";

/// Not a test: what the child does.
#[test]
#[ignore = "is run by the test that kills it"]
fn child() {
    let Ok(work) = std::env::var(WORK) else {
        return;
    };
    let words: Vec<&str> = work.split('\n').collect();
    let options = ConnectOptions {
        user: "root".into(),
        socket: Some(words[0].into()),
        ..ConnectOptions::default()
    };
    let bench = Bench::at(options, Path::new(words[1]));
    let text = of_archive(Path::new(words[2]));
    let newest = runs(&bench.journal).unwrap().first().map(|run| run.run);
    match (words[3], newest) {
        ("resume", Some(run)) => drop(bench.restore(None).resume(run, Some(&text)).unwrap()),
        ("undo", Some(run)) => drop(bench.restore(None).undo(run).unwrap()),
        _ => drop(bench.run(&policy("killed"), &text).unwrap()),
    }
}

struct Arena {
    server: PrivateServer,
    dir: tempfile::TempDir,
    archive: std::path::PathBuf,
}

impl Arena {
    fn child(&self, verb: &str) -> Child {
        let work = [
            self.server.socket().to_str().unwrap(),
            self.dir.path().to_str().unwrap(),
            self.archive.to_str().unwrap(),
            verb,
        ];
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "restore_db::kills::child"])
            .env(WORK, work.join("\n"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn steps(&self) -> usize {
        let bench = Bench::at(self.server.options(), self.dir.path());
        let all = elpis_run::Journal::list(&bench.journal, &elpis_run::Query::default()).unwrap();
        let records = |run: &elpis_run::RunSummary| {
            elpis_run::Journal::replay(&bench.journal, run.id)
                .unwrap()
                .records
                .len()
        };
        all.iter().map(records).sum()
    }
}

#[test]
fn a_killed_restore_is_finished_or_taken_back_whole() {
    let server = PrivateServer::builder()
        .arg("--innodb-flush-log-at-trx-commit=0")
        .arg("--innodb-buffer-pool-size=64M")
        .start()
        .unwrap();
    let socket = server.socket().to_owned();
    create(&socket, "killed");
    let new = portrait(&socket, "killed");
    let (_world, archive) = backup(&server.options(), &["killed"], Container::TarZst);
    mariadb(&socket, "killed", CHANGES);
    let old = portrait(&socket, "killed");
    let dir = tempfile::tempdir().unwrap();
    let arena = Arena {
        server,
        dir,
        archive,
    };

    // How long one takes that is left alone, from its first record on.
    let (mut child, begun) = begin(&arena, "run");
    assert!(child.wait().unwrap().success());
    let whole = begun.elapsed();
    same(&portrait(&socket, "killed"), &new);
    let bench = Bench::at(arena.server.options(), arena.dir.path());
    let run = runs(&bench.journal).unwrap()[0].run;
    bench.restore(None).undo(run).unwrap();
    bench.restore(None).forget(run).unwrap();
    drop(bench);

    let mut random = fastrand::Rng::with_seed(17);
    let (mut counted, mut after_exchange, mut tried) = (0, 0, 0);
    let wanted = rounds(5, 200);
    while counted < wanted {
        tried += 1;
        assert!(
            tried <= 4 * wanted,
            "only {counted} of {tried} kills met unfinished work"
        );
        let (mut child, _) = begin(&arena, "run");
        // The end is short, and the more interesting.
        let share = if random.bool() {
            random.f64()
        } else {
            1.0 - random.f64() * random.f64() * 0.5
        };
        std::thread::sleep(whole.mul_f64(share));
        kill(&mut child);
        let bench = Bench::at(arena.server.options(), arena.dir.path());
        let found = runs(&bench.journal).unwrap().remove(0);
        let unfinished = found.state == RestoreState::Unfinished;
        counted += u64::from(unfinished);
        drop(bench);
        // Half of the second attempts are killed as well.
        let verb = if random.bool() && unfinished {
            "resume"
        } else {
            "undo"
        };
        if random.bool() {
            let (mut child, _) = begin(&arena, verb);
            std::thread::sleep(whole.mul_f64(random.f64() * 0.6));
            kill(&mut child);
        }
        let bench = Bench::at(arena.server.options(), arena.dir.path());
        let found = runs(&bench.journal).unwrap().remove(0);
        let text = of_archive(&arena.archive);
        let is_new = if verb == "resume" {
            if found.state == RestoreState::Unfinished {
                bench.restore(None).resume(found.run, Some(&text)).unwrap();
            }
            same(&portrait(&socket, "killed"), &new);
            after_exchange += 1;
            true
        } else {
            if found.state != RestoreState::Undone {
                bench.restore(None).undo(found.run).unwrap();
            }
            false
        };
        if is_new {
            bench.restore(None).undo(found.run).unwrap();
        }
        let is = portrait(&socket, "killed");
        assert!(
            difference(&is, &old).is_empty(),
            "{} ({verb}, {share:.3})",
            difference(&is, &old)
        );
        bench.restore(None).forget(found.run).unwrap();
        assert_eq!(databases(&socket, "killed"), ["killed"]);
    }
    println!(
        "{counted} of {tried} kills met unfinished work of {whole:?}; {after_exchange} were resumed"
    );
}

/// Starts a child and waits until it has recorded something.
fn begin(arena: &Arena, verb: &str) -> (Child, Instant) {
    let before = arena.steps();
    let mut child = arena.child(verb);
    let begun = Instant::now();
    while arena.steps() <= before && child.try_wait().unwrap().is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the child does not begin"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    (child, Instant::now())
}

fn kill(child: &mut Child) {
    // It may have ended.
    let _ = child.kill();
    child.wait().unwrap();
}
