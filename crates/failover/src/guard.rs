//! Guards: pure predicates of phase and pair state.
//!
//! The same guard is asked for two purposes. Before an act it may say "no"; while waiting for an
//! act's result most of what it does not like is something that has not happened *yet*.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::concern::{Cause, Concern};
use crate::observe::{ConfigSync, Role, Sight, Unit};
use crate::plan::Plan;
use crate::policy::Window;
use crate::state::{PairState, Sighting};

/// How far one unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not touched: it runs what it ran when the plan was made.
    Before,
    /// Being installed or rebooting: it may run either version.
    Upgrading,
    /// Done: it runs the target.
    Upgraded,
}

/// How far the pair is. It decides which differences are right: a pair of mixed versions is
/// expected in the middle and an error at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Unit A.
    pub a: Stage,
    /// Unit B.
    pub b: Stage,
}

impl Phase {
    /// One unit's stage.
    pub fn of(self, unit: Unit) -> Stage {
        match unit {
            Unit::A => self.a,
            Unit::B => self.b,
        }
    }

    /// The same with one unit moved on.
    #[must_use]
    pub fn with(self, unit: Unit, stage: Stage) -> Phase {
        match unit {
            Unit::A => Phase { a: stage, ..self },
            Unit::B => Phase { b: stage, ..self },
        }
    }

    /// Whether no unit has been touched.
    pub fn is_untouched(self) -> bool {
        self.a == Stage::Before && self.b == Stage::Before
    }
}

/// A predicate. Its parameters are fixed by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "guard", rename_all = "snake_case")]
pub enum Guard {
    /// The two units are those of the plan, and each other's peers.
    SamePair,
    /// All four views agree that this unit is active and the other ready.
    Roles {
        /// The unit that must be active.
        active: Unit,
    },
    /// This unit, and only this one, carries the traffic; its peer may still be on its way.
    Carries {
        /// The unit.
        unit: Unit,
    },
    /// All four views agree on any active and a ready unit.
    Settled,
    /// Each unit runs what the phase expects.
    Versions,
    /// The unit runs the target.
    Runs {
        /// The unit.
        unit: Unit,
    },
    /// The configuration is synchronised.
    InSync,
    /// Neither unit says that the versions cannot pair.
    Compatible,
    /// Neither unit runs a job of its own.
    Idle,
    /// The unit could take the traffic: it has no fault that the policy does not accept.
    NoFaults {
        /// The unit.
        unit: Unit,
    },
    /// The unit has booted since its installation was begun.
    Rebooted {
        /// The unit.
        unit: Unit,
    },
    /// What follows up to the next resting point ends within the maintenance window.
    Window {
        /// How long that usually takes, in seconds.
        needed_s: u64,
    },
}

/// What a guard is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// May the act begin?
    Precondition,
    /// Has the act come to its result?
    Goal,
}

/// A guard's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Pass,
    /// Not now; it may become true by waiting.
    Wait(Concern),
    /// No, and waiting does not help.
    Fail(Concern),
}

/// What guards look at.
pub struct Look<'a> {
    /// The plan: identities, versions, policy.
    pub plan: &'a Plan,
    /// How far the pair is.
    pub phase: Phase,
    /// Both units, freshly observed.
    pub sighting: &'a Sighting,
    /// Each unit's boot mark at the time its installation was begun.
    pub boots: &'a BTreeMap<Unit, Option<String>>,
    /// The wall clock.
    pub now: Timestamp,
    /// The maintenance window.
    pub window: Option<&'a Window>,
}

/// The answer of all `guards`: the first failure, otherwise the first wait, otherwise a pass.
pub fn check_all(guards: &[Guard], purpose: Purpose, look: &Look<'_>) -> Verdict {
    let mut wait = None;
    for guard in guards {
        match guard.check(purpose, look) {
            Verdict::Pass => {}
            Verdict::Wait(concern) => wait = wait.or(Some(concern)),
            Verdict::Fail(concern) => return Verdict::Fail(concern),
        }
    }
    wait.map_or(Verdict::Pass, Verdict::Wait)
}

impl Guard {
    /// Asks the guard. Pure.
    pub fn check(&self, purpose: Purpose, look: &Look<'_>) -> Verdict {
        match *self {
            Guard::SamePair => same_pair(look),
            Guard::Roles { active } => roles(Some(active), purpose, look),
            Guard::Carries { unit } if look.sighting.state().active() == Some(unit) => {
                Verdict::Pass
            }
            Guard::Carries { unit } => roles(Some(unit), purpose, look),
            Guard::Settled => roles(None, purpose, look),
            Guard::Versions => each_unit(look, |unit| version(unit, look)),
            Guard::Runs { unit } => runs(unit, look),
            Guard::InSync => each_unit(look, |unit| in_sync(unit, look)),
            Guard::Compatible => each_unit(look, |unit| compatible(unit, look)),
            Guard::Idle => each_unit(look, |unit| idle(unit, look)),
            Guard::NoFaults { unit } => no_faults(unit, look),
            Guard::Rebooted { unit } => rebooted(unit, look),
            Guard::Window { needed_s } => window(needed_s, look),
        }
    }
}

fn wait(cause: Cause, text: impl Into<String>) -> Verdict {
    Verdict::Wait(Concern::new(cause, text))
}

fn fail(cause: Cause, text: impl Into<String>) -> Verdict {
    Verdict::Fail(Concern::new(cause, text))
}

fn each_unit(look: &Look<'_>, check: impl Fn(Unit) -> Verdict) -> Verdict {
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

fn same_pair(look: &Look<'_>) -> Verdict {
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

fn roles(active: Option<Unit>, purpose: Purpose, look: &Look<'_>) -> Verdict {
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

fn version(unit: Unit, look: &Look<'_>) -> Verdict {
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

fn runs(unit: Unit, look: &Look<'_>) -> Verdict {
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

fn in_sync(unit: Unit, look: &Look<'_>) -> Verdict {
    match look.sighting.report(unit).map(|report| &report.sync) {
        Some(sync @ (ConfigSync::Syncing(_) | ConfigSync::Unknown(_))) => {
            wait(Cause::Sync, format!("unit {unit}: {sync}"))
        }
        Some(ConfigSync::InSync(_) | ConfigSync::NotReported) | None => Verdict::Pass,
    }
}

fn compatible(unit: Unit, look: &Look<'_>) -> Verdict {
    match look
        .sighting
        .report(unit)
        .and_then(|report| report.incompatible.as_ref())
    {
        Some(text) => fail(Cause::Incompatible, format!("unit {unit}: {text}")),
        None => Verdict::Pass,
    }
}

fn idle(unit: Unit, look: &Look<'_>) -> Verdict {
    match look
        .sighting
        .report(unit)
        .and_then(|report| report.busy.as_ref())
    {
        Some(job) => fail(Cause::Busy, format!("unit {unit} is busy: {job}")),
        None => Verdict::Pass,
    }
}

fn no_faults(unit: Unit, look: &Look<'_>) -> Verdict {
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

fn rebooted(unit: Unit, look: &Look<'_>) -> Verdict {
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

fn window(needed_s: u64, look: &Look<'_>) -> Verdict {
    let Some(window) = look.window else {
        return Verdict::Pass;
    };
    match window.admits(look.now, Duration::from_secs(needed_s)) {
        Ok(()) => Verdict::Pass,
        Err(text) => fail(Cause::Window, text),
    }
}
