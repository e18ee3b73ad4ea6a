//! What a run of a sequence tells its observer while it works.

use elpis_run::{Observer, RunId};
use serde::Serialize;

use super::{Group, HousekeepingReport, TaskReport};
use crate::PurgeEvent;
use crate::pacing::Waits;
use crate::store::Count;
use crate::sweep::SweepReport;

/// One thing that happened. In JSON: an object whose `event` names the variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum HousekeepingEvent {
    /// An exact inspection has come this far in a sweep.
    Counted {
        /// The sweep's name.
        sweep: String,
        /// Rows (or values) looked at so far.
        examined: u64,
        /// Rows that meet the conditions among them.
        due: u64,
    },
    /// The locks are held and the journal has the run.
    HousekeepingStarted {
        /// The run's number in the journal.
        run: RunId,
        /// The database.
        target: String,
        /// How many tasks there are.
        tasks: usize,
    },
    /// A task's turn has come.
    TaskStarted {
        /// Its short name.
        id: String,
        /// What kind of task it is.
        group: Group,
        /// What a log prints.
        title: String,
    },
    /// A part of a task has nothing to do here.
    PartSkipped {
        /// The task's short name.
        id: String,
        /// Why.
        why: String,
    },
    /// A part of a task waits until a person has looked.
    PartHeld {
        /// The task's short name.
        id: String,
        /// Why.
        why: String,
    },
    /// A sweep begins.
    SweepStarted {
        /// Its name.
        sweep: String,
        /// The table.
        table: String,
        /// Rows that met the conditions when the plan was made.
        due: Count,
    },
    /// One transaction of a sweep is durable.
    Swept {
        /// The sweep's name.
        sweep: String,
        /// Rows of the table changed, or rows added.
        changed: u64,
        /// Rows that hung on them and went.
        dependents: u64,
        /// Rows changed so far.
        total: u64,
        /// The limit the throttle had set, in rows.
        limit: u64,
        /// How long it took, in milliseconds.
        took_ms: f64,
        /// How long the run had paused before it, in milliseconds.
        pause_ms: f64,
    },
    /// The run waits, because of what the throttle saw.
    Waiting {
        /// The sweep's name.
        sweep: String,
        /// The reason, in words.
        why: String,
    },
    /// The run goes on after waiting.
    Resumed {
        /// The sweep's name.
        sweep: String,
        /// How long it waited, in seconds.
        waited_s: f64,
    },
    /// A sweep is finished, or the run ends in the middle of it.
    SweepFinished(SweepReport),
    /// A program has been run.
    ProgramFinished {
        /// Its name in the journal.
        name: String,
        /// What went wrong; the run goes on.
        error: Option<String>,
        /// Seconds it took.
        seconds: f64,
    },
    /// Something about the deletion of old rows.
    Purge(#[serde(serialize_with = "nested")] PurgeEvent),
    /// A task is finished, or the run ends in the middle of it.
    TaskFinished(TaskReport),
    /// The run is over; the journal has its outcome.
    HousekeepingFinished(HousekeepingReport),
}

impl Waits for HousekeepingEvent {
    fn waiting(sweep: String, why: String) -> HousekeepingEvent {
        HousekeepingEvent::Waiting { sweep, why }
    }

    fn resumed(sweep: String, waited_s: f64) -> HousekeepingEvent {
        HousekeepingEvent::Resumed { sweep, waited_s }
    }
}

/// The events of the retention part, among those of the whole.
pub(super) struct AsHousekeeping<'a>(pub(super) &'a dyn Observer<HousekeepingEvent>);

impl Observer<PurgeEvent> for AsHousekeeping<'_> {
    fn on(&self, event: &PurgeEvent) {
        self.0.on(&HousekeepingEvent::Purge(event.clone()));
    }
}

/// Under a name of its own: both events call their kind `event`.
fn nested<S: serde::Serializer>(event: &PurgeEvent, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Nested<'a> {
        purge: &'a PurgeEvent,
    }
    Nested { purge: event }.serialize(to)
}
