//! Making a journal file, and making sure that a file is one before anything relies on it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::schema::__diesel_schema_migrations;
use super::{JournalError, TxError, database_error};
use crate::fsx;

/// "ElpR" in ASCII, in the header of every journal.
const APPLICATION_ID: i64 = 0x456c_7052;
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";
/// Every table and index of this release's schema.
const OURS: [&str; 8] = [
    MIGRATIONS_TABLE,
    "events",
    "plans",
    "runs",
    "runs_finished",
    "runs_of",
    "runs_open",
    "runs_planned",
];

/// How a connection may use the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// A file that is there, verified to be a journal and brought to this release's schema.
pub(super) fn open_existing(path: &Path, access: Access) -> Result<SqliteConnection, JournalError> {
    let mut conn = connect(path, access)?;
    let newest = verify(&mut conn, path)?;
    if newest == Schema::Older && access == Access::Write {
        conn.immediate_transaction(|conn| migrate(conn, path))
            .map_err(|error| error.at(path, "update the schema"))?;
    }
    Ok(conn)
}

/// Makes the file, complete, unless another process makes it first.
///
/// It gets its name only when it is whole. So an empty or half-written file is never a young
/// journal, always a damaged one, and two creators cannot meet inside one file.
pub(super) fn create(path: &Path) -> Result<(), JournalError> {
    let wal = with_suffix(path, "-wal");
    // Looked at again because a creator who was faster may have begun to write by now.
    if fsx::is_private_file(&wal)? && !fsx::is_private_file(path)? {
        return Err(JournalError::Corrupt {
            path: path.to_owned(),
            reason: format!("the file is gone, but {} is there", wal.display()),
        });
    }
    fsx::create_whole(path, |temporary| {
        let mut conn = connect(temporary, Access::Write)?;
        migrate(&mut conn, path).map_err(|error| error.at(path, "create the tables"))?;
        let identity =
            format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA journal_mode = WAL");
        conn.batch_execute(&identity)
            .map_err(|error| database_error(error, path, "set up a new file"))
    })
}

fn connect(path: &Path, access: Access) -> Result<SqliteConnection, JournalError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| JournalError::Database {
        path: path.to_owned(),
        doing: "open the file",
        source: error,
    };
    let mut conn =
        SqliteConnection::establish(&uri(path, access)).map_err(|error| failed(error.into()))?;
    // FULL: in WAL mode a commit that returned is on disk, not only in the log's page cache.
    conn.batch_execute(
        "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
    )
    .map_err(|error| database_error(error, path, "open the file"))?;
    Ok(conn)
}

/// A URI because only it can say "do not create": whoever deletes the file under us must not get
/// an empty one in its place.
fn uri(path: &Path, access: Access) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + match access {
        Access::Write => "?mode=rw",
        Access::Read => "?mode=ro",
    }
}

#[derive(PartialEq, Eq)]
enum Schema {
    Current,
    Older,
}

/// Reads only, until it is sure.
fn verify(conn: &mut SqliteConnection, path: &Path) -> Result<Schema, JournalError> {
    let failed = |error| database_error(error, path, "check the file");
    let corrupt = |reason: String| JournalError::Corrupt {
        path: path.to_owned(),
        reason,
    };
    let foreign = |reason: String| JournalError::Foreign {
        path: path.to_owned(),
        reason,
    };

    let pages: i64 = sql::<BigInt>("PRAGMA page_count")
        .get_result(conn)
        .map_err(failed)?;
    if pages == 0 {
        return Err(corrupt("it is empty".to_owned()));
    }
    let id: i64 = sql::<BigInt>("PRAGMA application_id")
        .get_result(conn)
        .map_err(failed)?;
    if id != APPLICATION_ID {
        return Err(foreign(format!(
            "its application id is {id}, not {APPLICATION_ID}"
        )));
    }
    let check: String = sql::<Text>("PRAGMA quick_check(1)")
        .get_result(conn)
        .map_err(failed)?;
    if check != "ok" {
        return Err(corrupt(check.lines().collect::<Vec<_>>().join(" ")));
    }
    // Of one moment: another process may be at taking over a journal of an earlier release.
    let (entries, applied) = conn.transaction(contents).map_err(failed)?;
    if !entries.iter().any(|entry| entry == MIGRATIONS_TABLE) {
        return Err(corrupt("its tables are missing".to_owned()));
    }
    let known = known_versions(path)?;
    // Before the tables and indexes, because a later release may have more of them.
    if let Some(found) = applied.difference(&known).last() {
        return Err(JournalError::Newer {
            path: path.to_owned(),
            found: found.clone(),
        });
    }
    if let Some(entry) = entries.iter().find(|entry| !OURS.contains(&entry.as_str())) {
        return Err(foreign(format!("it holds `{entry}`")));
    }
    if applied != known {
        return Ok(Schema::Older);
    }
    if entries.len() != OURS.len() {
        return Err(corrupt("a table or an index is missing".to_owned()));
    }
    Ok(Schema::Current)
}

/// The names of all tables and indexes, and which migrations were applied.
fn contents(conn: &mut SqliteConnection) -> QueryResult<(Vec<String>, BTreeSet<String>)> {
    let names = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let entries: Vec<String> = sql::<Text>(names).load(conn)?;
    let mut applied = BTreeSet::new();
    if entries.iter().any(|entry| entry == MIGRATIONS_TABLE) {
        let versions = __diesel_schema_migrations::table;
        let versions = versions.select(__diesel_schema_migrations::version);
        applied.extend(versions.load::<String>(conn)?);
    }
    Ok((entries, applied))
}

fn known_versions(path: &Path) -> Result<BTreeSet<String>, JournalError> {
    let known: Vec<Box<dyn Migration<Sqlite>>> =
        MIGRATIONS
            .migrations()
            .map_err(|source| JournalError::Database {
                path: path.to_owned(),
                doing: "list the schema's versions",
                source,
            })?;
    Ok(known
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect())
}

fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), TxError> {
    match conn.run_pending_migrations(MIGRATIONS) {
        Ok(_) => Ok(()),
        Err(source) => Err(TxError::Journal(JournalError::Database {
            path: path.to_owned(),
            doing: "apply the schema",
            source,
        })),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn a_path_cannot_smuggle_uri_parameters_in() {
        let path = Path::new(OsStr::from_bytes(b"/var/lib/a?b=c#d%20 \xff/j.db"));
        assert_eq!(
            uri(path, Access::Read),
            "file:/var/lib/a%3Fb%3Dc%23d%2520%20%FF/j.db?mode=ro"
        );
    }

    #[test]
    fn a_connection_is_as_durable_and_strict_as_promised() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        create(&path).unwrap();
        let mut conn = open_existing(&path, Access::Write).unwrap();
        let mut number = |pragma| sql::<BigInt>(pragma).get_result::<i64>(&mut conn).unwrap();
        assert_eq!(number("PRAGMA synchronous"), 2); // FULL
        assert_eq!(number("PRAGMA foreign_keys"), 1);
        assert_eq!(number("PRAGMA busy_timeout"), 10_000);
        let mode: String = sql::<Text>("PRAGMA journal_mode")
            .get_result(&mut conn)
            .unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn whoever_creates_second_leaves_the_first_ones_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        create(&path).unwrap();
        let mut conn = open_existing(&path, Access::Write).unwrap();
        conn.batch_execute("INSERT INTO runs VALUES (7, 'j', 't', '{}', 0, '{}', NULL, NULL)")
            .unwrap();
        create(&path).unwrap();
        let mut again = open_existing(&path, Access::Read).unwrap();
        let id: i64 = sql::<BigInt>("SELECT id FROM runs")
            .get_result(&mut again)
            .unwrap();
        assert_eq!(id, 7);
        drop((conn, again));
        let entries = path.parent().unwrap().read_dir().unwrap();
        let stray = entries.filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("tmp")
        });
        assert_eq!(stray.count(), 0);
    }
}
