//! The exchange of the live database's tables, and of everything that cannot be renamed.

mod durable;
mod objects;
mod packet;
mod rename;
mod script;
mod take_down;

pub(super) use durable::{flush, make_durable};
pub(super) use objects::{Scripts, Whose};
pub(super) use packet::expect_packet;
pub(super) use rename::{Moves, base_tables, exists, live_tables, probe};
pub(super) use take_down::take_down;
