//! A sequence of tasks in one run: what is too old goes, what hangs in the air goes, what lacks
//! something gets it, and outside programs expire their files.
//!
//! A product's profile writes the sequence down as data ([`Task`]); this module does the rest, in
//! the words of every Elpis job: [`HousekeepingInspection`] gathers [`HousekeepingFacts`],
//! [`HousekeepingPlan::new`] is a pure function, [`Run::housekeep`](crate::Run::housekeep) walks the plan
//! under one lock, one throttle, one set of limits and one run of the journal, and returns a
//! [`HousekeepingReport`].
//!
//! Installations differ: a task whose tables or columns are not there is skipped with a word.

mod effect;
mod event;
mod facts;
mod inspect;
mod looks;
mod overlap;
mod plan;
mod program;
mod report;
mod run;
mod settle;
mod sweep;
mod task;

pub use event::HousekeepingEvent;
pub use facts::{HousekeepingFacts, WorkFacts};
pub use inspect::HousekeepingInspection;
pub use plan::{HousekeepingPlan, PartPlan, TaskPlan};
pub use program::{NoPrograms, ProgramError, ProgramRunner, ProgramTask};
pub use report::{HousekeepingReport, PartReport, TaskReport};
pub use run::{HOUSEKEEPING_JOB, HousekeepingError};
pub use task::{Group, Housekeeping, Task, Work};
