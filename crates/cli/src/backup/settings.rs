//! The configuration: file, then environment, then arguments, merged once into plain values.

use std::fmt;
use std::path::{Path, PathBuf};

use elpis_backup::profile::DumpRules;
use elpis_backup::{KeepRules, Profile, ProfileError};
use elpis_mysql::{ConnectOptions, OptionFileError, read_option_file};
use elpis_pandora::PartNameError;
use elpis_run::{FsError, fsx};
use serde::Deserialize;

use super::pandora::Wanted;
use super::remote::{EncryptionSettings, StoreSettings};
use super::standstill::RestoreSettings;
use crate::environment::Environment;

/// Where the configuration is when nobody says otherwise.
const DEFAULT_CONFIG: &str = "/etc/elpis/backup.toml";
/// Where the administrator's account is when nobody says otherwise.
const DEFAULT_OPTIONS: &str = "/etc/elpis/backup.cnf";
/// The groups of an option file that are ours to read.
const OPTION_GROUPS: [&str; 4] = ["client", "client-mariadb", "mysqldump", "elpis"];
/// How long the journal remembers a run unless the configuration says otherwise.
const KEEP_DAYS: u32 = 400;

/// Everything a command needs to know. What the file does not say is `None`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) target: Option<PathBuf>,
    /// Whether the target must lie on a file system of its own.
    pub(crate) target_is_mounted: bool,
    pub(crate) state: PathBuf,
    pub(crate) keep_days: u32,
    pub(crate) keep: Option<KeepRules>,
    pub(crate) profile: Option<Profile>,
    pub(super) pandora: Option<Wanted>,
    pub(super) store: StoreSettings,
    pub(super) encryption: EncryptionSettings,
    pub(super) restore: RestoreSettings,
    pub(crate) is_root: bool,
}

/// Why there are no settings. Nothing was touched.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// A file cannot be read.
    Missing(FsError),
    /// The configuration is no TOML, or has a key or value that cannot be.
    Wrong { path: PathBuf, reason: String },
    /// The option file cannot be used.
    OptionFile(Box<OptionFileError>),
    /// Nobody says which account to use.
    NoUser { path: PathBuf },
    /// This build cannot do what it is asked to.
    #[cfg(not(all(feature = "s3", feature = "sftp", feature = "age")))]
    NotBuilt { feature: &'static str },
    /// Neither argument nor configuration says it.
    Unsaid {
        what: &'static str,
        hint: &'static str,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    target: RawTarget,
    state: RawState,
    keep: Option<KeepRules>,
    profile: Option<Profile>,
    pandora: Option<RawPandora>,
    store: StoreSettings,
    encryption: EncryptionSettings,
    restore: RestoreSettings,
}

/// `[pandora]`: an installation instead of a profile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPandora {
    /// The console's directory, or a `pandora_server.conf`.
    installation: PathBuf,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    history: bool,
    option_file: Option<PathBuf>,
    history_option_file: Option<PathBuf>,
    #[serde(default)]
    dump: DumpRules,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTarget {
    directory: Option<PathBuf>,
    mounted: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawState {
    directory: Option<PathBuf>,
    keep_days: Option<u32>,
}

impl Settings {
    /// Reads and checks the configuration that `argument` names, or the environment, or nobody;
    /// only the last may be missing.
    pub(crate) fn load(
        argument: Option<&Path>,
        environment: &Environment,
    ) -> Result<Settings, ConfigError> {
        let named = argument.or(environment.backup_config.as_deref());
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
        let beside = |given: PathBuf| path.parent().unwrap_or(Path::new("")).join(given);
        let state = raw
            .state
            .directory
            .map(&beside)
            .or_else(|| environment.state_directory());
        let pandora = raw
            .pandora
            .map(|raw| wanted(path, raw, &beside))
            .transpose()?;
        Ok(Settings {
            pandora,
            store: raw.store.beside(&beside),
            encryption: raw.encryption.beside(&beside),
            restore: raw.restore.beside(&beside),
            is_root: environment.is_root,
            target: raw.target.directory.map(&beside),
            target_is_mounted: raw.target.mounted,
            state: state.ok_or(ConfigError::Unsaid {
                what: "where runs are remembered",
                hint: "set directory under [state], or $HOME",
            })?,
            keep_days: raw.state.keep_days.unwrap_or(KEEP_DAYS),
            keep: raw.keep,
            profile: raw.profile,
        })
    }

    /// The directory with the archives.
    pub(crate) fn target(&self, argument: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
        argument
            .or_else(|| self.target.clone())
            .ok_or(ConfigError::Unsaid {
                what: "where the archives are",
                hint: "use --target DIR, or set directory under [target] in the configuration",
            })
    }

    /// What belongs into a backup.
    pub(crate) fn profile(&self) -> Result<Profile, ConfigError> {
        self.profile.clone().ok_or(ConfigError::Unsaid {
            what: "what belongs into a backup",
            hint: "write [profile] into /etc/elpis/backup.toml, or name another file with \
                   --config; `elpis-backup demo --keep DIR` writes an example",
        })
    }
}

fn wanted(
    path: &Path,
    raw: RawPandora,
    beside: &dyn Fn(PathBuf) -> PathBuf,
) -> Result<Wanted, ConfigError> {
    let wrong = |reason: String| ConfigError::Wrong {
        path: path.to_owned(),
        reason: format!("pandora.{reason}"),
    };
    let parts = raw.without.iter().map(|name| name.parse());
    raw.dump.check().map_err(|error| wrong(error.to_string()))?;
    Ok(Wanted {
        installation: beside(raw.installation),
        without: parts
            .collect::<Result<_, PartNameError>>()
            .map_err(|error| wrong(format!("without: {error}")))?,
        history: raw.history,
        option_file: raw.option_file.map(beside),
        history_option_file: raw.history_option_file.map(beside),
        database: None,
        dump: raw.dump,
    })
}

fn parse(path: &Path, text: &str) -> Result<RawConfig, ConfigError> {
    let wrong = |reason| ConfigError::Wrong {
        path: path.to_owned(),
        reason,
    };
    let raw: RawConfig = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or("").matches('\n').count() + 1;
        wrong(format!(
            "line {line}: {}",
            error.message().replace('\n', "; ")
        ))
    })?;
    if raw.profile.is_some() && raw.pandora.is_some() {
        return Err(wrong(
            "[profile] and [pandora] are there; a backup has one of them".to_owned(),
        ));
    }
    raw.store
        .check()
        .map_err(|reason| wrong(format!("store.{reason}")))?;
    raw.restore
        .check()
        .map_err(|reason| wrong(format!("restore.{reason}")))?;
    if let Some(profile) = &raw.profile {
        profile
            .check()
            .map_err(|error: ProfileError| wrong(format!("profile.{error}")))?;
    }
    Ok(raw)
}

/// The administrator's option file if nobody names another and it is there.
pub(super) fn usual_option_file() -> Option<PathBuf> {
    Some(PathBuf::from(DEFAULT_OPTIONS)).filter(|path| path.exists())
}

/// The option file that is named, else the usual one.
pub(super) fn option_file(named: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    named.or_else(usual_option_file).ok_or(ConfigError::Unsaid {
        what: "which account to use",
        hint: "use --option-file FILE",
    })
}

/// How to connect, as an option file says. `warnings` gets what an operator should know.
pub(crate) fn connect_options(
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<ConnectOptions, ConfigError> {
    let ours = ConnectOptions {
        program: "elpis-backup".to_owned(),
        ..ConnectOptions::default()
    };
    connect_options_over(path, ours, warnings)
}

/// The same; what the file does not say is as in `known`.
pub(super) fn connect_options_over(
    path: &Path,
    known: ConnectOptions,
    warnings: &mut Vec<String>,
) -> Result<ConnectOptions, ConfigError> {
    let file = read_option_file(path, &OPTION_GROUPS, known)
        .map_err(|source| ConfigError::OptionFile(Box::new(source)))?;
    warnings.extend(file.warnings);
    if file.options.user.is_empty() {
        return Err(ConfigError::NoUser {
            path: path.to_owned(),
        });
    }
    Ok(file.options)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Missing(error) => error.fmt(f),
            ConfigError::Wrong { path, reason } => write!(f, "{}: {reason}", path.display()),
            ConfigError::OptionFile(error) => error.fmt(f),
            ConfigError::NoUser { path } => write!(f, "{} names no user", path.display()),
            #[cfg(not(all(feature = "s3", feature = "sftp", feature = "age")))]
            ConfigError::NotBuilt { feature } => {
                write!(f, "this program was built without feature {feature}")
            }
            ConfigError::Unsaid { what, .. } => write!(f, "nobody says {what}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Missing(error) => error.source(),
            ConfigError::OptionFile(error) => error.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup.toml");
        fsx::write_durable(&path, text.as_bytes(), 0o600).unwrap();
        let home = Environment {
            home: Some("/home/me".into()),
            ..Environment::default()
        };
        let settings = Settings::load(Some(&path), &home)?;
        let below = |path: PathBuf| {
            path.strip_prefix(dir.path())
                .map_or(path.clone(), Path::to_owned)
        };
        Ok(Settings {
            target: settings.target.map(below),
            ..settings
        })
    }

    #[test]
    fn a_configuration_is_read_and_paths_are_relative_to_it() {
        let settings = load(
            "[target]\ndirectory = 'archives'\n[keep]\ndaily = 7\n[profile]\nname = 'a'\n\
             prefix = 'a'\n[[profile.component]]\nname = 'etc'\npaths = ['/etc/a']\n",
        )
        .unwrap();
        assert_eq!(settings.target.as_deref(), Some(Path::new("archives")));
        assert_eq!(settings.state, Path::new("/home/me/.local/state/elpis"));
        assert_eq!(
            settings.keep,
            Some(KeepRules {
                daily: 7,
                ..KeepRules::default()
            })
        );
        assert_eq!(settings.profile().unwrap().components.len(), 1);
    }

    #[test]
    fn mistakes_have_places() {
        for (text, said) in [
            ("[target]\ndir = 'x'\n", "line 2: unknown field `dir`"),
            ("[keep]\ndaily = -1\n", "line 2"),
            (
                "[profile]\nname = 'a'\nprefix = 'a/b'\n",
                "profile.prefix: must be",
            ),
            (
                "[restore]\nstop = [['systemctl', 'stop', 'x']]\n",
                "restore.start: is missing",
            ),
            ("[restore]\nstop = [[]]\nstart = [['x']]\n", "restore.stop"),
            (
                "[pandora]\ninstallation = '/c'\nwithout = ['consoles']\n",
                "pandora.without: \"consoles\" is no part",
            ),
            (
                "[pandora]\ninstallation = '/c'\n[pandora.dump]\nreaders = 0\n",
                "pandora.dump.readers: must lie",
            ),
            (
                "[pandora]\ninstallation = '/c'\n[profile]\nname = 'a'\nprefix = 'a'\n\
                 [[profile.component]]\nname = 'etc'\npaths = ['/etc/a']\n",
                "a backup has one of them",
            ),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let missing = Settings::load(Some(Path::new("/no/such/file")), &Environment::default());
        assert!(matches!(missing, Err(ConfigError::Missing(_))));
    }
}
