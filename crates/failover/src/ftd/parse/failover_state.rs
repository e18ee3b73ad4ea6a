//! `show failover state`: each unit's state, the last failure, and the configuration's state.

use super::{ConfiguredRole, Unreadable, leading_date};
use crate::observe::{ConfigSync, Role};

const COMMAND: &str = "show failover state";

/// The states of a unit, in the order in which they are passed on joining. From the vendor's
/// document 217763; those it does not list are background knowledge.
const STATES: [(&str, UnitState); 17] = [
    ("Active Applying Config", UnitState::Passing),
    ("Active Config Applied", UnitState::Passing),
    ("Active Drain", UnitState::Passing),
    ("Active", UnitState::Active),
    ("Just Active", UnitState::Passing),
    ("Standby Ready", UnitState::StandbyReady),
    ("Cold Standby", UnitState::ColdStandby),
    ("Negotiation", UnitState::Passing),
    ("App Sync", UnitState::Passing),
    ("Sync Config", UnitState::Passing),
    ("Config Sync", UnitState::Passing),
    ("Config Syncing", UnitState::Passing),
    ("Sync File System", UnitState::Passing),
    ("Bulk Sync", UnitState::Passing),
    ("Not Detected", UnitState::NotDetected),
    ("Disabled", UnitState::Disabled),
    ("Failed", UnitState::Failed),
];

/// What a unit's state means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitState {
    Active,
    StandbyReady,
    ColdStandby,
    /// On the way to another state.
    Passing,
    NotDetected,
    Disabled,
    Failed,
    /// A word that this driver does not know.
    Unknown,
}

/// One of the two hosts in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostState {
    /// What it is configured for, if the word was understood.
    pub configured: Option<ConfiguredRole>,
    /// What the state means.
    pub state: UnitState,
    /// The state in the device's words.
    pub words: String,
    /// Why it failed the last time. History: it stays when the cause is long gone.
    pub last_failure: Option<String>,
    /// When, in the device's words.
    pub failed_at: Option<String>,
    /// Monitored interfaces that are not well, with what is wrong.
    pub interfaces: Vec<(String, String)>,
}

/// The meaning of one line under `Configuration State`; with the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigState {
    /// Copied, or not needed because both have the same ("skipped").
    InSync(String),
    Syncing(String),
    Unknown(String),
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailoverState {
    pub this: HostState,
    pub other: HostState,
    pub config: Vec<ConfigState>,
}

impl FailoverState {
    /// Reads the answer; `text` is what stands between the command and the next prompt.
    pub(crate) fn read(text: &str) -> Result<FailoverState, Unreadable> {
        let incomplete = |missing| Unreadable::Incomplete {
            command: COMMAND,
            missing,
        };
        if text.contains("Group ") {
            return Err(Unreadable::Unsupported {
                command: COMMAND,
                why: String::from("failover groups (Active/Active) are not supported"),
            });
        }
        let (_, text) = split_at_marker(text, "This host").ok_or(incomplete("This host"))?;
        let (this, text) = split_at_marker(text, "Other host").ok_or(incomplete("Other host"))?;
        let (other, text) = split_at_marker(text, "Configuration State")
            .ok_or(incomplete("Configuration State"))?;
        let (config, communication) = split_at_marker(text, "Communication State")
            .ok_or(incomplete("Communication State"))?;
        // The title is closed by "===": an answer that ends inside it has not ended.
        if !communication.starts_with("===") {
            return Err(incomplete("the end of Communication State"));
        }
        Ok(FailoverState {
            this: HostState::read(this).ok_or(incomplete("the state of this host"))?,
            other: HostState::read(other).ok_or(incomplete("the state of the other host"))?,
            config: config_lines(config).map(ConfigState::read).collect(),
        })
    }

    /// Its side of the synchronisation, for the engine.
    pub(crate) fn sync(&self) -> ConfigSync {
        // Two lines at once are normal with several contexts; the worst one counts.
        let worst = self.config.iter().max_by_key(|state| match state {
            ConfigState::InSync(_) => 0,
            ConfigState::Syncing(_) => 1,
            ConfigState::Unknown(_) => 2,
        });
        match worst {
            Some(ConfigState::InSync(words)) => ConfigSync::InSync(words.clone()),
            Some(ConfigState::Syncing(words)) => ConfigSync::Syncing(words.clone()),
            Some(ConfigState::Unknown(words)) => ConfigSync::Unknown(words.clone()),
            None => ConfigSync::NotReported,
        }
    }
}

impl HostState {
    /// Reads what stands between the host's title and the next title.
    fn read(block: &str) -> Option<HostState> {
        let block = block.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
        let (word, after) = split_word(block);
        let (configured, block) = match ConfiguredRole::read(word) {
            Some(role) => (Some(role), after),
            // An unknown word before a state; without it the state itself comes first.
            None if known_state(block).is_none() && known_state(after.trim_start()).is_some() => {
                (None, after)
            }
            None => (None, block),
        };
        let mut lines = block.lines().filter(|line| !line.trim().is_empty());
        let line = lines.next()?.trim();
        let (words, state, rest) = split_state(line);
        let (reason, failed_at) = split_reason(rest);
        let interfaces = lines.filter_map(interface_fault).collect();
        Some(HostState {
            configured,
            state,
            words,
            last_failure: reason,
            failed_at,
            interfaces,
        })
    }

    /// The role for the engine.
    pub(crate) fn role(&self) -> Role {
        match self.state {
            UnitState::Active => Role::Active,
            UnitState::StandbyReady => Role::StandbyReady,
            UnitState::ColdStandby => Role::ColdStandby,
            UnitState::Passing => Role::Transitional(self.words.clone()),
            UnitState::NotDetected => Role::NotDetected,
            UnitState::Disabled => Role::Disabled,
            UnitState::Failed => Role::Failed(match &self.last_failure {
                Some(reason) => reason.clone(),
                None => self.words.clone(),
            }),
            UnitState::Unknown => Role::Unknown(self.words.clone()),
        }
    }
}

impl ConfigState {
    /// Meanings from the vendor's document 226013. "Skipped" is no fault: both configurations
    /// have the same hash, so nothing needed copying.
    fn read(line: &str) -> ConfigState {
        let words = line.to_owned();
        let bare = line.strip_suffix(" - STANDBY").unwrap_or(line);
        match bare {
            "Sync Done" | "Sync Skipped" => ConfigState::InSync(words),
            "Sync Required" | "Config Syncing" | "Interface config Syncing" => {
                ConfigState::Syncing(words)
            }
            _ if bare.eq_ignore_ascii_case("config sync ready") => ConfigState::Syncing(words),
            _ => ConfigState::Unknown(words),
        }
    }
}

/// The text before and after a title, less the signs around it.
fn split_at_marker<'a>(text: &'a str, title: &str) -> Option<(&'a str, &'a str)> {
    let (before, after) = text.split_once(title)?;
    Some((before.trim_end_matches(['=', ' ']), after))
}

fn config_lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_start_matches('=')
        .lines()
        .map(|line| line.trim().trim_end_matches('=').trim_end())
        .filter(|line| !line.is_empty())
}

fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

/// The known state that `line` begins with, the longest if several do.
fn known_state(line: &str) -> Option<(&'static str, UnitState)> {
    STATES
        .into_iter()
        .filter(|(words, _)| {
            line.strip_prefix(words)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        })
        .max_by_key(|(words, _)| words.len())
}

/// The state, its meaning, and the rest of the line. The state's column ends at two blanks; where
/// the layout is lost, at the end of a known state.
fn split_state(line: &str) -> (String, UnitState, &str) {
    if let Some((column, rest)) = line.split_once("  ") {
        let state = match known_state(column) {
            Some((words, state)) if words == column => state,
            // "Failed - No Active unit found" and its like.
            _ if column.starts_with("Failed") => UnitState::Failed,
            _ => UnitState::Unknown,
        };
        return (column.to_owned(), state, rest.trim_start());
    }
    match known_state(line) {
        Some((words, state)) => {
            let rest = line.get(words.len()..).unwrap_or_default().trim_start();
            let understood = rest.is_empty() || is_reason(rest);
            let state = if understood {
                state
            } else {
                UnitState::Unknown
            };
            (words.to_owned(), state, rest)
        }
        None => (line.to_owned(), UnitState::Unknown, ""),
    }
}

/// Whether `text` begins with a reason this driver knows, or a date. Only asked where the columns
/// are lost: there, `Active Whatever None` must not be read as `Active`.
fn is_reason(text: &str) -> bool {
    ["None", "Comm Failure", "Ifc Failure", "Backplane Failure"]
        .iter()
        .any(|known| text.starts_with(known))
        || leading_date(text).is_some()
}

/// Reason and time. "None" is no reason.
fn split_reason(text: &str) -> (Option<String>, Option<String>) {
    let starts = text
        .char_indices()
        .filter(|(at, _)| *at == 0 || text.as_bytes().get(at - 1) == Some(&b' '));
    for (at, _) in starts {
        if let Some((date, _)) = leading_date(text.get(at..).unwrap_or_default()) {
            let reason = text.get(..at).unwrap_or_default().trim();
            return (reason_of(reason), Some(date));
        }
    }
    (reason_of(text.trim()), None)
}

fn reason_of(text: &str) -> Option<String> {
    (!text.is_empty() && text != "None").then(|| text.to_owned())
}

/// `   inside: Failed` below a host.
fn interface_fault(line: &str) -> Option<(String, String)> {
    let (name, fault) = line.trim().split_once(": ")?;
    let known = ["Failed", "No Link", "Unknown"]
        .iter()
        .any(|word| fault.starts_with(word));
    known.then(|| (name.to_owned(), fault.trim().to_owned()))
}
