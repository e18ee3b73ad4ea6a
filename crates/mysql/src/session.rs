//! One connection, bounded in time, never replaced behind the caller's back.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use mysql_async::prelude::{FromRow, Protocol, Queryable};
use mysql_async::{Conn, Params, QueryResult, Row, Value};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::info::Flavour;
use crate::{ConnectOptions, Error, ServerInfo, SessionSettings};

mod stream;
mod text;

pub use stream::RowStream;
pub use text::Executed;

/// One connection to a server.
///
/// Every call ends within the statement time limit plus the grace of the [`SessionSettings`].
/// After a client-side timeout, an I/O error, or a call whose future was dropped before it
/// ended, the connection is cut and every later call returns [`Error::Lost`] at once: a session
/// never reconnects. Dropping a session closes its connection.
pub struct Session {
    conn: Option<Conn>,
    /// Why `conn` is gone.
    lost: Option<String>,
    /// Whether a call is under way; still set when the next one begins means it was dropped.
    in_flight: bool,
    target: String,
    info: ServerInfo,
    id: u32,
    pub(crate) settings: SessionSettings,
    /// Named locks in the order they were taken.
    pub(crate) locks: Vec<String>,
    /// Variables that were set for this session and their values before.
    changed: Vec<(String, Value)>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("target", &self.target)
            .field("id", &self.id)
            .field("lost", &self.lost)
            .field("locks", &self.locks)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Connects, learns what the server is, and applies the settings.
    ///
    /// # Errors
    /// [`Error::Connect`] if the server is not reached within `connect_timeout`,
    /// [`Error::Denied`] if it refuses the account.
    pub async fn open(options: &ConnectOptions, settings: &SessionSettings) -> Result<Self, Error> {
        let target = options.target();
        let conn = match timeout(options.connect_timeout, connect(options)?).await {
            Ok(Ok(conn)) => conn,
            Ok(Err(error)) => return Err(Error::connecting(&target, &options.user, error)),
            Err(_) => {
                return Err(Error::Connect {
                    target,
                    source: format!("no answer within {:?}", options.connect_timeout).into(),
                });
            }
        };
        let mut session = Self {
            id: conn.id(),
            conn: Some(conn),
            lost: None,
            in_flight: false,
            target,
            info: ServerInfo::unknown(),
            settings: settings.clone(),
            locks: Vec::new(),
            changed: Vec::new(),
        };
        let version: Option<(String, String)> = session
            .first("SELECT VERSION(), @@version_comment", Params::Empty)
            .await?;
        let (version, comment) = version.unwrap_or_default();
        session.info = ServerInfo::parse(&version, &comment);
        session.apply_settings().await?;
        tracing::debug!(target_server = %session.target, id = session.id, %version, "session open");
        Ok(session)
    }

    async fn apply_settings(&mut self) -> Result<(), Error> {
        let limit = self.settings.statement_timeout();
        let limit = match self.info.flavour {
            Flavour::MariaDb => format!("max_statement_time = {:.6}", limit.as_secs_f64()),
            Flavour::MySql => format!("max_execution_time = {}", limit.as_millis()),
        };
        let wait = self.settings.lock_wait_seconds();
        let set = format!(
            "SET SESSION {limit}, innodb_lock_wait_timeout = {wait}, lock_wait_timeout = {wait}, \
             time_zone = '+00:00', autocommit = 1, sql_safe_updates = 0"
        );
        self.execute(&set, Params::Empty).await?;
        let isolation = self.settings.isolation.sql();
        let set = format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}");
        self.execute(&set, Params::Empty).await?;
        Ok(())
    }

    /// What the server is.
    #[must_use]
    pub fn server(&self) -> &ServerInfo {
        &self.info
    }

    /// The server's number of this connection, as the process list shows it.
    #[must_use]
    pub fn connection_id(&self) -> u32 {
        self.id
    }

    /// The server in words, as [`ConnectOptions::target`] gives it.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Runs a statement and returns all its rows, which must fit in memory.
    ///
    /// With parameters the statement is prepared (and kept prepared for the next time);
    /// without, it is sent as text.
    ///
    /// # Errors
    /// What the server answers, or [`Error::Driver`] if a row is not a `T`.
    pub async fn rows<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Vec<T>, Error> {
        let (rows, _) = self.call(sql, params, Wanted::All).await?;
        rows.into_iter().map(convert).collect()
    }

    /// Runs a statement and returns its first row, if there is one.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn first<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        params: Params,
    ) -> Result<Option<T>, Error> {
        let (rows, _) = self.call(sql, params, Wanted::First).await?;
        rows.into_iter().next().map(convert).transpose()
    }

    /// Runs a statement and returns the number of rows it changed.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn execute(&mut self, sql: &str, params: Params) -> Result<u64, Error> {
        Ok(self.call(sql, params, Wanted::None).await?.1)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn begin(&mut self) -> Result<(), Error> {
        self.execute("START TRANSACTION", Params::Empty).await?;
        Ok(())
    }

    /// Commits. After an [`Error::is_lost`] the outcome is unknown.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn commit(&mut self) -> Result<(), Error> {
        self.execute("COMMIT", Params::Empty).await?;
        Ok(())
    }

    /// Rolls back.
    ///
    /// # Errors
    /// What the server answers; a lost session has been rolled back by the server.
    pub async fn rollback(&mut self) -> Result<(), Error> {
        self.execute("ROLLBACK", Params::Empty).await?;
        Ok(())
    }

    /// Sets a session variable and remembers its value for [`restore`](Self::restore).
    ///
    /// # Errors
    /// [`Error::Variable`] if `name` is not made of letters, digits and underscores; else what
    /// the server answers.
    pub async fn set_for_session(
        &mut self,
        name: &str,
        value: impl Into<Value> + Send,
    ) -> Result<(), Error> {
        let value = value.into();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(Error::Variable {
                name: name.to_owned(),
            });
        }
        // Prepared, because only the binary protocol keeps the value's type, and a number that
        // comes back as text cannot be set again.
        let select = format!("SELECT @@SESSION.{name} FROM DUAL WHERE ?");
        let old: Option<Value> = self
            .first(&select, Params::Positional(vec![1.into()]))
            .await?;
        let set = format!("SET SESSION {name} = ?");
        self.execute(&set, Params::Positional(vec![value])).await?;
        if let Some(old) = old
            && !self.changed.iter().any(|(known, _)| known == name)
        {
            self.changed.push((name.to_owned(), old));
        }
        Ok(())
    }

    /// Puts every variable back that [`set_for_session`](Self::set_for_session) changed.
    ///
    /// # Errors
    /// What the server answers; the variables after the refused one stay remembered.
    pub async fn restore(&mut self) -> Result<(), Error> {
        while let Some((name, value)) = self.changed.last().cloned() {
            let set = format!("SET SESSION {name} = ?");
            self.execute(&set, Params::Positional(vec![value])).await?;
            self.changed.pop();
        }
        Ok(())
    }

    /// Releases the locks and says goodbye. A lost session closes without an error.
    ///
    /// # Errors
    /// What the server answers to the release of a lock.
    pub async fn close(mut self) -> Result<(), Error> {
        let released = match self.unlock().await {
            Err(error) if !error.is_lost() => Err(error),
            _ => Ok(()),
        };
        if let Some(conn) = self.conn.take() {
            // Nothing depends on the goodbye: the server frees a cut connection all the same.
            timeout(self.settings.grace, conn.disconnect()).await.ok();
        }
        released
    }

    async fn call(
        &mut self,
        sql: &str,
        params: Params,
        wanted: Wanted,
    ) -> Result<(Vec<Row>, u64), Error> {
        let limit = self.settings.statement_timeout();
        let after = limit.saturating_add(self.settings.grace);
        let conn = self.ready()?;
        let outcome = timeout(after, exchange(conn, sql, params, wanted)).await;
        self.settle(outcome, after)
    }

    /// The connection for a call that [`settle`](Self::settle) will end.
    fn ready(&mut self) -> Result<&mut Conn, Error> {
        if self.in_flight {
            self.sever("a call was abandoned before its answer came");
        }
        let Some(conn) = &mut self.conn else {
            let reason = self.lost.clone().unwrap_or_else(|| "closed".to_owned());
            return Err(Error::Lost {
                target: self.target.clone(),
                reason,
            });
        };
        self.in_flight = true;
        Ok(conn)
    }

    /// The call came to an end, or to its deadline `after`.
    fn settle<T>(
        &mut self,
        outcome: Result<mysql_async::Result<T>, Elapsed>,
        after: Duration,
    ) -> Result<T, Error> {
        self.in_flight = false;
        let limit = self.settings.statement_timeout();
        let error = match outcome {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Error::running(&self.target, limit, error),
            Err(_) => Error::Timeout {
                target: self.target.clone(),
                after,
            },
        };
        match &error {
            Error::Lost { reason, .. } => self.sever(reason),
            Error::Timeout { .. } => self.sever(&format!("no answer within {after:?}")),
            _ => {}
        }
        Err(error)
    }

    fn sever(&mut self, reason: &str) {
        if let Some(conn) = self.conn.take() {
            tracing::debug!(target_server = %self.target, id = self.id, reason, "session lost");
            sever(conn);
            self.lost = Some(reason.to_owned());
        }
        self.in_flight = false;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            sever(conn);
        }
    }
}

fn connect(
    options: &ConnectOptions,
) -> Result<impl Future<Output = mysql_async::Result<Conn>> + Send, Error> {
    let driver = options.to_driver()?;
    Ok(async move {
        let refused = match Conn::new(driver.clone()).await {
            Ok(conn) => return Ok(conn),
            Err(error) => error,
        };
        let Some(name) = options.tls.other_name(&refused) else {
            return Err(refused);
        };
        let tls = options.tls.to_driver();
        let tls = tls.map(|tls| tls.with_danger_tls_hostname_override(Some(name)));
        Conn::new(driver.ssl_opts(tls)).await
    })
}

/// Closes the socket here and now. Left to its own `Drop`, the driver would hand a connection in
/// the middle of an answer to a background task that reads on, for ever on a dead network, and
/// the session's locks would live as long. Polled once, `disconnect` says goodbye if the
/// connection is idle; dropped then, it closes the socket in any case.
fn sever(conn: Conn) {
    let mut goodbye = pin!(conn.disconnect());
    let _ = goodbye
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    None,
    First,
    All,
}

async fn exchange(
    conn: &mut Conn,
    sql: &str,
    params: Params,
    wanted: Wanted,
) -> mysql_async::Result<(Vec<Row>, u64)> {
    match params {
        Params::Empty => drain(conn.query_iter(sql).await?, wanted).await,
        params => drain(conn.exec_iter(sql, params).await?, wanted).await,
    }
}

async fn drain<P: Protocol + Unpin>(
    mut result: QueryResult<'_, 'static, P>,
    wanted: Wanted,
) -> mysql_async::Result<(Vec<Row>, u64)> {
    let mut rows = Vec::new();
    if wanted != Wanted::None {
        while let Some(row) = result.next().await? {
            rows.push(row);
            if wanted == Wanted::First {
                break;
            }
        }
    }
    let affected = result.affected_rows();
    result.drop_result().await?;
    Ok((rows, affected))
}

fn convert<T: FromRow>(row: Row) -> Result<T, Error> {
    mysql_async::from_row_opt(row).map_err(|_| Error::Driver {
        message: format!(
            "a row of the result is not a {}",
            std::any::type_name::<T>()
        ),
    })
}
