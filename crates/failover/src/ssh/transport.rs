//! The seam between a driver and the network.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use elpis_run::{FsError, Secret};

use super::known_hosts::HostKeyError;

/// Where a device is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// A name or an address, without port or brackets.
    pub address: String,
    /// The TCP port; 22 in most places.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            22 => f.write_str(&self.address),
            port => write!(f, "[{}]:{port}", self.address),
        }
    }
}

/// Who logs in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The account.
    pub user: String,
    /// By what it proves itself.
    pub auth: Auth,
}

/// By what an account proves itself. Each is tried once: a second attempt may lock the account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Auth {
    /// A password, also where the device asks for it by way of keyboard-interactive.
    Password(Secret<String>),
    /// A private key.
    Key {
        /// The file, in OpenSSH's, PEM or PuTTY's format.
        path: PathBuf,
        /// What opens it, if it is encrypted.
        passphrase: Option<Secret<String>>,
    },
    /// The first key of the agent behind this socket that the device accepts.
    Agent(
        /// The socket.
        PathBuf,
    ),
}

/// Why there is no terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No connection, or it ended before it could be used. Later there may be one.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// Which device.
        host: Host,
        /// What happened.
        reason: String,
    },
    /// It is not certain that it is the right device.
    #[error("{host} is not trusted")]
    HostKey {
        /// Which device.
        host: Host,
        /// Why not, and what to do.
        source: HostKeyError,
    },
    /// The device refused the account. Do not try again: it may lock it.
    #[error("{host} refused user {user:?}")]
    Denied {
        /// Which device.
        host: Host,
        /// The account.
        user: String,
    },
    /// The device ended the connection when it had the password, and said neither yes nor no; it
    /// has never accepted it before. That may be its way to refuse one, so it is not sent again.
    #[error(
        "{host} ended the login of user {user:?} when it had the password: {reason}; check the \
         password, and that the account is not locked, before the next attempt"
    )]
    Unanswered {
        /// Which device.
        host: Host,
        /// The account.
        user: String,
        /// How it ended.
        reason: String,
    },
    /// Our side of the proof cannot be used.
    #[error("the key or agent for {host} cannot be used: {reason}")]
    Credentials {
        /// Which device.
        host: Host,
        /// Why not.
        reason: String,
    },
    /// The known-hosts file cannot be read.
    #[error("cannot tell whether {host} is trusted")]
    KnownHosts {
        /// Which device.
        host: Host,
        /// Why not.
        source: FsError,
    },
}

/// The connection is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the connection is lost: {0}")]
pub struct Dropped(
    /// What ended it.
    pub String,
);

/// A future of a trait that is used behind a pointer.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens terminals.
pub trait Transport: Send + Sync {
    /// Connects, checks the host key, logs in once and opens a terminal that is wide enough for
    /// any line, with a shell on it.
    ///
    /// # Errors
    /// See [`ConnectError`]; nothing stays open.
    #[expect(clippy::type_complexity, reason = "the shape of every boxed future")]
    fn open<'a>(
        &'a self,
        host: &'a Host,
        login: &'a Login,
    ) -> Pin<Box<dyn Future<Output = Result<Box<dyn Terminal>, ConnectError>> + Send + 'a>>;
}

/// A terminal with somebody typing and reading. Dropping it closes the connection.
pub trait Terminal: Send {
    /// Types `bytes`. That it returns means they were queued, not that anybody read them.
    ///
    /// # Errors
    /// When the connection is gone.
    fn send<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<(), Dropped>> + Send + 'a>>;

    /// The next piece of output, as it comes. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection is gone and everything it brought has been read.
    fn receive(&mut self) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Dropped>> + Send + '_>>;
}
