use std::os::unix::fs::PermissionsExt;

use elpis_maint_core::housekeeping::Work;
use jiff::tz::TimeZone;

use super::*;
use crate::tasks::{FlowExpiry, HousekeepingSettings, catalogue};

/// A program in a directory that nobody else may write to. Another process writes the file: a
/// child that some other test forks at this moment would inherit our handle and keep it busy.
fn program(dir: &Path, body: &str, mode: u32) -> ProgramTask {
    let (text, program) = (dir.join("text"), dir.join("nfexpire"));
    let body = format!("#!/bin/sh\n{body}\n");
    elpis_run::fsx::write_durable(&text, body.as_bytes(), 0o600).unwrap();
    let mut install = std::process::Command::new("install");
    install.args(["-m", &format!("{mode:o}")]);
    let done = install.args([&text, &program]).status().unwrap();
    assert!(done.success());
    ProgramTask {
        name: "netflow".to_owned(),
        program,
        args: ["-e", "a b;$(c)", "-t", "7d"].map(Into::into).into(),
        directory: dir.to_owned(),
    }
}

fn private_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let only_us = PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(dir.path(), only_us).unwrap();
    dir
}

#[tokio::test]
async fn a_program_gets_its_arguments_as_they_are_and_answers() {
    let dir = private_dir();
    let said = dir.path().join("said");
    let body = format!(
        "read answer; printf '%s|' \"$#\" \"$@\" \"$answer\" \"${{HOME-none}}\" > {}",
        said.display()
    );
    let task = program(dir.path(), &body, 0o700);
    let stop = StopToken::new();
    Programs::default().run(&task, &stop).await.unwrap();
    let said = elpis_run::fsx::read_to_string(&said).unwrap();
    assert_eq!(said, "4|-e|a b;$(c)|-t|7d|y|none|");
}

#[tokio::test]
async fn a_program_that_fails_hangs_or_is_not_there_says_so() {
    let dir = private_dir();
    let stop = StopToken::new();
    let run = async |task: &ProgramTask, limit: Duration| {
        let programs = Programs {
            limit,
            ..Programs::default()
        };
        programs.run(task, &stop).await
    };
    let long = Duration::from_secs(60);
    let task = program(dir.path(), "echo no space left >&2; exit 3", 0o700);
    let error = run(&task, long).await.unwrap_err().to_string();
    assert!(
        error.contains("exit status: 3") && error.contains("no space left"),
        "{error}"
    );
    let task = program(dir.path(), "exec sleep 600", 0o700);
    let error = run(&task, Duration::from_millis(300)).await.unwrap_err();
    assert!(error.to_string().contains("not done after"), "{error}");
    // Somebody else could have changed it.
    let task = program(dir.path(), "exit 0", 0o777);
    let error = run(&task, long).await.unwrap_err();
    assert!(
        error.to_string().contains("can be changed by others"),
        "{error}"
    );
    let task = program(dir.path(), "exit 0", 0o600);
    let error = run(&task, long).await.unwrap_err();
    assert!(error.to_string().contains("not executable"), "{error}");
    let nowhere = ProgramTask {
        program: dir.path().join("nothing"),
        ..task.clone()
    };
    let error = run(&nowhere, long).await.unwrap_err();
    assert!(matches!(error, ProgramError::NotHere { .. }), "{error}");
    let nowhere = ProgramTask {
        directory: dir.path().join("nothing"),
        ..task
    };
    let error = run(&nowhere, long).await.unwrap_err();
    assert!(matches!(error, ProgramError::NotHere { .. }), "{error}");
}

/// Ctrl-C ends the program, whatever it has started, and even if it does not want to.
#[tokio::test]
async fn a_stop_reaches_the_program_and_what_it_has_started() {
    let dir = private_dir();
    let pids = dir.path().join("pids");
    let body = format!(
        "trap '' TERM; sleep 600 & echo $! $$ > {0}.new; mv {0}.new {0}; while :; do sleep 1; done",
        pids.display()
    );
    let task = program(dir.path(), &body, 0o700);
    let stop = StopToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move {
            let programs = Programs {
                grace: Duration::from_millis(200),
                ..Programs::default()
            };
            programs.run(&task, &stop).await
        }
    });
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !pids.exists() {
        assert!(std::time::Instant::now() < deadline, "it did not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.stop();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, ProgramError::Stopped { .. }), "{error}");
    let pids = elpis_run::fsx::read_to_string(&pids).unwrap();
    // A zombie waits for whoever adopts orphans here; it runs no more.
    let runs = |pid: &str| {
        let stat = elpis_run::fsx::read_to_string(Path::new(&format!("/proc/{pid}/stat")));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    while pids.split_whitespace().any(runs) {
        assert!(std::time::Instant::now() < deadline, "{pids} run on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The program of Debian's package, as the tasks call it: what is older than the limit goes, to the
/// day, whether the directory's bookkeeping knows of it or not; nothing else does.
#[tokio::test]
async fn the_real_program_expires_what_is_older_and_nothing_else() {
    let dir = private_dir();
    let flows = |kind: &str| FlowExpiry {
        directory: dir.path().join(kind),
        program: "/usr/bin/nfexpire".into(),
        lifetime_days: 7,
    };
    let settings = HousekeepingSettings {
        netflow: Some(flows("netflow")),
        sflow: Some(flows("sflow")),
        ..HousekeepingSettings::default()
    };
    let now = jiff::Zoned::now();
    let tasks = catalogue(&settings, &TimeZone::UTC, now.timestamp());
    for kind in ["netflow", "sflow"] {
        let directory = dir.path().join(kind);
        elpis_run::fsx::create_private_dir(&directory).unwrap();
        let write = |hours: i64| {
            let of = now.checked_sub(jiff::Span::new().hours(hours)).unwrap();
            let name = of.strftime("nfcapd.%Y%m%d%H%M").to_string();
            let path = directory.join(&name);
            elpis_run::fsx::write_durable(&path, b"flows", 0o600).unwrap();
            name
        };
        let left = || {
            let entries = std::fs::read_dir(&directory).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.filter(|name| name.starts_with("nf")).collect();
            names.sort();
            names
        };
        let task = tasks.iter().find(|task| task.id == kind).unwrap();
        let run = async || {
            for work in &task.work {
                let Work::Program(program) = work else {
                    panic!("{work:?}")
                };
                let stop = StopToken::new();
                Programs::default().run(program, &stop).await.unwrap();
            }
        };
        write(400 * 24);
        write(8 * 24);
        // More than 95 % of seven days, where the program would stop by itself.
        let kept = [write(7 * 24 - 5), write(24)];
        run().await;
        assert_eq!(left(), kept);
        // Files that came by another way than the collector's.
        write(300 * 24);
        run().await;
        assert_eq!(left(), kept);
    }
}
