//! Acts: the only place that sends an order to a unit.

use std::time::Duration;

use super::drive::{Drive, Halt};
use super::{JOB, StoredRun};
use crate::concern::{Cause, Concern};
use crate::driver::{Act, ActError, DriverError, Handle, Located, Order, PairDriver};
use crate::event::UpgradeEvent;
use crate::guard::{Purpose, Verdict};
use crate::inspect::within;
use crate::ledger::{Failure, How, Note, Sent, Standing};
use crate::observe::Unit;
use crate::plan::{Step, StepKind};
use crate::report::last_act;
use crate::state::Sighting;

/// How many of a pair's earlier runs are searched for its last switchover.
const RUNS_SEARCHED: u32 = 10;

/// What became of an order that was not acknowledged.
enum Found {
    Handle(Handle),
    /// Its goal holds.
    Reached(Box<Sighting>),
    /// It was certainly never started.
    Absent,
}

impl<D: PairDriver> Drive<'_, '_, D> {
    /// Carries out a step that changes a unit, or goes on with it after a crash.
    pub(super) async fn act(&mut self, step: &Step, act: Act, unit: Unit) -> Result<(), Halt> {
        if let Some((order, sent)) = self.begun_order(step) {
            self.begin_outage(step);
            return self.settle(step, order, sent).await;
        }
        if self.ledger.open() == Some(&step.id) {
            // A process died while it was leaving the step out: it had sent nothing.
            let text = "it was announced without an order";
            self.not_started(step, Concern::new(Cause::NotStarted, text))?;
        }
        let planned = matches!(step.kind, StepKind::Adopt { .. });
        if planned || (self.adopting && act == Act::Install) {
            if let Some((order, handle)) = self.adopt(step, unit).await? {
                return self.acknowledged(step, order, handle).await;
            }
            if planned {
                let text = format!("no installation runs on unit {unit} that could be adopted");
                return Err(Halt::hold(Cause::Stale, text));
            }
        }
        let mut tries = 0;
        loop {
            let Some(before) = self.clear_to_act(step).await? else {
                return Ok(());
            };
            let order = self.order(step, act, unit);
            self.intend(step, Some(order.clone()), Some(before.clone()))?;
            // The record itself may have taken long.
            if let Err(concern) = self.still_clear(step, before).await? {
                self.not_started(step, concern.clone())?;
                return Err(Halt::Hold(concern));
            }
            self.begin_outage(step);
            tries += 1;
            match self.send(step, &order).await? {
                Ok(handle) => return self.acknowledged(step, order, handle).await,
                Err(ActError::NotStarted { reason, retryable }) => {
                    let concern = Concern::new(Cause::NotStarted, reason);
                    self.not_started(step, concern.clone())?;
                    if !retryable || tries >= self.plan.policy.limits.attempts {
                        return Err(Halt::Hold(concern));
                    }
                    self.pause(self.plan.policy.limits.poll).await?;
                }
                Err(ActError::OutcomeUnknown { reason }) => {
                    self.note(
                        &step.id,
                        &Note::OutcomeUnknown {
                            reason: reason.clone(),
                        },
                    )?;
                    self.tell(UpgradeEvent::OutcomeUnknown {
                        step: step.id.clone(),
                        reason,
                    });
                    return self.settle(step, order, Sent::Unknown).await;
                }
            }
        }
    }

    /// The order of this step that an earlier process, or this one, left open.
    fn begun_order(&self, step: &Step) -> Option<(Order, Sent)> {
        match &self.ledger.step(&step.id)?.standing {
            Standing::Open { intended, sent } => Some((intended.order.clone()?, sent.clone())),
            Standing::Done(_) | Standing::Failed => None,
        }
    }

    pub(super) fn order(&self, step: &Step, act: Act, unit: Unit) -> Order {
        let log = self.ledger.step(&step.id);
        let (round, attempt) = log.map_or((1, 1), |log| (log.round, log.attempt));
        Order {
            unit,
            act,
            target: self.plan.policy.target.clone(),
            marker: format!("elpis-{}-{}-{round}", self.nonce, step.id),
            attempt,
        }
    }

    /// The clock of an outage starts with the order and is not wound again.
    fn begin_outage(&mut self, step: &Step) {
        if step.outage && self.budget.is_none() {
            let limit = Duration::from_secs(step.timeout_s);
            self.budget = Some(self.up.clock.monotonic().saturating_add(limit));
        }
    }

    /// Waits until the guards pass on one fresh look. `None`: the goal holds already, and the
    /// step is complete.
    async fn clear_to_act(&mut self, step: &Step) -> Result<Option<Sighting>, Halt> {
        if !step.goal.is_empty() {
            let sighting = self.look().await?;
            if self.check(step, &step.goal, Purpose::Goal, &sighting) == Verdict::Pass {
                if self.ledger.open().is_none() {
                    self.intend(step, None, Some(sighting.clone()))?;
                }
                self.complete(step, How::Already, "it is so already", Some(sighting))?;
                return Ok(None);
            }
        }
        let settle = self.plan.policy.limits.settle;
        // An undo has its own budget, and waiting for guards draws on it.
        let deadline = self.deadline(settle);
        self.await_calm(step, deadline).await?;
        self.await_guards(step, deadline).await.map(Some)
    }

    /// Keeps planned switchovers apart, whichever run made the last one. An undo may not wait.
    async fn await_calm(&mut self, step: &Step, deadline: Duration) -> Result<(), Halt> {
        let planned = self.plan.step(&step.id).is_some();
        if step.undo().is_none() || !planned {
            return Ok(());
        }
        let Some(last) = self.last_switchover()? else {
            return Ok(());
        };
        let least = self.plan.policy.limits.anti_flap;
        loop {
            let since = self.up.clock.now().duration_since(last);
            // A clock that was set back tells nothing: count from zero.
            let since = Duration::try_from(since).unwrap_or_default();
            let Some(left) = least.checked_sub(since).filter(|left| !left.is_zero()) else {
                return Ok(());
            };
            let concern = Concern::new(
                Cause::AntiFlap,
                format!(
                    "the last switchover was {} s ago, at least {} s must pass",
                    since.as_secs(),
                    least.as_secs()
                ),
            );
            if self.is_over(deadline) {
                return Err(Halt::Hold(concern));
            }
            self.tell(UpgradeEvent::Waiting {
                step: step.id.clone(),
                concern,
            });
            let until = deadline.saturating_sub(self.up.clock.monotonic());
            self.pause(left.min(until)).await?;
        }
    }

    fn last_switchover(&self) -> Result<Option<jiff::Timestamp>, Halt> {
        let query = elpis_run::Query {
            job: Some(JOB.to_owned()),
            target: Some(self.plan.pair.clone()),
            open_only: false,
            limit: Some(RUNS_SEARCHED),
        };
        let runs = self
            .up
            .journal
            .list(&query)
            .map_err(super::UpgradeError::from)?;
        let mut last = None;
        for run in runs {
            // An older run that cannot be read any more says nothing about the last switchover.
            let Ok(stored) = StoredRun::load(self.up.journal, run.id) else {
                continue;
            };
            last = last.max(last_act(&stored.plan, &stored.history, Act::Switchover));
        }
        Ok(last)
    }

    /// Whether the look that justified the intent is still fresh, or a new one is as good.
    async fn still_clear(
        &mut self,
        step: &Step,
        before: Sighting,
    ) -> Result<Result<(), Concern>, Halt> {
        let asked = before.a.asked.min(before.b.asked);
        let age = self.up.clock.monotonic().saturating_sub(asked);
        let limits = &self.plan.policy.limits;
        if age <= limits.fresh {
            return Ok(Ok(()));
        }
        let sighting = self.look().await?;
        let verdict = self.check(step, &step.guards, Purpose::Precondition, &sighting);
        Ok(match verdict {
            Verdict::Pass => Ok(()),
            Verdict::Wait(concern) | Verdict::Fail(concern) => Err(concern),
        })
    }

    pub(super) fn not_started(&mut self, step: &Step, concern: Concern) -> Result<(), Halt> {
        self.fail(
            &step.id,
            Failure {
                untouched: true,
                concern,
                details: Vec::new(),
            },
        )
    }

    /// Gives the order. A call that is cut off by its limit or by the operator is an outcome
    /// unknown, like a lost connection.
    async fn send(&mut self, step: &Step, order: &Order) -> Result<Result<Handle, ActError>, Halt> {
        if self.up.leave.is_stopped() {
            self.not_started(
                step,
                Concern::new(Cause::Stopped, "left before it was sent"),
            )?;
            return Err(Halt::left());
        }
        self.tell(UpgradeEvent::Sending {
            step: step.id.clone(),
            act: order.act,
            unit: order.unit,
            attempt: order.attempt,
        });
        let up = self.up;
        let limit = self.plan.policy.limits.call;
        let answer = within(up.clock, up.leave, limit, up.driver.start(order)).await;
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Ok(Err(ActError::OutcomeUnknown {
                reason: format!("no answer within {} s", limit.as_secs_f64()),
            })),
            Err(_) => {
                let reason = "left while the order was under way".to_owned();
                self.note(&step.id, &Note::OutcomeUnknown { reason })?;
                Err(Halt::left())
            }
        }
    }

    pub(super) async fn acknowledged(
        &mut self,
        step: &Step,
        order: Order,
        handle: Handle,
    ) -> Result<(), Halt> {
        self.note(
            &step.id,
            &Note::Acknowledged {
                handle: handle.clone(),
            },
        )?;
        self.tell(UpgradeEvent::Acknowledged {
            step: step.id.clone(),
        });
        self.watch(step, &order, &handle).await
    }

    /// Goes on from an order that is open: with its handle, or by finding out what became of it.
    async fn settle(&mut self, step: &Step, order: Order, sent: Sent) -> Result<(), Halt> {
        if let Sent::Acknowledged(handle) = sent {
            return self.watch(step, &order, &handle).await;
        }
        match self.find_out(step, &order).await? {
            Found::Handle(handle) => self.acknowledged(step, order, handle).await,
            Found::Reached(sighting) => {
                self.complete(step, How::CarriedOut, "found done", Some(*sighting))
            }
            Found::Absent => {
                let text = "it was certainly never started";
                self.not_started(step, Concern::new(Cause::NotStarted, text))?;
                Box::pin(self.act(step, order.act, order.unit)).await
            }
        }
    }

    /// Looks for an order that may have arrived or not. It is never sent again before the driver
    /// has proven its absence.
    async fn find_out(&mut self, step: &Step, order: &Order) -> Result<Found, Halt> {
        let limits = self.plan.policy.limits.clone();
        let deadline = self.up.clock.monotonic().saturating_add(limits.unknown);
        loop {
            let sighting = self.look().await?;
            if !step.goal.is_empty()
                && self.check(step, &step.goal, Purpose::Goal, &sighting) == Verdict::Pass
            {
                return Ok(Found::Reached(Box::new(sighting)));
            }
            let up = self.up;
            let answer = within(up.clock, up.leave, limits.call, up.driver.locate(order)).await;
            let why = match answer.map_err(|_| Halt::left())? {
                Some(Ok(located)) => {
                    let note = Note::Located {
                        located: located.clone(),
                    };
                    match located {
                        Located::Found(handle) => {
                            self.note(&step.id, &note)?;
                            return Ok(Found::Handle(handle));
                        }
                        Located::Absent => {
                            self.note(&step.id, &note)?;
                            return Ok(Found::Absent);
                        }
                        Located::Unclear(why) => why,
                    }
                }
                Some(Err(DriverError::Rejected { reason, .. })) => {
                    return Err(Halt::hold(Cause::Rejected, reason));
                }
                Some(Err(error)) => error.to_string(),
                None => format!("no answer within {} s", limits.call.as_secs_f64()),
            };
            if self.is_over(deadline) {
                return Err(Halt::hold(Cause::OutcomeUnknown, why));
            }
            self.pause(limits.poll).await?;
        }
    }
}
