//! `create`: make a backup.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use elpis_backup::archive::Tool;
use elpis_backup::{
    Backup, BackupPlan, BackupReport, Encryption, Facts, LocalStore, ObjectStore, Profile, Source,
};
use elpis_run::{Journal, Observer};

use super::{Context, PROGRAM};
use crate::backup::output::{self, Progress};
use crate::backup::{args, pandora, sources};
use crate::exit::{Code, Verdict};

pub(super) fn run(context: &Context, args: args::Create) -> Result<Verdict> {
    let (mut profile, mut sources) = wanted(context, &args)?;
    if let Some(container) = args.container {
        profile.container = container;
    }
    profile.verify &= !args.no_verify;
    let encryption = context.encryption(&args.encrypt_to)?;
    let copies = context.copies(args.to)?;
    let store = context.store(args.target.target)?;
    let mut plan = plan(&profile, &mut sources, &store)?;
    if context.settings.target_is_mounted {
        plan.refusals.extend(unmounted(store.dir()));
    }
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
    let by = By {
        store: &store,
        journal: &journal,
        encryption: encryption.as_ref(),
    };
    let report = make(context, &by, &plan, &mut sources)?;
    if !context.printer.json {
        context.printer.data(&output::report(&report))?;
    }
    if let Some(to) = copies {
        copy(context, &store, to.as_ref(), &report)?;
    }
    Ok(verdict(&report))
}

/// Why archives must not go there: they would fill the disk of the system and be lost under the
/// mount point.
fn unmounted(target: &Path) -> Option<String> {
    let device = |path: &Path| rustix::fs::stat(path).ok().map(|found| found.st_dev);
    let is_mounted = device(target).is_some_and(|of| Some(of) != device(Path::new("/")));
    (!is_mounted).then(|| {
        format!(
            "{} lies on the file system of /, and [target] says that it must be mounted",
            target.display()
        )
    })
}

/// What the configuration wants in a backup: its profile, or its installation of Pandora FMS.
fn wanted(context: &Context, args: &args::Create) -> Result<(Profile, Vec<Box<dyn Source>>)> {
    let (profile, sources, warnings) = match &context.settings.pandora {
        Some(wanted) => {
            let mut wanted = wanted.clone();
            sources::be_gentle(&mut wanted.dump, &args.gentleness);
            wanted.dump.reuse |= args.reuse;
            let found = pandora::look(&wanted, context.settings.is_root)?;
            (found.profile, found.sources, found.warnings)
        }
        None => {
            let mut profile = context.settings.profile()?;
            sources::be_gentle(&mut profile.dump, &args.gentleness);
            profile.dump.reuse |= args.reuse;
            let mut warnings = Vec::new();
            let sources = sources::sources(&profile, &mut warnings)?;
            (profile, sources, warnings)
        }
    };
    for warning in warnings {
        context.printer.say(&format!("warning: {warning}"));
    }
    Ok((profile, sources))
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

/// What a backup is made with.
pub(super) struct By<'a> {
    pub(super) store: &'a LocalStore,
    pub(super) journal: &'a dyn Journal,
    pub(super) encryption: Option<&'a Encryption>,
}

/// Copies what was made to another store.
#[cfg(feature = "remote")]
fn copy(
    context: &Context,
    store: &LocalStore,
    to: &dyn ObjectStore,
    report: &BackupReport,
) -> Result<()> {
    let name = report.path.file_name().and_then(|name| name.to_str());
    store.queue(&name.unwrap_or_default().parse()?)?;
    let report = super::upload::copy(context, store, to)?;
    for name in &report.copied {
        context.printer.say(&format!("{name} is in {}", report.to));
    }
    Ok(())
}

/// Nobody can have a store to copy to.
#[cfg(not(feature = "remote"))]
fn copy(_: &Context, _: &LocalStore, _: &dyn ObjectStore, _: &BackupReport) -> Result<()> {
    Ok(())
}

/// Carries a plan out, and shows how it goes.
pub(super) fn make(
    context: &Context,
    by: &By<'_>,
    plan: &BackupPlan,
    sources: &mut [Box<dyn Source>],
) -> Result<BackupReport> {
    let observer: Arc<dyn Observer<_>> = Arc::new(Progress::backup(context.printer));
    let backup = Backup {
        store: by.store,
        journal: by.journal,
        observer,
        clock: &context.clock,
        zone: context.zone.clone(),
        stop: &context.interrupt.stop,
        holder: context.holder(),
        tool: Tool {
            name: PROGRAM.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        encryption: by.encryption,
        keys: &context.keys,
    };
    Ok(backup.run(plan, sources)?)
}
