//! The console's `config.php`, read and never run.
//!
//! It is a PHP file that assigns values to `$config["…"]`, with comments, several `<?php … ?>`
//! blocks and both kinds of quotes. What counts is the last assignment of a literal; what only
//! running the file could tell is refused by name.

mod assign;
mod string;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use elpis_run::Secret;

use super::{ConfigError, Database, Place};

/// The values that a `config.php` assigns to `$config`.
pub struct PhpConfig {
    path: PathBuf,
    values: BTreeMap<Vec<u8>, Assigned>,
}

struct Assigned {
    /// The line of the assignment, from one.
    line: usize,
    value: Value,
}

enum Value {
    /// A literal, of whatever encoding; numbers as they are written.
    Literal(Secret<Vec<u8>>),
    /// `null`, which is no value.
    Null,
    /// Known only to whoever runs the file, and why.
    Computed(&'static str),
}

impl PhpConfig {
    /// Reads the bytes of the file at `path`, which is only named in messages.
    ///
    /// # Errors
    /// [`ConfigError::Unended`] for a string or comment without an end.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<PhpConfig, ConfigError> {
        let tokens = token::tokens(bytes).map_err(|unended| ConfigError::Unended {
            place: Place::new(path, unended.line),
            what: unended.what,
        })?;
        let mut values = BTreeMap::new();
        for (key, assigned) in assign::assignments(&tokens) {
            values.insert(key, assigned);
        }
        Ok(PhpConfig {
            path: path.to_owned(),
            values,
        })
    }

    /// The text of a value; `None` if it is not set, `null` or empty. Booleans are `1` and empty,
    /// as PHP writes them.
    ///
    /// # Errors
    /// [`ConfigError::NotLiteral`] or [`ConfigError::NotText`], with the line.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ConfigError> {
        let Some(assigned) = self.values.get(key.as_bytes()) else {
            return Ok(None);
        };
        let place = || Place::new(&self.path, assigned.line);
        let key = || key.to_owned();
        match &assigned.value {
            Value::Null => Ok(None),
            Value::Computed(why) => Err(ConfigError::NotLiteral {
                place: place(),
                key: key(),
                why,
            }),
            Value::Literal(bytes) => match std::str::from_utf8(bytes.expose()) {
                Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
                Err(_) => Err(ConfigError::NotText {
                    place: place(),
                    key: key(),
                }),
            },
        }
    }

    /// How the console reaches its database.
    ///
    /// # Errors
    /// [`ConfigError`] if `dbname`, `dbuser` or `dbhost` is missing, if one of them or the
    /// password is no literal text, or if `dbport` is no port.
    pub fn database(&self) -> Result<Database, ConfigError> {
        let needed = |key: &str| {
            self.text(key)?.ok_or_else(|| ConfigError::Missing {
                path: self.path.clone(),
                key: format!("$config[\"{key}\"]"),
            })
        };
        let password = self.text("dbpass")?;
        let database = Database {
            host: String::new(),
            port: self.port()?,
            socket: None,
            name: needed("dbname")?.to_owned(),
            user: needed("dbuser")?.to_owned(),
            password: password.map(|password| Secret::new(password.to_owned())),
            tls: None,
        };
        Ok(database.at_host(needed("dbhost")?))
    }

    fn port(&self) -> Result<u16, ConfigError> {
        let Some(port) = self.text("dbport")? else {
            return Ok(3306);
        };
        port.trim()
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| {
                let line = self
                    .values
                    .get(&b"dbport"[..])
                    .map_or(1, |found| found.line);
                ConfigError::Value {
                    place: Place::new(&self.path, line),
                    key: "dbport".to_owned(),
                    reason: "is no port: it must lie between 1 and 65535",
                }
            })
    }
}

impl fmt::Debug for PhpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhpConfig")
            .field("path", &self.path)
            .field("values", &self.values.len())
            .finish()
    }
}

/// How the console reaches its database, from the bytes of its `config.php` at `path` (which is
/// only named in messages).
///
/// # Errors
/// As [`PhpConfig::parse`] and [`PhpConfig::database`].
pub fn console_database(path: &Path, bytes: &[u8]) -> Result<Database, ConfigError> {
    PhpConfig::parse(path, bytes)?.database()
}
