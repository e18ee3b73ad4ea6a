//! What can happen to `elpis-failover`.

use std::error::Error;

use elpis_failover::{ConnectError, ErrandError, FmcError, UpgradeError};
use elpis_run::{FsError, JournalError, Stopped};

use super::{Code, Verdict};
use crate::failover::{ConfigError, NoRun, Untrusted};

/// A code, a message and a hint for an error of any verb.
pub(crate) fn verdict(error: &anyhow::Error) -> Verdict {
    let (code, hint) = judge(error);
    Verdict {
        code,
        message: Some(format!("{error:#}")),
        hint: hint.map(str::to_owned),
    }
}

type Judgement = (Code, Option<&'static str>);

fn judge(error: &anyhow::Error) -> Judgement {
    if error.is::<Stopped>() {
        return (Code::Interrupted, None);
    }
    error
        .chain()
        .find_map(known)
        .unwrap_or((Code::Internal, None))
}

fn known(error: &(dyn Error + 'static)) -> Option<Judgement> {
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        return Some((Code::Usage, config_hint(error)));
    }
    if let Some(error) = error.downcast_ref::<UpgradeError>() {
        return upgrade(error);
    }
    if let Some(error) = error.downcast_ref::<ErrandError>() {
        return errand(error);
    }
    if let Some(error) = error.downcast_ref::<FmcError>() {
        return Some(manager(error));
    }
    if error.is::<Untrusted>() {
        let hint = "somebody may be in between: compare with the unit's console again";
        return Some((Code::Refused, Some(hint)));
    }
    if error.is::<NoRun>() {
        return Some((Code::Refused, Some("`elpis-failover apply` makes one")));
    }
    if error.is::<ConnectError>() {
        return Some((
            Code::Unreachable,
            Some(
                "nothing was touched; check the unit's address and look at it through its console",
            ),
        ));
    }
    if let Some(error) = error.downcast_ref::<JournalError>() {
        return Some(journal(error));
    }
    if error.is::<FsError>() {
        return Some((Code::Usage, Some("check the path and its permissions")));
    }
    if error.is::<jiff::Error>() {
        return Some((Code::Usage, Some("write times like 2026-11-22T02:00")));
    }
    None
}

fn config_hint(error: &ConfigError) -> Option<&'static str> {
    match error {
        ConfigError::Missing(_) => Some("check the path and its permissions"),
        ConfigError::Wrong { .. } | ConfigError::Policy { .. } => Some("correct the file"),
        ConfigError::Manager(_) => Some("correct [manager]"),
        ConfigError::Unsaid { hint, .. } => Some(hint),
    }
}

/// `None`: the source says it.
fn errand(error: &ErrandError) -> Option<Judgement> {
    match error {
        ErrandError::Locked(_) => {
            Some((Code::Locked, Some("`elpis-failover status` shows its run")))
        }
        ErrandError::Unfinished { .. } => Some((
            Code::Refused,
            Some("`elpis-failover resume`, or `elpis-failover abort`"),
        )),
        ErrandError::Manager(error) => Some(manager(error)),
        ErrandError::Journal(error) => Some(journal(error)),
        _ => None,
    }
}

fn manager(error: &FmcError) -> Judgement {
    match error {
        FmcError::Options(_) | FmcError::Certificates(_) => {
            (Code::Usage, Some("correct [manager]"))
        }
        FmcError::Unknown { .. } => (
            Code::Usage,
            Some("write the names under [manager] as the manager shows them; upload the package"),
        ),
        FmcError::Status { .. } => (
            Code::Refused,
            Some("read what the manager says, and its tasks"),
        ),
        FmcError::Denied { .. } => (
            Code::Unreachable,
            Some("correct user and password_file under [manager]; nothing was asked for"),
        ),
        _ => (
            Code::Unreachable,
            Some("check the manager's address and that it is up"),
        ),
    }
}

fn upgrade(error: &UpgradeError) -> Option<Judgement> {
    Some(match error {
        UpgradeError::Refused(concerns) => (
            Code::Refused,
            concerns
                .first()
                .map(|concern| concern.cause.before_planning()),
        ),
        UpgradeError::Policy(_) => (Code::Usage, Some("correct the policy and make a new plan")),
        UpgradeError::Locked(_) => (Code::Locked, Some("`elpis-failover status` shows its run")),
        UpgradeError::Unfinished { .. } => (
            Code::Refused,
            Some("`elpis-failover resume`, or `elpis-failover abort`"),
        ),
        UpgradeError::Finished { .. } => (Code::Refused, Some("make a new plan")),
        UpgradeError::NotAnUpgrade { .. } => (
            Code::Refused,
            Some("`elpis-failover status` without --run shows the newest upgrade"),
        ),
        UpgradeError::OtherPair { .. } => (
            Code::Refused,
            Some("name the configuration of that pair with --config"),
        ),
        UpgradeError::Edited { .. } => (
            Code::Refused,
            Some(
                "take the edit back; or `elpis-failover resume --as-planned` to go on by the plan, \
                 or `elpis-failover abort` and make a new plan",
            ),
        ),
        UpgradeError::NotUndoable { .. } => (Code::Refused, Some("`elpis-failover status`")),
        UpgradeError::NoSuchGate { .. } => {
            (Code::Usage, Some("`elpis-failover status` shows the gates"))
        }
        UpgradeError::Stopped => (Code::Interrupted, None),
        // The journal's own error says which part and what to do.
        UpgradeError::Journal(error) => journal(error),
        _ => (Code::Internal, None),
    })
}

fn journal(error: &JournalError) -> Judgement {
    match error {
        JournalError::Foreign { .. }
        | JournalError::Corrupt { .. }
        | JournalError::Newer { .. }
        | JournalError::Illegal { .. } => (
            Code::Refused,
            Some("the journal is evidence: move it away rather than delete it"),
        ),
        JournalError::UnknownRun(_) | JournalError::Missing { .. } => {
            (Code::Refused, Some("`elpis-failover apply` makes a run"))
        }
        _ => (
            Code::Usage,
            Some("check directory under [state], and its permissions"),
        ),
    }
}
