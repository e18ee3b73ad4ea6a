//! What a restore finds where it is to work. Nothing is changed for it.

mod live;
mod objects;
mod privileges;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use elpis_mysql::{Flavour, Params, Session, role};
use elpis_run::fsx;
use serde::{Deserialize, Serialize};

use super::error::RestoreError;
use super::policy::RestorePolicy;
use super::rows::{self, RowsFacts};
use super::session::Ask;
use super::survey::Survey;
use super::views;
use crate::dump::privileges::Privileges;

pub(super) use live::users;

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
    /// Of these the ones that keep the history of their rows (`WITH SYSTEM VERSIONING`).
    #[serde(default)]
    pub versioned: BTreeSet<String>,
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
        true => Some(live::look(session, database, &policy.scope).await?),
        false => None,
    };
    let rows = match (policy.scope.rows(), &live) {
        (Some(rows), Some(_)) => Some(rows::gather(session, database, rows).await?),
        _ => None,
    };
    let lines: Vec<String> = session.ask("SHOW GRANTS", Params::Empty).await?;
    let held = Privileges::parse(lines.iter().map(String::as_str));
    let missing = privileges::missing(session, &held, policy, survey, live.as_ref()).await?;
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
        missing,
        stops_services: here.stops_services,
        rows,
    })
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
