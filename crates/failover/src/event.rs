//! What a run tells its observer while it works. Typed here once; the CLI renders it.

use elpis_run::RunId;
use serde::Serialize;

use crate::concern::Concern;
use crate::driver::{Act, Progress};
use crate::observe::Unit;
use crate::report::Report;
use crate::state::PairState;

/// One thing that happened. In JSON: an object whose `event` names the variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum UpgradeEvent {
    /// The lock is held and the journal has the run.
    Started {
        /// The run's number in the journal.
        run: RunId,
        /// The pair.
        pair: String,
        /// How many steps the plan has.
        steps: usize,
        /// An earlier process began it.
        resumed: bool,
    },
    /// The pair looks different from before.
    Pair {
        /// What it looks like now.
        #[serde(flatten)]
        state: PairState,
        /// The same in words.
        words: String,
    },
    /// A step's turn has come.
    StepStarted {
        /// Its name.
        step: String,
        /// What it does, in words.
        what: String,
        /// Its usual duration in seconds.
        estimate_s: u64,
    },
    /// A guard or a goal is not met yet.
    Waiting {
        /// The step.
        step: String,
        /// What is waited for.
        concern: Concern,
    },
    /// An order goes out; its intent is durable.
    Sending {
        /// The step.
        step: String,
        /// What is ordered.
        act: Act,
        /// Which unit shall do it.
        unit: Unit,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// The unit has taken the order.
    Acknowledged {
        /// The step.
        step: String,
    },
    /// It is not known whether the order arrived; it is being looked for.
    OutcomeUnknown {
        /// The step.
        step: String,
        /// Why.
        reason: String,
    },
    /// How far an act is.
    Progress {
        /// The step.
        step: String,
        /// What the unit says.
        progress: Progress,
        /// Since the act began or was taken up again, in seconds.
        elapsed_s: u64,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: String,
        /// What it came to.
        message: String,
        /// It was left out, or its goal held already.
        skipped: bool,
        /// How long it took this process, in milliseconds.
        took_ms: u64,
    },
    /// A step failed.
    StepFailed {
        /// The step.
        step: String,
        /// Why.
        concern: Concern,
    },
    /// A switchover is being undone.
    Undoing {
        /// The step that is undone.
        step: String,
        /// Why.
        concern: Concern,
    },
    /// The unit that carries the traffic is in trouble while its peer is being upgraded. Nothing
    /// can be done safely; a person should know.
    Alarm {
        /// What is seen.
        text: String,
    },
    /// Something that the operator should know.
    Warning {
        /// What.
        text: String,
    },
    /// The run is over, or stands still.
    Finished(Box<Report>),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::concern::Cause;
    use crate::report::Ended;

    /// One of each; a new kind does not compile before it has its example here.
    fn examples() -> Vec<UpgradeEvent> {
        let step = || String::from("04-install-b");
        let concern = || Concern::new(Cause::Stalled, "no sign of life for 60 minutes");
        let first = UpgradeEvent::Started {
            run: RunId(7),
            pair: String::from("ftd:a+b"),
            steps: 15,
            resumed: false,
        };
        let mut all = vec![first];
        while let Some(last) = all.last() {
            let next = match last {
                UpgradeEvent::Started { .. } => UpgradeEvent::Pair {
                    state: PairState::Healthy { active: Unit::A },
                    words: String::from("a active, b standby ready"),
                },
                UpgradeEvent::Pair { .. } => UpgradeEvent::StepStarted {
                    step: step(),
                    what: String::from("install on unit b"),
                    estimate_s: 1800,
                },
                UpgradeEvent::StepStarted { .. } => UpgradeEvent::Waiting {
                    step: step(),
                    concern: concern(),
                },
                UpgradeEvent::Waiting { .. } => UpgradeEvent::Sending {
                    step: step(),
                    act: Act::Install,
                    unit: Unit::B,
                    attempt: 1,
                },
                UpgradeEvent::Sending { .. } => UpgradeEvent::Acknowledged { step: step() },
                UpgradeEvent::Acknowledged { .. } => UpgradeEvent::OutcomeUnknown {
                    step: step(),
                    reason: String::from("the connection is lost"),
                },
                UpgradeEvent::OutcomeUnknown { .. } => UpgradeEvent::Progress {
                    step: step(),
                    progress: Progress::Running {
                        percent: Some(14),
                        message: String::from("Running script"),
                        activity: 4711,
                    },
                    elapsed_s: 300,
                },
                UpgradeEvent::Progress { .. } => UpgradeEvent::StepDone {
                    step: step(),
                    message: String::from("the unit has rebooted"),
                    skipped: false,
                    took_ms: 1_500_000,
                },
                UpgradeEvent::StepDone { .. } => UpgradeEvent::StepFailed {
                    step: step(),
                    concern: concern(),
                },
                UpgradeEvent::StepFailed { .. } => UpgradeEvent::Undoing {
                    step: step(),
                    concern: concern(),
                },
                UpgradeEvent::Undoing { .. } => UpgradeEvent::Alarm {
                    text: String::from("a active alone"),
                },
                UpgradeEvent::Alarm { .. } => UpgradeEvent::Warning {
                    text: String::from("the unit's clock is 90 s away"),
                },
                UpgradeEvent::Warning { .. } => UpgradeEvent::Finished(Box::new(Report {
                    run: Some(RunId(7)),
                    pair: String::from("ftd:a+b"),
                    target: String::from("7.2.7-500"),
                    started: jiff::Timestamp::UNIX_EPOCH,
                    finished: jiff::Timestamp::UNIX_EPOCH,
                    ended: Ended::Done,
                    steps: Vec::new(),
                    switches: 1,
                    warnings: Vec::new(),
                })),
                UpgradeEvent::Finished(_) => break,
            };
            all.push(next);
        }
        all
    }

    #[test]
    fn events_look_like_this_in_json() {
        let lines: Vec<String> = examples()
            .iter()
            .map(|event| serde_json::to_string(event).unwrap())
            .collect();
        insta::assert_snapshot!("events", lines.join("\n"));
    }

    #[test]
    fn every_event_and_field_is_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failover.md");
        let document = elpis_run::fsx::read_to_string(path.as_ref()).unwrap();
        let mut documented = BTreeSet::new();
        for event in examples() {
            let value = serde_json::to_value(&event).unwrap();
            let name = value["event"].as_str().unwrap().to_owned();
            let start = format!("| `{name}` | ");
            let row = document
                .lines()
                .find(|line| line.starts_with(&start))
                .unwrap_or_else(|| panic!("{name} has no row"));
            for field in value.as_object().unwrap().keys() {
                let is_there = field == "event" || row.contains(&format!("`{field}`"));
                assert!(is_there, "{name}: {field} is not documented");
            }
            documented.insert(name);
        }
        assert_eq!(documented.len(), 14);
    }
}
