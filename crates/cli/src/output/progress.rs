//! Which of the ways to show progress is the right one.

use std::time::Duration;

use elpis_maint_core::PurgeEvent;
use elpis_run::Observer;
use indicatif::ProgressBar;

use super::Printer;
use super::bar::Bars;
use super::json::JsonLines;
use super::lines::ClassicLines;

/// Shows what a run tells, as it suits whoever reads.
pub(crate) fn progress(printer: Printer) -> Box<dyn Observer<PurgeEvent>> {
    if printer.json {
        Box::new(JsonLines(printer))
    } else if printer.is_watched() {
        Box::new(Bars::new(printer))
    } else {
        Box::new(ClassicLines::new(printer))
    }
}

/// A line that changes while something takes its time; gone when dropped.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    pub(crate) fn new(shown: bool) -> Spinner {
        if !shown {
            return Spinner(ProgressBar::hidden());
        }
        let spinner = ProgressBar::new_spinner();
        spinner.enable_steady_tick(Duration::from_millis(100));
        Spinner(spinner)
    }

    pub(crate) fn show(&self, text: String) {
        self.0.set_message(text);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
