//! What a restore tells its observer while it works.

use elpis_run::RunId;
use serde::Serialize;

/// One thing that happened. In JSON: an object whose `event` names the variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RestoreEvent {
    /// So many bytes of statements have been surveyed.
    Surveying {
        /// Bytes so far.
        bytes: u64,
    },
    /// The journal has the run.
    Started {
        /// The run's number in the journal.
        run: RunId,
        /// The live database.
        database: String,
        /// Where the rows are loaded.
        side: String,
    },
    /// A step begins.
    Step {
        /// Its name in the journal.
        step: String,
    },
    /// So much has been loaded.
    Loaded {
        /// Rows so far.
        rows: u64,
        /// Bytes of statements so far.
        bytes: u64,
        /// Bytes of the whole text.
        of: u64,
    },
    /// A chunk is tried again.
    Retry {
        /// Its table.
        table: String,
        /// Why.
        why: String,
    },
    /// The indexes of a table are there.
    Indexed {
        /// The table.
        table: String,
    },
    /// The exchange waits for those who use the tables.
    Waiting {
        /// Which try comes next.
        attempt: u32,
        /// Why.
        why: String,
    },
    /// The live database is the restored one.
    Exchanged {
        /// How long the exchange took, in milliseconds: nobody could read or write for as long.
        took_ms: f64,
    },
    /// A process that died had exchanged it already.
    AlreadyExchanged,
    /// The exchange did not come about, and everything is as it was before it.
    PutBack {
        /// Why.
        why: String,
    },
    /// The product can work; the rows of these tables follow.
    Usable {
        /// The tables.
        later: Vec<String>,
    },
    /// Rows were inserted into a live table.
    Inserted {
        /// The table.
        table: String,
        /// Rows so far, of all tables.
        rows: u64,
    },
    /// Inserting waits for the server.
    Holding {
        /// Why.
        why: String,
    },
    /// What the operator should know.
    Warning {
        /// In words.
        message: String,
    },
}
