//! `kill -9` of the real binary at random moments, then the same command again, then a recount
//! by the database's own client. Ten kills a database; `ELPIS_SOAK=1` makes it 120.
//!
//! A kill counts only if expired rows were left. The rows lie a day or more away from the cutoff,
//! so that the time that passes between two runs changes nothing.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use elpis_testkit::{Database, MariaDb, SqliteFile};

use crate::harness::World;

const POLICY: &str = r#"
[policy]
max_share = 1.0

[policy.throttle]
min_rows = 20
max_rows = 60
duty = 0.7

[[policy.table]]
name = "tagente_datos"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { days = 30 }

[[policy.table]]
name = "tevento"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { days = 30 }

[[policy.table]]
name = "tsesion"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { days = 30 }
"#;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE tagente_datos (id_agente_modulo INTEGER, datos REAL, utimestamp BIGINT)",
    "CREATE TABLE tevento (id_evento INTEGER PRIMARY KEY, utimestamp BIGINT)",
    "CREATE TABLE tevent_extended (id INTEGER PRIMARY KEY, id_evento INTEGER NOT NULL, \
     FOREIGN KEY (id_evento) REFERENCES tevento (id_evento) ON DELETE CASCADE)",
    "CREATE TABLE tsesion (id_sesion INTEGER PRIMARY KEY, utimestamp BIGINT)",
];

const INDEXES: [&str; 4] = [
    "CREATE INDEX data_index1 ON tagente_datos (id_agente_modulo, utimestamp)",
    "CREATE INDEX idx_utimestamp ON tagente_datos (utimestamp)",
    "CREATE INDEX ev_time ON tevento (utimestamp)",
    "CREATE INDEX ext_event ON tevent_extended (id_evento)",
];

/// Numbers from 1 to `n` (at most 10,000) as a table, in SQL that both databases read.
fn numbers(n: u64) -> String {
    let digits = (0..10)
        .map(|x| format!("SELECT {x}"))
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    format!(
        "WITH d (x) AS ({digits}), n (i) AS \
         (SELECT 1 + a.x + 10 * b.x + 100 * c.x + 1000 * e.x FROM d a, d b, d c, d e \
          WHERE a.x + 10 * b.x + 100 * c.x + 1000 * e.x < {n}) SELECT"
    )
}

/// Half of each table expired 31 to 60 days ago, half younger than 29 days.
fn fill(database: &dyn Database, now: i64) {
    let time =
        format!("{now} - 86400 * (CASE WHEN i % 2 = 0 THEN 31 ELSE 1 END + i % 28) - i % 977");
    for table in ["tevent_extended", "tevento", "tsesion", "tagente_datos"] {
        database.sql(&format!("DROP TABLE IF EXISTS {table};"));
    }
    let mut sql: String = SCHEMA.iter().map(|table| format!("{table};\n")).collect();
    sql += &format!(
        "INSERT INTO tagente_datos {} i % 50, i / 7.0, {time} FROM n;\n\
         INSERT INTO tevento {} i, {time} FROM n;\n\
         INSERT INTO tevent_extended {} i, 1 + i % 800 FROM n;\n\
         INSERT INTO tsesion {} i, {time} FROM n;\n",
        numbers(4000),
        numbers(800),
        numbers(900),
        numbers(1500)
    );
    sql.extend(INDEXES.iter().map(|index| format!("{index};\n")));
    database.sql(&sql);
}

/// Expired rows, and what must survive: counts and sums over every column.
fn recount(database: &dyn Database, now: i64) -> (u64, String) {
    let cutoff = now - 30 * 86_400;
    let tables = ["tagente_datos", "tevento", "tsesion"];
    let expired = |table| {
        database.number(&format!(
            "SELECT COUNT(*) FROM {table} WHERE utimestamp < {cutoff};"
        ))
    };
    let kept: String = [
        format!(
            "SELECT COUNT(*), SUM(id_agente_modulo), SUM(ROUND(datos * 7)), SUM(utimestamp) \
                 FROM tagente_datos WHERE utimestamp >= {cutoff};"
        ),
        format!(
            "SELECT COUNT(*), SUM(id_evento), SUM(utimestamp) FROM tevento \
                 WHERE utimestamp >= {cutoff};"
        ),
        format!(
            "SELECT COUNT(*), SUM(x.id) FROM tevent_extended x JOIN tevento e \
                 ON e.id_evento = x.id_evento WHERE e.utimestamp >= {cutoff};"
        ),
        format!(
            "SELECT COUNT(*), SUM(id_sesion), SUM(utimestamp) FROM tsesion \
                 WHERE utimestamp >= {cutoff};"
        ),
    ]
    .iter()
    .map(|query| database.sql(query))
    .collect();
    (tables.into_iter().map(expired).sum(), kept)
}

/// Starts a run and kills it after `chunks` chunks and a little more.
fn run_and_kill(world: &World, chunks: u64, more: Duration) {
    let mut child = world
        .command(&["run", "--format", "json", "-v"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut seen = 0;
    while seen < chunks {
        let Some(line) = lines.next() else { break };
        seen += u64::from(line.contains("\"event\":\"chunk\""));
    }
    std::thread::sleep(more);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The server notices a dead client within moments; until then its lock stands.
pub(crate) fn wait_for_free_lock(database: &dyn Database, lock: Option<&str>) {
    let Some(lock) = lock else { return };
    let give_up = Instant::now() + Duration::from_secs(30);
    while database.number(&format!("SELECT IS_FREE_LOCK('{lock}');")) == 0 {
        assert!(
            Instant::now() < give_up,
            "{lock} is still held by the killed run"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn rounds() -> u64 {
    if std::env::var_os("ELPIS_SOAK").is_some() {
        120
    } else {
        10
    }
}

fn kill_at_random_moments(database: &dyn Database, world: &World, lock: Option<&str>) {
    let seed = std::env::var("ELPIS_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(7);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut counted, mut tried) = (0, 0);
    while counted < rounds() {
        tried += 1;
        assert!(
            tried <= 3 * rounds(),
            "only {counted} of {tried} kills hit unfinished work"
        );
        let now = jiff::Timestamp::now().as_second();
        fill(database, now);
        let (expired, kept) = recount(database, now);
        assert_eq!(expired, 3150);
        run_and_kill(
            world,
            random.u64(0..60),
            Duration::from_micros(random.u64(0..4000)),
        );
        wait_for_free_lock(database, lock);
        let (left, kept_after_kill) = recount(database, now);
        assert_eq!(
            kept_after_kill, kept,
            "the killed run touched what must stay"
        );
        if left == 0 {
            continue;
        }
        counted += 1;

        let said = world.run(&["run", "--format", "json"]);
        assert_eq!(said.code, 0, "{said:?}");
        let last = said.out.lines().last().unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(last).unwrap();
        let deleted = |table: &serde_json::Value| table["deleted"].as_u64().unwrap();
        let tables = report["tables"].as_array().unwrap();
        assert_eq!(
            tables.iter().map(deleted).sum::<u64>(),
            left,
            "the report tells the truth"
        );
        assert_eq!(
            recount(database, now),
            (0, kept),
            "the next run completes the work"
        );
    }
    println!("seed {seed}: {counted} of {tried} kills hit unfinished work");
    let history = world.run(&["history", "--format", "json", "--limit", "1000"]);
    let history: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    let outcomes: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["finished"])
        .collect();
    let ended = |how: &str| outcomes.iter().filter(|o| o["outcome"] == how).count() as u64;
    assert!(ended("done") >= counted);
    // A kill before the journal knew of the run leaves no trace, and needs none.
    assert!(
        ended("interrupted") <= tried && ended("interrupted") > 0,
        "{outcomes:?}"
    );
    assert_eq!(ended("done") + ended("interrupted"), outcomes.len() as u64);
}

#[test]
fn killed_runs_on_mariadb_lose_nothing_and_are_completed() {
    let database = MariaDb::new();
    let world = World::empty();
    world.write(
        "maint.toml",
        &format!(
            "[database]\nkind = \"mysql\"\nname = \"{}\"\nsocket = \"{}\"\nuser = \"root\"\n\
             [state]\ndirectory = \"state\"\n{POLICY}",
            database.name(),
            elpis_testkit::server().socket().display(),
        ),
    );
    let lock = format!("{}_elpis_maint", database.name());
    kill_at_random_moments(&database, &world, Some(&lock));
}

#[test]
fn killed_runs_on_sqlite_lose_nothing_and_are_completed() {
    let database = SqliteFile::new();
    let world = World::empty();
    world.write(
        "maint.toml",
        &format!(
            "[database]\nkind = \"sqlite\"\npath = \"{}\"\n[state]\ndirectory = \"state\"\n{POLICY}",
            database.path().display(),
        ),
    );
    kill_at_random_moments(&database, &world, None);
}
