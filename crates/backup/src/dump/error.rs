//! What can go wrong with a dump.
//!
//! Rules: `Display` is one line and does not repeat its source. No text holds a password or a
//! row. Every error means that there is no dump: what the sink has got is to be thrown away.

use std::time::Duration;

use super::sink::SinkError;

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// The policy cannot be carried out as it is written.
    #[error("the dump's {setting} {reason}")]
    Policy {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A database does not exist, or the account may not see it.
    #[error("there is no database {name:?}, or the account may not see it")]
    NoDatabase {
        /// Its name.
        name: String,
    },
    /// The account may not see everything, and the policy accepts no gaps.
    #[error("the account may not dump everything; grant it: {}", .missing.join("; "))]
    Privileges {
        /// `PRIVILEGE ON object, for what`.
        missing: Vec<String>,
    },
    /// No step of the ladder gave a consistent snapshot.
    #[error("no consistent snapshot: {}", .reasons.join("; "))]
    Snapshot {
        /// What each step came to.
        reasons: Vec<String>,
    },
    /// Tables were changed or removed again and again while the snapshot was taken.
    #[error(
        "table {table} was altered while the snapshot was taken, {tries} times; try again later"
    )]
    Altered {
        /// `database.table`.
        table: String,
        /// How often it was tried.
        tries: u32,
    },
    /// Something in the database cannot be expressed.
    #[error("cannot dump {what}: {reason}")]
    Undumpable {
        /// Which object.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The server.
    #[error("the dump failed while {doing}")]
    Server {
        /// What was being done.
        doing: String,
        /// What the server or the connection said.
        source: elpis_mysql::Error,
    },
    /// The sink.
    #[error("the dump's text could not be stored")]
    Sink(#[source] SinkError),
    /// A thread or its runtime could not be started, or it ended by itself.
    #[error("a reader of the dump ended: {reason}")]
    Reader {
        /// Why.
        reason: String,
    },
    /// Stopped on request.
    #[error("the dump was stopped on request")]
    Stopped,
    /// The policy's deadline passed.
    #[error("the dump was not complete after {after:?}, its deadline")]
    Deadline {
        /// The deadline.
        after: Duration,
    },
    /// The throttle ended it.
    #[error("the dump was ended by its throttle: {why}")]
    Throttled {
        /// In the throttle's words.
        why: String,
    },
}

impl DumpError {
    /// Whether the same dump may succeed a little later, without anything being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Snapshot { .. } | Self::Altered { .. } | Self::Throttled { .. } => true,
            Self::Server { source, .. } => source.is_lost() || source.is_retryable(),
            _ => false,
        }
    }
}
