//! What an operator should know about the product's settings.

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
    /// A value that is not what the token takes: it counts as off, since nothing is deleted on a
    /// guess.
    #[error("{token} = {value:?} ({origin}) {reason}: it counts as off")]
    Junk {
        /// The token.
        token: String,
        /// Its value, shortened.
        value: String,
        /// Where it stands.
        origin: String,
        /// What it should be.
        reason: &'static str,
    },
    /// An override of a token that housekeeping does not read.
    #[error(
        "{token} is set in the configuration of Elpis, but housekeeping knows no such token: see `elpis-maint policy show`"
    )]
    Unknown {
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

fn list(rows: &[u64]) -> String {
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.join(", ")
}
