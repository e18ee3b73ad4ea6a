//! The rows of one owner, put into tables that are in use. The oracle counts rows in SQL of its own.

use elpis_backup::archive::Container;
use elpis_backup::restore::{
    Belongings, Live, Owners, Parts, RestoreError, RestorePolicy, RestoreState, RowsOf, RowsTable,
    Scope, runs,
};

use super::counterless;
use crate::restore_db::{
    Bench, backup, causes, databases, mariadb, of_archive, policy, portrait, same, server,
};

/// Owners 1 and 2 have parts 11, 12 and 21; 3 has none. Rows stand two and three times, have no
/// time, no value, and differ only in what other texts would call equal.
pub(super) const FILL: &str = r"
    CREATE TABLE owner (id INT UNSIGNED PRIMARY KEY, alias VARCHAR(40), name VARCHAR(40));
    INSERT INTO owner VALUES (1, 'web', 'a1'), (2, 'db', 'b2'), (3, 'db', 'c3'), (4, '1', 'd4');
    CREATE TABLE part (id INT UNSIGNED PRIMARY KEY, owner INT UNSIGNED NOT NULL);
    INSERT INTO part VALUES (11, 1), (12, 1), (21, 2), (13, 1);
    CREATE TABLE nums (part INT UNSIGNED NOT NULL, v DOUBLE, f FLOAT, at BIGINT DEFAULT 0, KEY k (part, at), KEY t (at));
    INSERT INTO nums SELECT 11 + seq % 2, seq / 7, seq / 3, 1700000000 + seq DIV 3 FROM seq_1_to_3000;
    INSERT INTO nums SELECT 21, seq, seq, 1700000000 + seq FROM seq_1_to_500;
    INSERT INTO nums VALUES (11, 1, 1, 5), (11, 1, 1, 5), (11, 1, 1, 5), (11, NULL, NULL, 5), (11, NULL, NULL, 5),
        (11, 2, 2, NULL), (11, 2, 2, NULL), (11, 0.1e0 + 0.2e0, 0.3, 6), (11, 0.3, 0.3, 6), (13, 4, 4, 4);
    CREATE TABLE texts (part INT UNSIGNED NOT NULL, t MEDIUMTEXT, at INT UNSIGNED NOT NULL, KEY k (part, at)) CHARSET=utf8mb4;
    INSERT INTO texts VALUES (12, 'a', 1), (12, 'A', 1), (12, 'a ', 1), (12, 'ä', 1), (12, NULL, 1), (12, '', 1),
        (12, CONCAT(REPEAT('x', 5000), 'y'), 2), (12, CONCAT(REPEAT('x', 5000), 'z'), 2), (21, 'other', 2);
    CREATE TABLE keyed (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, part INT UNSIGNED NOT NULL, t TEXT, at INT UNSIGNED, KEY (part));
    INSERT INTO keyed VALUES (1, 11, 'one', 1), (2, 11, 'two', 2), (3, 11, 'three', 3), (4, 21, 'other', 4);
    CREATE TABLE timeless (part INT UNSIGNED NOT NULL, t VARBINARY(10), d DECIMAL(9,3), w DATETIME(6), b BIT(5), g INT AS (part * 2) STORED);
    INSERT INTO timeless (part, t, d, w, b) VALUES (11, x'00ff', 1.500, '2026-01-01 00:00:00.25', 5), (11, x'00ff', 1.5, '2026-01-01 00:00:00.25', 5), (11, NULL, NULL, NULL, NULL);
    CREATE VIEW looks AS SELECT COUNT(*) AS n FROM nums;
";

/// What has happened to it since. The product has written, and somebody has deleted.
pub(super) const LIVE: &str = r"
    DELETE FROM nums WHERE part = 11 AND at BETWEEN 1700000200 AND 1700000600;
    DELETE FROM nums WHERE part = 11 AND at = 5 AND v = 1 LIMIT 2;
    DELETE FROM nums WHERE part = 11 AND v IS NULL;
    DELETE FROM nums WHERE part = 11 AND at IS NULL LIMIT 1;
    DELETE FROM nums WHERE v = 0.1e0 + 0.2e0;
    DELETE FROM nums WHERE part = 21;
    INSERT INTO nums SELECT 11, seq, seq, 1800000000 + seq FROM seq_1_to_50;
    INSERT INTO nums VALUES (11, 9, 9, 1700000300), (11, 9, 9, 1700000300);
    DELETE FROM texts WHERE t = BINARY 'A' OR t = BINARY 'a ' OR t LIKE '%z' OR t IS NULL OR part = 21;
    DELETE FROM keyed WHERE id IN (2, 3);
    INSERT INTO keyed VALUES (3, 12, 'has taken the number', 9);
    DELETE FROM timeless WHERE t IS NOT NULL LIMIT 1;
    DELETE FROM timeless WHERE t IS NULL;
    DELETE FROM part WHERE id = 13;
    DELETE FROM nums WHERE part = 13;
";

pub(super) fn of(database: &str, whose: &str) -> RestorePolicy {
    let rows = |table: &str, time: Option<&str>| RowsTable {
        table: table.to_owned(),
        part: "part".to_owned(),
        time: time.map(str::to_owned),
    };
    let tables = Belongings {
        owners: Owners {
            word: "agent".to_owned(),
            table: "owner".to_owned(),
            key: "id".to_owned(),
            names: vec!["alias".to_owned(), "name".to_owned()],
        },
        parts: Parts {
            word: "modules".to_owned(),
            table: "part".to_owned(),
            key: "id".to_owned(),
            owner: "owner".to_owned(),
        },
        rows: vec![
            rows("nums", Some("at")),
            rows("texts", Some("at")),
            rows("keyed", Some("at")),
            rows("timeless", None),
            rows("in_no_database", None),
        ],
    };
    let mut policy = policy(database);
    policy.scope = Scope::Rows(Box::new(RowsOf {
        tables,
        whose: whose.to_owned(),
    }));
    policy.pace.busy_percent = 100;
    policy
}

pub(super) fn make(name: &str, more: &str) {
    let socket = server().socket();
    mariadb(
        socket,
        "",
        &format!("CREATE OR REPLACE DATABASE `{name}` CHARACTER SET utf8mb4"),
    );
    mariadb(socket, name, FILL);
    mariadb(socket, name, more);
}

/// Every row of the tables, each with how often it stands there.
pub(super) fn rows(name: &str, of: &str) -> String {
    let of = match of {
        "" => String::new(),
        parts => format!("WHERE part IN ({parts})"),
    };
    mariadb(
        server().socket(),
        name,
        &format!(
            "SELECT 'nums', part, v, f + 0e0, at, COUNT(*) FROM nums {of} GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 5, 3; \
             SELECT 'texts', part, HEX(t), at, COUNT(*) FROM texts {of} GROUP BY 1, 2, 3, 4 ORDER BY 2, 4, 3; \
             SELECT 'keyed', k.* FROM keyed k {of} ORDER BY id; \
             SELECT 'timeless', part, HEX(t), d, w, b + 0, g, COUNT(*) FROM timeless {of} GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 3"
        ),
    )
}

#[test]
fn what_is_missing_of_one_owner_is_put_back_and_taken_out_again() {
    let socket = server().socket();
    make("agents", "");
    let (_world, path) = backup(&server().options(), &["agents"], Container::TarZst);
    let archived = rows("agents", "11, 12");
    mariadb(socket, "agents", LIVE);
    let old = rows("agents", "");
    let old_portrait = portrait(socket, "agents");
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let plan = bench.plan(&of("agents", "web"), &text);
    assert_eq!(plan.refusals, []);
    let lines = plan.lines().join("\n");
    assert!(lines.contains("agent 1 (web) has 2 modules"), "{lines}");

    // Counted first, and nothing is left of that but its record.
    let counted = bench.restore(None).count(&plan, &text).unwrap();
    let by_table = |table: &str| counted.missing[table];
    let gone = lacking("nums", &archived, &old);
    assert_eq!(by_table("nums"), gone, "{counted:?}");
    assert_eq!(by_table("texts"), 4);
    // Number 3 is taken.
    assert_eq!(by_table("keyed"), 1);
    assert_eq!(by_table("timeless"), 2);
    assert!(counted.warnings[0].contains("1 modules of the text are not there any more"));
    assert_eq!(databases(socket, "agents"), ["agents"]);
    same(&portrait(socket, "agents"), &old_portrait);
    assert_eq!(runs(&bench.journal).unwrap(), []);

    let report = bench.restore(None).run(&plan, &text).unwrap();
    assert_eq!(report.inserted, counted.missing);
    assert_eq!(report.warnings, counted.warnings);
    assert_eq!(report.rows, counted.missing.values().sum::<u64>());
    // Everything of the archive is there once, and everything that was there besides it.
    let now = rows("agents", "");
    for row in archived.lines().filter(|row| !row.contains("three")) {
        assert!(covers(&now, row), "{row}");
    }
    for row in old.lines() {
        assert!(covers(&now, row), "{row}");
    }
    let count = |name: &str| {
        let sql = "SELECT (SELECT COUNT(*) FROM nums) + (SELECT COUNT(*) FROM texts) + \
                   (SELECT COUNT(*) FROM keyed) + (SELECT COUNT(*) FROM timeless)";
        mariadb(socket, name, sql).trim().parse::<u64>().unwrap()
    };
    let total = count("agents");
    // Once more: nothing is missing any more.
    let again = bench.run(&of("agents", "1"), &text).unwrap();
    assert_eq!(again.rows, 0, "{again:?}");
    assert_eq!(count("agents"), total);
    bench.restore(None).undo(again.run.unwrap()).unwrap();

    // What is purged and written meanwhile has nothing to do with taking back.
    let meanwhile = "DELETE FROM nums WHERE part = 11 AND at = 1700000250; \
                     INSERT INTO nums VALUES (11, 1, 1, 5), (11, 77, 77, 1900000000)";
    mariadb(socket, "agents", meanwhile);
    bench.restore(None).undo(report.run.unwrap()).unwrap();
    let expected = mariadb(
        socket,
        "agents",
        "SELECT COUNT(*) FROM nums WHERE at IN (5, 1900000000)",
    );
    // One that stayed, one that came, and the new one.
    assert_eq!(expected, "3\n");
    mariadb(
        socket,
        "agents",
        "DELETE FROM nums WHERE at = 1900000000; DELETE FROM nums WHERE part = 11 AND at = 5 AND v = 1 LIMIT 1",
    );
    assert_eq!(rows("agents", ""), old);
    same(
        &counterless(&portrait(socket, "agents")),
        &counterless(&old_portrait),
    );
    assert_eq!(databases(socket, "agents"), ["agents"]);
    assert_eq!(runs(&bench.journal).unwrap()[1].state, RestoreState::Undone);
    bench.restore(None).forget(report.run.unwrap()).unwrap();
}

/// Whether a row stands in `now` at least as often as `row` says, if that says how often.
fn covers(now: &str, row: &str) -> bool {
    let Some((content, times)) = row.rsplit_once('\t').filter(|_| !row.starts_with("keyed")) else {
        return now.lines().any(|line| line == row);
    };
    let times: u64 = times.parse().unwrap();
    now.lines().any(|line| {
        line.rsplit_once('\t')
            .is_some_and(|(same, found)| same == content && found.parse::<u64>().unwrap() >= times)
    })
}

/// How many rows of `table` the archive has of parts 11 and 12 that are not there now.
fn lacking(table: &str, archived: &str, now: &str) -> u64 {
    let times = |text: &str, row: &str| {
        let mut lines = text.lines().filter_map(|line| line.rsplit_once('\t'));
        let found = lines.find(|(content, _)| *content == row);
        found.map_or(0, |(_, times)| times.parse::<u64>().unwrap())
    };
    archived
        .lines()
        .filter(|line| line.starts_with(table))
        .filter_map(|line| line.rsplit_once('\t'))
        .map(|(content, count)| {
            count
                .parse::<u64>()
                .unwrap()
                .saturating_sub(times(now, content))
        })
        .sum()
}

#[test]
fn who_is_meant_must_be_clear_and_the_tables_must_take_it() {
    let socket = server().socket();
    make("unclear", "");
    let (_world, path) = backup(&server().options(), &["unclear"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let refused = |whose: &str| {
        let plan = bench.plan(&of("unclear", whose), &text);
        let words: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
        words.join("; ")
    };
    assert!(refused("nobody").contains("unclear has no agent nobody"));
    assert!(refused("db").contains("db is the agent 2, 3: say which number"));
    assert!(refused("c3").contains("the agent c3 has no modules"));
    // A number is a key before it is a name.
    assert_eq!(refused("1"), "");
    assert_eq!(refused("a1"), "");
    mariadb(
        socket,
        "unclear",
        "CREATE TRIGGER t BEFORE INSERT ON nums FOR EACH ROW SET @a = 1; ALTER TABLE texts ENGINE=MyISAM; \
         ALTER TABLE keyed ADD UNIQUE (at)",
    );
    let words = refused("1");
    for said in [
        "nums has the trigger t, which would fire",
        "the engine of texts knows no transactions",
        "keyed has more than one unique index",
    ] {
        assert!(words.contains(said), "{words}");
    }
    mariadb(socket, "unclear", "DROP TRIGGER t; DROP TABLE texts, part");
    assert!(refused("1").contains("has no column id in a table part"));
    make("unclear", "ALTER TABLE nums MODIFY v FLOAT");
    let error = bench.run(&of("unclear", "1"), &text).unwrap_err();
    assert!(
        causes(&error).contains("nums of unclear has other columns"),
        "{error:?}"
    );
    let RestoreError::Interrupted { run, live, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(live, Live::Old);
    bench.restore(None).undo(run).unwrap();
    assert_eq!(databases(socket, "unclear"), ["unclear"]);
    let elsewhere = bench.plan(&of("not_there_at_all", "1"), &text);
    assert!(
        elsewhere
            .refusals
            .iter()
            .any(|r| r.what.contains("no database"))
    );
}
