//! `create`: make a backup.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use elpis_backup::archive::Tool;
use elpis_backup::{
    Backup, BackupPlan, BackupReport, DumpPolicy, Facts, LocalStore, MySqlSource, Profile, Source,
    SqliteSource,
};
use elpis_run::{Journal, Observer};

use super::{Context, PROGRAM};
use crate::backup::args;
use crate::backup::output::{self, Progress};
use crate::backup::settings::connect_options;
use crate::exit::{Code, Verdict};

pub(super) fn run(context: &Context, args: args::Create) -> Result<Verdict> {
    let mut profile = context.settings.profile()?;
    if let Some(container) = args.container {
        profile.container = container;
    }
    profile.verify &= !args.no_verify;
    let store = context.store(args.target.target)?;
    let mut sources = sources(&profile, context)?;
    let plan = plan(&profile, &mut sources, &store)?;
    if args.dry_run {
        match context.printer.json {
            true => context.printer.document(&plan)?,
            false => context.printer.data(&output::plan(&plan))?,
        }
        return Ok(Verdict::silent(match plan.refusals.is_empty() {
            true => Code::Done,
            false => Code::Refused,
        }));
    }
    let journal = context.journal()?;
    let report = make(context, &store, &journal, &plan, &mut sources)?;
    if !context.printer.json {
        context.printer.data(&output::report(&report))?;
    }
    Ok(verdict(&report))
}

/// How a backup that was made ends.
pub(super) fn verdict(report: &BackupReport) -> Verdict {
    if report.complete {
        return Verdict::silent(Code::Done);
    }
    let partial = report
        .omissions
        .iter()
        .filter(|omission| omission.kind.is_partial());
    Verdict::new(
        Code::Partial,
        format!(
            "the backup is partial: {} files are missing or doubtful",
            partial.count()
        ),
        "see to them and make another; this one stays",
    )
}

/// Looks and decides.
pub(super) fn plan(
    profile: &Profile,
    sources: &mut [Box<dyn Source>],
    store: &LocalStore,
) -> Result<BackupPlan> {
    Ok(BackupPlan::new(
        profile,
        Facts::gather(profile, sources, store)?,
    ))
}

/// Carries a plan out, and shows how it goes.
pub(super) fn make(
    context: &Context,
    store: &LocalStore,
    journal: &dyn Journal,
    plan: &BackupPlan,
    sources: &mut [Box<dyn Source>],
) -> Result<BackupReport> {
    let observer: Arc<dyn Observer<_>> = Arc::new(Progress::backup(context.printer));
    let backup = Backup {
        store,
        journal,
        observer,
        clock: &context.clock,
        zone: context.zone.clone(),
        stop: &context.interrupt.stop,
        holder: context.holder(),
        tool: Tool {
            name: PROGRAM.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
    };
    Ok(backup.run(plan, sources)?)
}

/// The sources of a profile: SQLite files one by one, servers with all their databases at once.
pub(super) fn sources(profile: &Profile, context: &Context) -> Result<Vec<Box<dyn Source>>> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    let mut servers: Vec<(&Path, DumpPolicy)> = Vec::new();
    for database in &profile.databases {
        if let Some(path) = &database.sqlite {
            sources.push(Box::new(SqliteSource::new(&database.name, path)));
        }
        if let Some(path) = &database.option_file {
            let at = match servers.iter().position(|(file, _)| file == path) {
                Some(at) => at,
                None => {
                    servers.push((path, profile.dump.policy(Vec::new())));
                    servers.len() - 1
                }
            };
            servers[at].1.databases.push(database.name.clone());
            servers[at]
                .1
                .without_rows
                .extend(database.without_rows.iter().cloned());
        }
    }
    let mut warnings = Vec::new();
    for (file, policy) in servers {
        let connect = connect_options(file, &mut warnings)?;
        sources.push(Box::new(MySqlSource::new(connect, policy)));
    }
    for warning in warnings {
        context.printer.say(&format!("warning: {warning}"));
    }
    Ok(sources)
}
