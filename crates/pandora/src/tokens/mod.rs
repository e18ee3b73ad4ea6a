//! The settings that the product keeps in its table `tconfig`: from rows to values with an origin.

mod catalogue;
mod finding;
mod history;
mod read;
mod reader;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use elpis_run::Secret;
use serde::Serialize;

pub use finding::{Junk, TokenFinding};
pub use history::{HistoryRetention, HistorySettings, Password, UnusableHistory};
pub use settings::{CompactionSettings, PandoraSettings};

/// One row of `tconfig`.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// `id_config`.
    pub id: u64,
    /// The token, as it is written.
    pub token: String,
    /// Its value, which may be a password.
    pub value: Option<Secret<String>>,
}

/// The rows of `tconfig` that mean something to housekeeping, and what goes before them.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// In the order of their ids.
    pub rows: Vec<TokenRow>,
    /// Values of tokens that the operator's own configuration sets, by token.
    pub overrides: BTreeMap<String, String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A row of `tconfig`.
    Tconfig {
        /// Its `id_config`.
        row: u64,
    },
    /// The documented default: there is no such token.
    Default,
    /// The operator's own configuration.
    Override,
    /// A line of one of the product's files.
    File {
        /// The file and its line.
        place: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Tconfig { row } => write!(f, "tconfig, row {row}"),
            Origin::Default => f.write_str("default"),
            Origin::Override => f.write_str("override"),
            Origin::File { place } => f.write_str(place),
        }
    }
}

/// A setting as it takes effect, for people and programs to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The product's name for it.
    pub token: String,
    /// The value in effect; `None` where it is off, or not set. Never a password.
    pub value: Option<String>,
    /// What the value counts: `days`, `hours`, …; empty for texts and flags.
    pub unit: &'static str,
    /// Where it comes from.
    pub origin: Origin,
    /// What it means.
    pub meaning: &'static str,
}
