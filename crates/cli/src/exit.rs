//! From what happened to an exit code, a sentence and a hint. Nothing else maps errors to codes;
//! each program's errors have a file of their own.
//!
//! `docs/exit-codes.md` holds the same table; a test compares them.

#[cfg(feature = "backup")]
pub(crate) mod backup;
#[cfg(feature = "failover")]
pub(crate) mod failover;
#[cfg(feature = "maint")]
mod maint;

#[cfg(feature = "maint")]
pub(crate) use maint::{LockedBy, Underway};

/// How a command ended, as a number for whoever called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Everything was done, or there was nothing to do.
    Done = 0,
    /// An error that should not happen.
    Internal = 1,
    /// Arguments or configuration are wrong.
    Usage = 2,
    /// A safety check said no.
    Refused = 3,
    /// Ended early at a safe point.
    Stopped = 4,
    /// Ended in a state that a person has to look at.
    NeedsPerson = 5,
    /// Somebody else is at work.
    Locked = 6,
    /// Done, but not all of it.
    Partial = 7,
    /// Somebody did not answer or did not let us in.
    Unreachable = 8,
    /// Ended by a signal.
    Interrupted = 130,
}

/// Every code with its meaning: the table of `docs/exit-codes.md`.
pub const TABLE: [(Code, &str); 10] = [
    (Code::Done, "done, or nothing to do"),
    (Code::Internal, "internal error"),
    (Code::Usage, "usage or configuration"),
    (Code::Refused, "refused by a safety check, nothing touched"),
    (Code::Stopped, "stopped part-way, safe, resumable"),
    (Code::NeedsPerson, "part-way and needs a person"),
    (Code::Locked, "another run holds the lock"),
    (Code::Partial, "done with warnings, or partial"),
    (Code::Unreachable, "database, device or store unreachable"),
    (Code::Interrupted, "interrupted after a safe point"),
];

/// A code and what to say about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) code: Code,
    /// What happened, unless all is well or it has been said.
    pub(crate) message: Option<String>,
    /// The next step.
    pub(crate) hint: Option<String>,
}

impl Verdict {
    /// `code`, about which everything has been said.
    pub(crate) fn silent(code: Code) -> Verdict {
        Verdict {
            code,
            message: None,
            hint: None,
        }
    }

    pub(crate) fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Verdict {
        Verdict {
            code,
            message: Some(message.into()),
            hint: Some(hint.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_table_is_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/exit-codes.md");
        let text = elpis_run::fsx::read_to_string(path.as_ref()).unwrap();
        let documented: Vec<(u8, String)> = text
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
                let code = cells.next()?.parse().ok()?;
                Some((code, cells.next()?.to_owned()))
            })
            .collect();
        let ours: Vec<(u8, String)> = TABLE
            .iter()
            .map(|(code, meaning)| (*code as u8, (*meaning).to_owned()))
            .collect();
        assert_eq!(documented, ours);
    }
}
