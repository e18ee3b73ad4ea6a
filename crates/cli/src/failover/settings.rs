//! The configuration: file, then environment, then arguments, merged once into plain values.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use elpis_failover::policy::Helpers;
use elpis_failover::{
    Auth, Fmc, FmcNames, FmcOptions, FtdDriver, FtdOptions, FtdUnit, Host, KnownHosts, Login,
    Policy, SshOptions, SshTransport, Unit,
};
use elpis_run::{Secret, fsx};
use serde::Deserialize;

use super::mistake::ConfigError;
use crate::environment::Environment;

/// Where the configuration is when nobody says otherwise.
const DEFAULT_CONFIG: &str = "/etc/elpis/failover.toml";
/// How long the journal remembers a run unless the configuration says otherwise.
const KEEP_DAYS: u32 = 1_100;

/// Everything a command needs to know.
pub(crate) struct Settings {
    pub(crate) state: PathBuf,
    pub(crate) keep_days: u32,
    pair: Option<RawPair>,
    policy: Option<Policy>,
    manager: Option<RawManager>,
    /// Who says now that no deployment is pending; wins over what the file says.
    pub(crate) no_pending_deployment: Option<String>,
    /// The configuration's own place, to which its paths are relative.
    base: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    state: RawState,
    pair: Option<RawPair>,
    policy: Option<Policy>,
    manager: Option<RawManager>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawState {
    directory: Option<PathBuf>,
    keep_days: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPair {
    a: RawUnit,
    b: RawUnit,
    known_hosts: Option<PathBuf>,
    transcripts: Option<PathBuf>,
    quiet: Option<Span>,
    no_pending_deployment: Option<String>,
    manager_version: Option<String>,
    space_factor: Option<f64>,
    fxos: Option<String>,
    #[serde(default)]
    state_limits: BTreeMap<String, Span>,
}

/// A duration such as `20m`.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Span(
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")] Duration,
);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManager {
    address: String,
    user: String,
    password_file: PathBuf,
    certificates: Option<PathBuf>,
    pair: String,
    units: [String; 2],
    requests_per_minute: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUnit {
    address: String,
    port: Option<u16>,
    user: String,
    password_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    agent_socket: Option<PathBuf>,
    sudo_password_file: Option<PathBuf>,
}

impl Settings {
    /// Reads and checks the configuration that `argument` names, or the environment, or nobody;
    /// only the last may be missing.
    pub(crate) fn load(
        argument: Option<&Path>,
        environment: &Environment,
    ) -> Result<Settings, ConfigError> {
        let named = argument.or(environment.failover_config.as_deref());
        let path = named.unwrap_or(Path::new(DEFAULT_CONFIG));
        let raw = match fsx::read_to_string(path) {
            Ok(text) => parse(path, &text)?,
            Err(error)
                if named.is_none() && error.source.kind() == std::io::ErrorKind::NotFound =>
            {
                RawConfig::default()
            }
            Err(error) => return Err(ConfigError::Missing(error)),
        };
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let state = raw.state.directory.map(|given| base.join(given));
        Ok(Settings {
            state: state
                .or_else(|| environment.state_directory())
                .ok_or(ConfigError::Unsaid {
                    what: "where runs are remembered",
                    hint: "set directory under [state], or $HOME",
                })?,
            keep_days: raw.state.keep_days.unwrap_or(KEEP_DAYS),
            pair: raw.pair,
            policy: raw.policy.map(|policy| located(policy, &base)),
            manager: raw.manager,
            no_pending_deployment: None,
            base,
        })
    }

    /// What is known without any file: enough for what needs no pair.
    pub(crate) fn bare(environment: &Environment) -> Settings {
        Settings {
            state: environment.state_directory().unwrap_or_default(),
            keep_days: KEEP_DAYS,
            pair: None,
            policy: None,
            manager: None,
            no_pending_deployment: None,
            base: PathBuf::new(),
        }
    }

    /// What the operator wants.
    pub(crate) fn policy(&self) -> Result<&Policy, ConfigError> {
        self.policy.as_ref().ok_or(ConfigError::Unsaid {
            what: "which version the pair shall run",
            hint: "write [policy.target] with version and package into the configuration",
        })
    }

    /// The driver of the configured pair. It connects when it is asked something.
    pub(crate) fn driver(&self) -> Result<FtdDriver, ConfigError> {
        let pair = self.pair()?;
        let mut options = FtdOptions::new([self.unit(&pair.a)?, self.unit(&pair.b)?]);
        let transcripts = pair.transcripts.clone();
        options.transcripts = Some(match transcripts {
            Some(dir) => self.base.join(dir),
            None => self.state.join("transcripts"),
        });
        let said_now = self.no_pending_deployment.clone();
        options.no_pending_deployment = said_now.or_else(|| pair.no_pending_deployment.clone());
        if self.manager.is_some() {
            options.manager = Some(Arc::new(self.manager()?));
        }
        for (state, Span(limit)) in &pair.state_limits {
            options.patience.insert(state.clone(), *limit);
        }
        if let Some(Span(quiet)) = pair.quiet {
            options.quiet = quiet;
        }
        options.manager_version = pair.manager_version.clone();
        options.space_factor = pair.space_factor.unwrap_or(options.space_factor);
        if let (Some(fxos), Some(policy)) = (&pair.fxos, &self.policy) {
            options.fxos = Some((policy.target.version.clone(), fxos.clone()));
        }
        Ok(FtdDriver::new(options, Arc::new(self.transport()?)))
    }

    /// Whether the pair's manager can be asked.
    pub(crate) fn has_manager(&self) -> bool {
        self.manager.is_some()
    }

    /// Whether a pair is configured at all.
    pub(crate) fn has_pair(&self) -> bool {
        self.pair.is_some()
    }

    /// The pair's manager. It connects when it is asked something.
    pub(crate) fn manager(&self) -> Result<Fmc, ConfigError> {
        let manager = self.manager.as_ref().ok_or(ConfigError::Unsaid {
            what: "which manager the pair has",
            hint: "write [manager] into the configuration; docs/failover.md has an example",
        })?;
        let password = self.secret(&manager.password_file)?;
        let mut options = FmcOptions::new(manager.address.clone(), manager.user.clone(), password);
        options.certificates = manager
            .certificates
            .as_ref()
            .map(|path| self.base.join(path));
        options.requests_per_minute = manager
            .requests_per_minute
            .unwrap_or(options.requests_per_minute);
        let names = FmcNames {
            pair: manager.pair.clone(),
            units: manager.units.clone(),
        };
        Fmc::new(options, names).map_err(|source| ConfigError::Manager(Box::new(source)))
    }

    /// Connections that trust the configured known hosts.
    pub(crate) fn transport(&self) -> Result<SshTransport, ConfigError> {
        Ok(SshTransport::new(SshOptions::new(self.known_hosts()?)))
    }

    /// The file of known hosts.
    pub(crate) fn known_hosts(&self) -> Result<KnownHosts, ConfigError> {
        let pair = self.pair()?;
        Ok(KnownHosts::at(match &pair.known_hosts {
            Some(path) => self.base.join(path),
            None => self.state.join("known_hosts"),
        }))
    }

    /// Where a unit answers.
    pub(crate) fn host(&self, unit: Unit) -> Result<Host, ConfigError> {
        let pair = self.pair()?;
        Ok(match unit {
            Unit::A => host(&pair.a),
            Unit::B => host(&pair.b),
        })
    }

    fn pair(&self) -> Result<&RawPair, ConfigError> {
        self.pair.as_ref().ok_or(ConfigError::Unsaid {
            what: "which two units form the pair",
            hint: "write [pair.a] and [pair.b] into /etc/elpis/failover.toml, or name another \
                   file with --config; `elpis-failover demo` needs none",
        })
    }

    fn unit(&self, unit: &RawUnit) -> Result<FtdUnit, ConfigError> {
        let auth = match (&unit.password_file, &unit.key_file, &unit.agent_socket) {
            (Some(file), None, None) => Auth::Password(self.secret(file)?),
            (None, Some(key), None) => Auth::Key {
                path: self.base.join(key),
                passphrase: match &unit.passphrase_file {
                    Some(file) => Some(self.secret(file)?),
                    None => None,
                },
            },
            (None, None, Some(socket)) => Auth::Agent(socket.clone()),
            _ => {
                return Err(ConfigError::Unsaid {
                    what: "how to log in on a unit",
                    hint: "set exactly one of password_file, key_file and agent_socket",
                });
            }
        };
        let sudo = unit.sudo_password_file.as_ref();
        Ok(FtdUnit {
            host: host(unit),
            login: Login {
                user: unit.user.clone(),
                auth,
            },
            sudo_password: sudo.map(|file| self.secret(file)).transpose()?,
        })
    }

    /// The first line of a file that only its owner may read.
    fn secret(&self, file: &Path) -> Result<Secret<String>, ConfigError> {
        let path = self.base.join(file);
        let mode = std::fs::metadata(&path).map(|found| found.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            return Err(ConfigError::Wrong {
                path,
                reason: "others may read or write it; chmod 600".to_owned(),
            });
        }
        let text = Secret::new(fsx::read_to_string(&path).map_err(ConfigError::Missing)?);
        let line = text.expose().lines().next().unwrap_or_default().to_owned();
        Ok(Secret::new(line))
    }
}

fn host(unit: &RawUnit) -> Host {
    Host {
        address: unit.address.clone(),
        port: unit.port.unwrap_or(22),
    }
}

fn parse(path: &Path, text: &str) -> Result<RawConfig, ConfigError> {
    let raw: RawConfig = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or("").matches('\n').count() + 1;
        ConfigError::Wrong {
            path: path.to_owned(),
            reason: format!("line {line}: {}", error.message().replace('\n', "; ")),
        }
    })?;
    let wrong = |reason: &str| ConfigError::Wrong {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let is_restless = |pair: &RawPair| pair.quiet.is_some_and(|Span(quiet)| quiet.is_zero());
    if raw.pair.as_ref().is_some_and(is_restless) {
        return Err(wrong("pair.quiet: must be above 0"));
    }
    let has_word = |pair: &RawPair| pair.no_pending_deployment.is_some();
    if raw.manager.is_some() && raw.pair.as_ref().is_some_and(has_word) {
        return Err(wrong(
            "pair.no_pending_deployment: the manager is asked, nobody's word is needed",
        ));
    }
    if let Some(policy) = &raw.policy {
        policy.check().map_err(|source| ConfigError::Policy {
            path: path.to_owned(),
            source,
        })?;
        if let Some(reason) = unanswered(policy) {
            return Err(wrong(&reason));
        }
    }
    Ok(raw)
}

/// What the policy asks of the rest of the world and names nobody for.
fn unanswered(policy: &Policy) -> Option<String> {
    let helpers = &policy.helpers;
    let nobody_backs_up = helpers.backups.is_none() && helpers.safety_copy.is_empty();
    if policy.safety_copy.is_some() && nobody_backs_up {
        let text = "policy.safety_copy: set policy.helpers.backups or policy.helpers.safety_copy";
        return Some(text.to_owned());
    }
    if policy.maintenance_flag && helpers.maintenance.is_empty() {
        return Some("policy.maintenance_flag: set policy.helpers.maintenance".to_owned());
    }
    let idle = policy.hooks.iter().find(|hook| hook.command.is_empty())?;
    Some(format!("policy.hook {:?}: set its command", idle.name))
}

/// The policy with its paths, which are relative to the configuration.
fn located(policy: Policy, base: &Path) -> Policy {
    // Whole, so that it is the same place from wherever a plan is applied.
    let whole = |given: PathBuf| {
        let path = base.join(given);
        std::path::absolute(&path).unwrap_or(path)
    };
    let backups = policy.helpers.backups.map(whole);
    Policy {
        helpers: Helpers {
            backups,
            ..policy.helpers
        },
        ..policy
    }
}
