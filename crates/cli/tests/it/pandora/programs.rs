//! Programs outside of the database: what becomes of the run when they fail, and of them when it is
//! stopped.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{PASSWORD, Site, alone};

#[test]
fn a_program_that_fails_is_7_and_one_that_runs_ends_with_the_run() {
    let site = Site::with(&[]);
    site.expire_flows_with("echo no space left >&2; exit 3");
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("no space left"), "{said:?}");
    let pending = "SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;";
    assert_eq!(site.number(pending), 0, "everything else was done");
    assert!(site.last_run()[0] > 1, "the console is told");

    let pids = site.world.path("pids");
    let shown = pids.display();
    site.expire_flows_with(&format!(
        "sleep 600 & echo $! $$ > {shown}.new; mv {shown}.new {shown}; wait"
    ));
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

#[test]
fn a_directory_that_is_not_there_is_said_once() {
    let site = Site::with(&[]);
    site.expire_flows_with("exit 3");
    let flows = site.world.path("flows");
    std::fs::remove_dir_all(&flows).unwrap();
    let said = site.run(&["run", "--only", "netflow", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    let told = "there is no directory [DIR]/flows";
    assert_eq!(said.err.matches(told).count(), 1, "{said:?}");
}

/// Statement 4: neither the program nor whoever lists processes sees it, nor is it kept anywhere.
#[test]
fn the_password_is_seen_nowhere() {
    let site = Site::with(&[]);
    let seen = site.world.path("seen");
    site.expire_flows_with(&format!(
        "cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ > {}",
        seen.display()
    ));
    let said = site.run(&["run", "--only", "netflow,messages", "--no-throttle", "-v"]);
    assert_eq!(said.code, 0, "{said:?}");
    let state = site.world.path("state");
    let mut files = vec![seen];
    files.extend(
        std::fs::read_dir(&state)
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    assert!(files.len() > 1, "{files:?}");
    let parts = PASSWORD.split(' ').map(str::as_bytes);
    let parts: Vec<&[u8]> = parts.filter(|part| part.len() > 3).collect();
    for file in files {
        let text = std::fs::read(&file).unwrap();
        for part in &parts {
            let found = text.windows(part.len()).any(|bytes| bytes == *part);
            assert!(!found, "{}", file.display());
        }
        if file.starts_with(&state) {
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", file.display());
        } else {
            let text = String::from_utf8_lossy(&text);
            assert!(
                text.contains("nfexpire") && text.contains("--pandora"),
                "{text}"
            );
        }
    }
    let mode = std::fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
