//! What is wrong with a policy file, and where.

use std::fmt;
use std::ops::Range;

/// Everything that is wrong with a policy; it holds at least one [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The setting, such as `table.tevento.keep.days`.
    pub key: String,
    /// Its value as written, shortened.
    pub value: String,
    /// Why it is refused, and what would do.
    pub reason: String,
}

impl std::error::Error for PolicyError {}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}", self.key)?;
            if !self.value.is_empty() {
                write!(f, " = {}", self.value)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)
    }
}

impl PolicyError {
    /// The error for text that is not TOML, or has a key that no setting answers to.
    pub fn syntax(text: &str, error: &toml::de::Error) -> PolicyError {
        let span = error.span().unwrap_or(0..0);
        let (line, column) = place(text, span.start);
        let problem = Problem {
            line,
            column,
            key: String::new(),
            value: String::new(),
            reason: error.message().replace('\n', "; "),
        };
        PolicyError {
            problems: vec![problem],
        }
    }
}

impl Problem {
    /// A problem with the value at `span` of `text`.
    pub(crate) fn new(text: &str, span: Range<usize>, key: String, reason: String) -> Problem {
        let (line, column) = place(text, span.start);
        let value: String = text
            .get(span)
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect();
        Problem {
            line,
            column,
            key,
            value: value.replace('\n', " "),
            reason,
        }
    }
}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}
