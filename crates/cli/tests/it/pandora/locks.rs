//! Who may work, and beside whom.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use elpis_mysql::{Session, SessionSettings};
use elpis_testkit::Database;

use super::{Site, alone};

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

/// The tools that merge databases are done in moments: a run waits for them.
#[test]
fn a_run_waits_for_the_merging_tools() {
    let site = Site::with(&[]);
    let _alone = alone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut merging = runtime.block_on(async {
        let settings = SessionSettings::default();
        let mut session = Session::open(&site.db.options, &settings).await.unwrap();
        let lock = ["merge-working".to_owned()];
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
    let waiting = said.find(|line| line.contains("waiting for the lock merge-working"));
    assert!(waiting.is_some(), "it did not say that it waits");
    runtime.block_on(merging.unlock()).unwrap();
    let rest: Vec<String> = said.collect();
    assert_eq!(run.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(
        rest.iter().any(|line| line.contains("Ending at")),
        "{rest:?}"
    );
}
