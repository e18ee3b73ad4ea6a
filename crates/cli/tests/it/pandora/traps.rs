//! SNMP traps have no number of seconds but a wall clock of the product's host: what moves and what
//! is purged goes by that clock, whatever zones the servers are in, and across a change of it.

use std::io::Write;
use std::process::{Command, Stdio};

use elpis_testkit::pandora::QUICK;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::json;
use super::moved::Moving;
use crate::harness::Said;

/// The zone of the product's host: an hour before UTC, two in summer.
const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const DAY: i64 = 86_400;

/// What the C library says of these instants.
fn wall_clock(format: &str, instants: &[i64]) -> Vec<String> {
    let mut date = Command::new("date")
        .args(["-f", "-", format])
        .env("TZ", ZONE)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text: String = instants.iter().map(|at| format!("@{at}\n")).collect();
    let mut input = date.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = date.wait_with_output().unwrap();
    writer.join().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), instants.len());
    lines
}

/// How many days ago the clock was changed last.
fn days_since_the_change(now: i64) -> i64 {
    let days: Vec<i64> = (0..300).map(|day| now - day * DAY).collect();
    let offsets = wall_clock("+%z", &days);
    let changed = offsets.iter().position(|offset| *offset != offsets[0]);
    i64::try_from(changed.unwrap()).unwrap()
}

fn run(moving: &Moving, args: &[&str]) -> Said {
    let _alone = (args[0] == "run").then(super::alone);
    let mut command = moving.site.command(args);
    let said = command.env("TZ", ZONE).output().unwrap();
    moving.site.world.said(&said)
}

#[test]
fn traps_move_and_go_by_the_clock_of_the_products_host() {
    let now = Timestamp::now().as_second();
    // The limits lie on the other side of the change.
    let moved_after = days_since_the_change(now) + 3;
    let kept_there = moved_after + 20;
    let zoned = |zone: &str| {
        let zone = format!("--default-time-zone={zone}");
        MariaDb::own_server(&[&QUICK[..], &[zone.as_str()]].concat())
    };
    let (active, other) = (zoned("-07:00"), zoned("+05:30"));
    let days = [moved_after, moved_after + 2].map(|days| days.to_string());
    let moving = Moving::between(
        &active,
        &other,
        &[
            ("history_trap_enabled", "1"),
            ("history_trap_days", &days[0]),
            ("trap_purge", &days[1]),
        ],
    );
    let (border, end) = (now - moved_after * DAY, now - kept_there * DAY);
    // Both sides of both limits, none nearer than a quarter of an hour; the hours of the change;
    // every day.
    let minutes = [15, 30, 45, 59, 61, 90, 119, 121, 300];
    let around = |at: i64| minutes.map(|m| [at - m * 60, at + m * 60]);
    let changed = now - (moved_after - 3) * DAY;
    let mut instants: Vec<i64> = [around(border), around(end)].as_flattened().concat();
    instants.extend((0..288).map(|n| changed - DAY + n * 600));
    instants.extend((0..moved_after + 30).map(|day| now - day * DAY - 7200));
    let rows: Vec<String> = wall_clock("+%F %T", &instants)
        .iter()
        .zip(&instants)
        .map(|(wall, at)| format!("('10.0.0.1', '{wall}', {at}, 'trap at {at}')"))
        .collect();
    moving.site.db.sql(&format!(
        "DELETE FROM ttrap; \
         INSERT INTO ttrap (source, timestamp, utimestamp, description) VALUES {};",
        rows.join(", ")
    ));
    let contents = || {
        let query = "SELECT * FROM ttrap;";
        let both = moving.site.db.sql(query) + &moving.history.sql(query);
        let mut lines: Vec<String> = both.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let before = contents();
    let count = |db: &MariaDb, terms: &str| {
        db.number(&format!(
            "SELECT COUNT(*) FROM ttrap WHERE utimestamp {terms};"
        ))
    };
    let due = count(&moving.site.db, &format!("< {border}"));
    let gone = count(&moving.site.db, &format!("< {end}"));
    let all = u64::try_from(instants.len()).unwrap();
    assert!(due > 40 && due < all && gone > 10 && gone < due);

    let planned = run(&moving, &["plan", "--exact", "--format", "json"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    let plan = json(&planned.out);
    let tables = plan["moves"]["tables"].as_array().unwrap();
    let traps = tables.iter().find(|one| one["table"] == "ttrap").unwrap();
    assert_eq!(traps["due"]["rows"], due, "{traps}");

    // Nothing says how long the history database keeps them: for ever. The purge of the active one
    // would take what is two days older.
    let said = run(
        &moving,
        &["run", "--only", "history,traps", "--no-throttle"],
    );
    assert_eq!(said.code, 0, "{said:?}");
    let title = format!("[HISTORYDB] Moving SNMP traps older than {moved_after} days");
    assert!(said.err.contains(&title), "{}", said.err);
    let here = |terms: &str| count(&moving.site.db, terms);
    let there = |terms: &str| count(&moving.history, terms);
    assert_eq!(here(&format!("< {border}")), 0);
    assert_eq!((here(">= 0"), there(">= 0")), (all - due, due));
    assert_eq!(there(&format!(">= {border}")), 0);
    assert_eq!(contents(), before, "each of them once, as it was");

    let token = format!(
        "INSERT INTO tconfig (token, value) VALUES ('trap_history_purge', '{kept_there}');"
    );
    moving.history.sql(&token);
    let said = run(&moving, &["run", "--only", "history", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    let title = "Deleting old SNMP traps from the history DB (More than";
    assert!(said.err.contains(title), "{}", said.err);
    assert_eq!((there(&format!("< {end}")), there(">= 0")), (0, due - gone));
    assert_eq!(here(">= 0"), all - due);
    let left = contents();
    assert!(left.iter().all(|row| before.binary_search(row).is_ok()));

    // Without its flag nothing moves, and what is older than the purge's limit goes.
    moving.site.db.sql(&format!(
        "UPDATE tconfig SET value = '0' WHERE token = 'history_trap_enabled'; \
         INSERT INTO ttrap (timestamp, utimestamp) SELECT '2001-01-01', 978303600 FROM seq_1_to_9; \
         INSERT INTO ttrap (timestamp, utimestamp) \
           SELECT timestamp - INTERVAL {moved_after} + 1 DAY, {border} - 86400 FROM ttrap \
           WHERE utimestamp = {};",
        now - 7200
    ));
    let said = run(
        &moving,
        &["run", "--only", "history,traps", "--no-throttle"],
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(here(&format!("< {border}")), 1);
    assert_eq!(there(">= 0"), due - gone);
}
