//! `undo`, `resume` and `forget`: what becomes of a restore afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use elpis_backup::archive::{Archive, Verified};
use elpis_backup::restore::{
    FILES_JOB, FilesError, FilesState, JOB, RestoreRun, RestoreState, SqlText, Unsurveyed,
    files_runs, runs,
};
use elpis_mysql::ConnectOptions;
use elpis_run::{Holder, Journal, Query, RunId, RunSummary};
use serde::Serialize;

use super::join::{FilesAct, Joined, Todo};
use super::progress::RestoreProgress;
use super::{database, files, reach, show};
use crate::backup::args::{Reach, Resume, TakeBack};
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
    /// What the journal says of the database.
    #[serde(skip)]
    state: Option<RestoreRun>,
    /// Where the files stand, and whether they came with a database.
    #[serde(skip)]
    files_state: Option<(FilesState, bool)>,
    /// Whether the journal knows of no database with these files.
    #[serde(skip)]
    is_alone: bool,
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
        let database = databases.iter().find(|run| run.holder == *holder);
        let is_alone = database.is_none();
        let database = database.filter(|run| !is_over(run)).map(|run| run.id);
        let state = states.into_iter().find(|run| Some(run.run) == database);
        let files = files
            .iter()
            .find(|run| run.holder == *holder && run.state != FilesState::Over);
        Ok(Together {
            database,
            files: files.map(|run| run.run),
            state,
            files_state: files.map(|run| (run.state, run.with_database)),
            is_alone,
        })
    }

    fn database_is(&self, wanted: RestoreState) -> bool {
        self.state.as_ref().is_some_and(|run| run.state == wanted)
    }

    fn files_are(&self, wanted: FilesState) -> bool {
        self.files_state.is_some_and(|(state, _)| state == wanted)
    }

    /// The database that is still to be taken back: a process may have died between the two.
    fn to_undo(&self) -> Option<RunId> {
        let files_are_left = self.files.is_some() && !self.files_are(FilesState::Undone);
        let is_done = self.database_is(RestoreState::Undone) && files_are_left;
        self.database.filter(|_| !is_done)
    }

    /// The database that is still to be finished.
    fn to_resume(&self) -> Option<RunId> {
        let files_are_left = self.files_are(FilesState::Unfinished);
        let is_done = self.database_is(RestoreState::Done) && files_are_left;
        self.database.filter(|_| !is_done)
    }

    /// Whether files lie unpacked for a database whose restore never began: they must not take
    /// their places.
    fn has_not_begun(&self) -> bool {
        let with_database = self.files_state.is_some_and(|(_, with)| with);
        self.is_alone && with_database && self.files_are(FilesState::Unfinished)
    }

    /// How its database is reached.
    fn reach(
        &self,
        context: &Context,
        reach: &Reach,
        archive: Option<&mut Archive<Verified>>,
    ) -> Result<ConnectOptions> {
        let target = self.state.as_ref().map_or("", |run| &run.target);
        let reached = reach::again(context, reach, archive, target)?;
        for warning in &reached.warnings {
            context.printer.say(&format!("warning: {warning}"));
        }
        Ok(reached.connect)
    }

    /// The text of its database once more.
    fn text(&self, found: Opened) -> Result<SqlText<Unsurveyed>> {
        let source = self.state.as_ref().and_then(|run| run.source.as_deref());
        Ok(match found {
            // The first, where the archive does not say what its dump is called.
            Opened::Archive(archive) if archive.manifest().is_none() => {
                SqlText::of_archive(*archive, None)?
            }
            Opened::Archive(archive) => SqlText::of_archive(*archive, source)?,
            Opened::Plain(path) => SqlText::open(&path)?,
        })
    }

    /// Its numbers, for people.
    fn numbers(&self) -> String {
        let numbers = [self.database, self.files].into_iter().flatten();
        let numbers: Vec<String> = numbers.map(|run| run.to_string()).collect();
        numbers.join(" and ")
    }
}

/// What `--from` names.
enum Opened {
    Archive(Box<Archive<Verified>>),
    /// A dump of its own.
    Plain(PathBuf),
}

impl Opened {
    fn open(context: &Context, path: &Path) -> Result<Opened> {
        let found = context.find(path, None)?;
        Ok(match super::verify::verify(context, &found) {
            Ok(archive) => Opened::Archive(Box::new(archive)),
            Err(_) => Opened::Plain(path.to_owned()),
        })
    }

    fn archive(&mut self) -> Option<&mut Archive<Verified>> {
        match self {
            Opened::Archive(archive) => Some(archive),
            Opened::Plain(_) => None,
        }
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
    if let Some(run) = together.to_undo() {
        let connect = together.reach(context, &args.reach, None)?;
        let services = joined.services(parts.stops_services());
        let observer = joined.watch(Arc::new(RestoreProgress::new(context.printer)));
        let engine = database::engine(context, &connect, &journal, &holder, services, observer);
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
    if let Some(run) = together
        .files
        .filter(|_| together.files_are(FilesState::Undoing))
    {
        bail!(FilesError::Undoing { run });
    }
    let todo = together
        .files
        .filter(|_| together.files_are(FilesState::Unfinished));
    let todo = todo.map(match together.has_not_begun() {
        true => Todo::Undo,
        false => Todo::Resume,
    });
    let was_begun = todo.is_some();
    let act = FilesAct::new(files::engine(context, &journal, &holder, &()), todo);
    let why = format!("finishing run {}", together.numbers());
    let joined = Joined::new(parts.standstill(&why), &act);
    let mut restored = None;
    if let Some(run) = together.to_resume() {
        let progress = Arc::new(RestoreProgress::new(context.printer));
        let from = args.from.as_deref();
        let mut from = from.map(|path| Opened::open(context, path)).transpose()?;
        let archive = from.as_mut().and_then(Opened::archive);
        let connect = together.reach(context, &args.take.reach, archive)?;
        let text = match from {
            None => None,
            Some(from) => {
                let text = together.text(from)?;
                Some(text.survey(&context.interrupt.stop, &*progress)?)
            }
        };
        let services = joined.services(parts.stops_services());
        let observer = joined.watch(progress);
        let engine = database::engine(context, &connect, &journal, &holder, services, observer);
        restored = Some(engine.resume(run, text.as_ref())?);
    }
    joined.finish().map_err(anyhow::Error::from_boxed)?;
    let files = act.result()?;
    // An attempt before this one may have died when it had taken back what was unpacked.
    let is_back = together.files_are(FilesState::Undone);
    if restored.is_none() && files.is_none() && (was_begun || is_back) {
        let why = match is_back {
            true => "is taken back: nothing of it is left to be resumed",
            false => "had not come so far that it could be resumed, and nothing was changed by it",
        };
        let what = format!("run {} {why}", together.numbers());
        return Ok(Verdict::new(Code::Refused, what, "restore again"));
    }
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
        let connect = together.reach(context, &args.reach, None)?;
        let observer = Arc::new(RestoreProgress::new(context.printer));
        let engine = database::engine(context, &connect, &journal, &holder, None, observer);
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
