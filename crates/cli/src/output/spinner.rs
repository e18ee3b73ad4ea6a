//! A sign of life.

use std::time::Duration;

use indicatif::ProgressBar;

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

    /// Lets `write` put lines that stay above it.
    #[cfg(feature = "failover")]
    pub(crate) fn above(&self, write: &dyn Fn()) {
        self.0.suspend(write);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
