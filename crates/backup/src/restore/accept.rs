//! Differences that stop a restore, and the names by which an operator takes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A difference that an operator may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Accept {
    /// The backup has another product version or schema than what is installed.
    Schema,
    /// The server is older than the one that was dumped, or of the other family.
    Server,
    /// The live database has another default character set.
    Charset,
    /// The server is a replica or read-only: what is written here is not on its primary.
    Replica,
    /// Somebody works with the live database, and no service is stopped.
    Writers,
    /// There may not be enough room for a second copy.
    Space,
    /// The server cannot rename several tables at once without a crash leaving half of it.
    NonAtomic,
    /// Some views cannot be made on this server: they are left out.
    Views,
}

impl Accept {
    /// All of them.
    pub const ALL: [Accept; 8] = [
        Accept::Schema,
        Accept::Server,
        Accept::Charset,
        Accept::Replica,
        Accept::Writers,
        Accept::Space,
        Accept::NonAtomic,
        Accept::Views,
    ];
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Accept::Schema => "schema",
            Accept::Server => "server",
            Accept::Charset => "charset",
            Accept::Replica => "replica",
            Accept::Writers => "writers",
            Accept::Space => "space",
            Accept::NonAtomic => "non-atomic",
            Accept::Views => "views",
        })
    }
}

/// A word that names no difference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{word:?} names no difference; there are: schema, server, charset, replica, writers, space, non-atomic, views"
)]
pub struct AcceptError {
    /// The word.
    pub word: String,
}

impl FromStr for Accept {
    type Err = AcceptError;

    fn from_str(word: &str) -> Result<Accept, AcceptError> {
        let found = Accept::ALL
            .into_iter()
            .find(|accept| accept.to_string() == word);
        found.ok_or_else(|| AcceptError {
            word: word.to_owned(),
        })
    }
}

/// Why a restore is not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What takes it; `None` if nothing does.
    pub accept: Option<Accept>,
    /// What is different, in words.
    pub what: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.accept {
            Some(accept) => write!(f, "{} (accept `{accept}` to go on)", self.what),
            None => f.write_str(&self.what),
        }
    }
}

pub(super) fn list(refusals: &[Refusal]) -> String {
    let words: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_known_by_its_name() {
        for accept in Accept::ALL {
            assert_eq!(accept.to_string().parse(), Ok(accept));
            let json = serde_json::to_value(accept).unwrap();
            assert_eq!(json, accept.to_string());
        }
        assert!("all".parse::<Accept>().is_err());
    }
}
