//! Our own part: the backup that is restored, and the process that restores it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use elpis_backup::archive::{Archive, Container, ReadLimits, Tool, Verify};
use elpis_backup::restore::{Restore, RestorePlan, RestorePolicy, SqlText};
use elpis_backup::{
    Backup, BackupPlan, DumpPolicy, Facts, LocalStore, MySqlSource, Profile, Source,
};
use elpis_mysql::ConnectOptions;
use elpis_run::journal::MemoryJournal;
use elpis_run::{Clock, Holder, RealClock, StopToken};

fn options(socket: &Path) -> ConnectOptions {
    ConnectOptions {
        user: "root".into(),
        socket: Some(socket.to_owned()),
        ..ConnectOptions::default()
    }
}

/// Backs the database up into `dir/store`.
pub(crate) fn backup(socket: &Path, dir: &Path) -> Result<()> {
    let store = dir.join("store");
    std::fs::create_dir(&store)?;
    let store = LocalStore::open(&store)?;
    let profile = Profile::new("bench", "bench", Container::TarZst);
    let policy = DumpPolicy::new(vec!["bench".to_owned()]);
    let mut sources: Vec<Box<dyn Source>> =
        vec![Box::new(MySqlSource::new(options(socket), policy))];
    let plan = BackupPlan::new(&profile, Facts::gather(&profile, &mut sources, &store)?);
    let clock = RealClock::new();
    let backup = Backup {
        store: &store,
        journal: &MemoryJournal::new(),
        observer: Arc::new(()),
        clock: &clock,
        zone: jiff::tz::TimeZone::UTC,
        stop: &StopToken::new(),
        holder: Holder::current("bench", clock.now()),
        tool: Tool {
            name: "bench".into(),
            version: "0".into(),
        },
        encryption: None,
        keys: &elpis_backup::Keys::none(),
    };
    let report = backup.run(&plan, &mut sources)?;
    ensure!(report.verified, "the backup is not verified");
    Ok(())
}

fn archive(dir: &Path) -> Result<PathBuf> {
    let found = std::fs::read_dir(dir.join("store"))?
        .flatten()
        .map(|entry| entry.path());
    let mut found = found.filter(|path| path.to_string_lossy().ends_with(".tar.zst"));
    found.next().context("no archive")
}

/// Restores it and forgets the old tables; the report goes to stdout.
pub(crate) fn restore(socket: &Path, dir: &Path, sessions: usize) -> Result<()> {
    let stop = StopToken::new();
    let how = Verify {
        limits: ReadLimits::default(),
        sha256: None,
        stop: &stop,
        observer: &(),
    };
    let verified = Archive::open(&archive(dir)?)?.verify(&how)?;
    let text = SqlText::of_archive(verified, None)?.survey(&stop, &())?;
    let clock = RealClock::new();
    let journal = MemoryJournal::new();
    let restore = Restore {
        connect: options(socket),
        journal: &journal,
        observer: Arc::new(()),
        clock: &clock,
        stop: &stop,
        holder: Holder::current("bench", clock.now()),
        services: None,
    };
    let mut policy = RestorePolicy::new("bench");
    policy.sessions = sessions;
    let facts = restore.inspect(&policy, &text)?;
    let plan = RestorePlan::new(&policy, &facts, text.survey(), clock.now());
    let report = restore.run(&plan, &text)?;
    println!("{}", serde_json::to_string(&report)?);
    let run = report.run.context("no run")?;
    restore.forget(run)?;
    Ok(())
}
