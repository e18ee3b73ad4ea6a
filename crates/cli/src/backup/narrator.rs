//! Tells the way of a long run line by line: on a terminal always, in a log now and then.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Zoned;

use crate::output::{Printer, Spinner};

/// How often something that goes on is mentioned where nobody watches.
const EVERY: Duration = Duration::from_secs(10);

/// Says what goes on, as it suits whoever reads.
pub(super) struct Narrator {
    printer: Printer,
    spinner: Spinner,
    /// What a line in a log begins with, after the time.
    tag: &'static str,
    said: Mutex<Instant>,
}

impl Narrator {
    pub(super) fn new(printer: Printer, tag: &'static str) -> Narrator {
        Narrator {
            printer,
            spinner: Spinner::new(printer.is_watched()),
            tag,
            said: Mutex::new(Instant::now()),
        }
    }

    /// Something that happens often.
    pub(super) fn often(&self, what: &str) {
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
    pub(super) fn line(&self, what: &str) {
        if self.printer.is_watched() {
            self.spinner.show(what.to_owned());
        } else if !self.printer.json {
            let (now, tag) = (Zoned::now().strftime("%H:%M:%S"), self.tag);
            self.printer.say(&format!("{now} [{tag}] {what}"));
        }
    }
}
