//! Stores besides a directory, and keys: what arguments and configuration say of them, and what
//! this build can do with it.

use std::path::{Path, PathBuf};
#[cfg(feature = "remote")]
use std::sync::Arc;
#[cfg(feature = "s3")]
use std::time::Duration;

use anyhow::Result;
#[cfg(feature = "remote")]
use elpis_backup::Pacer;
use elpis_backup::{Encryption, Keys, ObjectStore};
#[cfg(feature = "remote")]
use elpis_run::RealClock;
use elpis_run::StopToken;
use serde::Deserialize;

#[cfg(feature = "remote")]
use super::output::Progress;
use super::settings::ConfigError;
use crate::output::Printer;

/// What the address of a store begins with.
const SCHEMES: [&str; 2] = ["s3://", "sftp://"];

/// `[store]`: a second place, where archives are copied to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(
    not(all(feature = "s3", feature = "sftp")),
    allow(dead_code, reason = "only these features read it")
)]
pub(crate) struct StoreSettings {
    /// `s3://BUCKET/PREFIX` or `sftp://[USER@]HOST[:PORT]/PATH`.
    pub(super) url: Option<String>,
    /// How `ssh` is called, instead of by its name alone.
    ssh: Option<Vec<String>>,
    endpoint: Option<String>,
    region: Option<String>,
    path_style: Option<bool>,
    credentials: Option<PathBuf>,
    group: Option<String>,
    ca: Option<PathBuf>,
    read_back: Option<bool>,
    patience_s: Option<u64>,
    /// The most that is sent, in bytes a second.
    bytes_per_second: Option<u64>,
    keep_local: Option<bool>,
}

/// `[encryption]`: for whom archives are encrypted, and what opens them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EncryptionSettings {
    to: Vec<String>,
    recipients_file: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    identity: Option<PathBuf>,
}

impl StoreSettings {
    /// The same with paths relative to the configuration.
    pub(super) fn beside(self, beside: &dyn Fn(PathBuf) -> PathBuf) -> StoreSettings {
        StoreSettings {
            credentials: self.credentials.map(beside),
            ca: self.ca.map(beside),
            ..self
        }
    }

    /// Whether archives stay in the directory when they have been copied.
    #[cfg(feature = "remote")]
    pub(super) fn keep_local(&self) -> bool {
        self.keep_local.unwrap_or(true)
    }

    /// The same with another rate, if there is one.
    #[cfg(feature = "remote")]
    pub(super) fn at_most(self, rate: Option<u64>) -> StoreSettings {
        StoreSettings {
            bytes_per_second: rate.or(self.bytes_per_second),
            ..self
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self.bytes_per_second {
            Some(..100_000) => Err("bytes_per_second must be 100000 or more"),
            _ => Ok(()),
        }
    }

    /// What holds the rate.
    #[cfg(feature = "remote")]
    fn pacer(&self) -> Option<Pacer> {
        let clock = || Arc::new(RealClock::new());
        self.bytes_per_second.map(|rate| Pacer::new(clock(), rate))
    }
}

impl EncryptionSettings {
    /// The same with paths relative to the configuration.
    pub(super) fn beside(self, beside: &dyn Fn(PathBuf) -> PathBuf) -> EncryptionSettings {
        EncryptionSettings {
            to: self.to,
            recipients_file: self.recipients_file.map(beside),
            passphrase_file: self.passphrase_file.map(beside),
            identity: self.identity.map(beside),
        }
    }

    /// For whom the archive is encrypted. Arguments replace all of the configuration's.
    pub(super) fn encryption(
        &self,
        to: &[String],
        passphrase: Option<&Path>,
    ) -> Result<Option<Encryption>> {
        let said = !to.is_empty() || passphrase.is_some();
        let (to, file, passphrase) = match said {
            true => (to, None, passphrase),
            false => (
                &self.to[..],
                self.recipients_file.as_deref(),
                self.passphrase_file.as_deref(),
            ),
        };
        let ways = [!to.is_empty(), file.is_some(), passphrase.is_some()];
        match ways.iter().filter(|way| **way).count() {
            0 => Ok(None),
            1 => encryption(to, file, passphrase).map(Some),
            _ => Err(ConfigError::Unsaid {
                what: "which of several ways to encrypt is meant",
                hint: "use one of recipients, a file of recipients, a passphrase",
            }
            .into()),
        }
    }

    /// What opens encrypted archives. Arguments replace all of the configuration's.
    pub(super) fn keys(&self, identities: &[PathBuf], passphrase: Option<&Path>) -> Result<Keys> {
        if !identities.is_empty() || passphrase.is_some() {
            return keys(identities, passphrase);
        }
        keys(self.identity.as_slice(), self.passphrase_file.as_deref())
    }
}

#[cfg(feature = "age")]
fn encryption(to: &[String], file: Option<&Path>, passphrase: Option<&Path>) -> Result<Encryption> {
    Ok(match (file, passphrase) {
        (Some(file), _) => Encryption::to_file(file)?,
        (None, Some(file)) => Encryption::passphrase(file)?,
        (None, None) => Encryption::to(to)?,
    })
}

#[cfg(not(feature = "age"))]
fn encryption(_: &[String], _: Option<&Path>, _: Option<&Path>) -> Result<Encryption> {
    Err(ConfigError::NotBuilt { feature: "age" }.into())
}

#[cfg(feature = "age")]
fn keys(identities: &[PathBuf], passphrase: Option<&Path>) -> Result<Keys> {
    let mut keys = Keys::none();
    for file in identities {
        keys = keys.and(Keys::identities(file)?);
    }
    if let Some(file) = passphrase {
        keys = keys.and(Keys::passphrase(file)?);
    }
    Ok(keys)
}

#[cfg(not(feature = "age"))]
fn keys(identities: &[PathBuf], passphrase: Option<&Path>) -> Result<Keys> {
    match identities.is_empty() && passphrase.is_none() {
        true => Ok(Keys::none()),
        false => Err(ConfigError::NotBuilt { feature: "age" }.into()),
    }
}

/// The address that a path means, if it means one. A path may have lost one of two slashes.
pub(super) fn address(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    SCHEMES.iter().find_map(|scheme| {
        let rest = text.strip_prefix(scheme.strip_suffix('/')?)?;
        Some(format!(
            "{scheme}{}",
            rest.strip_prefix('/').unwrap_or(rest)
        ))
    })
}

/// The address of a store, and the name of an archive in it.
pub(super) fn split(address: &str) -> Option<(&str, &str)> {
    let (place, name) = address.rsplit_once('/')?;
    let is_place = |scheme: &&str| place.len() > scheme.len();
    let mut schemes = SCHEMES.iter().filter(|scheme| place.starts_with(**scheme));
    schemes.any(is_place).then_some((place, name))
}

/// The store at an address, as the configuration says how to reach it.
pub(super) fn open(
    address: &str,
    settings: &StoreSettings,
    stop: &StopToken,
    printer: Printer,
) -> Result<Box<dyn ObjectStore>> {
    match address.starts_with("sftp://") {
        true => open_sftp(address, settings, stop, printer),
        false => open_s3(address, settings, stop, printer),
    }
}

#[cfg(feature = "s3")]
fn open_s3(
    address: &str,
    settings: &StoreSettings,
    stop: &StopToken,
    printer: Printer,
) -> Result<Box<dyn ObjectStore>> {
    use elpis_backup::store::{S3Access, S3Options, S3Store};
    let credentials = settings.credentials.as_deref().ok_or(ConfigError::Unsaid {
        what: "which key opens the bucket",
        hint: "name a file with it as credentials under [store]",
    })?;
    let group = settings.group.as_deref().unwrap_or("default");
    let access = S3Access::read(credentials, group)?;
    let mut options = S3Options::new(address.parse()?, access);
    if let Some(endpoint) = &settings.endpoint {
        options = options.at(endpoint);
    }
    if let Some(region) = &settings.region {
        options.region.clone_from(region);
    }
    options.path_style = settings.path_style.unwrap_or(options.path_style);
    if let Some(seconds) = settings.patience_s {
        options.patience = Duration::from_secs(seconds);
    }
    options.read_back = settings.read_back.unwrap_or(options.read_back);
    options.certificates.clone_from(&settings.ca);
    options.pacer = settings.pacer();
    let observer = Arc::new(Progress::verifying(printer));
    Ok(Box::new(S3Store::new(options, stop.clone(), observer)?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(_: &str, _: &StoreSettings, _: &StopToken, _: Printer) -> Result<Box<dyn ObjectStore>> {
    Err(ConfigError::NotBuilt { feature: "s3" }.into())
}

#[cfg(feature = "sftp")]
fn open_sftp(
    address: &str,
    settings: &StoreSettings,
    stop: &StopToken,
    printer: Printer,
) -> Result<Box<dyn ObjectStore>> {
    use elpis_backup::store::{SftpOptions, SftpStore};
    let mut options = SftpOptions::new(address.parse()?);
    if let Some(ssh) = settings.ssh.as_ref().filter(|words| !words.is_empty()) {
        options.ssh = ssh.iter().map(Into::into).collect();
    }
    options.read_back = settings.read_back.unwrap_or(options.read_back);
    options.pacer = settings.pacer();
    let observer = Arc::new(Progress::verifying(printer));
    Ok(Box::new(SftpStore::new(options, stop.clone(), observer)?))
}

#[cfg(not(feature = "sftp"))]
fn open_sftp(
    _: &str,
    _: &StoreSettings,
    _: &StopToken,
    _: Printer,
) -> Result<Box<dyn ObjectStore>> {
    Err(ConfigError::NotBuilt { feature: "sftp" }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        for (path, said) in [
            ("s3://bucket/a/b", Some("s3://bucket/a/b")),
            ("s3:/bucket", Some("s3://bucket")),
            ("/s3:/bucket", None),
            ("sftp://me@host:2222/a", Some("sftp://me@host:2222/a")),
            ("sftp:/host/a", Some("sftp://host/a")),
            ("archives", None),
        ] {
            assert_eq!(address(Path::new(path)).as_deref(), said, "{path}");
        }
        assert_eq!(split("s3://b/p/name"), Some(("s3://b/p", "name")));
        assert_eq!(split("s3://name"), None);
        assert_eq!(split("sftp://h/a/name"), Some(("sftp://h/a", "name")));
        assert_eq!(split("/var/name"), None);
    }

    #[test]
    fn one_way_to_encrypt_is_enough() {
        let settings = EncryptionSettings {
            to: vec!["age1".into()],
            passphrase_file: Some("p".into()),
            ..EncryptionSettings::default()
        };
        assert!(settings.encryption(&[], None).is_err());
        let nobody = EncryptionSettings::default();
        assert!(nobody.encryption(&[], None).unwrap().is_none());
    }
}
