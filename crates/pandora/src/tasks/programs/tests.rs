use std::os::unix::fs::PermissionsExt;

use super::*;

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
