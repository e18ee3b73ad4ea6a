//! `pandora_server.conf`: lines of `token value`, without quotes.
//!
//! The product reads it in two ways, which differ. The maintenance tool takes any line of a token,
//! blanks and a value that ends in a blank, so that it does not see a last line without a line end.
//! The server takes lines that begin with a letter and somewhere have a word character, one blank,
//! and a character of a list (letters, digits and some punctuation), so that it does not see a
//! password that begins with `^`, nor a value behind two blanks; its tokens know no upper and
//! lower case. Elpis takes what either sees, and says where they would not agree.

mod dialect;
mod edit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use elpis_run::Secret;

use super::{ConfigError, Database, Place, Tls};

/// A `pandora_server.conf`, kept byte for byte.
pub struct ServerConf {
    path: PathBuf,
    /// All of it, since it holds a password.
    bytes: Secret<Vec<u8>>,
    lines: Vec<Line>,
}

/// Where one line has what.
#[derive(Debug, Clone)]
struct Line {
    /// Without its line end.
    whole: Range<usize>,
    /// Seen by the maintenance tool.
    tool: Option<Entry>,
    /// Seen by the server.
    server: Option<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Range<usize>,
    value: Range<usize>,
}

/// The value of a token, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// Its line, counted from one.
    pub line: usize,
    /// Its value without blanks at the ends, of whatever encoding.
    pub value: &'a [u8],
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a password.
        write!(f, "Token {{ line: {}, .. }}", self.line)
    }
}

/// A token that the product's own two readers do not read alike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// Only the maintenance tool sees it.
    #[error(
        "{place}: the Pandora FMS server does not see {token}, though its maintenance tool does: one blank, then a letter, a digit or one of / ? & = ( ) - _ . ! * @ # % $ ~ \" ' must begin its value"
    )]
    OnlyTool {
        /// Where it stands.
        place: Place,
        /// The token.
        token: String,
    },
    /// Only the server sees it.
    #[error(
        "{place}: the maintenance tool of Pandora FMS does not see {token}, though the server does: tokens are written in lower case, and a value ends with its line"
    )]
    OnlyServer {
        /// Where it stands.
        place: Place,
        /// The token.
        token: String,
    },
    /// They take it from different lines, or make different values of it.
    #[error(
        "{place}: the Pandora FMS server reads another value of {token} (line {server_line}) than its maintenance tool: write it once"
    )]
    Differ {
        /// Where the maintenance tool takes it from.
        place: Place,
        /// The token.
        token: String,
        /// Where the server takes it from.
        server_line: usize,
    },
}

impl ServerConf {
    /// Reads the bytes of the file at `path`, which is only named in messages. Lines that mean
    /// nothing are kept and ignored, as the product does; nothing is an error here.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> ServerConf {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let at = |range: Range<usize>| start + range.start..start + range.end;
            let entry = |(key, value)| Entry {
                key: at(key),
                value: at(value),
            };
            lines.push(Line {
                whole: at(0..line.strip_suffix(b"\n").unwrap_or(line).len()),
                tool: dialect::tool(line).map(entry),
                server: dialect::server(line).map(entry),
            });
            start += line.len();
        }
        ServerConf {
            path: path.to_owned(),
            bytes: Secret::new(bytes),
            lines,
        }
    }

    /// The file's name, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, byte for byte. It holds a password.
    pub fn bytes(&self) -> &Secret<Vec<u8>> {
        &self.bytes
    }

    /// The token's value: as the maintenance tool reads it, else as the server does. The last
    /// line that has it wins.
    pub fn get(&self, token: &str) -> Option<Token<'_>> {
        self.by_tool(token).or_else(|| self.by_server(token))
    }

    /// The same as text; `None` also if it is empty.
    ///
    /// # Errors
    /// [`ConfigError::NotText`] if it is not UTF-8.
    pub fn text(&self, token: &str) -> Result<Option<&str>, ConfigError> {
        let Some(found) = self.get(token) else {
            return Ok(None);
        };
        match std::str::from_utf8(found.value) {
            Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Err(_) => Err(ConfigError::NotText {
                place: self.place(found.line),
                key: token.to_owned(),
            }),
        }
    }

    /// Where the HA daemon writes the host it chose: `ha_hosts_file`, or the product's default.
    ///
    /// # Errors
    /// [`ConfigError::NotText`] if it is not UTF-8.
    pub fn ha_hosts_file(&self) -> Result<&Path, ConfigError> {
        let named = self.text("ha_hosts_file")?;
        let default = "/var/spool/pandora/data_in/conf/pandora_ha_hosts.conf";
        Ok(Path::new(named.unwrap_or(default)))
    }

    /// The line that a token stands in, for messages.
    pub fn place_of(&self, token: &str) -> Option<Place> {
        self.get(token).map(|found| self.place(found.line))
    }

    /// Every token that the product's two readers do not read alike, in the order of their names.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        let mut names = BTreeMap::new();
        for line in &self.lines {
            for entry in line.tool.iter().chain(&line.server) {
                let key = &self.bytes.expose()[entry.key.clone()];
                // What does not begin with a letter is a comment to the server, and to people.
                if key.first().is_some_and(u8::is_ascii_alphabetic)
                    && let Ok(key) = std::str::from_utf8(key)
                {
                    names.insert(key.to_ascii_lowercase(), ());
                }
            }
        }
        let names = names.into_keys();
        names.filter_map(|token| self.disagreement(token)).collect()
    }

    fn disagreement(&self, token: String) -> Option<Disagreement> {
        match (self.by_tool(&token), self.by_server(&token)) {
            (Some(tool), Some(server)) if tool.value == server.value => None,
            (Some(tool), Some(server)) => Some(Disagreement::Differ {
                place: self.place(tool.line),
                token,
                server_line: server.line,
            }),
            (Some(tool), None) if !tool.value.is_empty() => Some(Disagreement::OnlyTool {
                place: self.place(tool.line),
                token,
            }),
            (None, Some(server)) => Some(Disagreement::OnlyServer {
                place: self.place(server.line),
                token,
            }),
            _ => None,
        }
    }

    /// How the server and its maintenance tool reach the database. `dbhost` may have to give way
    /// to [`chosen_host`](super::chosen_host), which `host` then is.
    ///
    /// # Errors
    /// [`ConfigError`] if `dbname`, `dbuser` or (without `host`) `dbhost` is missing, if one of
    /// them or the password is not UTF-8, or if `dbport` is no port.
    pub fn database(&self, host: Option<&str>) -> Result<Database, ConfigError> {
        let needed = |key: &str| {
            self.text(key)?.ok_or_else(|| ConfigError::Missing {
                path: self.path.clone(),
                key: key.to_owned(),
            })
        };
        let flag = |key: &str| Ok::<_, ConfigError>(self.text(key)? == Some("1"));
        let host = match host {
            Some(host) => host,
            None => needed("dbhost")?,
        };
        let password = self.text("dbpass")?;
        let ca = self.text("dbsslcafile")?;
        let database = Database {
            host: String::new(),
            port: self.port()?,
            socket: None,
            name: needed("dbname")?.to_owned(),
            user: needed("dbuser")?.to_owned(),
            password: password.map(|password| Secret::new(password.to_owned())),
            tls: if flag("dbssl")? {
                Some(Tls {
                    ca: ca.map(PathBuf::from),
                    verify: flag("verify_mysql_ssl_cert")?,
                })
            } else {
                None
            },
        };
        Ok(database.at_host(host))
    }

    fn port(&self) -> Result<u16, ConfigError> {
        match (self.text("dbport")?, self.place_of("dbport")) {
            (Some(port), Some(place)) => match port.parse() {
                Ok(port) if port > 0 => Ok(port),
                _ => Err(ConfigError::Value {
                    place,
                    key: "dbport".to_owned(),
                    reason: "is no port: it must lie between 1 and 65535",
                }),
            },
            _ => Ok(3306),
        }
    }

    fn by_tool(&self, token: &str) -> Option<Token<'_>> {
        self.last(|line| line.tool.as_ref(), |key| key == token.as_bytes())
    }

    fn by_server(&self, token: &str) -> Option<Token<'_>> {
        self.last(
            |line| line.server.as_ref(),
            |key| key.eq_ignore_ascii_case(token.as_bytes()),
        )
    }

    fn last(
        &self,
        seen: impl Fn(&Line) -> Option<&Entry>,
        is: impl Fn(&[u8]) -> bool,
    ) -> Option<Token<'_>> {
        let bytes = self.bytes.expose();
        let lines = self.lines.iter().enumerate().rev();
        lines.into_iter().find_map(|(number, line)| {
            let entry = seen(line).filter(|entry| is(&bytes[entry.key.clone()]))?;
            Some(Token {
                line: number + 1,
                value: &bytes[entry.value.clone()],
            })
        })
    }

    fn place(&self, line: usize) -> Place {
        Place::new(&self.path, line)
    }
}

impl fmt::Debug for ServerConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConf")
            .field("path", &self.path)
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}
