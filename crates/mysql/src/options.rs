//! Where a server is and who we are there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use elpis_run::Secret;
use mysql_async::OptsBuilder;

use crate::{Error, Tls};

/// How to reach a server.
#[derive(Clone)]
pub struct ConnectOptions {
    /// Host name or address; unused when `socket` is set.
    pub host: String,
    /// TCP port; unused when `socket` is set.
    pub port: u16,
    /// A Unix socket, which goes before host and port.
    pub socket: Option<PathBuf>,
    /// The account.
    pub user: String,
    /// Its password; `None` and an empty one are the same.
    pub password: Option<Secret<String>>,
    /// The database to use, if any.
    pub database: Option<String>,
    /// Encryption of TCP connections.
    pub tls: Tls,
    /// The longest time until a session is open.
    pub connect_timeout: Duration,
    /// The name the server shows for the connection (`program_name` in
    /// `performance_schema.session_connect_attrs`).
    pub program: String,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 3306,
            socket: None,
            user: String::new(),
            password: None,
            database: None,
            tls: Tls::Off,
            connect_timeout: Duration::from_secs(10),
            program: "elpis".to_owned(),
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("target", &self.target())
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("program", &self.program)
            .finish()
    }
}

impl ConnectOptions {
    /// The server in words: `host:port/database` or `socket/database`.
    #[must_use]
    pub fn target(&self) -> String {
        let mut target = match &self.socket {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.host, self.port),
        };
        if let Some(database) = &self.database {
            target.push('/');
            target.push_str(database);
        }
        target
    }

    pub(crate) fn to_driver(&self) -> Result<OptsBuilder, Error> {
        let password = self.password.as_ref().map(|secret| secret.expose().clone());
        let mut builder = OptsBuilder::default()
            // The driver would otherwise ask a local server for its socket and silently open a
            // second connection there.
            .prefer_socket(false)
            // The protocol's own limit. The server's `max_allowed_packet` limits what it takes,
            // not what it sends: a row of several long values may be longer.
            .max_allowed_packet(Some(1 << 30))
            .user(Some(self.user.clone()))
            .pass(password.filter(|text| !text.is_empty()))
            .db_name(self.database.clone())
            .connect_attribute("program_name", self.program.clone());
        if let Some(socket) = &self.socket {
            let Some(path) = socket.to_str() else {
                return Err(Error::Options {
                    reason: format!("the socket path {socket:?} is not UTF-8"),
                });
            };
            builder = builder.socket(Some(path));
        } else {
            builder = builder
                .ip_or_hostname(self.host.clone())
                .tcp_port(self.port)
                .ssl_opts(self.tls.to_driver());
        }
        Ok(builder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_target_nor_debug_show_the_password() {
        let options = ConnectOptions {
            user: "u".to_owned(),
            password: Some(Secret::new("hush".to_owned())),
            database: Some("pandora".to_owned()),
            ..ConnectOptions::default()
        };
        assert_eq!(options.target(), "localhost:3306/pandora");
        assert!(!format!("{options:?}").contains("hush"));
        let socket = ConnectOptions {
            socket: Some("/run/s.sock".into()),
            ..options
        };
        assert_eq!(socket.target(), "/run/s.sock/pandora");
    }
}
