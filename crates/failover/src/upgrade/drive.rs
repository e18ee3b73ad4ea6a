//! One process's work on one run: the walk, and every record it writes.

use std::time::Duration;

use elpis_run::{Event, RunId};
use serde::Serialize;

use super::{StoredRun, Upgrade, UpgradeError};
use crate::concern::{Cause, Concern};
use crate::driver::PairDriver;
use crate::event::UpgradeEvent;
use crate::ledger::{Completed, Failure, How, Intended, Ledger, Note, Standing};
use crate::observe::Unit;
use crate::plan::{Plan, Step, StepKind};
use crate::report::Report;
use crate::state::{PairState, Sighting};

/// Why the walk does not go on.
pub(super) enum Halt {
    /// Stand still, or refuse if nothing was touched.
    Hold(Concern),
    /// Undo this switchover first.
    Undo(Box<Step>, Concern),
    /// The journal failed.
    Error(UpgradeError),
}

impl Halt {
    pub(super) fn hold(cause: Cause, text: impl Into<String>) -> Halt {
        Halt::Hold(Concern::new(cause, text))
    }

    pub(super) fn left() -> Halt {
        Halt::hold(Cause::Stopped, "left at once on request")
    }
}

impl From<UpgradeError> for Halt {
    fn from(error: UpgradeError) -> Halt {
        Halt::Error(error)
    }
}

pub(super) struct Drive<'a, 'b, D> {
    pub(super) up: &'a Upgrade<'b, D>,
    pub(super) run: RunId,
    pub(super) plan: Plan,
    pub(super) ledger: Ledger,
    /// Unique for this run everywhere: where and when it was begun.
    pub(super) nonce: String,
    /// The last look.
    pub(super) last: Option<Sighting>,
    seen: Option<PairState>,
    /// When the outage must be over, on the monotonic clock.
    pub(super) budget: Option<Duration>,
    /// When the present step was begun by this process.
    pub(super) begun: Duration,
    /// An installation that somebody else has begun may be taken for the run's own.
    pub(super) adopting: bool,
}

impl<'a, 'b, D: PairDriver> Drive<'a, 'b, D> {
    pub(super) fn new(up: &'a Upgrade<'b, D>, run: RunId, stored: StoredRun) -> Self {
        let summary = &stored.history.summary;
        Drive {
            up,
            run,
            nonce: format!("{:x}-{run}", summary.started.as_microsecond()),
            plan: stored.plan,
            ledger: stored.ledger,
            last: None,
            seen: None,
            budget: None,
            begun: Duration::ZERO,
            adopting: false,
        }
    }

    /// Tells that there is a run, or that it goes on.
    pub(super) fn announce(&self, resumed: bool) {
        self.tell(UpgradeEvent::Started {
            run: self.run,
            pair: self.plan.pair.clone(),
            steps: self.plan.steps.len(),
            resumed,
        });
    }

    /// Walks to the end, or to where it has to stop.
    pub(super) async fn run(mut self) -> Result<Report, UpgradeError> {
        let mut walked = self.walk().await;
        if let Err(Halt::Undo(step, concern)) = walked {
            walked = self.undo(&step, concern).await;
        }
        self.conclude(walked).await
    }

    async fn walk(&mut self) -> Result<(), Halt> {
        if self.ledger.is_undone() {
            return Ok(());
        }
        if let Some(failure) = self.ledger.unseen_failure() {
            return Err(Halt::Hold(failure.clone()));
        }
        if let Some(undo) = self.ledger.undoing().map(str::to_owned) {
            return self.go_on_undoing(&undo).await;
        }
        while let Some(step) = self.ledger.next(&self.plan).cloned() {
            self.catch_up()?;
            if self.ledger.open().is_none() {
                self.may_go_on(&step)?;
            }
            self.step(&step).await?;
        }
        Ok(())
    }

    /// Other processes may have added consents and wishes.
    fn catch_up(&mut self) -> Result<(), Halt> {
        let history = self
            .up
            .journal
            .replay(self.run)
            .map_err(UpgradeError::from)?;
        if history.records.len() != self.ledger.records() {
            self.ledger = Ledger::replay(&self.plan, &history).map_err(|source| {
                UpgradeError::Unreadable {
                    run: self.run,
                    source,
                }
            })?;
        }
        Ok(())
    }

    /// Whether somebody wants the run to stop before `step`, and the pair can rest here.
    fn may_go_on(&self, step: &Step) -> Result<(), Halt> {
        if self.up.leave.is_stopped() {
            return Err(Halt::left());
        }
        let position = self.plan.steps.iter().position(|known| known.id == step.id);
        let before = position.and_then(|at| self.plan.steps.get(at.checked_sub(1)?));
        if before.is_some_and(|before| !before.rest_after) {
            return Ok(());
        }
        if self.up.stop.is_stopped() {
            return Err(Halt::hold(Cause::Stopped, "stopped on request"));
        }
        if self.ledger.pause_requested() {
            return Err(Halt::hold(Cause::Stopped, "paused on request"));
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Halt> {
        self.begun = self.up.clock.monotonic();
        if !step.outage {
            self.budget = None;
        }
        if let Some(leader) = &step.only_after
            && let Some(log) = self.ledger.step(leader)
            && log.standing == Standing::Done(How::LeftOut)
        {
            let why = format!("it belongs to {leader}, which was left out");
            return self.leave_out(step, &why, false);
        }
        self.tell(UpgradeEvent::StepStarted {
            step: step.id.clone(),
            what: step.to_string(),
            estimate_s: step.estimate_s,
        });
        let result = self.perform(step).await;
        match result {
            Err(Halt::Hold(concern)) if step.optional && self.can_leave_out(&concern) => {
                self.leave_out(step, &concern.text, true)
            }
            Err(Halt::Hold(concern)) if is_probe(step) && concern.cause != Cause::Stopped => {
                match self.ledger.undoable(&self.plan).cloned() {
                    Some(switch) => Err(Halt::Undo(Box::new(switch), concern)),
                    None => Err(Halt::Hold(concern)),
                }
            }
            other => other,
        }
    }

    /// Whether `concern` is light enough, and nothing outstanding.
    fn can_leave_out(&self, concern: &Concern) -> bool {
        let heavy = matches!(
            concern.cause,
            Cause::Stopped
                | Cause::Approval
                | Cause::Rejected
                | Cause::OtherUnits
                | Cause::SplitBrain
                | Cause::NoActive
        );
        !heavy && self.ledger.outstanding().is_none()
    }

    fn leave_out(&mut self, step: &Step, why: &str, warn: bool) -> Result<(), Halt> {
        if self.ledger.open().is_none() {
            self.intend(step, None, None)?;
        }
        if warn {
            self.warn(&step.id, format!("{step}: left out, because {why}"))?;
        }
        self.complete(step, How::LeftOut, why, None)
    }

    // ----- records -----

    fn record(&mut self, event: Event) -> Result<(), Halt> {
        let next = self.ledger.after(&self.plan, &event);
        let next = next.map_err(|source| UpgradeError::Unreadable {
            run: self.run,
            source,
        })?;
        self.up
            .journal
            .append(self.run, self.up.clock.now(), &event)
            .map_err(UpgradeError::from)?;
        self.ledger = next;
        Ok(())
    }

    pub(super) fn intend(
        &mut self,
        step: &Step,
        order: Option<crate::driver::Order>,
        before: Option<Sighting>,
    ) -> Result<(), Halt> {
        let detail = to_value(&Intended { order, before });
        let step = step.id.clone();
        self.record(Event::Intent { step, detail })
    }

    /// Announces a step that changes nothing, unless an earlier process has.
    pub(super) fn open(&mut self, step: &Step) -> Result<(), Halt> {
        if self.ledger.open() == Some(&step.id) {
            return Ok(());
        }
        self.intend(step, None, None)
    }

    pub(super) fn complete(
        &mut self,
        step: &Step,
        how: How,
        message: &str,
        after: Option<Sighting>,
    ) -> Result<(), Halt> {
        let completed = Completed {
            how,
            message: message.to_owned(),
            outage_ms: None,
            after,
        };
        self.complete_with(step, completed)
    }

    pub(super) fn complete_with(&mut self, step: &Step, completed: Completed) -> Result<(), Halt> {
        let detail = to_value(&completed);
        let id = step.id.clone();
        self.record(Event::Done { step: id, detail })?;
        let took = self.up.clock.monotonic().saturating_sub(self.begun);
        self.tell(UpgradeEvent::StepDone {
            step: step.id.clone(),
            message: completed.message,
            skipped: completed.how != How::CarriedOut,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        Ok(())
    }

    pub(super) fn fail(&mut self, id: &str, failure: Failure) -> Result<(), Halt> {
        self.tell(UpgradeEvent::StepFailed {
            step: id.to_owned(),
            concern: failure.concern.clone(),
        });
        self.record(Event::Failed {
            step: id.to_owned(),
            error: failure.concern.text.clone(),
            detail: to_value(&failure),
        })
    }

    pub(super) fn note(&mut self, step: &str, note: &Note) -> Result<(), Halt> {
        self.record(Event::Note {
            step: step.to_owned(),
            detail: to_value(note),
        })
    }

    pub(super) fn warn(&mut self, step: &str, text: String) -> Result<(), Halt> {
        self.tell(UpgradeEvent::Warning { text: text.clone() });
        self.note(step, &Note::Warning { text })
    }

    pub(super) fn tell(&self, event: UpgradeEvent) {
        self.up.observer.on(&event);
    }

    // ----- looking -----

    /// Observes both units now; a changed pair is told and recorded.
    pub(super) async fn look(&mut self) -> Result<Sighting, Halt> {
        let inspection = self.inspection();
        let sighting = inspection.look().await.map_err(|_| Halt::left())?;
        let state = sighting.state();
        if self.seen.as_ref() != Some(&state) {
            self.tell(UpgradeEvent::Pair {
                words: state.to_string(),
                state: state.clone(),
            });
            // Words that change with every look (a timeout's text) are no new state.
            let moved = self.seen.as_ref().is_none_or(|seen| {
                std::mem::discriminant(seen) != std::mem::discriminant(&state)
                    || seen.active() != state.active()
            });
            if moved {
                let state = state.clone();
                self.note("pair", &Note::Seen { state })?;
            }
            self.seen = Some(state);
        }
        self.last = Some(sighting.clone());
        Ok(sighting)
    }

    pub(super) fn inspection(&self) -> crate::inspect::Inspection<'_, D> {
        crate::inspect::Inspection {
            driver: self.up.driver,
            clock: self.up.clock,
            stop: self.up.leave,
            limits: &self.plan.policy.limits,
        }
    }

    /// The unit that is active by plan before `step`.
    pub(super) fn planned_active(&self, step: &Step) -> Unit {
        let before = self
            .plan
            .steps
            .iter()
            .take_while(|known| known.id != step.id);
        let switched = before.filter_map(|known| match known.act() {
            Some((crate::Act::Switchover, unit)) => Some((known, unit)),
            _ => None,
        });
        let left_out = |id: &str| {
            self.ledger.step(id).map(|log| &log.standing) == Some(&Standing::Done(How::LeftOut))
        };
        let kept = switched.filter(|(known, _)| !left_out(&known.id));
        kept.last().map_or(self.plan.active, |(_, unit)| unit)
    }
}

pub(super) fn is_probe(step: &Step) -> bool {
    matches!(step.kind, StepKind::Hook { probe: true, .. })
}

/// Plain data with string keys: serialising it cannot fail.
fn to_value(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
