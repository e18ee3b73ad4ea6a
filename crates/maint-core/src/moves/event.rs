//! What a move tells its observer while it works.

use elpis_run::RunId;
use serde::Serialize;

use super::{MoveReport, MovedTable};
use crate::pacing::Waits;
use crate::store::Count;

/// One thing that happened. In JSON: an object whose `event` names the variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum MoveEvent {
    /// An exact inspection has counted this much of a table so far.
    MoveCounted {
        /// The table.
        table: String,
        /// Rows counted so far that are due.
        due: u64,
    },
    /// The locks are held and the journal has the run.
    MovesStarted {
        /// The run's number in the journal.
        run: RunId,
        /// The active database.
        target: String,
        /// The history database.
        history: String,
        /// How many tables move.
        tables: usize,
    },
    /// A table's turn has come.
    MoveStarted {
        /// The table.
        table: String,
        /// What a log prints.
        title: String,
        /// Rows that were due when the plan was made.
        due: Count,
    },
    /// One step is durable on both sides.
    Moved {
        /// The table.
        table: String,
        /// Rows of the table that moved.
        moved: u64,
        /// Rows that hung on them and moved too.
        children: u64,
        /// Rows of the table that moved so far.
        total: u64,
        /// The most rows that the step might take.
        limit: u64,
        /// How long it took, in milliseconds.
        took_ms: f64,
        /// How long the run had paused before it, in milliseconds.
        pause_ms: f64,
    },
    /// The run waits, because of what the throttle saw.
    MoveWaiting {
        /// The table.
        table: String,
        /// The reason, in words.
        why: String,
    },
    /// The run goes on after waiting.
    MoveResumed {
        /// The table.
        table: String,
        /// How long it waited, in seconds.
        waited_s: f64,
    },
    /// A table is finished, or the run ends in the middle of it, or it was held back.
    MoveFinished(MovedTable),
    /// The run is over; the journal has its outcome.
    MovesFinished(MoveReport),
}

impl Waits for MoveEvent {
    fn waiting(table: String, why: String) -> MoveEvent {
        MoveEvent::MoveWaiting { table, why }
    }

    fn resumed(table: String, waited_s: f64) -> MoveEvent {
        MoveEvent::MoveResumed { table, waited_s }
    }
}
