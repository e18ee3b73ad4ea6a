//! What a move did, as data.

use elpis_run::{Outcome, RunId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Ended, RunReport};

/// What a run of moves did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoveReport {
    /// The run's number in the journal.
    pub run: RunId,
    /// The active database.
    pub target: String,
    /// The history database.
    pub history: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The tables it came to, in order.
    pub tables: Vec<MovedTable>,
    /// How it ended.
    pub ended: Ended,
}

/// What a run did for one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MovedTable {
    /// The rule's short name.
    pub id: String,
    /// The table.
    pub table: String,
    /// Rows that left the active database and are in the history database.
    pub moved: u64,
    /// Rows that hung on them and moved too.
    pub children: Vec<(String, u64)>,
    /// Rows among the moved ones that the history database had already, with the same content.
    pub known: u64,
    /// Rows among the moved ones that an earlier run had copied before it was cut off.
    pub settled: u64,
    /// Steps.
    pub chunks: u64,
    /// Seconds spent moving.
    pub working_s: f64,
    /// Seconds of pauses between steps.
    pub paused_s: f64,
    /// Seconds waited for the server or a replica.
    pub waited_s: f64,
    /// Whether nothing due was left.
    pub complete: bool,
    /// Why the table was left, or left alone; a person should see to it.
    pub held: Option<String>,
}

impl RunReport for MoveReport {
    fn changed(&self) -> u64 {
        self.moved()
    }

    fn finished(&self) -> Timestamp {
        self.finished
    }

    fn outcome(&self) -> Outcome {
        self.ended.outcome_with(&self.concerns())
    }
}

impl MoveReport {
    /// Rows that moved, with what hung on them.
    pub fn moved(&self) -> u64 {
        self.tables.iter().map(MovedTable::all_moved).sum()
    }

    /// What a person should see to although the run came to its end.
    pub fn concerns(&self) -> Vec<String> {
        let held = self.tables.iter();
        held.filter_map(|table| Some(format!("table {} {}", table.table, table.held.as_ref()?)))
            .collect()
    }
}

impl MovedTable {
    /// Rows that moved, with what hung on them.
    pub fn all_moved(&self) -> u64 {
        self.moved + self.children.iter().map(|(_, rows)| rows).sum::<u64>()
    }

    /// Rows a second over all the time the table took, if that can be said.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.working_s + self.paused_s + self.waited_s;
        (seconds > 0.0 && self.moved > 0).then(|| self.all_moved() as f64 / seconds)
    }
}
