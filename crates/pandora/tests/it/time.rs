//! Ages across leap days, changes of the clock, and the borders of months and years. The expected
//! dates are written down, not computed.

use elpis_testkit::pandora::tables;
use elpis_testkit::{Database, MariaDb};
use jiff::tz::TimeZone;

use crate::support::Ask;

/// A moment, the zone it is looked at in, days to keep, and the oldest day that stays.
const DAYS: [(&str, &str, u32, &str); 9] = [
    // CURDATE() - 5 would be 20261098, no date at all.
    ("2026-11-03T12:00:00Z", "UTC", 5, "2026-10-29"),
    // CURDATE() - 100 would be 20261003.
    ("2026-11-03T12:00:00Z", "UTC", 100, "2026-07-26"),
    ("2024-03-01T00:30:00Z", "UTC", 1, "2024-02-29"),
    ("2023-03-01T00:30:00Z", "UTC", 1, "2023-02-28"),
    ("2024-02-29T23:59:59Z", "UTC", 366, "2023-02-28"),
    ("2025-01-01T00:00:00Z", "UTC", 1, "2024-12-31"),
    // The night in which clocks go forward: 00:30 of the day after, when it is 22:30 in UTC.
    ("2026-03-29T22:30:00Z", "Europe/Madrid", 1, "2026-03-29"),
    // The night in which clocks go back, and a place where it is still the day before.
    ("2026-10-25T00:30:00Z", "Europe/Madrid", 1, "2026-10-24"),
    ("2026-11-01T03:30:00Z", "America/New_York", 1, "2026-10-30"),
];

fn with_tables(names: &[&str], token: (&str, u32)) -> MariaDb {
    let db = MariaDb::new();
    let mut all = vec!["tconfig", "tserver", "ttipo_modulo", "tagente_modulo"];
    all.extend(names);
    db.sql(&tables(&all));
    db.sql(&format!(
        "INSERT INTO tconfig (token, value) VALUES ('{}', '{}');",
        token.0, token.1
    ));
    db
}

/// Peers' row 13, and statement 12 of the acceptance list.
#[tokio::test]
async fn special_days_go_by_the_calendar() {
    let db = with_tables(
        &["talert_special_days", "talert_calendar"],
        ("num_past_special_days", 1),
    );
    db.sql("INSERT INTO talert_calendar VALUES (1, 'Default');");
    for (now, zone, days, oldest) in DAYS {
        db.sql(&format!(
            "DELETE FROM talert_special_days; \
             INSERT INTO talert_special_days (`date`, day_code) \
               SELECT '{oldest}' + INTERVAL CAST(seq AS SIGNED) - 200 DAY, 1 FROM seq_1_to_400; \
             INSERT INTO talert_special_days (`date`, day_code) VALUES \
               ('0001-01-01', 1), ('0001-12-25', 1), ('0001-02-28', 1); \
             UPDATE tconfig SET value = '{days}' WHERE token = 'num_past_special_days';"
        ));
        let ask = Ask {
            now: now.parse().unwrap(),
            zone: TimeZone::get(zone).unwrap(),
            ..Ask::only(&["special_days"])
        };
        let report = ask.run(&db).await;
        assert_eq!(report.changed(), 199, "{now} in {zone}");
        let left = db.sql(
            "SELECT MIN(`date`), COUNT(*) FROM talert_special_days WHERE YEAR(`date`) > 1; \
             SELECT COUNT(*) FROM talert_special_days WHERE YEAR(`date`) = 1;",
        );
        assert_eq!(
            left,
            format!("{oldest}\t201\n3\n"),
            "{now} in {zone}, {days} days"
        );
    }
}

/// Seconds since 1970 know no calendar: N days are N times 86 400 seconds, to the second.
#[tokio::test]
async fn epoch_columns_go_by_the_second() {
    let names = ["tevento", "tevent_extended", "tevent_comment"];
    let db = with_tables(&names, ("event_purge", 7));
    for (now, zone, ..) in DAYS {
        let now: jiff::Timestamp = now.parse().unwrap();
        let limit = now.as_second() - 604_800;
        db.sql(&format!(
            "DELETE FROM tevento; INSERT INTO tevento (utimestamp) VALUES \
             ({limit} - 1), ({limit}), ({limit} + 1), (0);"
        ));
        let ask = Ask {
            now,
            zone: TimeZone::get(zone).unwrap(),
            ..Ask::only(&["events"])
        };
        assert_eq!(ask.run(&db).await.changed(), 2);
        let left = db.sql("SELECT MIN(utimestamp), COUNT(*) FROM tevento;");
        assert_eq!(left, format!("{limit}\t2\n"));
    }
}

/// A DATETIME is the wall clock of the host that wrote it, whatever zone the database is in.
#[tokio::test]
async fn datetime_columns_go_by_the_hosts_clock() {
    let db = with_tables(&["ttrap"], ("trap_purge", 2));
    for (now, zone, oldest) in [
        (
            "2026-06-10T10:00:00Z",
            "Europe/Madrid",
            "2026-06-08 12:00:00",
        ),
        // Clocks went forward in between: 48 hours before is another wall-clock time.
        (
            "2026-03-30T10:00:00Z",
            "Europe/Madrid",
            "2026-03-28 11:00:00",
        ),
        (
            "2026-10-26T10:00:00Z",
            "Europe/Madrid",
            "2026-10-24 12:00:00",
        ),
        (
            "2025-01-01T02:00:00Z",
            "America/New_York",
            "2024-12-29 21:00:00",
        ),
        (
            "2024-03-01T12:00:00Z",
            "Asia/Kolkata",
            "2024-02-28 17:30:00",
        ),
    ] {
        db.sql(&format!(
            "DELETE FROM ttrap; INSERT INTO ttrap (`timestamp`) \
             SELECT '{oldest}' + INTERVAL CAST(seq AS SIGNED) - 3 SECOND FROM seq_1_to_5;"
        ));
        let ask = Ask {
            now: now.parse().unwrap(),
            zone: TimeZone::get(zone).unwrap(),
            ..Ask::only(&["traps"])
        };
        ask.run(&db).await;
        let left = db.sql("SELECT MIN(`timestamp`), COUNT(*) FROM ttrap;");
        if now.starts_with("2026-10-26") {
            // 48 hours before the change back it was noon of summer time: one reading, no doubt.
            assert_eq!(left, "2026-10-24 12:00:00\t3\n");
        } else {
            assert_eq!(left, format!("{oldest}\t3\n"), "{now} in {zone}");
        }
    }
}
