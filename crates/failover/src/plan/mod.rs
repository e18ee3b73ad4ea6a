//! The plan: a pure function of policy and facts that leaves nothing to choose.

mod edited;
mod print;
mod refuse;
mod steps;

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::concern::{Cause, Concern};
use crate::driver::{Act, Capabilities};
use crate::guard::{Guard, Phase};
use crate::inspect::Facts;
use crate::observe::Unit;
use crate::policy::{Gate, Policy};

pub(crate) use refuse::{package_problem, unrest};

/// The form of plans that this release writes and reads.
pub const SCHEMA: u32 = 1;

/// Begins the names of undo steps; no planned step's name begins like this.
pub(crate) const UNDO_PREFIX: &str = "undo-";

/// What will be done to one pair, step by step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The plan's form: [`SCHEMA`].
    pub schema: u32,
    /// The pair, as its driver names it.
    pub pair: String,
    /// When it was made.
    pub made: Timestamp,
    /// A SHA-256 over the policy and those facts that must be the same when it is applied.
    pub fingerprint: String,
    /// The rules it was made by, and by which it will be carried out.
    pub policy: Policy,
    /// What the product can do.
    pub capabilities: Capabilities,
    /// What the operator had told the driver.
    #[serde(default)]
    pub terms: serde_json::Value,
    /// Unit A as it was.
    pub a: PlannedUnit,
    /// Unit B as it was.
    pub b: PlannedUnit,
    /// The unit that was active.
    pub active: Unit,
    /// What the operator should know before saying yes.
    pub warnings: Vec<String>,
    /// What the survey noted for the record: who has confirmed what, what a manager said.
    #[serde(default)]
    pub notes: Vec<String>,
    /// In this order, one at a time. None: there is nothing to do.
    pub steps: Vec<Step>,
}

/// A unit as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedUnit {
    /// Serial number, UUID or server id.
    pub identity: String,
    /// Its part by configuration.
    pub configured_as: Option<String>,
    /// Model or platform.
    pub platform: String,
    /// What it ran.
    pub version: String,
}

/// One step, with nothing left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name in the journal, unique within the plan: number and words.
    pub id: String,
    /// What it does.
    pub kind: StepKind,
    /// How far the pair is while it runs.
    pub phase: Phase,
    /// What must hold immediately before it begins.
    pub guards: Vec<Guard>,
    /// What must hold for it to be done. A step whose goal holds already is not carried out.
    pub goal: Vec<Guard>,
    /// It is given up after so many seconds. Within an outage the budget may end it earlier.
    pub timeout_s: u64,
    /// How long it usually takes, in seconds.
    pub estimate_s: u64,
    /// Traffic is or may be interrupted from here: it draws on the outage budget.
    pub outage: bool,
    /// From here on there is no way back to the old version by switching over.
    pub point_of_no_return: bool,
    /// A run may stop after it: the pair can rest as it is.
    pub rest_after: bool,
    /// If it fails without having changed anything, it is left out with a warning.
    pub optional: bool,
    /// It is left out if this step was.
    pub only_after: Option<String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum StepKind {
    /// Look at both units; are they still as planned?
    Preflight,
    /// Look thoroughly: package present and identical, no obstacle.
    Packages {
        /// On which units.
        units: Vec<Unit>,
    },
    /// Is there a verified backup that is young enough?
    SafetyCopy,
    /// Tell the monitoring that the pair is being worked on, or no longer.
    Maintenance {
        /// Begin or end.
        begin: bool,
    },
    /// A person must have agreed.
    Approve {
        /// To what.
        gate: Gate,
    },
    /// Ask a hook of the policy.
    Hook {
        /// Its name there.
        name: String,
        /// It is a probe of a switchover that is undone if it fails.
        probe: bool,
    },
    /// Change something on one unit.
    Act {
        /// What.
        act: Act,
        /// The unit that acts.
        unit: Unit,
    },
    /// Take an installation that somebody has begun by hand for the run's own, and watch it.
    Adopt {
        /// The unit that is being installed.
        unit: Unit,
    },
    /// Wait until the goal holds.
    Await {
        /// For what, in words.
        what: String,
    },
}

impl Step {
    /// The act and its unit, if the step changes one.
    pub fn act(&self) -> Option<(Act, Unit)> {
        match self.kind {
            StepKind::Act { act, unit } => Some((act, unit)),
            StepKind::Adopt { unit } => Some((Act::Install, unit)),
            _ => None,
        }
    }

    /// The unit whose switchover can be undone by switching back to the other one.
    pub fn undo(&self) -> Option<Unit> {
        match self.act() {
            Some((Act::Switchover, unit)) => Some(unit.other()),
            _ => None,
        }
    }
}

impl Plan {
    /// Makes a plan. It has no steps if both units run the target already.
    ///
    /// # Errors
    /// Every reason why this pair must not be touched now, at least one.
    pub fn new(policy: &Policy, facts: &Facts) -> Result<Plan, Vec<Concern>> {
        Plan::make(policy, facts, Beginning::Ours)
    }

    /// The same for a pair on whose standby somebody has begun to install the target by hand: that
    /// installation is watched in place of one of our own, and the rest of the sequence follows.
    /// Package, readiness and consent of that unit are no longer asked for.
    ///
    /// # Errors
    /// Every reason why this pair must not be touched now, at least one; also when nothing runs on
    /// the standby.
    pub fn adopting(policy: &Policy, facts: &Facts) -> Result<Plan, Vec<Concern>> {
        Plan::make(policy, facts, Beginning::ByHand)
    }

    fn make(policy: &Policy, facts: &Facts, beginning: Beginning) -> Result<Plan, Vec<Concern>> {
        let refuse::Verdict {
            found,
            warnings,
            notes,
        } = refuse::obstacles(policy, facts, beginning);
        let reports = (
            facts.sighting.report(Unit::A),
            facts.sighting.report(Unit::B),
        );
        let (Some(a), Some(b), Some(active)) =
            (reports.0, reports.1, facts.sighting.state().active())
        else {
            return Err(found);
        };
        if !found.is_empty() {
            return Err(found);
        }
        let planned = |report: &crate::observe::UnitReport| PlannedUnit {
            identity: report.identity.clone(),
            configured_as: report.configured_as.clone(),
            platform: report.platform.clone(),
            version: report.version.clone(),
        };
        let mut plan = Plan {
            schema: SCHEMA,
            pair: facts.pair.clone(),
            made: facts.now,
            fingerprint: String::new(),
            policy: policy.clone(),
            capabilities: facts.capabilities,
            terms: facts.terms.clone(),
            a: planned(a),
            b: planned(b),
            active,
            warnings,
            notes,
            steps: Vec::new(),
        };
        let adopted = (beginning == Beginning::ByHand).then(|| active.other());
        plan.fingerprint = fingerprint(&plan, facts, adopted);
        plan.steps = steps::sequence(&plan, adopted);
        Ok(plan)
    }

    /// One unit as it was.
    pub fn unit(&self, unit: Unit) -> &PlannedUnit {
        match unit {
            Unit::A => &self.a,
            Unit::B => &self.b,
        }
    }

    /// The step of that name.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// How long the whole plan usually takes.
    pub fn estimate(&self) -> Duration {
        Duration::from_secs(self.steps.iter().map(|step| step.estimate_s).sum())
    }

    /// Planned switchovers.
    pub fn switchovers(&self) -> usize {
        let is_switch = |step: &&Step| matches!(step.act(), Some((Act::Switchover, _)));
        self.steps.iter().filter(is_switch).count()
    }

    /// The step that undoes a switchover: traffic goes back to the other unit, with guards of its
    /// own and a fresh budget. `None` for every other step.
    pub fn undo_of(&self, step: &Step) -> Option<Step> {
        let unit = step.undo()?;
        let limit = self.policy.limits.undo.as_secs().max(1);
        Some(Step {
            id: format!("{UNDO_PREFIX}{}", step.id),
            kind: StepKind::Act {
                act: Act::Switchover,
                unit,
            },
            phase: step.phase,
            guards: vec![
                Guard::SamePair,
                Guard::Roles {
                    active: unit.other(),
                },
                Guard::Versions,
                Guard::Compatible,
            ],
            goal: vec![Guard::SamePair, Guard::Carries { unit }],
            timeout_s: limit,
            estimate_s: step.estimate_s,
            outage: true,
            point_of_no_return: false,
            rest_after: true,
            optional: false,
            only_after: None,
        })
    }

    /// Whether `facts` would lead to this very plan again, warnings and dates aside.
    ///
    /// # Errors
    /// What is different: the plan is stale, or it was edited.
    pub fn check_current(&self, facts: &Facts) -> Result<(), Vec<Concern>> {
        if self.schema != SCHEMA {
            let text = format!(
                "the plan has schema {}, this release knows {SCHEMA}",
                self.schema
            );
            return Err(vec![Concern::new(Cause::Stale, text)]);
        }
        let adopts = |step: &Step| matches!(step.kind, StepKind::Adopt { .. });
        let beginning = match self.steps.iter().any(adopts) {
            true => Beginning::ByHand,
            false => Beginning::Ours,
        };
        let fresh = Plan::make(&self.policy, facts, beginning)?;
        let mut found = Vec::new();
        let mut differs = |what: &str, then: &str, now: &str| {
            if then != now {
                let text = format!("{what} was {then} when the plan was made and is {now} now");
                found.push(Concern::new(Cause::Stale, text));
            }
        };
        differs("the pair", &self.pair, &fresh.pair);
        differs(
            "the active unit",
            &self.active.to_string(),
            &fresh.active.to_string(),
        );
        for unit in Unit::BOTH {
            let (then, now) = (self.unit(unit), fresh.unit(unit));
            differs(&format!("unit {unit}"), &then.identity, &now.identity);
            let version = format!("the version of unit {unit}");
            differs(&version, &then.version, &now.version);
        }
        for key in self.edited_terms(&facts.terms) {
            let text = format!("{key} was edited after the plan was made");
            found.push(Concern::new(Cause::Stale, text));
        }
        if found.is_empty() && self.fingerprint != fresh.fingerprint {
            let text = "the package or the policy is not the one that the plan was made for";
            found.push(Concern::new(Cause::Stale, text));
        }
        if found.is_empty() && self.steps != fresh.steps {
            let text = "the plan's steps are not those that its own policy leads to";
            found.push(Concern::new(Cause::Stale, text));
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }
}

/// Who begins the first installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Ours,
    ByHand,
}

/// The package of a unit that is being installed already no longer matters.
fn fingerprint(plan: &Plan, facts: &Facts, adopted: Option<Unit>) -> String {
    let packages = Unit::BOTH.map(|unit| {
        let survey = facts.survey(unit).as_ref().ok();
        let survey = survey.filter(|_| adopted != Some(unit));
        let package = survey.and_then(|survey| survey.package.as_ref());
        package.map(|package| (&package.name, package.size, &package.digest))
    });
    let subject = (
        plan.schema,
        &plan.pair,
        &plan.policy,
        plan.capabilities,
        (&plan.a, &plan.b),
        plan.active,
        &plan.terms,
        packages,
    );
    // Serialising plain data with string keys cannot fail.
    let text = serde_json::to_vec(&subject).unwrap_or_default();
    let digest = Sha256::digest(&text);
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
