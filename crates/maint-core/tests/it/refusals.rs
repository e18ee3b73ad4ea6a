//! What a run refuses, each with a reason an operator can act on, and with nothing changed.

use std::time::Duration;

use elpis_maint_core::{Plan, Policy, PurgeError, Refusal, Store};
use elpis_run::VirtualClock;
use elpis_testkit::{Database, MariaDb, Run, SqliteFile, facts, now, plan, policy, purge};

use crate::support::{expired, rule, run, runs, series};

/// The plan is refused for exactly one reason, the run as well, and the rows are still there.
async fn refused<S: Store>(db: &impl Database, store: &mut S, policy: &Policy) -> Refusal {
    let tables: Vec<&str> = policy
        .tables
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    let contents = |table: &&str| {
        let exists = match db.dialect() {
            elpis_testkit::Dialect::MySql => format!(
                "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = '{table}';"
            ),
            elpis_testkit::Dialect::Sqlite => {
                format!("SELECT COUNT(*) FROM sqlite_schema WHERE name = '{table}';")
            }
        };
        if db.number(&exists) == 0 {
            return String::new();
        }
        db.sql(&format!("SELECT * FROM {table};"))
    };
    let before: Vec<String> = tables.iter().map(contents).collect();
    let plan: Plan = plan(policy, store, true).await;
    assert_eq!(plan.refusals.len(), 1, "{:?}", plan.refusals);
    let mut refused = Run::new(10);
    let error = refused.on(&plan, store).await.unwrap_err();
    assert!(
        error.to_string().contains(&plan.refusals[0].to_string()),
        "{error}"
    );
    assert!(matches!(error, PurgeError::Refused(_)), "{error:?}");
    assert!(runs(&refused.journal).is_empty());
    assert_eq!(tables.iter().map(contents).collect::<Vec<_>>(), before);
    plan.refusals.into_iter().next().unwrap()
}

/// The refusal is about the table and says all of `words`.
fn mismatch(refusal: &Refusal, name: &str, words: &[&str]) {
    let Refusal::Mismatch { table, reason } = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(table, name);
    for word in words {
        assert!(reason.contains(word), "{word:?} is missing in {reason:?}");
    }
}

#[tokio::test]
async fn the_state_of_the_server() {
    let server = MariaDb::own_server(&[]);
    let db = MariaDb::on(&server);
    series(&db, 1000);
    let policy = policy(&rule("tagente_datos", ""));
    let mut store = db.store().await;
    let fine = plan(&policy, &mut store, true).await;

    db.sql("SET GLOBAL read_only = 1;");
    let refusal = refused(&db, &mut store, &policy).await;
    assert!(matches!(&refusal, Refusal::NotWritable { reason } if reason.contains("read_only")));
    // Also if it became so after the plan was made.
    let error = run(&fine, &mut store, 100).await.unwrap_err();
    assert!(matches!(error, PurgeError::Refused(_)), "{error:?}");
    db.sql("SET GLOBAL read_only = 0;");

    db.sql("SET GLOBAL binlog_format = 'STATEMENT';");
    let refusal = refused(&db, &mut db.store().await, &policy).await;
    assert!(matches!(&refusal, Refusal::NotWritable { reason } if reason.contains("STATEMENT")));
    db.sql("SET GLOBAL binlog_format = 'ROW';");

    db.sql("CHANGE MASTER TO MASTER_HOST = '127.0.0.9', MASTER_PORT = 3307, MASTER_USER = 'x';");
    let refusal = refused(&db, &mut store, &policy).await;
    assert!(matches!(&refusal, Refusal::Replica { primary } if primary == "127.0.0.9:3307"));
    let allowed = Policy {
        allow_replica: true,
        ..policy.clone()
    };
    assert_eq!(plan(&allowed, &mut store, true).await.refusals, []);
    db.sql("RESET SLAVE ALL;");

    assert_eq!(expired(&db, "tagente_datos"), 500);
    assert_eq!(
        purge(&policy, &mut store, 100).await.unwrap().deleted(),
        500
    );
}

/// A failover between plan and run makes the target a replica.
#[tokio::test]
async fn a_server_that_became_a_replica_after_the_plan() {
    let server = MariaDb::own_server(&[]);
    let db = MariaDb::on(&server);
    series(&db, 1000);
    let mut store = db.store().await;
    let fine = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    db.sql("CHANGE MASTER TO MASTER_HOST = '127.0.0.9', MASTER_PORT = 3307, MASTER_USER = 'x';");
    let error = run(&fine, &mut store, 100).await.unwrap_err();
    assert!(matches!(error, PurgeError::Refused(_)), "{error:?}");
    assert_eq!(expired(&db, "tagente_datos"), 500);
}

#[tokio::test]
async fn a_clock_that_differs() {
    let db = MariaDb::new();
    series(&db, 1000);
    let mut store = db.store().await;
    let mut policy = policy(&rule("tagente_datos", ""));
    policy.max_clock_skew = Duration::from_secs(30);
    // The server's clock runs today; the tests' stands at NOW.
    let refusal = refused(&db, &mut store, &policy).await;
    let Refusal::ClockSkew {
        skew_s,
        limit_s: 30,
    } = refusal
    else {
        panic!("{refusal:?}");
    };
    let today = jiff::Timestamp::now()
        .duration_since(now())
        .unsigned_abs()
        .as_secs_f64();
    assert!((skew_s - today).abs() < 60.0, "{skew_s} is about {today}");

    // Ours is right: no refusal, and the skew is small.
    let clock = VirtualClock::new(jiff::Timestamp::now());
    let inspection = elpis_maint_core::Inspection {
        clock: &clock,
        observer: &(),
        stop: &elpis_run::StopToken::new(),
        exact: false,
    };
    let facts = inspection.run(&policy, &mut store).await.unwrap();
    assert!(
        facts.clock_skew < Duration::from_secs(20),
        "{:?}",
        facts.clock_skew
    );
}

#[tokio::test]
async fn schemas_that_do_not_fit() {
    let db = MariaDb::new();
    db.sql(
        "CREATE TABLE plain (id INT PRIMARY KEY, utimestamp BIGINT, at DATETIME, n INT, \
                             INDEX (utimestamp), INDEX (at));
         CREATE TABLE keyless (id INT, utimestamp BIGINT, INDEX (id));
         CREATE TABLE nullkey (id INT NULL UNIQUE, utimestamp BIGINT);
         CREATE TABLE aside (id INT PRIMARY KEY, utimestamp BIGINT) ENGINE=MyISAM;
         CREATE VIEW looked AS SELECT * FROM plain;
         INSERT INTO plain VALUES (1, 1, '2000-01-01', 1);
         INSERT INTO keyless VALUES (1, 1); INSERT INTO nullkey VALUES (1, 1), (NULL, 1);
         INSERT INTO aside VALUES (1, 1);",
    );
    let mut store = db.store().await;
    let with = |table: &str, time: &str, more: &str| {
        policy(&format!(
            "[[table]]\nname = \"{table}\"\nmax_share = 1.0\nkeep = {{ days = 30 }}\n\
             time = {{ {time} }}\n{more}\n"
        ))
    };
    let seconds = "column = \"utimestamp\", unit = \"epoch_seconds\"";
    let filter = "where = [{ column = \"nowhere\", op = \"=\", value = 1 }]";
    let cases: [(&str, &str, &str, &[&str]); 11] = [
        ("missing", seconds, "", &["does not exist"]),
        (
            "plain",
            "column = \"other\", unit = \"epoch_seconds\"",
            "",
            &["no column other"],
        ),
        ("plain", seconds, filter, &["no column nowhere"]),
        (
            "plain",
            "column = \"at\", unit = \"epoch_seconds\"",
            "",
            &["at", "epoch_seconds"],
        ),
        (
            "plain",
            "column = \"utimestamp\", unit = \"datetime\", zone = \"UTC\"",
            "",
            &["datetime"],
        ),
        (
            "plain",
            "column = \"at\", unit = \"timestamp\"",
            "",
            &["at", "timestamp"],
        ),
        ("plain", seconds, "key = [\"n\"]", &["(n)", "key"]),
        (
            "keyless",
            seconds,
            "",
            &["index on utimestamp", "unique key"],
        ),
        (
            "nullkey",
            seconds,
            "",
            &["index on utimestamp", "unique key"],
        ),
        ("aside", seconds, "", &["MyISAM", "InnoDB"]),
        ("looked", seconds, "", &["view"]),
    ];
    for (table, time, more, words) in cases {
        let refusal = refused(&db, &mut store, &with(table, time, more)).await;
        mismatch(&refusal, table, words);
    }
}

#[tokio::test]
async fn foreign_keys_that_no_bounded_step_can_follow() {
    let db = MariaDb::new();
    let child = |parent: &str, name: &str, action: &str| {
        format!(
            "CREATE TABLE {parent} (id INT PRIMARY KEY, utimestamp BIGINT, INDEX (utimestamp));
             CREATE TABLE {name} (id INT PRIMARY KEY, parent INT NULL, utimestamp BIGINT, \
                 INDEX (utimestamp), FOREIGN KEY (parent) REFERENCES {parent} (id) ON DELETE {action});
             INSERT INTO {parent} VALUES (1, 1), (2, 4000000000); \
             INSERT INTO {name} VALUES (1, 1, 1), (2, 1, 2), (3, 2, 4000000000);"
        )
    };
    db.sql(&child("p_null", "c_null", "SET NULL"));
    db.sql(&child("p_restrict", "c_restrict", "RESTRICT"));
    db.sql(
        "CREATE TABLE ring_a (id INT PRIMARY KEY, b INT, utimestamp BIGINT, INDEX (utimestamp));
         CREATE TABLE ring_b (id INT PRIMARY KEY, a INT, \
             FOREIGN KEY (a) REFERENCES ring_a (id) ON DELETE CASCADE);
         ALTER TABLE ring_a ADD FOREIGN KEY (b) REFERENCES ring_b (id) ON DELETE CASCADE;
         CREATE TABLE tree (id INT PRIMARY KEY, up INT, utimestamp BIGINT, INDEX (utimestamp), \
             FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE);
         INSERT INTO tree VALUES (1, NULL, 1), (2, 1, 4000000000);
         CREATE TABLE wide (x INT, y INT, utimestamp BIGINT, PRIMARY KEY (x, y), INDEX (utimestamp));
         CREATE TABLE narrow (id INT PRIMARY KEY, x INT, y INT, \
             FOREIGN KEY (x, y) REFERENCES wide (x, y) ON DELETE CASCADE);
         INSERT INTO wide VALUES (1, 1, 1); INSERT INTO narrow VALUES (1, 1, 1);",
    );
    let mut store = db.store().await;
    for (table, words) in [
        ("p_null", ["c_null", "SET NULL"]),
        ("p_restrict", ["c_restrict", "rule of its own"]),
        ("ring_a", ["ring_a", "ring"]),
        ("tree", ["tree", "ring"]),
        ("wide", ["narrow", "several columns"]),
    ] {
        let refusal = refused(&db, &mut store, &policy(&rule(table, ""))).await;
        mismatch(&refusal, table, &words);
    }
    // With a rule of its own the child is purged first, whatever the order of the file.
    let both = policy(&(rule("p_restrict", "") + &rule("c_restrict", "")));
    let plan = plan(&both, &mut store, true).await;
    assert_eq!(plan.refusals, []);
    let report = run(&plan, &mut store, 1).await.unwrap();
    let done: Vec<(&str, u64)> = report
        .tables
        .iter()
        .map(|t| (t.table.as_str(), t.deleted))
        .collect();
    assert_eq!(done, [("c_restrict", 2), ("p_restrict", 1)]);
}

#[tokio::test]
async fn schemas_that_do_not_fit_on_sqlite() {
    let file = SqliteFile::new();
    file.sql(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, utimestamp INTEGER, at TEXT);
         CREATE TABLE packed (id TEXT PRIMARY KEY, utimestamp INTEGER) WITHOUT ROWID;
         CREATE VIEW looked AS SELECT * FROM plain;
         CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES plain ON DELETE SET NULL);
         INSERT INTO plain VALUES (1, 1, 'x'); INSERT INTO packed VALUES ('a', 1);",
    );
    let mut store = file.store();
    for (table, words) in [
        ("missing", ["does not exist", ""]),
        ("packed", ["WITHOUT ROWID", ""]),
        ("looked", ["view", ""]),
        ("plain", ["child", "SET NULL"]),
    ] {
        let refusal = refused(&file, &mut store, &policy(&rule(table, ""))).await;
        mismatch(&refusal, table, &words);
    }
}

#[tokio::test]
async fn more_than_the_share_that_is_allowed() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let mut store = file.store();
    let toml = rule("tagente_datos", "");
    let refusal = refused(&file, &mut store, &policy(&toml.replace("1.0", "0.4"))).await;
    let Refusal::Share {
        due: 500,
        rows: 1000,
        share,
        ..
    } = refusal
    else {
        panic!("{refusal:?}");
    };
    assert!((share - 50.0).abs() < 0.01);
    let allowed = policy(&toml.replace("1.0", "0.5"));
    assert_eq!(
        purge(&allowed, &mut store, 100).await.unwrap().deleted(),
        500
    );
}

/// A prefix of a column does not order rows by it, and neither does a descending index; the walk
/// goes along the key instead.
#[tokio::test]
async fn indexes_that_do_not_order_are_not_walked() {
    let db = MariaDb::new();
    db.sql(
        "CREATE TABLE down (id INT PRIMARY KEY, utimestamp BIGINT, INDEX x (utimestamp DESC));
         CREATE TABLE second (id INT PRIMARY KEY, utimestamp BIGINT, INDEX x (id, utimestamp));
         INSERT INTO down SELECT seq, seq FROM seq_1_to_50;
         INSERT INTO second SELECT seq, seq FROM seq_1_to_50;",
    );
    let mut store = db.store().await;
    let policy = policy(&(rule("down", "") + &rule("second", "")));
    for table in facts(&policy, &mut store, false).await.tables {
        let walk = &table.task.as_ref().unwrap().walk;
        assert!(
            matches!(walk, elpis_maint_core::Walk::Key { .. }),
            "{walk:?}"
        );
    }
    assert_eq!(purge(&policy, &mut store, 7).await.unwrap().deleted(), 100);
}
