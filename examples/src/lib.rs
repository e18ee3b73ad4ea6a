//! A store of one's own: how housekeeping is brought to a database that Elpis does not know.
//!
//! [`MemoryStore`] keeps its tables in memory. `examples/embed.rs` purges it; the tests run the
//! conformance suite of `Store` against it, as the author of any store should.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod memory_store;
mod memory_table;

pub use memory_store::{MemoryDatabase, MemoryStore};
pub use memory_table::{MemoryTable, Row};
