//! What a restore takes down or replaces in the live database, as far as it must be able to make it
//! again.

use std::collections::BTreeSet;

use elpis_mysql::{Params, Session};

use super::{LiveFacts, RestoreError};
use crate::restore::scope::Scope;
use crate::restore::session::{Ask, of};
use crate::restore::views::lacks_only_definer;

/// Fills in what cannot be made again, and whose account it names.
pub(super) async fn look(
    session: &mut Session,
    database: &str,
    scope: &Scope,
    live: &mut LiveFacts,
) -> Result<(), RestoreError> {
    let triggers: Vec<(String, String)> = session
        .ask(
            "SELECT EVENT_OBJECT_TABLE, DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    let concerned = triggers
        .into_iter()
        .filter(|(table, _)| scope.concerns(table));
    live.definers = concerned.map(|(_, definer)| definer).collect();
    if scope.is_whole() {
        others(session, database, live).await?;
    }
    // An account may always name itself.
    let own: Option<String> = session
        .ask_first("SELECT CURRENT_USER()", Params::Empty)
        .await?;
    live.definers
        .retain(|definer| Some(definer) != own.as_ref());
    Ok(())
}

/// Everything but triggers.
async fn others(
    session: &mut Session,
    database: &str,
    live: &mut LiveFacts,
) -> Result<(), RestoreError> {
    let routines: Vec<(String, String, bool, String)> = session
        .ask(
            "SELECT ROUTINE_TYPE, ROUTINE_NAME, ROUTINE_DEFINITION IS NOT NULL, DEFINER \
             FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    for (kind, name, is_readable, definer) in routines {
        live.definers.insert(definer);
        if !is_readable {
            live.unreadable
                .insert(format!("{} {name}", kind.to_lowercase()));
        }
    }
    let definers: Vec<String> = session
        .ask(
            "SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? \
             UNION SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?",
            of(&[database, database]),
        )
        .await?;
    live.definers.extend(definers);
    let with_columns: Vec<String> = session
        .ask(
            "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    let with_columns: BTreeSet<String> = with_columns.into_iter().collect();
    for view in live.views.difference(&with_columns) {
        if !lacks_only_definer(session, database, view).await? {
            live.broken.insert(view.clone());
        }
    }
    Ok(())
}
