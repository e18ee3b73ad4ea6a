//! Everything that the engine promises, on a pair in memory and virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may"
)]

mod catalogue;
mod control;
mod crash;
mod model;
mod planning;
mod policies;
mod property;
mod record;
mod rig;
