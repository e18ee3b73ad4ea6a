//! The binary as its users see it. Hermetic: own HOME, own state directory, nothing inherited.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests may"
)]

#[cfg(feature = "backup")]
mod backup;
#[cfg(feature = "backup")]
mod backup_crash;
#[cfg(feature = "backup")]
mod backup_docs;
#[cfg(feature = "backup")]
mod backup_pandora;
#[cfg(feature = "backup")]
mod backup_server;
#[cfg(all(feature = "s3", feature = "age"))]
mod backup_stores;
#[cfg(feature = "maint")]
mod compact;
#[cfg(feature = "maint")]
mod compact_crash;
#[cfg(feature = "maint")]
mod crash;
#[cfg(feature = "maint")]
mod demo;
mod documents;
mod exits;
#[cfg(feature = "failover")]
mod failover;
mod harness;
mod help;
#[cfg(feature = "maint")]
mod interrupted;
mod pandora;
#[cfg(feature = "maint")]
mod plan;
#[cfg(feature = "backup")]
mod rehearse;
#[cfg(feature = "backup")]
mod restore;
#[cfg(feature = "backup")]
mod restore_crash;
#[cfg(feature = "backup")]
mod restore_parts;
#[cfg(feature = "backup")]
mod restore_refused;
#[cfg(feature = "maint")]
mod secrets;
#[cfg(feature = "maint")]
mod server;
#[cfg(feature = "maint")]
mod terminal;
#[cfg(feature = "maint")]
mod unwritten;
#[cfg(feature = "maint")]
mod verify;
