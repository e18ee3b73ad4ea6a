//! What a sweep did, as data.

use serde::{Deserialize, Serialize};

/// What a run did in one sweep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepReport {
    /// The sweep's name, as the journal has it.
    pub name: String,
    /// The table.
    pub table: String,
    /// Rows (or values) looked at.
    pub examined: u64,
    /// Rows of the table deleted or changed, or rows added elsewhere.
    pub changed: u64,
    /// Rows that hung on them and went, by table.
    pub dependents: Vec<(String, u64)>,
    /// Transactions.
    pub chunks: u64,
    /// Transactions begun again after a deadlock or lock wait.
    pub retries: u64,
    /// Seconds spent looking and acting.
    pub working_s: f64,
    /// Seconds of the throttle's pauses.
    pub paused_s: f64,
    /// Seconds waited for the server or a replica.
    pub waited_s: f64,
    /// Whether the end of the table was reached.
    pub complete: bool,
    /// Why a person has to look before more of it is done, if so: as much of the table as a run may
    /// take is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

impl SweepReport {
    /// Rows changed in all tables.
    pub fn all_changed(&self) -> u64 {
        self.changed + self.dependents.iter().map(|(_, rows)| rows).sum::<u64>()
    }
}
