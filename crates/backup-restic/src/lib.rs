//! Archives of `elpis-backup` in a repository that `restic` reads: encrypted, every block stored
//! once.
//!
//! [`Repository::add`] takes a verified archive and stores its members as files of one snapshot.
//! The SQL text of a dump becomes one file a table chunk, in the order of their names, so that a
//! table that did not change is found again block by block.
//!
//! The engine blocks.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
mod repository;
mod unfold;

pub use error::RepositoryError;
pub use repository::{Added, Repository, Snapshot};
