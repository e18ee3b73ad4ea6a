//! The classic lines for somebody who watches: what is at work has a bar below them.

use elpis_maint_core::PurgeEvent;
use elpis_maint_core::housekeeping::HousekeepingEvent;
use elpis_maint_core::moves::MoveEvent;
use elpis_run::Observer;

use super::Printer;
use super::bar::Bars;
use super::lines::ClassicLines;

/// Lines when a task begins and ends, and a bar in between.
pub(super) struct TaskBars {
    lines: ClassicLines,
    bars: Bars,
}

impl TaskBars {
    pub(super) fn new(printer: Printer) -> TaskBars {
        TaskBars {
            lines: ClassicLines::new(printer),
            bars: Bars::new(printer),
        }
    }

    /// A line instead of the bar.
    fn say<E>(&self, event: &E)
    where
        ClassicLines: Observer<E>,
    {
        self.bars.clear();
        self.lines.on(event);
    }
}

impl Observer<HousekeepingEvent> for TaskBars {
    fn on(&self, event: &HousekeepingEvent) {
        use HousekeepingEvent::{Purge, Resumed, SweepStarted, Swept, Waiting};
        match event {
            SweepStarted { table, due, .. }
            | Purge(PurgeEvent::TableStarted { table, due, .. }) => {
                self.lines.on(event);
                self.bars.begin(table.clone(), due.rows, due.exact);
            }
            Swept { total, .. } | Purge(PurgeEvent::Chunk { total, .. }) => self.bars.at(*total),
            Waiting { why, .. } | Purge(PurgeEvent::Waiting { why, .. }) => {
                self.bars.waiting(Some(why));
            }
            Resumed { .. } | Purge(PurgeEvent::Resumed { .. }) => self.bars.waiting(None),
            _ => self.say(event),
        }
    }
}

impl Observer<MoveEvent> for TaskBars {
    fn on(&self, event: &MoveEvent) {
        match event {
            MoveEvent::MoveStarted { table, due, .. } => {
                self.lines.on(event);
                self.bars.begin(table.clone(), due.rows, due.exact);
            }
            MoveEvent::Moved { total, .. } => self.bars.at(*total),
            MoveEvent::MoveWaiting { why, .. } => self.bars.waiting(Some(why)),
            MoveEvent::MoveResumed { .. } => self.bars.waiting(None),
            _ => self.say(event),
        }
    }
}
