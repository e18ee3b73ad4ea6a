//! What the account must be allowed to do.

use elpis_mysql::{Flavour, Params, Session};

use super::LiveFacts;
use crate::dump::privileges::Privileges;
use crate::restore::error::RestoreError;
use crate::restore::names::beside;
use crate::restore::policy::RestorePolicy;
use crate::restore::session::Ask;
use crate::restore::survey::Survey;

/// What is needed on the live database and on those beside it, and is not `held`.
pub(super) async fn missing(
    session: &mut Session,
    held: &Privileges,
    policy: &RestorePolicy,
    survey: &Survey,
    live: Option<&LiveFacts>,
) -> Result<Vec<String>, RestoreError> {
    let database = policy.database.as_str();
    let beside = beside(database, "restore", "00000000");
    let always = [
        ("CREATE", "to make tables"),
        ("DROP", "to exchange tables"),
        ("ALTER", "to exchange tables"),
        ("INDEX", "to make indexes"),
        ("INSERT", "to load rows"),
        ("SELECT", "to compare rows"),
        ("DELETE", "to remove half-loaded rows"),
        ("REFERENCES", "for foreign keys"),
        ("LOCK TABLES", "to see whether anybody holds them"),
    ];
    // What the live database has of these must be taken down and made again.
    let objects = [
        ("TRIGGER", "for triggers"),
        ("CREATE VIEW", "for views"),
        ("SHOW VIEW", "for views"),
        ("CREATE ROUTINE", "for routines"),
        ("ALTER ROUTINE", "for routines"),
        ("EVENT", "for events"),
    ];
    let mut missing = Vec::new();
    for (privilege, what) in always.into_iter().chain(objects) {
        for name in [database, &beside] {
            if !held.on(privilege, name) {
                missing.push(format!("{privilege} ON `{name}`.*, {what}"));
            }
        }
    }
    let names_others = match session.server().flavour {
        Flavour::MariaDb => ["SUPER", "SET USER"],
        Flavour::MySql => ["SUPER", "SET_USER_ID"],
    };
    let may = |privilege: &&str| held.global(privilege);
    let any = names_others.iter().any(may) || ["SET_ANY_DEFINER"].iter().any(may);
    let names_definers =
        !survey.definers.is_empty() || live.is_some_and(|live| !live.definers.is_empty());
    if names_definers && !any {
        missing.push(format!(
            "{} ON *.*, to name other accounts as definers",
            names_others[1]
        ));
    }
    let moves_triggers = policy.scope.rows().is_none()
        && survey
            .trigger_tables
            .values()
            .chain(live.iter().flat_map(|live| live.triggers.values()))
            .any(|table| policy.scope.concerns(table));
    if moves_triggers && !held.global("SUPER") && wants_super(session).await? {
        missing.push(
            "SUPER ON *.*, for triggers while the server writes a binary log (or set its \
             log_bin_trust_function_creators)"
                .to_owned(),
        );
    }
    Ok(missing)
}

/// Whether the server lets only `SUPER` make and drop triggers (error 1419).
async fn wants_super(session: &mut Session) -> Result<bool, RestoreError> {
    let found: Option<(bool, bool)> = session
        .ask_first(
            "SELECT @@GLOBAL.log_bin, @@GLOBAL.log_bin_trust_function_creators",
            Params::Empty,
        )
        .await?;
    Ok(found == Some((true, false)))
}
