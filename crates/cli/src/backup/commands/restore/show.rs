//! How plans and results of restores are shown.

use std::path::PathBuf;

use anyhow::Result;
use elpis_backup::restore::{
    CountReport, FilesPlan, FilesReport, ForgetReport, RestorePlan, RestoreReport, UndoReport,
};
use elpis_run::RunId;
use serde_json::json;

use crate::exit::{Code, Verdict};
use crate::output::{Printer, bytes, number, seconds};

/// What would be done.
pub(super) fn plans(
    printer: Printer,
    database: Option<&RestorePlan>,
    count: Option<&CountReport>,
    files: Option<&FilesPlan>,
) -> Result<Verdict> {
    if printer.json {
        let mut document = json!({ "database": database, "files": files });
        if let Some(count) = count {
            document["count"] = json!(count);
        }
        printer.document(&document)?;
    } else {
        printer.data(&lines(database, count, files).join("\n"))?;
    }
    let is_refused = database.is_some_and(|plan| !plan.refusals.is_empty())
        || files.is_some_and(|plan| !plan.refusals.is_empty());
    Ok(match is_refused {
        false => Verdict::silent(Code::Done),
        true => Verdict::new(
            Code::Refused,
            "it would be refused",
            "see to the reasons, or take one with --accept",
        ),
    })
}

/// What is about to be done, for whoever looks on.
pub(super) fn announce(
    printer: Printer,
    database: Option<&RestorePlan>,
    files: Option<&FilesPlan>,
) {
    if !printer.json {
        for line in lines(database, None, files) {
            printer.say(&line);
        }
    }
}

fn lines(
    database: Option<&RestorePlan>,
    count: Option<&CountReport>,
    files: Option<&FilesPlan>,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(plan) = database {
        lines.push(format!("database {}:", plan.policy.database));
        lines.extend(plan.lines().into_iter().map(|line| format!("  {line}")));
        for (table, rows) in count.iter().flat_map(|count| &count.missing) {
            lines.push(format!("  {table} lacks {} rows", number(*rows)));
        }
        let counted = count.iter().flat_map(|count| &count.warnings);
        let warnings: Vec<String> = plan.warnings.iter().chain(counted).cloned().collect();
        remarks(&mut lines, &warnings, plan.refusals.iter());
    }
    if let Some(plan) = files {
        for root in &plan.roots {
            let (entries, size) = (number(root.entries), bytes(root.bytes));
            let (name, place) = (&root.root.component, root.root.place.display());
            lines.push(format!("{name}: {entries} files, {size} to {place}"));
            let extra = number(root.extra);
            match (root.exists, plan.mirror) {
                (false, _) => lines.push("  it is made anew".to_owned()),
                (true, false) => lines.push(format!(
                    "  {extra} files and directories are not in the archive and stay"
                )),
                (true, true) => {
                    lines.push(format!("  {extra} files and directories go away:"));
                    lines.extend(root.leaving.iter().map(|name| format!("    {name}")));
                }
            }
        }
        remarks(&mut lines, &plan.warnings, plan.refusals.iter());
    }
    lines
}

fn remarks<T: ToString>(
    lines: &mut Vec<String>,
    warnings: &[String],
    refusals: impl Iterator<Item = T>,
) {
    lines.extend(
        warnings
            .iter()
            .map(|warning| format!("  warning: {warning}")),
    );
    lines.extend(refusals.map(|refusal| format!("  refused: {}", refusal.to_string())));
}

/// What was done, and how it can be taken back.
pub(super) fn restored(
    printer: Printer,
    database: Option<&RestoreReport>,
    files: Option<&FilesReport>,
) -> Result<()> {
    if printer.json {
        printer.document(&json!({ "database": database, "files": files }))?;
        return Ok(());
    }
    let mut lines = Vec::new();
    if let Some(report) = database {
        lines.extend(of_database(report));
    }
    for root in files.iter().flat_map(|files| &files.roots) {
        let (entries, size) = (number(root.entries), bytes(root.bytes));
        let (name, place) = (&root.component, root.place.display());
        let kept = match root.kept {
            0 => String::new(),
            kept => format!("; {} that the archive does not have stayed", number(kept)),
        };
        lines.push(format!("{name}: {entries} files, {size} in {place}{kept}"));
    }
    let warnings = files.iter().flat_map(|files| &files.warnings);
    lines.extend(warnings.map(|warning| format!("  warning: {warning}")));
    if lines.is_empty() {
        lines.push("nothing was left to do".to_owned());
    }
    printer.data(&lines.join("\n"))?;
    let of_database = database.and_then(|report| report.run);
    if let Some(run) = of_database.or(files.map(|report| report.run)) {
        printer.say(&format!(
            "what was there before is kept: `elpis-backup undo --run {run}` brings it back, \
             `elpis-backup forget --run {run}` removes it"
        ));
    }
    Ok(())
}

fn of_database(report: &RestoreReport) -> Vec<String> {
    let (tables, rows) = (number(report.tables), number(report.rows));
    let phases = report.phases;
    let took = format!(
        "  {} to load, {} for indexes, {} to compare",
        seconds(phases.load_s),
        seconds(phases.indexes_s),
        seconds(phases.compare_s)
    );
    let database = &report.database;
    let mut lines = Vec::new();
    if report.is_of_rows {
        lines.push(format!(
            "database {database}: {rows} rows were put into {tables} tables"
        ));
        let inserted = report.inserted.iter();
        lines.extend(inserted.map(|(table, rows)| format!("  {table}: {}", number(*rows))));
        lines.push(took);
        lines.push(format!("  copies of them are in {}", report.old));
    } else {
        lines.push(format!("database {database}: {tables} tables, {rows} rows"));
        let still = report.exchange_ms;
        lines.push(format!("{took}; nobody could work for {still:.0} ms"));
        let later = report.inserted.iter();
        lines.extend(
            later.map(|(table, rows)| format!("  afterwards, into {table}: {}", number(*rows))),
        );
        if !report.old.is_empty() {
            lines.push(format!("  the old tables are in {}", report.old));
        }
    }
    let missing = report.missing_grants.iter();
    lines.extend(missing.map(|grant| format!("  missing on this server: {grant}")));
    lines.extend(
        report
            .warnings
            .iter()
            .map(|warning| format!("  warning: {warning}")),
    );
    lines
}

/// What was taken back.
pub(super) fn undone(
    printer: Printer,
    runs: &str,
    database: Option<&UndoReport>,
    files: Option<RunId>,
) -> Result<()> {
    if printer.json {
        printer.document(&json!({ "database": database, "files": files }))?;
        return Ok(());
    }
    printer.data(&format!("run {runs}: everything is as it was before"))?;
    if let Some(kept) = database.and_then(|report| report.kept.as_ref()) {
        printer.say(&format!(
            "what was restored, and written since, is in {kept}"
        ));
    }
    for warning in database.iter().flat_map(|report| &report.warnings) {
        printer.say(&format!("warning: {warning}"));
    }
    Ok(())
}

/// What was removed.
pub(super) fn forgotten(
    printer: Printer,
    runs: &str,
    database: Option<&ForgetReport>,
    removed: &[PathBuf],
) -> Result<()> {
    if printer.json {
        printer.document(&json!({ "database": database, "removed": removed }))?;
        return Ok(());
    }
    printer.data(&format!("run {runs}: nothing is kept of it any more"))?;
    Ok(())
}
