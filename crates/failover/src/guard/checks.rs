//! What each guard looks at.

use std::time::Duration;

use super::{Look, Purpose, Stage, Verdict};
use crate::concern::{Cause, Concern};
use crate::observe::{ConfigSync, Role, Sight, Unit};
use crate::state::{PairState, Sighting};

fn wait(cause: Cause, text: impl Into<String>) -> Verdict {
    Verdict::Wait(Concern::new(cause, text))
}

fn fail(cause: Cause, text: impl Into<String>) -> Verdict {
    Verdict::Fail(Concern::new(cause, text))
}

pub(super) fn each_unit(look: &Look<'_>, check: impl Fn(Unit) -> Verdict) -> Verdict {
    let mut answer = Verdict::Pass;
    for unit in Unit::BOTH {
        let found = match unseen(&look.sighting.of(unit).sight, unit) {
            Some(verdict) => verdict,
            None => check(unit),
        };
        match found {
            Verdict::Fail(_) => return found,
            Verdict::Wait(_) if answer == Verdict::Pass => answer = found,
            Verdict::Wait(_) | Verdict::Pass => {}
        }
    }
    answer
}

/// The verdict on a unit that gave no report. A rejection is never tried again by itself: it
/// could lock the account.
fn unseen(sight: &Sight, unit: Unit) -> Option<Verdict> {
    match sight {
        Sight::Seen(_) => None,
        Sight::Unreachable(reason) => Some(wait(
            Cause::Unreachable,
            format!("unit {unit} does not answer: {reason}"),
        )),
        Sight::Unreadable(reason) => Some(wait(
            Cause::NotUnderstood,
            format!("unit {unit} is not understood: {reason}"),
        )),
        Sight::Rejected(reason) => Some(fail(
            Cause::Rejected,
            format!("unit {unit} cannot be used: {reason}"),
        )),
    }
}

pub(super) fn same_pair(look: &Look<'_>) -> Verdict {
    each_unit(look, |unit| {
        let Some(report) = look.sighting.report(unit) else {
            return Verdict::Pass;
        };
        let planned = look.plan.unit(unit);
        if report.identity != planned.identity {
            let text = format!(
                "unit {unit} is {}, the plan was made for {}",
                report.identity, planned.identity
            );
            return fail(Cause::OtherUnits, text);
        }
        let peer = &look.plan.unit(unit.other()).identity;
        match &report.peer_identity {
            Some(seen) if seen != peer => fail(
                Cause::OtherUnits,
                format!("unit {unit} has the peer {seen}, not {peer}"),
            ),
            _ => Verdict::Pass,
        }
    })
}

pub(super) fn roles(active: Option<Unit>, purpose: Purpose, look: &Look<'_>) -> Verdict {
    for unit in Unit::BOTH {
        if let Some(verdict @ Verdict::Fail(_)) = unseen(&look.sighting.of(unit).sight, unit) {
            return verdict;
        }
    }
    let state = look.sighting.state();
    let goal = purpose == Purpose::Goal;
    let concern = concern(&state, look.sighting);
    match (&state, concern) {
        (PairState::Healthy { active: found }, _) => match active {
            Some(wanted) if wanted != *found => {
                let text = format!("unit {found} is active, this step needs unit {wanted}");
                let concern = Concern::new(Cause::Roles, text);
                if goal {
                    Verdict::Wait(concern)
                } else {
                    Verdict::Fail(concern)
                }
            }
            _ => Verdict::Pass,
        },
        // The end of a wait decides: right after a switchover, or a boot, all of this passes by.
        (_, Some(concern)) if goal => Verdict::Wait(concern),
        (PairState::SplitBrain | PairState::NoActive { .. }, Some(concern)) => {
            Verdict::Fail(concern)
        }
        (_, Some(concern))
            if concern.cause == Cause::StandbyFailed && look.phase.is_untouched() =>
        {
            Verdict::Fail(concern)
        }
        (_, Some(concern)) => Verdict::Wait(concern),
        (_, None) => Verdict::Pass,
    }
}

/// What is wrong with a pair in this state; nothing with a healthy one.
pub(crate) fn concern(state: &PairState, sighting: &Sighting) -> Option<Concern> {
    let cause = match state {
        PairState::Healthy { .. } => return None,
        PairState::Unsettled { .. } => Cause::StandbyNotReady,
        PairState::Alone { active, .. } => {
            match sighting
                .report(active.other())
                .map(|report| &report.own_role)
            {
                Some(Role::Failed(_) | Role::Disabled) => Cause::StandbyFailed,
                Some(_) => Cause::StandbyNotReady,
                None => Cause::Unreachable,
            }
        }
        PairState::SplitBrain => Cause::SplitBrain,
        PairState::NoActive { .. } => Cause::NoActive,
        PairState::Disagree { .. } => Cause::Disagree,
        PairState::Unknown { .. } => {
            let silent = |unit| matches!(sighting.of(unit).sight, Sight::Unreachable(_));
            if silent(Unit::A) && silent(Unit::B) {
                Cause::Unreachable
            } else {
                Cause::NotUnderstood
            }
        }
    };
    Some(Concern::new(cause, state.to_string()))
}

pub(super) fn version(unit: Unit, look: &Look<'_>) -> Verdict {
    let Some(report) = look.sighting.report(unit) else {
        return Verdict::Pass;
    };
    let (found, target) = (&report.version, &look.plan.policy.target.version);
    let old = &look.plan.unit(unit).version;
    match look.phase.of(unit) {
        Stage::Before if found == old => Verdict::Pass,
        Stage::Upgraded | Stage::Upgrading if found == target => Verdict::Pass,
        Stage::Upgrading if found == old => {
            let text = format!("unit {unit} still runs {found}");
            // A boot that brought the old version back is the end of the matter.
            match (look.boots.get(&unit), &report.boot) {
                (Some(Some(before)), Some(boot)) if boot != before => fail(
                    Cause::WrongVersion,
                    format!("unit {unit} has rebooted and came back with {found}"),
                ),
                _ => wait(Cause::WrongVersion, text),
            }
        }
        Stage::Before => fail(
            Cause::WrongVersion,
            format!("unit {unit} runs {found}, expected is {old}"),
        ),
        Stage::Upgraded | Stage::Upgrading => fail(
            Cause::WrongVersion,
            format!("unit {unit} runs {found}, expected is {target}"),
        ),
    }
}

pub(super) fn runs(unit: Unit, look: &Look<'_>) -> Verdict {
    if let Some(verdict) = unseen(&look.sighting.of(unit).sight, unit) {
        return verdict;
    }
    let target = &look.plan.policy.target.version;
    match look.sighting.report(unit) {
        Some(report) if report.version == *target => Verdict::Pass,
        _ => wait(
            Cause::WrongVersion,
            format!("unit {unit} does not run {target}"),
        ),
    }
}

pub(super) fn in_sync(unit: Unit, look: &Look<'_>) -> Verdict {
    match look.sighting.report(unit).map(|report| &report.sync) {
        Some(sync @ (ConfigSync::Syncing(_) | ConfigSync::Unknown(_))) => {
            wait(Cause::Sync, format!("unit {unit}: {sync}"))
        }
        Some(ConfigSync::InSync(_) | ConfigSync::NotReported) | None => Verdict::Pass,
    }
}

pub(super) fn compatible(unit: Unit, look: &Look<'_>) -> Verdict {
    match look
        .sighting
        .report(unit)
        .and_then(|report| report.incompatible.as_ref())
    {
        Some(text) => fail(Cause::Incompatible, format!("unit {unit}: {text}")),
        None => Verdict::Pass,
    }
}

pub(super) fn idle(unit: Unit, look: &Look<'_>) -> Verdict {
    match look
        .sighting
        .report(unit)
        .and_then(|report| report.busy.as_ref())
    {
        Some(job) => fail(Cause::Busy, format!("unit {unit} is busy: {job}")),
        None => Verdict::Pass,
    }
}

pub(super) fn no_faults(unit: Unit, look: &Look<'_>) -> Verdict {
    if let Some(verdict) = unseen(&look.sighting.of(unit).sight, unit) {
        return verdict;
    }
    let accepted = &look.plan.policy.accepted_faults;
    let faults = look
        .sighting
        .report(unit)
        .map_or(&[][..], |report| &report.faults);
    match faults.iter().find(|fault| !accepted.contains(*fault)) {
        // An interface may come up a little later; before anything is touched it may not.
        Some(fault) if look.phase.is_untouched() => {
            fail(Cause::Faults, format!("unit {unit}: {fault}"))
        }
        Some(fault) => wait(Cause::Faults, format!("unit {unit}: {fault}")),
        None => Verdict::Pass,
    }
}

pub(super) fn rebooted(unit: Unit, look: &Look<'_>) -> Verdict {
    if let Some(verdict) = unseen(&look.sighting.of(unit).sight, unit) {
        return verdict;
    }
    let boot = look
        .sighting
        .report(unit)
        .and_then(|report| report.boot.as_ref());
    match (look.boots.get(&unit), boot) {
        (Some(Some(before)), Some(boot)) if before == boot => wait(
            Cause::NotRebooted,
            format!("unit {unit} has not rebooted since its installation began"),
        ),
        (Some(Some(_)), None) => wait(
            Cause::NotRebooted,
            format!("unit {unit} does not say when it booted"),
        ),
        _ => Verdict::Pass,
    }
}

pub(super) fn window(needed_s: u64, look: &Look<'_>) -> Verdict {
    let Some(window) = look.window else {
        return Verdict::Pass;
    };
    match window.admits(look.now, Duration::from_secs(needed_s)) {
        Ok(()) => Verdict::Pass,
        Err(text) => fail(Cause::Window, text),
    }
}
