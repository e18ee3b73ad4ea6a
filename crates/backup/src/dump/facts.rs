//! What there is to dump, and on what kind of server.

use elpis_mysql::{Flavour, Params, Row, Session, Value, role};
use serde::Serialize;

use super::error::DumpError;
use super::privileges::Privileges;
use super::query::{Query, text};

mod catalogue;
mod lookup;

pub use catalogue::{Catalogue, RangeColumn, TableFacts};
pub(crate) use lookup::database;

/// What [`Dump::inspect`](super::Dump::inspect) found. Nothing was changed for it.
#[derive(Clone, Debug, Serialize)]
pub struct DumpFacts {
    /// The server.
    pub server: ServerFacts,
    /// The databases of the policy, in its order.
    pub databases: Vec<Catalogue>,
    /// Privileges without which something would be left out, as `PRIVILEGE ON object, for what`.
    pub missing: Vec<String>,
}

/// A server as a dump sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ServerFacts {
    /// `VERSION()`.
    pub version_text: String,
    /// Whether it is MariaDB, and its version.
    #[serde(skip)]
    pub(super) flavour: Flavour,
    #[serde(skip)]
    pub(super) version: (u16, u16, u16),
    /// The most bytes of one statement it takes.
    pub max_allowed_packet: u64,
    /// `host:port` of its primary, if it is a replica.
    pub replica_of: Option<String>,
    /// Why the binary log's position does not tell all changes apart; `None` if it does.
    pub no_lock_free: Option<String>,
    /// Why `BACKUP STAGE` cannot be used; `None` if it can.
    pub no_backup_stage: Option<String>,
    /// Why `FLUSH TABLES WITH READ LOCK` cannot be used; `None` if it can.
    pub no_global_lock: Option<String>,
    #[serde(skip)]
    pub(super) privileges: Privileges,
}

impl ServerFacts {
    pub(super) fn is_mariadb(&self) -> bool {
        self.flavour == Flavour::MariaDb
    }
}

/// Learns what the server is and what the account may do there.
pub(super) async fn server(session: &mut Session) -> Result<ServerFacts, DumpError> {
    let privileges = privileges(session).await?;
    let info = session.server().clone();
    let role = role(session)
        .await
        .map_err(|source| DumpError::server("asking for the server's role", source))?;
    let max_allowed_packet: Option<u64> = session
        .ask_first("SELECT @@GLOBAL.max_allowed_packet", Params::Empty)
        .await?;
    let no_lock_free = match info.flavour {
        Flavour::MySql => Some("only MariaDB tells the position of a snapshot".to_owned()),
        Flavour::MariaDb if !role.log_bin => Some("the server writes no binary log".to_owned()),
        Flavour::MariaDb => unlogged_changes(session, role.replica_of.is_some()).await?,
    };
    let reload = || Some("the account lacks RELOAD ON *.*".to_owned());
    let old = info.flavour == Flavour::MySql || info.version < (10, 4, 1);
    Ok(ServerFacts {
        version_text: info.version_text,
        flavour: info.flavour,
        version: info.version,
        max_allowed_packet: max_allowed_packet.unwrap_or_default(),
        replica_of: role.replica_of,
        no_lock_free,
        no_backup_stage: if old {
            Some("the server has no BACKUP STAGE".to_owned())
        } else if privileges.global("RELOAD") {
            None
        } else {
            reload()
        },
        no_global_lock: if privileges.global("RELOAD") {
            None
        } else {
            reload()
        },
        privileges,
    })
}

async fn privileges(session: &mut Session) -> Result<Privileges, DumpError> {
    let lines: Vec<String> = session.ask("SHOW GRANTS", Params::Empty).await?;
    Ok(Privileges::parse(lines.iter().map(String::as_str)))
}

/// Why data can change while the binary log stands still. (A session with `sql_log_bin = 0` is
/// the one case that cannot be seen from outside.)
async fn unlogged_changes(
    session: &mut Session,
    is_replica: bool,
) -> Result<Option<String>, DumpError> {
    let updates: Option<i64> = session
        .ask_first("SELECT @@GLOBAL.log_slave_updates", Params::Empty)
        .await?;
    if is_replica && updates == Some(0) {
        let why = "the server is a replica that does not log what it applies";
        return Ok(Some(why.to_owned()));
    }
    let status = session
        .rows::<Row>("SHOW MASTER STATUS", Params::Empty)
        .await;
    let status = match status {
        Ok(rows) => rows,
        Err(error) if error.code().is_some() => {
            let why = "the account lacks BINLOG MONITOR ON *.*, so that filters of the binary \
                       log cannot be ruled out";
            return Ok(Some(why.to_owned()));
        }
        Err(source) => return Err(DumpError::server("asking for the binary log", source)),
    };
    let filtered = status.iter().any(|row| {
        (2..4).any(|column| {
            row.as_ref(column)
                .is_some_and(|value| !text(value).is_empty())
        })
    });
    Ok(filtered.then(|| "the binary log is filtered by database".to_owned()))
}

/// What the account would not see or could not do in `database`.
pub(super) fn missing(server: &ServerFacts, found: &Catalogue, lock_tables: bool) -> Vec<String> {
    let held = &server.privileges;
    let name = &found.name;
    let mut missing = Vec::new();
    let mut need = |privilege: &str, what: &str| {
        if !held.on(privilege, name) {
            missing.push(format!("{privilege} ON `{name}`.*, {what}"));
        }
    };
    need("SELECT", "to read every table");
    need("TRIGGER", "without which triggers cannot be seen");
    need("EVENT", "without which events cannot be seen");
    if !found.views.is_empty() {
        need("SHOW VIEW", "to read views");
    }
    if lock_tables && found.tables.iter().any(|table| !table.transactional) {
        need("LOCK TABLES", "for tables without transactions");
    }
    let sees_routines = ["EXECUTE", "ALTER ROUTINE", "CREATE ROUTINE"]
        .iter()
        .any(|privilege| held.on(privilege, name))
        || held.on("SELECT", "mysql")
        || held.global("SHOW_ROUTINE");
    if !sees_routines {
        missing.push(format!(
            "EXECUTE ON `{name}`.*, without which routines cannot be seen"
        ));
    }
    if found.routines.iter().any(|routine| !routine.readable) {
        let (privilege, object) = match (server.flavour, server.version) {
            (Flavour::MySql, (8.., ..)) => ("SHOW_ROUTINE", "*.*"),
            (Flavour::MariaDb, version) if version >= (11, 3, 0) => ("SHOW CREATE ROUTINE", "*.*"),
            _ => ("SELECT", "mysql.proc"),
        };
        missing.push(format!(
            "{privilege} ON {object}, to read routines of other definers"
        ));
    }
    missing
}

/// A value as text, for the little that is asked in passing.
pub(super) fn number(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::UInt(number) => Some(i128::from(*number)),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}
