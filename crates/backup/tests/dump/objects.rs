//! Views, triggers and events, where order matters.

use elpis_mysql::Params;

use crate::{database, dump, load, policy, run, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_nothing_is_left_out_and_named() {
    let mut session = database(&server().options(), "broken").await;
    for sql in [
        "CREATE TABLE t (id INT)",
        "CREATE TABLE gone (id INT)",
        "CREATE VIEW broken_view AS SELECT id FROM gone",
        "CREATE VIEW good_view AS SELECT id FROM t",
        "DROP TABLE gone",
    ] {
        run(&mut session, sql).await;
    }
    let (report, memory) = dump(&server().options(), policy("broken")).await;
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("broken.broken_view")),
        "{:?}",
        report.warnings
    );
    let mut copy = database(&server().options(), "broken2").await;
    load(server(), "broken2", &memory.text(0));
    let views: Vec<String> = copy
        .rows(
            "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'broken2'",
            Params::Empty,
        )
        .await
        .unwrap();
    assert_eq!(views, ["good_view"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_do_not_fire_and_triggers_do_not_count_while_it_is_loaded() {
    let mut session = database(&server().options(), "quiet").await;
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "CREATE TABLE audit (n INT)",
        "INSERT INTO t VALUES (1), (2)",
        "CREATE TRIGGER count_them AFTER INSERT ON t FOR EACH ROW INSERT INTO audit VALUES (NEW.id)",
        "CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO INSERT INTO audit VALUES (0)",
    ] {
        run(&mut session, sql).await;
    }
    let (_, memory) = dump(&server().options(), policy("quiet")).await;
    let text = String::from_utf8(memory.text(0)).unwrap();
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}"));
    assert!(place("INSERT INTO `t`") < place("TRIGGER `count_them`"));
    assert!(place("TRIGGER `count_them`") < place("EVENT `e`"));
    assert!(
        text.trim_end()
            .lines()
            .last()
            .unwrap()
            .starts_with("-- Dump completed on ")
    );
    let mut copy = database(&server().options(), "quiet2").await;
    load(server(), "quiet2", text.as_bytes());
    let audited: Option<i64> = copy
        .first("SELECT COUNT(*) FROM audit", Params::Empty)
        .await
        .unwrap();
    assert_eq!(audited, Some(0));
}
