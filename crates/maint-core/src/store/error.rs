//! Errors of stores.
//!
//! Rules: one line without the source; a store says which of the cases a caller can react to it
//! was, and the chain below says what the driver said. No parameter values and no passwords.

use std::error::Error as StdError;

/// The cause of a store's error.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// What can go wrong between the engine and a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, or does not let us in. Nothing was done.
    #[error("cannot reach {target}")]
    Unreachable {
        /// Where it should be.
        target: String,
        /// What the driver said.
        source: BoxError,
    },
    /// The session is gone, and its locks with it. What was acknowledged before is durable.
    #[error("lost the session, and the lock it held, {doing}")]
    Lost {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
    },
    /// Somebody else holds a lock of the policy.
    #[error("lock `{name}` is held by {holder}")]
    LockHeld {
        /// The lock's name.
        name: String,
        /// Who holds it.
        holder: String,
    },
    /// Deadlocks or lock waits did not end after several tries.
    #[error("gave up after {tries} tries {doing}")]
    Contended {
        /// What was being done.
        doing: String,
        /// How often it was tried.
        tries: u32,
        /// What the driver said last.
        source: BoxError,
    },
    /// Any other failure of a statement.
    #[error("failed {doing}")]
    Failed {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
    },
}

impl StoreError {
    /// True if the same run, started again, has a chance without anybody's help.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, StoreError::Failed { .. })
    }
}
