//! What a run tells its observer while it works. Typed here once; the CLI renders it.

use elpis_run::RunId;
use serde::Serialize;

use crate::pacing::Waits;
use crate::report::{PurgeReport, TableReport};
use crate::store::Count;

/// One thing that happened. In JSON: an object whose `event` names the variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PurgeEvent {
    /// An exact inspection has counted this much of a table so far.
    Counted {
        /// The table.
        table: String,
        /// Rows counted so far.
        rows: u64,
        /// Expired rows among them.
        due: u64,
    },
    /// The locks are held and the journal has the run.
    Started {
        /// The run's number in the journal.
        run: RunId,
        /// The database.
        target: String,
        /// How many tables will be purged.
        tables: usize,
    },
    /// A table's turn has come.
    TableStarted {
        /// The table.
        table: String,
        /// Where retention ends, as the column holds it.
        cutoff: String,
        /// Rows to delete.
        due: Count,
    },
    /// One chunk is gone, durably.
    Chunk {
        /// The table.
        table: String,
        /// Rows of the table deleted by this chunk.
        deleted: u64,
        /// Rows of cascaded tables deleted by this chunk.
        cascaded: u64,
        /// Rows of the table deleted so far.
        total: u64,
        /// The limit the throttle had set, in rows.
        limit: u64,
        /// How long the chunk took, in milliseconds.
        took_ms: f64,
        /// How long the run had paused before it, in milliseconds.
        pause_ms: f64,
    },
    /// The run waits, because of what the throttle saw.
    Waiting {
        /// The table.
        table: String,
        /// The reason, in words.
        why: String,
    },
    /// The run goes on after waiting.
    Resumed {
        /// The table.
        table: String,
        /// How long it waited, in seconds.
        waited_s: f64,
    },
    /// A table is finished, or the run ends in the middle of it.
    TableFinished(TableReport),
    /// The run is over; the journal has its outcome.
    Finished(PurgeReport),
}

impl Waits for PurgeEvent {
    fn waiting(table: String, why: String) -> PurgeEvent {
        PurgeEvent::Waiting { table, why }
    }

    fn resumed(table: String, waited_s: f64) -> PurgeEvent {
        PurgeEvent::Resumed { table, waited_s }
    }
}
