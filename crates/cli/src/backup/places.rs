//! Places that are not as a verb needs them.

use std::fmt;

/// There is no archive to work on.
#[derive(Debug)]
pub(crate) struct Nothing {
    pub(super) place: String,
}

/// A directory that should be empty.
#[derive(Debug)]
pub(crate) struct NotEmpty {
    pub(super) place: String,
}

/// There is no restore to take back.
#[derive(Debug)]
pub(crate) struct NoRestore {
    pub(super) run: Option<i64>,
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no archive in {}", self.place)
    }
}

impl fmt::Display for NotEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not empty", self.place)
    }
}

impl fmt::Display for NoRestore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.run {
            Some(run) => write!(f, "run {run} is no restore that the journal knows"),
            None => f.write_str("the journal knows of no restore of which anything is left"),
        }
    }
}

impl std::error::Error for NoRestore {}
impl std::error::Error for Nothing {}
impl std::error::Error for NotEmpty {}
