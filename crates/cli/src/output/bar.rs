//! Progress for somebody who watches: a bar a table, with rate, time left and what it waits for.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use elpis_maint_core::PurgeEvent;
use elpis_run::Observer;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::{Printer, number, seconds};

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
        "{{prefix:22}} {{wide_bar}} {{human_pos}} of {about}{{human_len}}  {{rate}}  \
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

impl Observer<PurgeEvent> for Bars {
    fn on(&self, event: &PurgeEvent) {
        match event {
            PurgeEvent::TableStarted { table, due, .. } => {
                let bar = ProgressBar::new(due.rows).with_prefix(table.clone());
                bar.set_style(style(due.exact));
                bar.enable_steady_tick(Duration::from_millis(200));
                *self.bar() = bar;
            }
            PurgeEvent::Chunk { total, .. } => {
                let bar = self.bar();
                if bar.length().is_some_and(|length| *total > length) {
                    // The estimate was low.
                    bar.set_length(*total);
                }
                bar.set_position(*total);
            }
            PurgeEvent::Waiting { why, .. } => self.bar().set_message(format!("waiting: {why}")),
            PurgeEvent::Resumed { .. } => self.bar().set_message(""),
            PurgeEvent::TableFinished(report) => {
                self.bar().finish_and_clear();
                let mut text = format!("{:22} {} rows", report.table, number(report.deleted));
                for (child, rows) in &report.cascaded {
                    text.push_str(&format!(" and {} of {child}", number(*rows)));
                }
                let took = report.working_s + report.paused_s + report.waited_s;
                text.push_str(&format!(" deleted in {}", seconds(took)));
                if !report.complete {
                    text.push_str(", not finished");
                }
                self.printer.say(&text);
            }
            _ => {}
        }
    }
}
