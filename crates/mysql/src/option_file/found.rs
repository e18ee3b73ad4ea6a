//! The options an option file may set, and what they come to together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use elpis_run::Secret;

use crate::{ConnectOptions, Tls};

/// What has been read so far; later words go over earlier ones.
#[derive(Default)]
pub(super) struct Found {
    host: Option<String>,
    port: Option<u16>,
    socket: Option<PathBuf>,
    user: Option<String>,
    password: Option<Secret<String>>,
    database: Option<String>,
    ssl: Option<bool>,
    ssl_ca: Option<PathBuf>,
    ssl_verify: Option<bool>,
    connect_timeout: Option<Duration>,
    protocol: Option<Protocol>,
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Tcp,
    Socket,
}

impl Found {
    /// Takes one option; returns whether it was a password.
    pub(super) fn set(&mut self, key: &str, value: Option<String>) -> Result<bool, String> {
        let key = key.replace('_', "-");
        let key = key.strip_prefix("loose-").unwrap_or(&key);
        let off = ["skip-", "disable-"]
            .iter()
            .find_map(|prefix| key.strip_prefix(prefix));
        if let Some(switch @ ("ssl" | "ssl-verify-server-cert")) = off.or(Some(key)) {
            let on = match value {
                Some(value) => on_or_off(switch, &value)?,
                None => true,
            };
            let on = on && off.is_none();
            match switch {
                "ssl" => self.ssl = Some(on),
                _ => self.ssl_verify = Some(on),
            }
            return Ok(false);
        }
        if !matches!(
            key,
            "host"
                | "port"
                | "socket"
                | "user"
                | "password"
                | "database"
                | "ssl-ca"
                | "connect-timeout"
                | "protocol"
        ) {
            return Ok(false);
        }
        let Some(value) = value else {
            return Err(match key {
                "password" => "password without a value would ask on the terminal: \
                               write password=..."
                    .to_owned(),
                _ => format!("{key} needs a value"),
            });
        };
        match key {
            "host" => self.host = Some(value),
            // 0 is the client's way to say: the default.
            "port" => self.port = Some(number(key, &value)?).filter(|&port| port != 0),
            "socket" => self.socket = Some(value.into()),
            "user" => self.user = Some(value),
            "password" => {
                self.password = Some(Secret::new(value));
                return Ok(true);
            }
            "database" => self.database = Some(value),
            "ssl-ca" => self.ssl_ca = Some(value.into()).filter(|ca: &PathBuf| ca != Path::new("")),
            "connect-timeout" => {
                let seconds: u32 = number(key, &value)?;
                self.connect_timeout =
                    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
            }
            _ => {
                self.protocol = Some(match value.to_ascii_lowercase().as_str() {
                    "tcp" => Protocol::Tcp,
                    "socket" => Protocol::Socket,
                    _ => return Err(format!("protocol {value:?} is neither tcp nor socket")),
                });
            }
        }
        Ok(false)
    }

    pub(super) fn over(self, mut options: ConnectOptions) -> ConnectOptions {
        let elsewhere = |host: &String| !matches!(host.as_str(), "" | "localhost");
        let tcp = match self.protocol {
            Some(protocol) => protocol == Protocol::Tcp,
            None => self.host.as_ref().is_some_and(elsewhere),
        };
        options.socket = self.socket.or(options.socket).filter(|_| !tcp);
        options.host = self
            .host
            .filter(|host| !host.is_empty())
            .unwrap_or(options.host);
        options.port = self.port.unwrap_or(options.port);
        options.user = self.user.unwrap_or(options.user);
        options.password = self.password.or(options.password);
        options.database = self.database.or(options.database);
        options.connect_timeout = self.connect_timeout.unwrap_or(options.connect_timeout);
        // Naming an authority or asking for the check asks for encryption.
        let wanted = self.ssl_ca.is_some() || self.ssl_verify == Some(true);
        options.tls = match (self.ssl.or(wanted.then_some(true)), options.tls) {
            (None, tls) => tls,
            (Some(false), _) => Tls::Off,
            (Some(true), Tls::Off) => Tls::Required {
                ca: self.ssl_ca,
                verify_host: self.ssl_verify.unwrap_or(false),
            },
            (Some(true), Tls::Required { ca, verify_host }) => Tls::Required {
                ca: self.ssl_ca.or(ca),
                verify_host: self.ssl_verify.unwrap_or(verify_host),
            },
        };
        options
    }
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{key} {value:?} is not a number in its range"))
}

fn on_or_off(key: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "on" | "true" | "" => Ok(true),
        "0" | "off" | "false" => Ok(false),
        _ => Err(format!("{key} {value:?} is neither on nor off")),
    }
}
