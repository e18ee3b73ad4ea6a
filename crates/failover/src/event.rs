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
