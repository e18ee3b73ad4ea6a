//! `elpis-backup`: its arguments, its settings, its verbs, and how it shows things.

mod args;
mod commands;
mod narrator;
mod output;
mod pandora;
mod places;
mod remote;
mod settings;
mod sources;
mod standstill;
mod values;

pub use commands::backup;
pub(crate) use places::{NewestBroken, NoRestore, NotEmpty, Nothing};
pub(crate) use settings::ConfigError;
