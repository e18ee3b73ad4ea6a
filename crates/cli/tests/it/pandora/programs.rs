//! Programs outside of the database: what becomes of the run when they fail, and of them when it is
//! stopped.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use elpis_testkit::Database;

use super::{Site, alone};

/// A program called `nfexpire` that does this. Another process writes it: a child that some other
/// test forks at this moment would inherit our handle and keep it busy.
fn program(site: &Site, body: &str) {
    site.world.write("text", &format!("#!/bin/sh\n{body}\n"));
    let (text, program) = (site.world.path("text"), site.world.path("nfexpire"));
    let mut install = Command::new("install");
    let install = install.args(["-m", "700"]).args([text, program]);
    assert!(install.status().unwrap().success());
}

#[test]
fn a_program_that_fails_is_7_and_one_that_runs_ends_with_the_run() {
    let site = Site::with(&[("netflow_max_lifetime", "5")]);
    let path = |name: &str| site.world.path(name).display().to_string();
    for (token, value) in [
        ("netflow_path", path("flows")),
        ("netflow_nfexpire", path("nfexpire")),
    ] {
        site.db.sql(&format!(
            "INSERT INTO tconfig (token, value) VALUES ('{token}', '{value}');"
        ));
    }
    std::fs::create_dir(site.world.path("flows")).unwrap();
    program(&site, "echo no space left >&2; exit 3");
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("no space left"), "{said:?}");
    let pending = "SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;";
    assert_eq!(site.number(pending), 0, "everything else was done");
    assert!(site.last_run()[0] > 1, "the console is told");

    let pids = site.world.path("pids");
    let shown = pids.display();
    program(
        &site,
        &format!("sleep 600 & echo $! $$ > {shown}.new; mv {shown}.new {shown}; wait"),
    );
    let _alone = alone();
    let mut command = site.command(&["run", "--only", "netflow", "--no-throttle"]);
    let mut run = command
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !pids.exists() {
        assert!(Instant::now() < deadline, "the program did not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = run.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let pids = std::fs::read_to_string(&pids).unwrap();
    // A zombie waits for whoever adopts orphans here; it runs no more.
    let runs = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    while pids.split_whitespace().any(runs) {
        assert!(Instant::now() < deadline, "{pids} run on");
        std::thread::sleep(Duration::from_millis(10));
    }
}
