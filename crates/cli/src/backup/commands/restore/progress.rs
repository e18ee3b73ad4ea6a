//! How a restore of a database is followed.

use std::sync::atomic::{AtomicBool, Ordering};

use elpis_backup::restore::RestoreEvent;
use elpis_run::Observer;

use crate::backup::narrator::Narrator;
use crate::output::{Printer, bytes, number};

/// Shows what a restore tells, as it suits whoever reads.
pub(in crate::backup) struct RestoreProgress {
    printer: Printer,
    narrator: Narrator,
    /// Whether it waits for a busy server, which has been said.
    holds: AtomicBool,
}

impl RestoreProgress {
    pub(in crate::backup) fn new(printer: Printer) -> RestoreProgress {
        RestoreProgress {
            printer,
            narrator: Narrator::new(printer, "RESTORE"),
            holds: AtomicBool::new(false),
        }
    }
}

impl Observer<RestoreEvent> for RestoreProgress {
    fn on(&self, event: &RestoreEvent) {
        if self.printer.json {
            // The document at the end is the data; with --verbose the way there is told as well.
            if self.printer.verbose
                && let Ok(line) = serde_json::to_string(event)
            {
                self.printer.say(&line);
            }
            return;
        }
        match event {
            RestoreEvent::Surveying { bytes: size } => {
                self.narrator
                    .often(&format!("{} of SQL read", bytes(*size)));
            }
            RestoreEvent::Started {
                run,
                database,
                side,
            } => {
                self.narrator
                    .line(&format!("run {run}: {database}, loaded as {side}"));
            }
            RestoreEvent::Step { step } => self.narrator.line(step),
            RestoreEvent::Loaded {
                rows,
                bytes: size,
                of,
            } => {
                let (rows, size, of) = (number(*rows), bytes(*size), bytes(*of));
                self.narrator
                    .often(&format!("{rows} rows loaded, {size} of {of}"));
            }
            RestoreEvent::Retry { table, why } => {
                self.narrator
                    .line(&format!("a part of {table} once more: {why}"));
            }
            RestoreEvent::Indexed { table } => {
                self.narrator.often(&format!("{table} has its indexes"))
            }
            RestoreEvent::Usable { later } => {
                let later = later.join(", ");
                self.narrator
                    .line(&format!("the product can work; these follow: {later}"));
            }
            RestoreEvent::Inserted { table, rows } => {
                self.holds.store(false, Ordering::Relaxed);
                self.narrator.often(&format!(
                    "{} rows put back, now into {table}",
                    number(*rows)
                ));
            }
            RestoreEvent::Holding { why } => {
                let said = format!("waiting: {why}");
                match self.holds.swap(true, Ordering::Relaxed) {
                    false => self.narrator.line(&said),
                    true => self.narrator.often(&said),
                }
            }
            RestoreEvent::Waiting { attempt, why } => {
                self.narrator
                    .line(&format!("waiting to exchange, attempt {attempt}: {why}"));
            }
            RestoreEvent::Exchanged { took_ms } => {
                self.narrator.line(&format!("exchanged in {took_ms:.0} ms"));
            }
            RestoreEvent::PutBack { why } => self.narrator.line(&format!("put back: {why}")),
            RestoreEvent::Warning { message } => {
                self.printer.say(&format!("warning: {message}"));
            }
            _ => {}
        }
    }
}
