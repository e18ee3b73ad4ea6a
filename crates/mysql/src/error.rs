//! What can go wrong between here and the server.
//!
//! Rules: `Display` is one line and does not repeat its source. No text and no `Debug` contains a
//! password, a value that was passed as a parameter, or a row. Everything that the driver knows
//! but must not say is dropped in this file.

use std::time::Duration;

use mysql_async::{DriverError, IoError, ServerError};

use crate::ident::IdentError;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Errors of sessions and of what is built on them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server could not be reached or did not let us finish the greeting.
    #[error("cannot connect to {target}")]
    Connect {
        /// The server, as [`ConnectOptions::target`](crate::ConnectOptions::target) names it.
        target: String,
        /// What the operating system, TLS or the server said.
        source: Cause,
    },
    /// The server refused the account, its password or its right to the database.
    #[error("{target} refused user {user:?}: {message}")]
    Denied {
        /// The server.
        target: String,
        /// The account.
        user: String,
        /// The server's error code.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The connection is gone, and with it its locks, transaction and settings.
    #[error("the connection to {target} is lost: {reason}")]
    Lost {
        /// The server.
        target: String,
        /// What ended it.
        reason: String,
    },
    /// The client's own deadline passed without an answer; the connection was cut.
    #[error("{target} did not answer within {after:?}; the connection was cut")]
    Timeout {
        /// The server.
        target: String,
        /// The deadline.
        after: Duration,
    },
    /// The server ended the statement at its time limit. The session is usable.
    #[error("the server ended a statement at its limit of {after:?}")]
    StatementTimeout {
        /// The limit.
        after: Duration,
    },
    /// A named lock is taken.
    #[error("the lock {name:?} is held by {holder}")]
    LockHeld {
        /// The lock.
        name: String,
        /// Connection, user and host as far as they may be seen.
        holder: String,
    },
    /// The name of a lock cannot be used.
    #[error("the lock name {name:?} {reason}")]
    LockName {
        /// The name as given.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The server refused a statement.
    #[error("the server answered {code} ({state}): {message}")]
    Server {
        /// The server's error code.
        code: u16,
        /// The SQLSTATE.
        state: String,
        /// The server's words, quoted values left out where it is known to repeat them.
        message: String,
    },
    /// The driver could not send a statement or understand an answer.
    #[error("unexpected: {message}")]
    Driver {
        /// What happened.
        message: String,
    },
    /// A name is no identifier.
    #[error(transparent)]
    Ident(#[from] IdentError),
    /// The connection options cannot be used.
    #[error("unusable connection options: {reason}")]
    Options {
        /// Why.
        reason: String,
    },
    /// The name of a session variable is no name.
    #[error("{name:?} is not the name of a session variable")]
    Variable {
        /// The name as given.
        name: String,
    },
}

impl Error {
    /// Whether the same transaction, rolled back and run again, may succeed: a deadlock, a lock
    /// wait that timed out, or a record that changed under snapshot isolation.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.code(), Some(1205 | 1213 | 1020))
    }

    /// Whether the session is gone for good.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Timeout { .. })
    }

    /// The server's error code, if the server answered with one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Server { code, .. } | Self::Denied { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// An error while a connection was being opened.
    pub(crate) fn connecting(target: &str, user: &str, error: mysql_async::Error) -> Self {
        let target = target.to_owned();
        match error {
            mysql_async::Error::Server(ServerError { code, message, .. })
                if matches!(code, 1044 | 1045 | 1130 | 1698 | 1820 | 1862 | 3118 | 4151) =>
            {
                Self::Denied {
                    target,
                    user: user.to_owned(),
                    code,
                    message,
                }
            }
            mysql_async::Error::Server(error) => Self::Connect {
                target,
                source: Box::new(error),
            },
            mysql_async::Error::Io(IoError::Io(error)) => Self::Connect {
                target,
                source: Box::new(error),
            },
            mysql_async::Error::Io(IoError::Tls(error)) => Self::Connect {
                target,
                source: Box::new(error),
            },
            mysql_async::Error::Driver(DriverError::UnexpectedPacket { .. }) => Self::Connect {
                target,
                source: "the answer is not that of a MySQL or MariaDB server".into(),
            },
            error => Self::Connect {
                target,
                source: error.to_string().into(),
            },
        }
    }

    /// An error of a statement on an open connection.
    pub(crate) fn running(target: &str, limit: Duration, error: mysql_async::Error) -> Self {
        let lost = |reason: String| Self::Lost {
            target: target.to_owned(),
            reason,
        };
        match error {
            mysql_async::Error::Server(error) => match error.code {
                1969 | 3024 => Self::StatementTimeout { after: limit },
                // Shutdown, network errors seen by the server, killed, timed out while idle.
                1053 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 => lost(error.message),
                code => Self::Server {
                    code,
                    state: error.state,
                    message: without_values(code, &error.message),
                },
            },
            mysql_async::Error::Io(error) => lost(match error {
                IoError::Io(error) => error.to_string(),
                IoError::Tls(error) => error.to_string(),
            }),
            mysql_async::Error::Driver(DriverError::ConnectionClosed) => {
                lost("the server closed it".to_owned())
            }
            mysql_async::Error::Driver(
                error @ (DriverError::PacketOutOfOrder
                | DriverError::UnexpectedPacket { .. }
                | DriverError::BadCompressedPacketHeader
                | DriverError::PacketTooLarge),
            ) => lost(error.to_string()),
            error => Self::Driver {
                message: error.to_string(),
            },
        }
    }
}

/// Server messages that repeat a value put it between single quotes; some follow it with the
/// name of a key, which is worth keeping.
fn without_values(code: u16, message: &str) -> String {
    if !matches!(
        code,
        1062 | 1291 | 1292 | 1366 | 1367 | 1406 | 1411 | 1525 | 1526 | 1586 | 1690 | 4078
    ) {
        return message.to_owned();
    }
    let end = message.rfind("' for key").or_else(|| message.rfind('\''));
    match (message.find('\''), end) {
        (Some(start), Some(end)) if start < end => {
            format!("{}'...{}", &message[..start], &message[end..])
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> Error {
        Error::running(
            "t",
            Duration::from_secs(1),
            mysql_async::Error::Server(ServerError {
                code,
                message: message.to_owned(),
                state: "HY000".to_owned(),
            }),
        )
    }

    #[test]
    fn values_are_left_out_and_names_are_kept() {
        let error = server(1062, "Duplicate entry 'it's s3cret' for key 'PRIMARY'");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        assert!(
            error.to_string().ends_with("' for key 'PRIMARY'"),
            "{error}"
        );
        let error = server(
            1366,
            "Incorrect integer value: 's3cret' for column `d`.`t`.`c`",
        );
        assert!(!error.to_string().contains("s3cret"));
        assert!(error.to_string().contains("`c`"));
        let error = server(1146, "Table 'd.t' doesn't exist");
        assert!(error.to_string().contains("'d.t'"));
    }

    #[test]
    fn retryable_and_lost_are_told_apart() {
        for code in [1205, 1213, 1020] {
            assert!(server(code, "x").is_retryable());
            assert!(!server(code, "x").is_lost());
        }
        for code in [1053, 1927, 4031] {
            assert!(server(code, "x").is_lost());
            assert!(!server(code, "x").is_retryable());
        }
        assert!(matches!(server(1969, "x"), Error::StatementTimeout { .. }));
        assert!(!server(1969, "x").is_lost());
    }
}
