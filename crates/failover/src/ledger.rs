//! The journal's records of one upgrade, read through one state machine.
//!
//! `elpis-run` knows the legal order of any run's events; this adds what is legal for an upgrade.
//! The running engine asks it before each record is written, a successor replays it.

use std::collections::{BTreeMap, BTreeSet};

use elpis_run::{Event, History, Holder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::concern::Concern;
use crate::driver::{Act, Exhibit, Handle, Located, Order};
use crate::hold::Hold;
use crate::observe::Unit;
use crate::plan::{Plan, Step, StepKind, UNDO_PREFIX};
use crate::policy::{Gate, Window};
use crate::state::{PairState, Sighting};

/// What is recorded before a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intended {
    /// The order that will be given, for a step that changes something.
    pub order: Option<Order>,
    /// Both units, as the guards saw them.
    pub before: Option<Sighting>,
}

/// What is recorded after a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// How it came to be done.
    pub how: How,
    /// What it came to, one line.
    pub message: String,
    /// Both units afterwards.
    pub after: Option<Sighting>,
}

/// How a step came to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was carried out.
    CarriedOut,
    /// Its goal held already.
    Already,
    /// It was optional and could not be carried out, or belongs to one that could not.
    LeftOut,
}

/// What is recorded of a step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether it certainly changed nothing.
    pub untouched: bool,
    /// Why.
    pub concern: Concern,
    /// The end of the log and other material.
    pub details: Vec<String>,
}

/// Everything else that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// The unit has taken the order.
    Acknowledged {
        /// How to ask for it.
        handle: Handle,
    },
    /// It is not known whether the order arrived.
    OutcomeUnknown {
        /// Why.
        reason: String,
    },
    /// What was found when looking for it.
    Located {
        /// The answer.
        located: Located,
    },
    /// The pair's state has changed.
    Seen {
        /// What it is now.
        state: PairState,
    },
    /// The run stopped here.
    Held {
        /// Why and what next.
        hold: Hold,
    },
    /// A process took the run up again.
    Resumed {
        /// Who had it before.
        from: Holder,
        /// Whether that process is known to be dead; `None` if nobody can tell.
        dead: Option<bool>,
        /// Who has it now.
        by: Holder,
        /// A maintenance window in place of the plan's.
        window: Option<Window>,
        /// What the successor saw.
        sighting: Box<Sighting>,
    },
    /// A person agreed.
    Approved {
        /// To what.
        gate: Gate,
        /// Who, as they call themselves.
        by: String,
    },
    /// A person asked the run to stop after its present step.
    PauseRequested {
        /// Who.
        by: String,
    },
    /// A switchover is going to be undone.
    Undoing {
        /// Why.
        why: Concern,
    },
    /// A person gave the run up.
    Aborted {
        /// Who.
        by: String,
        /// What goes on by itself.
        going_on: Option<String>,
    },
    /// Something that the operator should know.
    Warning {
        /// What.
        text: String,
    },
    /// Raw outputs for the change record.
    Exhibits {
        /// Before the first change, or at the end.
        at_end: bool,
        /// The outputs.
        exhibits: Vec<Exhibit>,
    },
}

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
            ledger.apply(plan, &record.event)?;
        }
        Ok(ledger)
    }

    /// Takes the next record in.
    ///
    /// # Errors
    /// When it may not come now. The state is then unchanged.
    pub fn apply(&mut self, plan: &Plan, event: &Event) -> Result<(), LedgerError> {
        let mut next = self.clone();
        next.take(plan, event).map_err(|reason| LedgerError {
            record: self.records,
            reason,
        })?;
        next.records += 1;
        *self = next;
        Ok(())
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

    /// How many records it has taken in.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The step whose turn it is; `None` after the last.
    pub fn next<'a>(&self, plan: &'a Plan) -> Option<&'a Step> {
        plan.steps.iter().find(|step| {
            let log = self.steps.get(&step.id).map(|log| &log.standing);
            !matches!(log, Some(Standing::Done(_)))
        })
    }

    /// The switchover that can still be undone: the last one made, nothing undone yet, and the
    /// unit that traffic would go back to not touched since.
    pub fn undoable<'a>(&self, plan: &'a Plan) -> Option<&'a Step> {
        let undo_begun = |log: (&String, &StepLog)| {
            log.0.starts_with(UNDO_PREFIX) && matches!(log.1.standing, Standing::Done(_))
        };
        if self.steps.iter().any(undo_begun) {
            return None;
        }
        let position = plan.steps.iter().rposition(|step| {
            step.undo().is_some()
                && self.steps.get(&step.id).map(|log| &log.standing)
                    == Some(&Standing::Done(How::CarriedOut))
        })?;
        let step = plan.steps.get(position)?;
        let touched = |later: &&Step| {
            matches!(later.act(), Some((Act::Install | Act::Switchover, _)))
                && self
                    .steps
                    .get(&later.id)
                    .is_some_and(StepLog::may_have_changed)
        };
        let later = plan.steps.get(position + 1..).unwrap_or_default();
        later.iter().find(touched).is_none().then_some(step)
    }

    /// Whether a switchover was undone: the run is at its end.
    pub fn is_undone(&self) -> bool {
        self.steps.iter().any(|(id, log)| {
            id.starts_with(UNDO_PREFIX) && matches!(log.standing, Standing::Done(_))
        })
    }

    /// Why a switchover is or was undone.
    pub fn undo_reason(&self) -> Option<&Concern> {
        self.undo_reason.as_ref()
    }

    /// An act's failure for which no process has held yet, because it died: nobody has decided
    /// to try again.
    pub fn unseen_failure(&self) -> Option<&Concern> {
        self.unseen_failure.as_ref()
    }

    /// The undo that was begun and has not come to an end.
    pub fn undoing(&self) -> Option<&str> {
        let unfinished = |(id, log): &(&String, &StepLog)| {
            id.starts_with(UNDO_PREFIX) && !matches!(log.standing, Standing::Done(_))
        };
        self.steps
            .iter()
            .find(unfinished)
            .map(|(id, _)| id.as_str())
    }

    /// What is known of one step; `None` before it is begun.
    pub fn step(&self, id: &str) -> Option<&StepLog> {
        self.steps.get(id)
    }

    /// The step that was announced and not closed.
    pub fn open(&self) -> Option<&str> {
        self.open.as_deref()
    }

    /// The order that was given and whose end is not known: the one thing that may go on by
    /// itself.
    pub fn outstanding(&self) -> Option<(&Order, &Sent)> {
        match &self.steps.get(self.open.as_ref()?)?.standing {
            Standing::Open { intended, sent } => Some((intended.order.as_ref()?, sent)),
            Standing::Done(_) | Standing::Failed => None,
        }
    }

    /// Whether an installation or a switchover has begun, or may have.
    pub fn is_touched(&self, plan: &Plan) -> bool {
        plan.steps.iter().any(|step| {
            matches!(step.act(), Some((Act::Install | Act::Switchover, _)))
                && self
                    .steps
                    .get(&step.id)
                    .is_some_and(StepLog::may_have_changed)
        })
    }

    /// Whether the monitoring has been told of the beginning and not of the end.
    pub fn is_flagged(&self, plan: &Plan) -> bool {
        let state = |wanted: bool| {
            plan.steps.iter().any(|step| {
                matches!(step.kind, StepKind::Maintenance { begin } if begin == wanted)
                    && matches!(
                        self.steps.get(&step.id).map(|log| &log.standing),
                        Some(Standing::Done(How::CarriedOut) | Standing::Open { .. })
                    )
            })
        };
        state(true) && !state(false)
    }

    /// Each unit's boot mark when its installation was begun.
    pub fn boots(&self) -> &BTreeMap<Unit, Option<String>> {
        &self.boots
    }

    /// Whether a person agreed.
    pub fn is_approved(&self, gate: Gate) -> bool {
        self.approved.contains(&gate)
    }

    /// Whether a person asked for a pause since the run was last taken up.
    pub fn pause_requested(&self) -> bool {
        self.pause_requested
    }

    /// Why the run stands still, if it does.
    pub fn hold(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }

    /// The process that had the run last.
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// The maintenance window in force.
    pub fn window<'a>(&'a self, plan: &'a Plan) -> Option<&'a Window> {
        self.window.as_ref().or(plan.policy.window.as_ref())
    }

    /// What the operator should know, so far.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Switchovers that were ordered, without those that certainly did not begin.
    pub fn switches(&self) -> usize {
        self.switches
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
