//! Putting files back so that it can be taken back: unpacked beside their place, looked at, then
//! exchanged with what lies there by one rename a tree, and the old tree kept.
//!
//! [`FilesFacts::gather`] looks, [`FilesPlan::new`] decides, [`FileRestore::stage`] unpacks and
//! changes nothing that anybody uses, [`FileRestore::swap`] does in one moment what cannot be
//! undone by not doing it. [`FileRestore::undo`] exchanges the trees again, and
//! [`FileRestore::forget`] gives the kept ones up. Each act is in the journal before it begins, and
//! what a killed process left is finished by [`FileRestore::resume`] or taken back by `undo`.
//!
//! What the archive does not have stays unless [`FilesWish::mirror`] says otherwise: it becomes a
//! second name in the new tree of the very same file.

mod error;
mod exchange;
mod keep;
mod paths;
mod plan;
mod record;
mod run;
mod stage;
mod survey;
mod swap;
mod take_back;

pub use error::FilesError;
pub use plan::{FileRoot, FilesPlan, FilesWish, RootPlan};
pub use record::{FILES_JOB, FilesRun, FilesState, files_runs};
pub use run::{FileCheck, FileRestore, FilesReport, FilesResumed, RootReport, Staged};
pub use survey::{FilesFacts, PlaceFacts, PlaceKind};
