//! The exchange of the live database's tables, and of everything that cannot be renamed.

mod durable;
mod objects;
mod rename;
mod script;

pub(super) use durable::make_durable;
pub(super) use objects::{Scripts, Whose};
pub(super) use rename::{Moves, base_tables, exists, live_tables, probe};
