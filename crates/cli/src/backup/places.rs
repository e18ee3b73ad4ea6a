//! Places that are not as a verb needs them.

use std::fmt;

/// There is no archive to work on.
#[derive(Debug)]
pub(crate) struct Nothing {
    pub(super) place: String,
}

/// The newest archive cannot be restored, and an older one was not asked for.
#[derive(Debug)]
pub(crate) struct NewestBroken {
    /// What is wrong with it, beginning with its name.
    pub(super) why: String,
    /// The newest one that is not known to be broken, and when it was begun.
    pub(super) next: Option<String>,
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

impl NewestBroken {
    /// Whether there is an older one to take.
    pub(crate) fn has_next(&self) -> bool {
        self.next.is_some()
    }
}

impl fmt::Display for NewestBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the newest archive: {}; nothing was changed", self.why)?;
        match &self.next {
            Some(next) => write!(f, "; the next is {next}"),
            None => f.write_str("; there is no other that is not known to be broken"),
        }
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
impl std::error::Error for NewestBroken {}
impl std::error::Error for NotEmpty {}
