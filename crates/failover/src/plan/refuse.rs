//! Why a pair must not be touched now.

use jiff::Timestamp;

use crate::concern::{Cause, Concern};
use crate::guard::concern;
use crate::inspect::Facts;
use crate::observe::{ConfigSync, PackageFacts, Severity, Sight, Unit};
use crate::policy::Policy;
use crate::state::{PairState, Sighting};

use super::Beginning;

/// What was found.
#[derive(Default)]
pub(super) struct Verdict {
    /// Every obstacle.
    pub found: Vec<Concern>,
    /// What is worth a warning.
    pub warnings: Vec<String>,
    /// What belongs into the record.
    pub notes: Vec<String>,
}

/// Every obstacle, what is worth a warning, and what belongs into the record.
pub(super) fn obstacles(policy: &Policy, facts: &Facts, beginning: Beginning) -> Verdict {
    let mut check = Check::new(policy, &facts.sighting);
    if beginning == Beginning::ByHand {
        check.find_adopted();
    }
    check.sights();
    if check.verdict.found.is_empty() {
        check.pair();
        check.versions(facts.now);
    }
    if check.verdict.found.is_empty() && !check.units_to_upgrade().is_empty() {
        check.surveys(facts);
        check.packages(facts);
    }
    check.verdict
}

/// What keeps the pair from being touched now and may pass by itself; nothing if something else
/// does that waiting does not cure.
pub(crate) fn unrest(policy: &Policy, sighting: &Sighting) -> Option<Concern> {
    let mut check = Check::new(policy, sighting);
    check.sights();
    if check.verdict.found.is_empty() {
        check.pair();
    }
    let passes = |concern: &Concern| {
        matches!(
            concern.cause,
            Cause::StandbyNotReady | Cause::Sync | Cause::Disagree
        )
    };
    let found = check.verdict.found;
    match found.iter().all(passes) {
        true => found.into_iter().next(),
        false => None,
    }
}

/// The units that do not run the target yet.
pub(super) fn behind(policy: &Policy, version: impl Fn(Unit) -> String) -> Vec<Unit> {
    let is_behind = |unit: &Unit| version(*unit) != policy.target.version;
    Unit::BOTH.into_iter().filter(is_behind).collect()
}

struct Check<'a> {
    policy: &'a Policy,
    sighting: &'a Sighting,
    /// The standby on which somebody installs by hand: what it is doing and is not ready for is
    /// what is to be watched.
    adopted: Option<Unit>,
    verdict: Verdict,
}

impl<'a> Check<'a> {
    fn new(policy: &'a Policy, sighting: &'a Sighting) -> Check<'a> {
        Check {
            policy,
            sighting,
            adopted: None,
            verdict: Verdict::default(),
        }
    }

    /// Which unit's installation can be adopted: that of a standby that is behind and busy.
    fn find_adopted(&mut self) {
        let standby = self.sighting.state().active().map(Unit::other);
        let busy = standby.filter(|unit| {
            let report = self.sighting.report(*unit);
            report.is_some_and(|report| report.busy.is_some())
                && self.units_to_upgrade().contains(unit)
        });
        match busy {
            Some(unit) => self.adopted = Some(unit),
            None => self.add(
                Cause::Busy,
                "no installation runs on a standby that could be adopted: make an ordinary plan",
            ),
        }
    }

    fn add(&mut self, cause: Cause, text: impl Into<String>) {
        self.verdict.found.push(Concern::new(cause, text));
    }

    fn units_to_upgrade(&self) -> Vec<Unit> {
        let version = |unit| {
            let report = self.sighting.report(unit);
            report
                .map(|report| report.version.clone())
                .unwrap_or_default()
        };
        behind(self.policy, version)
    }

    fn sights(&mut self) {
        for unit in Unit::BOTH {
            match &self.sighting.of(unit).sight {
                Sight::Seen(_) => {}
                Sight::Unreachable(reason) => self.add(
                    Cause::Unreachable,
                    format!("unit {unit} does not answer: {reason}"),
                ),
                Sight::Rejected(reason) => self.add(
                    Cause::Rejected,
                    format!("unit {unit} cannot be used: {reason}"),
                ),
                Sight::Unreadable(reason) => self.add(
                    Cause::NotUnderstood,
                    format!("unit {unit} is not understood: {reason}"),
                ),
            }
        }
    }

    fn pair(&mut self) {
        let sighting = self.sighting;
        let (Some(a), Some(b)) = (sighting.report(Unit::A), sighting.report(Unit::B)) else {
            return;
        };
        if a.identity == b.identity {
            let text = format!("both addresses lead to the same unit, {}", a.identity);
            return self.add(Cause::OtherUnits, text);
        }
        for (unit, report, peer) in [(Unit::A, a, b), (Unit::B, b, a)] {
            if let Some(seen) = &report.peer_identity
                && *seen != peer.identity
            {
                let text = format!("unit {unit} has the peer {seen}, not {}", peer.identity);
                self.add(Cause::OtherUnits, text);
            }
        }
        let state = sighting.state();
        // Who carries the traffic is known where there is somebody to adopt from.
        if self.adopted.is_none() {
            self.verdict.found.extend(concern(&state, sighting));
        }
        let (both, adopted) = ([(Unit::A, a), (Unit::B, b)], self.adopted);
        for (unit, report) in both.into_iter().filter(|(unit, _)| adopted != Some(*unit)) {
            if let ConfigSync::Syncing(_) | ConfigSync::Unknown(_) = report.sync {
                self.add(Cause::Sync, format!("unit {unit}: {}", report.sync));
            }
            if let Some(text) = &report.incompatible {
                self.add(Cause::Incompatible, format!("unit {unit}: {text}"));
            }
            if let Some(job) = &report.busy {
                self.add(Cause::Busy, format!("unit {unit} is busy: {job}"));
            }
            let faults = report.faults.iter();
            for fault in faults.filter(|fault| !self.policy.accepted_faults.contains(*fault)) {
                let text = format!("unit {unit}: {fault}");
                // The active unit's own faults are a reason to switch away from it, not to stop.
                let carries = state.active() == Some(unit);
                if carries && (self.adopted.is_some() || matches!(state, PairState::Healthy { .. }))
                {
                    self.verdict.warnings.push(text);
                } else {
                    self.verdict.found.push(Concern::new(Cause::Faults, text));
                }
            }
        }
    }

    fn versions(&mut self, now: Timestamp) {
        let sighting = self.sighting;
        let (Some(a), Some(b)) = (sighting.report(Unit::A), sighting.report(Unit::B)) else {
            return;
        };
        if a.version != b.version && self.units_to_upgrade().len() == 2 {
            let text = format!(
                "unit a runs {} and unit b {}: neither is the target {}",
                a.version, b.version, self.policy.target.version
            );
            self.add(Cause::WrongVersion, text);
        }
        if let Some(window) = &self.policy.window
            && let Some((_, to)) = window.bounds()
            && to <= now
        {
            let text = format!(
                "the maintenance window closed at {} {}",
                window.to, window.zone
            );
            self.add(Cause::Window, text);
        }
    }

    /// The units that are still to be installed by this tool.
    fn units_to_install(&self) -> Vec<Unit> {
        let mut units = self.units_to_upgrade();
        units.retain(|unit| self.adopted != Some(*unit));
        units
    }

    fn surveys(&mut self, facts: &Facts) {
        for unit in self.units_to_install() {
            match facts.survey(unit) {
                Err(reason) => self.add(Cause::Survey, reason),
                Ok(survey) => {
                    for finding in &survey.findings {
                        let text = format!("unit {unit}: {} ({})", finding.text, finding.code);
                        match finding.severity {
                            Severity::Note => self.verdict.notes.push(text),
                            Severity::Warning => self.verdict.warnings.push(text),
                            Severity::Wait | Severity::Blocker => self.add(Cause::Survey, text),
                        }
                    }
                }
            }
        }
    }

    fn packages(&mut self, facts: &Facts) {
        let units = self.units_to_install();
        let mut seen: Vec<(Unit, &PackageFacts)> = Vec::new();
        let name = &self.policy.target.package;
        for &unit in &units {
            let Ok(survey) = facts.survey(unit) else {
                continue;
            };
            match &survey.package {
                None => {
                    let text = format!("unit {unit} does not have the package {name}");
                    self.verdict.found.push(Concern::new(Cause::Package, text));
                }
                Some(package) => seen.push((unit, package)),
            }
        }
        for &(unit, package) in &seen {
            let problem = package_problem(self.policy, package);
            let problem = problem.map(|text| format!("the package on unit {unit} {text}"));
            self.verdict
                .found
                .extend(problem.map(|text| Concern::new(Cause::Package, text)));
        }
        if let [(_, a), (_, b)] = seen[..]
            && (a.size, &a.digest) != (b.size, &b.digest)
        {
            let text = format!(
                "the package is not the same on both units: a has {} bytes, {}, b has {} bytes, {}",
                a.size, a.digest, b.size, b.digest
            );
            self.add(Cause::Package, text);
        }
        let target = &self.policy.target;
        if target.digest.is_none() && self.verdict.found.is_empty() {
            self.verdict.warnings.push(
                "the policy names no digest: the package is only known to be the same on the units"
                    .to_owned(),
            );
        }
    }
}

/// What is wrong with one unit's package.
pub(crate) fn package_problem(policy: &Policy, package: &PackageFacts) -> Option<String> {
    let target = &policy.target;
    if package.name != target.package {
        return Some(format!("is {}, not {}", package.name, target.package));
    }
    if package.growing {
        return Some("is still being copied".to_owned());
    }
    if let Err(reason) = &package.fits {
        return Some(format!("does not fit: {reason}"));
    }
    if let Some(size) = target.size.filter(|size| *size != package.size) {
        return Some(format!("has {} bytes, expected are {size}", package.size));
    }
    if let Some(digest) = target
        .digest
        .as_ref()
        .filter(|digest| **digest != package.digest)
    {
        return Some(format!("has {}, expected is {digest}", package.digest));
    }
    None
}
