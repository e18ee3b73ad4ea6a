//! Sessions of a restore.

use std::time::Duration;

use elpis_mysql::{ConnectOptions, Flavour, FromRow, Isolation, Params, Session, SessionSettings};

use super::error::RestoreError;

/// How long a session may lie idle: the control session waits while others load.
const IDLE: u32 = 7 * 86_400;

/// What sessions begin with.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) connect: ConnectOptions,
    /// How long one statement may take.
    pub(super) statement_timeout: Duration,
    /// How long a statement waits for a lock.
    pub(super) lock_wait: Duration,
    /// What a transaction sees of others, where the server's binary log allows it.
    pub(super) isolation: Isolation,
}

impl Opening {
    /// Opens a session that takes texts as they are: no strict modes, no checks that the text
    /// does not ask for.
    pub(super) async fn open(&self) -> Result<Session, elpis_mysql::Error> {
        let connect = ConnectOptions {
            database: None,
            ..self.connect.clone()
        };
        let settings = SessionSettings {
            statement_timeout: self.statement_timeout,
            lock_wait: self.lock_wait,
            isolation: self.isolation,
            ..SessionSettings::default()
        };
        let mut session = Session::open(&connect, &settings).await?;
        // Without a limit of its own the server ends a long index build at the general one.
        let limit = match session.server().flavour {
            Flavour::MariaDb => "",
            Flavour::MySql => ", max_execution_time = 0",
        };
        let set = format!(
            "SET SESSION wait_timeout = {IDLE}, net_read_timeout = 3600, net_write_timeout = 3600, \
             sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0{limit}"
        );
        session.execute(&set, Params::Empty).await?;
        session.execute("SET NAMES utf8mb4", Params::Empty).await?;
        // Under READ COMMITTED InnoDB writes no statements into the binary log (error 1665).
        let by_statement: Option<bool> = session
            .first(
                "SELECT @@GLOBAL.log_bin AND @@SESSION.binlog_format = 'STATEMENT'",
                Params::Empty,
            )
            .await?;
        if by_statement == Some(true) {
            let repeatable = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
            session.execute(repeatable, Params::Empty).await?;
        }
        Ok(session)
    }
}

/// [`Session`] with [`RestoreError`]s.
pub(super) trait Ask {
    async fn ask<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Vec<T>, RestoreError>;

    async fn ask_first<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Option<T>, RestoreError>;

    async fn tell(&mut self, sql: &str) -> Result<(), RestoreError>;
}

impl Ask for Session {
    async fn ask<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Vec<T>, RestoreError> {
        let answer = self.rows(sql, params).await;
        answer.map_err(|source| RestoreError::server(start_of(sql), source))
    }

    async fn ask_first<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Option<T>, RestoreError> {
        let answer = self.first(sql, params).await;
        answer.map_err(|source| RestoreError::server(start_of(sql), source))
    }

    async fn tell(&mut self, sql: &str) -> Result<(), RestoreError> {
        let answer = self.execute(sql, Params::Empty).await;
        answer
            .map(drop)
            .map_err(|source| RestoreError::server(start_of(sql), source))
    }
}

/// The beginning of a statement of ours, for people.
fn start_of(sql: &str) -> String {
    match sql.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &sql[..end]),
        None => sql.to_owned(),
    }
}

/// The parameters of a statement that names databases or tables.
pub(super) fn of(names: &[&str]) -> Params {
    Params::Positional(names.iter().map(|name| (*name).into()).collect())
}

/// A name as it stands in a statement.
pub(super) fn quoted(name: &str) -> Result<String, RestoreError> {
    elpis_mysql::quote(name).map_err(|error| RestoreError::NeedsPerson {
        what: error.to_string(),
    })
}

/// `database.table` as it stands in a statement.
pub(super) fn qualified(database: &str, table: &str) -> Result<String, RestoreError> {
    Ok(format!("{}.{}", quoted(database)?, quoted(table)?))
}
