//! What a run meant to do and what it did, remembered across a crash.
//!
//! The journal is an intent log, not a debug log: one record before a step that changes something
//! and one after it, where a step has a meaning of its own (one table's purge, not one chunk).
//! After a crash, what *was meant* comes from here; what *is* comes from looking again.
//!
//! The legal order of events is one state machine, [`RunState`]. Every journal asks it before it
//! takes an event and again when it replays a run; whatever it does not allow is an error.
//!
//! ```
//! use elpis_run::journal::{Event, Journal, MemoryJournal, NewRun, Outcome};
//! use serde_json::{Value, json};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = jiff::Timestamp::UNIX_EPOCH;
//! let journal = MemoryJournal::new();
//! let run = journal.create(&NewRun {
//!     job: "purge".into(),
//!     target: "mariadb://db1/monitoring".into(),
//!     holder: elpis_run::Holder::current("example", now),
//!     started: now,
//!     plan: json!({"tables": ["samples"]}),
//! })?;
//! let step = String::from("samples");
//! journal.append(run, now, &Event::Intent { step: step.clone(), detail: Value::Null })?;
//! // ... the purge of the table itself ...
//! journal.append(run, now, &Event::Done { step, detail: json!({"rows": 12_000}) })?;
//! journal.finish(run, now, &Outcome::Done)?;
//! assert_eq!(journal.replay(run)?.records.len(), 2);
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Clock;
use crate::holder::Holder;

mod error;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod state;

pub use error::JournalError;
pub use memory::MemoryJournal;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteJournal;
pub use state::{IllegalEvent, RunState};

/// A run's number in its journal. Later runs have higher numbers; none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<RunId, ParseIntError> {
        text.parse().map(RunId)
    }
}

/// A run that is about to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The kind of work: `purge`, `backup`, ...
    pub job: String,
    /// What it works on, in a form that is equal for the same thing and holds no secret.
    pub target: String,
    /// The process that drives it.
    pub holder: Holder,
    /// When it began.
    pub started: Timestamp,
    /// What it is going to do, in full.
    pub plan: Value,
}

/// What a run announces before a step and says after it. Step names are unique within a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The step is about to begin: recorded before it changes anything.
    Intent {
        /// Which step.
        step: String,
        /// What a successor needs to know to judge it after a crash.
        detail: Value,
    },
    /// The step is complete.
    Done {
        /// Which step.
        step: String,
        /// What it came to.
        detail: Value,
    },
    /// The step ended in an error. It may be intended again.
    Failed {
        /// Which step.
        step: String,
        /// The error, for a person.
        error: String,
        /// How far it came.
        detail: Value,
    },
    /// Something worth remembering that neither begins nor ends a step: an acknowledgement, an
    /// observation, an approval, another process taking over. It may come at any time before the
    /// end, also from another process.
    Note {
        /// What it is about: a step, or another word that is no step's name.
        step: String,
        /// What is to be remembered.
        detail: Value,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// Everything that matters was done; a person should read why this is not `Done`.
    Warnings {
        /// Why.
        reason: String,
    },
    /// Some steps were left out or failed.
    Partial {
        /// Which and why.
        reason: String,
    },
    /// It ended early at a safe point, by request or by a limit.
    Stopped {
        /// By what.
        reason: String,
    },
    /// It ended by an error.
    Failed {
        /// The error, for a person.
        error: String,
    },
    /// Its process died; a later one noticed and closed the run.
    Interrupted,
}

/// An event and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// To the microsecond.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finish {
    /// To the microsecond.
    pub at: Timestamp,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A run without its plan and events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// Its number.
    pub id: RunId,
    /// The kind of work.
    pub job: String,
    /// What it worked on.
    pub target: String,
    /// The process that drove it.
    pub holder: Holder,
    /// When it began, to the microsecond.
    pub started: Timestamp,
    /// How it ended; `None` while it runs, and after a crash.
    pub finished: Option<Finish>,
}

/// A run with everything that is known of it. Its order of events is legal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// The run.
    pub summary: RunSummary,
    /// What it was going to do; `null` where that is kept no longer ([`Journal::finish_idle`]).
    pub plan: Value,
    /// What it announced and said, oldest first.
    pub records: Vec<Record>,
}

impl History {
    /// Where the run stands.
    ///
    /// # Errors
    /// [`JournalError::Illegal`] when its events are in an order that no run can have written.
    pub fn state(&self) -> Result<RunState, JournalError> {
        let outcome = self.summary.finished.as_ref().map(|finish| &finish.outcome);
        RunState::replay(self.records.iter().map(|record| &record.event), outcome).map_err(
            |source| JournalError::Illegal {
                run: self.summary.id,
                source,
            },
        )
    }
}

/// Which runs to list. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only runs of exactly this job.
    pub job: Option<String>,
    /// Only runs on exactly this target.
    pub target: Option<String>,
    /// Only runs that have not finished.
    pub open_only: bool,
    /// At most so many, the newest.
    pub limit: Option<u32>,
}

/// A durable record of runs, shared by all processes that work from one state directory.
///
/// The methods are synchronous, and each that changes something returns only when the change is
/// durable: an [`Event::Intent`] is on disk before the act that it announces begins. They are
/// rare, one or two a step; a caller on an async runtime may call them in line.
pub trait Journal: Send + Sync {
    /// Begins a run.
    ///
    /// # Errors
    /// When the record cannot be made durable. No run has begun then.
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError>;

    /// Records the next event of an unfinished run.
    ///
    /// # Errors
    /// [`JournalError::Illegal`] when [`RunState`] does not allow the event now, and whenever the
    /// record cannot be made durable. Do not do what could not be announced.
    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError>;

    /// Ends a run.
    ///
    /// # Errors
    /// As [`append`](Journal::append).
    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError>;

    /// Ends a run that changed nothing of what it plans for. Its events stay; a journal that lasts forgets its plan,
    /// which may be a hundred times as large and tells nothing of what is.
    ///
    /// # Errors
    /// As [`append`](Journal::append).
    fn finish_idle(
        &self,
        run: RunId,
        at: Timestamp,
        outcome: &Outcome,
    ) -> Result<(), JournalError> {
        self.finish(run, at, outcome)
    }

    /// The runs that match, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError>;

    /// The newest run of every job on every target, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    fn latest(&self) -> Result<Vec<RunSummary>, JournalError> {
        let mut seen = BTreeSet::new();
        let mut runs = self.list(&Query::default())?;
        runs.retain(|run| seen.insert((run.target.clone(), run.job.clone())));
        Ok(runs)
    }

    /// Everything about one run, its order of events checked again.
    ///
    /// # Errors
    /// [`JournalError::UnknownRun`]; [`JournalError::Illegal`] when the stored order is one that
    /// no run can have written.
    fn replay(&self, run: RunId) -> Result<History, JournalError>;
}

/// Closes the open runs of `job` on `target` as [`Outcome::Interrupted`]: their processes died.
///
/// The caller holds the target's lock, so none of them can be at work.
///
/// # Errors
/// When the journal cannot be read or written.
pub fn close_dead_runs(
    journal: &dyn Journal,
    clock: &dyn Clock,
    job: &str,
    target: &str,
) -> Result<(), JournalError> {
    let query = Query {
        job: Some(job.to_owned()),
        target: Some(target.to_owned()),
        open_only: true,
        limit: None,
    };
    for run in journal.list(&query)? {
        journal.finish(run.id, clock.now(), &Outcome::Interrupted)?;
    }
    Ok(())
}

/// Journals keep microseconds: what was written is what is read, in each of them.
fn to_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
