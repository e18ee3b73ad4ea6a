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

impl std::error::Error for Nothing {}
impl std::error::Error for NotEmpty {}
