//! How databases on servers are dumped.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{ProfileError, name, wrong};
use crate::dump::{DumpLimits, DumpPolicy, Window};

/// How far a replica may be behind unless somebody says otherwise.
const REPLICA_LAG: Duration = Duration::from_secs(5);

/// How databases on servers are dumped; what is not said is as in [`DumpPolicy::new`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DumpRules {
    /// Parallel readers, 1 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<usize>,
    /// The most bytes of SQL text a second; at least 100,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// The longest time a dump may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<u64>,
    /// Whether a dump is made even if the account may not see everything.
    pub accept_gaps: bool,
    /// The dump waits while one of the replicas is further behind, in seconds; 5 if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replica_lag_s: Option<u64>,
    /// See [`DumpLimits::max_threads_running`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_threads_running: Option<u32>,
    /// See [`DumpLimits::critical_threads_running`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_threads_running: Option<u32>,
    /// See [`DumpLimits::max_history_list`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_history_list: Option<u64>,
    /// Whether closed windows that are as they were in the newest archive are used again. Their
    /// rows are read and compared all the same; packing them is saved.
    pub reuse: bool,
    /// The replicas that must not fall behind.
    #[serde(rename = "replica", skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
    /// Tables that are cut into windows of time, which costs the server more than reading them
    /// from end to end: see [`Window`].
    #[serde(rename = "window", skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// A replica of the server that is dumped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    /// What it is called in messages.
    pub name: String,
    /// The option file with its host, and an account that may ask for its state.
    pub option_file: PathBuf,
}

impl DumpRules {
    /// The policy for `databases` of one server.
    pub fn policy(&self, databases: Vec<String>) -> DumpPolicy {
        DumpPolicy {
            readers: self.readers,
            bytes_per_second: self.bytes_per_second,
            deadline: self.deadline_s.map(Duration::from_secs),
            accept_gaps: self.accept_gaps,
            windows: self.windows.clone(),
            ..DumpPolicy::new(databases)
        }
    }

    /// The limits on load; `None` if there are none, and nobody needs to measure.
    pub fn limits(&self) -> Option<DumpLimits> {
        let limits = DumpLimits {
            max_replica_lag: self
                .max_replica_lag_s
                .map_or(REPLICA_LAG, Duration::from_secs),
            max_threads_running: self.max_threads_running,
            critical_threads_running: self.critical_threads_running,
            max_history_list: self.max_history_list,
        };
        let is_limited = !self.replicas.is_empty()
            || limits.max_threads_running.is_some()
            || limits.critical_threads_running.is_some()
            || limits.max_history_list.is_some();
        is_limited.then_some(limits)
    }

    /// Checks rules that are not in a [`Profile`](super::Profile), which checks its own.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ProfileError> {
        if self
            .readers
            .is_some_and(|readers| !(1..=64).contains(&readers))
        {
            return wrong("dump.readers", "must lie between 1 and 64");
        }
        if self.bytes_per_second.is_some_and(|rate| rate < 100_000) {
            return wrong("dump.bytes_per_second", "must be 100000 or more");
        }
        if self.deadline_s == Some(0) {
            return wrong("dump.deadline_s", "must be 1 or more");
        }
        if self.max_replica_lag_s.is_some() && self.replicas.is_empty() {
            return wrong("dump.max_replica_lag_s", "needs a [[dump.replica]]");
        }
        for replica in &self.replicas {
            name("dump.replica.name", &replica.name)?;
            if !replica.option_file.is_absolute() {
                return wrong("dump.replica.option_file", "must be absolute");
            }
        }
        if self.windows.iter().any(|window| window.width == 0) {
            return wrong("dump.window.width", "must be 1 or more");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_become_policy_and_limits() {
        let text = "deadline_s = 60\nmax_threads_running = 20\n\
                    [[replica]]\nname = 'db2'\noption_file = '/etc/elpis/db2.cnf'\n\
                    [[window]]\ntable = 'tagente_datos*'\ncolumn = 'utimestamp'\nwidth = 604800\n";
        let rules: DumpRules = toml::from_str(text).unwrap();
        assert_eq!(rules.check(), Ok(()));
        let policy = rules.policy(vec!["d".to_owned()]);
        assert_eq!(policy.deadline, Some(Duration::from_secs(60)));
        assert_eq!(policy.windows[0].width, 604_800);
        let limits = rules.limits().unwrap();
        assert_eq!(limits.max_replica_lag, Duration::from_secs(5));
        assert_eq!(limits.max_threads_running, Some(20));
        assert_eq!(DumpRules::default().limits(), None);
    }

    #[test]
    fn wrong_rules_are_named() {
        for (text, key) in [
            ("readers = 65", "dump.readers"),
            ("bytes_per_second = 1", "dump.bytes_per_second"),
            ("deadline_s = 0", "dump.deadline_s"),
            ("max_replica_lag_s = 3", "dump.max_replica_lag_s"),
            (
                "[[replica]]\nname = 'a'\noption_file = 'a.cnf'",
                "dump.replica.option_file",
            ),
            (
                "[[window]]\ntable = 'a'\ncolumn = 'b'\nwidth = 0",
                "dump.window.width",
            ),
        ] {
            let rules: DumpRules = toml::from_str(text).unwrap();
            let error = rules.check().unwrap_err().to_string();
            assert!(error.starts_with(key), "{text}: {error}");
        }
    }
}
