//! What a doctor asks of the database, in short reads.

use std::collections::BTreeSet;

use elpis_maint_core::housekeeping::{Task, Work};
use elpis_mysql::{Error, Flavour, Params, Session, now, role};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::schema::SchemaVersion;
use crate::server::{Denied, denied, last_maintenance, lossy, may_create_progress, one};
use crate::tasks::{HousekeepingSettings, catalogue};
use crate::tokens::Tokens;

/// Indexes that the shipped schema has and the tasks walk along: table and first columns.
const INDEXES: [(&str, &[&str]); 13] = [
    ("tagente_datos", &["id_agente_modulo", "utimestamp"]),
    ("tagente_datos", &["utimestamp"]),
    ("tagente_datos_string", &["id_agente_modulo", "utimestamp"]),
    ("tagente_datos_string", &["utimestamp"]),
    ("tagente_datos_inc", &["id_agente_modulo"]),
    ("tagente_datos_inventory", &["utimestamp"]),
    ("tagente_estado", &["id_agente_modulo"]),
    ("tagente_modulo", &["id_agente"]),
    ("talert_template_modules", &["id_agent_module"]),
    ("tevento", &["id_agentmodule"]),
    ("tevento", &["utimestamp"]),
    ("ttrap", &["timestamp"]),
    ("tgis_data_history", &["end_timestamp"]),
];
/// Tables that every version has.
const SHIPPED: [&str; 10] = [
    "tagente",
    "tagente_datos",
    "tagente_datos_inc",
    "tagente_datos_string",
    "tagente_estado",
    "tagente_modulo",
    "talert_template_modules",
    "tconfig",
    "tevento",
    "ttrap",
];
/// Tables with a time that do not grow with it, or go with the rows that they belong to.
const SETTLED: [&str; 14] = [
    "tagente",
    "tagente_datos",
    "tagente_estado",
    "tagente_modulo",
    "talert_template_modules",
    "talert_templates",
    "tevent_comment",
    "tgis_data_status",
    "tlayout_data",
    "tnotification_user",
    "treport_content",
    "tserver",
    "tsesion_extended",
    "tusuario",
];
/// An unknown table with fewer rows than this is no matter.
const MANY_ROWS: u64 = 10_000;

/// What is true of the server and the database.
#[derive(Debug, Clone, Default)]
pub struct DatabaseFacts {
    /// Product and version, such as `MariaDB 10.11.19`.
    pub server: String,
    /// Whether its version has window functions, without which nothing is compacted.
    pub has_window_functions: bool,
    /// Why the server may not be written to.
    pub obstacles: Vec<&'static str>,
    /// `host:port` of its primary, if it is a replica; for the caller to forget where that is allowed.
    pub replica_of: Option<String>,
    /// How far the server's clock is ahead of ours, in seconds.
    pub clock_skew_s: f64,
    /// The schema's version (`db_scheme_version`), such as `7.0NG`.
    pub schema_version: Option<String>,
    /// The versions that the product's servers say they have.
    pub server_versions: Vec<String>,
    /// Tables of the shipped schema that lack an index: table and columns, all of which are there.
    pub missing_indexes: Vec<(String, String)>,
    /// Tables of the shipped schema that lack a column: table and column.
    pub missing_columns: Vec<(String, String)>,
    /// Tables without a primary key, if this is a Galera cluster, which cannot delete from them.
    pub keyless_in_cluster: Vec<String>,
    /// What the account may not do.
    pub denied: Vec<Denied>,
    /// Whether the account may create the tables that compaction keeps its progress in; `None` if
    /// they are there already, or nobody can tell.
    pub may_create: Option<bool>,
    /// Large tables with a time that no task knows.
    pub unknown_tables: Vec<UnknownTable>,
    /// When the last complete run ended, by whichever tool.
    pub last_run: Option<Timestamp>,
    /// The server's data directory.
    pub datadir: Option<String>,
    /// The file system under it, if it is on this host; for the caller to find out.
    pub disk: Option<Disk>,
}

/// A table that no task knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTable {
    /// Its name.
    pub table: String,
    /// Its column with a time.
    pub column: String,
    /// About how many rows it has.
    pub rows: u64,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl DatabaseFacts {
    /// Asks. `tasks`: all that a run may do.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn gather(
        session: &mut Session,
        tokens: &Tokens,
        tasks: &[Task],
        at: Timestamp,
    ) -> Result<DatabaseFacts, Error> {
        let info = session.server().clone();
        let theirs = now(session).await?;
        let role = role(session).await?;
        let (missing_indexes, missing_columns) = missing(session).await?;
        let has_window_functions = match info.flavour {
            Flavour::MariaDb => info.version >= (10, 2, 0),
            Flavour::MySql => info.version >= (8, 0, 0),
        };
        let datadir = "SELECT CAST(@@datadir AS BINARY)";
        let datadir: Option<Vec<u8>> = session.first(datadir, Params::Empty).await?;
        let versions = "SELECT DISTINCT CAST(version AS BINARY) FROM tserver WHERE status = 1";
        let versions: Vec<Vec<u8>> = session.rows(versions, Params::Empty).await?;
        Ok(DatabaseFacts {
            server: format!("{:?} {}", info.flavour, info.version_text),
            has_window_functions,
            obstacles: role.obstacles(),
            replica_of: role.replica_of,
            clock_skew_s: (theirs - at.as_microsecond()) as f64 / 1e6,
            schema_version: SchemaVersion::read(session).await?.version,
            server_versions: versions.into_iter().map(lossy).collect(),
            missing_indexes,
            missing_columns,
            keyless_in_cluster: keyless_in_cluster(session).await?,
            denied: denied(tasks, &SHIPPED, session).await?,
            may_create: may_create_progress(session).await?,
            unknown_tables: unknown_tables(session, &tables(tasks, at)).await?,
            last_run: last_maintenance(tokens),
            datadir: datadir.map(lossy),
            disk: None,
        })
    }
}

/// Indexes and columns that are not there, of tables that are.
async fn missing(
    session: &mut Session,
) -> Result<(Vec<(String, String)>, Vec<(String, String)>), Error> {
    let sql = "SELECT CAST(table_name AS BINARY), CAST(index_name AS BINARY), \
                      CAST(COALESCE(column_name, '') AS BINARY) \
               FROM information_schema.statistics WHERE table_schema = DATABASE() \
               ORDER BY table_name, index_name, seq_in_index";
    let rows: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = session.rows(sql, Params::Empty).await?;
    let mut indexes: Vec<((String, String), Vec<String>)> = Vec::new();
    for (table, index, column) in rows {
        let name = (lossy(table), lossy(index));
        match indexes.last_mut().filter(|(known, _)| *known == name) {
            Some((_, columns)) => columns.push(lossy(column)),
            None => indexes.push((name, vec![lossy(column)])),
        }
    }
    let (mut missing, mut lacking) = (Vec::new(), BTreeSet::new());
    for (table, wanted) in INDEXES {
        let found = indexes.iter().any(|((name, _), columns)| {
            name == table && columns.iter().take(wanted.len()).eq(wanted.iter())
        });
        let columns = match found {
            true => continue,
            false => columns(session, table).await?,
        };
        let absent = wanted.iter().filter(|column| !columns.contains(**column));
        let absent: Vec<_> = absent
            .map(|column| (table.to_owned(), (*column).to_owned()))
            .collect();
        match (columns.is_empty(), absent.is_empty()) {
            (true, _) => {}
            (false, true) => missing.push((table.to_owned(), wanted.join(", "))),
            (false, false) => lacking.extend(absent),
        }
    }
    Ok((missing, lacking.into_iter().collect()))
}

/// The columns of a table, in small letters; none if it is not there.
async fn columns(session: &mut Session, table: &str) -> Result<BTreeSet<String>, Error> {
    let sql = "SELECT CAST(LOWER(column_name) AS BINARY) FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ?";
    let columns: Vec<Vec<u8>> = session.rows(sql, one(table)).await?;
    Ok(columns.into_iter().map(lossy).collect())
}

async fn keyless_in_cluster(session: &mut Session) -> Result<Vec<String>, Error> {
    let wsrep = "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'";
    let wsrep: Option<(String, String)> = session.first(wsrep, Params::Empty).await?;
    if wsrep.is_none_or(|(_, value)| value != "ON") {
        return Ok(Vec::new());
    }
    let sql = "SELECT CAST(t.table_name AS BINARY) FROM information_schema.tables t \
               WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' \
                 AND NOT EXISTS (SELECT 1 FROM information_schema.statistics s \
                   WHERE s.table_schema = t.table_schema AND s.table_name = t.table_name \
                     AND s.index_name = 'PRIMARY') ORDER BY t.table_name";
    let rows: Vec<Vec<u8>> = session.rows(sql, Params::Empty).await?;
    Ok(rows.into_iter().map(lossy).collect())
}

/// The tables that `tasks` read or change, or would if they were switched on.
fn tables(tasks: &[Task], at: Timestamp) -> BTreeSet<String> {
    let all = catalogue(&HousekeepingSettings::everything(), &TimeZone::UTC, at);
    let works = tasks.iter().chain(&all).flat_map(|task| &task.work);
    works.filter_map(Work::table).map(str::to_owned).collect()
}

async fn unknown_tables(
    session: &mut Session,
    known: &BTreeSet<String>,
) -> Result<Vec<UnknownTable>, Error> {
    let sql = "SELECT CAST(c.table_name AS BINARY), CAST(MIN(c.column_name) AS BINARY), \
                      CAST(COALESCE(MAX(t.table_rows), 0) AS UNSIGNED) \
               FROM information_schema.columns c JOIN information_schema.tables t \
                 ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
               WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' \
                 AND (c.column_name LIKE '%timestamp%' OR c.data_type IN ('datetime', 'timestamp', 'date') \
                   OR c.data_type IN ('int', 'bigint') AND c.column_name REGEXP \
                     '(_at|_time|^time|^date|^date_.*|last_active)$') \
               GROUP BY c.table_name HAVING CAST(COALESCE(MAX(t.table_rows), 0) AS UNSIGNED) >= ? \
               ORDER BY 1";
    let rows: Vec<(Vec<u8>, Vec<u8>, u64)> = session.rows(sql, one(MANY_ROWS)).await?;
    let unknown = rows.into_iter().map(|(table, column, rows)| UnknownTable {
        table: lossy(table),
        column: lossy(column),
        rows,
    });
    let ours = |name: &str| name.starts_with("elpis_");
    Ok(unknown
        .filter(|found| !known.contains(&found.table) && !SETTLED.contains(&found.table.as_str()))
        .filter(|found| !ours(&found.table))
        .collect())
}
