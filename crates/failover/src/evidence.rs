//! Everything a change record asks for, taken from the journal alone: who did what when, what
//! the units said before and after, how long traffic may have been interrupted.

use elpis_run::{Event, Holder, Outcome, RunId};
use jiff::Timestamp;
use serde::Serialize;

use crate::driver::{Act, Exhibit};
use crate::ledger::{Completed, Failure, How, Intended, Note};
use crate::observe::Unit;
use crate::plan::{Plan, UNDO_PREFIX};
use crate::policy::{Gate, Window};
use crate::report::StepReport;
use crate::state::Sighting;
use crate::upgrade::StoredRun;

/// The record of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// The run's number.
    pub run: RunId,
    /// The pair.
    pub pair: String,
    /// The version both units were to run.
    pub target: String,
    /// The package.
    pub package: String,
    /// The fingerprint of the plan's facts.
    pub fingerprint: String,
    /// When the run began.
    pub started: Timestamp,
    /// When and how it ended; `None` while it has not.
    pub finished: Option<(Timestamp, Outcome)>,
    /// Why it stands still, in words.
    pub hold: Option<crate::hold::Hold>,
    /// The maintenance window in force at the end.
    pub window: Option<Window>,
    /// Every process that had the run, in order.
    pub processes: Vec<Holder>,
    /// Who agreed to what, when.
    pub approvals: Vec<(Timestamp, Gate, String)>,
    /// Both units, before and after.
    pub units: Vec<UnitEvidence>,
    /// What became of each step.
    pub steps: Vec<StepReport>,
    /// Everything that happened, in order.
    pub timeline: Vec<Moment>,
    /// Each switchover that was ordered.
    pub switchovers: Vec<SwitchoverEvidence>,
    /// Each failure, with the end of the log and other material for the vendor's support.
    pub failures: Vec<FailureEvidence>,
    /// Raw outputs before the first change.
    pub before: Vec<Exhibit>,
    /// Raw outputs at the end.
    pub after: Vec<Exhibit>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// What was noted when the plan was made: who has confirmed what, what a manager said.
    pub notes: Vec<String>,
}

/// One unit before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitEvidence {
    /// Which.
    pub unit: Unit,
    /// Serial number, UUID or server id.
    pub identity: String,
    /// Its part by configuration.
    pub configured_as: Option<String>,
    /// Model or platform.
    pub platform: String,
    /// The version when the plan was made.
    pub version_before: String,
    /// Whether it was active then.
    pub active_before: bool,
    /// What it said last.
    pub version_after: Option<String>,
    /// Its role by its own last word.
    pub role_after: Option<String>,
    /// What it said at first that is worth recording: other components' versions, last failure.
    pub notes_before: Vec<String>,
    /// The same when it was asked last.
    pub notes_after: Vec<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When, by our wall clock.
    pub at: Timestamp,
    /// The step, or what else it is about.
    pub about: String,
    /// What happened, in words.
    pub what: String,
}

/// One switchover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchoverEvidence {
    /// The step, or the undo of one.
    pub step: String,
    /// The unit that became active, or should have.
    pub to: Unit,
    /// When the order was announced; it left a moment later.
    pub ordered: Timestamp,
    /// When the new roles were seen; `None` if they were not. Traffic was interrupted for less
    /// than the time in between, by an amount that only a probe can tell.
    pub seen: Option<Timestamp>,
    /// For how long traffic was interrupted, as the probe after it has measured it, in
    /// milliseconds; the longest, if several have.
    pub measured_ms: Option<u64>,
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureEvidence {
    /// When.
    pub at: Timestamp,
    /// The step.
    pub step: String,
    /// Why.
    pub text: String,
    /// The end of the log and other material.
    pub details: Vec<String>,
}

impl Evidence {
    /// Reads a run's record out of its journal. Pure.
    pub fn of(stored: &StoredRun) -> Evidence {
        let StoredRun {
            plan,
            ledger,
            history,
        } = stored;
        let mut evidence = Evidence {
            run: history.summary.id,
            pair: plan.pair.clone(),
            target: plan.policy.target.version.clone(),
            package: plan.policy.target.package.clone(),
            fingerprint: plan.fingerprint.clone(),
            started: history.summary.started,
            finished: history
                .summary
                .finished
                .as_ref()
                .map(|finish| (finish.at, finish.outcome.clone())),
            hold: ledger.hold().cloned(),
            window: ledger.window(plan).cloned(),
            processes: vec![history.summary.holder.clone()],
            approvals: Vec::new(),
            units: Vec::new(),
            steps: stored.steps(),
            timeline: Vec::new(),
            switchovers: Vec::new(),
            failures: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            warnings: [plan.warnings.as_slice(), ledger.warnings()].concat(),
            notes: plan.notes.clone(),
        };
        let mut first = None;
        let mut last = None;
        for record in &history.records {
            // Replayed before: each detail can be read.
            let (about, what) = evidence.take(record.at, &record.event, &mut last);
            evidence.timeline.push(Moment {
                at: record.at,
                about: name(about),
                what,
            });
            first = first.or_else(|| last.clone());
        }
        evidence.units = Unit::BOTH
            .into_iter()
            .map(|unit| unit_evidence(plan, unit, first.as_ref(), last.as_ref()))
            .collect();
        evidence
    }

    /// Takes one record in; returns what it is about and says.
    fn take(
        &mut self,
        at: Timestamp,
        event: &Event,
        last: &mut Option<Sighting>,
    ) -> (String, String) {
        match event {
            Event::Intent { step, detail } => {
                let order = read(detail).and_then(|intended: Intended| {
                    *last = intended.before.or(last.take());
                    intended.order
                });
                let what = match order {
                    None => "begun".to_owned(),
                    Some(order) => {
                        if order.act == Act::Switchover {
                            self.switchovers.push(SwitchoverEvidence {
                                step: step.clone(),
                                to: order.unit,
                                ordered: at,
                                seen: None,
                                measured_ms: None,
                            });
                        }
                        let (act, unit) = (order.act, order.unit);
                        format!("order `{act}` to unit {unit}, attempt {}", order.attempt)
                    }
                };
                (step.clone(), what)
            }
            Event::Done { step, detail } => {
                let Some(completed) = read::<Completed>(detail) else {
                    return (step.clone(), "done".to_owned());
                };
                *last = completed.after.or(last.take());
                let switch = self.switchovers.iter_mut().rev();
                if completed.how == How::CarriedOut
                    && let Some(switch) = switch.into_iter().find(|made| made.step == *step)
                {
                    switch.seen = Some(at);
                }
                if let Some(last) = self.switchovers.last_mut() {
                    last.measured_ms = last.measured_ms.max(completed.outage_ms);
                }
                let how = match completed.how {
                    How::CarriedOut => "done",
                    How::Already => "so already",
                    How::LeftOut => "left out",
                };
                (step.clone(), format!("{how}: {}", completed.message))
            }
            Event::Failed {
                step,
                error,
                detail,
            } => {
                let failure: Option<Failure> = read(detail);
                let details = failure.map(|failure| failure.details).unwrap_or_default();
                self.failures.push(FailureEvidence {
                    at,
                    step: step.clone(),
                    text: error.clone(),
                    details,
                });
                (step.clone(), format!("failed: {error}"))
            }
            Event::Note { step, detail } => {
                let what = match read(detail) {
                    Some(note) => self.note(at, note, last),
                    None => "a note".to_owned(),
                };
                (step.clone(), what)
            }
            _ => (String::new(), "a record of a later release".to_owned()),
        }
    }

    fn note(&mut self, at: Timestamp, note: Note, last: &mut Option<Sighting>) -> String {
        match note {
            Note::Acknowledged { .. } => "the unit has taken the order".to_owned(),
            Note::OutcomeUnknown { reason } => {
                format!("not known whether the order arrived: {reason}")
            }
            Note::Located { located } => match located {
                crate::Located::Found(_) => "the order is found started".to_owned(),
                crate::Located::Absent => "the order certainly was not started".to_owned(),
                crate::Located::Unclear(why) => format!("cannot be traced: {why}"),
            },
            Note::Seen { state } => format!("seen: {state}"),
            Note::Held { hold } => format!("held: {}", hold.concern),
            Note::Resumed {
                from,
                dead,
                by,
                sighting,
                adopting,
                edited,
                ..
            } => {
                let state = sighting.state();
                *last = Some(*sighting);
                self.processes.push(by.clone());
                let fate = match dead {
                    Some(true) => " (dead)",
                    Some(false) => "",
                    None => " (on another host)",
                };
                let adopts = match adopting {
                    true => ", and adopts an installation that was begun by hand",
                    false => "",
                };
                let edits = match edited.as_slice() {
                    [] => String::new(),
                    keys => format!(
                        ", by the plan although the configuration was edited ({})",
                        keys.join(", ")
                    ),
                };
                format!("{by} takes over from {from}{fate}{adopts}{edits}; seen: {state}")
            }
            Note::Approved { gate, by } => {
                let text = format!("{by} approves `{gate}`");
                self.approvals.push((at, gate, by));
                text
            }
            Note::PauseRequested { by } => format!("{by} asks for a pause"),
            Note::Undoing { why } => format!("will be undone: {why}"),
            Note::Aborted { by, going_on } => match going_on {
                Some(going_on) => format!("{by} gives the run up; {going_on}"),
                None => format!("{by} gives the run up"),
            },
            Note::Warning { text } => format!("warning: {text}"),
            Note::Exhibits { at_end, exhibits } => {
                let text = format!("{} raw outputs recorded", exhibits.len());
                if at_end {
                    self.after = exhibits;
                } else {
                    self.before = exhibits;
                }
                text
            }
        }
    }
}

/// Undo steps get the name of what they undo, for people.
fn name(about: String) -> String {
    match about.strip_prefix(UNDO_PREFIX) {
        Some(undone) => format!("undo of {undone}"),
        None => about,
    }
}

fn unit_evidence(
    plan: &Plan,
    unit: Unit,
    first: Option<&Sighting>,
    last: Option<&Sighting>,
) -> UnitEvidence {
    let planned = plan.unit(unit);
    let notes = |sighting: Option<&Sighting>| {
        let report = sighting.and_then(|sighting| sighting.report(unit));
        report
            .map(|report| report.notes.clone())
            .unwrap_or_default()
    };
    let report = last.and_then(|sighting| sighting.report(unit));
    UnitEvidence {
        unit,
        identity: planned.identity.clone(),
        configured_as: planned.configured_as.clone(),
        platform: planned.platform.clone(),
        version_before: planned.version.clone(),
        active_before: plan.active == unit,
        version_after: report.map(|report| report.version.clone()),
        role_after: report.map(|report| report.own_role.to_string()),
        notes_before: notes(first),
        notes_after: notes(last),
    }
}

fn read<T: serde::de::DeserializeOwned>(detail: &serde_json::Value) -> Option<T> {
    T::deserialize(detail).ok()
}
