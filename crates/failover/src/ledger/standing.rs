//! What the state of a run says to those who ask: the engine, the report, the operator.

use std::collections::BTreeMap;

use elpis_run::Holder;

use super::{How, Ledger, Sent, Standing, StepLog};
use crate::concern::Concern;
use crate::driver::{Act, Order};
use crate::hold::Hold;
use crate::observe::Unit;
use crate::plan::{Plan, Step, StepKind, UNDO_PREFIX};
use crate::policy::{Gate, Window};

impl Ledger {
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
