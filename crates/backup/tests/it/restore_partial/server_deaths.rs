//! The server dies right after the journal has a step as done, and with it everything that it has not
//! flushed, which is what the product's manual sets it up for: what is done must be there.

use std::sync::Mutex;

use elpis_backup::archive::Container;
use elpis_backup::restore::{LaterTable, RestoreError, RestorePolicy, runs};
use elpis_mysql::PrivateServer;
use elpis_run::{
    Event, History, Journal, JournalError, MemoryJournal, NewRun, Outcome, Query, RunId, RunSummary,
};
use jiff::Timestamp;

use super::rows::{FILL, LIVE, of};
use super::with;
use crate::restore_db::{Bench, backup, databases, mariadb, of_archive, policy, portrait, same};
use crate::support::rounds;

/// A journal that kills the server after the record that says that a step is done.
struct Killing<'a> {
    inner: &'a MemoryJournal,
    server: &'a Mutex<PrivateServer>,
    step: &'a str,
    killed: Mutex<bool>,
}

impl Journal for Killing<'_> {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        self.inner.create(run)
    }
    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        self.inner.append(run, at, event)?;
        let mut killed = self.killed.lock().unwrap();
        if !*killed && matches!(event, Event::Done { step, .. } if step == self.step) {
            self.server.lock().unwrap().kill().unwrap();
            *killed = true;
        }
        Ok(())
    }
    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        self.inner.finish(run, at, outcome)
    }
    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.list(query)
    }
    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        self.inner.replay(run)
    }
}

/// A server that flushes its log when it must and never of its own accord.
struct Forgetful {
    server: Mutex<PrivateServer>,
    bench: Bench,
    memory: MemoryJournal,
}

impl Forgetful {
    fn start() -> Forgetful {
        let server = PrivateServer::builder()
            .arg("--innodb-flush-log-at-trx-commit=0")
            .arg("--innodb-flush-log-at-timeout=2700")
            .arg("--innodb-buffer-pool-size=64M")
            .start()
            .unwrap();
        let bench = Bench::new(server.options());
        Forgetful {
            server: Mutex::new(server),
            bench,
            memory: MemoryJournal::new(),
        }
    }

    fn sql(&self, database: &str, sql: &str) -> String {
        let socket = self.server.lock().unwrap().socket().to_owned();
        mariadb(&socket, database, sql)
    }

    fn portrait(&self, name: &str) -> String {
        let socket = self.server.lock().unwrap().socket().to_owned();
        portrait(&socket, name)
    }

    /// Does something and loses the server when `step` is done; back comes a server that has started
    /// again.
    #[track_caller]
    fn lose<T: std::fmt::Debug>(
        &self,
        step: &str,
        act: impl FnOnce(&dyn Journal) -> Result<T, RestoreError>,
    ) {
        let killing = Killing {
            inner: &self.memory,
            server: &self.server,
            step,
            killed: Mutex::new(false),
        };
        let ended = act(&killing);
        assert!(*killing.killed.lock().unwrap(), "{step}: {ended:?}");
        self.server.lock().unwrap().restart().unwrap();
        // The last step of all has nothing more to ask.
        let is_last = step.starts_with("clean up");
        assert!(ended.is_err() || is_last, "{step}: {ended:?}");
    }

    fn newest(&self) -> RunId {
        runs(&self.memory).unwrap()[0].run
    }
}

#[test]
fn rows_that_are_recorded_as_inserted_or_taken_out_outlive_the_server() {
    let site = Forgetful::start();
    site.sql("", "CREATE DATABASE shop CHARACTER SET utf8mb4");
    site.sql("shop", FILL);
    let options = site.server.lock().unwrap().options();
    let (_world, path) = backup(&options, &["shop"], Container::TarZst);
    let text = of_archive(&path);
    site.sql("shop", LIVE);
    // A server that is not killed keeps all of it, and the next one begins with it on disk.
    site.sql("", "SET GLOBAL innodb_flush_log_at_trx_commit = 1; CREATE TABLE shop.flush (a INT); DROP TABLE shop.flush");
    site.sql("", "SET GLOBAL innodb_flush_log_at_trx_commit = 0");
    let old = site.portrait("shop");

    let policy = of("shop", "web");
    let plan = site.bench.plan(&policy, &text);
    site.lose("insert", |journal| {
        with(&site.bench, journal).run(&plan, &text)
    });
    let by = with(&site.bench, &site.memory);
    let run = site.newest();
    let report = by.resume(run, None).unwrap();
    let inserted: u64 = report.inserted.values().sum();
    assert!(inserted > 200, "{report:?}");
    let new = site.portrait("shop");
    let missing = "SELECT COUNT(*) FROM nums WHERE part = 11 AND v IS NULL";
    assert_eq!(site.sql("shop", missing), "2\n");
    assert_ne!(old, new);

    site.lose("take out", |journal| with(&site.bench, journal).undo(run));
    by.undo(run).unwrap();
    same(&site.portrait("shop"), &old);
    by.forget(run).unwrap();
}

#[test]
fn what_is_recorded_of_an_exchange_outlives_the_server() {
    let site = Forgetful::start();
    let make = "CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2); \
                CREATE TABLE samples (m INT, at BIGINT, KEY (at)); \
                INSERT INTO samples SELECT seq, seq FROM seq_1_to_5000; \
                CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW DELETE FROM samples WHERE m = 0; \
                CREATE VIEW v AS SELECT COUNT(*) AS n FROM samples; \
                CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 03:00:00' DO DELETE FROM p";
    site.sql("", "CREATE DATABASE shop CHARACTER SET utf8mb4");
    site.sql("shop", make);
    let new = site.portrait("shop");
    let options = site.server.lock().unwrap().options();
    let (_world, path) = backup(&options, &["shop"], Container::TarZst);
    let text = of_archive(&path);
    site.sql(
        "shop",
        "DELETE FROM p; DROP TRIGGER t; DELETE FROM samples WHERE at > 100; DROP EVENT e; \
         SET GLOBAL innodb_flush_log_at_trx_commit = 1; CREATE TABLE flush (a INT); DROP TABLE flush; \
         SET GLOBAL innodb_flush_log_at_trx_commit = 0",
    );
    let old = site.portrait("shop");
    let mut policy: RestorePolicy = policy("shop");
    policy.later = vec![LaterTable {
        table: "samples".to_owned(),
        time: Some("at".to_owned()),
    }];
    policy.pace.busy_percent = 100;
    let all = [
        "side database",
        "load",
        "indexes",
        "compare",
        "capture",
        "capture old",
        "stop services",
        "take down",
        "rename",
        "objects",
        "grants",
        "events",
        "start services",
        "clean up",
        "rest database",
        "rest load",
        "rest indexes",
        "rest compare",
        "fill",
        "clean up rest",
    ];
    let quick = ["load", "fill"];
    let steps: &[&str] = if rounds(0, 1) == 1 { &all } else { &quick };
    for (turn, step) in steps.iter().enumerate() {
        let plan = site.bench.plan(&policy, &text);
        assert_eq!(plan.refusals, []);
        site.lose(step, |journal| with(&site.bench, journal).run(&plan, &text));
        let by = with(&site.bench, &site.memory);
        let run = site.newest();
        if *step != "clean up rest" && (turn % 2 == 1 || steps.len() == 2) {
            by.resume(run, Some(&text)).unwrap();
            same(&site.portrait("shop"), &new);
        }
        by.undo(run).unwrap();
        same(&site.portrait("shop"), &old);
        by.forget(run).unwrap();
        let socket = site.server.lock().unwrap().socket().to_owned();
        assert_eq!(databases(&socket, "shop"), ["shop"], "{step}");
    }
}
