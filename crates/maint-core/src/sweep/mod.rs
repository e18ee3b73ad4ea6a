//! Housekeeping that age alone does not decide: rows whose parent is gone, rows that lack what
//! belongs to them, rows to be deleted with everything that hangs on them.
//!
//! A [`SweepRule`] says what is wanted, without knowing the database. Resolved against the live
//! schema it becomes a [`SweepTask`] with nothing left to choose, or a [`SkipReason`]. Tables are
//! walked in bounded steps along a unique key; tables without one along the values of an index.
//! What is found by looking is looked at again, locked, in the transaction that acts on it: a row
//! that has stopped being an orphan meanwhile survives.

mod plan;
mod report;
mod resolve;
mod rule;
mod task;

pub(crate) use plan::orphan_limit;
pub use plan::{SweepFacts, SweepPlan};
pub use report::SweepReport;
pub use resolve::{HeldBy, Resolved, SkipReason, resolve};
pub use rule::{Act, Age, Condition, Dependent, Expr, Fate, Mark, Relation, SweepRule};
pub use task::{Join, SweepAct, SweepTask, SweepWalk};
