//! What a server is, and its role in replication.

use mysql_async::Params;

use crate::replica::{self, ReplicaStatus};
use crate::{Error, Session};

/// The two families of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// MariaDB.
    MariaDb,
    /// MySQL, Percona Server and other relatives.
    MySql,
}

/// A server's family and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The family.
    pub flavour: Flavour,
    /// Major, minor, patch; zeros for what the server does not say.
    pub version: (u16, u16, u16),
    /// `VERSION()` as the server gives it.
    pub version_text: String,
}

impl ServerInfo {
    pub(crate) fn unknown() -> Self {
        Self::parse("", "")
    }

    /// Reads `VERSION()` and `@@version_comment`.
    pub(crate) fn parse(version: &str, comment: &str) -> Self {
        // Old MariaDB servers pretend to be 5.5.5 towards old replicas; some proxies keep that.
        let plain = version.strip_prefix("5.5.5-");
        let names = |text: &str| text.to_ascii_lowercase().contains("mariadb");
        let mut numbers = plain
            .unwrap_or(version)
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse().unwrap_or(0));
        let mut number = || numbers.next().unwrap_or(0);
        Self {
            flavour: if plain.is_some() || names(version) || names(comment) {
                Flavour::MariaDb
            } else {
                Flavour::MySql
            },
            version: (number(), number(), number()),
            version_text: version.to_owned(),
        }
    }
}

/// What a server is in its replication setup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Whether it refuses writes of ordinary accounts (or all writes to InnoDB).
    pub read_only: bool,
    /// `host:port` of its primary, if it is configured as a replica, running or not.
    pub replica_of: Option<String>,
    /// Whether the account may not ask, so that `replica_of` says nothing.
    pub replica_unknown: bool,
    /// Whether it writes a binary log.
    pub log_bin: bool,
    /// `ROW`, `MIXED` or `STATEMENT`.
    pub binlog_format: String,
}

impl Role {
    /// Why nothing may be changed in bounded steps on this server.
    pub fn obstacles(&self) -> Vec<&'static str> {
        let read_only = self.read_only.then_some("read_only is set");
        let statement = (self.log_bin && self.binlog_format == "STATEMENT").then_some(
            "binlog_format is STATEMENT, under which a bounded delete may delete other rows on a \
             replica: set MIXED or ROW",
        );
        read_only.into_iter().chain(statement).collect()
    }
}

/// Asks a server for its role.
///
/// # Errors
/// What the server answers; a missing privilege to ask for the replica status is not an error
/// but [`Role::replica_unknown`].
pub async fn role(session: &mut Session) -> Result<Role, Error> {
    let variables: Option<(String, String, String, String)> = session
        .first(
            "SELECT CONCAT('', @@GLOBAL.read_only), CONCAT('', @@GLOBAL.innodb_read_only), \
             CONCAT('', @@GLOBAL.log_bin), @@GLOBAL.binlog_format",
            Params::Empty,
        )
        .await?;
    let (read_only, innodb_read_only, log_bin, binlog_format) = variables.unwrap_or_default();
    // Numbers on most versions, words where the variable has become an enumeration.
    let on = |value: &str| !matches!(value.to_ascii_uppercase().as_str(), "0" | "OFF" | "");
    let (replica_of, replica_unknown) = match replica::status(session).await {
        Ok(channels) => (
            channels
                .into_iter()
                .next()
                .map(|ReplicaStatus { primary, .. }| primary),
            false,
        ),
        Err(error) if replica::is_denied(&error) => (None, true),
        Err(error) => return Err(error),
    };
    Ok(Role {
        read_only: on(&read_only) || on(&innodb_read_only),
        replica_of,
        replica_unknown,
        log_bin: on(&log_bin),
        binlog_format,
    })
}

/// The server's clock, in microseconds since 1970-01-01 UTC.
///
/// # Errors
/// What the server answers.
pub async fn now(session: &mut Session) -> Result<i64, Error> {
    let now: Option<i64> = session
        .first(
            "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
            Params::Empty,
        )
        .await?;
    now.ok_or_else(|| Error::Driver {
        message: "the server gave no time".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_both_families() {
        use Flavour::{MariaDb, MySql};
        for (version, comment, flavour, numbers) in [
            (
                "10.11.19-MariaDB-0+deb12u1-log",
                "Debian 12",
                MariaDb,
                (10, 11, 19),
            ),
            ("5.5.5-10.6.5-MariaDB", "", MariaDb, (10, 6, 5)),
            ("11.8.6", "MariaDB Server", MariaDb, (11, 8, 6)),
            ("8.0.36-28", "Percona Server (GPL)", MySql, (8, 0, 36)),
            ("8.4.2", "MySQL Community Server - GPL", MySql, (8, 4, 2)),
            ("5.5.62-log", "MySQL", MySql, (5, 5, 62)),
            ("9", "", MySql, (9, 0, 0)),
            ("nonsense", "", MySql, (0, 0, 0)),
        ] {
            let info = ServerInfo::parse(version, comment);
            assert_eq!(
                (info.flavour, info.version),
                (flavour, numbers),
                "{version}"
            );
        }
    }
}
