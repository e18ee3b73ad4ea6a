//! The configuration first, time series afterwards beside a product that works: on a real MariaDB
//! with live triggers, views and foreign keys, judged by its own client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use elpis_backup::archive::Container;
use elpis_backup::restore::{
    Accept, LaterTable, Live, Restore, RestoreError, RestoreEvent, RestorePolicy, RestoreState,
    SqlText, Surveyed, runs,
};
use elpis_run::{MemoryJournal, Observer};

use crate::restore_db::{
    Bench, CHANGES, backup, create, databases, mariadb, of_archive, policy, portrait, same, server,
};
use crate::restore_partial::{counterless, die_everywhere, with};
use crate::support::rounds;

/// With `samples` by their time and `zero_dates`, which have none, coming later. Others ask for it
/// in vain: a foreign key, a trigger, a table that is not there, an engine without transactions.
fn config_first(database: &str) -> RestorePolicy {
    let later = |table: &str, time: Option<&str>| LaterTable {
        table: table.to_owned(),
        time: time.map(str::to_owned),
    };
    let mut policy = policy(database);
    policy.later = vec![
        later("samples", Some("at")),
        later("child", None),
        later("parent", None),
        later("nowhere", None),
        later("isam", None),
        later("zero_dates", None),
    ];
    policy.pace.busy_percent = 100;
    // A client that has ended may still be seen for a moment.
    policy.accept.insert(Accept::Writers);
    policy
}

/// Looks at the live database as soon as the product can work, and dies at the n-th transaction
/// after that; never at 0.
struct Watch<'a> {
    usable: Box<dyn Fn() + Send + Sync + 'a>,
    dies: AtomicU32,
    seen: Mutex<Vec<String>>,
}

impl Observer<RestoreEvent> for Watch<'_> {
    fn on(&self, event: &RestoreEvent) {
        match event {
            RestoreEvent::Usable { later } => {
                self.seen.lock().unwrap().clone_from(later);
                (self.usable)();
            }
            RestoreEvent::Inserted { .. } if self.dies.fetch_sub(1, Ordering::Relaxed) == 1 => {
                panic!("killed after a transaction");
            }
            _ => {}
        }
    }
}

fn watch(usable: impl Fn() + Send + Sync + 'static, dies: u32) -> Arc<Watch<'static>> {
    Arc::new(Watch {
        usable: Box::new(usable),
        dies: AtomicU32::new(if dies == 0 { u32::MAX } else { dies }),
        seen: Mutex::default(),
    })
}

#[test]
fn the_product_works_before_its_time_series_are_there() {
    let socket = server().socket();
    create(socket, "early");
    let first = portrait(socket, "early");
    let (_world, path) = backup(&server().options(), &["early"], Container::TarZst);
    mariadb(socket, "early", CHANGES);
    let second = portrait(socket, "early");
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let plan = bench.plan(&config_first("early"), &text);
    assert_eq!(plan.refusals, []);
    let rest = plan.rest.clone().unwrap();
    let names: Vec<&str> = rest
        .tables
        .iter()
        .map(|table| table.text.name.as_str())
        .collect();
    assert_eq!(names, ["samples", "zero_dates"]);
    let lines = plan.lines().join("\n");
    assert!(
        lines.contains("the newest first: samples zero_dates"),
        "{lines}"
    );
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(
        serde_json::from_str::<elpis_backup::restore::RestorePlan>(&json).unwrap(),
        plan
    );

    let watch = watch(
        || {
            // Everything but the later rows is there, and the product writes.
            let sql = "SELECT (SELECT COUNT(*) FROM samples), (SELECT COUNT(*) FROM counted), \
                       (SELECT n FROM a_on_view), (SELECT COUNT(*) FROM parent WHERE id = 9)";
            assert_eq!(mariadb(server().socket(), "early", sql), "0\t2000\t3\t0\n");
            mariadb(
                server().socket(),
                "early",
                "INSERT INTO samples VALUES (1, 1, 1, 1900000000)",
            );
        },
        0,
    );
    let by = Restore {
        observer: Arc::clone(&watch) as Arc<dyn Observer<RestoreEvent>>,
        ..bench.restore(None)
    };
    let report = by.run(&plan, &text).unwrap();
    assert_eq!(*watch.seen.lock().unwrap(), ["samples", "zero_dates"]);
    assert_eq!(report.rows, text.survey().rows());
    assert_eq!(report.loaded, report.rows);
    assert_eq!(report.inserted["samples"], 8000);
    let written = "SELECT COUNT(*) FROM samples WHERE at = 1900000000";
    assert_eq!(mariadb(socket, "early", written), "1\n");
    mariadb(socket, "early", "DELETE FROM samples WHERE at = 1900000000");
    same(&portrait(socket, "early"), &first);
    assert_eq!(databases(socket, "early"), ["early", plan.old.as_str()]);

    let run = report.run.unwrap();
    bench.restore(None).undo(run).unwrap();
    same(&portrait(socket, "early"), &second);
    bench.restore(None).forget(run).unwrap();
    assert_eq!(databases(socket, "early"), ["early"]);
}

/// In the middle of filling: it is said that it is not done, and both ways lead on.
#[test]
fn while_it_fills_it_can_be_resumed_and_undone() {
    let socket = server().socket();
    create(socket, "filling");
    let first = portrait(socket, "filling");
    let (_world, path) = backup(&server().options(), &["filling"], Container::TarZst);
    mariadb(socket, "filling", CHANGES);
    let second = portrait(socket, "filling");
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let written = "INSERT INTO samples VALUES (1, 1, 1, 1900000000)";
    let deaths: Vec<u32> = match rounds(1, 2) {
        1 => vec![2, 3],
        // The sixth may be the last one.
        _ => (1..=5).collect(),
    };
    for (turn, death) in deaths.into_iter().enumerate() {
        let memory = MemoryJournal::new();
        let plan = bench.plan(&config_first("filling"), &text);
        let by = Restore {
            observer: watch(
                || drop(mariadb(server().socket(), "filling", written)),
                death,
            ),
            ..with(&bench, &memory)
        };
        assert!(catch_unwind(AssertUnwindSafe(|| by.run(&plan, &text))).is_err());
        let found = runs(&memory).unwrap().remove(0);
        assert_eq!(found.state, RestoreState::Filling);
        let filled = mariadb(socket, "filling", "SELECT COUNT(*) FROM samples");
        let filled: u64 = filled.trim().parse().unwrap();
        assert!((2..8001).contains(&filled), "{filled}");
        // The newest came first.
        let newest = mariadb(
            socket,
            "filling",
            "SELECT MAX(at), MIN(at) > 1700000001 FROM samples WHERE at < 1900000000",
        );
        assert_eq!(newest, "1700008000\t1\n");
        let by = with(&bench, &memory);
        let next = by.run(&plan, &text).unwrap_err();
        assert!(matches!(next, RestoreError::Unfinished { .. }), "{next:?}");
        assert!(by.forget(found.run).is_err());
        if turn % 2 == 0 {
            // The text is not needed any more.
            let report = by.resume(found.run, None).unwrap();
            assert_eq!(report.inserted["samples"], 8000);
            mariadb(
                socket,
                "filling",
                "DELETE FROM samples WHERE at = 1900000000",
            );
            same(&portrait(socket, "filling"), &first);
        }
        let undone = by.undo(found.run).unwrap();
        same(&portrait(socket, "filling"), &second);
        // What was written is kept, and so is what had been filled.
        let kept = undone.kept.unwrap();
        let count = mariadb(socket, &kept, "SELECT COUNT(*) FROM samples");
        let expected = if turn % 2 == 0 { 8000 } else { filled };
        assert_eq!(count.trim(), expected.to_string());
        by.forget(found.run).unwrap();
        assert_eq!(databases(socket, "filling"), ["filling"]);
    }
}

/// What was changed in the side database before it is compared does not reach the live one.
#[test]
fn rows_that_differ_are_not_put_in() {
    let socket = server().socket();
    create(socket, "differ");
    let (_world, path) = backup(&server().options(), &["differ"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let plan = bench.plan(&config_first("differ"), &text);
    let mut json = serde_json::to_value(&plan).unwrap();
    json["rest"]["tables"][0]["sum"]["rows"] = 7.into();
    let plan = serde_json::from_value(json).unwrap();
    let error = bench.restore(None).run(&plan, &text).unwrap_err();
    let RestoreError::Interrupted { run, live, source } = error else {
        panic!("{error:?}");
    };
    assert!(
        matches!(*source, RestoreError::Different { .. }),
        "{source:?}"
    );
    assert_eq!(live, Live::New);
    assert_eq!(
        mariadb(socket, "differ", "SELECT COUNT(*) FROM samples"),
        "0\n"
    );
    bench.restore(None).undo(run).unwrap();
    assert_eq!(
        mariadb(socket, "differ", "SELECT COUNT(*) FROM samples"),
        "8000\n"
    );
}

#[test]
fn configuration_first_survives_a_death_at_any_record() {
    let socket = server().socket();
    let make = "CREATE OR REPLACE DATABASE first_deaths CHARACTER SET utf8mb4";
    let fill = "CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2); \
                CREATE TABLE samples (m INT, at BIGINT, KEY (at)); \
                INSERT INTO samples SELECT seq, seq FROM seq_1_to_500; \
                CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW DELETE FROM samples WHERE m = 0; \
                CREATE VIEW v AS SELECT COUNT(*) AS n FROM samples";
    mariadb(socket, "", make);
    mariadb(socket, "first_deaths", fill);
    let (_world, path) = backup(&server().options(), &["first_deaths"], Container::TarZst);
    let new = portrait(socket, "first_deaths");
    let text: SqlText<Surveyed> = of_archive(&path);
    let bench = Bench::new(server().options());
    let before = || {
        mariadb(socket, "", make);
        mariadb(socket, "first_deaths", fill);
        let live = "DELETE FROM p; DROP TRIGGER t; DELETE FROM samples WHERE at > 100; INSERT INTO samples VALUES (7, 7000)";
        mariadb(socket, "first_deaths", live);
    };
    before();
    let old = portrait(socket, "first_deaths");
    let deaths = die_everywhere(
        &bench,
        &config_first("first_deaths"),
        &text,
        &before,
        &|| {
            same(
                &counterless(&portrait(socket, "first_deaths")),
                &counterless(&new),
            )
        },
        &|| {
            same(
                &counterless(&portrait(socket, "first_deaths")),
                &counterless(&old),
            )
        },
        // Exchanged; loading the rest; filling.
        [28, 32, 35, 36],
    );
    assert!(deaths >= 4, "{deaths}");
    assert_eq!(databases(socket, "first_deaths"), ["first_deaths"]);
}
