//! The engine against a real MariaDB and real SQLite files. MariaDB (`mariadbd`, `mariadb`) and
//! `sqlite3` must be installed, and `python3` for the oracle of the charts: their absence fails the
//! tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod bounded;
mod chart;
mod compact;
mod compact_live;
mod conformance;
mod contention;
mod foreground;
mod journal;
mod limits;
mod locks;
mod moves;
mod outage;
mod planning;
mod property;
mod reduction;
mod refusals;
mod replica;
mod retention;
mod rollup;
mod stale;
mod support;
mod sweep;
mod verify;
