//! `elpis-failover`: its arguments, its settings, its verbs, and how it shows things.

mod args;
mod commands;
mod document;
mod faults;
mod helpers;
mod mistake;
mod output;
mod settings;

pub use commands::failover;
pub(crate) use commands::{NoRun, Untrusted};
pub(crate) use mistake::ConfigError;
