//! Events as JSON, one object a line, on standard output.

use elpis_maint_core::PurgeEvent;
use elpis_run::Observer;

use super::Printer;

/// Writes each event. Chunks, of which there are thousands, only if more is to be said.
pub(super) struct JsonLines(pub(super) Printer);

impl Observer<PurgeEvent> for JsonLines {
    fn on(&self, event: &PurgeEvent) {
        if matches!(event, PurgeEvent::Chunk { .. }) && !self.0.verbose {
            return;
        }
        if let Ok(line) = serde_json::to_string(event) {
            // A full disk behind standard output is no reason to leave a table half purged.
            let _ = self.0.data(&line);
        }
    }
}
