//! A server that becomes slow in the midst of a purge gets smaller chunks at once, and larger ones
//! again when it has recovered.

use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::{Site, json};

/// More than ten times the default: at that, a debug build on a busy machine never leaves the
/// smallest chunk, and nothing could shrink. And short pauses, which are not looked at.
const TARGET_MS: f64 = 40.0;
const CONFIG: &str =
    "[state]\ndirectory = \"state\"\n[policy.throttle]\ntarget_ms = 40\nduty = 0.9\n";
const MIN_ROWS: u64 = 50;

/// Rows that are due, a second apart: the oldest go first.
const ROWS: u64 = 120_000;
/// With this one the server becomes slow, and stays so for some deletions, whatever their size: when
/// it happens does not depend on how quick the server, or the machine, is.
const SLOW_AT: u64 = 60_000;
const SLOW_FOR: usize = 10;

/// What an event says of a chunk.
#[derive(Debug)]
struct Chunk {
    limit: u64,
    total: u64,
    took_ms: f64,
}

/// The chunks of a purge of `tagente_datos_string`, during which the server is slow for a while.
fn chunks_of(site: &Site) -> Vec<Chunk> {
    let oldest = site.number("SELECT UNIX_TIMESTAMP() - 40 * 86400;");
    site.db.sql(&format!(
        "DELETE FROM tagente_datos_string; \
         INSERT INTO tagente_datos_string SELECT 1 + seq % 3, 'x', {oldest} + seq - 1 \
           FROM seq_1_to_{ROWS}; \
         ANALYZE TABLE tagente_datos_string;"
    ));
    // Ten times the target more for each statement. NOW() stands still during a statement.
    let slow_from = oldest + SLOW_AT;
    site.db.sql(&format!(
        "DELIMITER //\n\
         CREATE TRIGGER slow BEFORE DELETE ON tagente_datos_string FOR EACH ROW BEGIN \
           IF OLD.utimestamp >= {slow_from} AND IFNULL(@slow, 0) < {SLOW_FOR} \
             AND NOT (@last <=> NOW(6) + 0) THEN \
             SET @slow = IFNULL(@slow, 0) + 1, @last = NOW(6) + 0; \
             DO SLEEP({} / 1000); \
           END IF; \
         END//\n",
        10.0 * TARGET_MS
    ));
    site.world.write("target.toml", CONFIG);
    let config = site.world.path("target.toml").display().to_string();
    let args = [
        "run", "--only", "strings", "--format", "json", "-v", "--config", &config,
    ];
    let said = site.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    let events = said.out.lines().map(json);
    let purge = events.filter(|event| event["event"] == "purge");
    let chunks = purge.map(|event| event["purge"].clone());
    let chunks = chunks.filter(|event| event["event"] == "chunk");
    let chunks = chunks.map(|event| Chunk {
        limit: event["limit"].as_u64().unwrap(),
        total: event["total"].as_u64().unwrap(),
        took_ms: event["took_ms"].as_f64().unwrap(),
    });
    chunks.collect()
}

#[test]
fn chunks_shrink_on_a_slow_server_and_grow_back() {
    // Nobody else works on this server.
    let server = MariaDb::own_server(&[]);
    let installation = Installation {
        now: Timestamp::now(),
        ..Installation::small()
    };
    let site = Site::on(&server, installation);
    let chunks = chunks_of(&site);
    assert_eq!(chunks.last().unwrap().total, ROWS);
    let first = chunks.iter().position(|chunk| chunk.total > SLOW_AT);
    let (before, rest) = chunks.split_at(first.unwrap());
    let (slow, after) = rest.split_at(SLOW_FOR);
    let limits = |chunks: &[Chunk]| -> Vec<u64> { chunks.iter().map(|one| one.limit).collect() };

    // What it had come to by then, whatever this machine is able to.
    let mut usual = limits(&before[before.len() - 5..]);
    usual.sort_unstable();
    let usual = usual[2];
    assert!(usual >= 4 * MIN_ROWS, "no room to shrink: {before:?}");

    let is_slow = |chunk: &Chunk| chunk.took_ms >= 10.0 * TARGET_MS;
    assert!(slow.iter().all(is_slow), "{slow:?}, then {after:?}");
    // Three of them, and the next one is smaller, and so are those after it.
    let (slow, after) = (limits(slow), limits(after));
    let is_small = |limit: &u64| limit * 3 <= usual.max(slow[0]);
    assert!(slow[3..].iter().all(is_small), "{before:?}, then {slow:?}");

    let least = *slow.last().unwrap();
    let largest = *after.iter().max().unwrap();
    let has_grown = largest * 2 >= usual && largest >= 2 * least;
    assert!(has_grown, "{usual}, {slow:?}, then {after:?}");
    println!("{usual} rows a chunk, then {slow:?}, and up to {largest} again");
}
