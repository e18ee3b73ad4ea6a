//! Rehearsals that cannot be held, which say nothing of the archive, and those that are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use elpis_backup::archive::Container;
use elpis_backup::restore::RestoreEvent;
use elpis_backup::{Expect, Hindrance, Probe, Rehearsal, RehearsalReport, RehearseError};
use elpis_mysql::{ConnectOptions, ServerError};
use elpis_run::{Clock, Holder, Observer, RealClock, StopToken, with_causes};
use jiff::Timestamp;

use crate::restore_db::{backup, mariadb, server};
use crate::support::{World, names, sh, verify, write};

/// A database whose views, routines and triggers belong to accounts of the application only.
fn archive(name: &str) -> (World, PathBuf) {
    let socket = server().socket();
    mariadb(socket, "", &format!("CREATE DATABASE {name}"));
    let app = format!("{name}_app");
    let sql = format!(
        "CREATE USER `{app}`@`10.1.%`; GRANT ALL ON {name}.* TO `{app}`@`10.1.%`; CREATE ROLE {app}_role;
         CREATE TABLE t (a INT PRIMARY KEY, b INT); INSERT INTO t SELECT seq, seq FROM seq_1_to_20000;
         CREATE TABLE isam (a INT) ENGINE=MyISAM; INSERT INTO isam VALUES (1);
         CREATE DEFINER=`{app}`@`10.1.%` FUNCTION f(x INT) RETURNS INT DETERMINISTIC RETURN x + 1;
         CREATE DEFINER=`{app}`@`10.1.%` VIEW below AS SELECT a FROM t;
         CREATE DEFINER=`{app}`@`10.1.%` VIEW above AS SELECT COUNT(*) AS n FROM below;
         CREATE DEFINER=`{app}`@`10.1.%` VIEW calls AS SELECT MAX(f(a)) AS n FROM t;
         CREATE DEFINER={app}_role VIEW of_role AS SELECT a FROM t;
         CREATE DEFINER=`{app}`@`10.1.%` TRIGGER trg BEFORE INSERT ON t FOR EACH ROW SET NEW.b = f(NEW.a)"
    );
    mariadb(socket, name, &sql);
    backup(&server().options(), &[name], Container::TarZst)
}

/// Does something when a restore says what it does.
struct When<F>(F);

impl<F: Fn(&RestoreEvent) + Send + Sync> Observer<RestoreEvent> for When<F> {
    fn on(&self, event: &RestoreEvent) {
        (self.0)(event);
    }
}

struct Trial<'a> {
    scratch: &'a Path,
    mariadbd: Option<&'a Path>,
    side: Option<ConnectOptions>,
    observer: Arc<dyn Observer<RestoreEvent>>,
    probes: Vec<Probe>,
}

impl<'a> Trial<'a> {
    fn new(scratch: &'a Path) -> Trial<'a> {
        Trial {
            scratch,
            mariadbd: None,
            side: None,
            observer: Arc::new(()),
            probes: Vec::new(),
        }
    }

    fn run(self, archive: &Path) -> Result<RehearsalReport, RehearseError> {
        let (clock, stop) = (RealClock::new(), StopToken::new());
        let rehearsal = Rehearsal {
            scratch: self.scratch,
            mariadbd: self.mariadbd,
            side: self.side,
            roots: Vec::new(),
            check: &(),
            probes: self.probes,
            max_data_age: None,
            clock: &clock,
            stop: &stop,
            holder: Holder::current("test", clock.now()),
            observer: self.observer,
        };
        let verified = verify(archive).unwrap();
        rehearsal.run(verified, &|| verify(archive), Timestamp::UNIX_EPOCH)
    }
}

#[track_caller]
fn hindrance(outcome: Result<RehearsalReport, RehearseError>) -> Hindrance {
    match outcome {
        Err(RehearseError::NotHeld { what, .. }) => what,
        Err(other) => panic!("{}", with_causes(&other)),
        Ok(report) => panic!("{report:#?}"),
    }
}

fn exactly(name: &str, sql: &str, answer: &str) -> Probe {
    Probe {
        name: name.to_owned(),
        sql: sql.to_owned(),
        expect: Expect::Exactly(answer.to_owned()),
    }
}

/// Its accounts are nowhere but at home, and what belongs to them is looked at all the same.
#[test]
fn what_belongs_to_the_applications_accounts_is_made_and_works() {
    let (_world, path) = archive("rehearsed_views");
    let scratch = tempfile::tempdir().unwrap();
    let report = Trial {
        probes: vec![
            exactly("view on a view", "SELECT n FROM above", "20000"),
            exactly("view that calls", "SELECT n FROM calls", "20001"),
            exactly("view of a role", "SELECT COUNT(*) FROM of_role", "20000"),
            // A table may take long to count.
            exactly("time", "SELECT @@SESSION.max_statement_time >= 3600", "1"),
        ],
        ..Trial::new(scratch.path())
    }
    .run(&path)
    .unwrap();
    assert!(report.is_passed(), "{report:#?}");
    assert_eq!(report.checks.len(), 6, "{report:#?}");
    assert_eq!(report.warnings, [""; 0]);
    assert_eq!(names(scratch.path()), [""; 0]);
}

/// Ends the server that works in `scratch`, and no other.
fn kill_server_in(scratch: &Path) {
    let data = format!("--datadir={}", scratch.display());
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let text = |name: &str| {
            let bytes = std::fs::read(path.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        // Its guardian has the same arguments.
        if text("comm").trim() == "mariadbd" && text("cmdline").contains(&data) {
            let pid = path.file_name().unwrap().to_str().unwrap().to_owned();
            sh("kill", &["-KILL", &pid], Path::new("/"));
            killed += 1;
        }
    }
    assert_eq!(killed, 1);
}

#[test]
fn a_server_that_dies_says_nothing_of_the_archive() {
    let (_world, path) = archive("rehearsed_deaths");
    for fatal in ["side database", "load", "compare", "rename", "clean up"] {
        let scratch = tempfile::tempdir().unwrap();
        let at = scratch.path().canonicalize().unwrap();
        let outcome = Trial {
            observer: Arc::new(When(move |event: &RestoreEvent| {
                if matches!(event, RestoreEvent::Step { step } if step == fatal) {
                    kill_server_in(&at);
                }
            })),
            ..Trial::new(scratch.path())
        }
        .run(&path);
        assert_eq!(hindrance(outcome), Hindrance::Server, "{fatal}");
        assert_eq!(names(scratch.path()), [""; 0], "{fatal}");
    }
}

#[test]
fn a_server_that_cannot_be_started_says_nothing_of_the_archive() {
    let (_world, path) = archive("rehearsed_starts");
    let scratch = tempfile::tempdir().unwrap();
    let none = Trial {
        mariadbd: Some(Path::new("/no/such/mariadbd")),
        ..Trial::new(scratch.path())
    }
    .run(&path);
    assert!(
        matches!(
            none,
            Err(RehearseError::Server(ServerError::Missing { .. }))
        ),
        "{none:?}"
    );
    // A host that has no memory for it.
    let programs = tempfile::tempdir().unwrap();
    let starved = programs.path().join("mariadbd");
    write(
        &starved,
        b"#!/bin/sh\ncase \"$*\" in *--version*) ;; *) ulimit -v 150000 ;; esac\n\
          exec /usr/sbin/mariadbd \"$@\"\n",
    );
    sh("chmod", &["755", "mariadbd"], programs.path());
    let starved = Trial {
        mariadbd: Some(&starved),
        ..Trial::new(scratch.path())
    }
    .run(&path);
    assert!(
        matches!(starved, Err(RehearseError::Server(_))),
        "{starved:?}"
    );
    assert_eq!(names(scratch.path()), [""; 0]);
}

/// A file system in memory of its own size.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Disk {
        let disk = Disk(tempfile::tempdir().unwrap());
        let options = format!("size={size}");
        let at = disk.0.path().to_str().unwrap();
        sh(
            "mount",
            &["-t", "tmpfs", "-o", &options, "elpis", at],
            Path::new("/"),
        );
        disk
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let at = self.0.path();
        let _ = Command::new("umount").arg("-l").arg(at).status();
    }
}

/// Too small for the files of a server, for a server, for what the plan wants, and full in the middle.
#[test]
fn a_full_disk_says_nothing_of_the_archive() {
    let (_world, path) = archive("rehearsed_room");
    for size in ["24m", "100m", "150m"] {
        let disk = Disk::new(size);
        let outcome = Trial::new(disk.0.path()).run(&path);
        assert_eq!(hindrance(outcome), Hindrance::Room, "{size}");
        assert_eq!(names(disk.0.path()), [""; 0], "{size}");
    }
    for full in ["side database", "indexes"] {
        let disk = Disk::new("600m");
        let ballast = disk.0.path().join("ballast");
        let outcome = Trial {
            observer: Arc::new(When(move |event: &RestoreEvent| {
                if matches!(event, RestoreEvent::Step { step } if step == full) {
                    // It ends where the disk does.
                    let mut fill = Command::new("dd");
                    let fill = fill.args(["if=/dev/zero", "bs=64k", "status=none"]);
                    let fill = fill.arg(format!("of={}", ballast.display()));
                    assert!(!fill.status().unwrap().success());
                }
            })),
            ..Trial::new(disk.0.path())
        }
        .run(&path);
        assert_eq!(hindrance(outcome), Hindrance::Room, "{full}");
        assert_eq!(names(disk.0.path()), ["ballast"], "{full}");
    }
}

/// What no server would take is held against the archive.
#[test]
fn an_archive_that_no_server_takes_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    let sql =
        "CREATE TABLE t (a INT PRIMARY KEY);\nINSERT INTO t VALUES (1),(1);\n-- Dump completed\n";
    write(&dir.path().join("pandora.sql"), sql.as_bytes());
    let path = dir.path().join("old.tar.gz");
    sh("tar", &["-czf", "old.tar.gz", "pandora.sql"], dir.path());
    let scratch = tempfile::tempdir().unwrap();
    let report = Trial::new(scratch.path()).run(&path).unwrap();
    assert!(!report.is_passed(), "{report:#?}");
    let said = &report.checks[0].said;
    assert!(said.contains("1062"), "{report:#?}");
}

/// Somebody's server has no account of the application, and gets none: views that need one are left
/// out, and nothing else is.
#[test]
fn a_side_database_gets_no_accounts() {
    let (_world, path) = archive("rehearsed_side");
    let socket = server().socket();
    mariadb(
        socket,
        "",
        "DROP USER rehearsed_side_app@'10.1.%'; DROP ROLE rehearsed_side_app_role",
    );
    let accounts = "SELECT User, Host FROM mysql.user WHERE User LIKE 'rehearsed_side%'";
    let scratch = tempfile::tempdir().unwrap();
    let report = Trial {
        mariadbd: Some(Path::new("/no/such/mariadbd")),
        side: Some(server().options()),
        ..Trial::new(scratch.path())
    }
    .run(&path)
    .unwrap();
    assert!(report.is_passed(), "{report:#?}");
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("view above is left out"), "{warnings}");
    assert_eq!(mariadb(socket, "", accounts), "");
}
