//! Where a directory on another host is and how to get there.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use crate::pacer::Pacer;
use crate::store::StoreError;

/// A directory on another host: `sftp://[USER@]HOST[:PORT]/PATH`. The path is absolute; `/~/PATH`
/// begins in the account's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpAddress {
    /// The account; as `ssh` has it configured if nobody says.
    pub user: Option<String>,
    /// The host, or a name of the configuration of `ssh`.
    pub host: String,
    /// As `ssh` has it configured if nobody says.
    pub port: Option<u16>,
    /// The directory, without a slash at its end.
    pub path: String,
}

/// Where a directory on another host is and how to get there.
#[derive(Debug, Clone)]
pub struct SftpOptions {
    /// The directory.
    pub address: SftpAddress,
    /// The program with its own options, `ssh` by default. It knows keys and hosts; it is never
    /// asked to trust a host that it does not know, and never asks for a password.
    pub ssh: Vec<OsString>,
    /// Whether what has arrived is read back before it counts: it is by default. If not, an upload
    /// that was cut off begins again.
    pub read_back: bool,
    /// How fast archives are sent. Without limit by default.
    pub pacer: Option<Pacer>,
}

impl SftpOptions {
    /// The defaults.
    pub fn new(address: SftpAddress) -> SftpOptions {
        SftpOptions {
            address,
            ssh: vec!["ssh".into()],
            read_back: true,
            pacer: None,
        }
    }
}

impl SftpAddress {
    /// The directory as the other host knows it: relative ones begin in the account's home.
    pub(super) fn directory(&self) -> &str {
        self.path.strip_prefix("/~/").unwrap_or(&self.path)
    }
}

impl FromStr for SftpAddress {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<SftpAddress, StoreError> {
        let wrong = |why: &str| StoreError::Settings {
            what: text.to_owned(),
            why: why.to_owned(),
        };
        let form = || wrong("must be sftp://[USER@]HOST[:PORT]/PATH");
        let rest = text.strip_prefix("sftp://").ok_or_else(form)?;
        let (account, path) = rest.split_once('/').ok_or_else(form)?;
        let (user, place) = match account.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, account),
        };
        // A colon belongs to a port, unless it is within the brackets of an address.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (place, None),
        };
        let port = port.map(str::parse).transpose();
        let port = port.map_err(|_| wrong("the port must be a number up to 65535"))?;
        let host = host
            .strip_prefix('[')
            .map_or(Some(host), |host| host.strip_suffix(']'));
        let host = host
            .filter(|host| is_name(host, ".-_:%"))
            .ok_or_else(form)?;
        if user.is_some_and(|user| !is_name(user, ".-_\\")) {
            return Err(wrong("the account has characters that cannot be"));
        }
        let path = path.trim_end_matches('/');
        if path.is_empty() || path.chars().any(char::is_control) {
            return Err(wrong("names no directory"));
        }
        Ok(SftpAddress {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            path: format!("/{path}"),
        })
    }
}

/// Whether a word can be nothing but a name: not an option of `ssh`.
fn is_name(word: &str, besides: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || besides.contains(c);
    !word.is_empty() && !word.starts_with('-') && word.chars().all(plain)
}

impl fmt::Display for SftpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sftp://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for text in [
            "sftp://nas/backups",
            "sftp://backup@nas.example.org:2222/srv/pandora",
            "sftp://[fe80::1%eth0]:22/a",
            "sftp://me@[::1]/~/archives",
        ] {
            let address: SftpAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        let address: SftpAddress = "sftp://me@h:1/~/a/b/".parse().unwrap();
        assert_eq!(address.directory(), "a/b");
        assert_eq!(
            (address.user.as_deref(), address.port),
            (Some("me"), Some(1))
        );
        let address: SftpAddress = "sftp://h/a".parse().unwrap();
        assert_eq!(address.directory(), "/a");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "sftp://",
            "sftp:///path",
            "sftp://host",
            "sftp://host/",
            "sftp://-oProxyCommand=x/a",
            "sftp://-l@host/a",
            "sftp://a b/c",
            "sftp://host:port/a",
            "sftp://host:70000/a",
            "sftp://[::1/a",
            "sftp://host/a\nb",
            "s3://bucket/a",
        ] {
            assert!(text.parse::<SftpAddress>().is_err(), "{text}");
        }
    }
}
