//! The way there and the way back.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use elpis_backup::archive::Container;
use elpis_backup::restore::{RestoreState, ServiceError, Services, runs};

use super::{
    Bench, CHANGES, backup, create, databases, mariadb, of_archive, policy, portrait, quieten,
    same, server,
};

#[test]
fn a_database_comes_back_and_goes_again() {
    let server = server();
    let socket = server.socket();
    create(socket, "whole");
    let first = portrait(socket, "whole");
    let (_world, path) = backup(&server.options(), &["whole"], Container::TarZst);
    mariadb(socket, "whole", CHANGES);
    let second = portrait(socket, "whole");
    assert_ne!(first, second);

    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let plan = bench.plan(&policy("whole"), &text);
    assert_eq!(plan.refusals, []);
    assert!(plan.leaving.contains("later_table"), "{:?}", plan.leaving);
    assert!(plan.tables.iter().any(|table| table.deferred));
    let report = bench.restore(None).run(&plan, &text).unwrap();
    assert_eq!(report.rows, text.survey().rows());
    assert_eq!(report.loaded, report.rows);
    same(&portrait(socket, "whole"), &first);
    assert_eq!(databases(socket, "whole"), ["whole", plan.old.as_str()]);
    // The foreign key is one of the database, and the triggers fire.
    mariadb(
        socket,
        "whole",
        "DELETE FROM a_before; DELETE FROM parent WHERE id = 1; INSERT INTO parent VALUES (8, '')",
    );
    assert_eq!(
        mariadb(
            socket,
            "whole",
            "SELECT COUNT(*) FROM child; SELECT COUNT(*) FROM log"
        ),
        "2\n2\n"
    );
    let run = report.run.unwrap();
    assert_eq!(runs(&bench.journal).unwrap()[0].state, RestoreState::Done);

    let undone = bench.restore(None).undo(run).unwrap();
    same(&portrait(socket, "whole"), &second);
    // What was written since is kept.
    let kept = undone.kept.unwrap();
    assert_eq!(
        mariadb(socket, &kept, "SELECT COUNT(*) FROM parent WHERE id = 8"),
        "1\n"
    );
    assert_eq!(databases(socket, "whole"), ["whole", kept.as_str()]);
    assert_eq!(runs(&bench.journal).unwrap()[0].state, RestoreState::Undone);
    assert!(bench.restore(None).undo(run).is_err());

    let forgotten = bench.restore(None).forget(run).unwrap();
    assert_eq!(forgotten.dropped, [kept]);
    assert_eq!(databases(socket, "whole"), ["whole"]);
    same(&portrait(socket, "whole"), &second);
    assert_eq!(
        runs(&bench.journal).unwrap()[0].state,
        RestoreState::Forgotten
    );
    assert!(bench.restore(None).forget(run).is_err());
}

#[test]
fn a_lost_database_is_made_and_taken_back() {
    let server = server();
    let socket = server.socket();
    create(socket, "lost");
    let first = portrait(socket, "lost");
    let (_world, path) = backup(&server.options(), &["lost"], Container::TarGz);
    mariadb(socket, "", "DROP DATABASE lost");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let report = bench.run(&policy("lost"), &text).unwrap();
    same(&portrait(socket, "lost"), &first);
    bench.restore(None).undo(report.run.unwrap()).unwrap();
    assert!(!databases(socket, "lost").contains(&"lost".to_owned()));
}

#[test]
fn events_fire_only_when_everything_is_done() {
    let server = server();
    let socket = server.socket();
    create(socket, "fires");
    // Every second from now on.
    mariadb(
        socket,
        "fires",
        "ALTER EVENT loud ON SCHEDULE EVERY 1 SECOND STARTS '2026-01-01 03:00:00'",
    );
    let (_world, path) = backup(&server.options(), &["fires"], Container::TarZst);
    quieten(socket, "fires");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let slow = Slow(Mutex::new(Vec::new()));
    let facts = bench
        .restore(Some(&slow))
        .inspect(&policy("fires"), &text)
        .unwrap();
    let plan = elpis_backup::restore::RestorePlan::new(
        &policy("fires"),
        &facts,
        text.survey(),
        "2026-11-21T00:00:00Z".parse().unwrap(),
    );
    let rows = text
        .survey()
        .tables
        .iter()
        .find(|table| table.name == "ticks")
        .unwrap()
        .rows;
    bench.restore(Some(&slow)).run(&plan, &text).unwrap();
    assert_eq!(*slow.0.lock().unwrap(), ["stop", "start"]);
    // The comparison would have seen a row more.
    let ticks = || {
        mariadb(socket, "fires", "SELECT COUNT(*) FROM ticks")
            .trim()
            .parse::<u64>()
            .unwrap()
    };
    let begun = Instant::now();
    while ticks() <= rows {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the event does not fire"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let old = mariadb(socket, &plan.old, "SELECT COUNT(*) FROM ticks");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(
        mariadb(socket, &plan.old, "SELECT COUNT(*) FROM ticks"),
        old
    );
}

/// Takes its time, so that events would have some.
struct Slow(Mutex<Vec<&'static str>>);

impl Services for Slow {
    fn stop(&self) -> Result<(), ServiceError> {
        std::thread::sleep(Duration::from_millis(1500));
        self.0.lock().unwrap().push("stop");
        Ok(())
    }

    fn start(&self) -> Result<(), ServiceError> {
        self.0.lock().unwrap().push("start");
        Ok(())
    }
}
