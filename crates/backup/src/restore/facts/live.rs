//! The live database: its tables, and who works with it.

use std::collections::BTreeSet;
use std::time::Duration;

use elpis_mysql::Session;

use super::{LiveFacts, objects};
use crate::restore::error::RestoreError;
use crate::restore::scope::Scope;
use crate::restore::session::{Ask, of};

/// Looks at a database that is there.
pub(super) async fn look(
    session: &mut Session,
    database: &str,
    scope: &Scope,
) -> Result<LiveFacts, RestoreError> {
    let (charset, collation) = defaults(session, database).await?;
    let tables: Vec<(String, Option<u64>, String)> = session
        .ask(
            "SELECT TABLE_NAME, DATA_LENGTH + INDEX_LENGTH, TABLE_TYPE FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = ? AND TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW')",
            of(&[database]),
        )
        .await?;
    let foreign: Vec<(String, String, String)> = session
        .ask(
            "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME \
             FROM information_schema.REFERENTIAL_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA <> UNIQUE_CONSTRAINT_SCHEMA AND ? IN (CONSTRAINT_SCHEMA, UNIQUE_CONSTRAINT_SCHEMA)",
            of(&[database]),
        )
        .await?;
    let references: Vec<(String, String)> = session
        .ask(
            "SELECT TABLE_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA = ? AND UNIQUE_CONSTRAINT_SCHEMA = CONSTRAINT_SCHEMA",
            of(&[database]),
        )
        .await?;
    let triggers: Vec<(String, String)> = session
        .ask(
            "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS \
             WHERE TRIGGER_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    let views: Vec<String> = session
        .ask(
            "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    let mut live = LiveFacts {
        broken: BTreeSet::new(),
        unreadable: BTreeSet::new(),
        definers: BTreeSet::new(),
        references: references.into_iter().collect(),
        triggers: triggers.into_iter().collect(),
        views: views.into_iter().collect(),
        charset,
        collation,
        bytes: tables.iter().filter_map(|(_, bytes, _)| *bytes).sum(),
        versioned: tables
            .iter()
            .filter(|(_, _, kind)| kind == "SYSTEM VERSIONED")
            .map(|(name, ..)| name.clone())
            .collect(),
        tables: tables.into_iter().map(|(name, ..)| name).collect(),
        users: working_users(session, database).await?,
        foreign: foreign
            .into_iter()
            .map(|(schema, table, name)| format!("{schema}.{table}.{name}"))
            .collect(),
    };
    // Rows of one owner change no object.
    if scope.rows().is_none() {
        objects::look(session, database, scope, &mut live).await?;
    }
    Ok(live)
}

/// The default character set and collation of a database that is there.
async fn defaults(session: &mut Session, database: &str) -> Result<(String, String), RestoreError> {
    let found: Option<(String, String)> = session
        .ask_first(
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
             FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?",
            of(&[database]),
        )
        .await?;
    found.ok_or_else(|| RestoreError::NeedsPerson {
        what: format!("the database {database} is gone"),
    })
}

/// How long the server may still list a connection that was closed.
const FAREWELL: Duration = Duration::from_millis(300);

/// Who works with a database: connected now, and seen again after those who were just leaving are
/// gone. Whoever connects anew for each question is seen by one of several looks.
async fn working_users(session: &mut Session, database: &str) -> Result<Vec<String>, RestoreError> {
    let mut working = Vec::new();
    if users(session, database).await?.is_empty() {
        return Ok(working);
    }
    tokio::time::sleep(FAREWELL).await;
    for _ in 0..4 {
        for user in users(session, database).await? {
            if !working.contains(&user) {
                working.push(user);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(working)
}

/// Who is connected to a database besides us, as far as the account may see.
pub(in crate::restore) async fn users(
    session: &mut Session,
    database: &str,
) -> Result<Vec<String>, RestoreError> {
    let found: Vec<(u64, String, String)> = session
        .ask(
            "SELECT ID, USER, HOST FROM information_schema.PROCESSLIST \
             WHERE DB = ? AND ID <> CONNECTION_ID() ORDER BY ID",
            of(&[database]),
        )
        .await?;
    let words = |(id, user, host): (u64, String, String)| {
        // The port of the connection is nobody's business.
        let host = host
            .rsplit_once(':')
            .map_or(host.as_str(), |(host, _)| host);
        format!("{user}@{host} (connection {id})")
    };
    Ok(found.into_iter().map(words).collect())
}
