//! Guards: pure predicates of phase and pair state.
//!
//! The same guard is asked for two purposes. Before an act it may say "no"; while waiting for an
//! act's result most of what it does not like is something that has not happened *yet*.

mod checks;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::concern::Concern;
use crate::observe::Unit;
use crate::plan::Plan;
use crate::policy::Window;
use crate::state::Sighting;
use checks::{
    compatible, each_unit, idle, in_sync, no_faults, rebooted, roles, runs, same_pair, version,
    window,
};

pub(crate) use checks::concern;

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
