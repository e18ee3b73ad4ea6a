//! What a server itself says that it did, statement by statement.

use elpis_mysql::PrivateServer;

use crate::{Database, MariaDb};

/// A statement, as a server recorded it in its slow log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The rows it read.
    pub examined: u64,
    /// The rows it changed.
    pub affected: u64,
    /// On one line.
    pub text: String,
}

impl MariaDb {
    /// A server of one test's own that records every statement.
    pub fn recording_server(args: &[&str]) -> PrivateServer {
        let recording = [
            "--slow-query-log=1",
            "--long-query-time=0",
            "--log-output=TABLE",
        ];
        MariaDb::own_server(&[&recording, args].concat())
    }

    /// Forgets what was recorded, of all databases.
    pub fn forget_recorded(&self) {
        self.sql("TRUNCATE mysql.slow_log;");
    }

    /// What sessions on this database did since [`MariaDb::forget_recorded`], apart from the
    /// recounting client.
    pub fn recorded(&self) -> Vec<Recorded> {
        let text = self.sql(&format!(
            "SELECT rows_examined, rows_affected, \
                    REPLACE(REPLACE(sql_text, '\\n', ' '), '\\t', ' ') \
             FROM mysql.slow_log WHERE db = '{}' AND sql_text NOT LIKE '%slow_log%' \
             AND sql_text NOT LIKE 'SET time_zone%';",
            self.name()
        ));
        let statement = |line: &str| {
            let mut parts = line.splitn(3, '\t');
            let mut next = || parts.next().unwrap().to_owned();
            Recorded {
                examined: next().parse().unwrap(),
                affected: next().parse().unwrap(),
                text: next(),
            }
        };
        text.lines().map(statement).collect()
    }
}
