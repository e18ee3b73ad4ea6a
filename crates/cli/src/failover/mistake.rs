//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use elpis_failover::{FmcError, PolicyError};
use elpis_run::FsError;

/// Why there are no settings. Nothing was touched.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// A file cannot be read.
    Missing(FsError),
    /// The configuration is no TOML, or has a key or value that cannot be.
    Wrong { path: PathBuf, reason: String },
    /// The policy in it cannot be used.
    Policy { path: PathBuf, source: PolicyError },
    /// The manager's address or certificates cannot be used.
    Manager(Box<FmcError>),
    /// Neither argument nor configuration says it.
    Unsaid {
        what: &'static str,
        hint: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Missing(error) => error.fmt(f),
            ConfigError::Wrong { path, reason } => write!(f, "{}: {reason}", path.display()),
            ConfigError::Policy { path, .. } => write!(f, "{}", path.display()),
            ConfigError::Manager(error) => error.fmt(f),
            ConfigError::Unsaid { what, .. } => write!(f, "nobody says {what}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Missing(error) => error.source(),
            ConfigError::Policy { source, .. } => Some(source),
            ConfigError::Manager(error) => error.source(),
            _ => None,
        }
    }
}
