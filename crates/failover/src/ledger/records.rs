//! What is written beside each event of a run: the upgrade's own part of the journal.

use elpis_run::Holder;
use serde::{Deserialize, Serialize};

use crate::concern::Concern;
use crate::driver::{Exhibit, Handle, Located, Order};
use crate::hold::Hold;
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
    /// For a probe: for how long traffic was interrupted, as the probe has measured it, in
    /// milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_ms: Option<u64>,
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
        /// An installation that somebody else has begun may be taken for the run's own.
        #[serde(default)]
        adopting: bool,
        /// Keys of the configuration that had been edited since the plan was made; the run goes on
        /// by its plan.
        #[serde(default)]
        edited: Vec<String>,
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
