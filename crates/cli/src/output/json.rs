//! Events as JSON, one object a line, on standard output.

use elpis_maint_core::PurgeEvent;
use elpis_maint_core::compact::CompactEvent;
use elpis_maint_core::housekeeping::HousekeepingEvent;
use elpis_maint_core::moves::MoveEvent;
use elpis_run::Observer;
use serde::Serialize;

use super::Printer;

/// Writes each event. Chunks, of which there are thousands, only if more is to be said.
pub(super) struct JsonLines(pub(super) Printer);

impl JsonLines {
    fn write(&self, event: &impl Serialize) {
        if let Ok(line) = serde_json::to_string(event) {
            self.0.tell(&line);
        }
    }
}

impl Observer<PurgeEvent> for JsonLines {
    fn on(&self, event: &PurgeEvent) {
        if self.0.verbose || !matches!(event, PurgeEvent::Chunk { .. }) {
            self.write(event);
        }
    }
}

impl Observer<MoveEvent> for JsonLines {
    fn on(&self, event: &MoveEvent) {
        if self.0.verbose || !matches!(event, MoveEvent::Moved { .. }) {
            self.write(event);
        }
    }
}

impl Observer<CompactEvent> for JsonLines {
    fn on(&self, event: &CompactEvent) {
        let small = matches!(
            event,
            CompactEvent::Compacted { .. } | CompactEvent::Slab { .. }
        );
        if self.0.verbose || !small {
            self.write(event);
        }
    }
}

impl Observer<HousekeepingEvent> for JsonLines {
    fn on(&self, event: &HousekeepingEvent) {
        let small = matches!(
            event,
            HousekeepingEvent::Swept { .. } | HousekeepingEvent::Purge(PurgeEvent::Chunk { .. })
        );
        if self.0.verbose || !small {
            self.write(event);
        }
    }
}
