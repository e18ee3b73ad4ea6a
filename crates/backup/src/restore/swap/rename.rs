//! Moving tables between databases, all of them or none.

use std::time::Duration;

use elpis_mysql::{Backoff, Params, Session};
use elpis_run::{Clock, Observer};

use crate::restore::error::RestoreError;
use crate::restore::event::RestoreEvent;
use crate::restore::names::OWN_PREFIX;
use crate::restore::policy::RestorePolicy;
use crate::restore::session::{Ask, of, qualified};

/// The tables and sequences of a database, without a restore's own and without views.
pub(in crate::restore) async fn base_tables(
    session: &mut Session,
    database: &str,
) -> Result<Vec<String>, RestoreError> {
    let names: Vec<String> = session
        .ask(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? \
             AND TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW') ORDER BY TABLE_NAME",
            of(&[database]),
        )
        .await?;
    Ok(names
        .into_iter()
        .filter(|name| !name.starts_with(OWN_PREFIX))
        .collect())
}

/// The tables and sequences of the live database that the restore exchanges.
pub(in crate::restore) async fn live_tables(
    session: &mut Session,
    policy: &RestorePolicy,
) -> Result<Vec<String>, RestoreError> {
    let mut tables = base_tables(session, &policy.database).await?;
    tables.retain(|table| policy.scope.concerns(table));
    Ok(tables)
}

/// Whether there is such a database.
pub(in crate::restore) async fn exists(
    session: &mut Session,
    database: &str,
) -> Result<bool, RestoreError> {
    let found: Option<u64> = session
        .ask_first(
            "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?",
            of(&[database]),
        )
        .await?;
    Ok(found == Some(1))
}

/// Tables on their way, in order.
#[derive(Debug, Default)]
pub(in crate::restore) struct Moves(Vec<String>);

impl Moves {
    /// All of `tables` from one database to another.
    pub(in crate::restore) fn add(
        &mut self,
        tables: &[String],
        from: &str,
        to: &str,
    ) -> Result<(), RestoreError> {
        for table in tables {
            let (from, to) = (qualified(from, table)?, qualified(to, table)?);
            self.0.push(format!("{from} TO {to}"));
        }
        Ok(())
    }

    /// The one statement that carries all out.
    pub(super) fn sql(&self) -> String {
        format!("RENAME TABLE {}", self.0.join(", "))
    }

    /// Carries all out in one statement, as often as the policy allows while somebody uses a
    /// table. Returns how long the one that worked took.
    pub(in crate::restore) async fn carry_out(
        &self,
        session: &mut Session,
        policy: &RestorePolicy,
        clock: &dyn Clock,
        observer: &dyn Observer<RestoreEvent>,
    ) -> Result<Duration, RestoreError> {
        // Foreign keys follow their tables only while they are looked at.
        session.tell("SET SESSION foreign_key_checks = 1").await?;
        patiently(session, &self.sql(), policy, clock, observer)
            .await
            .map_err(|error| RestoreError::server("exchanging the tables", error))
    }
}

/// Finds out whether nobody holds these tables of the live database for long, before anything is taken
/// down for their exchange.
pub(in crate::restore) async fn probe(
    session: &mut Session,
    tables: &[String],
    policy: &RestorePolicy,
    clock: &dyn Clock,
    observer: &dyn Observer<RestoreEvent>,
) -> Result<(), RestoreError> {
    if tables.is_empty() {
        return Ok(());
    }
    let sql = lock_tables(&policy.database, tables)?;
    let locked = patiently(session, &sql, policy, clock, observer).await;
    session.tell("UNLOCK TABLES").await?;
    locked
        .map(drop)
        .map_err(|error| RestoreError::server("waiting until nobody holds the tables", error))
}

/// The statement that locks tables of a database.
pub(super) fn lock_tables(database: &str, tables: &[String]) -> Result<String, RestoreError> {
    let tables: Result<Vec<String>, RestoreError> = tables
        .iter()
        .map(|table| Ok(format!("{} WRITE", qualified(database, table)?)))
        .collect();
    Ok(format!("LOCK TABLES {}", tables?.join(", ")))
}

/// Tries a statement as often as the policy allows while somebody uses a table. Returns how long
/// the one that worked took.
async fn patiently(
    session: &mut Session,
    sql: &str,
    policy: &RestorePolicy,
    clock: &dyn Clock,
    observer: &dyn Observer<RestoreEvent>,
) -> Result<Duration, elpis_mysql::Error> {
    let (base, cap) = (Duration::from_millis(50), Duration::from_secs(2));
    let mut backoff = Backoff::new(policy.lock_tries.saturating_sub(1), base, cap);
    let mut attempt = 1;
    loop {
        let begun = clock.monotonic();
        let error = match session.execute(sql, Params::Empty).await {
            Ok(_) => return Ok(clock.monotonic().saturating_sub(begun)),
            Err(error) => error,
        };
        let Some(wait) = backoff.next().filter(|_| error.is_retryable()) else {
            return Err(error);
        };
        attempt += 1;
        let why = error.to_string();
        observer.on(&RestoreEvent::Waiting { attempt, why });
        clock.sleep(wait).await;
    }
}
