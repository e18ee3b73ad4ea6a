//! Taking down what must not see the exchange, and what is there of it.

use std::collections::BTreeSet;

use elpis_mysql::Session;

use super::script::carry_out;
use crate::restore::error::RestoreError;
use crate::restore::session::{Ask, of, qualified};

/// Removes events and triggers, which must not see the exchange, and views that stand in the
/// way of tables that come; of some tables only their triggers.
pub(in crate::restore) async fn take_down(
    session: &mut Session,
    database: &str,
    coming: &[String],
    only: Option<&BTreeSet<String>>,
) -> Result<(), RestoreError> {
    let events = match only {
        None => events(session, database).await?,
        Some(_) => Vec::new(),
    };
    let triggers = triggers(session, database, only).await?;
    for (kind, list) in [("EVENT", events), ("TRIGGER", triggers)] {
        for name in list {
            let name = qualified(database, &name)?;
            let drop = format!("DROP {kind} IF EXISTS {name}");
            carry_out(session, drop.as_bytes())
                .await
                .map_err(|source| RestoreError::server(drop, source))?;
        }
    }
    // A view in the place of one of some tables has been refused.
    let views = match only {
        None => views(session, database).await?,
        Some(_) => BTreeSet::new(),
    };
    for view in coming.iter().filter(|name| views.contains(*name)) {
        session
            .tell(&format!("DROP VIEW {}", qualified(database, view)?))
            .await?;
    }
    Ok(())
}

/// The triggers of a database, or of some of its tables.
pub(super) async fn triggers(
    session: &mut Session,
    database: &str,
    only: Option<&BTreeSet<String>>,
) -> Result<Vec<String>, RestoreError> {
    let all: Vec<(String, String)> = session
        .ask(
            "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS \
             WHERE TRIGGER_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    let wanted = |table: &String| only.is_none_or(|only| only.contains(table));
    Ok(all
        .into_iter()
        .filter_map(|(name, table)| wanted(&table).then_some(name))
        .collect())
}

pub(super) async fn events(
    session: &mut Session,
    database: &str,
) -> Result<Vec<String>, RestoreError> {
    let sql = "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?";
    session.ask(sql, of(&[database])).await
}

pub(super) async fn views(
    session: &mut Session,
    database: &str,
) -> Result<BTreeSet<String>, RestoreError> {
    let names: Vec<String> = session
        .ask(
            "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    Ok(names.into_iter().collect())
}
