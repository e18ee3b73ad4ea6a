//! What an operator should know about the product's settings.

use super::UnusableHistory;

/// Something odd in `tconfig`, and what was made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFinding {
    /// Several rows for one token.
    #[error("tconfig has several rows for {token} (id_config {}, {}): the first one counts, as for the tool that Elpis replaces; delete the others", .taken, list(.others))]
    Duplicate {
        /// The token.
        token: String,
        /// The row that counts.
        taken: u64,
        /// The other rows.
        others: Vec<u64>,
    },
    /// Several rows for one token of the history database, of which the tool that Elpis replaces
    /// takes whichever it is given last.
    #[error("tconfig has several rows for {token} (id_config {}, {}): row {} counts, which keeps the most; the tool that Elpis replaces takes whichever it reads last; delete the others", .taken, list(.others), .taken)]
    Ambiguous {
        /// The token.
        token: String,
        /// The row that counts.
        taken: u64,
        /// The other rows.
        others: Vec<u64>,
    },
    /// A value that is not what the token takes: it counts as off, since nothing is deleted on a
    /// guess.
    #[error("{0}: it counts as off")]
    Junk(Junk),
    /// The same of a token that decides nothing, since what it belongs to is off.
    #[error("{0}: it has no effect while what it belongs to is off")]
    Idle(Junk),
    /// Settings of the history database with which nobody can use it.
    #[error(
        "the history database cannot be used: {0}: nothing moves there, and what should move is neither deleted nor compacted here"
    )]
    UnusableHistory(UnusableHistory),
    /// An override of a token that housekeeping does not read.
    #[error(
        "{token} is set in the configuration of Elpis, but housekeeping knows no such token: see `elpis-maint policy show`"
    )]
    Unknown {
        /// The token.
        token: String,
    },
    /// An override of a token of the history database, among those of the active one.
    #[error(
        "{token} is a setting of the history database: write it under [pandora.history_tokens]"
    )]
    OfHistory {
        /// The token.
        token: String,
    },
    /// Two settings that make one of them useless or harmful.
    #[error("{what}")]
    Contradiction {
        /// What is wrong, and what to change.
        what: String,
    },
}

/// A value that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{token} = {value:?} ({origin}) {reason}")]
pub struct Junk {
    /// The token.
    pub token: String,
    /// Its value, shortened.
    pub value: String,
    /// Where it stands.
    pub origin: String,
    /// What it should be.
    pub reason: &'static str,
}

fn list(rows: &[u64]) -> String {
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.join(", ")
}
