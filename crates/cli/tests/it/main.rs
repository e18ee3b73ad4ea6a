//! The binary as its users see it. Hermetic: own HOME, own state directory, nothing inherited.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests may"
)]

mod backup;
mod backup_crash;
mod backup_server;
mod compact;
mod compact_crash;
mod crash;
mod demo;
mod exits;
mod failover;
mod harness;
mod help;
mod interrupted;
mod plan;
mod secrets;
mod server;
mod terminal;
mod verify;
