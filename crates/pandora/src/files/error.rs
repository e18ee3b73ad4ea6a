//! What can be wrong with the product's files: what, where, and what to do. Never a value that
//! may be a secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Counted from one.
    pub line: usize,
}

impl Place {
    pub(crate) fn new(path: &Path, line: usize) -> Place {
        Place {
            path: path.to_owned(),
            line,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// Why a file of the product's cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting that is needed is not there.
    #[error("{}: there is no {key}: the product could not work either; is this the right file?", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
    },
    /// A value that must be text is not UTF-8.
    #[error(
        "{place}: the value of {key} is not UTF-8, and the server is spoken to in UTF-8: save the file in that encoding"
    )]
    NotText {
        /// Where it is set.
        place: Place,
        /// The setting.
        key: String,
    },
    /// A value that only running the file could tell.
    #[error(
        "{place}: the value of {key} {why}, and Elpis does not run PHP: write the value itself, in single quotes"
    )]
    NotLiteral {
        /// Where it is set.
        place: Place,
        /// The setting.
        key: String,
        /// What makes it so.
        why: &'static str,
    },
    /// A value that cannot be meant.
    #[error("{place}: {key} {reason}")]
    Value {
        /// Where it is set.
        place: Place,
        /// The setting.
        key: String,
        /// What is wrong, and what would do.
        reason: &'static str,
    },
    /// Text that is no PHP.
    #[error("{place}: {what} does not end: is the file whole?")]
    Unended {
        /// Where it begins.
        place: Place,
        /// What it is.
        what: &'static str,
    },
    /// A value that no line of the file could hold.
    #[error("{}: {key} cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
        /// Why not.
        reason: &'static str,
    },
}
