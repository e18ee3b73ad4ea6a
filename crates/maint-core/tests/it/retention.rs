//! What is kept: rows and days, in every unit, on servers in other zones, in odd schemas.

use elpis_maint_core::{Ended, Policy, Scalar};
use elpis_testkit::{
    Database, MariaDb, Row, Run, SqliteFile, Table, World, multiset, now, plan, policy, purge,
    tables,
};

use crate::support::{cutoff, rule, run, series, young};

#[tokio::test]
async fn the_newest_rows_are_kept_and_rows_of_one_instant_stay_together() {
    let file = SqliteFile::new();
    series(&file, 1000);
    let mut store = file.store();
    let keep = |rows: u64| {
        let toml = rule("tagente_datos", "");
        policy(&toml.replace("days = 30", &format!("rows = {rows}")))
    };
    assert_eq!(
        purge(&keep(400), &mut store, 70).await.unwrap().deleted(),
        600
    );
    // The oldest of the 400 gets a hundred twins: the instant stays together.
    let table = tables::tagente_datos();
    let oldest = file.number("SELECT MIN(utimestamp) FROM tagente_datos;");
    file.fill(&table, 100, &["n", "n", &oldest.to_string()]);
    assert_eq!(
        purge(&keep(400), &mut store, 70).await.unwrap().deleted(),
        0
    );
    assert_eq!(
        purge(&keep(399), &mut store, 70).await.unwrap().deleted(),
        101
    );
    // More than there are.
    assert_eq!(
        purge(&keep(5000), &mut store, 70).await.unwrap().deleted(),
        0
    );
    assert_eq!(file.rows(&table).len(), 399);
}

/// The server's own zone must not shift anything: TIMESTAMP is an instant, DATETIME is the wall
/// clock of the zone that the policy names.
#[tokio::test]
async fn a_server_in_another_zone() {
    let server = MariaDb::own_server(&["--default-time-zone=+09:30"]);
    let db = MariaDb::on(&server);
    let table = |table: Table, column: &str, times: &[&str]| {
        let rows: Vec<Row> = times
            .iter()
            .enumerate()
            .map(|(i, time)| vec![Some(Scalar::Int(i as i64)), Some(Scalar::from(*time))])
            .collect();
        assert_eq!(table.columns[1].name, column);
        db.create(&table);
        db.insert(&table, &rows);
        (table, rows)
    };
    // The cutoff is 2026-10-22 08:00 UTC, which is 10:00 in Madrid and 17:30 for the server.
    let world = World::new(vec![
        table(
            tables::ttrap(),
            "timestamp",
            &[
                "2026-10-22 07:59:59",
                "2026-10-22 08:00:00",
                "2026-10-22 09:59:59",
                "2026-10-22 10:00:00",
                "2026-10-22 17:29:59",
                "2026-10-22 17:30:00",
            ],
        ),
        table(
            tables::stamped(),
            "at",
            &[
                "2026-10-21 22:29:59",
                "2026-10-22 07:59:59",
                "2026-10-22 08:00:00",
                "2026-10-22 10:00:00",
                "2026-10-22 17:29:59",
            ],
        ),
        table(
            tables::daily(),
            "day",
            &["2026-10-21", "2026-10-22", "2026-10-23"],
        ),
    ]);
    let policy = policy(
        "[[table]]\nname = \"ttrap\"\nmax_share = 1.0\nkeep = { days = 30 }\n\
         time = { column = \"timestamp\", unit = \"datetime\", zone = \"Europe/Madrid\" }\n\
         [[table]]\nname = \"stamped\"\nmax_share = 1.0\nkeep = { days = 30 }\n\
         time = { column = \"at\", unit = \"timestamp\" }\n\
         [[table]]\nname = \"daily\"\nmax_share = 1.0\nkeep = { days = 30 }\n\
         time = { column = \"day\", unit = \"date\", zone = \"Europe/Madrid\" }\n",
    );
    let expected = world.purge(&policy.tables, now());
    assert_eq!(expected.deleted["ttrap"], 3);
    assert_eq!(expected.deleted["stamped"], 2);
    assert_eq!(expected.deleted["daily"], 1);
    let plan = plan(&policy, &mut db.store().await, true).await;
    let local = plan.tables[0]
        .cutoff
        .as_ref()
        .unwrap()
        .local
        .clone()
        .unwrap();
    assert_eq!(local, "2026-10-22 10:00:00 CEST");
    run(&plan, &mut db.store().await, 2).await.unwrap();
    for (table, _) in &world.tables {
        let left = multiset(db.rows(table));
        assert_eq!(
            left,
            multiset(expected.left[&table.name].clone()),
            "{}",
            table.name
        );
    }
}

/// Names that need quoting, a key beyond `i64`, fractions of a second, zero dates.
#[tokio::test]
async fn odd_schemas() {
    let db = MariaDb::new();
    db.sql(
        "CREATE TABLE `select ``from'\"` (`key` BIGINT UNSIGNED PRIMARY KEY, `time stamp` BIGINT);
         INSERT INTO `select ``from'\"` SELECT 18446744073709551615 - seq, seq FROM seq_1_to_100;
         INSERT INTO `select ``from'\"` VALUES (1, 1), (18446744073709551615, 4000000000);
         CREATE TABLE fractions (id INT PRIMARY KEY, at DATETIME(6), INDEX (at));
         INSERT INTO fractions SELECT seq, '2026-10-22 07:59:59.999990' + INTERVAL seq MICROSECOND \
             FROM seq_1_to_20;
         CREATE TABLE zeros (id INT PRIMARY KEY, at DATETIME, INDEX (at));
         INSERT INTO zeros SELECT seq, '0000-00-00' FROM seq_1_to_20;
         INSERT INTO zeros VALUES (30, NULL), (31, '2027-01-01'), (32, '2026-10-00');",
    );
    let mut store = db.store().await;
    let odd = policy(
        "[[table]]\nname = \"select `from'\\\"\"\nmax_share = 1.0\nkeep = { days = 30 }\n\
         time = { column = \"time stamp\", unit = \"epoch_seconds\" }\n",
    );
    assert_eq!(purge(&odd, &mut store, 7).await.unwrap().deleted(), 101);
    let datetime = |table: &str| {
        policy(&format!(
            "[[table]]\nname = \"{table}\"\nmax_share = 1.0\nkeep = {{ days = 30 }}\n\
             time = {{ column = \"at\", unit = \"datetime\", zone = \"UTC\" }}\n"
        ))
    };
    assert_eq!(
        purge(&datetime("fractions"), &mut store, 3)
            .await
            .unwrap()
            .deleted(),
        9
    );
    assert_eq!(db.number("SELECT MIN(id) FROM fractions;"), 10);
    // The zero month and day are below the cutoff as the server compares them.
    assert_eq!(
        purge(&datetime("zeros"), &mut store, 3)
            .await
            .unwrap()
            .deleted(),
        21
    );
    assert_eq!(db.number("SELECT COUNT(*) FROM zeros;"), 2);
}

/// The order of an ENUM is not that of its text, and neither are those of a bit or a float what
/// they look like: such a key is either walked right or refused.
#[tokio::test]
async fn keys_whose_order_is_not_that_of_their_text() {
    let db = MariaDb::new();
    let times = format!("{} + IF(seq % 3 = 0, 5, -5)", cutoff());
    let mut wrong = Vec::new();
    for (table, kind, value) in [
        (
            "by_enum",
            "ENUM('zulu', 'alpha', 'mike')",
            "ELT(1 + seq % 3, 'zulu', 'alpha', 'mike')",
        ),
        (
            "by_set",
            "SET('zulu', 'alpha', 'mike')",
            "ELT(1 + seq % 3, 'zulu', 'alpha', 'mike')",
        ),
        ("by_decimal", "DECIMAL(20, 5)", "seq % 7 / 3"),
        ("by_double", "DOUBLE", "seq % 7 / 3"),
        ("by_float", "FLOAT", "seq % 7 / 3"),
        ("by_bit", "BIT(12)", "seq % 7"),
        ("by_bytes", "VARBINARY(8)", "CHAR(200 + seq % 7, seq % 5)"),
        ("by_text", "VARCHAR(20)", "ELT(1 + seq % 3, 'Ä', 'b', 'a')"),
        (
            "by_time",
            "DATETIME(3)",
            "'2026-01-01' + INTERVAL seq % 7 * 1500 MICROSECOND",
        ),
    ] {
        db.sql(&format!(
            "CREATE TABLE {table} (k {kind} NOT NULL, id INT NOT NULL, utimestamp BIGINT, \
                 PRIMARY KEY (k, id));
             INSERT INTO {table} SELECT {value}, seq, {times} FROM seq_1_to_300;"
        ));
        let policy = policy(&rule(table, ""));
        let mut store = db.store().await;
        let plan = plan(&policy, &mut store, false).await;
        if plan.refusals.is_empty() {
            let mut bounded = Run::new(7);
            bounded.limits.max_rows = Some(1000);
            // A walk that loses its way may go round in circles for ever.
            bounded.limits.max_time = Some(std::time::Duration::from_secs(600));
            bounded.throttle = Box::new(elpis_testkit::Paced {
                rows: 7,
                pause: std::time::Duration::from_secs(1),
            });
            let report = bounded.on(&plan, &mut store).await.unwrap();
            if (report.deleted(), &report.ended) != (200, &Ended::Done) {
                wrong.push(format!(
                    "{table}: {} of 200, {:?}",
                    report.deleted(),
                    report.ended
                ));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// A condition in SQL that the operator vouches for.
#[tokio::test]
async fn a_raw_condition_is_taken_as_it_is() {
    let db = MariaDb::new();
    let table = series(&db, 1000);
    let stays = young(&db, &table).len();
    let toml = rule(
        "tagente_datos",
        "unsafe_sql = true\nwhere_sql = \"id_agente_modulo % 2 = 0 OR id_agente_modulo = 1\"",
    );
    let policy: Policy = policy(&toml);
    let due = db.number(&format!(
        "SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {} \
         AND (id_agente_modulo % 2 = 0 OR id_agente_modulo = 1);",
        cutoff()
    ));
    let mut store = db.store().await;
    let plan = plan(&policy, &mut store, true).await;
    assert_eq!(plan.due().rows, due);
    assert_eq!(run(&plan, &mut store, 70).await.unwrap().deleted(), due);
    assert_eq!(db.rows(&table).len(), stays + 500 - due as usize);
}
