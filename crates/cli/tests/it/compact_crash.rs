//! `kill -9` of the real binary at random moments of a compaction on MariaDB, then the same command
//! again, then rows and charts are compared with those of a run that nobody disturbed. Ten kills;
//! `ELPIS_SOAK=1` makes it 120. A kill counts only if rows were left to compact.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use elpis_testkit::Database;

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

#[test]
fn killed_compactions_on_mariadb_are_completed_as_if_nobody_had_disturbed_them() {
    let (world, database) = mariadb(&format!("{CHUNKS}{}", rule("")));
    let lock = format!("{}_elpis_maint", database.name());
    fill(&database);
    let before = stored(&database);
    let rows: usize = before.iter().map(Vec::len).sum();
    database.sql("CREATE TABLE untouched AS SELECT * FROM tagente_datos;");
    let undisturbed = world.run(&["run"]);
    assert_eq!(undisturbed.code, 0, "{undisturbed:?}");
    let gone = assert_compacted(&database, &before);
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
             DROP TABLE IF EXISTS elpis_compaction;",
        );
        let more = Duration::from_micros(random.u64(0..8000));
        run_and_kill(&world, random.u64(0..120), more);
        wait_for_free_lock(&database, Some(&lock));
        let left = count() - (rows as u64 - gone);
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
        assert_eq!(assert_compacted(&database, &before), gone);
    }
    assert!(
        half * 2 >= counted,
        "only {half} kills came after the first chunk"
    );
    println!(
        "seed {seed}: {counted} of {tried} kills hit unfinished work, {half} in the midst of it"
    );
}
