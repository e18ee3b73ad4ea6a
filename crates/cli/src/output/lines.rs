//! The classic lines, for logs: `HH:MM:SS [PURGE] tagente_datos: 120000 rows deleted, 31000/s`,
//! and `[COMPACT]` for the other job.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use elpis_maint_core::PurgeEvent;
use elpis_maint_core::compact::CompactEvent;
use elpis_maint_core::housekeeping::{Group, HousekeepingEvent};
use elpis_maint_core::moves::MoveEvent;
use elpis_run::Observer;
use jiff::Zoned;

use super::{Printer, hours, seconds};

/// How often a table that is at work is mentioned.
const EVERY: Duration = Duration::from_secs(10);
/// The same if more is to be said.
const EVERY_VERBOSE: Duration = Duration::from_secs(1);

/// Writes a line at the beginning, at the end, and now and then.
pub(super) struct ClassicLines {
    printer: Printer,
    table: Mutex<Table>,
}

struct Table {
    since: Instant,
    said: Instant,
    /// What stands in brackets while tasks of a profile run.
    group: Group,
}

impl ClassicLines {
    pub(super) fn new(printer: Printer) -> ClassicLines {
        let now = Instant::now();
        let table = Mutex::new(Table {
            since: now,
            said: now,
            group: Group::Purge,
        });
        ClassicLines { printer, table }
    }

    fn line(&self, job: &str, text: &str) {
        let now = Zoned::now().strftime("%H:%M:%S");
        self.printer.say(&format!("{now} [{job}] {text}"));
    }

    /// The next table or tier.
    fn begin(&self) {
        let now = Instant::now();
        let mut table = self.table();
        (table.since, table.said) = (now, now);
    }

    /// The rate of `total` rows, if it is time to mention it.
    fn due(&self, total: u64) -> Option<f64> {
        let every = if self.printer.verbose {
            EVERY_VERBOSE
        } else {
            EVERY
        };
        let mut state = self.table();
        if state.said.elapsed() < every {
            return None;
        }
        state.said = Instant::now();
        Some(total as f64 / state.since.elapsed().as_secs_f64())
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer<PurgeEvent> for ClassicLines {
    fn on(&self, event: &PurgeEvent) {
        let line = |text: String| self.line("PURGE", &text);
        match event {
            PurgeEvent::Started {
                run,
                target,
                tables,
            } => line(format!("run {run} on {target}: {tables} tables")),
            PurgeEvent::TableStarted { table, cutoff, due } => {
                self.begin();
                let about = if due.exact { "" } else { "about " };
                let rows = due.rows;
                line(format!("{table}: {about}{rows} rows below {cutoff}"));
            }
            PurgeEvent::Chunk { table, total, .. } => {
                if let Some(rate) = self.due(*total) {
                    line(format!("{table}: {total} rows deleted, {rate:.0}/s"));
                }
            }
            PurgeEvent::Waiting { table, why } => line(format!("{table}: waiting: {why}")),
            PurgeEvent::Resumed { table, waited_s } => {
                line(format!("{table}: goes on after {}", seconds(*waited_s)));
            }
            PurgeEvent::TableFinished(report) => {
                let (table, deleted) = (&report.table, report.deleted);
                let rate = report.rate().unwrap_or(0.0);
                let mut text = format!("{table}: {deleted} rows deleted, {rate:.0}/s");
                for (child, rows) in &report.cascaded {
                    text.push_str(&format!(", {rows} of {child}"));
                }
                line(text + end(report.complete));
            }
            PurgeEvent::Finished(report) => {
                let took = report.finished.duration_since(report.started);
                let took = seconds(took.as_secs_f64());
                let deleted = report.deleted();
                line(format!("run {}: {deleted} rows in {took}", report.run));
            }
            _ => {}
        }
    }
}

impl Observer<CompactEvent> for ClassicLines {
    fn on(&self, event: &CompactEvent) {
        let line = |text: String| self.line("COMPACT", &text);
        match event {
            CompactEvent::CompactionStarted { run, target, tiers } => {
                line(format!("run {run} on {target}: {tiers} tiers"));
            }
            CompactEvent::TierStarted {
                table,
                bucket_s,
                due,
            } => {
                self.begin();
                let bucket = hours(*bucket_s);
                line(format!("{table} to {bucket}: about {due} rows"));
            }
            CompactEvent::Compacted { table, total, .. } => {
                if let Some(rate) = self.due(*total) {
                    line(format!("{table}: {total} rows looked at, {rate:.0}/s"));
                }
            }
            CompactEvent::CompactionWaiting { table, why } => {
                line(format!("{table}: waiting: {why}"));
            }
            CompactEvent::CompactionResumed { table, waited_s } => {
                line(format!("{table}: goes on after {}", seconds(*waited_s)));
            }
            CompactEvent::TierFinished(report) => {
                let (table, bucket) = (&report.table, hours(report.bucket_s));
                let examined = report.sealed.examined + report.rechecked.examined;
                let (removed, rate) = (report.removed(), report.rate().unwrap_or(0.0));
                let text = format!(
                    "{table} to {bucket}: {removed} of {examined} rows left out, {rate:.0}/s"
                );
                line(text + end(report.complete));
            }
            CompactEvent::CompactionFinished(report) => {
                let took = report.finished.duration_since(report.started);
                let took = seconds(took.as_secs_f64());
                let removed = report.removed();
                line(format!("run {}: {removed} rows in {took}", report.run));
            }
            _ => {}
        }
    }
}

impl Observer<MoveEvent> for ClassicLines {
    fn on(&self, event: &MoveEvent) {
        let group = Group::HistoryDb.to_string();
        let line = |text: String| self.line(&group, &text);
        match event {
            MoveEvent::MoveStarted { title, .. } => {
                self.begin();
                line(title.clone());
            }
            MoveEvent::Moved { table, total, .. } => {
                if let Some(rate) = self.due(*total) {
                    line(format!("  {table}: {total} rows moved, {rate:.0}/s"));
                }
            }
            MoveEvent::MoveWaiting { table, why } => line(format!("  {table}: waiting: {why}")),
            MoveEvent::MoveResumed { table, waited_s } => {
                line(format!("  {table}: goes on after {}", seconds(*waited_s)));
            }
            MoveEvent::MoveFinished(report) => {
                if let Some(why) = &report.held {
                    line(format!("  HELD BACK: table {} {why}", report.table));
                }
                let (table, moved) = (&report.table, report.moved);
                let rate = report.rate().unwrap_or(0.0);
                let mut text = format!("  {table}: {moved} rows moved, {rate:.0}/s");
                for (child, rows) in report.children.iter().filter(|(_, rows)| *rows > 0) {
                    text.push_str(&format!(", {rows} of {child}"));
                }
                line(text + if report.complete { "" } else { end(false) });
            }
            MoveEvent::MovesFinished(report) => {
                let took = report.finished.duration_since(report.started);
                let (run, moved) = (report.run, report.moved());
                let took = seconds(took.as_secs_f64());
                self.line("ELPIS", &format!("run {run}: {moved} rows moved in {took}"));
            }
            _ => {}
        }
    }
}

/// What the log of the tool that Elpis replaces looks like: a line when a task's turn comes, and
/// what came of it.
impl Observer<HousekeepingEvent> for ClassicLines {
    fn on(&self, event: &HousekeepingEvent) {
        let group = self.table().group.to_string();
        let line = |text: String| self.line(&group, &text);
        match event {
            HousekeepingEvent::TaskStarted { group, title, .. } => {
                self.begin();
                self.table().group = *group;
                self.line(&group.to_string(), title);
            }
            HousekeepingEvent::PartSkipped { why, .. } => line(format!("  skipped: {why}")),
            HousekeepingEvent::PartHeld { why, .. } => line(format!("  HELD BACK: {why}")),
            HousekeepingEvent::SweepStarted { .. } => self.begin(),
            HousekeepingEvent::Swept { sweep, total, .. } => {
                if let Some(rate) = self.due(*total) {
                    line(format!("  {sweep}: {total} rows, {rate:.0}/s"));
                }
            }
            HousekeepingEvent::Waiting { sweep, why } => line(format!("  {sweep}: waiting: {why}")),
            HousekeepingEvent::Resumed { sweep, waited_s } => {
                line(format!("  {sweep}: goes on after {}", seconds(*waited_s)));
            }
            HousekeepingEvent::SweepFinished(report) => {
                let changed = report.changed > 0 || self.printer.verbose;
                if changed || !report.complete {
                    let (table, changed) = (&report.table, report.changed);
                    let mut text = format!("  {table}: {changed} rows");
                    for (child, rows) in report.dependents.iter().filter(|(_, rows)| *rows > 0) {
                        text.push_str(&format!(", {rows} of {child}"));
                    }
                    line(text + end(report.complete));
                }
            }
            HousekeepingEvent::ProgramFinished {
                name,
                error,
                seconds: took,
            } => match error {
                Some(error) => line(format!("  {name} failed: {error}")),
                None => line(format!("  {name}: finished in {}", seconds(*took))),
            },
            HousekeepingEvent::Purge(event) => self.part(event, &line),
            HousekeepingEvent::HousekeepingFinished(report) => {
                let took = report.finished.duration_since(report.started);
                let took = seconds(took.as_secs_f64());
                let changed = report.changed();
                self.line(
                    "ELPIS",
                    &format!("run {}: {changed} rows in {took}", report.run),
                );
            }
            _ => {}
        }
    }
}

impl ClassicLines {
    /// The retention part of a task.
    fn part(&self, event: &PurgeEvent, line: &impl Fn(String)) {
        match event {
            PurgeEvent::TableStarted { .. } => self.begin(),
            PurgeEvent::Chunk { table, total, .. } => {
                if let Some(rate) = self.due(*total) {
                    line(format!("  {table}: {total} rows deleted, {rate:.0}/s"));
                }
            }
            PurgeEvent::Waiting { table, why } => line(format!("  {table}: waiting: {why}")),
            PurgeEvent::Resumed { table, waited_s } => {
                line(format!("  {table}: goes on after {}", seconds(*waited_s)));
            }
            PurgeEvent::TableFinished(report) => {
                let (table, deleted) = (&report.table, report.deleted);
                let mut text = match deleted {
                    0 => format!("  No data to purge in {table}"),
                    _ => {
                        let rate = report.rate().unwrap_or(0.0);
                        format!("  {table}: {deleted} rows deleted, {rate:.0}/s")
                    }
                };
                for (child, rows) in report.cascaded.iter().filter(|(_, rows)| *rows > 0) {
                    text.push_str(&format!(", {rows} of {child}"));
                }
                line(text + if report.complete { "" } else { end(false) });
            }
            _ => {}
        }
    }
}

fn end(complete: bool) -> &'static str {
    if complete { ", finished" } else { ", stopped" }
}
