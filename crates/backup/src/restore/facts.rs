//! What a restore finds where it is to work. Nothing is changed for it.

mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use elpis_mysql::{Flavour, Params, Session, role};
use elpis_run::fsx;
use serde::{Deserialize, Serialize};

use super::error::RestoreError;
use super::policy::RestorePolicy;
use super::rows::{self, RowsFacts};
use super::scope::Scope;
use super::session::{Ask, of};
use super::survey::Survey;
use super::views;
use crate::dump::privileges::Privileges;

/// The server and the live database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreFacts {
    /// The server in words.
    pub target: String,
    /// `VERSION()`.
    pub version_text: String,
    /// Whether it is MariaDB; otherwise it is MySQL.
    pub is_mariadb: bool,
    /// Major, minor, patch.
    pub version: (u16, u16, u16),
    /// The most bytes of one statement that it takes.
    pub max_allowed_packet: u64,
    /// `host:port` of its primary, if it is a replica.
    pub replica_of: Option<String>,
    /// Whether it takes no writes.
    pub read_only: bool,
    /// Bytes that are free where it keeps its data, if that is on this host.
    pub free: Option<u64>,
    /// The live database, if it is there.
    pub live: Option<LiveFacts>,
    /// Its other databases.
    pub databases: BTreeSet<String>,
    /// Of the collations that the text names, those that the server does not know.
    pub unknown_collations: BTreeSet<String>,
    /// Of the accounts that the text names as definers, those that the server does not have;
    /// `None` if the account may not ask.
    pub missing_definers: Option<BTreeSet<String>>,
    /// What views of the text read or call in other databases and is not there, as
    /// `database.name`.
    #[serde(default)]
    pub lost: BTreeSet<String>,
    /// Privileges that the account lacks, as `PRIVILEGE ON object, for what`.
    pub missing: Vec<String>,
    /// Whether services are stopped before the exchange.
    pub stops_services: bool,
    /// Whether the account sees the connections of others (`PROCESS`).
    #[serde(default = "yes")]
    pub sees_users: bool,
    /// Whose rows are meant, if rows of one owner are.
    #[serde(default)]
    pub rows: Option<RowsFacts>,
}

/// Plans of earlier versions did not ask.
fn yes() -> bool {
    true
}

/// The live database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFacts {
    /// Its default character set.
    pub charset: String,
    /// Its default collation.
    pub collation: String,
    /// Its tables and sequences, views left out.
    pub tables: BTreeSet<String>,
    /// Bytes of their data and indexes.
    pub bytes: u64,
    /// Who is connected to it, as `user@host (connection N)`, this tool left out.
    pub users: Vec<String>,
    /// Foreign keys that lead from one of its tables into another database or from there to it,
    /// as `database.table.constraint`.
    pub foreign: Vec<String>,
    /// Foreign keys within it: each table that has one, and the table that it refers to.
    #[serde(default)]
    pub references: BTreeSet<(String, String)>,
    /// Its triggers, each with its table.
    #[serde(default)]
    pub triggers: BTreeMap<String, String>,
    /// Its views.
    #[serde(default)]
    pub views: BTreeSet<String>,
    /// Of its views those that stand on something that is not there: nobody can make them again.
    #[serde(default)]
    pub broken: BTreeSet<String>,
    /// Its routines whose text the account may not read, as `procedure name`.
    #[serde(default)]
    pub unreadable: BTreeSet<String>,
    /// The accounts that what would be taken down or replaced names as definers, besides the own one.
    #[serde(default)]
    pub definers: BTreeSet<String>,
}

/// What the server cannot tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'a> {
    /// The name of this host.
    pub(super) host: &'a str,
    /// Whether services are stopped before the exchange.
    pub(super) stops_services: bool,
}

/// Looks at the server and the live database.
pub(super) async fn gather(
    session: &mut Session,
    policy: &RestorePolicy,
    survey: &Survey,
    here: Here<'_>,
) -> Result<RestoreFacts, RestoreError> {
    let database = policy.database.as_str();
    let info = session.server().clone();
    let role = role(session)
        .await
        .map_err(|source| RestoreError::server("asking for its role", source))?;
    let packet: Option<u64> = session
        .ask_first("SELECT @@GLOBAL.max_allowed_packet", Params::Empty)
        .await?;
    let databases: Vec<String> = session
        .ask(
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA",
            Params::Empty,
        )
        .await?;
    let live = match databases.iter().any(|name| name == database) {
        true => Some(live(session, database, &policy.scope).await?),
        false => None,
    };
    let rows = match (policy.scope.rows(), &live) {
        (Some(rows), Some(_)) => Some(rows::gather(session, database, rows).await?),
        _ => None,
    };
    let lines: Vec<String> = session.ask("SHOW GRANTS", Params::Empty).await?;
    let held = Privileges::parse(lines.iter().map(String::as_str));
    let mut missing_privileges = Vec::new();
    let moves_triggers = policy.scope.rows().is_none()
        && survey
            .trigger_tables
            .values()
            .chain(live.iter().flat_map(|live| live.triggers.values()))
            .any(|table| policy.scope.concerns(table));
    if moves_triggers && !held.global("SUPER") && wants_super(session).await? {
        missing_privileges.push(
            "SUPER ON *.*, for triggers while the server writes a binary log (or set its \
             log_bin_trust_function_creators)"
                .to_owned(),
        );
    }
    let names_others =
        !survey.definers.is_empty() || live.as_ref().is_some_and(|live| !live.definers.is_empty());
    Ok(RestoreFacts {
        sees_users: held.global("PROCESS"),
        target: session.target().to_owned(),
        version_text: info.version_text,
        is_mariadb: info.flavour == Flavour::MariaDb,
        version: info.version,
        max_allowed_packet: packet.unwrap_or_default(),
        replica_of: role.replica_of,
        read_only: role.read_only,
        free: free(session, here.host).await?,
        live,
        databases: databases
            .into_iter()
            .filter(|name| name != database)
            .collect(),
        unknown_collations: unknown_collations(session, survey).await?,
        missing_definers: missing_definers(session, survey).await?,
        lost: match policy.scope.is_whole() {
            true => views::lost(session, database, survey).await?,
            false => BTreeSet::new(),
        },
        missing: [
            missing(&held, info.flavour, database, names_others),
            missing_privileges,
        ]
        .concat(),
        stops_services: here.stops_services,
        rows,
    })
}

async fn live(
    session: &mut Session,
    database: &str,
    scope: &Scope,
) -> Result<LiveFacts, RestoreError> {
    let (charset, collation) = defaults(session, database).await?;
    let tables: Vec<(String, Option<u64>)> = session
        .ask(
            "SELECT TABLE_NAME, DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES \
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
        bytes: tables.iter().filter_map(|(_, bytes)| *bytes).sum(),
        tables: tables.into_iter().map(|(name, _)| name).collect(),
        users: users(session, database).await?,
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

/// The default character set and collation of a database that is there.
pub(super) async fn defaults(
    session: &mut Session,
    database: &str,
) -> Result<(String, String), RestoreError> {
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

/// Who is connected to a database besides us, as far as the account may see.
pub(super) async fn users(
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

/// Bytes free for the server's data, if its directory is on this host.
async fn free(session: &mut Session, this_host: &str) -> Result<Option<u64>, RestoreError> {
    let found: Option<(String, String)> = session
        .ask_first("SELECT @@datadir, @@hostname", Params::Empty)
        .await?;
    let Some((dir, host)) = found else {
        return Ok(None);
    };
    let space = (host == this_host)
        .then(|| fsx::space(Path::new(&dir)).ok())
        .flatten();
    Ok(space.map(|(free, _)| free))
}

async fn unknown_collations(
    session: &mut Session,
    survey: &Survey,
) -> Result<BTreeSet<String>, RestoreError> {
    let known: Vec<String> = session
        .ask(
            "SELECT COLLATION_NAME FROM information_schema.COLLATIONS",
            Params::Empty,
        )
        .await?;
    let known: BTreeSet<String> = known.iter().map(|name| name.to_ascii_lowercase()).collect();
    let is_known = |name: &str| {
        // Newer MariaDB servers list collations without the character set that they belong to.
        let name = name.to_ascii_lowercase();
        let short = name.split_once('_').map_or("", |(_, short)| short);
        known.contains(&name) || known.contains(short)
    };
    let named = survey
        .collations
        .iter()
        .chain(survey.charset.iter().map(|(_, name)| name));
    Ok(named.filter(|name| !is_known(name)).cloned().collect())
}

async fn missing_definers(
    session: &mut Session,
    survey: &Survey,
) -> Result<Option<BTreeSet<String>>, RestoreError> {
    if survey.definers.is_empty() {
        return Ok(Some(BTreeSet::new()));
    }
    let known: Result<Vec<(String, String)>, _> = session
        .rows("SELECT User, Host FROM mysql.user", Params::Empty)
        .await;
    let known = match known {
        Ok(known) => known,
        Err(error) if error.code().is_some() => return Ok(None),
        Err(source) => return Err(RestoreError::server("asking for its accounts", source)),
    };
    let is_known = |account: &str| {
        known.iter().any(|(user, host)| match host.as_str() {
            "" => user == account,
            host => format!("{user}@{host}") == account,
        })
    };
    let missing = survey.definers.iter().filter(|account| !is_known(account));
    Ok(Some(missing.cloned().collect()))
}

/// What is needed on the live database and on those beside it.
fn missing(
    held: &Privileges,
    flavour: Flavour,
    database: &str,
    names_definers: bool,
) -> Vec<String> {
    let beside = super::names::beside(database, "restore", "00000000");
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
    let names_others = match flavour {
        Flavour::MariaDb => ["SUPER", "SET USER"],
        Flavour::MySql => ["SUPER", "SET_USER_ID"],
    };
    let may = |privilege: &&str| held.global(privilege);
    let any = names_others.iter().any(may) || ["SET_ANY_DEFINER"].iter().any(may);
    if names_definers && !any {
        missing.push(format!(
            "{} ON *.*, to name other accounts as definers",
            names_others[1]
        ));
    }
    missing
}
