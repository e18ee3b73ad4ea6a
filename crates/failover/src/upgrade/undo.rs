//! Undoing a switchover: traffic goes back to where it was, once, with a fresh budget.

use super::UpgradeError;
use super::drive::{Drive, Halt};
use crate::concern::{Cause, Concern};
use crate::driver::PairDriver;
use crate::event::UpgradeEvent;
use crate::ledger::{Failure, Note, find};
use crate::plan::Step;
use crate::report::Report;

impl<D: PairDriver> Drive<'_, '_, D> {
    /// Undoes `switch` because of `why`.
    pub(super) async fn undo(&mut self, switch: &Step, why: Concern) -> Result<(), Halt> {
        self.tell(UpgradeEvent::Undoing {
            step: switch.id.clone(),
            concern: why.clone(),
        });
        self.close_open(&why)?;
        self.note(&switch.id, &Note::Undoing { why: why.clone() })?;
        let Some(undo) = self.plan.undo_of(switch) else {
            return Err(Halt::Hold(why));
        };
        match self.carry_undo(&undo).await {
            Err(Halt::Hold(concern)) => Err(Halt::Hold(Concern {
                cause: concern.cause,
                text: format!("{}; undoing the switchover: {}", why.text, concern.text),
            })),
            other => other,
        }
    }

    pub(super) async fn go_on_undoing(&mut self, id: &str) -> Result<(), Halt> {
        let Some(undo) = find(&self.plan, id) else {
            return Err(Halt::hold(Cause::Stale, format!("there is no step `{id}`")));
        };
        self.carry_undo(&undo).await
    }

    pub(super) async fn roll_back(mut self) -> Result<Report, UpgradeError> {
        let undone = match self.ledger.undoing().map(str::to_owned) {
            Some(undo) => self.go_on_undoing(&undo).await,
            None => match self.ledger.undoable(&self.plan).cloned() {
                Some(switch) => {
                    let why = Concern::new(Cause::Stopped, "rolled back on request");
                    self.undo(&switch, why).await
                }
                // Asked before the pair was looked at; nothing has changed since.
                None => Ok(()),
            },
        };
        self.conclude(undone).await
    }

    async fn carry_undo(&mut self, undo: &Step) -> Result<(), Halt> {
        self.begun = self.up.clock.monotonic();
        let limit = self.plan.policy.limits.undo;
        self.budget = Some(self.begun.saturating_add(limit));
        match undo.act() {
            Some((act, unit)) => self.act(undo, act, unit).await,
            None => Ok(()),
        }
    }

    /// A step that was announced and will not come to its end. Orders are never closed like
    /// this.
    fn close_open(&mut self, why: &Concern) -> Result<(), Halt> {
        let Some(open) = self.ledger.open().map(str::to_owned) else {
            return Ok(());
        };
        if self.ledger.outstanding().is_some() {
            return Err(Halt::hold(
                Cause::OutcomeUnknown,
                format!("{open} has not come to its end"),
            ));
        }
        self.fail(
            &open,
            Failure {
                untouched: true,
                concern: why.clone(),
                details: Vec::new(),
            },
        )
    }
}
