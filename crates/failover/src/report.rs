//! What a run came to, as data.

use elpis_run::{Event, History, RunId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::concern::Concern;
use crate::driver::Act;
use crate::hold::Hold;
use crate::ledger::{How, Ledger, LedgerError, Standing};
use crate::plan::{Plan, UNDO_PREFIX};

/// What one run did, from its first process to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run's number in the journal; `None` if there was nothing to do.
    pub run: Option<RunId>,
    /// The pair.
    pub pair: String,
    /// The version both units shall run.
    pub target: String,
    /// When the run began.
    pub started: Timestamp,
    /// When this report was made.
    pub finished: Timestamp,
    /// How it stands.
    pub ended: Ended,
    /// Every step of the plan, and an undo, if there was one.
    pub steps: Vec<StepReport>,
    /// Switchovers that were ordered.
    pub switches: usize,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// Both units run the target, the pair is healthy, everything asked for was done.
    Done,
    /// Both units ran the target before.
    NothingToDo,
    /// Both units run the target and the pair is healthy; something of less weight is not as
    /// wished: see the warnings.
    Warnings,
    /// A check said no before any unit was touched. The run is closed.
    Refused {
        /// Why.
        concerns: Vec<Concern>,
    },
    /// It stands still and can be resumed.
    Held {
        /// Why and what next.
        hold: Hold,
    },
    /// A switchover was undone. The run is closed.
    Undone {
        /// Why and what next.
        hold: Hold,
    },
    /// A person gave it up. The run is closed.
    Aborted {
        /// Where it stood.
        hold: Hold,
    },
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub step: String,
    /// What it does, in words.
    pub what: String,
    /// What became of it.
    pub result: StepResult,
    /// When it was begun.
    pub begun: Option<Timestamp>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// What it came to, or why it failed.
    pub message: Option<String>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// Its turn has not come.
    Pending,
    /// It was begun and is not closed.
    Open,
    /// It was carried out.
    Done,
    /// Its goal held already.
    Already,
    /// It was left out.
    LeftOut,
    /// It failed.
    Failed,
}

/// Every step's fate, by the journal.
///
/// # Errors
/// When the journal is not one of this plan.
pub(crate) fn steps(plan: &Plan, history: &History) -> Result<Vec<StepReport>, LedgerError> {
    let ledger = Ledger::replay(plan, history)?;
    let undo = plan.steps.iter().filter_map(|step| plan.undo_of(step));
    let undo = undo.filter(|step| ledger.step(&step.id).is_some());
    let all = plan.steps.iter().cloned().chain(undo);
    Ok(all
        .map(|step| {
            let result = match ledger.step(&step.id).map(|log| &log.standing) {
                None => StepResult::Pending,
                Some(Standing::Open { .. }) => StepResult::Open,
                Some(Standing::Done(How::CarriedOut)) => StepResult::Done,
                Some(Standing::Done(How::Already)) => StepResult::Already,
                Some(Standing::Done(How::LeftOut)) => StepResult::LeftOut,
                Some(Standing::Failed) => StepResult::Failed,
            };
            let mut report = StepReport {
                what: step.to_string(),
                step: step.id,
                result,
                begun: None,
                closed: None,
                message: None,
            };
            for record in &history.records {
                match &record.event {
                    Event::Intent { step, .. } if *step == report.step => {
                        report.begun = report.begun.or(Some(record.at));
                    }
                    Event::Done { step, detail } if *step == report.step => {
                        report.closed = Some(record.at);
                        let message = detail.get("message").and_then(|text| text.as_str());
                        report.message = message.map(str::to_owned);
                    }
                    Event::Failed { step, error, .. } if *step == report.step => {
                        report.closed = Some(record.at);
                        report.message = Some(error.clone());
                    }
                    _ => {}
                }
            }
            report
        })
        .collect())
}

/// When an act of this kind was last carried out in this run, by the journal's wall clock.
pub(crate) fn last_act(plan: &Plan, history: &History, wanted: Act) -> Option<Timestamp> {
    history.records.iter().rev().find_map(|record| {
        let Event::Done { step, detail } = &record.event else {
            return None;
        };
        let carried_out = detail.get("how").and_then(|how| how.as_str()) == Some("carried_out");
        let id = step.strip_prefix(UNDO_PREFIX).unwrap_or(step);
        let act = plan.step(id)?.act()?.0;
        (carried_out && act == wanted).then_some(record.at)
    })
}
