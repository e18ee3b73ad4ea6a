//! What a restore will do, decided before anything is changed.

mod lines;
mod parts;
mod rest;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::accept::{Accept, Refusal};
use super::facts::{LiveFacts, RestoreFacts};
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

    fn refuse(&self, survey: &Survey) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut refuse = |accept: Option<Accept>, what: String| {
            if !accept.is_some_and(|accept| self.accepts(accept)) {
                refusals.push(Refusal { accept, what });
            }
        };
        let (facts, database) = (&self.facts, &self.policy.database);
        for what in self.policy.wrong() {
            refuse(None, what);
        }
        for missing in &facts.missing {
            refuse(None, format!("the account lacks {missing}"));
        }
        if let Some(what) = self.other_product(survey) {
            refuse(Some(Accept::Schema), what);
        }
        if let Some(what) = other_server(facts, survey) {
            refuse(Some(Accept::Server), what);
        }
        for what in self
            .parts_wrong(survey)
            .into_iter()
            .chain(self.rows_wrong(survey))
        {
            refuse(None, what);
        }
        let exchanges = self.policy.scope.rows().is_none();
        if let (Some(live), Some((charset, collation))) = (&facts.live, &self.charset)
            && self.policy.scope.is_whole()
            && (live.charset != *charset || live.collation != *collation)
        {
            let was = format!("{} ({})", live.charset, live.collation);
            refuse(
                Some(Accept::Charset),
                format!(
                    "{database} has the default character set {was}, the backup {charset} ({collation})"
                ),
            );
        }
        for collation in &facts.unknown_collations {
            refuse(
                None,
                format!("the server does not know the collation {collation}"),
            );
        }
        if !self.left_out.is_empty() {
            let all = self.left_out.iter();
            let all: Vec<String> = all.map(|(view, why)| format!("{view} ({why})")).collect();
            refuse(
                Some(Accept::Views),
                format!(
                    "the server cannot make these views of the backup: {}; bring back what they \
                     stand on, or do without them",
                    all.join(", ")
                ),
            );
        }
        if let Some(primary) = &facts.replica_of {
            refuse(
                Some(Accept::Replica),
                format!("the server is a replica of {primary}: restore there"),
            );
        }
        if facts.read_only {
            refuse(Some(Accept::Replica), "the server is read-only".to_owned());
        }
        if survey.longest_statement >= facts.max_allowed_packet {
            refuse(
                None,
                format!(
                    "the longest statement has {} bytes, and the server's max_allowed_packet is {}: raise it",
                    survey.longest_statement, facts.max_allowed_packet
                ),
            );
        }
        if let Some(free) = facts.free.filter(|free| *free < self.needed) {
            refuse(
                Some(Accept::Space),
                format!(
                    "{free} bytes are free for the server's data, and {} may be needed",
                    self.needed
                ),
            );
        }
        if exchanges && !has_atomic_rename(facts) {
            refuse(
                Some(Accept::NonAtomic),
                format!(
                    "a crash of {} in the middle of the exchange could leave half of it",
                    facts.version_text
                ),
            );
        }
        if let Some(live) = facts.live.as_ref().filter(|_| exchanges) {
            for foreign in &live.foreign {
                refuse(
                    None,
                    format!("the foreign key {foreign} leads to or from another database"),
                );
            }
            for (accept, what) in self.not_made_again(live, survey) {
                refuse(accept, what);
            }
            if !facts.sees_users && !facts.stops_services {
                refuse(
                    Some(Accept::Writers),
                    format!(
                        "without PROCESS ON *.* the account sees only its own connections: whether \
                         somebody works with {database} cannot be told, and no service is stopped"
                    ),
                );
            }
            if !live.users.is_empty() && !facts.stops_services {
                let users = live.users.join(", ");
                refuse(
                    Some(Accept::Writers),
                    format!("{database} is in use by {users}, and no service is stopped"),
                );
            }
        }
        for table in self.tables.iter().filter(|table| table.text.uses_sequence) {
            refuse(
                None,
                format!(
                    "table {} takes a default from a sequence, which cannot be moved with it",
                    table.text.name
                ),
            );
        }
        for name in [&self.side, &self.old] {
            if facts.databases.contains(name) {
                refuse(None, format!("there is a database {name} already"));
            }
        }
        refusals
    }

    /// What of the live database would be gone for good.
    fn not_made_again(&self, live: &LiveFacts, survey: &Survey) -> Vec<(Option<Accept>, String)> {
        let database = &self.policy.database;
        let unreadable = live.unreadable.iter().map(|what| {
            let why = format!(
                "the account may not read the {what} of {database}, so that it could not be put \
                 back: grant it SELECT ON mysql.proc (MySQL: SHOW_ROUTINE ON *.*)"
            );
            (None, why)
        });
        let comes = |name: &&String| {
            survey.views.contains(*name) || survey.tables.iter().any(|table| table.name == **name)
        };
        let broken = live.broken.iter().filter(comes).map(|view| {
            let why = format!(
                "the view {view} of {database} stands on something that is not there: once it is \
                 replaced, it could not be put back"
            );
            (Some(Accept::Views), why)
        });
        unreadable.chain(broken).collect()
    }

    fn other_product(&self, survey: &Survey) -> Option<String> {
        let (installed, backup) = (&self.policy.installed, &survey.product);
        let pairs = [
            ("schema", &installed.schema, &backup.schema),
            ("version", &installed.version, &backup.version),
            ("product", &installed.name, &backup.name),
        ];
        pairs
            .into_iter()
            .find_map(|(what, installed, backup)| match (installed, backup) {
                (Some(installed), Some(backup)) if installed != backup => Some(format!(
                    "the backup has the {what} {backup}, and {installed} is installed"
                )),
                _ => None,
            })
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

impl RestorePolicy {
    /// What is wrong with it.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let system = ["mysql", "information_schema", "performance_schema", "sys"];
        if elpis_mysql::quote(&self.database).is_err() || system.contains(&self.database.as_str()) {
            wrong.push(format!("{:?} is no database to restore", self.database));
        }
        if !(1..=64).contains(&self.sessions) {
            wrong.push("sessions must be 1 to 64".to_owned());
        }
        if !(64 << 10..=256 << 20).contains(&self.chunk_bytes) {
            wrong.push("chunk_bytes must be 64 KiB to 256 MiB".to_owned());
        }
        if self.lock_tries == 0 {
            wrong.push("lock_tries must be at least 1".to_owned());
        }
        wrong
    }
}

/// Since these versions a statement on tables is whole or not done, also after a crash.
fn has_atomic_rename(facts: &RestoreFacts) -> bool {
    match facts.is_mariadb {
        true => facts.version >= (10, 6, 1),
        false => facts.version >= (8, 0, 0),
    }
}

fn other_server(facts: &RestoreFacts, survey: &Survey) -> Option<String> {
    let text = survey.server_version.as_deref()?;
    let is_mariadb = text.to_ascii_lowercase().contains("mariadb");
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u16>);
    let mut number = || numbers.next().and_then(Result::ok).unwrap_or_default();
    let from = (number(), number());
    let here = (facts.version.0, facts.version.1);
    let differs = is_mariadb != facts.is_mariadb || here < from;
    differs.then(|| {
        format!(
            "the backup is from a server {text}, and this one is {}",
            facts.version_text
        )
    })
}

#[cfg(test)]
mod tests;
