//! What keeps a restore from being done. Rules: one line without its source; no value of a row,
//! no password, no statement with one; and always whether anything was changed.

use std::path::PathBuf;

use elpis_run::{FsError, JournalError, RunId};

use super::accept::{Refusal, list};
use super::services::ServiceError;
use super::sql::{SplitError, StatementError};
use crate::archive::ReadError;
use crate::dump::DumpError;

/// Why a text cannot be restored. Nothing was changed for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The archive cannot be read any more.
    #[error("the archive cannot be read again")]
    Archive(#[from] ReadError),
    /// It cannot be cut into statements.
    #[error("it is no whole SQL text")]
    Split(#[from] SplitError),
    /// It holds something that no dump of one database holds.
    #[error("the statement at byte {at} is refused")]
    Statement {
        /// Where it begins.
        at: u64,
        /// Why.
        source: StatementError,
    },
    /// The mark at the end is missing.
    #[error(
        "it does not end with the mark `-- Dump completed`: it was cut off, or made without comments"
    )]
    Incomplete,
    /// A list of accounts in the archive holds something that no dump writes there.
    #[error("the list of accounts {member} is refused: the statement at byte {at}: {why}")]
    Accounts {
        /// The member of the archive, in quotes.
        member: String,
        /// Where the statement begins.
        at: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no table in it.
    #[error("there is no table in it")]
    Empty,
    /// It holds several databases.
    #[error("it holds more than one database: {first} and {second}; restore one dump at a time")]
    Several {
        /// The first.
        first: String,
        /// Another one.
        second: String,
    },
    /// Rows stand before their table.
    #[error("there are rows of table {table}, which it does not make")]
    NoTable {
        /// The table.
        table: String,
    },
    /// Rows stand behind a trigger that would see them come.
    #[error("rows of table {table} stand behind a trigger of it, which would fire for them")]
    Fires {
        /// The table.
        table: String,
    },
    /// Rows would be written into something else than what is restored.
    #[error("there are rows of table {table}, which only shows what lies elsewhere")]
    Elsewhere {
        /// The table.
        table: String,
    },
    /// A table has a name that a restore needs for itself.
    #[error("its table {table} has a name that a restore needs for itself")]
    Reserved {
        /// The table.
        table: String,
    },
    /// An event whose statement cannot be understood.
    #[error("the event {event} cannot be made without firing: its statement has no DO")]
    Event {
        /// The event.
        event: String,
    },
    /// The archive has no such dump.
    #[error("{} has no dump of database {wanted}; it has: {}", path.display(), there.join(", "))]
    NoDump {
        /// The archive.
        path: PathBuf,
        /// The database that was asked for.
        wanted: String,
        /// What there is.
        there: Vec<String>,
    },
    /// It is not what it was when it was surveyed.
    #[error("it is not what it was when it was surveyed")]
    Changed,
    /// Stopped on request.
    #[error("stopped before it was read to its end")]
    Stopped,
}

/// What the live database is when something has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// What it was before: nothing of it was changed, or everything was put back.
    Old,
    /// Its tables are those of the text.
    New,
    /// Its tables are as they were, but its triggers and events may be gone: resume or undo at once.
    Down,
    /// Some of the rows that it lacked are in it.
    Partly,
    /// The server cannot be asked.
    Unknown,
}

/// Why a restore, or taking one back, is not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It has begun and is not done. The run stays open: it can be resumed or undone.
    #[error("run {run} is not done; resume or undo it")]
    Interrupted {
        /// Its number in the journal.
        run: RunId,
        /// What the live database is.
        live: Live,
        /// Why.
        source: Box<RestoreError>,
    },
    /// A safety check failed before anything was changed.
    #[error("refused, nothing was changed: {}", list(refusals))]
    Refused {
        /// What is different from what a restore needs.
        refusals: Vec<Refusal>,
    },
    /// The text.
    #[error("the text cannot be restored")]
    Text(#[from] TextError),
    /// The server did not do what it was asked.
    #[error("the server failed: {doing}")]
    Server {
        /// What it was asked.
        doing: String,
        /// What it said.
        source: elpis_mysql::Error,
    },
    /// Another restore of this database is at work.
    #[error("another restore of {database} is at work")]
    Locked {
        /// The database.
        database: String,
        /// By whom.
        source: elpis_mysql::Error,
    },
    /// An earlier restore of this database is neither done nor taken back.
    #[error("restore {run} of this database is unfinished: resume or undo it first")]
    Unfinished {
        /// Its number in the journal.
        run: RunId,
    },
    /// A restore of this database is neither done nor taken back, and this journal does not know it:
    /// it was begun with another one, or the journal is lost.
    #[error(
        "{side} is of a restore of this database that is unfinished and that this journal does not know"
    )]
    HalfDone {
        /// The database into which it loads.
        side: String,
    },
    /// The run is none that this can be done with.
    #[error("run {run} cannot be used: {why}")]
    Run {
        /// Its number in the journal.
        run: RunId,
        /// Why not.
        why: String,
    },
    /// The rows are not all loaded, and the text that has them was not given.
    #[error("restore {run} needs the archive or file once more: not all rows are loaded")]
    NeedsText {
        /// Its number in the journal.
        run: RunId,
    },
    /// What was loaded is not what the text holds. The live database is as it was.
    #[error("what was loaded differs from the text, and the live database stays as it is: {}", differences.join("; "))]
    Different {
        /// Table by table.
        differences: Vec<String>,
    },
    /// Services did not stop or start.
    #[error("the services did not {doing}")]
    Services {
        /// `stop` or `start`.
        doing: &'static str,
        /// Why.
        source: ServiceError,
    },
    /// Somebody still works with the database, although the services were stopped.
    #[error("{database} is still in use by {}; nothing of it was changed", users.join(", "))]
    InUse {
        /// The database.
        database: String,
        /// `user@host` with the number of the connection.
        users: Vec<String>,
    },
    /// The databases are in a state that no restore leaves behind.
    #[error("a person must look: {what}")]
    NeedsPerson {
        /// What was found.
        what: String,
    },
    /// What was loaded could not be read for comparison.
    #[error("what was loaded cannot be read for comparison")]
    Compare(#[from] DumpError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A thread or runtime could not be started.
    #[error("the restore cannot start its threads")]
    Threads(#[source] std::io::Error),
    /// Stopped on request. What is done stays, and the restore can be resumed or undone.
    #[error("stopped on request; the restore can be resumed or undone")]
    Stopped,
}

impl RestoreError {
    /// Whether the live database is what it was before.
    pub fn live_is_untouched(&self) -> bool {
        match self {
            RestoreError::Interrupted { live, .. } => *live == Live::Old,
            _ => true,
        }
    }

    pub(super) fn server(doing: impl Into<String>, source: elpis_mysql::Error) -> Self {
        RestoreError::Server {
            doing: doing.into(),
            source,
        }
    }

    pub(super) fn run(run: RunId, why: impl Into<String>) -> Self {
        RestoreError::Run {
            run,
            why: why.into(),
        }
    }
}
