//! Housekeeping of a Pandora FMS installation on a real MariaDB (`mariadbd`, `mariadb`), against a
//! recount in plain SQL. Their absence fails the tests.
#![cfg(feature = "maint")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod bounded;
mod faults;
mod full;
mod fuzzed;
mod modes;
mod overlap;
mod rights;
mod server;
mod spared;
mod steps;
mod support;
mod time;
