//! Who may work, and beside whom.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use elpis_mysql::{Params, Session, SessionSettings};
use elpis_testkit::Database;
use jiff::Timestamp;

use super::{Site, alone, json};

#[test]
fn only_the_master_works_and_never_beside_the_products_own_tool() {
    let site = Site::with(&[]);
    site.configure("other");
    let modules = "SELECT COUNT(*) FROM tagente_modulo;";
    let before = site.number(modules);
    let said = site.run(&["run", "--only", "pending_modules", "--no-throttle"]);
    let wrong = site.run(&["run", "--only", "purge,evnts"]);
    assert_eq!((said.code, wrong.code), (3, 2), "{said:?} {wrong:?}");
    for word in ["pandorafms", "\"other\"", "--force"] {
        assert!(said.err.contains(word), "{}", said.err);
    }
    assert!(wrong.err.contains("\"evnts\""), "{}", wrong.err);
    assert_eq!(site.number(modules), before);

    let lock = format!(
        "SELECT GET_LOCK('{}_pandora_db', 0); SELECT SLEEP(300);",
        site.db.name()
    );
    let (db, held) = (site.db.clone(), lock);
    // Ends with the server.
    std::thread::spawn(move || db.sql(&held));
    let holder = format!(
        "SELECT IS_USED_LOCK('{}_pandora_db') IS NOT NULL;",
        site.db.name()
    );
    while site.number(&holder) == 0 {
        std::thread::yield_now();
    }
    let said = site.run(&["run", "-f", "--no-throttle"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("_pandora_db"), "{}", said.err);
    assert_eq!(site.number(modules), before);
}

/// The tools that merge databases are done in moments, and so is the hourly run of another database
/// of the server, if the lock is that of the product's older versions: a run waits for both.
#[test]
fn a_run_waits_for_locks_that_all_databases_share() {
    let site = Site::with(&[]);
    let _alone = alone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for name in ["merge-working", "pandora_db"] {
        let mut holding = runtime.block_on(async {
            let settings = SessionSettings::default();
            let mut session = Session::open(&site.db.options, &settings).await.unwrap();
            let lock = [name.to_owned()];
            session.lock(&lock, Duration::from_secs(60)).await.unwrap();
            session
        });
        let mut command = site.command(&["run", "--only", "messages", "--no-throttle"]);
        let mut run = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(run.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let wait = format!("waiting for the lock {name},");
        let waiting = said.find(|line| line.contains(&wait));
        assert!(waiting.is_some(), "it did not say that it waits for {name}");
        runtime.block_on(holding.unlock()).unwrap();
        let rest: Vec<String> = said.collect();
        assert_eq!(run.wait().unwrap().code(), Some(0), "{rest:?}");
        let ended = rest.iter().any(|line| line.contains("Ending at"));
        assert!(ended, "{rest:?}");
    }
}

/// From before the plan until the console is told, without a gap between the tasks and the
/// compaction: whoever waits for the lock would get it the moment it was free.
#[test]
fn the_locks_are_held_from_the_first_task_until_the_console_is_told() {
    let site = Site::with(&[("days_compact", "20")]);
    let (begun, gate) = (site.world.path("begun"), site.world.path("gate"));
    let made = Command::new("mkfifo").arg(&gate).status().unwrap();
    assert!(made.success());
    // Ends when it was written to.
    site.expire_flows_with(&format!(
        "touch {}; cat {}",
        begun.display(),
        gate.display()
    ));
    let _alone = alone();
    let started = Timestamp::now().as_second();
    let mut command = site.command(&["run", "--no-throttle"]);
    let mut run = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let soon = || {
        assert!(Instant::now() < deadline, "it never came to that");
        std::thread::sleep(Duration::from_millis(5));
    };
    while !begun.exists() {
        soon();
    }
    let second = site.output(&["run", "--no-throttle"]);
    assert_eq!(second.status.code(), Some(6), "{second:?}");
    // Whoever is told so knows which process of which host it is, and where its journal says more.
    let text = String::from_utf8(second.stderr).unwrap();
    let uname = Command::new("uname").arg("-n").output().unwrap().stdout;
    let host = String::from_utf8(uname).unwrap();
    let holder = format!("(pid {} on {})", run.id(), host.trim());
    assert!(text.contains(&holder), "{holder}: {text}");
    let config = site.world.path("state.toml").display().to_string();
    let listed = ["history", "--format", "json", "--config", &config];
    let listed = site.world.said(&site.output(&listed));
    let journal = json(&listed.out);
    let runs = journal.as_array().unwrap();
    let at_work = runs.iter().find(|one| one["holder"]["pid"] == run.id());
    let id = &at_work.unwrap_or_else(|| panic!("{listed:?}"))["id"];
    assert!(text.contains(&format!("run {id} of ")), "{id}: {text}");

    let (options, name) = (site.db.options.clone(), site.db.name().to_owned());
    let waits = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock' \
         AND info LIKE '%GET_LOCK(''{name}_pandora_db%';"
    );
    let incumbent = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let settings = SessionSettings {
                statement_timeout: Duration::from_secs(90),
                ..SessionSettings::default()
            };
            let mut session = Session::open(&options, &settings).await.unwrap();
            let lock = format!("SELECT GET_LOCK('{name}_pandora_db', 60)");
            let got = session.first::<u64>(&lock, Params::Empty).await.unwrap();
            let told = "SELECT CAST(value AS UNSIGNED) FROM tconfig WHERE token = 'db_maintance'";
            (got, session.rows::<u64>(told, Params::Empty).await.unwrap())
        })
    });
    while site.number(&waits) == 0 {
        soon();
    }
    std::fs::write(&gate, "go on\n").unwrap();
    let (got, told) = incumbent.join().unwrap();
    assert_eq!(got, Some(1), "in the end the lock is free");
    assert_eq!(told.len(), 1);
    assert!(
        told[0] as i64 >= started,
        "it was free before the end: {told:?}"
    );
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let status = json(&site.run(&["status", "--format", "json"]).out);
    let jobs = status.as_array().unwrap().iter();
    let mut jobs = jobs.map(|one| &one["last"]["job"]);
    assert!(jobs.any(|job| job == "compact"), "{status}");
}
