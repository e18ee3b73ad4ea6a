//! What a restore will do, decided before anything is changed.

mod lines;
mod parts;
mod refusals;
mod rest;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::accept::{Accept, Refusal};
use super::facts::RestoreFacts;
use super::names::{beside, tag};
use super::policy::RestorePolicy;
use super::survey::{Survey, SurveyedTable};
use super::views::unmakeable;

/// About how many bytes a server needs for a byte of text: narrow rows with their indexes.
const BYTES_A_BYTE: u64 = 3;
/// What stays free besides, in bytes.
const RESERVE: u64 = 64 << 20;

/// A restore that only needs to be carried out. It is kept in the journal as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestorePlan {
    /// What is wanted.
    pub policy: RestorePolicy,
    /// What was found.
    pub facts: RestoreFacts,
    /// The text: BLAKE3, in lower-case hexadecimal.
    pub text: String,
    /// Bytes of what is loaded of the text.
    pub text_bytes: u64,
    /// The database that the text is of, if it says so.
    #[serde(default)]
    pub source: Option<String>,
    /// Whether rows can be compared with the text byte for byte.
    pub by_elpis: bool,
    /// The default character set and collation that the live database will have.
    pub charset: Option<(String, String)>,
    /// The database into which everything is loaded first.
    pub side: String,
    /// The database that keeps the old tables.
    pub old: String,
    /// The tables that will be there.
    pub tables: Vec<PlannedTable>,
    /// Tables of the live database that the text does not have: they go to the old database too.
    pub leaving: BTreeSet<String>,
    /// Views of the text that the server cannot make, and why: they are left out.
    #[serde(default)]
    pub left_out: BTreeMap<String, String>,
    /// How many views, triggers, routines and events will be there.
    pub views: u64,
    /// See `views`.
    pub triggers: u64,
    /// See `views`.
    pub routines: u64,
    /// See `views`.
    pub events: u64,
    /// About how many bytes the server needs besides what it has.
    pub needed: u64,
    /// Why it will not be done; empty if it will.
    pub refusals: Vec<Refusal>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// What follows after the exchange, while the product works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Box<RestorePlan>>,
}

/// One table of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedTable {
    /// What the text holds of it.
    #[serde(flatten)]
    pub text: SurveyedTable,
    /// Whether its secondary indexes are made after its rows, if it has any that can be.
    pub deferred: bool,
}

impl RestorePlan {
    /// Decides; a pure function.
    pub fn new(
        policy: &RestorePolicy,
        facts: &RestoreFacts,
        survey: &Survey,
        now: Timestamp,
    ) -> RestorePlan {
        let tag = tag(now);
        let scope = &policy.scope;
        let tables: Vec<PlannedTable> = survey
            .tables
            .iter()
            .filter(|table| scope.loads(&table.name))
            .map(|table| PlannedTable {
                text: table.clone(),
                deferred: !table.referenced && table.bytes >= policy.defer_from,
            })
            .collect();
        let names: BTreeSet<&String> = survey.tables.iter().map(|table| &table.name).collect();
        let live_tables = facts.live.iter().flat_map(|live| &live.tables);
        let leaving = live_tables
            .filter(|name| scope.is_whole() && !names.contains(name))
            .cloned()
            .collect();
        // Of some tables nothing comes along but their triggers.
        let objects = |all: &BTreeSet<String>| match scope.is_whole() {
            true => all.len() as u64,
            false => 0,
        };
        let left_out = match scope.is_whole() {
            true => unmakeable(survey, facts),
            false => BTreeMap::new(),
        };
        let bytes = match scope.is_whole() {
            true => survey.bytes,
            false => tables.iter().map(|table| table.text.bytes).sum(),
        };
        let mut plan = RestorePlan {
            policy: policy.clone(),
            facts: facts.clone(),
            text: survey.blake3.clone(),
            text_bytes: bytes,
            source: survey.database.clone(),
            by_elpis: survey.by_elpis,
            charset: survey.charset.clone(),
            side: beside(&policy.database, "restore", &tag),
            old: beside(&policy.database, "old", &tag),
            tables,
            leaving,
            views: objects(&survey.views).saturating_sub(left_out.len() as u64),
            left_out,
            triggers: match scope.is_whole() {
                true => survey.triggers.len() as u64,
                false => {
                    let tables = survey.trigger_tables.values();
                    tables.filter(|table| scope.concerns(table)).count() as u64
                }
            },
            routines: objects(&survey.routines),
            events: objects(&survey.events),
            needed: bytes.saturating_mul(BYTES_A_BYTE).saturating_add(RESERVE),
            refusals: Vec::new(),
            warnings: Vec::new(),
            rest: None,
        };
        plan.split(survey, &tag);
        plan.refusals = plan.refuse(survey);
        plan.warnings = plan.warn(survey);
        plan
    }

    /// Equal for plans that do the same to the same: a plan that was approved can be told from one
    /// for which something has changed since. Names and moments do not count.
    pub fn fingerprint(&self) -> String {
        let mut same = self.clone();
        same.side = String::new();
        same.old = String::new();
        if let Some(rest) = &mut same.rest {
            rest.side = String::new();
            rest.old = String::new();
        }
        same.facts.free = None;
        if let Some(live) = &mut same.facts.live {
            live.users.clear();
            live.bytes = 0;
        }
        let json = serde_json::to_vec(&same).unwrap_or_default();
        blake3::hash(&json).to_hex().as_str()[..16].to_owned()
    }

    fn accepts(&self, accept: Accept) -> bool {
        self.policy.accept.contains(&accept)
    }

    fn warn(&self, survey: &Survey) -> Vec<String> {
        let mut warnings = Vec::new();
        match &self.facts.missing_definers {
            None => warnings.push("whether the definers' accounts are there cannot be seen".to_owned()),
            Some(missing) => warnings.extend(missing.iter().map(|account| {
                format!("the definer {account} is no account of the server: what it defines will not run")
            })),
        }
        let left_out = self.left_out.iter();
        warnings.extend(left_out.map(|(view, why)| format!("view {view} is left out: {why}")));
        let live = self.facts.live.iter().flat_map(|live| &live.versioned);
        let comes = |name: &&String| {
            let is_one = self.tables.iter().any(|table| table.text.name == **name);
            is_one && self.policy.scope.concerns(name)
        };
        warnings.extend(live.filter(comes).map(|name| {
            let (database, old) = (&self.policy.database, &self.old);
            format!(
                "table {name} of {database} keeps the history of its rows, and the backup has only \
                 current rows: the history goes to {old}, and is gone when that is forgotten"
            )
        }));
        if !survey.by_elpis {
            warnings.push("another tool wrote the text: rows are counted, not compared".to_owned());
        }
        if self.rest.is_none() && !self.policy.later.is_empty() {
            warnings.push("no table can come later: all are loaded before the exchange".to_owned());
        }
        if !self.facts.sees_users && self.facts.stops_services {
            warnings.push(
                "without PROCESS ON *.* the account sees only its own connections: whether somebody \
                 still works with the database once the services are stopped cannot be told"
                    .to_owned(),
            );
        }
        if self.facts.free.is_none() {
            warnings.push(
                "the server's data is on another host: how much is free cannot be seen".to_owned(),
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
