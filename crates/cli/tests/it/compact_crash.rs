//! `kill -9` of the real binary at random moments of a compaction on MariaDB, then the same command
//! again, then rows and charts (with `mean`, rows and side table) are compared with those of a run
//! that nobody disturbed. Ten kills a mode; `ELPIS_SOAK=1` makes it 120. A kill counts only if rows were left to compact.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use elpis_testkit::{Database, MariaDb};

use crate::compact::{assert_compacted, fill, mariadb, rule, stored};
use crate::crash::{rounds, wait_for_free_lock};
use crate::harness::World;

/// Small chunks: some hundred of them, so that a kill has many places to fall into.
const CHUNKS: &str = "[policy.throttle]\nmin_rows = 150\nmax_rows = 300\nduty = 0.9\n\n";

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
        seen += u64::from(line.contains("\"event\":\"compacted\""));
    }
    std::thread::sleep(more);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Kills compactions of `database` at random moments and has each completed by the same command.
/// `rows` came to `gone` fewer in a run that nobody disturbed; `check` holds what is there now
/// against what that run had made of them.
fn kill_and_complete(
    world: &World,
    database: &MariaDb,
    (rows, gone): (u64, u64),
    check: impl Fn(&MariaDb),
) {
    let lock = format!("{}_elpis_maint", database.name());
    let count = || database.number("SELECT COUNT(*) FROM tagente_datos;");
    let seed = std::env::var("ELPIS_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(11);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut counted, mut tried, mut half) = (0, 0, 0);
    while counted < rounds() {
        tried += 1;
        assert!(
            tried <= 3 * rounds(),
            "only {counted} of {tried} kills hit unfinished work"
        );
        database.sql(
            "TRUNCATE TABLE tagente_datos; INSERT INTO tagente_datos SELECT * FROM untouched; \
             DROP TABLE IF EXISTS elpis_compaction, elpis_rollup_tagente_datos;",
        );
        let more = Duration::from_micros(random.u64(0..8000));
        run_and_kill(world, random.u64(0..120), more);
        wait_for_free_lock(database, Some(&lock));
        let left = count() - (rows - gone);
        if left == 0 {
            continue;
        }
        counted += 1;
        half += u64::from(left < gone);
        let said = world.run(&["run", "--format", "json"]);
        assert_eq!(said.code, 0, "{said:?}");
        let last = said.out.lines().last().unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(last).unwrap();
        let removed = |tier: &serde_json::Value| tier["sealed"]["removed"].as_u64().unwrap();
        let tiers = report["tiers"].as_array().unwrap();
        assert_eq!(
            tiers.iter().map(removed).sum::<u64>(),
            left,
            "the report tells the truth"
        );
        check(database);
    }
    assert!(
        half * 2 >= counted,
        "only {half} kills came after the first chunk"
    );
    println!(
        "seed {seed}: {counted} of {tried} kills hit unfinished work, {half} in the midst of it"
    );
}

/// A database of hard series, and the table `untouched` with the same rows.
fn world_with_series(rule: &str) -> (World, MariaDb, u64) {
    let (world, database) = mariadb(&format!("{CHUNKS}{rule}"));
    fill(&database);
    database.sql("CREATE TABLE untouched AS SELECT * FROM tagente_datos;");
    let rows = database.number("SELECT COUNT(*) FROM tagente_datos;");
    (world, database, rows)
}

#[test]
fn killed_compactions_on_mariadb_are_completed_as_if_nobody_had_disturbed_them() {
    let (world, database, rows) = world_with_series(&rule(""));
    let before = stored(&database);
    let undisturbed = world.run(&["run"]);
    assert_eq!(undisturbed.code, 0, "{undisturbed:?}");
    let gone = assert_compacted(&database, &before);
    kill_and_complete(&world, &database, (rows, gone), |database| {
        assert_eq!(assert_compacted(database, &before), gone);
    });
}

#[test]
fn no_bucket_is_averaged_twice_after_a_kill() {
    let (world, database, rows) = world_with_series(&rule("mode = \"mean\""));
    let undisturbed = world.run(&["run"]);
    assert_eq!(undisturbed.code, 0, "{undisturbed:?}");
    let left = |on: &MariaDb| {
        on.sql(
            "SELECT * FROM tagente_datos ORDER BY 1, 3, 2; \
             SELECT * FROM elpis_rollup_tagente_datos ORDER BY 1, 2, 3;",
        )
    };
    let expected = left(&database);
    let gone = rows - database.number("SELECT COUNT(*) FROM tagente_datos;");
    // The side table and the rows that it has no part in stand for every row there was.
    let represented = database.number(
        "SELECT (SELECT COUNT(*) FROM tagente_datos) \
         + (SELECT SUM(rows_count) - SUM(kept) FROM elpis_rollup_tagente_datos);",
    );
    assert_eq!(represented, rows);
    kill_and_complete(&world, &database, (rows, gone), |database| {
        assert_eq!(left(database), expected);
    });
}
