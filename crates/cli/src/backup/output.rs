//! How `elpis-backup` shows things.

use elpis_backup::archive::{Content, Contents, MemberRecord};
use elpis_backup::store::Stored;
use elpis_backup::{BackupEvent, BackupPlan, BackupReport, DumpEvent, PrunePlan};
use elpis_run::Observer;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::narrator::Narrator;
use crate::output::grid::{PLAIN, right, table, text};
use crate::output::{Printer, bytes, number, seconds};

/// Shows what a backup tells, as it suits whoever reads.
pub(super) struct Progress {
    printer: Printer,
    narrator: Narrator,
    /// Events are data in JSON; a verification's are not.
    events: bool,
}

impl Progress {
    pub(super) fn backup(printer: Printer) -> Progress {
        Progress {
            events: true,
            ..Progress::verifying(printer)
        }
    }

    pub(super) fn verifying(printer: Printer) -> Progress {
        Progress {
            printer,
            narrator: Narrator::new(printer, "BACKUP"),
            events: false,
        }
    }
}

impl Observer<BackupEvent> for Progress {
    fn on(&self, event: &BackupEvent) {
        if self.printer.json {
            let often = matches!(
                event,
                BackupEvent::Verifying { .. }
                    | BackupEvent::Collected { .. }
                    | BackupEvent::Dump {
                        dump: DumpEvent::Chunk { .. } | DumpEvent::Reused { .. }
                    }
            );
            if self.events
                && (self.printer.verbose || !often)
                && let Ok(line) = serde_json::to_string(event)
            {
                // A full disk behind standard output is no reason to end without a backup.
                let _ = self.printer.data(&line);
            }
            return;
        }
        match event {
            BackupEvent::Started {
                run,
                name,
                file_bytes,
            } => {
                self.narrator.line(&format!(
                    "run {run}: {name}, {} of files",
                    bytes(*file_bytes)
                ));
            }
            BackupEvent::TookOver { holder, swept } => {
                let who = holder.as_deref().unwrap_or("an earlier run");
                self.printer.say(&format!(
                    "warning: {who} died at work; its lock is taken over, and {swept} work \
                     directories are removed"
                ));
            }
            BackupEvent::Dump {
                dump:
                    DumpEvent::SnapshotTaken {
                        readers, lock_held, ..
                    },
            } => {
                let held = seconds(lock_held.as_secs_f64());
                self.narrator.line(&format!(
                    "snapshot for {readers} readers, writers held for {held}"
                ));
            }
            BackupEvent::Dump {
                dump: DumpEvent::Chunk { table, .. } | DumpEvent::Reused { table, .. },
            } => {
                self.narrator.often(&format!("dumping {table}"));
            }
            BackupEvent::Dump {
                dump: DumpEvent::Held { why },
            } => {
                self.narrator.line(&format!("waiting: {why}"));
            }
            BackupEvent::DatabaseStored {
                name,
                rows,
                bytes: size,
            } => {
                let (rows, size) = (number(*rows), bytes(*size));
                self.narrator
                    .line(&format!("database {name}: {rows} rows, {size}"));
            }
            BackupEvent::Collected {
                entries,
                bytes: size,
            } => {
                self.narrator
                    .often(&format!("{} files, {}", number(*entries), bytes(*size)));
            }
            BackupEvent::Verifying { bytes: size } => {
                self.narrator.often(&format!("{} verified", bytes(*size)));
            }
            BackupEvent::Uploaded { bytes: size, of } => {
                self.narrator
                    .often(&format!("{} of {} sent", bytes(*size), bytes(*of)));
            }
            BackupEvent::Finished(report) => {
                let took = report.finished.duration_since(report.started).as_secs_f64();
                self.narrator.line(&format!(
                    "run {}: {} in {}",
                    report.run,
                    bytes(report.bytes),
                    seconds(took)
                ));
            }
            _ => {}
        }
    }
}

/// A plan before anything is done.
pub(super) fn plan(plan: &BackupPlan) -> String {
    let rows = plan.facts.roots.iter().map(|root| {
        vec![
            text(&root.component),
            text(root.path.display().to_string()),
            right(if root.found {
                number(root.entries)
            } else {
                "not there".to_owned()
            }),
            right(bytes(root.bytes)),
        ]
    });
    let databases = plan.facts.databases.iter().map(|database| {
        vec![
            text("database"),
            text(&database.name),
            text(""),
            right(bytes(database.bytes)),
        ]
    });
    let header = ["part", "what", "files", "size"];
    let mut lines = vec![table(PLAIN, &header, rows.chain(databases).collect())];
    let facts = &plan.facts;
    let (free, needed) = (bytes(facts.free), bytes(plan.needed));
    lines.push(format!(
        "{}: {free} free, at most {needed} needed",
        facts.target
    ));
    lines.extend(
        plan.warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    lines.extend(
        plan.refusals
            .iter()
            .map(|refusal| format!("refused: {refusal}")),
    );
    lines.join("\n")
}

/// A backup that was made.
pub(super) fn report(report: &BackupReport) -> String {
    let phases = report.phases;
    let mut lines = vec![format!(
        "{}: {}, {} members, {}{}",
        report.path.display(),
        bytes(report.bytes),
        number(report.members),
        if report.complete {
            "complete"
        } else {
            "partial"
        },
        if report.verified { ", verified" } else { "" },
    )];
    for (name, rows) in &report.databases {
        lines.push(format!("  database {name}: {} rows", number(*rows)));
    }
    for component in &report.components {
        let (entries, size) = (number(component.entries), bytes(component.bytes));
        lines.push(format!("  {}: {entries} files, {size}", component.name));
    }
    lines.push(format!(
        "  {} for databases, {} for files, {} to verify",
        seconds(phases.databases_s),
        seconds(phases.files_s),
        seconds(phases.verify_s)
    ));
    for omission in &report.omissions {
        let kind = format!("{:?}", omission.kind).to_lowercase();
        lines.push(format!("  {kind}: {}: {}", omission.path, omission.why));
    }
    lines.extend(
        report
            .warnings
            .iter()
            .map(|warning| format!("  warning: {warning}")),
    );
    lines.join("\n")
}

/// The archives of a store.
pub(super) fn list(archives: &[Stored], zone: &TimeZone) -> String {
    let rows = archives.iter().map(|archive| {
        let note = archive.note.as_ref();
        let complete = match note.and_then(|note| note.complete) {
            Some(true) => "complete",
            Some(false) => "partial",
            None => "unknown",
        };
        let verified = note.and_then(|note| note.verified.as_ref()).map_or_else(
            || "never verified".to_owned(),
            |verified| match &verified.broken {
                None => format!("whole on {}", day(verified.at, zone)),
                Some(_) => format!("BROKEN on {}", day(verified.at, zone)),
            },
        );
        let pinned = note
            .and_then(|note| note.pinned.clone())
            .unwrap_or_default();
        vec![
            text(archive.name.to_string()),
            right(bytes(archive.bytes)),
            text(complete),
            text(verified),
            text(pinned),
        ]
    });
    table(
        PLAIN,
        &["archive", "size", "content", "verified", "pinned"],
        rows.collect(),
    )
}

fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string()
}

/// What becomes of archives, and why.
pub(super) fn prune(plan: &PrunePlan, zone: &TimeZone) -> String {
    let rows = plan.archives.iter().map(|decision| {
        let (fate, why) = match decision.keep.is_empty() {
            true => ("remove", String::new()),
            false => ("keep", decision.keep.join(", ")),
        };
        let began = decision
            .began
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M")
            .to_string();
        vec![
            text(decision.name.to_string()),
            text(began),
            right(bytes(decision.bytes)),
            text(fate),
            text(why),
        ]
    });
    table(
        PLAIN,
        &["archive", "began", "size", "", "why"],
        rows.collect(),
    )
}

/// What is in an archive.
pub(super) fn contents(contents: &Contents, zone: &TimeZone) -> String {
    let (size, raw) = (bytes(contents.bytes), bytes(contents.raw_bytes));
    let members = number(contents.members.len() as u64);
    let mut lines = vec![format!(
        "{}: {members} members, {size}, {raw} unpacked",
        contents.container
    )];
    match &contents.manifest {
        None => lines.push("no manifest: not made by elpis-backup".to_owned()),
        Some(manifest) => {
            let began = manifest.began.to_zoned(zone.clone());
            lines.push(format!(
                "profile {} on {}, begun {}, by {} {}",
                manifest.profile,
                manifest.host,
                began.strftime("%Y-%m-%d %H:%M:%S %z"),
                manifest.tool.name,
                manifest.tool.version
            ));
            for component in &manifest.components {
                let (entries, size) = (number(component.entries), bytes(component.bytes));
                lines.push(format!(
                    "component {}: {entries} files, {size}",
                    component.name
                ));
            }
            for database in &manifest.databases {
                let (name, rows) = (&database.name, number(database.rows));
                lines.push(format!(
                    "database {name}: {rows} rows in {}",
                    database.member
                ));
                let primary = database.report.pointer("/snapshot/replica/primary");
                if let Some(primary) = primary.and_then(serde_json::Value::as_str) {
                    lines.push(format!("  dumped from a replica of {primary}"));
                }
            }
            for omission in &manifest.omissions {
                let kind = format!("{:?}", omission.kind).to_lowercase();
                lines.push(format!("{kind}: {}: {}", omission.path, omission.why));
            }
            lines.extend(manifest.notes.iter().map(|note| format!("note: {note}")));
        }
    }
    for dump in contents
        .dumps
        .iter()
        .filter(|_| contents.manifest.is_none())
    {
        lines.push(format!("dump {}: {}", dump.member, bytes(dump.bytes)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// One member in a line.
pub(super) fn member(member: &MemberRecord) -> String {
    let path = &member.path;
    match &member.content {
        Content::File { size, .. } => format!("{size:>14} {path}"),
        Content::Directory => format!("{:>14} {path}/", "-"),
        Content::Symlink { target } => {
            format!("{:>14} {path} -> {}", "link", target.escape_debug())
        }
        Content::Hardlink { target } => format!("{:>14} {path} = {target}", "link"),
    }
}
