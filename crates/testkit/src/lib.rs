//! What the tests of Elpis share: throwaway servers, tables like those of a monitoring database,
//! recounts through other clients than ours, a second implementation of retention in plain Rust,
//! faults, and the conformance suite that every [`Store`](elpis_maint_core::Store) must pass.
//!
//! Never published. A test fails by panicking, so everything here does: a missing server, a
//! failing statement and an impossible answer all end the test with the reason.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test library: a panic is how a test fails"
)]

mod charts;
mod compaction;
pub mod conformance;
mod database;
mod faults;
mod harness;
mod model;
mod observe;
pub mod pandora;
mod proxy;
mod recorded;
mod reduce;
mod rollup;
mod scenarios;
mod series;
mod server;
mod sqlite;
mod table;
pub mod tables;
mod writer;

pub use charts::{Charts, WINDOWS, console_rules, sliced_rules};
pub use compaction::{
    CompactRun, compaction_policy, create_series, store_all_series, store_series,
    stored_all_series, stored_series,
};
pub use database::{Database, multiset};
pub use faults::{FaultJournal, FaultStore, HookThrottle, Paced};
pub use harness::{NOW, Run, facts, now, plan, policy, purge};
pub use model::{Expected, World};
pub use observe::Recorder;
pub use proxy::Proxy;
pub use recorded::Recorded;
pub use reduce::{reference_envelope, reference_mean, reference_mean_shift, reference_sum};
pub use rollup::{Rollup, reference_rollup};
pub use scenarios::Scenario;
pub use series::{Defect, SeriesSpec, Shape, generate};
pub use server::{MariaDb, fresh_database, server};
pub use sqlite::SqliteFile;
pub use table::{Column, Dialect, ForeignKey, Kind, Row, Table};
pub use writer::{Writer, Written};
