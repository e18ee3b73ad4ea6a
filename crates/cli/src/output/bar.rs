//! Progress for somebody who watches: a bar a table or tier, with rate, time left and what it waits for.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use elpis_maint_core::PurgeEvent;
use elpis_maint_core::compact::CompactEvent;
use elpis_run::Observer;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::{Printer, hours, number, seconds};

/// Draws on standard error.
pub(super) struct Bars {
    printer: Printer,
    bar: Mutex<ProgressBar>,
}

impl Bars {
    pub(super) fn new(printer: Printer) -> Bars {
        let bar = Mutex::new(ProgressBar::hidden());
        Bars { printer, bar }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, ProgressBar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style(exact: bool) -> ProgressStyle {
    let about = if exact { "" } else { "~" };
    let template = format!(
        "{{prefix:22}} {{wide_bar}} {{percent:>3}} %  {{human_pos}} of {about}{{human_len}}  {{rate}}  \
         {about}{{eta}} left  {{msg}}"
    );
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            // A terminal that is gone is nobody to tell.
            let _ = write!(out, "{}/s", number(state.per_sec() as u64));
        })
        .progress_chars("█▉▊▋▌▍▎▏ ")
}

impl Bars {
    /// The next table or tier.
    pub(super) fn begin(&self, name: String, due: u64, exact: bool) {
        let bar = ProgressBar::new(due).with_prefix(name);
        bar.set_style(style(exact));
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.bar() = bar;
    }

    /// So many rows are done.
    pub(super) fn at(&self, total: u64) {
        let bar = self.bar();
        if bar.length().is_some_and(|length| total > length) {
            // The estimate was low.
            bar.set_length(total);
        }
        bar.set_position(total);
    }

    /// What the run waits for; nothing if it goes on.
    pub(super) fn waiting(&self, why: Option<&str>) {
        let message = why.map(|why| format!("waiting: {why}"));
        self.bar().set_message(message.unwrap_or_default());
    }

    /// Makes room for lines.
    pub(super) fn clear(&self) {
        self.bar().finish_and_clear();
    }

    /// A line instead of the bar.
    fn end(&self, mut text: String, took: f64, complete: bool) {
        self.clear();
        text.push_str(&format!(" in {}", seconds(took)));
        if !complete {
            text.push_str(", not finished");
        }
        self.printer.say(&text);
    }
}

impl Observer<PurgeEvent> for Bars {
    fn on(&self, event: &PurgeEvent) {
        match event {
            PurgeEvent::TableStarted { table, due, .. } => {
                self.begin(table.clone(), due.rows, due.exact);
            }
            PurgeEvent::Chunk { total, .. } => self.at(*total),
            PurgeEvent::Waiting { why, .. } => self.waiting(Some(why)),
            PurgeEvent::Resumed { .. } => self.waiting(None),
            PurgeEvent::TableFinished(report) => {
                let mut text = format!("{:22} {} rows", report.table, number(report.deleted));
                for (child, rows) in &report.cascaded {
                    text.push_str(&format!(" and {} of {child}", number(*rows)));
                }
                text.push_str(" deleted");
                let took = report.working_s + report.paused_s + report.waited_s;
                self.end(text, took, report.complete);
            }
            _ => {}
        }
    }
}

impl Observer<CompactEvent> for Bars {
    fn on(&self, event: &CompactEvent) {
        match event {
            CompactEvent::TierStarted {
                table,
                bucket_s,
                due,
            } => self.begin(format!("{table} to {}", hours(*bucket_s)), *due, false),
            CompactEvent::Compacted { total, .. } => self.at(*total),
            CompactEvent::CompactionWaiting { why, .. } => self.waiting(Some(why)),
            CompactEvent::CompactionResumed { .. } => self.waiting(None),
            CompactEvent::TierFinished(report) => {
                let name = format!("{} to {}", report.table, hours(report.bucket_s));
                let examined = report.sealed.examined + report.rechecked.examined;
                let (removed, examined) = (number(report.removed()), number(examined));
                let text = format!("{name:22} {removed} of {examined} rows left out");
                let took = report.working_s + report.paused_s + report.waited_s;
                self.end(text, took, report.complete);
            }
            _ => {}
        }
    }
}
