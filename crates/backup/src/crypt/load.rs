//! Recipients, identities and passphrases, from files and arguments.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use age::secrecy::SecretString;
use age::x25519;
use elpis_run::{FsError, Secret, fsx};

use super::KeyError;
use super::age::{Encryption, Keys, To};

const RECIPIENT: &str = "recipient: they begin with age1";
const IDENTITY: &str = "identity: they begin with AGE-SECRET-KEY-1";

impl Encryption {
    /// To recipients such as `age1…` (X25519). Anybody of them can read the archives; this host
    /// cannot, unless it is one of them.
    ///
    /// # Errors
    /// [`KeyError::Wrong`] when one of them is none.
    pub fn to<S: AsRef<str>>(recipients: &[S]) -> Result<Encryption, KeyError> {
        // Never word for word: it may be an identity that somebody took for a recipient.
        let recipients = (1..)
            .zip(recipients)
            .map(|(number, one)| parse(one.as_ref(), &format!("recipient {number}")))
            .collect::<Result<_, _>>()?;
        Ok(Encryption(To::Recipients(recipients)))
    }

    /// To the recipients of a file: one a line, `#` begins a comment.
    ///
    /// # Errors
    /// When it cannot be read, names nobody, or has other lines.
    pub fn to_file(path: &Path) -> Result<Encryption, KeyError> {
        let recipients = lines(&fsx::read_to_string(path)?)
            .map(|(number, line)| parse(line, &format!("line {number} of {}", path.display())))
            .collect::<Result<Vec<_>, _>>()?;
        if recipients.is_empty() {
            return Err(KeyError::Empty {
                path: path.to_owned(),
                what: "recipient",
            });
        }
        Ok(Encryption(To::Recipients(recipients)))
    }

    /// With the passphrase that is the first line of a file of mode 0600.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or others can read it.
    pub fn passphrase(path: &Path) -> Result<Encryption, KeyError> {
        Ok(Encryption(To::Passphrase(passphrase(path)?)))
    }
}

impl Keys {
    /// The identities of a file as `age-keygen` writes it, of mode 0600.
    ///
    /// # Errors
    /// When it cannot be read, holds none, has other lines, or others can read it.
    pub fn identities(path: &Path) -> Result<Keys, KeyError> {
        let text = read_secret(path)?;
        let mut keys = Keys::none();
        for (number, line) in lines(text.expose()) {
            let identity = x25519::Identity::from_str(line).map_err(|_| KeyError::Wrong {
                place: format!("line {number} of {}", path.display()),
                what: IDENTITY,
            })?;
            keys.0.push(Arc::new(identity));
        }
        if keys.is_empty() {
            return Err(KeyError::Empty {
                path: path.to_owned(),
                what: "identity",
            });
        }
        Ok(keys)
    }

    /// The passphrase that is the first line of a file of mode 0600.
    ///
    /// # Errors
    /// As [`Encryption::passphrase`].
    pub fn passphrase(path: &Path) -> Result<Keys, KeyError> {
        Ok(Keys::of_passphrase(&passphrase(path)?))
    }

    /// These keys and others.
    pub fn and(mut self, others: Keys) -> Keys {
        self.0.extend(others.0);
        self
    }
}

fn parse(recipient: &str, place: &str) -> Result<x25519::Recipient, KeyError> {
    let wrong = |_| KeyError::Wrong {
        place: place.to_owned(),
        what: RECIPIENT,
    };
    x25519::Recipient::from_str(recipient).map_err(wrong)
}

/// Lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let trimmed = text.lines().map(str::trim);
    (1..)
        .zip(trimmed)
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn passphrase(path: &Path) -> Result<SecretString, KeyError> {
    let text = read_secret(path)?;
    match text.expose().lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line.to_owned())),
        _ => Err(KeyError::Empty {
            path: path.to_owned(),
            what: "passphrase in its first line",
        }),
    }
}

fn read_secret(path: &Path) -> Result<Secret<String>, KeyError> {
    let found = std::fs::metadata(path).map_err(|source| FsError::new("read", path, source))?;
    if found.mode() & 0o077 != 0 {
        return Err(KeyError::Open {
            path: path.to_owned(),
        });
    }
    Ok(Secret::new(fsx::read_to_string(path)?))
}
