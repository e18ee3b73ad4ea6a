//! `undo`, `resume` and `forget`: what becomes of a restore afterwards.

use std::sync::Arc;

use anyhow::{Result, bail};
use elpis_backup::restore::{
    FILES_JOB, FilesState, JOB, RestoreState, Services, SqlText, files_runs, runs,
};
use elpis_run::{Holder, Journal, Query, RunId, RunSummary};
use serde::Serialize;

use super::join::{FilesAct, Joined, Todo};
use super::progress::RestoreProgress;
use super::{database, files, reach, show};
use crate::backup::args::{Resume, TakeBack};
use crate::backup::commands::Context;
use crate::backup::places::NoRestore;
use crate::exit::{Code, Verdict};

/// What was restored together: by one process, at one time.
#[derive(Debug, Default, Serialize)]
struct Together {
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<RunId>,
    #[serde(skip)]
    open_files: bool,
}

impl Together {
    /// The restore that `run` is a part of, or the newest of which anything is left.
    fn find(journal: &dyn Journal, run: Option<i64>) -> Result<Together> {
        let of = |job: &str| {
            journal.list(&Query {
                job: Some(job.to_owned()),
                ..Query::default()
            })
        };
        let databases = of(JOB)?;
        let files = files_runs(journal)?;
        let all = of(FILES_JOB)?;
        let all = || databases.iter().chain(&all);
        let states = runs(journal)?;
        let is_over = |summary: &RunSummary| {
            let of_files = files.iter().find(|run| run.run == summary.id);
            let of_database = states.iter().find(|run| run.run == summary.id);
            of_files.is_some_and(|run| run.state == FilesState::Over)
                || of_database.is_some_and(|run| run.state == RestoreState::Forgotten)
        };
        let chosen: Option<&Holder> = match run {
            Some(run) => all().find(|found| found.id == RunId(run)),
            None => all()
                .filter(|found| !is_over(found))
                .max_by_key(|found| found.id),
        }
        .map(|found| &found.holder);
        let Some(holder) = chosen else {
            bail!(NoRestore { run });
        };
        let database = databases
            .iter()
            .find(|run| run.holder == *holder && !is_over(run));
        let files = files
            .iter()
            .find(|run| run.holder == *holder && run.state != FilesState::Over);
        Ok(Together {
            database: database.map(|run| run.id),
            files: files.map(|run| run.run),
            open_files: files.is_some_and(|run| run.state == FilesState::Unfinished),
        })
    }

    /// Its numbers, for people.
    fn numbers(&self) -> String {
        let numbers = [self.database, self.files].into_iter().flatten();
        let numbers: Vec<String> = numbers.map(|run| run.to_string()).collect();
        numbers.join(" and ")
    }
}

/// Puts back what was there before a restore.
pub(in crate::backup) fn undo(context: &Context, args: &TakeBack) -> Result<Verdict> {
    let journal = context.journal()?;
    let together = Together::find(&journal, args.run)?;
    let holder = context.holder();
    let parts = context.settings.restore.parts(context.printer);
    let act = FilesAct::new(
        files::engine(context, &journal, &holder, &()),
        together.files.map(Todo::Undo),
    );
    let why = format!("taking back run {}", together.numbers());
    let joined = Joined::new(parts.standstill(&why), &act);
    let mut report = None;
    if let Some(run) = together.database {
        let reached = reach::find(context, &args.reach, None)?;
        let services = parts.stops_services().then_some(&joined as &dyn Services);
        let observer = joined.watch(Arc::new(RestoreProgress::new(context.printer)));
        let connect = &reached.connect;
        let engine = database::engine(context, connect, &journal, &holder, services, observer);
        report = Some(engine.undo(run)?);
    }
    joined.finish().map_err(anyhow::Error::from_boxed)?;
    act.result()?;
    show::undone(
        context.printer,
        &together.numbers(),
        report.as_ref(),
        together.files,
    )?;
    Ok(Verdict::silent(Code::Done))
}

/// Finishes what a process that died has begun.
pub(in crate::backup) fn resume(context: &Context, args: &Resume) -> Result<Verdict> {
    let journal = context.journal()?;
    let together = Together::find(&journal, args.take.run)?;
    let holder = context.holder();
    let parts = context.settings.restore.parts(context.printer);
    let todo = together
        .files
        .filter(|_| together.open_files)
        .map(Todo::Resume);
    let act = FilesAct::new(files::engine(context, &journal, &holder, &()), todo);
    let why = format!("finishing run {}", together.numbers());
    let joined = Joined::new(parts.standstill(&why), &act);
    let mut restored = None;
    if let Some(run) = together.database {
        let reached = reach::find(context, &args.take.reach, None)?;
        let progress = Arc::new(RestoreProgress::new(context.printer));
        let text = match &args.from {
            None => None,
            Some(path) => {
                let found = context.find(path, None)?;
                let text = match super::verify::verify(context, &found) {
                    Ok(archive) => SqlText::of_archive(archive, None)?,
                    Err(_) => SqlText::open(path)?,
                };
                Some(text.survey(&context.interrupt.stop, &*progress)?)
            }
        };
        let services = parts.stops_services().then_some(&joined as &dyn Services);
        let observer = joined.watch(progress);
        let connect = &reached.connect;
        let engine = database::engine(context, connect, &journal, &holder, services, observer);
        restored = Some(engine.resume(run, text.as_ref())?);
    }
    joined.finish().map_err(anyhow::Error::from_boxed)?;
    let files = act.result()?;
    show::restored(context.printer, restored.as_ref(), files.as_ref())?;
    Ok(Verdict::silent(Code::Done))
}

/// Removes what is kept of a restore.
pub(in crate::backup) fn forget(context: &Context, args: &TakeBack) -> Result<Verdict> {
    let journal = context.journal()?;
    let together = Together::find(&journal, args.run)?;
    let holder = context.holder();
    let mut report = None;
    if let Some(run) = together.database {
        let reached = reach::find(context, &args.reach, None)?;
        let observer = Arc::new(RestoreProgress::new(context.printer));
        let connect = &reached.connect;
        let engine = database::engine(context, connect, &journal, &holder, None, observer);
        report = Some(engine.forget(run)?);
    }
    let removed = match together.files {
        Some(run) => files::engine(context, &journal, &holder, &()).forget(run)?,
        None => Vec::new(),
    };
    show::forgotten(
        context.printer,
        &together.numbers(),
        report.as_ref(),
        &removed,
    )?;
    Ok(Verdict::silent(Code::Done))
}
