//! Compaction: old series in fewer rows, with charts that stay the same.
//!
//! The same words as for the purge: a [`SeriesInspection`] gathers [`SeriesFacts`] through a
//! [`SeriesStore`](crate::SeriesStore), [`CompactPlan::new`] is pure, [`Run::compact`](crate::Run::compact)
//! walks the plan and returns a [`CompactReport`].

mod event;
mod inspect;
mod pack;
mod plan;
mod report;
mod run;
mod task;
mod verify;

pub use event::CompactEvent;
pub use inspect::{SeriesFacts, SeriesInspection, TableSeries, TierFacts};
pub use plan::{CompactPlan, Estimate, LostEnvelope, TierPlan};
pub use report::{CompactReport, PassReport, TierReport};
pub use run::{COMPACT_JOB, CompactError, Verify};
pub(crate) use task::tasks;
pub use task::{CompactTask, Span};
pub use verify::{ChartLoss, Verification, VerifyFailure, verify_rollups};
