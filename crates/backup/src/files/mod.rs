//! Collecting files: what lies below a directory, with owner, mode, time, attributes, links and
//! holes, while others go on working there.

mod collect;
mod owners;
mod pattern;
mod read;
mod walk;

pub(crate) use collect::{Collector, Tree};
pub(crate) use owners::Owners;
pub use pattern::{Pattern, PatternError};
pub(crate) use read::{Stopping, xattrs};
pub(crate) use walk::{Walk, identity};
