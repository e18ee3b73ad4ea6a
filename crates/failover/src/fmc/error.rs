//! What can go wrong between here and the manager. No text holds a password or a token.

use elpis_run::FsError;

/// Why the manager could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FmcError {
    /// The address or the certificates cannot be used.
    #[error("the manager's address or certificates cannot be used: {0}")]
    Options(String),
    /// The file of certificates cannot be read.
    #[error("the manager's certificates cannot be read")]
    Certificates(#[from] FsError),
    /// No answer. A change may have arrived.
    #[error("the manager did not answer to {request}")]
    Unreachable {
        /// Method and path.
        request: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// It refused the account.
    #[error("the manager refused user {user:?}")]
    Denied {
        /// The account.
        user: String,
    },
    /// It refused the request.
    #[error("the manager answered {status} to {request}: {message}")]
    Status {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// Its answer is not what was expected.
    #[error("the manager's answer to {request} is not understood: {missing} is missing")]
    Answer {
        /// Method and path.
        request: String,
        /// What should be there.
        missing: String,
    },
    /// It does not know something that we know by name.
    #[error("the manager knows no {what} {name:?}")]
    Unknown {
        /// Such as `package`.
        what: &'static str,
        /// The name.
        name: String,
    },
}

impl FmcError {
    /// Whether a request that changes something certainly did not: the manager said no to it, or
    /// it was never sent.
    pub fn is_refusal(&self) -> bool {
        match self {
            FmcError::Status { status, .. } => (400..500).contains(status),
            FmcError::Denied { .. }
            | FmcError::Options(_)
            | FmcError::Certificates(_)
            | FmcError::Unknown { .. } => true,
            FmcError::Unreachable { .. } | FmcError::Answer { .. } => false,
        }
    }
}
