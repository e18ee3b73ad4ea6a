//! The Elpis command-line tools. The only room that knows the terminal, the environment and exit
//! codes: arguments become plain values (`args` holds clap and nothing else does), the
//! configuration becomes `settings`, each verb is one file of `commands`, everything that is
//! written goes through `output`, and [`exit`] turns whatever happened into a code and a hint.
//!
//! `settings`, `commands` and `args::maint` are those of `elpis-maint`; the modules `backup` and
//! `failover` have the same rooms for `elpis-backup` and `elpis-failover`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(any(feature = "maint", feature = "backup", feature = "failover"))]
mod args;
#[cfg(feature = "backup")]
mod backup;
#[cfg(feature = "maint")]
mod commands;
#[cfg(any(feature = "maint", feature = "backup", feature = "failover"))]
#[cfg_attr(
    not(all(feature = "maint", feature = "backup", feature = "failover")),
    allow(dead_code, unused_imports, reason = "each program uses its part")
)]
mod environment;
#[cfg(any(feature = "maint", feature = "backup", feature = "failover"))]
pub mod exit;
#[cfg(feature = "failover")]
mod failover;
#[cfg(any(feature = "maint", feature = "backup", feature = "failover"))]
#[cfg_attr(
    not(all(feature = "maint", feature = "backup", feature = "failover")),
    allow(dead_code, unused_imports, reason = "each program uses its part")
)]
mod interrupt;
#[cfg(any(feature = "maint", feature = "backup", feature = "failover"))]
mod manual;
#[cfg(any(feature = "maint", feature = "backup", feature = "failover"))]
#[cfg_attr(
    not(all(feature = "maint", feature = "backup", feature = "failover")),
    allow(dead_code, unused_imports, reason = "each program uses its part")
)]
mod output;
#[cfg(any(feature = "maint", feature = "backup", feature = "failover"))]
mod program;
#[cfg(feature = "maint")]
mod settings;

#[cfg(feature = "backup")]
pub use backup::backup;
#[cfg(feature = "maint")]
pub use commands::maint;
#[cfg(feature = "failover")]
pub use failover::failover;
