//! The classic lines, for logs: `HH:MM:SS [PURGE] tagente_datos: 120000 rows deleted, 31000/s`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use elpis_maint_core::PurgeEvent;
use elpis_run::Observer;
use jiff::Zoned;

use super::{Printer, seconds};

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
}

impl ClassicLines {
    pub(super) fn new(printer: Printer) -> ClassicLines {
        let now = Instant::now();
        let table = Mutex::new(Table {
            since: now,
            said: now,
        });
        ClassicLines { printer, table }
    }

    fn line(&self, text: &str) {
        let now = Zoned::now().strftime("%H:%M:%S");
        self.printer.say(&format!("{now} [PURGE] {text}"));
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer<PurgeEvent> for ClassicLines {
    fn on(&self, event: &PurgeEvent) {
        match event {
            PurgeEvent::Started {
                run,
                target,
                tables,
            } => self.line(&format!("run {run} on {target}: {tables} tables")),
            PurgeEvent::TableStarted { table, cutoff, due } => {
                let now = Instant::now();
                *self.table() = Table {
                    since: now,
                    said: now,
                };
                let about = if due.exact { "" } else { "about " };
                let rows = due.rows;
                self.line(&format!("{table}: {about}{rows} rows below {cutoff}"));
            }
            PurgeEvent::Chunk { table, total, .. } => {
                let every = if self.printer.verbose {
                    EVERY_VERBOSE
                } else {
                    EVERY
                };
                let mut state = self.table();
                if state.said.elapsed() >= every {
                    state.said = Instant::now();
                    let rate = *total as f64 / state.since.elapsed().as_secs_f64();
                    self.line(&format!("{table}: {total} rows deleted, {rate:.0}/s"));
                }
            }
            PurgeEvent::Waiting { table, why } => self.line(&format!("{table}: waiting: {why}")),
            PurgeEvent::Resumed { table, waited_s } => {
                self.line(&format!("{table}: goes on after {}", seconds(*waited_s)));
            }
            PurgeEvent::TableFinished(report) => {
                let (table, deleted) = (&report.table, report.deleted);
                let rate = report.rate().unwrap_or(0.0);
                let mut text = format!("{table}: {deleted} rows deleted, {rate:.0}/s");
                for (child, rows) in &report.cascaded {
                    text.push_str(&format!(", {rows} of {child}"));
                }
                text.push_str(if report.complete {
                    ", finished"
                } else {
                    ", stopped"
                });
                self.line(&text);
            }
            PurgeEvent::Finished(report) => {
                let took = report.finished.duration_since(report.started);
                let took = seconds(took.as_secs_f64());
                let deleted = report.deleted();
                self.line(&format!("run {}: {deleted} rows in {took}", report.run));
            }
            _ => {}
        }
    }
}
