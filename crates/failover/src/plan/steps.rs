//! The sequence: the standby first, then the switchover, then the other unit.

use std::time::Duration;

use super::refuse::behind;
use super::{Plan, Step, StepKind};
use crate::driver::Act;
use crate::guard::{Guard, Phase, Stage};
use crate::observe::Unit;
use crate::policy::{Gate, HookPoint};

/// The steps of `plan`, whose other fields are complete. Somebody installs `adopted` already.
pub(super) fn sequence(plan: &Plan, adopted: Option<Unit>) -> Vec<Step> {
    let units = behind(&plan.policy, |unit| plan.unit(unit).version.clone());
    if units.is_empty() {
        return Vec::new();
    }
    let stage = |unit| {
        if units.contains(&unit) {
            Stage::Before
        } else {
            Stage::Upgraded
        }
    };
    let mut writer = Writer {
        plan,
        phase: Phase {
            a: stage(Unit::A),
            b: stage(Unit::B),
        },
        active: plan.active,
        adopted,
        group: false,
        steps: Vec::new(),
    };
    writer.opening(&units);
    let standby = plan.active.other();
    if units.contains(&standby) {
        writer.upgrade(standby, Gate::FirstInstall);
    }
    if units.contains(&plan.active) {
        writer.switch(standby, Gate::Switchover);
        writer.upgrade(plan.active, Gate::SecondInstall);
        if plan.policy.switch_back {
            writer.switch(plan.active, Gate::SwitchBack);
        }
    }
    writer.closing();
    // The first question is whether the window suffices for everything.
    let needed_s = writer.steps.iter().map(|step| step.estimate_s).sum();
    if let Some(first) = writer.steps.first_mut() {
        first.guards.push(Guard::Window { needed_s });
    }
    writer.steps
}

struct Writer<'a> {
    plan: &'a Plan,
    /// Where the pair stands after the steps so far.
    phase: Phase,
    active: Unit,
    /// The unit that somebody installs by hand, until that is over.
    adopted: Option<Unit>,
    /// The next step belongs to the one before it: it is left out if that one is.
    group: bool,
    steps: Vec<Step>,
}

impl Writer<'_> {
    fn opening(&mut self, units: &[Unit]) {
        let settle = self.plan.policy.limits.settle;
        let guards = self.ready_guards();
        let preflight = self.push("preflight", StepKind::Preflight, settle);
        preflight.guards = guards;
        let ours = units.iter().filter(|unit| self.adopted != Some(**unit));
        self.packages(ours.copied().collect());
        if self.plan.policy.safety_copy.is_some() {
            let call = self.plan.policy.limits.call;
            self.push("safety-copy", StepKind::SafetyCopy, call);
        }
        self.hooks(HookPoint::Start, false);
        self.maintenance(true);
    }

    fn upgrade(&mut self, unit: Unit, gate: Gate) {
        if self.adopted.take() == Some(unit) {
            self.adopt(unit);
        } else {
            self.install(unit, gate);
        }
        self.rejoin(unit);
    }

    /// What runs already is watched; nothing can be asked about it any more.
    fn adopt(&mut self, unit: Unit) {
        let policy = &self.plan.policy;
        let (limits, estimates) = (&policy.limits, &policy.estimates);
        let name = format!("adopt-{unit}");
        let step = self.push(&name, StepKind::Adopt { unit }, limits.install);
        step.goal = vec![Guard::SamePair, Guard::Runs { unit }];
        step.estimate_s = estimates.install.as_secs();
    }

    fn install(&mut self, unit: Unit, gate: Gate) {
        let policy = &self.plan.policy;
        let (limits, estimates) = (&policy.limits, &policy.estimates);
        // The first unit's package was looked at just now, the second one's some time ago.
        if gate == Gate::SecondInstall {
            self.packages(vec![unit]);
        }
        if self.plan.capabilities.readiness {
            let guards = self.ready_guards();
            let act = Act::CheckReadiness;
            let name = format!("readiness-{unit}");
            let step = self.push(&name, StepKind::Act { act, unit }, limits.readiness);
            step.guards = guards;
            step.estimate_s = estimates.readiness.as_secs();
        }
        self.approve(gate);
        self.hooks(HookPoint::BeforeInstall, false);

        let mut guards = self.ready_guards();
        guards.push(Guard::Window {
            needed_s: (estimates.install + estimates.rejoin).as_secs(),
        });
        let point_of_no_return = self.phase.of(unit.other()) == Stage::Upgraded;
        let act = Act::Install;
        let name = format!("install-{unit}");
        let step = self.push(&name, StepKind::Act { act, unit }, limits.install);
        step.guards = guards;
        step.goal = vec![Guard::SamePair, Guard::Runs { unit }];
        step.estimate_s = estimates.install.as_secs();
        step.point_of_no_return = point_of_no_return;
    }

    fn rejoin(&mut self, unit: Unit) {
        let policy = &self.plan.policy;
        let (limits, estimates) = (&policy.limits, &policy.estimates);
        self.phase = self.phase.with(unit, Stage::Upgrading);
        let kind = StepKind::Await {
            what: if self.plan.capabilities.reboots {
                format!("unit {unit} reboots and rejoins")
            } else {
                format!("unit {unit} rejoins")
            },
        };
        let reboots = self.plan.capabilities.reboots;
        let step = self.push(&format!("rejoin-{unit}"), kind, limits.rejoin);
        step.goal = vec![Guard::SamePair, Guard::Compatible];
        if reboots {
            step.goal.push(Guard::Rebooted { unit });
        }
        step.goal.extend([Guard::Versions, Guard::Settled]);
        step.estimate_s = estimates.rejoin.as_secs();

        self.phase = self.phase.with(unit, Stage::Upgraded);
        let kind = StepKind::Await {
            what: format!("unit {unit} runs {}", policy.target.version),
        };
        let step = self.push(&format!("verify-version-{unit}"), kind, limits.settle);
        step.goal = vec![Guard::SamePair, Guard::Versions, Guard::Settled];
    }

    fn switch(&mut self, to: Unit, gate: Gate) {
        let policy = &self.plan.policy;
        let (limits, estimates) = (&policy.limits, &policy.estimates);
        self.approve(gate);
        // Only the wish to have the original roles again can be given up.
        let optional = gate == Gate::SwitchBack;
        let first_hook = self.steps.len();
        self.hooks(HookPoint::BeforeSwitchover, false);
        for step in &mut self.steps[first_hook..] {
            step.optional = optional;
        }
        self.group = optional && self.steps.len() > first_hook;
        let mut guards = self.ready_guards();
        guards.push(Guard::NoFaults { unit: to });
        guards.push(Guard::Window {
            needed_s: estimates.switchover.as_secs(),
        });
        let act = Act::Switchover;
        let name = format!("switchover-to-{to}");
        let step = self.push(&name, StepKind::Act { act, unit: to }, limits.outage);
        step.guards = guards;
        step.goal = vec![Guard::SamePair, Guard::Carries { unit: to }];
        step.estimate_s = estimates.switchover.as_secs();
        step.outage = true;
        step.rest_after = false;
        step.optional = optional;

        self.group = optional;
        self.active = to;
        // Probes first: the peer may take its time to become ready, and traffic may not.
        self.hooks(HookPoint::Probe, true);
        let kind = StepKind::Await {
            what: format!("unit {to} is active and its peer ready"),
        };
        let step = self.push(&format!("verify-roles-{to}"), kind, limits.settle);
        step.goal = vec![
            Guard::SamePair,
            Guard::Versions,
            Guard::Roles { active: to },
        ];
        self.group = false;
    }

    fn closing(&mut self) {
        let settle = self.plan.policy.limits.settle;
        let kind = StepKind::Await {
            what: "both units run the target and are ready".to_owned(),
        };
        let step = self.push("verify-pair", kind, settle);
        step.goal = vec![
            Guard::SamePair,
            Guard::Versions,
            Guard::Settled,
            Guard::Compatible,
        ];
        let kind = StepKind::Await {
            what: "the configuration is synchronised".to_owned(),
        };
        let step = self.push("verify-sync", kind, settle);
        step.goal = vec![Guard::InSync];
        step.optional = true;
        let first_hook = self.steps.len();
        self.hooks(HookPoint::End, false);
        for step in &mut self.steps[first_hook..] {
            step.optional = true;
        }
        self.maintenance(false);
    }

    /// What must hold before any change: the pair as expected at this point, at rest.
    fn ready_guards(&self) -> Vec<Guard> {
        if self.adopted.is_some() {
            // The other unit is at work, and may be anything but active.
            let unit = self.active;
            return vec![Guard::SamePair, Guard::Carries { unit }];
        }
        vec![
            Guard::SamePair,
            Guard::Roles {
                active: self.active,
            },
            Guard::Versions,
            Guard::InSync,
            Guard::Compatible,
            Guard::Idle,
        ]
    }

    fn packages(&mut self, units: Vec<Unit>) {
        let policy = &self.plan.policy;
        let name = match units[..] {
            [unit] => format!("packages-{unit}"),
            _ => "packages".to_owned(),
        };
        let kind = StepKind::Packages { units };
        let step = self.push(&name, kind, policy.limits.survey);
        step.estimate_s = policy.estimates.survey.as_secs();
    }

    fn maintenance(&mut self, begin: bool) {
        if self.plan.policy.maintenance_flag {
            let name = if begin {
                "maintenance-on"
            } else {
                "maintenance-off"
            };
            let call = self.plan.policy.limits.call;
            self.push(name, StepKind::Maintenance { begin }, call)
                .optional = !begin;
        }
    }

    fn approve(&mut self, gate: Gate) {
        if self.plan.policy.approve.contains(&gate) {
            let name = format!("approve-{}", gate.name().replace('_', "-"));
            self.push(&name, StepKind::Approve { gate }, Duration::ZERO);
        }
    }

    fn hooks(&mut self, at: HookPoint, probe: bool) {
        let hooks = &self.plan.policy.hooks;
        for hook in hooks.iter().filter(|hook| hook.at == at) {
            let kind = StepKind::Hook {
                name: hook.name.clone(),
                probe,
            };
            let step = self.push(&format!("hook-{}", hook.name), kind, hook.timeout);
            step.outage = probe;
            // After a switchover nobody rests before the roles are verified.
            step.rest_after = !probe;
        }
    }

    fn push(&mut self, name: &str, kind: StepKind, timeout: Duration) -> &mut Step {
        let before = self.steps.last().map(|step| step.id.clone());
        self.steps.push(Step {
            id: format!("{:02}-{name}", self.steps.len() + 1),
            kind,
            phase: self.phase,
            guards: Vec::new(),
            goal: Vec::new(),
            timeout_s: timeout.as_secs().max(u64::from(!timeout.is_zero())),
            estimate_s: 0,
            outage: false,
            point_of_no_return: false,
            rest_after: true,
            optional: false,
            only_after: before.filter(|_| self.group),
        });
        // Just pushed.
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }
}
