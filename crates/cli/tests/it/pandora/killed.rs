//! `kill -9` of the whole maintenance at random moments, then the same command again, and the
//! database is held against one that nobody disturbed. Six kills; `ELPIS_SOAK=1` makes it 120. A
//! kill counts only if the run was not at its end.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::{Site, alone};
use crate::crash::wait_for_free_lock;

/// Small chunks, so that a kill has many places to fall into.
pub(super) const CHUNKS: &str = "[state]\ndirectory = \"state\"\n[policy.throttle]\nmin_rows = 100\n\
                      max_rows = 200\nduty = 0.9\n";

fn kills() -> u64 {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 120,
        None => 6,
    }
}

/// Starts a run in small chunks (`killed.toml`) and kills it after so many events and a little more;
/// whether it was still at work. The dead run has no locks of `databases` any more.
pub(super) fn run_and_kill(
    site: &Site,
    args: &[&str],
    databases: &[&MariaDb],
    (events, more): (usize, Duration),
) -> bool {
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
    let seen = lines.take(events).map(Result::unwrap).count();
    std::thread::sleep(more);
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    for db in databases {
        wait_for_free_lock(*db, Some(&format!("{}_elpis_maint", db.name())));
    }
    seen == events && ended.code().is_none()
}

/// In how many tables the two differ, the moments of the runs themselves left out.
pub(super) fn differing(one: &Site, other: &Site) -> Vec<String> {
    let states = "SELECT CONCAT_WS(',', COUNT(*), SUM(CRC32(CONCAT_WS(',', id_agente_modulo, id_agente, \
                  datos, estado, known_status, utimestamp)))) FROM tagente_estado;";
    let content = |site: &Site, table: &str| match table {
        "tconfig" => String::new(),
        "tagente_estado" => site.db.sql(states),
        _ => {
            let sum = site.db.checksum(table);
            sum.split_once('\t').map(|(_, sum)| sum.to_owned()).unwrap()
        }
    };
    let tables = one.db.sql("SHOW TABLES;");
    let tables = tables.lines().map(str::to_owned);
    tables
        .filter(|table| !table.starts_with("elpis_"))
        .filter(|table| content(one, table) != content(other, table))
        .collect()
}

#[test]
fn a_killed_maintenance_is_completed_as_if_nobody_had_disturbed_it() {
    let seed = std::env::var("ELPIS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(13);
    let mut random = fastrand::Rng::with_seed(seed);
    let now = Timestamp::now();
    let made = || {
        let installation = Installation {
            now,
            ..Installation::small()
        };
        let site = Site::of(installation.token("days_compact", "20"));
        site.world.write("killed.toml", CHUNKS);
        site
    };
    let (calm, mut site) = (made(), made());
    assert_eq!(differing(&calm, &site), [""; 0], "they begin alike");
    let (mut counted, mut tried, mut whole) = (0, 0, 0);
    while counted < kills() {
        tried += 1;
        assert!(tried <= 3 * kills(), "{counted} of {tried} kills counted");
        let more = Duration::from_micros(random.u64(0..4000));
        if run_and_kill(&site, &[], &[&site.db], (random.usize(1..150), more)) {
            counted += 1;
        } else {
            // It came to its end: once more from the beginning.
            whole += 1;
            site = made();
        }
    }
    // Rows grow old while all this goes on: both have to be looked at in one and the same second
    // or so.
    let mut left = Vec::new();
    for _ in 0..10 {
        for site in [&calm, &site] {
            let said = site.run(&["run", "--no-throttle", "-q"]);
            assert_eq!(said.code, 0, "{said:?}");
        }
        left = differing(&calm, &site);
        if left.is_empty() {
            break;
        }
    }
    assert_eq!(left, [""; 0], "seed {seed}");
    println!("seed {seed}: {counted} of {tried} kills hit unfinished work, {whole} began anew");
}
