//! Following an act that a unit has taken, to its end.

use std::time::Duration;

use super::drive::{Drive, Halt};
use super::wait::OUTAGE_POLL;
use crate::concern::{Cause, Concern};
use crate::driver::{Act, DriverError, Handle, Order, PairDriver, Progress};
use crate::event::UpgradeEvent;
use crate::guard::{Purpose, Verdict};
use crate::inspect::within;
use crate::ledger::{Failure, How};
use crate::plan::Step;
use crate::state::{PairState, Serving, Sighting};

/// An act that runs for long is polled this many times less often than a waiting pair is looked
/// at.
const SLOW: u32 = 5;
/// The pair is looked at after so many polls of an act that goes well.
const POLLS_PER_LOOK: u32 = 6;

impl<D: PairDriver> Drive<'_, '_, D> {
    /// Follows an act to its end.
    pub(super) async fn watch(
        &mut self,
        step: &Step,
        order: &Order,
        handle: &Handle,
    ) -> Result<(), Halt> {
        let limits = self.plan.policy.limits.clone();
        let deadline = self.deadline(Duration::from_secs(step.timeout_s));
        let mut life = (None, self.up.clock.monotonic());
        let mut polls = 0;
        loop {
            let up = self.up;
            let answer = within(
                up.clock,
                up.leave,
                limits.call,
                up.driver.poll(order, handle),
            );
            let progress = match answer.await.map_err(|_| Halt::left())? {
                Some(Ok(progress)) => progress,
                Some(Err(DriverError::Rejected { reason, .. })) => {
                    return Err(Halt::hold(Cause::Rejected, reason));
                }
                Some(Err(error)) => Progress::OutOfSight {
                    reason: error.to_string(),
                },
                None => Progress::OutOfSight {
                    reason: format!("no answer within {} s", limits.call.as_secs_f64()),
                },
            };
            self.tell(UpgradeEvent::Progress {
                step: step.id.clone(),
                progress: progress.clone(),
                elapsed_s: up.clock.monotonic().saturating_sub(self.begun).as_secs(),
            });
            let out_of_sight = matches!(progress, Progress::OutOfSight { .. });
            match progress {
                Progress::Done { message } if order.act == Act::Switchover => {
                    return match self.await_goal(step, deadline).await {
                        Ok(sighting) => {
                            self.complete(step, How::CarriedOut, &message, Some(sighting))
                        }
                        Err(halt) => Err(self.without_effect(step, order).unwrap_or(halt)),
                    };
                }
                Progress::Done { message } => {
                    return self.complete(step, How::CarriedOut, &message, None);
                }
                Progress::Failed { message, details } => {
                    let concern = Concern::new(Cause::ActFailed, format!("{step}: {message}"));
                    self.fail(
                        &step.id,
                        Failure {
                            // A readiness check changes nothing, whatever it says.
                            untouched: false,
                            concern: concern.clone(),
                            details,
                        },
                    )?;
                    return Err(Halt::Hold(concern));
                }
                Progress::Running {
                    percent,
                    message,
                    activity,
                } => {
                    let sign = Some((percent, message, activity));
                    if sign != life.0 {
                        life = (sign, up.clock.monotonic());
                    }
                }
                // Silence of a unit that cannot be asked is no standstill: the deadline judges it.
                Progress::OutOfSight { .. } => life = (None, up.clock.monotonic()),
            }
            if order.act == Act::Switchover || out_of_sight || polls % POLLS_PER_LOOK == 0 {
                let sighting = self.look().await?;
                if !step.goal.is_empty()
                    && self.check(step, &step.goal, Purpose::Goal, &sighting) == Verdict::Pass
                {
                    let message = "the unit shows its result";
                    return self.complete(step, How::CarriedOut, message, Some(sighting));
                }
                self.alarm(step, &sighting);
            }
            polls += 1;
            if up.clock.monotonic().saturating_sub(life.1) >= limits.stall {
                let text = format!(
                    "{step}: no sign of life for {} minutes",
                    limits.stall.as_secs() / 60
                );
                return Err(Halt::hold(Cause::Stalled, text));
            }
            if self.is_over(deadline) {
                let text = format!("{step}: not at its end when the time was up");
                let halt = Halt::hold(Cause::TimedOut, text);
                return Err(self.without_effect(step, order).unwrap_or(halt));
            }
            let pause = if step.outage {
                limits.poll.min(OUTAGE_POLL)
            } else {
                limits.poll * SLOW
            };
            self.pause(pause).await?;
        }
    }

    /// Closes a switchover that the unit has taken and that has not happened: all four views
    /// agree that the roles are as before, and its time is up. A later resume may order it again,
    /// because somebody decides so.
    fn without_effect(&mut self, step: &Step, order: &Order) -> Option<Halt> {
        let active = order.unit.other();
        let before = PairState::Healthy { active };
        if order.act != Act::Switchover || self.last.as_ref()?.state() != before {
            return None;
        }
        let text = format!("{step}: it had no effect, unit {active} is still active");
        let concern = Concern::new(Cause::Roles, text);
        let failure = Failure {
            untouched: false,
            concern: concern.clone(),
            details: Vec::new(),
        };
        let failed = self.fail(&step.id, failure);
        Some(failed.err().unwrap_or(Halt::Hold(concern)))
    }

    /// The unit that should carry the traffic meanwhile does not: nothing can be done safely,
    /// but somebody should know.
    fn alarm(&self, step: &Step, sighting: &Sighting) {
        let state = sighting.state();
        if !step.outage && state.serving() != Serving::Yes {
            self.tell(UpgradeEvent::Alarm {
                text: format!("during {}: {state}", step.id),
            });
        }
    }
}
