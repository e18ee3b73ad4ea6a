//! Putting an archive back so that it cannot make things worse.

mod accept;
mod compare;
mod count;
mod engine;
mod error;
mod event;
mod exchange;
mod facts;
mod files;
mod grants;
mod load;
mod names;
mod pace;
mod plan;
mod policy;
mod report;
mod rows;
mod run;
mod runs;
mod scope;
mod services;
mod session;
mod sql;
mod steps;
mod sum;
mod survey;
mod swap;
mod text;
mod undo;
mod views;
mod work;

pub use accept::{Accept, AcceptError, Refusal};
pub use engine::Restore;
pub use error::{Live, RestoreError, TextError};
pub use event::RestoreEvent;
pub use facts::{LiveFacts, RestoreFacts};

pub use files::{
    FILES_JOB, FileCheck, FileRestore, FileRoot, FilesError, FilesFacts, FilesPlan, FilesReport,
    FilesResumed, FilesRun, FilesState, FilesWish, PlaceFacts, PlaceKind, RootPlan, RootReport,
    Staged, files_runs,
};
pub(crate) use grants::is_understood;
pub use pace::FillPace;
pub use plan::{PlannedTable, RestorePlan};
pub use policy::{Compare, Grants, LaterTable, RestorePolicy};
pub use report::{CountReport, ForgetReport, RestorePhases, RestoreReport, UndoReport};
pub use rows::{
    Belongings, OwnerFacts, Owners, Parts, RowsFacts, RowsOf, RowsTable, RowsTableFacts,
};
pub use runs::{RestoreRun, RestoreState, runs};
pub use scope::Scope;
pub use services::{ServiceError, Services};
pub use sql::{SplitError, StatementError};
pub use survey::{Survey, SurveyedTable};
pub use text::{SqlText, Surveyed, Unsurveyed};
pub use views::ViewNeeds;

/// The job of a restore in the journal.
pub const JOB: &str = "restore";
/// The job of counting what one would insert.
pub const COUNT_JOB: &str = "restore-count";
/// The job of taking one back.
pub const UNDO_JOB: &str = "restore-undo";
/// The job of giving up the old tables of one.
pub const FORGET_JOB: &str = "restore-forget";
