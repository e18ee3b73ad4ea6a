//! Views, triggers, routines and events: kept as text in the old database, made again from it.

use std::collections::BTreeSet;

use elpis_mysql::{Params, Session, Value};
use serde::{Deserialize, Serialize};

use super::durable::make_durable;
use super::script::{Script, carry_out};
use crate::dump::Definers;
use crate::dump::facts;
use crate::dump::objects::objects;
use crate::restore::accept::Refusal;
use crate::restore::error::RestoreError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::session::{Ask, of, qualified, quoted};
use crate::restore::sql::{Object, SqlReader};
use crate::restore::views::lacks_only_definer;

/// Of which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Whose {
    /// The live one as it was.
    Old,
    /// What the text made.
    New,
    /// The live one as it was when the restore was taken back.
    Last,
}

impl Whose {
    fn word(self) -> &'static str {
        match self {
            Whose::Old => "old",
            Whose::New => "new",
            Whose::Last => "end",
        }
    }
}

/// Everything of a database that is not a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::restore) struct Scripts {
    /// The tables whose triggers these are; `None` if they are everything of the database.
    #[serde(default)]
    only: Option<BTreeSet<String>>,
    /// The database that they were read from, which triggers may name.
    #[serde(default)]
    database: String,
    charset: String,
    collation: String,
    views: BTreeSet<String>,
    /// How many triggers.
    triggers: usize,
    /// Kind and name.
    routines: BTreeSet<(String, String)>,
    /// Events that are to fire although their text says that they do not.
    pub(in crate::restore) firing: BTreeSet<String>,
    placeholders: Vec<u8>,
    view_text: Vec<u8>,
    trigger_text: Vec<u8>,
    routine_text: Vec<u8>,
    event_text: Vec<u8>,
    pub(in crate::restore) warnings: Vec<String>,
    /// What is there and could not be read, as kind and name.
    #[serde(default)]
    untold: Vec<(String, String)>,
}

impl Scripts {
    /// Reads them from a database that is there: of some tables only their triggers.
    pub(in crate::restore) async fn read(
        session: &mut Session,
        database: &str,
        only: Option<&BTreeSet<String>>,
    ) -> Result<Scripts, RestoreError> {
        let tables = only.map(|only| only.iter().cloned().collect());
        let mut all = facts::database(session, database, tables.as_ref()).await?;
        if only.is_some() {
            all.views.clear();
            all.routines.clear();
            all.events.clear();
        }
        // Tables are not asked for, and the restore's own are nobody's business.
        all.tables.clear();
        all.sequences.clear();
        for view in &all.views {
            if !all.view_columns.contains_key(view)
                && lacks_only_definer(session, database, view).await?
            {
                all.view_columns.insert(view.clone(), Vec::new());
            }
        }
        let mut scripts = Scripts {
            only: only.cloned(),
            database: database.to_owned(),
            charset: all.charset.clone(),
            collation: all.collation.clone(),
            views: all
                .views
                .iter()
                .filter(|view| all.view_columns.contains_key(*view))
                .cloned()
                .collect(),
            triggers: all.triggers.len(),
            routines: all
                .routines
                .iter()
                .map(|routine| (routine.kind.clone(), routine.name.clone()))
                .collect(),
            ..Scripts::default()
        };
        let none = facts::Catalogue {
            triggers: Vec::new(),
            views: Vec::new(),
            routines: Vec::new(),
            events: Vec::new(),
            ..all.clone()
        };
        let mut only = none.clone();
        only.triggers.clone_from(&all.triggers);
        scripts.trigger_text = scripts.take(session, &only).await?.1;
        let mut only = none.clone();
        only.routines.clone_from(&all.routines);
        scripts.routine_text = scripts.take(session, &only).await?.1;
        let mut only = none.clone();
        only.views.clone_from(&all.views);
        (scripts.placeholders, scripts.view_text) = scripts.take(session, &only).await?;
        let mut only = none;
        only.events.clone_from(&all.events);
        scripts.event_text = scripts.take(session, &only).await?.1;
        Ok(scripts)
    }

    /// Whether all of it can be made again: found out before anything is taken down.
    pub(in crate::restore) fn check(&self) -> Result<(), RestoreError> {
        for text in [
            &self.routine_text,
            &self.placeholders,
            &self.view_text,
            &self.trigger_text,
            &self.event_text,
        ] {
            let mut reader = SqlReader::new(text.as_slice()).of_database(&self.database);
            while reader.next()?.is_some() {}
        }
        Ok(())
    }

    /// Whether nothing will be gone for good if everything is taken down and replaced by `coming`.
    /// A view that nobody can make again stays where it is, unless its name is needed.
    pub(in crate::restore) fn check_whole(
        &self,
        coming: &BTreeSet<String>,
    ) -> Result<(), RestoreError> {
        let is_lost = |(kind, name): &&(String, String)| kind != "VIEW" || coming.contains(name);
        let lost = self
            .untold
            .iter()
            .filter(is_lost)
            .map(|(kind, name)| Refusal {
                accept: None,
                what: format!(
                    "the {} {name} of {} cannot be read, so that it could not be put back",
                    kind.to_lowercase(),
                    self.database
                ),
            });
        let refusals: Vec<Refusal> = lost.collect();
        match refusals.is_empty() {
            true => Ok(()),
            false => Err(RestoreError::Refused { refusals }),
        }
    }

    /// The names of its views that can be made.
    pub(in crate::restore) fn views(&self) -> &BTreeSet<String> {
        &self.views
    }

    /// Counts what `other` has as theirs when it is removed.
    pub(in crate::restore) fn add_names(&mut self, other: &Scripts) {
        self.views.extend(other.views.iter().cloned());
        self.routines.extend(other.routines.iter().cloned());
    }

    async fn take(
        &mut self,
        session: &mut Session,
        only: &facts::Catalogue,
    ) -> Result<(Vec<u8>, Vec<u8>), RestoreError> {
        let texts = objects(session, only, Definers::Keep).await?;
        self.warnings.extend(texts.warnings);
        self.untold.extend(texts.untold);
        Ok((texts.before, texts.after))
    }

    fn table(old: &str) -> Result<String, RestoreError> {
        qualified(old, &format!("{OWN_PREFIX}objects"))
    }

    /// Keeps them in the old database.
    pub(in crate::restore) async fn keep(
        &self,
        session: &mut Session,
        old: &str,
        whose: Whose,
    ) -> Result<(), RestoreError> {
        let table = Scripts::table(old)?;
        session
            .tell(&format!(
                "CREATE TABLE IF NOT EXISTS {table} (whose VARCHAR(3) CHARACTER SET ascii PRIMARY KEY, \
                 scripts LONGBLOB NOT NULL) ENGINE=InnoDB"
            ))
            .await?;
        let json = serde_json::to_vec(self).map_err(|error| RestoreError::NeedsPerson {
            what: error.to_string(),
        })?;
        let sql = format!("REPLACE INTO {table} VALUES (?, ?)");
        let params = vec![whose.word().into(), Value::Bytes(json)];
        session
            .execute(&sql, Params::Positional(params))
            .await
            .map_err(|source| RestoreError::server("keeping the old objects", source))?;
        // What is taken down next is gone at once.
        make_durable(session, old).await
    }

    /// Keeps them once more so that a person can read them, as SQL by kind.
    pub(in crate::restore) async fn keep_texts(
        &self,
        session: &mut Session,
        database: &str,
    ) -> Result<(), RestoreError> {
        let table = qualified(database, &format!("{OWN_PREFIX}texts"))?;
        session
            .tell(&format!(
                "CREATE TABLE IF NOT EXISTS {table} (kind VARCHAR(8) CHARACTER SET ascii PRIMARY KEY, \
                 text LONGBLOB NOT NULL) ENGINE=InnoDB"
            ))
            .await?;
        for (kind, text) in [
            ("routines", &self.routine_text),
            ("views", &self.view_text),
            ("triggers", &self.trigger_text),
            ("events", &self.event_text),
        ] {
            let sql = format!("REPLACE INTO {table} VALUES (?, ?)");
            let params = vec![kind.into(), Value::Bytes(text.clone())];
            session
                .execute(&sql, Params::Positional(params))
                .await
                .map_err(|source| RestoreError::server("keeping the objects' texts", source))?;
        }
        Ok(())
    }

    /// What is kept there; `None` if nothing is.
    pub(in crate::restore) async fn kept(
        session: &mut Session,
        old: &str,
        whose: Whose,
    ) -> Result<Option<Scripts>, RestoreError> {
        let there: Option<u64> = session
            .ask_first(
                "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
                of(&[old, &format!("{OWN_PREFIX}objects")]),
            )
            .await?;
        if there != Some(1) {
            return Ok(None);
        }
        let sql = format!(
            "SELECT scripts FROM {} WHERE whose = ?",
            Scripts::table(old)?
        );
        let json: Option<Vec<u8>> = session.ask_first(&sql, of(&[whose.word()])).await?;
        let Some(json) = json else { return Ok(None) };
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| RestoreError::NeedsPerson {
                what: format!("the objects kept in {old} cannot be read: {error}"),
            })
    }

    /// Makes everything of these in `database` but events, and removes what only `other` has.
    pub(in crate::restore) async fn install(
        &self,
        session: &mut Session,
        database: &str,
        other: &Scripts,
    ) -> Result<(), RestoreError> {
        if !self.collation.is_empty() {
            let (charset, collation) = (&self.charset, &self.collation);
            let name = quoted(database)?;
            session
                .tell(&format!(
                    "ALTER DATABASE {name} CHARACTER SET {charset} COLLATE {collation}"
                ))
                .await?;
        }
        let all = |_: Object, _: &str| true;
        self.run(session, database, &self.routine_text, &all)
            .await?;
        // Views may stand on views that are not made yet.
        let there = views(session, database).await?;
        let missing = |_: Object, name: &str| !there.contains(name);
        self.run(session, database, &self.placeholders, &missing)
            .await?;
        self.run(session, database, &self.view_text, &all).await?;
        self.run(session, database, &self.trigger_text, &all)
            .await?;
        for view in other.views.difference(&self.views) {
            session
                .tell(&format!(
                    "DROP VIEW IF EXISTS {}",
                    qualified(database, view)?
                ))
                .await?;
        }
        for (kind, name) in other.routines.difference(&self.routines) {
            // A package takes its body with it, and is only known in one mode.
            if kind == "PACKAGE BODY" {
                continue;
            }
            let mode = if kind == "PACKAGE" { "ORACLE" } else { "" };
            session
                .tell(&format!("SET SESSION sql_mode = '{mode}'"))
                .await?;
            let name = qualified(database, name)?;
            session
                .tell(&format!("DROP {kind} IF EXISTS {name}"))
                .await?;
        }
        session.tell("SET SESSION sql_mode = ''").await
    }

    /// Makes the events, which may fire from then on.
    pub(in crate::restore) async fn install_events(
        &self,
        session: &mut Session,
        database: &str,
    ) -> Result<(), RestoreError> {
        self.run(session, database, &self.event_text, &|_, _| true)
            .await
    }

    /// Makes again what was taken down and nothing else.
    pub(in crate::restore) async fn put_back(
        &self,
        session: &mut Session,
        database: &str,
    ) -> Result<(), RestoreError> {
        let there = views(session, database).await?;
        let missing = |_: Object, name: &str| !there.contains(name);
        self.run(session, database, &self.placeholders, &missing)
            .await?;
        self.run(session, database, &self.view_text, &missing)
            .await?;
        // Triggers fire in the order in which they were made: all of them or none.
        let there = triggers(session, database, self.only.as_ref()).await?;
        if there.len() < self.triggers {
            self.run(session, database, &self.trigger_text, &|_, _| true)
                .await?;
        }
        let there: BTreeSet<String> = names(session, EVENTS, database)
            .await?
            .into_iter()
            .collect();
        let missing = |_: Object, name: &str| !there.contains(name);
        self.run(session, database, &self.event_text, &missing)
            .await
    }

    async fn run(
        &self,
        session: &mut Session,
        database: &str,
        text: &[u8],
        wanted: &super::script::Wanted<'_>,
    ) -> Result<(), RestoreError> {
        let firing = |name: &str| self.firing.contains(name);
        let script = Script {
            text,
            of: &self.database,
            wanted,
            firing: &firing,
        };
        script.run(session, database).await
    }

    /// Removes events and triggers, which must not see the exchange, and views that stand in the
    /// way of tables that come; of some tables only their triggers.
    pub(in crate::restore) async fn take_down(
        session: &mut Session,
        database: &str,
        coming: &[String],
        only: Option<&BTreeSet<String>>,
    ) -> Result<(), RestoreError> {
        let events = match only {
            None => names(session, EVENTS, database).await?,
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
}

const EVENTS: &str = "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?";
const TRIGGERS: &str = "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?";

/// The triggers of a database, or of some of its tables.
async fn triggers(
    session: &mut Session,
    database: &str,
    only: Option<&BTreeSet<String>>,
) -> Result<Vec<String>, RestoreError> {
    let all: Vec<(String, String)> = session.ask(TRIGGERS, of(&[database])).await?;
    let wanted = |table: &String| only.is_none_or(|only| only.contains(table));
    Ok(all
        .into_iter()
        .filter_map(|(name, table)| wanted(&table).then_some(name))
        .collect())
}

async fn names(
    session: &mut Session,
    list: &str,
    database: &str,
) -> Result<Vec<String>, RestoreError> {
    session.ask(list, of(&[database])).await
}

async fn views(session: &mut Session, database: &str) -> Result<BTreeSet<String>, RestoreError> {
    let names: Vec<String> = session
        .ask(
            "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?",
            of(&[database]),
        )
        .await?;
    Ok(names.into_iter().collect())
}
