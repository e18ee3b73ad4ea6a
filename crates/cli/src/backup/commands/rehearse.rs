//! `rehearse`: restore archives for a trial and note what came out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use elpis_backup::archive::{Archive, Verified, VerifyError};
use elpis_backup::{
    CheckResult, Inspector, ObjectStore, Rehearsal, RehearsalReport, RehearseError,
};
use elpis_pandora::{RestoreSet, rehearsal_probes};
use elpis_run::Clock;

use super::restore::{RestoreProgress, files, reach};
use super::{Context, Found, verify};
use crate::backup::args::Rehearse;
use crate::backup::places::Nothing;
use crate::exit::{Code, Verdict};
use crate::output::{number, seconds};

pub(super) fn run(context: &Context, args: &Rehearse) -> Result<Verdict> {
    let archives = chosen(context, args)?;
    let (mut reports, mut not_held) = (Vec::new(), Vec::new());
    for archive in &archives {
        let found = context.find(archive, args.target.target.clone())?;
        let report = match rehearse(context, args, &found) {
            Ok(report) => {
                note(context, &found, &report);
                report
            }
            // There may be room, or memory, for another one.
            Err(error) if is_of_this_one(&error) && archives.len() > 1 => {
                let said = format!("{}: not rehearsed: {error:#}", name(archive));
                context.printer.say(&said);
                not_held.push(error);
                continue;
            }
            Err(error) => broken(context, &found, error)?,
        };
        if !context.printer.json {
            context.printer.data(&lines(&report))?;
        }
        reports.push(report);
    }
    if context.printer.json {
        context.printer.document(&reports)?;
    } else if archives.is_empty() {
        context.printer.say("every archive was rehearsed before");
    }
    let failed = reports.iter().filter(|report| !report.is_passed()).count();
    if failed > 0 {
        return Ok(Verdict::new(
            Code::Partial,
            format!("{failed} of {} archives have failed", reports.len()),
            "do not rely on them: make another backup and rehearse that",
        ));
    }
    match not_held.into_iter().next() {
        Some(first) => Err(first),
        None => Ok(Verdict::silent(Code::Done)),
    }
}

/// Whether the rehearsal of one archive could not be held, and that of another may.
fn is_of_this_one(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(RehearseError::NotHeld { .. }))
}

/// The archives that the arguments mean.
fn chosen(context: &Context, args: &Rehearse) -> Result<Vec<PathBuf>> {
    if !args.archives.is_empty() {
        return Ok(args.archives.clone());
    }
    let store = context.any_store(args.target.target.clone())?;
    let place = PathBuf::from(store.place());
    let mut archives = store.list()?;
    if archives.is_empty() {
        bail!(Nothing {
            place: store.place()
        });
    }
    if args.all {
        // Older ones that are broken were told before; if the newest is, that is told every time.
        let newest = archives[0].name.clone();
        archives.retain(|archive| {
            let note = archive.note.as_ref();
            let is_new = note.is_none_or(|note| note.rehearsed.is_none());
            is_new && (!archive.is_broken() || archive.name == newest)
        });
    } else {
        archives.truncate(1);
    }
    let path = |archive: elpis_backup::store::Stored| place.join(archive.name.to_string());
    Ok(archives.into_iter().map(path).collect())
}

fn rehearse(context: &Context, args: &Rehearse, found: &Found) -> Result<RehearsalReport> {
    let open = || -> Result<Archive<Verified>, VerifyError> { verify::verify(context, found) };
    let first = open()?;
    let side = match args.side_database {
        false => None,
        true => Some(reach::find(context, &args.reach, None)?.connect),
    };
    let product = first.manifest().map(|manifest| manifest.product.clone());
    let roots = RestoreSet::default().roots(first.contents());
    let check = files::check_of(first.contents());
    let now = context.clock.now();
    let began = found
        .stored
        .as_ref()
        .map_or(now, |(_, name)| name.began(&context.zone));
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let rehearsal = Rehearsal {
        scratch: &scratch,
        mariadbd: args.mariadbd.as_deref(),
        side,
        roots,
        check,
        probes: rehearsal_probes(&product.unwrap_or_default()),
        max_data_age: args.max_data_age,
        clock: &context.clock,
        stop: &context.interrupt.stop,
        holder: context.holder(),
        observer: Arc::new(RestoreProgress::new(context.printer)),
    };
    Ok(rehearsal.run(first, &open, began)?)
}

/// What becomes of an archive that is broken: it has failed, and the next one is rehearsed.
fn broken(context: &Context, found: &Found, error: anyhow::Error) -> Result<RehearsalReport> {
    let why = match error.downcast_ref() {
        Some(VerifyError::Broken { .. } | VerifyError::NotAnArchive { .. }) => error.to_string(),
        _ => return Err(error),
    };
    let now = context.clock.now();
    let stored = found.stored.as_ref();
    Ok(RehearsalReport {
        archive: found.path.clone(),
        began: stored.map_or(now, |(_, name)| name.began(&context.zone)),
        at: now,
        checks: vec![CheckResult {
            name: "archive".to_owned(),
            passed: false,
            said: why,
        }],
        ..RehearsalReport::default()
    })
}

/// Notes the outcome if the archive is in a store and had anything to look at.
fn note(context: &Context, found: &Found, report: &RehearsalReport) {
    let Some((store, name)) = found.stored.as_ref().filter(|_| !report.checks.is_empty()) else {
        return;
    };
    let inspector = Inspector {
        store: store.as_ref() as &dyn ObjectStore,
        keys: &context.keys,
        clock: &context.clock,
        zone: context.zone.clone(),
        stop: &context.interrupt.stop,
        observer: &(),
    };
    if let Err(error) = inspector.rehearsed(name, report.note()) {
        let said = format!("warning: the outcome is not noted: {error}");
        context.printer.say(&said);
    }
}

fn lines(report: &RehearsalReport) -> String {
    let verdict = if report.is_passed() {
        "can be restored"
    } else {
        "FAILED"
    };
    let mut lines = vec![format!("{}: {verdict}", name(&report.archive))];
    if report.databases > 0 {
        let (tables, rows) = (number(report.tables), number(report.rows));
        let took = seconds(report.databases_s);
        lines.push(format!(
            "  {tables} tables, {rows} rows in {took} on {}",
            report.server
        ));
    }
    if report.files > 0 {
        let (files, took) = (number(report.files), seconds(report.files_s));
        lines.push(format!("  {files} files in {took}"));
    }
    for check in &report.checks {
        let mark = if check.passed { "ok" } else { "FAILED" };
        lines.push(format!("  {mark}: {}: {}", check.name, check.said));
    }
    lines.extend(
        report
            .warnings
            .iter()
            .map(|warning| format!("  warning: {warning}")),
    );
    lines.join("\n")
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
