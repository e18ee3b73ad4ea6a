//! What every session has in common.

use std::time::Duration;

/// The isolation level of a session's transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what is committed when it begins. With row-format binary logging it
    /// takes no gap locks, which is what bounded deletes want.
    ReadCommitted,
    /// All statements of a transaction see the same data.
    RepeatableRead,
}

impl Isolation {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
        }
    }
}

/// Limits and isolation of a [`Session`](crate::Session), set when it opens.
///
/// The time zone of every session is `+00:00`, autocommit is on; `sql_safe_updates`, with which a
/// server keeps people from changing a table without naming a key, is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// The longest time one statement may run; at least a millisecond. MariaDB ends any
    /// statement (`max_statement_time`), MySQL only reading ones (`max_execution_time`).
    pub statement_timeout: Duration,
    /// How long a statement waits for row locks and for metadata locks. The server knows whole
    /// seconds: rounded up, at least one.
    pub lock_wait: Duration,
    /// The isolation level.
    pub isolation: Isolation,
    /// How long after `statement_timeout` the client gives up on its own and cuts the
    /// connection, so that a dead network cannot hold it.
    pub grace: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            statement_timeout: Duration::from_secs(60),
            lock_wait: Duration::from_secs(5),
            isolation: Isolation::ReadCommitted,
            grace: Duration::from_secs(10),
        }
    }
}

impl SessionSettings {
    pub(crate) fn statement_timeout(&self) -> Duration {
        self.statement_timeout.max(Duration::from_millis(1))
    }

    pub(crate) fn lock_wait_seconds(&self) -> u64 {
        let whole = self.lock_wait.as_secs();
        let seconds = if self.lock_wait.subsec_nanos() > 0 {
            whole.saturating_add(1)
        } else {
            whole
        };
        // lock_wait_timeout ends at a year.
        seconds.clamp(1, 31_536_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_wait_is_whole_seconds_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            let settings = SessionSettings {
                lock_wait: Duration::from_millis(millis),
                ..SessionSettings::default()
            };
            assert_eq!(settings.lock_wait_seconds(), seconds, "{millis} ms");
        }
    }
}
