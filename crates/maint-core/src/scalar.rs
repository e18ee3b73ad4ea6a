//! A value as a column holds it, between the engine and a store.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One column value: a key, a time, or the right-hand side of a filter.
///
/// Dates and times travel as text in the column's own format (`YYYY-MM-DD HH:MM:SS[.ffffff]`),
/// so that no conversion can shift them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer above `i64::MAX`; smaller ones are [`Scalar::Int`].
    UInt(u64),
    /// Text, including dates and times.
    Text(String),
    /// Bytes that are not valid UTF-8.
    Bytes(Vec<u8>),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Int(n) => n.fmt(f),
            Scalar::UInt(n) => n.fmt(f),
            Scalar::Text(s) => f.write_str(s),
            Scalar::Bytes(b) => write!(f, "{} bytes", b.len()),
        }
    }
}

impl From<i64> for Scalar {
    fn from(n: i64) -> Self {
        Scalar::Int(n)
    }
}

impl From<&str> for Scalar {
    fn from(s: &str) -> Self {
        Scalar::Text(s.to_owned())
    }
}
