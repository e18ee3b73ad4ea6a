//! Named locks (`GET_LOCK`), held by the very connection that writes.

use std::time::Duration;

use mysql_async::{Params, Value};
use tokio::time::{Instant, sleep};

use crate::{Error, Session};

/// The longest single wait on the server, so that a wait of minutes stays below the statement
/// time limit.
const SLICE: Duration = Duration::from_secs(1);

/// `GET_LOCK` that would wait for ever: MariaDB's and MySQL's code.
const DEADLOCK: [u16; 2] = [1213, 3058];

impl Session {
    /// Takes all the named locks, in order, or none, waiting up to `wait` in all.
    ///
    /// The locks live as long as this connection, or until [`unlock`](Self::unlock). Server-wide
    /// names: put the database's name into them. Taking a lock twice counts as two.
    ///
    /// # Errors
    /// [`Error::LockHeld`] with the holder; [`Error::LockName`] for names that are empty or
    /// longer than 64 characters; else what the server answers.
    pub async fn lock(&mut self, names: &[String], wait: Duration) -> Result<(), Error> {
        for name in names {
            let reason = match name.chars().count() {
                0 => "is empty",
                1..=64 => continue,
                _ => "has more than 64 characters",
            };
            return Err(Error::LockName {
                name: name.clone(),
                reason,
            });
        }
        let held = self.locks.len();
        let deadline = Instant::now() + wait;
        for name in names {
            match self.get_lock(name, deadline).await {
                Ok(()) => self.locks.push(name.clone()),
                Err(error) => {
                    // A release that fails has lost the session, and the locks with it.
                    self.release_from(held).await.ok();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Releases all named locks, the last taken first.
    ///
    /// # Errors
    /// What the server answers. A lost session holds no locks any more.
    pub async fn unlock(&mut self) -> Result<(), Error> {
        self.release_from(0).await
    }

    /// Releases the `count` named locks that were taken last. One that was taken twice is held
    /// until its last release.
    ///
    /// # Errors
    /// What the server answers. A lost session holds no locks any more.
    pub async fn unlock_last(&mut self, count: usize) -> Result<(), Error> {
        self.release_from(self.locks.len().saturating_sub(count))
            .await
    }

    /// Whether this connection still holds every lock it took. True if it took none.
    ///
    /// # Errors
    /// What the server answers, in particular [`Error::Lost`].
    pub async fn holds_locks(&mut self) -> Result<bool, Error> {
        if self.locks.is_empty() {
            return Ok(true);
        }
        let one = "COALESCE(IS_USED_LOCK(?) = CONNECTION_ID(), 0)";
        let all = vec![one; self.locks.len()].join(" AND ");
        let names = self.locks.iter().map(Value::from).collect();
        let held: Option<bool> = self
            .first(&format!("SELECT {all}"), Params::Positional(names))
            .await?;
        Ok(held.unwrap_or(false))
    }

    async fn get_lock(&mut self, name: &str, deadline: Instant) -> Result<(), Error> {
        let slice = SLICE.min(self.settings.statement_timeout() / 2);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = left.min(slice).as_secs_f64();
            let params = Params::Positional(vec![name.into(), wait.into()]);
            let taken: Result<Option<Option<i64>>, _> =
                self.first("SELECT GET_LOCK(?, ?)", params).await;
            match taken {
                Ok(Some(Some(1))) => return Ok(()),
                Ok(Some(Some(_))) if !left.is_zero() => {
                    // MySQL rounds a wait below half a second to none at all.
                    sleep(left.min(Duration::from_millis(20))).await;
                }
                Ok(Some(Some(_))) => {
                    let holder = self.holder(name).await?;
                    return Err(held(name, holder));
                }
                Ok(_) => {
                    return Err(Error::Driver {
                        message: format!("GET_LOCK of {name:?} was interrupted"),
                    });
                }
                Err(error) if error.code().is_some_and(|code| DEADLOCK.contains(&code)) => {
                    let holder = self.holder(name).await?;
                    let holder = format!("{holder}, which waits for a lock of this session");
                    return Err(held(name, holder));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The holder in words. Without the PROCESS privilege other users' names are hidden.
    async fn holder(&mut self, name: &str) -> Result<String, Error> {
        let params = Params::Positional(vec![name.into()]);
        let id: Option<Option<u64>> = self.first("SELECT IS_USED_LOCK(?)", params).await?;
        let Some(Some(id)) = id else {
            return Ok("a connection that has just released it".to_owned());
        };
        let who: Option<(String, String)> = self
            .first(
                "SELECT user, host FROM information_schema.processlist WHERE id = ?",
                Params::Positional(vec![id.into()]),
            )
            .await?;
        Ok(match who {
            Some((user, host)) => format!("connection {id} ({user} from {host})"),
            None => format!("connection {id}"),
        })
    }

    async fn release_from(&mut self, first: usize) -> Result<(), Error> {
        while self.locks.len() > first {
            let Some(name) = self.locks.pop() else { break };
            let params = Params::Positional(vec![name.into()]);
            self.first::<Option<i64>>("SELECT RELEASE_LOCK(?)", params)
                .await?;
        }
        Ok(())
    }
}

fn held(name: &str, holder: String) -> Error {
    Error::LockHeld {
        name: name.to_owned(),
        holder,
    }
}
