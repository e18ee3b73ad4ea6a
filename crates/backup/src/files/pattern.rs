//! Which files to leave out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A pattern for paths below a component's root. `?` is one character but `/`, `*` any number of
/// them, `**` also `/`. Without a `/` it is compared with the file's name, wherever it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {pattern:?} {why}")]
pub struct PatternError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        let why = if text.is_empty() {
            "is empty"
        } else if text.starts_with('/') {
            "begins with `/`: it is compared with paths below the component's root"
        } else if text.ends_with('/') {
            "ends with `/`: name the directory itself"
        } else if text.len() > 1000 || text.matches('*').count() > 20 {
            "is too long"
        } else {
            return Ok(Pattern(text.to_owned()));
        };
        Err(PatternError {
            pattern: text.to_owned(),
            why,
        })
    }
}

impl Pattern {
    /// Whether a file is meant, by its path below the component's root.
    pub fn matches(&self, path: &[u8]) -> bool {
        let subject = if self.0.contains('/') {
            path
        } else {
            path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
        };
        matches(self.0.as_bytes(), subject)
    }
}

fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|skip| matches(rest, &path[skip..])),
        [b'*', rest @ ..] => {
            let name = path
                .iter()
                .position(|byte| *byte == b'/')
                .unwrap_or(path.len());
            (0..=name).any(|skip| matches(rest, &path[skip..]))
        }
        [b'?', rest @ ..] => match path {
            [first, path @ ..] if *first != b'/' => {
                // One character of UTF-8, not one byte.
                let more = path.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
                matches(rest, &path[if *first >= 0xc0 { more } else { 0 }..])
            }
            _ => false,
        },
        [byte, rest @ ..] => path
            .split_first()
            .is_some_and(|(first, path)| first == byte && matches(rest, path)),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_shells_mean() {
        let matches = |pattern: &str, path: &str| {
            pattern.parse::<Pattern>().unwrap().matches(path.as_bytes())
        };
        assert!(matches("*.log", "a/b/x.log"));
        assert!(matches("x.log", "x.log"));
        assert!(!matches("*.log", "a.log/b"));
        assert!(matches("log/*.txt", "log/a.txt"));
        assert!(!matches("log/*.txt", "log/a/b.txt"));
        assert!(matches("log/**", "log/a/b.txt"));
        assert!(matches("**/cache/**", "a/cache/b"));
        assert!(!matches("log/**", "log"));
        assert!(matches("?.txt", "ü.txt"));
        assert!(!matches("?.txt", "ab.txt"));
        assert!(!matches("a?b/c", "a/b/c"));
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for text in ["", "/etc", "log/"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }
}
