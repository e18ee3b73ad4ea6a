//! The binary as its users see it. Hermetic: own HOME, own state directory, nothing inherited.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests may"
)]

mod crash;
mod demo;
mod exits;
mod harness;
mod help;
mod interrupted;
mod plan;
mod secrets;
mod server;
mod terminal;
