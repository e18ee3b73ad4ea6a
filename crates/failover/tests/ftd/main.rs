//! The FTD driver and the engine against the simulated pair, over real SSH; and the client
//! against a real sshd.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the whole binary is a test"
)]

mod catalogue;
mod crash;
mod dialogue;
mod errand;
mod fmc;
mod full;
mod happy;
mod many;
mod measured;
mod rig;
mod sshd;
