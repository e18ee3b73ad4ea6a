//! Whether a device is the one it was: OpenSSH's known_hosts, read strictly.
//!
//! Stricter than the library on purpose. A key of another *type* for a host that is known counts
//! as changed: whoever took the host's place would offer a type that is not on file. A revoked
//! key is refused whatever else the file says.

use std::fmt;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use elpis_run::{FsError, fsx};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};

use super::pattern::names;
use super::transport::Host;

/// The file of known hosts.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    path: PathBuf,
}

/// The key by which a device proved itself. Show its [`fingerprint`](HostKey::fingerprint) to a
/// person before [`KnownHosts::trust`]ing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(Box<PublicKey>);

/// Why a host key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostKeyError {
    /// No line names the host.
    #[error("its key {offered} is not known; compare it with the device's console and trust it")]
    Unknown {
        /// The key it showed.
        offered: HostKey,
    },
    /// The file has another key for the host.
    #[error(
        "it shows the key {offered}, but {} line {line} has {recorded}: either somebody is in \
         between, or its key was renewed; compare with the console, then remove that line",
        path.display()
    )]
    Changed {
        /// The key it showed.
        offered: HostKey,
        /// The key on file.
        recorded: HostKey,
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The key, or the authority that vouches for it, is marked as revoked.
    #[error("its key {offered} is revoked in {} line {line}", path.display())]
    Revoked {
        /// The key it showed.
        offered: HostKey,
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// It showed a certificate that is not good for it.
    #[error("its certificate is not accepted: {reason}")]
    Certificate {
        /// Why not.
        reason: String,
    },
    /// A line with a marker cannot be read: it may be the one that revokes the key.
    #[error("{} line {line} has a marker and cannot be read", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    Revoked,
    Authority,
}

/// A line that names the host in question.
struct Entry {
    line: usize,
    marker: Marker,
    key: PublicKey,
}

impl HostKey {
    /// `SHA256:...`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Such as `ssh-ed25519`.
    pub fn algorithm(&self) -> String {
        self.0.algorithm().to_string()
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm(), self.fingerprint())
    }
}

impl From<PublicKey> for HostKey {
    fn from(key: PublicKey) -> HostKey {
        HostKey(Box::new(PublicKey::from(key.key_data().clone())))
    }
}

impl KnownHosts {
    /// The file at `path`, which need not exist: then no host is known.
    pub fn at(path: impl Into<PathBuf>) -> KnownHosts {
        KnownHosts { path: path.into() }
    }

    /// Appends `key` as that of `host`. The file is created with mode 0600 if need be.
    ///
    /// # Errors
    /// When the file cannot be written, is a symbolic link, or others may read or write it.
    pub fn trust(&self, host: &Host, key: &HostKey) -> Result<(), FsError> {
        let write = |source| FsError::new("write", &self.path, source);
        let encoded = key
            .0
            .to_openssh()
            .map_err(|error| write(std::io::Error::new(ErrorKind::InvalidData, error)))?;
        let mut file = fsx::open_private(&self.path)?;
        let ends_open = self.ends_without_line_feed()?;
        file.seek(SeekFrom::End(0)).map_err(write)?;
        let line = format!(
            "{}{} {encoded}\n",
            if ends_open { "\n" } else { "" },
            name_of(host)
        );
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(write)
    }

    /// Decides about what `host` showed.
    pub(crate) fn check(
        &self,
        host: &Host,
        shown: &PublicKeyOrCertificate,
    ) -> Result<Result<(), HostKeyError>, FsError> {
        let entries = match self.entries(host)? {
            Ok(entries) => entries,
            Err(line) => return Ok(Err(line)),
        };
        Ok(match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(&entries, key),
            PublicKeyOrCertificate::Certificate(certificate) => {
                self.check_certificate(&entries, host, certificate)
            }
        })
    }

    /// The algorithms of the host's recorded keys, and whether an authority may vouch for it:
    /// what to ask the device for first.
    pub(crate) fn recorded(&self, host: &Host) -> Result<(Vec<Algorithm>, bool), FsError> {
        let entries = self.entries(host)?.unwrap_or_default();
        let of = |marker| entries.iter().filter(move |entry| entry.marker == marker);
        let algorithms = of(Marker::None)
            .map(|entry| entry.key.algorithm())
            .collect();
        let has_authority = of(Marker::Authority).next().is_some();
        Ok((algorithms, has_authority))
    }

    fn check_key(&self, entries: &[Entry], key: &PublicKey) -> Result<(), HostKeyError> {
        let same = |entry: &&Entry| entry.key.key_data() == key.key_data();
        let plain = || entries.iter().filter(|entry| entry.marker == Marker::None);
        let revoked = entries
            .iter()
            .filter(|entry| entry.marker == Marker::Revoked);
        if let Some(entry) = revoked.clone().find(same) {
            return Err(HostKeyError::Revoked {
                offered: HostKey::from(key.clone()),
                path: self.path.clone(),
                line: entry.line,
            });
        }
        match (plain().find(same), plain().next()) {
            (Some(_), _) => Ok(()),
            (None, Some(entry)) => Err(HostKeyError::Changed {
                offered: HostKey::from(key.clone()),
                recorded: HostKey::from(entry.key.clone()),
                path: self.path.clone(),
                line: entry.line,
            }),
            (None, None) => Err(HostKeyError::Unknown {
                offered: HostKey::from(key.clone()),
            }),
        }
    }

    fn check_certificate(
        &self,
        entries: &[Entry],
        host: &Host,
        certificate: &Certificate,
    ) -> Result<(), HostKeyError> {
        let refuse = |reason: &str| HostKeyError::Certificate {
            reason: reason.to_owned(),
        };
        let subject = PublicKey::from(certificate.public_key().clone());
        for entry in entries
            .iter()
            .filter(|entry| entry.marker == Marker::Revoked)
        {
            let data = entry.key.key_data();
            if data == certificate.public_key() || data == certificate.signature_key() {
                return Err(HostKeyError::Revoked {
                    offered: HostKey::from(subject),
                    path: self.path.clone(),
                    line: entry.line,
                });
            }
        }
        let authorities: Vec<_> = entries
            .iter()
            .filter(|entry| entry.marker == Marker::Authority)
            .map(|entry| entry.key.fingerprint(HashAlg::Sha256))
            .collect();
        if authorities.is_empty() {
            return self.check_key(entries, &subject);
        }
        if certificate.cert_type() != CertType::Host {
            return Err(refuse("it is not one for a host"));
        }
        let principals = certificate.valid_principals();
        // OpenSSH compares the bare name, without brackets and port.
        let name = host.address.to_lowercase();
        if !principals.is_empty() && !principals.iter().any(|principal| names(principal, &name)) {
            return Err(refuse("it is made out to another host"));
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        certificate
            .validate_at(now, &authorities)
            .map_err(|_| refuse("it has expired, or none of the host's authorities signed it"))
    }

    /// The lines that name the host, or the error of one that cannot be read and might matter.
    fn entries(&self, host: &Host) -> Result<Result<Vec<Entry>, HostKeyError>, FsError> {
        let name = name_of(host);
        let mut entries = Vec::new();
        for (index, text) in self.read()?.lines().enumerate() {
            match parse_line(text) {
                Some((marker, hosts, Some(key))) if names(hosts, &name) => entries.push(Entry {
                    line: index + 1,
                    marker,
                    key,
                }),
                Some((Marker::Revoked | Marker::Authority, _, None)) => {
                    return Ok(Err(HostKeyError::Line {
                        path: self.path.clone(),
                        line: index + 1,
                    }));
                }
                _ => {}
            }
        }
        Ok(Ok(entries))
    }

    fn read(&self) -> Result<String, FsError> {
        match fsx::read_to_string(&self.path) {
            Err(error) if error.source.kind() == ErrorKind::NotFound => Ok(String::new()),
            other => other,
        }
    }

    fn ends_without_line_feed(&self) -> Result<bool, FsError> {
        let text = self.read()?;
        Ok(!text.is_empty() && !text.ends_with('\n'))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The name by which the file knows a host.
fn name_of(host: &Host) -> String {
    host.to_string().to_lowercase()
}

/// Marker, hosts and key of a line; `None` for an empty line or a comment. Fields are separated
/// by any number of blanks and tabs. Without a key the line could not be read.
fn parse_line(text: &str) -> Option<(Marker, &str, Option<PublicKey>)> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let mut fields = text.split_ascii_whitespace();
    let mut first = fields.next()?;
    let marker = match first {
        "@revoked" => Marker::Revoked,
        "@cert-authority" => Marker::Authority,
        _ => Marker::None,
    };
    if marker != Marker::None {
        first = fields.next().unwrap_or_default();
    }
    let key = match (fields.next(), fields.next()) {
        (Some(kind), Some(encoded)) => PublicKey::from_openssh(&format!("{kind} {encoded}")).ok(),
        _ => None,
    };
    // An unknown marker may mean anything.
    let marker = if first.starts_with('@') {
        Marker::Revoked
    } else {
        marker
    };
    Some((marker, first, key))
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
