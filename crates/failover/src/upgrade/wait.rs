//! Waiting: for guards before an act, for goals after one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::drive::{Drive, Halt};
use crate::concern::{Cause, Concern};
use crate::driver::PairDriver;
use crate::event::UpgradeEvent;
use crate::guard::{Guard, Look, Purpose, Verdict, check_all};
use crate::observe::{Role, Sight, Unit};
use crate::plan::Step;
use crate::state::Sighting;

/// How often somebody looks while traffic may be interrupted.
pub(super) const OUTAGE_POLL: Duration = Duration::from_millis(250);

impl<D: PairDriver> Drive<'_, '_, D> {
    pub(super) fn check(
        &self,
        step: &Step,
        guards: &[Guard],
        purpose: Purpose,
        sighting: &Sighting,
    ) -> Verdict {
        let look = Look {
            plan: &self.plan,
            phase: step.phase,
            sighting,
            boots: self.ledger.boots(),
            now: self.up.clock.now(),
            window: self.ledger.window(&self.plan),
        };
        check_all(guards, purpose, &look)
    }

    /// When `limit` is over, or the outage's budget, whichever comes first.
    pub(super) fn deadline(&self, limit: Duration) -> Duration {
        let end = self.up.clock.monotonic().saturating_add(limit);
        self.budget.map_or(end, |budget| budget.min(end))
    }

    pub(super) fn is_over(&self, deadline: Duration) -> bool {
        self.up.clock.monotonic() >= deadline
    }

    /// Waits a moment; leaving at once ends it.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), Halt> {
        let slept = self.up.leave.sleep(self.up.clock, pause).await;
        slept.map_err(|_| Halt::left())
    }

    /// How long to pause between two looks: short while traffic is at stake or the next step is
    /// a switchover, long while a unit is out of reach.
    fn interval(&self, step: &Step, sighting: &Sighting) -> Duration {
        let poll = self.plan.policy.limits.poll;
        let silent = |sight: &Sight| matches!(sight, Sight::Unreachable(_));
        if step.outage {
            poll.min(OUTAGE_POLL)
        } else if silent(&sighting.a.sight) || silent(&sighting.b.sight) {
            poll * 5
        } else {
            poll
        }
    }

    /// Waits until every guard passes on one fresh look, and returns it.
    pub(super) async fn await_guards(
        &mut self,
        step: &Step,
        deadline: Duration,
    ) -> Result<Sighting, Halt> {
        self.until(step, &step.guards, Purpose::Precondition, deadline)
            .await
    }

    /// Waits until the step's goal holds.
    pub(super) async fn await_goal(
        &mut self,
        step: &Step,
        deadline: Duration,
    ) -> Result<Sighting, Halt> {
        self.until(step, &step.goal, Purpose::Goal, deadline).await
    }

    async fn until(
        &mut self,
        step: &Step,
        guards: &[Guard],
        purpose: Purpose,
        deadline: Duration,
    ) -> Result<Sighting, Halt> {
        let mut told: Option<Cause> = None;
        let mut suspended: Option<Duration> = None;
        let mut stays = BTreeMap::new();
        loop {
            let sighting = self.look().await?;
            let concern = match self.check(step, guards, purpose, &sighting) {
                Verdict::Pass => return Ok(sighting),
                Verdict::Fail(concern) => return Err(Halt::Hold(concern)),
                Verdict::Wait(concern) => concern,
            };
            self.suspended_too_long(&sighting, &mut suspended)?;
            self.stays_too_long(&sighting, &mut stays)?;
            if self.is_over(deadline) {
                let text = format!("still not so when the time was up: {}", concern.text);
                return Err(Halt::hold(concern.cause, text));
            }
            if told != Some(concern.cause) {
                told = Some(concern.cause);
                self.tell(UpgradeEvent::Waiting {
                    step: step.id.clone(),
                    concern,
                });
            }
            self.pause(self.interval(step, &sighting)).await?;
        }
    }

    /// High availability may be off for a while after a boot, but not for good.
    fn suspended_too_long(
        &self,
        sighting: &Sighting,
        since: &mut Option<Duration>,
    ) -> Result<(), Halt> {
        let disabled = [&sighting.a, &sighting.b].into_iter().find(|observation| {
            let report = observation.report();
            report.is_some_and(|report| report.own_role == Role::Disabled)
        });
        let Some(observation) = disabled else {
            *since = None;
            return Ok(());
        };
        let now = self.up.clock.monotonic();
        let began = *since.get_or_insert(now);
        let limit = self.plan.policy.limits.suspended;
        if now.saturating_sub(began) < limit {
            return Ok(());
        }
        Err(Halt::Hold(Concern::new(
            Cause::StandbyFailed,
            format!(
                "high availability has been off on unit {} for {} minutes",
                observation.unit,
                limit.as_secs() / 60
            ),
        )))
    }

    /// Where the vendor says how long a unit may be in one state, more is a standstill.
    fn stays_too_long(
        &self,
        sighting: &Sighting,
        since: &mut BTreeMap<Unit, (Role, Duration)>,
    ) -> Result<(), Halt> {
        let now = self.up.clock.monotonic();
        for unit in Unit::BOTH {
            let Some(report) = sighting.report(unit) else {
                since.remove(&unit);
                continue;
            };
            let role = &report.own_role;
            let (known, began) = since.entry(unit).or_insert_with(|| (role.clone(), now));
            if known != role {
                (*known, *began) = (role.clone(), now);
            }
            let limit = self.up.driver.patience(role);
            if let Some(limit) = limit.filter(|limit| now.saturating_sub(*began) >= *limit) {
                let text = format!(
                    "unit {unit} has been {role} for {} minutes, more than the vendor allows",
                    limit.as_secs() / 60
                );
                return Err(Halt::hold(Cause::StandbyNotReady, text));
            }
        }
        Ok(())
    }
}
