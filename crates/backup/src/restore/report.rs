//! What a restore came to.

use std::collections::BTreeMap;

use elpis_run::RunId;
use serde::Serialize;

/// A database that was restored.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RestoreReport {
    /// The run's number in the journal: for undo and forget.
    pub run: Option<RunId>,
    /// The live database.
    pub database: String,
    /// The database that keeps the old tables; empty if there was none.
    pub old: String,
    /// Tables.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// Rows that this process loaded; fewer than all if it went on with another's work.
    pub loaded: u64,
    /// Chunks that were tried again.
    pub retries: u64,
    /// Whether rows were put into live tables and nothing was exchanged.
    pub is_of_rows: bool,
    /// The rows that each live table got then.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inserted: BTreeMap<String, u64>,
    /// How long the parts took.
    pub phases: RestorePhases,
    /// How long the exchange of the tables took, in milliseconds: nobody could read or write.
    pub exchange_ms: f64,
    /// Accounts and rights of the archive that the server does not have.
    pub missing_grants: Vec<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// How long the parts of a restore took, in seconds; 0 for what another process did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct RestorePhases {
    /// Loading rows, and building the indexes of tables whose rows are all there.
    pub load_s: f64,
    /// Building indexes after the rows of all tables: those that a process which died left.
    pub indexes_s: f64,
    /// Comparing what was loaded.
    pub compare_s: f64,
    /// From stopping the services until they run again.
    pub standstill_s: f64,
}

/// A restore that was taken back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UndoReport {
    /// The run that took it back.
    pub run: RunId,
    /// The restore.
    pub restore: RunId,
    /// The live database, which is what it was before the restore.
    pub database: String,
    /// The database that keeps what the restore brought and what was written since; `None` if the
    /// restore had not come as far.
    pub kept: Option<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What a restore of one owner's rows would insert, counted in a side database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CountReport {
    /// Rows that each live table lacks.
    pub missing: BTreeMap<String, u64>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What [`Restore::forget`](super::Restore::forget) removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForgetReport {
    /// The restore.
    pub restore: RunId,
    /// The databases that are gone.
    pub dropped: Vec<String>,
}
