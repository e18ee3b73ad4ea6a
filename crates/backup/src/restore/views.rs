//! What views stand on: whether a server that has lost some of it can make them.
//!
//! A server makes a view only if everything is there that it reads and calls, and if it may look
//! into that: a view on a view, or a view that calls a routine, whose definer is no account any more,
//! cannot be made. A view whose own definer is lost can: it works again when the account is back.

use std::collections::{BTreeMap, BTreeSet};

use elpis_mysql::{Params, Session};
use serde::{Deserialize, Serialize};

use super::error::RestoreError;
use super::facts::RestoreFacts;
use super::session::{Ask, of, qualified};
use super::sql::{Modes, Role, Token, names, tokens};
use super::survey::Survey;

/// Databases of the server itself.
const SYSTEM: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];
/// What the server answers about something whose definer is no account.
const NO_DEFINER: u16 = 1449;

/// A name, with its database if that is said.
pub(super) type Named = (Option<String>, String);

/// What a view stands on, as its text says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewNeeds {
    /// Tables and views, each with its database if that is said.
    pub reads: BTreeSet<(Option<String>, String)>,
    /// Stored functions.
    pub calls: BTreeSet<(Option<String>, String)>,
    /// With whose rights others see through it; `None` if with their own.
    pub definer: Option<String>,
}

impl ViewNeeds {
    /// Of the statement that makes it, and whom that names as the definer.
    pub(super) fn of(sql: &[u8], modes: &Modes, definer: Option<String>) -> ViewNeeds {
        let words: Vec<Token<'_>> = tokens(sql, modes).collect();
        let mut needs = ViewNeeds {
            definer: definer.filter(|_| !is_invokers(&words)),
            ..ViewNeeds::default()
        };
        for named in names(sql, modes) {
            let full = (named.database.map(|(database, _)| database), named.name);
            match named.role {
                Role::Read => needs.reads.insert(full),
                Role::Called => needs.calls.insert(full),
                Role::Column => continue,
            };
        }
        needs
    }

    /// Everything that it says the database of, but the server's own.
    fn elsewhere(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.reads.iter().chain(&self.calls);
        named.filter_map(|(database, name)| {
            let database = database.as_deref()?;
            (!SYSTEM.contains(&database)).then_some((database, name.as_str()))
        })
    }
}

/// Whether it works with the rights of whoever uses it.
pub(super) fn is_invokers(words: &[Token<'_>]) -> bool {
    let mut three = words.windows(3);
    three.any(|w| w[0].is("SQL") && w[1].is("SECURITY") && w[2].is("INVOKER"))
}

/// What the views of a text for `database` name in others and the server does not have, as
/// `database.name`.
pub(super) async fn lost(
    session: &mut Session,
    database: &str,
    survey: &Survey,
) -> Result<BTreeSet<String>, RestoreError> {
    let named = survey.view_needs.values().flat_map(ViewNeeds::elsewhere);
    // What is of the database itself comes with it.
    let is_own = |name: &str| name == database && survey.database.as_deref() == Some(name);
    let named: BTreeSet<(&str, &str)> = named.filter(|(of, _)| !is_own(of)).collect();
    let mut lost = BTreeSet::new();
    for (of_database, name) in named {
        let there: Option<u64> = session
            .ask_first(
                "SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?) \
                 + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? AND ROUTINE_NAME = ?)",
                of(&[of_database, name, of_database, name]),
            )
            .await?;
        if there.unwrap_or_default() == 0 {
            lost.insert(format!("{of_database}.{name}"));
        }
    }
    Ok(lost)
}

/// The views of a text that the server cannot make, and why not. Pure.
pub(super) fn unmakeable(survey: &Survey, facts: &RestoreFacts) -> BTreeMap<String, String> {
    let is_lost = |account: &String| {
        let missing = facts.missing_definers.as_ref();
        missing.is_some_and(|missing| missing.contains(account))
    };
    let is_own = |database: &Option<String>| {
        database.is_none() || survey.database.is_some() && *database == survey.database
    };
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let before = found.len();
        for (view, needs) in &survey.view_needs {
            let on_lost = |(database, name): (&str, &str)| {
                let full = format!("{database}.{name}");
                facts
                    .lost
                    .contains(&full)
                    .then(|| format!("{full} is not there"))
            };
            let on_view = |(database, name): &Named| {
                let read = survey.view_needs.get(name).filter(|_| is_own(database))?;
                match read.definer.as_ref().filter(|definer| is_lost(definer)) {
                    Some(definer) => Some(format!("the definer {definer} of {name} is no account")),
                    None if found.contains_key(name) => Some(format!("{name} cannot be made")),
                    None => None,
                }
            };
            let on_routine = |(database, name): &Named| {
                let definer = survey.routine_definers.get(name);
                let definer = definer.filter(|_| is_own(database));
                let lost = definer.filter(|definer| is_lost(definer))?;
                Some(format!("the definer {lost} of {name} is no account"))
            };
            let why = (needs.elsewhere().find_map(on_lost))
                .or_else(|| needs.reads.iter().find_map(on_view))
                .or_else(|| needs.calls.iter().find_map(on_routine));
            if let Some(why) = why.filter(|_| !found.contains_key(view)) {
                found.insert(view.clone(), why);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Whether a view of the server, which it cannot look into, lacks nothing but the account of its own
/// definer: it can be made again as it is, and works when the account is back.
pub(super) async fn lacks_only_definer(
    session: &mut Session,
    database: &str,
    view: &str,
) -> Result<bool, RestoreError> {
    let name = qualified(database, view)?;
    let look = format!("SELECT 1 FROM {name} LIMIT 0");
    match session.execute(&look, Params::Empty).await {
        Err(error) if error.code() == Some(NO_DEFINER) => {}
        _ => return Ok(false),
    }
    let show = format!("SHOW CREATE VIEW {name}");
    let Some((_, create, _, _)): Option<(String, Vec<u8>, String, String)> =
        session.ask_first(&show, Params::Empty).await?
    else {
        return Ok(false);
    };
    let needs = ViewNeeds::of(&create, &Modes::default(), None);
    let mut reads_view = false;
    for (other, table) in &needs.reads {
        let of_view: Option<u64> = session
            .ask_first(
                "SELECT COUNT(*) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
                of(&[other.as_deref().unwrap_or(database), table]),
            )
            .await?;
        reads_view |= of_view != Some(0);
    }
    Ok(!reads_view && needs.calls.is_empty())
}
