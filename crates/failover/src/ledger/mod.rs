//! The journal's records of one upgrade, read through one state machine.
//!
//! `elpis-run` knows the legal order of any run's events; this adds what is legal for an upgrade.
//! The running engine asks it before each record is written, a successor replays it.

mod records;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use elpis_run::{Event, History, Holder};
use serde::de::DeserializeOwned;

use crate::concern::Concern;
use crate::driver::{Act, Handle};
use crate::hold::Hold;
use crate::observe::Unit;
use crate::plan::{Plan, Step, UNDO_PREFIX};
use crate::policy::{Gate, Window};

pub use records::{Completed, Failure, How, Intended, Note};

/// What the journal says about one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLog {
    /// Where it stands.
    pub standing: Standing,
    /// From 1; raised by a failure after which it was tried again on purpose.
    pub round: u32,
    /// From 1 in each round; raised by an attempt that certainly did nothing.
    pub attempt: u32,
}

impl StepLog {
    /// Whether the step has changed something, or may have.
    fn may_have_changed(&self) -> bool {
        match self.standing {
            Standing::Open { .. } => true,
            Standing::Done(how) => how == How::CarriedOut,
            Standing::Failed => self.round > 1,
        }
    }
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Announced, not closed.
    Open {
        /// What was announced.
        intended: Box<Intended>,
        /// How far the order is, for a step that gives one.
        sent: Sent,
    },
    /// Done.
    Done(How),
    /// Failed; it may be tried again.
    Failed,
}

/// How far an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It may have been sent or not.
    Unknown,
    /// The unit has it.
    Acknowledged(Handle),
}

/// Why a journal is not one of an upgrade by this plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {record} of the journal does not fit the plan: {reason}")]
pub struct LedgerError {
    /// Which record, from 0.
    pub record: usize,
    /// What is wrong.
    pub reason: String,
}

/// The state of a run, by its records so far. Pure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    records: usize,
    steps: BTreeMap<String, StepLog>,
    open: Option<String>,
    boots: BTreeMap<Unit, Option<String>>,
    approved: BTreeSet<Gate>,
    pause_requested: bool,
    hold: Option<Hold>,
    window: Option<Window>,
    holder: Option<Holder>,
    warnings: Vec<String>,
    switches: usize,
    undo_reason: Option<Concern>,
    unseen_failure: Option<Concern>,
}

impl Ledger {
    /// The state after every record of `history`.
    ///
    /// # Errors
    /// The first record that cannot have been written by a run of this plan.
    pub fn replay(plan: &Plan, history: &History) -> Result<Ledger, LedgerError> {
        let mut ledger = Ledger {
            holder: Some(history.summary.holder.clone()),
            ..Ledger::default()
        };
        for record in &history.records {
            // No state survives an illegal record, so none is kept to go back to.
            let taken = ledger.take(plan, &record.event);
            taken.map_err(|reason| LedgerError {
                record: ledger.records,
                reason,
            })?;
            ledger.records += 1;
        }
        Ok(ledger)
    }

    /// Takes the next record in.
    ///
    /// # Errors
    /// When it may not come now. The state is then unchanged.
    pub fn apply(&mut self, plan: &Plan, event: &Event) -> Result<(), LedgerError> {
        *self = self.after(plan, event)?;
        Ok(())
    }

    /// The state after one more record.
    pub(crate) fn after(&self, plan: &Plan, event: &Event) -> Result<Ledger, LedgerError> {
        let mut next = self.clone();
        next.take(plan, event).map_err(|reason| LedgerError {
            record: self.records,
            reason,
        })?;
        next.records += 1;
        Ok(next)
    }

    fn take(&mut self, plan: &Plan, event: &Event) -> Result<(), String> {
        match event {
            Event::Intent { step, detail } => self.intent(plan, step, read(detail)?),
            Event::Done { step, detail } => {
                let completed: Completed = read(detail)?;
                self.close(step)?.standing = Standing::Done(completed.how);
                Ok(())
            }
            Event::Failed { step, detail, .. } => {
                let failure: Failure = read(detail)?;
                let is_switch = find(plan, step).and_then(|step| step.act().map(|(act, _)| act))
                    == Some(Act::Switchover);
                if is_switch && failure.untouched {
                    self.switches = self.switches.saturating_sub(1);
                }
                if !failure.untouched {
                    self.unseen_failure = Some(failure.concern);
                }
                let log = self.close(step)?;
                log.standing = Standing::Failed;
                if failure.untouched {
                    log.attempt += 1;
                } else {
                    (log.round, log.attempt) = (log.round + 1, 1);
                }
                Ok(())
            }
            Event::Note { step, detail } => self.note(step, read(detail)?),
            _ => Err("an event that this release does not know".to_owned()),
        }
    }

    fn intent(&mut self, plan: &Plan, id: &str, intended: Intended) -> Result<(), String> {
        if let Some(open) = &self.open {
            return Err(format!("step `{id}` is begun while `{open}` is open"));
        }
        let step = find(plan, id).ok_or_else(|| format!("there is no step `{id}`"))?;
        let expected = if id.starts_with(UNDO_PREFIX) {
            self.undoable(plan)
                .map(|step| format!("{UNDO_PREFIX}{}", step.id))
        } else {
            self.next(plan).map(|step| step.id.clone())
        };
        if expected.as_deref() != Some(id) {
            return Err(format!("step `{id}` is begun out of turn"));
        }
        let ordered = intended.order.as_ref().map(|order| (order.act, order.unit));
        if let Some(ordered) = ordered
            && Some(ordered) != step.act()
        {
            return Err(format!("the order of step `{id}` is not the planned one"));
        }
        if let Some((act, unit)) = ordered {
            self.switches += usize::from(act == Act::Switchover);
            if act == Act::Install {
                let before = intended.before.as_ref();
                let report = before.and_then(|sighting| sighting.report(unit));
                self.boots
                    .insert(unit, report.and_then(|report| report.boot.clone()));
            }
        }
        let log = self.steps.entry(id.to_owned()).or_insert(StepLog {
            standing: Standing::Failed,
            round: 1,
            attempt: 1,
        });
        log.standing = Standing::Open {
            intended: Box::new(intended),
            sent: Sent::Unknown,
        };
        self.open = Some(id.to_owned());
        self.hold = None;
        Ok(())
    }

    fn close(&mut self, id: &str) -> Result<&mut StepLog, String> {
        if self.open.as_deref() != Some(id) {
            return Err(format!("step `{id}` is closed but not open"));
        }
        self.open = None;
        self.steps
            .get_mut(id)
            .ok_or_else(|| format!("step `{id}` was never begun"))
    }

    fn note(&mut self, id: &str, note: Note) -> Result<(), String> {
        match note {
            Note::Acknowledged { handle } => {
                let open = self.open.as_deref() == Some(id);
                match self.steps.get_mut(id).map(|log| &mut log.standing) {
                    Some(Standing::Open { sent, intended }) if open && intended.order.is_some() => {
                        *sent = Sent::Acknowledged(handle);
                    }
                    _ => return Err(format!("step `{id}` acknowledges what was not ordered")),
                }
            }
            Note::OutcomeUnknown { .. } | Note::Located { .. }
                if self.open.as_deref() != Some(id) =>
            {
                return Err(format!("step `{id}` is looked for but not open"));
            }
            Note::Held { hold } => {
                self.hold = Some(hold);
                self.unseen_failure = None;
            }
            Note::Resumed { by, window, .. } => {
                self.holder = Some(by);
                self.hold = None;
                self.pause_requested = false;
                self.window = window.or(self.window.take());
            }
            Note::Approved { gate, .. } => {
                self.approved.insert(gate);
            }
            Note::PauseRequested { .. } => self.pause_requested = true,
            // A successor may come to the same conclusion again.
            Note::Warning { text } => {
                if !self.warnings.contains(&text) {
                    self.warnings.push(text);
                }
            }
            Note::Undoing { why } => self.undo_reason = Some(why),
            Note::OutcomeUnknown { .. }
            | Note::Located { .. }
            | Note::Seen { .. }
            | Note::Aborted { .. }
            | Note::Exhibits { .. } => {}
        }
        Ok(())
    }
}

/// A planned step, or the undo of one.
pub(crate) fn find(plan: &Plan, id: &str) -> Option<Step> {
    match id.strip_prefix(UNDO_PREFIX) {
        Some(undone) => plan.undo_of(plan.step(undone)?),
        None => plan.step(id).cloned(),
    }
}

fn read<T: DeserializeOwned>(detail: &serde_json::Value) -> Result<T, String> {
    T::deserialize(detail).map_err(|error| format!("its detail cannot be read: {error}"))
}
