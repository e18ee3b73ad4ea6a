//! `elpis-backup`: its arguments, its settings, its verbs, and how it shows things.

mod args;
mod commands;
mod output;
mod settings;

pub use commands::backup;
pub(crate) use output::{NotEmpty, Nothing};
pub(crate) use settings::ConfigError;
