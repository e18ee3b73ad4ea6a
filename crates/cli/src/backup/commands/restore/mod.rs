//! `restore`: an archive's database, its files or both, back into their places.

pub(in crate::backup) mod back;
mod chosen;
mod database;
pub(super) mod files;
mod join;
pub(super) mod kept;
mod progress;
pub(super) mod reach;
mod show;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use elpis_backup::archive::{Archive, Verified};
use elpis_backup::restore::{FileCheck, FilesError, FilesPlan, JOB, Services};
use elpis_run::{Holder, Journal, MemoryJournal, Query};

use self::chosen::choose;
use self::database::Database;
use self::join::{FilesAct, Joined, Todo};
pub(super) use self::progress::RestoreProgress;
use super::{Context, verify};
use crate::backup::args::Restore;
use crate::exit::{Code, Verdict};

pub(super) fn run(context: &Context, args: &Restore) -> Result<Verdict> {
    Ok(verdict(restore(context, args)?))
}

fn verdict(ended: Ended) -> Verdict {
    match ended {
        Ended::Shown(verdict) => verdict,
        Ended::Restored { remarks: 0 } => Verdict::silent(Code::Done),
        Ended::Restored { remarks } => Verdict::new(
            Code::Partial,
            format!("it is restored, with {remarks} remarks"),
            "read them; `elpis-backup undo` takes the restore back",
        ),
    }
}

/// The same with the last words of the product's own script.
pub(super) fn manual(context: &Context, args: &Restore) -> Result<Verdict> {
    if let Some(source) = &args.source {
        let said = format!(
            "Detected Pandora FMS backup at {}, please wait...",
            source.display()
        );
        context.printer.say(&said);
    }
    let ended = restore(context, args)?;
    if let (Ended::Restored { .. }, Some(source)) = (&ended, &args.source) {
        let said = format!("Done. Backup in {} restored", source.display());
        context.printer.say(&said);
    }
    Ok(verdict(ended))
}

/// How it ended.
enum Ended {
    /// It was only to be shown.
    Shown(Verdict),
    /// It is restored.
    Restored {
        /// How many things the operator should know.
        remarks: usize,
    },
}

/// Looks, decides, and carries it out unless it is only to be shown.
fn restore(context: &Context, args: &Restore) -> Result<Ended> {
    let (archive, passed_over) = match args.sql {
        Some(_) => (None, 0),
        None => {
            let chosen = choose(context, args)?;
            (Some(chosen.archive), chosen.passed_over)
        }
    };
    let files = match (args.files, &archive) {
        (true, Some(archive)) => Some(files::plan(context, args, archive)?),
        _ => None,
    };
    let parts = context.settings.restore.parts(context.printer);
    let (database, archive) = match args.no_database {
        true => (None, archive),
        false => {
            let around = parts.standstill("");
            let services = parts.stops_services().then_some(&around as &dyn Services);
            let journal = MemoryJournal::new();
            let planned = Database::plan(context, args, archive, services, &journal)?;
            (Some(planned), None)
        }
    };
    let planned = database.as_ref().map(Database::planned);
    if args.dry_run {
        let count = match &database {
            Some(database) => database.count(context)?,
            None => None,
        };
        let verdict = show::plans(context.printer, planned, count.as_ref(), files.as_ref())?;
        expect_none_unfinished(context, database.as_ref(), files.is_some())?;
        return Ok(Ended::Shown(verdict));
    }
    let mut refusals: Vec<String> = Vec::new();
    refusals.extend(
        planned
            .iter()
            .flat_map(|p| &p.refusals)
            .map(ToString::to_string),
    );
    refusals.extend(files.iter().flat_map(|plan| plan.refusals.iter().cloned()));
    if !refusals.is_empty() {
        bail!(FilesError::Refused { refusals });
    }
    show::announce(context.printer, planned, files.as_ref());
    let archive = database
        .as_ref()
        .and_then(Database::archive)
        .or(archive.as_ref());
    let remarks = carry_out(
        context,
        database.as_ref(),
        files.as_ref(),
        archive,
        args.sql.as_deref(),
    )?;
    Ok(Ended::Restored {
        remarks: remarks + passed_over,
    })
}

/// A restore that is neither done nor taken back forbids another one.
fn expect_none_unfinished(
    context: &Context,
    database: Option<&Database>,
    with_files: bool,
) -> Result<()> {
    if !context.journal_path().exists() {
        return Ok(());
    }
    let (journal, holder) = (context.journal()?, context.holder());
    if let Some(database) = database {
        let connect = database.connect();
        let by = database::engine(context, connect, &journal, &holder, None, Arc::new(()));
        by.expect_none_unfinished(database.planned())?;
    }
    if with_files {
        files::engine(context, &journal, &holder, &()).expect_none_open()?;
    }
    Ok(())
}

/// Restores, and returns how many things the operator should know.
fn carry_out(
    context: &Context,
    database: Option<&Database>,
    files: Option<&FilesPlan>,
    archive: Option<&Archive<Verified>>,
    sql: Option<&Path>,
) -> Result<usize> {
    let from = archive.map(Archive::path).or(sql).unwrap_or(Path::new(""));
    let journal = context.journal()?;
    // What is restored together has one holder in the journal.
    let holder = context.holder();
    let check = archive.map_or(&() as &dyn FileCheck, |a| files::check_of(a.contents()));
    let engine = files::engine(context, &journal, &holder, check);
    let staged = match (files, archive) {
        (Some(plan), Some(archive)) => Some(engine.stage(archive, plan)?),
        _ => None,
    };
    let act = FilesAct::new(engine, staged.map(Todo::Swap));
    let parts = context.settings.restore.parts(context.printer);
    let joined = Joined::new(
        parts.standstill(&format!("restoring {}", from.display())),
        &act,
    );
    let mut restored = None;
    if let Some(database) = database {
        let services = joined.services(parts.stops_services());
        let observer = joined.watch(Arc::new(RestoreProgress::new(context.printer)));
        let connect = database.connect();
        let by = database::engine(context, connect, &journal, &holder, services, observer);
        match database.run(&by) {
            Ok(report) => restored = Some(report),
            Err(error) => {
                // With the database to be resumed, the files wait beside their places.
                if !is_begun(&journal, &holder)? {
                    act.abandon()?;
                }
                return Err(error);
            }
        }
    }
    joined.finish().map_err(anyhow::Error::from_boxed)?;
    let files = act.result().map_err(|error| {
        let error = anyhow::Error::from(error);
        match database {
            None => error,
            Some(database) => {
                let name = database.name();
                error.context(format!("database {name} is restored, the files are not"))
            }
        }
    })?;
    show::restored(context.printer, restored.as_ref(), files.as_ref())?;
    let of_files = files.map_or(0, |files| files.warnings.len());
    let of_database = restored.map_or(0, |report| {
        report.warnings.len() + report.missing_grants.len()
    });
    Ok(of_files + of_database)
}

/// Whether this process has a restore of a database in the journal that has not ended.
fn is_begun(journal: &dyn Journal, holder: &Holder) -> Result<bool> {
    let query = Query {
        job: Some(JOB.to_owned()),
        open_only: true,
        ..Query::default()
    };
    let open = journal.list(&query)?;
    Ok(open.iter().any(|run| run.holder == *holder))
}
