//! What can happen to `elpis-maint`.

use std::fmt;

use elpis_maint_core::compact::CompactError;
use elpis_maint_core::housekeeping::HousekeepingError;
use elpis_maint_core::{Ended, InspectError, PurgeError, Refusal, RunError, RunReport, StoreError};
use elpis_mysql::Error as MySqlError;
use elpis_pandora::NotMaster;
use elpis_run::{FsError, JournalError, LockError, RunSummary, with_causes};

use super::{Code, Verdict};
use crate::commands::{Unknown, WrongPart};
use crate::interrupt::LeftAtOnce;
use crate::output::Unwritten;
use crate::settings::ConfigError;

/// Put to what went wrong after some of a run was done.
#[derive(Debug)]
pub(crate) struct Underway;

impl fmt::Display for Underway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some of the run was done, then it ended")
    }
}

/// A run was refused because of another one, which the journal may know.
#[derive(Debug)]
pub(crate) struct LockedBy {
    pub(crate) error: Box<dyn std::error::Error + Send + Sync>,
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

impl Verdict {
    /// The same of a run that went on although some of what it had to say is `lost`.
    pub(crate) fn without(self, lost: Option<&Unwritten>) -> Verdict {
        let Some(lost) = lost else {
            return self;
        };
        let lost = with_causes(lost);
        let kept = "`elpis-maint history` lists what was done, `elpis-maint history RUN` all of it";
        Verdict {
            code: match self.code {
                Code::Done => Code::Partial,
                code => code,
            },
            message: Some(match self.message {
                None => lost,
                Some(message) => format!("{message}; {lost}"),
            }),
            hint: Some(match self.hint {
                None => kept.to_owned(),
                Some(hint) => format!("{hint}; {kept}"),
            }),
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
            Ended::NotVerified { .. } => Verdict::new(
                Code::Partial,
                ended.to_string(),
                "keep a backup from before this run, compare the charts of this series, and do not \
                 run again before you know why; `elpis-maint history RUN` has every failure",
            ),
            Ended::Failed { error } => Verdict::new(Code::Stopped, error, again),
        }
    }
}

impl From<&anyhow::Error> for Verdict {
    fn from(error: &anyhow::Error) -> Verdict {
        let (code, hint) = match judge(error) {
            (Code::Refused, hint) if error.is::<Underway>() => (Code::Stopped, hint),
            (Code::Usage | Code::Unreachable, _) if error.is::<Underway>() => {
                let hint = match error.is::<JournalError>() {
                    true => JOURNAL,
                    false => STOPPED,
                };
                (Code::Stopped, Some(hint.to_owned()))
            }
            judged => judged,
        };
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
        return run(error);
    }
    if let Some(error) = error.downcast_ref::<CompactError>() {
        return run(error);
    }
    if let Some(error) = error.downcast_ref::<HousekeepingError>() {
        return run(error);
    }
    if error.is::<NotMaster>() {
        return (
            Code::Refused,
            hint("run it on the master's host; --force does it here all the same"),
        );
    }
    if error.is::<WrongPart>() {
        return (Code::Usage, hint("`elpis-maint plan` lists the tasks"));
    }
    if let Some(Unknown(source)) = error.downcast_ref::<Unknown>() {
        return match mysql(source) {
            (Code::Usage, _) => (
                Code::Usage,
                hint("check dbname in pandora_server.conf, and that its account may read"),
            ),
            other => other,
        };
    }
    if let Some(error) = error.downcast_ref::<MySqlError>() {
        return mysql(error);
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
    if let Some(error) = error.downcast_ref::<LockError>() {
        return match error {
            LockError::Held { .. } => (
                Code::Locked,
                hint("`elpis-maint status --follow` shows how far it is"),
            ),
            _ => (
                Code::Usage,
                hint("check directory under [state], and its permissions"),
            ),
        };
    }
    if error.is::<Unwritten>() {
        return (
            Code::Internal,
            hint("see where standard output goes to: its disk may be full"),
        );
    }
    if error.is::<FsError>() {
        return (Code::Usage, hint("check the path and its permissions"));
    }
    (Code::Internal, None)
}

fn run<R: RunReport>(error: &RunError<R>) -> (Code, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    match error {
        RunError::Refused(refusals) => {
            let by_share = |refusal: &Refusal| matches!(refusal, Refusal::Share { .. });
            let refused = match refusals.iter().any(by_share) {
                false => REFUSED.to_owned(),
                true => format!("{REFUSED}; --max-share lets a larger share go"),
            };
            (Code::Refused, Some(refused))
        }
        RunError::NotBegun(source) => store(source),
        RunError::Stopped { source, .. } if is_denied(source) => (Code::Stopped, hint(DENIED)),
        RunError::Stopped { .. } => (Code::Stopped, hint(STOPPED)),
        RunError::Journal(_) => (Code::Stopped, hint(JOURNAL)),
        _ => (Code::Internal, None),
    }
}

/// Nothing was touched yet, or everything is done.
fn mysql(error: &MySqlError) -> (Code, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    match error {
        MySqlError::Connect { .. } | MySqlError::Denied { .. } | MySqlError::Timeout { .. } => (
            Code::Unreachable,
            hint("check the database's host and account, and that the server is up"),
        ),
        error if error.is_lost() || error.is_retryable() => {
            (Code::Unreachable, hint("see to the server, then try again"))
        }
        _ => (
            Code::Usage,
            hint("see what the database answered: a privilege or a table may be missing"),
        ),
    }
}

const REFUSED: &str = "`elpis-maint plan` shows every reason beside the numbers";
const DENIED: &str = "grant the account what the server says is missing; the next run continues \
     where this one ended";
const STOPPED: &str = "see to the database; the next run continues where this one ended";
const JOURNAL: &str = "see to the state directory; the next run continues where this one ended";

/// Whether the server says that the account may not do this.
fn is_denied(error: &StoreError) -> bool {
    let StoreError::Failed { source, .. } = error else {
        return false;
    };
    let code = source
        .downcast_ref::<MySqlError>()
        .and_then(MySqlError::code);
    // The whole server, a database, a table, a column, a routine.
    matches!(code, Some(1227 | 1044 | 1142 | 1143 | 1370))
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
        JournalError::Database { .. } => (
            Code::Usage,
            hint(
                "see whether the file system of directory under [state] is full or broken; nothing \
                 was begun",
            ),
        ),
        JournalError::Busy { .. } => (
            Code::Locked,
            hint("another program of Elpis writes to it: try again later"),
        ),
        JournalError::UnknownRun(_) => (Code::Usage, hint("`elpis-maint history` lists the runs")),
        JournalError::Foreign { .. }
        | JournalError::Corrupt { .. }
        | JournalError::Newer { .. }
        | JournalError::Unreadable { .. }
        | JournalError::Illegal { .. } => (
            Code::Refused,
            hint("the journal is evidence: move it away rather than delete it"),
        ),
        _ => (Code::Internal, None),
    }
}

#[cfg(test)]
mod tests;
