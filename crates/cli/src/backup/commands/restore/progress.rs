//! How a restore of a database is followed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use elpis_backup::restore::RestoreEvent;
use elpis_run::Observer;
use jiff::Zoned;

use crate::output::{Printer, Spinner, bytes, number};

/// How often something that goes on is mentioned where nobody watches.
const EVERY: Duration = Duration::from_secs(10);

/// Shows what a restore tells, as it suits whoever reads.
pub(in crate::backup) struct RestoreProgress {
    printer: Printer,
    spinner: Spinner,
    said: Mutex<Instant>,
}

impl RestoreProgress {
    pub(in crate::backup) fn new(printer: Printer) -> RestoreProgress {
        RestoreProgress {
            printer,
            spinner: Spinner::new(printer.is_watched()),
            said: Mutex::new(Instant::now()),
        }
    }

    /// Something that happens often: on the terminal always, in a log now and then.
    fn often(&self, what: &str) {
        if self.printer.is_watched() {
            self.spinner.show(what.to_owned());
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= EVERY {
            *said = Instant::now();
            drop(said);
            self.line(what);
        }
    }

    /// Something that happens once.
    fn line(&self, what: &str) {
        if self.printer.is_watched() {
            self.spinner.show(what.to_owned());
        } else {
            let now = Zoned::now().strftime("%H:%M:%S");
            self.printer.say(&format!("{now} [RESTORE] {what}"));
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
                self.often(&format!("{} of SQL read", bytes(*size)));
            }
            RestoreEvent::Started {
                run,
                database,
                side,
            } => {
                self.line(&format!("run {run}: {database}, loaded as {side}"));
            }
            RestoreEvent::Step { step } => self.line(step),
            RestoreEvent::Loaded {
                rows,
                bytes: size,
                of,
            } => {
                let (rows, size, of) = (number(*rows), bytes(*size), bytes(*of));
                self.often(&format!("{rows} rows loaded, {size} of {of}"));
            }
            RestoreEvent::Retry { table, why } => {
                self.line(&format!("a part of {table} once more: {why}"));
            }
            RestoreEvent::Indexed { table } => self.often(&format!("{table} has its indexes")),
            RestoreEvent::Waiting { attempt, why } => {
                self.line(&format!("waiting to exchange, attempt {attempt}: {why}"));
            }
            RestoreEvent::Exchanged { took_ms } => {
                self.line(&format!("exchanged in {took_ms:.0} ms"));
            }
            RestoreEvent::PutBack { why } => self.line(&format!("put back: {why}")),
            RestoreEvent::Warning { message } => {
                self.printer.say(&format!("warning: {message}"));
            }
            _ => {}
        }
    }
}
