//! A monitoring database to try things on: a Pandora-like schema in SQLite, filled with series
//! that look like those of real hosts, and an independent recount.
//!
//! The recount shares no query with the engine: it is what a purge is judged by.

mod charts;
mod exhibit;
mod module;
mod rows;
mod series;
mod survey;

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use jiff::Timestamp;

pub use charts::{ChartSurvey, compare_charts, console_rules, copy};
pub use exhibit::{Exhibit, exhibits};
pub use survey::{SeriesSpace, Survey, TableSurvey, series_space, survey};

/// What the database is to be like. The same value makes the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoSpec {
    /// About how many rows it gets, over all tables; within a few per cent from 100 000 on.
    pub rows: u64,
    /// How many days they span, at least 8.
    pub days: u32,
    /// Where chance begins.
    pub seed: u64,
    /// The end of the last day.
    pub now: Timestamp,
}

impl DemoSpec {
    /// The seconds between two values of a series.
    pub fn interval_s(&self) -> i64 {
        series::interval(self)
    }
}

/// Why there is no demo database, or no recount of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The file cannot be used.
    #[error("cannot open the demo database {path}")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        source: diesel::ConnectionError,
    },
    /// A statement failed, most likely because the disk is full.
    #[error("cannot {doing} in the demo database")]
    Statement {
        /// What was tried, as a verb phrase.
        doing: &'static str,
        /// What SQLite said.
        source: diesel::result::Error,
    },
}

/// Tables without their indexes: those come after the rows, which is much faster.
const TABLES: &str = "
    CREATE TABLE tagente_datos (id_agente_modulo INTEGER NOT NULL, datos REAL, utimestamp INTEGER);
    CREATE TABLE tagente_modulo (
        id_agente_modulo INTEGER PRIMARY KEY, nombre TEXT NOT NULL,
        id_tipo_modulo INTEGER NOT NULL);
    CREATE TABLE tagente_datos_string (
        id_agente_modulo INTEGER NOT NULL, datos TEXT NOT NULL, utimestamp INTEGER NOT NULL);
    CREATE TABLE tevento (
        id_evento INTEGER PRIMARY KEY, id_agente INTEGER NOT NULL, evento TEXT NOT NULL,
        utimestamp INTEGER NOT NULL, criticity INTEGER NOT NULL);
    CREATE TABLE tevent_extended (
        id INTEGER PRIMARY KEY,
        id_evento INTEGER NOT NULL REFERENCES tevento (id_evento) ON DELETE CASCADE,
        utimestamp INTEGER NOT NULL, description TEXT);
    CREATE TABLE tsesion (
        id_sesion INTEGER PRIMARY KEY, id_usuario TEXT NOT NULL, accion TEXT NOT NULL,
        utimestamp INTEGER NOT NULL);";

/// `tsesion` has none on its time: it must be walked along its key.
const INDEXES: &str = "
    CREATE INDEX datos_module ON tagente_datos (id_agente_modulo, utimestamp);
    CREATE INDEX datos_time ON tagente_datos (utimestamp);
    CREATE INDEX string_time ON tagente_datos_string (utimestamp);
    CREATE INDEX evento_time ON tevento (utimestamp);
    CREATE INDEX extended_evento ON tevent_extended (id_evento);";

/// Creates the database at `path`, where no file may be yet, and returns its number of rows.
/// `progress` hears how many there are so far, every few thousand.
///
/// Blocks: some seconds for two million rows.
///
/// # Errors
/// [`DemoError`]; the file is then of no use.
pub fn create(
    path: &Path,
    spec: &DemoSpec,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, DemoError> {
    let mut connection = connect(path)?;
    // Nothing is lost if this is: the database is made anew.
    let fast = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;";
    let mut batch = |doing, sql: &str| {
        connection
            .batch_execute(sql)
            .map_err(|source| DemoError::Statement { doing, source })
    };
    batch("prepare the file", fast)?;
    batch("create the tables", TABLES)?;
    batch("insert rows", "BEGIN")?;
    let rows = series::fill(spec, &mut batch, progress)?;
    batch("create the indexes", INDEXES)?;
    batch("commit", "COMMIT")?;
    // As a monitoring database would be used: readers beside the writer.
    batch("finish the file", "PRAGMA journal_mode = WAL;")?;
    Ok(rows)
}

/// The rules of the demo as TOML, under the key `policy`. Kept are three quarters of `days` for
/// numbers and sessions, a quarter for strings, two fifths for events; numbers are compacted to
/// an hour from an eighth of `days` on, and to six hours from half of them on.
pub fn policy(days: u32) -> String {
    let (numbers, strings, events, sessions) = (days * 3 / 4, days / 4, days * 2 / 5, days * 3 / 4);
    let (hourly, coarse) = ((days / 8).max(1), days / 2);
    format!(
        r#"[policy]
# A database that was never purged loses more in its first run than the usual half.
max_share = 0.9

# Nobody else is at work here, and a commit to a file costs the same for few rows and for many.
[policy.throttle]
target_ms = 40
min_rows = 2000
max_rows = 20000
duty = 0.8

# Numbers and booleans. No primary key: walked along the index on time.
[[policy.table]]
name = "tagente_datos"
time = {{ column = "utimestamp", unit = "epoch_seconds" }}
keep = {{ days = {numbers} }}

[[policy.table]]
name = "tagente_datos_string"
time = {{ column = "utimestamp", unit = "epoch_seconds" }}
keep = {{ days = {strings} }}

# The rows of tevent_extended that belong to an event go before it.
[[policy.table]]
name = "tevento"
time = {{ column = "utimestamp", unit = "epoch_seconds" }}
keep = {{ days = {events} }}

# No index on time: walked along its key.
[[policy.table]]
name = "tsesion"
time = {{ column = "utimestamp", unit = "epoch_seconds" }}
keep = {{ days = {sessions} }}

# Levels and rates in fewer rows as they grow old; states (type 2) are never touched.
[[policy.compact]]
table = "tagente_datos"
series = "id_agente_modulo"
value = "datos"
time = {{ column = "utimestamp", unit = "epoch_seconds" }}
tiers = [
    {{ older_than_days = {hourly}, bucket_hours = 1 }},
    {{ older_than_days = {coarse}, bucket_hours = 6 }},
]

[policy.compact.kinds]
table = "tagente_modulo"
key = "id_agente_modulo"
column = "id_tipo_modulo"
gauge = [1]
rate = [4]
"#
    )
}

fn connect(path: &Path) -> Result<SqliteConnection, DemoError> {
    let shown = path.display().to_string();
    SqliteConnection::establish(&shown).map_err(|source| DemoError::Open {
        path: shown,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Policy;
    use std::collections::BTreeMap;

    fn spec(rows: u64) -> DemoSpec {
        DemoSpec {
            rows,
            days: 20,
            seed: 1,
            now: Timestamp::from_second(1_767_225_600).unwrap(),
        }
    }

    fn surveyed(spec: &DemoSpec) -> (u64, Survey) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo.db");
        let rows = create(&path, spec, &mut |_| {}).unwrap();
        (rows, survey(&path, &BTreeMap::new()).unwrap())
    }

    #[test]
    fn there_are_about_as_many_rows_as_asked_for_and_the_recount_finds_them() {
        let (rows, survey) = surveyed(&spec(100_000));
        assert!((95_000..110_000).contains(&rows), "{rows}");
        let counted: u64 = survey.tables.iter().map(|t| t.kept + t.expired).sum();
        assert_eq!(counted, rows);
        assert!(
            survey.tables.iter().all(|table| table.kept > 0),
            "{survey:?}"
        );
        assert_eq!(survey.days.len(), 20);
    }

    #[test]
    fn the_same_seed_makes_the_same_rows_and_another_one_others() {
        let (_, one) = surveyed(&spec(10_000));
        let (_, again) = surveyed(&spec(10_000));
        let (_, other) = surveyed(&DemoSpec {
            seed: 2,
            ..spec(10_000)
        });
        assert_eq!(one, again);
        assert_ne!(one.tables, other.tables);
    }

    #[test]
    fn the_recount_notices_one_missing_and_one_changed_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo.db");
        create(&path, &spec(10_000), &mut |_| {}).unwrap();
        let cutoff = spec(0).now.as_second() - 10 * 86_400;
        let cutoffs = BTreeMap::from([("tagente_datos".to_owned(), cutoff)]);
        let before = survey(&path, &cutoffs).unwrap();
        assert!(before.tables[0].expired > 0 && before.tables[0].kept > 0);
        let mut connection = connect(&path).unwrap();
        let newest = "(SELECT MAX(rowid) FROM tagente_datos)";
        let change = format!("UPDATE tagente_datos SET datos = datos + 1 WHERE rowid = {newest}");
        connection.batch_execute(&change).unwrap();
        let changed = survey(&path, &cutoffs).unwrap();
        assert_eq!(changed.tables[0].kept, before.tables[0].kept);
        assert_ne!(changed.tables[0].checksum, before.tables[0].checksum);
        let remove = format!("DELETE FROM tagente_datos WHERE rowid = {newest}");
        connection.batch_execute(&remove).unwrap();
        let missing = survey(&path, &cutoffs).unwrap();
        assert_eq!(missing.tables[0].kept + 1, before.tables[0].kept);
        let purge = format!("DELETE FROM tagente_datos WHERE utimestamp < {cutoff}");
        connection.batch_execute(&purge).unwrap();
        let purged = survey(&path, &cutoffs).unwrap();
        assert_eq!(purged.tables[0].expired, 0);
        assert_eq!(purged.tables[0].checksum, missing.tables[0].checksum);
    }

    #[test]
    fn its_policy_is_valid() {
        for days in [8, 60, 730] {
            let text = policy(days);
            let text = text
                .replace("[policy]\n", "")
                .replace("[policy.throttle]", "[throttle]")
                .replace("policy.table", "table")
                .replace("policy.compact", "compact");
            let policy = Policy::from_toml(&text).unwrap();
            assert_eq!((policy.tables.len(), policy.series.len()), (4, 1));
        }
    }
}
