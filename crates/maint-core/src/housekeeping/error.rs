//! Why a sequence of tasks did not do what its plan said.

use elpis_run::journal::JournalError;

use super::HousekeepingReport;
use crate::Refusal;
use crate::store::StoreError;

/// Why a run did not do what its plan said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HousekeepingError {
    /// A safety check failed before anything was touched.
    #[error("refused, nothing was changed: {}", crate::purge::list(.0))]
    Refused(Vec<Refusal>),
    /// The database failed before anything was touched; this includes a lock held by another run.
    #[error("could not begin, nothing was changed")]
    NotBegun(#[source] StoreError),
    /// The database failed in the middle.
    #[error("stopped part-way after {} rows; what was changed stays changed", .report.changed())]
    Stopped {
        /// What was done until then.
        report: Box<HousekeepingReport>,
        /// What the store said.
        source: StoreError,
    },
    /// The journal could not be written, so no further step was taken.
    #[error("the journal could not be written, so the run stopped before the next step")]
    Journal(#[from] JournalError),
}
