//! The steps that change nothing on the pair.

use std::time::Duration;

use super::drive::{Drive, Halt};
use crate::aids::HookCall;
use crate::concern::{Cause, Concern};
use crate::driver::{Act, Exhibit, PairDriver};
use crate::event::UpgradeEvent;
use crate::inspect::within;
use crate::ledger::{Completed, How, Note};
use crate::observe::{Severity, Unit};
use crate::plan::{Step, StepKind, package_problem};
use crate::policy::Gate;

impl<D: PairDriver> Drive<'_, '_, D> {
    pub(super) async fn perform(&mut self, step: &Step) -> Result<(), Halt> {
        match &step.kind {
            StepKind::Preflight => self.preflight(step).await,
            StepKind::Packages { units } => self.packages(step, units).await,
            StepKind::SafetyCopy => self.safety_copy(step).await,
            StepKind::Maintenance { begin } => self.maintenance(step, *begin).await,
            StepKind::Approve { gate } => self.approval(step, *gate),
            StepKind::Hook { name, .. } => self.hook(step, name).await,
            StepKind::Act { act, unit } => self.act(step, *act, *unit).await,
            StepKind::Adopt { unit } => self.act(step, Act::Install, *unit).await,
            StepKind::Await { .. } => self.wait(step).await,
        }
    }

    async fn preflight(&mut self, step: &Step) -> Result<(), Halt> {
        self.open(step)?;
        let deadline = self.deadline(Duration::from_secs(step.timeout_s));
        let sighting = self.await_guards(step, deadline).await?;
        self.collect_exhibits(false).await?;
        self.complete(step, How::CarriedOut, "as planned", Some(sighting))
    }

    /// Before anything is touched the whole plan is made again from fresh facts and must be the
    /// same. Later the second unit's package must still be the planned one.
    async fn packages(&mut self, step: &Step, units: &[Unit]) -> Result<(), Halt> {
        self.open(step)?;
        let target = self.plan.policy.target.clone();
        if !self.ledger.is_touched(&self.plan) {
            let up = self.up;
            let tell = |concern: &Concern| {
                up.observer.on(&UpgradeEvent::Waiting {
                    step: step.id.clone(),
                    concern: concern.clone(),
                });
            };
            let facts = self.inspection().settled(&self.plan.policy, &tell).await;
            let facts = facts.map_err(|_| Halt::left())?;
            if let Err(concerns) = self.plan.check_current(&facts) {
                return Err(Halt::Hold(first(concerns)));
            }
            return self.complete(step, How::CarriedOut, "complete and identical", None);
        }
        for &unit in units {
            let survey = self.inspection().survey_one(unit, &target).await;
            let survey = survey
                .map_err(|_| Halt::left())?
                .map_err(|reason| Halt::hold(Cause::Survey, reason))?;
            let blocks = |severity| matches!(severity, Severity::Wait | Severity::Blocker);
            if let Some(finding) = survey.findings.iter().find(|f| blocks(f.severity)) {
                let text = format!("unit {unit}: {} ({})", finding.text, finding.code);
                return Err(Halt::hold(Cause::Survey, text));
            }
            let problem = match &survey.package {
                None => Some(format!("is missing: {}", target.package)),
                Some(package) => package_problem(&self.plan.policy, package),
            };
            if let Some(problem) = problem {
                let text = format!("the package on unit {unit} {problem}");
                return Err(Halt::hold(Cause::Package, text));
            }
        }
        self.complete(step, How::CarriedOut, "complete", None)
    }

    async fn safety_copy(&mut self, step: &Step) -> Result<(), Halt> {
        self.open(step)?;
        let Some(rule) = self.plan.policy.safety_copy.clone() else {
            return self.complete(step, How::Already, "none is asked for", None);
        };
        let up = self.up;
        let limit = self.plan.policy.limits.call;
        let newest = within(up.clock, up.leave, limit, up.aids.safety_copy.newest()).await;
        let newest = match newest.map_err(|_| Halt::left())? {
            None => Err("the backup tool does not answer".to_owned()),
            Some(answer) => answer,
        };
        let hold = |text: String| Err(Halt::hold(Cause::SafetyCopy, text));
        let copy = match newest {
            Err(reason) => return hold(format!("the backup cannot be checked: {reason}")),
            Ok(None) => return hold("there is no backup".to_owned()),
            Ok(Some(copy)) => copy,
        };
        if !copy.verified {
            return hold(format!("the newest backup, {}, is not verified", copy.name));
        }
        let age = up.clock.now().duration_since(copy.at);
        let age = Duration::try_from(age).unwrap_or_default();
        if age > rule.max_age {
            let hours = age.as_secs() / 3600;
            return hold(format!(
                "the newest verified backup, {}, is {hours} hours old",
                copy.name
            ));
        }
        self.complete(step, How::CarriedOut, &copy.name, None)
    }

    async fn maintenance(&mut self, step: &Step, begin: bool) -> Result<(), Halt> {
        self.open(step)?;
        match self.set_flag(begin).await? {
            Ok(()) => self.complete(step, How::CarriedOut, "told", None),
            Err(reason) => Err(Halt::hold(
                Cause::Hook,
                format!("the monitoring could not be told: {reason}"),
            )),
        }
    }

    pub(super) async fn set_flag(&self, raised: bool) -> Result<Result<(), String>, Halt> {
        let up = self.up;
        let limit = self.plan.policy.limits.call;
        let answer = within(up.clock, up.leave, limit, up.aids.maintenance.set(raised)).await;
        Ok(match answer.map_err(|_| Halt::left())? {
            None => Err("it does not answer".to_owned()),
            Some(answer) => answer,
        })
    }

    fn approval(&mut self, step: &Step, gate: Gate) -> Result<(), Halt> {
        if !self.ledger.is_approved(gate) {
            let text = format!("`{gate}` is not approved");
            return Err(Halt::hold(Cause::Approval, text));
        }
        self.open(step)?;
        self.complete(step, How::CarriedOut, "approved", None)
    }

    async fn hook(&mut self, step: &Step, name: &str) -> Result<(), Halt> {
        self.open(step)?;
        let Some(rule) = self.plan.policy.hooks.iter().find(|hook| hook.name == name) else {
            return Err(Halt::hold(
                Cause::Hook,
                format!("there is no hook `{name}`"),
            ));
        };
        let call = HookCall {
            run: self.run,
            pair: self.plan.pair.clone(),
            rule: rule.clone(),
            step: step.id.clone(),
            phase: step.phase,
            active: self.planned_active(step),
            target: self.plan.policy.target.version.clone(),
        };
        let deadline = self.deadline(rule.timeout);
        let limit = deadline.saturating_sub(self.up.clock.monotonic());
        let up = self.up;
        let answer = within(up.clock, up.leave, limit, up.aids.hooks.ask(&call)).await;
        match answer.map_err(|_| Halt::left())? {
            Some(Ok(answer)) => {
                let message = match answer.said.trim() {
                    "" => "no objection".to_owned(),
                    said => said.to_owned(),
                };
                let completed = Completed {
                    how: How::CarriedOut,
                    message,
                    outage_ms: answer
                        .outage
                        .map(|outage| u64::try_from(outage.as_millis()).unwrap_or(u64::MAX)),
                    after: None,
                };
                self.complete_with(step, completed)
            }
            Some(Err(reason)) => Err(Halt::hold(
                Cause::Hook,
                format!("`{name}` says no: {reason}"),
            )),
            None => Err(Halt::hold(
                Cause::Hook,
                format!("`{name}` gave no answer within {} s", limit.as_secs_f64()),
            )),
        }
    }

    async fn wait(&mut self, step: &Step) -> Result<(), Halt> {
        self.open(step)?;
        let deadline = self.deadline(Duration::from_secs(step.timeout_s));
        let sighting = self.await_goal(step, deadline).await?;
        let message = sighting.state().to_string();
        self.complete(step, How::CarriedOut, &message, Some(sighting))
    }

    /// Raw outputs for the change record. Not having them stops nothing.
    pub(super) async fn collect_exhibits(&mut self, at_end: bool) -> Result<(), Halt> {
        let up = self.up;
        let limit = self.plan.policy.limits.call;
        let mut exhibits: Vec<Exhibit> = Vec::new();
        for unit in Unit::BOTH {
            let answer = within(up.clock, up.leave, limit, up.driver.exhibits(unit)).await;
            let why = match answer.map_err(|_| Halt::left())? {
                Some(Ok(found)) => {
                    exhibits.extend(found);
                    continue;
                }
                Some(Err(error)) => error.to_string(),
                None => "no answer".to_owned(),
            };
            self.warn(
                "exhibits",
                format!("no outputs of unit {unit} for the record: {why}"),
            )?;
        }
        self.note("exhibits", &Note::Exhibits { at_end, exhibits })
    }
}

fn first(concerns: Vec<Concern>) -> Concern {
    let words: Vec<&str> = concerns
        .iter()
        .map(|concern| concern.text.as_str())
        .collect();
    Concern {
        cause: concerns
            .first()
            .map_or(Cause::Stale, |concern| concern.cause),
        text: words.join("; "),
    }
}
