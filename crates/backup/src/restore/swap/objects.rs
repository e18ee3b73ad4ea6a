//! Views, triggers, routines and events: read as text, made again from it.

mod keep;

use std::collections::BTreeSet;

use elpis_mysql::Session;
use serde::{Deserialize, Serialize};

use super::script::Script;
use super::take_down::{events, triggers, views};
use crate::dump::Definers;
use crate::dump::facts;
use crate::dump::objects::objects;
use crate::restore::accept::{Accept, Refusal};
use crate::restore::error::RestoreError;
use crate::restore::policy::RestorePolicy;
use crate::restore::session::{Ask, qualified, quoted};
use crate::restore::sql::{Object, SqlReader};
use crate::restore::views::lacks_only_definer;

pub(in crate::restore) use keep::Whose;

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

    /// Whether nothing will be gone for good if everything is taken down and replaced by these
    /// tables and what `new` has. A view that nobody can make again stays where it is, unless its
    /// name is needed.
    pub(in crate::restore) fn check_replaced(
        &self,
        policy: &RestorePolicy,
        tables: &[String],
        new: Option<&Scripts>,
    ) -> Result<(), RestoreError> {
        // The operator does without views that cannot be made.
        let without = policy.accept.contains(&Accept::Views);
        let comes = |name: &String| {
            tables.contains(name) || new.is_some_and(|new| new.views.contains(name))
        };
        let is_lost = |(kind, name): &&(String, String)| kind != "VIEW" || !without && comes(name);
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
        let there = events(session, database).await?;
        let missing = |_: Object, name: &str| !there.iter().any(|event| event == name);
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
}
