//! Which of the ways to show progress is the right one.

use elpis_maint_core::PurgeEvent;
use elpis_maint_core::compact::CompactEvent;
use elpis_maint_core::housekeeping::HousekeepingEvent;
use elpis_maint_core::moves::MoveEvent;
use elpis_run::Observer;

use super::Printer;
use super::bar::Bars;
use super::json::JsonLines;
use super::lines::ClassicLines;
use super::task_bars::TaskBars;

/// Shows what a purge tells, as it suits whoever reads.
pub(crate) fn progress(printer: Printer) -> Box<dyn Observer<PurgeEvent>> {
    if printer.json {
        Box::new(JsonLines(printer))
    } else if printer.is_watched() {
        Box::new(Bars::new(printer))
    } else {
        Box::new(ClassicLines::new(printer))
    }
}

/// The same for a compaction.
pub(crate) fn compact_progress(printer: Printer) -> Box<dyn Observer<CompactEvent>> {
    if printer.json {
        Box::new(JsonLines(printer))
    } else if printer.is_watched() {
        Box::new(Bars::new(printer))
    } else {
        Box::new(ClassicLines::new(printer))
    }
}

/// The same for the tasks of a profile.
pub(crate) fn housekeeping_progress(printer: Printer) -> Box<dyn Observer<HousekeepingEvent>> {
    if printer.json {
        Box::new(JsonLines(printer))
    } else if printer.is_watched() {
        Box::new(TaskBars::new(printer))
    } else {
        Box::new(ClassicLines::new(printer))
    }
}

/// The same for moves to a history database.
pub(crate) fn move_progress(printer: Printer) -> Box<dyn Observer<MoveEvent>> {
    if printer.json {
        Box::new(JsonLines(printer))
    } else if printer.is_watched() {
        Box::new(TaskBars::new(printer))
    } else {
        Box::new(ClassicLines::new(printer))
    }
}
