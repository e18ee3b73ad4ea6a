//! What the operator wants: which version, when, how carefully. No I/O, no clock.

mod limits;
mod window;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact;
use serde::{Deserialize, Serialize};

pub use limits::{Estimates, Limits};
pub use window::Window;

use crate::driver::Target;

/// A policy for the upgrade of one pair. Unknown keys are errors; [`Policy::from_toml`] checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What both units shall run.
    pub target: Target,
    /// Whether the originally active unit shall be active again in the end. Costs one more
    /// switchover.
    #[serde(default)]
    pub switch_back: bool,
    /// Whether the monitoring of the pair is told before the first change and after the end.
    #[serde(default)]
    pub maintenance_flag: bool,
    /// Monitored faults of a unit that do not matter, exactly as the driver words them.
    #[serde(default)]
    pub accepted_faults: BTreeSet<String>,
    /// When changes may be made; always, if there is none.
    #[serde(default)]
    pub window: Option<Window>,
    /// A verified backup that must exist; none is asked for, if there is none.
    #[serde(default)]
    pub safety_copy: Option<SafetyCopyRule>,
    /// Where a person must agree first.
    #[serde(default)]
    pub approve: BTreeSet<Gate>,
    /// Programs that watch, and may say no.
    #[serde(default, rename = "hook")]
    pub hooks: Vec<HookRule>,
    /// Who stands in for the rest of the world.
    #[serde(default, skip_serializing_if = "Helpers::is_empty")]
    pub helpers: Helpers,
    /// How long anything may take.
    #[serde(default)]
    pub limits: Limits,
    /// How long things usually take.
    #[serde(default)]
    pub estimates: Estimates,
}

/// How fresh the safety copy must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyCopyRule {
    /// The largest age of the newest verified backup.
    #[serde(with = "compact::required")]
    pub max_age: Duration,
}

/// A place in the sequence where a person must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Before the first installation.
    FirstInstall,
    /// Before traffic moves to the upgraded unit.
    Switchover,
    /// Before the second installation: from then on nothing can be switched back to the old
    /// version.
    SecondInstall,
    /// Before traffic moves back to the originally active unit.
    SwitchBack,
}

impl Gate {
    /// The word for it in policies and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Gate::FirstInstall => "first_install",
            Gate::Switchover => "switchover",
            Gate::SecondInstall => "second_install",
            Gate::SwitchBack => "switch_back",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookPoint {
    /// Before anything is changed.
    Start,
    /// Before each installation.
    BeforeInstall,
    /// Before each planned switchover.
    BeforeSwitchover,
    /// After each planned switchover: does the traffic flow? If not, the switchover is undone
    /// while that is possible.
    Probe,
    /// After everything. It can no longer refuse, only warn.
    End,
}

/// A program that is asked at one point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookRule {
    /// Its name in reports; unique.
    pub name: String,
    /// When it runs.
    pub at: HookPoint,
    /// After this long it counts as a refusal.
    #[serde(with = "compact::required", default = "hook_timeout")]
    pub timeout: Duration,
    /// Program and arguments, for [`Hooks`](crate::Hooks) that run programs. The engine does not
    /// read it.
    #[serde(default)]
    pub command: Vec<String>,
}

fn hook_timeout() -> Duration {
    Duration::from_secs(30)
}

/// Programs and places for [`SafetyCopy`](crate::SafetyCopy) and
/// [`MaintenanceFlag`](crate::MaintenanceFlag) that want some. The engine does not read them; they
/// are part of the policy, as the hooks' commands are, so that a plan names whom it relies on and a
/// later edit is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Helpers {
    /// Program and arguments that print the newest backup.
    pub safety_copy: Vec<String>,
    /// In place of that: a directory with archives.
    pub backups: Option<PathBuf>,
    /// Program and arguments that tell the monitoring.
    pub maintenance: Vec<String>,
}

impl Helpers {
    fn is_empty(&self) -> bool {
        *self == Helpers::default()
    }
}

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not TOML, a key that no setting answers to, or a value that is none. The text says where.
    #[error("the policy cannot be read: {0}")]
    Syntax(String),
    /// Settings that cannot be used, each with its key.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
}

impl Policy {
    /// Reads a policy from TOML text whose top level is the policy.
    ///
    /// # Errors
    /// [`PolicyError`]; every invalid setting is named.
    pub fn from_toml(text: &str) -> Result<Policy, PolicyError> {
        let policy: Policy = toml::from_str(text).map_err(|error| {
            let lines: Vec<&str> = error.message().lines().collect();
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            PolicyError::Syntax(format!("line {line}: {}", lines.join("; ")))
        })?;
        policy.check()?;
        Ok(policy)
    }

    /// A policy for `target` with every default.
    pub fn new(target: Target) -> Policy {
        Policy {
            target,
            switch_back: false,
            maintenance_flag: false,
            accepted_faults: BTreeSet::new(),
            window: None,
            safety_copy: None,
            approve: BTreeSet::new(),
            hooks: Vec::new(),
            helpers: Helpers::default(),
            limits: Limits::default(),
            estimates: Estimates::default(),
        }
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] with every problem.
    pub fn check(&self) -> Result<(), PolicyError> {
        let mut problems = Vec::new();
        if self.target.version.trim().is_empty() {
            problems.push("target.version is empty".to_owned());
        }
        let package = &self.target.package;
        if package.is_empty() || package.contains(['/', '\0', '\n']) || package.starts_with('-') {
            problems.push(format!(
                "target.package = {package:?}: must be a file name without a path"
            ));
        }
        if let Some(digest) = &self.target.digest
            && !is_digest(digest)
        {
            problems.push(format!(
                "target.digest = {digest:?}: must be an algorithm, a colon and hexadecimal digits \
                 in lower case, such as sha512:9f86..."
            ));
        }
        let mut names = BTreeSet::new();
        for hook in &self.hooks {
            let named = hook
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-');
            if hook.name.is_empty() || !named {
                problems.push(format!(
                    "hook.name = {:?}: must be letters, digits and `-`",
                    hook.name
                ));
            }
            if !names.insert(&hook.name) {
                problems.push(format!("hook.name = {:?}: is used twice", hook.name));
            }
            if hook.timeout.is_zero() {
                problems.push(format!("hook `{}`: timeout must be above 0", hook.name));
            }
        }
        if self.helpers.backups.is_some() && !self.helpers.safety_copy.is_empty() {
            let text = "helpers.backups and helpers.safety_copy: only one of them";
            problems.push(text.to_owned());
        }
        if let Some(window) = &self.window {
            problems.extend(window.problems());
        }
        problems.extend(self.limits.problems());
        if problems.is_empty() {
            Ok(())
        } else {
            Err(PolicyError::Invalid(problems))
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && hex.len() >= 32
            && hex
                .chars()
                .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    })
}
