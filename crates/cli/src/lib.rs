//! The Elpis command-line tools. The only room that knows the terminal, the environment and exit
//! codes: arguments become plain values (`args` holds clap and nothing else does), the
//! configuration becomes `settings`, each verb is one file of `commands`, everything that is
//! written goes through `output`, and [`exit`] turns whatever happened into a code and a hint.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "maint")]
mod args;
#[cfg(feature = "maint")]
mod commands;
#[cfg(feature = "maint")]
pub mod exit;
#[cfg(feature = "maint")]
mod interrupt;
#[cfg(feature = "maint")]
mod output;
#[cfg(feature = "maint")]
mod settings;

#[cfg(feature = "maint")]
pub use commands::maint;
