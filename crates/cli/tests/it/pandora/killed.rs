//! `kill -9` of the whole maintenance at random moments (moving to the history database, purge,
//! checks, compaction, then purge and compaction there), then the same command again, and both
//! databases are held against two that nobody disturbed. Four kills; `ELPIS_SOAK=1` makes it 200. A
//! kill counts only if the run was not at its end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::moved::{EVERYTHING, HISTORY_LIMITS, Moving};
use super::{Site, alone, json};
use crate::crash::wait_for_free_lock;

/// Small chunks, so that a kill has many places to fall into.
pub(super) const CHUNKS: &str = "[state]\ndirectory = \"state\"\n[policy.throttle]\nmin_rows = 100\n\
                      max_rows = 200\nduty = 0.9\n";

fn kills() -> u64 {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 200,
        None => 4,
    }
}

/// Starts a run in small chunks (`killed.toml`) and kills it after so many events, from the first on
/// that `counts`, and a little more. If it was still at work: the last of these events. The dead run has no locks of `databases` any
/// more.
pub(super) fn run_and_kill(
    site: &Site,
    args: &[&str],
    databases: &[&MariaDb],
    counts: impl Fn(&str) -> bool,
    (events, more): (usize, Duration),
) -> Option<String> {
    let _alone = alone();
    let config = site.world.path("killed.toml").display().to_string();
    let told = ["run", "--format", "json", "-v", "--config", &config];
    let mut command = site.command(&[&told[..], args].concat());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.map(Result::unwrap).skip_while(|line| !counts(line));
    let seen: Vec<String> = lines.take(events).collect();
    std::thread::sleep(more);
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    for db in databases {
        wait_for_free_lock(*db, Some(&format!("{}_elpis_maint", db.name())));
    }
    let at_work = seen.len() == events && ended.code().is_none();
    seen.into_iter().next_back().filter(|_| at_work)
}

/// In which tables the two differ, the moments of the runs themselves left out.
pub(super) fn differing(one: &MariaDb, other: &MariaDb) -> Vec<String> {
    let states = "SELECT CONCAT_WS(',', COUNT(*), SUM(CRC32(CONCAT_WS(',', id_agente_modulo, id_agente, \
                  datos, estado, known_status, utimestamp)))) FROM tagente_estado;";
    let content = |db: &MariaDb, table: &str| match table {
        "tconfig" => String::new(),
        "tagente_estado" => db.sql(states),
        _ => {
            let sum = db.checksum(table);
            sum.split_once('\t').map(|(_, sum)| sum.to_owned()).unwrap()
        }
    };
    let tables = one.sql("SHOW TABLES;");
    let tables = tables.lines().map(str::to_owned);
    tables
        .filter(|table| !table.starts_with("elpis_"))
        .filter(|table| content(one, table) != content(other, table))
        .collect()
}

/// In which tables the two differ once the maintenance of both has come to its end.
pub(super) fn completed(one: &Site, other: &Site) -> Vec<String> {
    let mut left = Vec::new();
    // Rows grow old while all this goes on: both have to be looked at in one and the same second
    // or so.
    for _ in 0..10 {
        for site in [one, other] {
            let said = site.run(&["run", "--no-throttle", "-q"]);
            assert_eq!(said.code, 0, "{said:?}");
        }
        left = differing(&one.db, &other.db);
        if left.is_empty() {
            break;
        }
    }
    left
}

/// An installation in which every part of a run has something to do, and whose history database is
/// purged and compacted by settings of its own.
fn made(now: Timestamp) -> Moving {
    let installation = Installation {
        now,
        numeric: 8000,
        strings: 1600,
        events: 2400,
        ..Installation::small()
    };
    let moving = Moving::of(installation, (Site::server(), Site::server()), &EVERYTHING);
    moving.history.sql(HISTORY_LIMITS);
    // What passes a limit while all this goes on is moved by one before it is compacted, or swept
    // with its module, by the other.
    for (table, days) in [
        ("tagente_datos", 30),
        ("tagente_datos_string", 10),
        ("tevento", 10),
    ] {
        let limit = now.as_second() - days * 86_400;
        let (from, to) = (limit - 7200, limit + 7200);
        let near = format!("DELETE FROM {table} WHERE utimestamp BETWEEN {from} AND {to};");
        moving.site.db.sql(&near);
    }
    moving.site.world.write("killed.toml", CHUNKS);
    moving
}

/// The rows that move and then stay as they are: table, row, and the ages between which that is so.
const WITNESSES: [(&str, &str, u64, u64); 3] = [
    (
        "tagente_datos",
        "id_agente_modulo, IFNULL(datos, 'none'), utimestamp",
        31,
        39,
    ),
    (
        "tagente_datos_string",
        "id_agente_modulo, IFNULL(datos, 'none'), utimestamp",
        11,
        12,
    ),
    ("tevento", "id_evento, utimestamp, evento", 11, 12),
];

/// How many of the rows that the history database of `calm` holds now, and that age does not touch
/// meanwhile, there are: those that are in neither database of `moving`, or less often than there.
fn lost(calm: &Moving, moving: &Moving, now: Timestamp) -> (u64, u64) {
    let now = now.as_second();
    let mut sums = (0, 0);
    for (table, row, from, to) in WITNESSES {
        let counted = |databases: &[&MariaDb]| {
            let rows = databases.iter().map(|db| {
                format!(
                    "SELECT CONCAT_WS(',', {row}) AS content FROM {}.{table} WHERE utimestamp \
                     BETWEEN {now} - {to} * 86400 AND {now} - {from} * 86400",
                    db.name()
                )
            });
            let rows: Vec<String> = rows.collect();
            format!(
                "(SELECT content, COUNT(*) AS n FROM ({}) AS r GROUP BY content)",
                rows.join(" UNION ALL ")
            )
        };
        let (there, both) = (
            counted(&[&calm.history]),
            counted(&[&moving.site.db, &moving.history]),
        );
        // Root's session, which sees every database.
        let root = &calm.history;
        sums.0 += root.number(&format!("SELECT COALESCE(SUM(n), 0) FROM {there} AS t;"));
        sums.1 += root.number(&format!(
            "SELECT COUNT(*) FROM {there} AS t LEFT JOIN {both} AS b ON b.content = t.content \
             WHERE b.n IS NULL OR b.n < t.n;"
        ));
    }
    sums
}

#[test]
fn a_killed_maintenance_is_completed_as_if_nobody_had_disturbed_it() {
    let seed = std::env::var("ELPIS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(13);
    let mut random = fastrand::Rng::with_seed(seed);
    let now = Timestamp::now();
    let (calm, mut moving) = (made(now), made(now));
    let sides = |one: &Moving, other: &Moving| {
        let mut left = differing(&one.site.db, &other.site.db);
        left.extend(differing(&one.history, &other.history));
        left
    };
    assert_eq!(sides(&calm, &moving), [""; 0], "they begin alike");
    let config = calm.site.world.path("killed.toml").display().to_string();
    let args = ["run", "--format", "json", "-v", "--config", &config];
    let said = calm.site.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    // The parts of a run: what moves, everything, and what comes after it in the history database.
    let is_there = |moving: &Moving, line: &str| {
        line.contains("housekeeping_started") && line.contains(moving.history.name())
    };
    let lines: Vec<&str> = said.out.lines().collect();
    let moves = lines.iter().rposition(|line| line.contains("\"moved\""));
    let there = lines.iter().position(|line| is_there(&calm, line));
    let (moves, there) = (moves.unwrap(), lines.len() - there.unwrap());
    let (witnesses, _) = lost(&calm, &calm, now);
    assert!(witnesses > 500, "{witnesses} rows moved and stayed");

    let (mut counted, mut tried, mut whole) = (0, 0, 0);
    let mut at: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let mut is_fresh = true;
    while counted < kills() {
        tried += 1;
        assert!(tried <= 4 * kills(), "{counted} of {tried} kills counted");
        let more = Duration::from_micros(random.u64(0..4000));
        let databases = [&moving.site.db, &moving.history];
        let (part, events) = match random.bool() {
            _ if is_fresh => ("moves", moves),
            true => ("all", lines.len()),
            false => ("history", there),
        };
        let counts = |line: &str| part != "history" || is_there(&moving, line);
        let place = (random.usize(1..events), more);
        is_fresh = false;
        match run_and_kill(&moving.site, &[], &databases, counts, place) {
            Some(last) => {
                counted += 1;
                let name = json(&last)["event"].as_str().unwrap().to_owned();
                *at.entry((part, name)).or_default() += 1;
                assert_eq!(lost(&calm, &moving, now).1, 0, "seed {seed}, after {last}");
            }
            None => {
                // It came to its end: once more from the beginning.
                whole += 1;
                moving = made(now);
                is_fresh = true;
            }
        }
    }
    let mut left = Vec::new();
    for _ in 0..3 {
        left = completed(&calm.site, &moving.site);
        let there = differing(&calm.history, &moving.history);
        left.extend(
            there
                .into_iter()
                .map(|table| format!("{table} of the history")),
        );
        if left.is_empty() {
            break;
        }
    }
    assert_eq!(left, [""; 0], "seed {seed}");
    println!(
        "seed {seed}: {counted} of {tried} kills hit unfinished work, {whole} began anew; \
         {witnesses} rows looked for each time, {} events of a run; after: {at:?}",
        lines.len()
    );
}
