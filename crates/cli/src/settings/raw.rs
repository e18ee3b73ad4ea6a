//! The configuration as written, and what each key may say.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use elpis_maint_core::policy::{Problem, RawPolicy};
use elpis_mysql::Tls;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::{Database, KEEP_DAYS, Server, State};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) database: Option<Spanned<RawServer>>,
    /// A Pandora FMS installation.
    pandora: Option<RawPandora>,
    #[serde(default)]
    pub(super) replica: Vec<Spanned<RawServer>>,
    #[serde(default)]
    pub(super) state: RawState,
    #[serde(default)]
    pub(super) policy: RawPolicy,
}

impl RawConfig {
    /// The product's configuration that it names, as it stands there.
    pub(super) fn conf(&self) -> Option<&Path> {
        let conf = self.pandora.as_ref()?.conf.as_ref()?;
        Some(conf.get_ref())
    }

    /// Whether it says which database is meant, rather than how to get at the product's.
    pub(super) fn names_a_database(&self) -> bool {
        let database = self.database.as_ref().map(Spanned::get_ref);
        database.is_some_and(|own| own.kind.is_some() || own.path.is_some() || own.name.is_some())
    }
}

/// `[pandora]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPandora {
    /// The product's `pandora_server.conf`.
    conf: Option<Spanned<PathBuf>>,
    /// The zone that the product writes DATETIME columns in.
    zone: Option<Spanned<String>>,
    /// Values of tokens of `tconfig`.
    #[serde(default)]
    tokens: BTreeMap<String, Spanned<RawToken>>,
    /// The same for the history database's own.
    #[serde(default)]
    history_tokens: BTreeMap<String, Spanned<RawToken>>,
    /// The password of the history database.
    history_password_file: Option<Spanned<PathBuf>>,
}

/// A number, a text or a switch, as the product would write it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawToken {
    Switch(bool),
    Number(i64),
    Text(String),
}

/// What the configuration adds to the product's own.
#[derive(Debug, Clone, Default)]
pub(super) struct Added {
    pub(super) conf: PathBuf,
    pub(super) zone: Option<TimeZone>,
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) history_tokens: BTreeMap<String, String>,
    pub(super) history_password_file: Option<PathBuf>,
    pub(super) max_share: Option<f64>,
}

/// `[database]`, and each `[[replica]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    kind: Option<Spanned<String>>,
    path: Option<Spanned<PathBuf>>,
    name: Option<Spanned<String>>,
    option_file: Option<Spanned<PathBuf>>,
    host: Option<Spanned<String>>,
    port: Option<Spanned<i64>>,
    socket: Option<Spanned<PathBuf>>,
    user: Option<Spanned<String>>,
    /// Only so that it can be refused with a good word, and never with its value.
    password: Option<Spanned<IgnoredAny>>,
    password_file: Option<Spanned<PathBuf>>,
    tls: Option<Spanned<String>>,
    ca: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawState {
    directory: Option<Spanned<PathBuf>>,
    keep_days: Option<Spanned<i64>>,
}

/// Collects problems while it turns raw values into settings.
pub(super) struct Check<'a> {
    base: &'a Path,
    text: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// Relative paths in the file at `path` are relative to its directory.
    pub(super) fn new(path: &'a Path, text: &'a str) -> Check<'a> {
        Check {
            base: path.parent().unwrap_or(Path::new("")),
            text,
            problems: Vec::new(),
        }
    }

    fn add(&mut self, span: Range<usize>, key: &str, reason: impl Into<String>) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        self.problems.push(Problem {
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            key: key.to_owned(),
            // Values are not repeated here: what stands in the wrong place may be a secret.
            value: String::new(),
            reason: reason.into(),
        });
    }

    fn resolve(&self, path: &Spanned<PathBuf>) -> PathBuf {
        self.base.join(path.get_ref())
    }

    /// What is added to the product's own configuration, which `argument` or the file names.
    pub(super) fn pandora(&mut self, raw: &RawConfig, argument: Option<&Path>) -> Option<Added> {
        let own = raw.pandora.as_ref();
        let named = own.and_then(|own| own.conf.as_ref());
        let named = named.map(|path| self.resolve(path));
        let Some(conf) = argument.map(Path::to_owned).or(named) else {
            if own.is_some() {
                let reason = "is missing, and there is no --pandora: name pandora_server.conf";
                self.add(0..0, "pandora.conf", reason);
            }
            return None;
        };
        let Some(own) = own else {
            let max_share = raw.policy.max_share();
            return Some(Added {
                conf,
                max_share,
                ..Added::default()
            });
        };
        let zone = own.zone.as_ref().and_then(|zone| {
            let found = TimeZone::get(zone.get_ref()).ok();
            if found.is_none() {
                let reason = "is no IANA time zone such as \"Europe/Madrid\"";
                self.add(zone.span(), "pandora.zone", reason);
            }
            found
        });
        let tokens = self.tokens("pandora.tokens", &own.tokens);
        let history_tokens = self.tokens("pandora.history_tokens", &own.history_tokens);
        let file = own.history_password_file.as_ref();
        Some(Added {
            conf,
            zone,
            tokens,
            history_tokens,
            history_password_file: file.map(|path| self.resolve(path)),
            max_share: raw.policy.max_share(),
        })
    }

    /// Tokens as the product would write them.
    fn tokens(
        &mut self,
        table: &str,
        written: &BTreeMap<String, Spanned<RawToken>>,
    ) -> BTreeMap<String, String> {
        let tokens = written.iter().map(|(token, value)| {
            if token.eq_ignore_ascii_case("history_db_pass") {
                let reason = "is a password and does not belong here: use history_password_file";
                self.add(value.span(), table, reason);
            }
            let value = match value.get_ref() {
                RawToken::Switch(on) => i64::from(*on).to_string(),
                RawToken::Number(number) => number.to_string(),
                RawToken::Text(text) => text.clone(),
            };
            (token.clone(), value)
        });
        tokens.collect()
    }

    /// What `[database]` says over the product's own configuration.
    pub(super) fn over_pandora(&mut self, raw: Option<&Spanned<RawServer>>) -> Server {
        let Some(raw) = raw else {
            return Server::default();
        };
        let table = raw.get_ref();
        let is_other = |kind: &&Spanned<String>| kind.get_ref() != "mysql";
        if let Some(kind) = table.kind.as_ref().filter(is_other) {
            let reason = "must be \"mysql\", which is what Pandora FMS uses";
            self.add(kind.span(), "database.kind", reason);
        }
        let path = [("path", table.path.as_ref().map(Spanned::span))];
        self.foreign("database", &path, "is for kind = \"sqlite\"");
        self.server("database", raw)
    }

    pub(super) fn database(&mut self, raw: Option<&Spanned<RawServer>>) -> Option<Database> {
        let Some(raw) = raw else {
            let reason = "is missing: say which database, or name the configuration of a Pandora \
                          FMS server with --pandora or [pandora] conf";
            self.add(0..0, "database", reason);
            return None;
        };
        let table = raw.get_ref();
        let Some(kind) = &table.kind else {
            let reason = "is missing: \"sqlite\" or \"mysql\" (which is also MariaDB)";
            self.add(raw.span(), "database.kind", reason);
            return None;
        };
        match kind.get_ref().as_str() {
            "sqlite" => {
                self.foreign("database", &table.server_keys(), "is for kind = \"mysql\"");
                let Some(path) = &table.path else {
                    self.add(
                        raw.span(),
                        "database.path",
                        "is missing: the database's file",
                    );
                    return None;
                };
                Some(Database::Sqlite(self.resolve(path)))
            }
            "mysql" => {
                let path = [("path", table.path.as_ref().map(Spanned::span))];
                self.foreign("database", &path, "is for kind = \"sqlite\"");
                let server = self.server("database", raw);
                if server.name.is_none() {
                    self.add(raw.span(), "database.name", "is missing: which database");
                }
                Some(Database::MySql(server))
            }
            _ => {
                let reason = "must be \"sqlite\" or \"mysql\" (which is also MariaDB)";
                self.add(kind.span(), "database.kind", reason);
                None
            }
        }
    }

    pub(super) fn replicas(
        &mut self,
        raw: &[Spanned<RawServer>],
        database: Option<&Database>,
    ) -> Vec<Server> {
        let mut servers = Vec::with_capacity(raw.len());
        for replica in raw {
            let table = replica.get_ref();
            if let Some(Database::Sqlite(_)) = database {
                self.add(replica.span(), "replica", "a SQLite file has no replicas");
            }
            let foreign = [
                ("kind", table.kind.as_ref().map(Spanned::span)),
                ("path", table.path.as_ref().map(Spanned::span)),
            ];
            self.foreign("replica", &foreign, "has no meaning for a replica");
            let server = self.server("replica", replica);
            if server.name.is_none() {
                let reason = "is missing: what to call it in messages";
                self.add(replica.span(), "replica.name", reason);
            }
            if server.host.is_none() && server.socket.is_none() && server.option_file.is_none() {
                let reason = "needs host, socket or option_file";
                self.add(replica.span(), "replica", reason);
            }
            servers.push(server);
        }
        servers
    }

    pub(super) fn state(&mut self, raw: &RawState, default: Option<PathBuf>) -> Option<State> {
        let keep_days = match &raw.keep_days {
            None => KEEP_DAYS,
            Some(days) => match u32::try_from(*days.get_ref()) {
                Ok(days @ 1..=36_500) => days,
                _ => {
                    let reason = "must lie between 1 and 36500";
                    self.add(days.span(), "state.keep_days", reason);
                    KEEP_DAYS
                }
            },
        };
        let named = raw.directory.as_ref().map(|path| self.resolve(path));
        let Some(directory) = named.or(default) else {
            let reason = "is missing, and without HOME there is no default";
            self.add(0..0, "state.directory", reason);
            return None;
        };
        Some(State {
            directory,
            keep_days,
        })
    }

    /// Keys that mean nothing where they stand.
    fn foreign(&mut self, table: &str, keys: &[(&str, Option<Range<usize>>)], reason: &str) {
        for (key, span) in keys {
            if let Some(span) = span {
                self.add(span.clone(), &format!("{table}.{key}"), reason);
            }
        }
    }

    fn server(&mut self, table: &str, raw: &Spanned<RawServer>) -> Server {
        let raw = raw.get_ref();
        let key = |name: &str| format!("{table}.{name}");
        if let Some(password) = &raw.password {
            let reason = "does not belong here: put it into a file of mode 0600 and name that \
                          with password_file, or use option_file";
            self.add(password.span(), &key("password"), reason);
        }
        let port = raw.port.as_ref().and_then(|port| {
            let valid = u16::try_from(*port.get_ref()).ok().filter(|port| *port > 0);
            if valid.is_none() {
                self.add(port.span(), &key("port"), "must lie between 1 and 65535");
            }
            valid
        });
        if let (Some(_), Some(socket)) = (&raw.host, &raw.socket) {
            self.add(socket.span(), &key("socket"), "and host exclude each other");
        }
        let ca = raw.ca.as_ref().map(|path| self.resolve(path));
        let tls = match raw.tls.as_ref().map(|tls| tls.get_ref().as_str()) {
            Some("required") => Some(Tls::Required {
                verify_host: ca.is_some(),
                ca,
            }),
            other => {
                if let (Some(_), Some(written)) = (other.filter(|tls| *tls != "off"), &raw.tls) {
                    let reason = "must be \"off\" or \"required\"";
                    self.add(written.span(), &key("tls"), reason);
                } else if let Some(ca) = &raw.ca {
                    self.add(ca.span(), &key("ca"), "needs tls = \"required\"");
                }
                other.map(|_| Tls::Off)
            }
        };
        let text = |value: &Option<Spanned<String>>| value.as_ref().map(|v| v.get_ref().clone());
        Server {
            name: text(&raw.name).filter(|name| !name.is_empty()),
            option_file: raw.option_file.as_ref().map(|path| self.resolve(path)),
            host: text(&raw.host),
            port,
            socket: raw.socket.as_ref().map(|path| self.resolve(path)),
            user: text(&raw.user),
            password: None,
            password_file: raw.password_file.as_ref().map(|path| self.resolve(path)),
            tls,
            under: None,
        }
    }
}

impl RawServer {
    /// The keys that only a server has, with their places if they are there.
    fn server_keys(&self) -> [(&'static str, Option<Range<usize>>); 10] {
        fn at<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
            value.as_ref().map(Spanned::span)
        }
        [
            ("name", at(&self.name)),
            ("option_file", at(&self.option_file)),
            ("host", at(&self.host)),
            ("port", at(&self.port)),
            ("socket", at(&self.socket)),
            ("user", at(&self.user)),
            ("password", at(&self.password)),
            ("password_file", at(&self.password_file)),
            ("tls", at(&self.tls)),
            ("ca", at(&self.ca)),
        ]
    }
}
