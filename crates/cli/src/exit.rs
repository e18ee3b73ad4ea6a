//! From what happened to an exit code, a sentence and a hint. Nothing else maps errors to codes.
//!
//! `docs/exit-codes.md` holds the same table; a test compares them.

use std::fmt;

use elpis_maint_core::{Ended, InspectError, PurgeError, StoreError};
use elpis_run::{FsError, JournalError, RunSummary};

use crate::interrupt::LeftAtOnce;
use crate::settings::ConfigError;

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
    (Code::Unreachable, "database unreachable"),
    (Code::Interrupted, "interrupted after a safe point"),
];

/// A run was refused because of another one, which the journal may know.
#[derive(Debug)]
pub(crate) struct LockedBy {
    pub(crate) error: PurgeError,
    pub(crate) run: Option<RunSummary>,
}

impl fmt::Display for LockedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for LockedBy {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

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

    fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Verdict {
        Verdict {
            code,
            message: Some(message.into()),
            hint: Some(hint.into()),
        }
    }
}

impl From<&Ended> for Verdict {
    /// For runs that ended without an error.
    fn from(ended: &Ended) -> Verdict {
        let again = "what is gone stays gone; the next run continues";
        match ended {
            Ended::Done => Verdict::silent(Code::Done),
            Ended::Limit { why } => Verdict::new(Code::Partial, why, again),
            Ended::Interrupted => Verdict::new(Code::Interrupted, "stopped by the operator", again),
            Ended::Critical { why } => Verdict::new(
                Code::Stopped,
                why,
                "look at what keeps the server busy; the next run continues",
            ),
            Ended::ShareReached { table } => Verdict::new(
                Code::Stopped,
                format!("table {table} lost the share of its rows that max_share allows"),
                "look at the cutoff with `elpis-maint plan --exact`, then allow more with \
                 --max-share",
            ),
            Ended::Failed { error } => Verdict::new(Code::Stopped, error, again),
        }
    }
}

impl From<&anyhow::Error> for Verdict {
    fn from(error: &anyhow::Error) -> Verdict {
        let (code, hint) = judge(error);
        Verdict {
            code,
            message: Some(format!("{error:#}")),
            hint,
        }
    }
}

fn judge(error: &anyhow::Error) -> (Code, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        return (Code::Usage, hint(error.hint()));
    }
    if error.is::<LeftAtOnce>() {
        return (
            Code::Interrupted,
            hint("what is gone stays gone; the next run continues"),
        );
    }
    if let Some(locked) = error.downcast_ref::<LockedBy>() {
        let hint = match &locked.run {
            Some(run) => format!(
                "run {} of {} is at work: wait for it to end, or stop it with `kill {}`",
                run.id, run.holder, run.holder.pid
            ),
            None => "wait for it to end; `elpis-maint status` shows runs of this host".to_owned(),
        };
        return (Code::Locked, Some(hint));
    }
    if let Some(error) = error.downcast_ref::<PurgeError>() {
        return purge(error);
    }
    if let Some(error) = error.downcast_ref::<InspectError>() {
        return match error {
            InspectError::Stopped => (Code::Interrupted, None),
            InspectError::Store { source, .. } => store(source),
            _ => (Code::Internal, None),
        };
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return store(error);
    }
    if let Some(error) = error.downcast_ref::<JournalError>() {
        return journal(error);
    }
    if error.is::<FsError>() {
        return (Code::Usage, hint("check the path and its permissions"));
    }
    (Code::Internal, None)
}

fn purge(error: &PurgeError) -> (Code, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    match error {
        PurgeError::Refused(_) => (
            Code::Refused,
            hint("`elpis-maint plan` shows every reason beside the numbers"),
        ),
        PurgeError::NotBegun(source) => store(source),
        PurgeError::Stopped { .. } => (
            Code::Stopped,
            hint("see to the database; the next run continues where this one ended"),
        ),
        PurgeError::Journal(_) => (
            Code::Stopped,
            hint("see to the state directory; the next run continues where this one ended"),
        ),
        _ => (Code::Internal, None),
    }
}

/// Nothing was touched yet.
fn store(error: &StoreError) -> (Code, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    match error {
        StoreError::Unreachable { .. } | StoreError::Lost { .. } => (
            Code::Unreachable,
            hint("check [database] in the configuration, and that the server is up"),
        ),
        StoreError::LockHeld { .. } => (Code::Locked, hint("wait for it to end")),
        StoreError::Contended { .. } => (
            Code::Unreachable,
            hint("somebody keeps the tables locked: try again later"),
        ),
        // Nothing was touched, and the same configuration will fail in the same way.
        _ => (
            Code::Usage,
            hint(
                "see what the database answered: a privilege may be missing, or the policy may not fit",
            ),
        ),
    }
}

fn journal(error: &JournalError) -> (Code, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    match error {
        JournalError::Fs(_) => (
            Code::Usage,
            hint("check directory under [state] in the configuration, and its permissions"),
        ),
        JournalError::UnknownRun(_) => (Code::Usage, hint("`elpis-maint history` lists the runs")),
        JournalError::Foreign { .. }
        | JournalError::Corrupt { .. }
        | JournalError::Newer { .. }
        | JournalError::Illegal { .. } => (
            Code::Refused,
            hint("the journal is evidence: move it away rather than delete it"),
        ),
        _ => (Code::Internal, None),
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

    #[test]
    fn every_way_a_run_can_end_has_its_code() {
        let why = || "why".to_owned();
        let code = |ended: Ended| Verdict::from(&ended).code;
        assert_eq!(code(Ended::Done), Code::Done);
        assert_eq!(code(Ended::Limit { why: why() }), Code::Partial);
        assert_eq!(code(Ended::Interrupted), Code::Interrupted);
        assert_eq!(code(Ended::Critical { why: why() }), Code::Stopped);
        assert_eq!(code(Ended::ShareReached { table: why() }), Code::Stopped);
    }

    #[test]
    fn errors_have_their_codes_wherever_they_come_from() {
        let code = |error: anyhow::Error| Verdict::from(&error).code;
        let unreachable = || StoreError::Unreachable {
            target: "db1:3306/pandora".to_owned(),
            source: "refused".into(),
        };
        let inspect = InspectError::Store {
            table: "the server".to_owned(),
            source: unreachable(),
        };
        assert_eq!(code(unreachable().into()), Code::Unreachable);
        assert_eq!(code(inspect.into()), Code::Unreachable);
        assert_eq!(
            code(PurgeError::NotBegun(unreachable()).into()),
            Code::Unreachable
        );
        assert_eq!(code(PurgeError::Refused(Vec::new()).into()), Code::Refused);
        assert_eq!(code(InspectError::Stopped.into()), Code::Interrupted);
        assert_eq!(code(LeftAtOnce.into()), Code::Interrupted);
        assert_eq!(code(anyhow::anyhow!("anything else")), Code::Internal);
        let lost = StoreError::Lost {
            doing: "at COMMIT".to_owned(),
            source: "gone".into(),
        };
        let report = elpis_maint_core::PurgeReport {
            run: elpis_run::RunId(1),
            target: "t".to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
            finished: jiff::Timestamp::UNIX_EPOCH,
            tables: Vec::new(),
            ended: Ended::Done,
        };
        let stopped = PurgeError::Stopped {
            report: Box::new(report),
            source: lost,
        };
        assert_eq!(code(stopped.into()), Code::Stopped);
    }
}
