//! Moves: old rows leave the active database for a history database, each exactly once.
//!
//! [`MovePolicy`] says what is wanted, [`MoveInspection`] gathers [`MoveFacts`] on both sides,
//! [`MovePlan::new`] is a pure function of both, and [`Run::move_rows`](crate::Run::move_rows)
//! walks the plan and returns a [`MoveReport`].
//!
//! A step takes the oldest due rows, bounded in number. They are read and locked in the active
//! database, written to the history database, read back there and compared cell by cell; only then
//! they are deleted, in the transaction that still locks them. Two databases cannot commit at one
//! moment, so each commit also writes one record with the step's name: the history side's together
//! with the copies, the active side's together with the deletion. After a crash the two records
//! differ exactly if rows were copied and not deleted; what was copied is known then, and it, and
//! nothing else, is deleted before anything more moves. So a row is in one of the databases at
//! every moment, in both only for the length of a step, and in the end in one of them once, however
//! many equal rows there are.
//!
//! Rows that arrive late in a window that is being moved stay: a deletion that would take more rows
//! than were copied is undone and done row by row.

mod event;
mod fit;
mod inspect;
mod pending;
mod plan;
mod report;
mod rule;
mod run;
mod step;

pub use event::MoveEvent;
pub use inspect::{MoveFacts, MoveInspection, MoveTableFacts};
pub use pending::{PendingMove, pending_moves};
pub use plan::{MovePlan, MoveTablePlan};
pub use report::{MoveReport, MovedTable};
pub use rule::{ChildMove, MoveChild, MovePolicy, MoveRule, MoveTask, Steps};
pub use run::{MOVE_JOB, MoveError};
