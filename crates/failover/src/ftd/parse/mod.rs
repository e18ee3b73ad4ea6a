//! Reading what the devices print.
//!
//! All readers work alike: they go through the lines, take those they know, and leave the rest
//! alone, because every version adds some. They are tolerant of layout and strict of meaning: a
//! word that they do not know becomes `Unknown` with that word in it, a part that has to be there
//! and is not makes the whole answer [`Unreadable`]. A half answer is never a good one.

mod failover;
mod failover_state;
mod history;
mod package;
mod shell;
mod status;
mod version;

pub(crate) use failover::Failover;
pub(crate) use failover_state::{FailoverState, UnitState};
pub(crate) use history::last_change;
pub(crate) use package::PackageName;
pub(crate) use shell::{FileStat, free_space, installers_with_age, running_installers};
pub(crate) use status::{StatusLine, Verdict, latest};
pub(crate) use version::{Version, compare_releases};

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It ends before its end.
    #[error("{command}: the answer is not complete ({missing} is missing)")]
    Incomplete {
        /// What was asked.
        command: &'static str,
        /// The part that has to be there.
        missing: &'static str,
    },
    /// It is something that this driver cannot work with.
    #[error("{command}: {why}")]
    Unsupported {
        /// What was asked.
        command: &'static str,
        /// Why not.
        why: String,
    },
}

/// The two parts a unit can be configured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfiguredRole {
    Primary,
    Secondary,
}

impl ConfiguredRole {
    /// Reads the one word.
    pub(crate) fn read(word: &str) -> Option<ConfiguredRole> {
        match word {
            "Primary" => Some(ConfiguredRole::Primary),
            "Secondary" => Some(ConfiguredRole::Secondary),
            _ => None,
        }
    }

    /// The word itself.
    pub(crate) fn word(self) -> &'static str {
        match self {
            ConfiguredRole::Primary => "Primary",
            ConfiguredRole::Secondary => "Secondary",
        }
    }
}

/// `HH:MM:SS ZONE Mon D YYYY` at the start of `text`, and what follows.
fn leading_date(text: &str) -> Option<(String, &str)> {
    let mut rest = text.trim_start();
    let mut words = Vec::with_capacity(5);
    for _ in 0..5 {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after.trim_start();
    }
    let [time, zone, month, day, year] = words.as_slice() else {
        return None;
    };
    let digits = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let is_date = time.len() == 8
        && time.split(':').count() == 3
        && time.split(':').all(digits)
        && !zone.is_empty()
        && MONTHS.contains(month)
        && digits(day)
        && digits(year);
    is_date.then(|| (words.join(" "), rest))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests;
