//! Every statement is bounded: what the server itself recorded of each, in its slow log.

use elpis_maint_core::{Plan, Policy};
use elpis_testkit::{Database, MariaDb, Recorded, Table, plan, policy, tables};

use crate::support::{cutoff, fill_series, rule, run, series};

const LIMIT: u64 = 200;

/// Runs `toml` and checks everything that the server saw.
async fn purge_and_check(db: &MariaDb, toml: &str) -> u64 {
    let policy: Policy = policy(toml);
    let mut store = db.store().await;
    let plan: Plan = plan(&policy, &mut store, true).await;
    db.forget_recorded();
    let report = run(&plan, &mut store, LIMIT).await.unwrap();
    let statements = db.recorded();
    let deletes = statements.iter().filter(|s| s.text.starts_with("DELETE"));
    let affected: u64 = deletes.map(|s| s.affected).sum();
    assert_eq!(
        affected,
        report.deleted(),
        "the server's own count of deleted rows"
    );
    for Recorded {
        examined,
        affected,
        text,
    } in &statements
    {
        let text: String = text.chars().take(300).collect();
        assert!(!text.contains("COUNT("), "a run never counts: {text}");
        assert!(*affected <= LIMIT, "{affected} rows changed by {text}");
        // A walk may measure a window of 2000 index entries for several chunks at once.
        let most = if text.starts_with("DELETE") {
            3 * LIMIT + 100
        } else {
            2000
        };
        assert!(*examined <= most, "{examined} rows examined by {text}");
    }
    assert_eq!(
        plan.due().rows,
        report.tables.iter().map(|t| t.deleted).sum::<u64>()
    );
    report.deleted()
}

#[tokio::test]
async fn every_statement_of_a_run_is_bounded() {
    let server = MariaDb::recording_server(&[]);
    let db = MariaDb::on(&server);

    series(&db, 20_000);
    assert_eq!(
        purge_and_check(&db, &rule("tagente_datos", "")).await,
        10_000
    );

    // A filter that one row in a hundred meets, with an index that may tempt the optimiser.
    let rare = tables::tagente_datos().named("rare");
    db.create(&rare);
    fill_series(&db, &rare, 20_000);
    let filter = "where = [{ column = \"id_agente_modulo\", op = \"=\", value = 7 }]";
    assert_eq!(purge_and_check(&db, &rule("rare", filter)).await, 100);

    // Along a key, where one row in a hundred is expired.
    let audit = tables::tsesion();
    db.create(&audit);
    let time = format!("{} + IF(n % 100 = 0, -n, n)", cutoff());
    db.fill(&audit, 20_000, &["n", "'u'", &time]);
    assert_eq!(purge_and_check(&db, &rule("tsesion", "")).await, 200);

    // Along a key of two columns.
    let composite = tables::composite();
    db.create(&composite);
    let time = format!("{} + IF(n % 2 = 0, -n, n)", cutoff());
    db.fill(&composite, 20_000, &["CONCAT('host', n % 50)", "n", &time]);
    assert_eq!(purge_and_check(&db, &rule("composite", "")).await, 10_000);
}

/// One second with far more rows than a chunk, all of them expired.
#[tokio::test]
async fn one_second_with_many_rows_is_bounded() {
    let server = MariaDb::recording_server(&[]);
    let db = MariaDb::on(&server);
    let table = tables::tagente_datos();
    db.create(&table);
    db.fill(
        &table,
        20_000,
        &["n % 100", "n", &format!("{}", cutoff() - 5)],
    );
    assert_eq!(
        purge_and_check(&db, &rule("tagente_datos", "")).await,
        20_000
    );
}

#[tokio::test]
async fn cascades_are_bounded() {
    let server = MariaDb::recording_server(&[]);
    let db = MariaDb::on(&server);
    let family: [Table; 4] = [
        tables::tevento(),
        tables::tevent_extended(),
        tables::tevent_comment(),
        tables::tevent_attachment(),
    ];
    family.iter().for_each(|table| db.create(table));
    let time = format!("{} + n", cutoff() - 1001);
    db.fill(&family[0], 2000, &["n", "'alert'", "n % 5", &time]);
    // Event 10 has 3000 details, more than a chunk takes, the others two each.
    db.fill(
        &family[1],
        7000,
        &["n", "IF(n <= 3000, 10, 1 + n % 2000)", "'d'"],
    );
    db.fill(&family[2], 1000, &["n", "1 + n % 2000", "NULL"]);
    db.fill(&family[3], 9000, &["n", "IF(n <= 2000, 55, 1 + n % 7000)"]);
    let lost = |query: &str| db.number(query);
    let old = "SELECT id_evento FROM tevento WHERE utimestamp < ";
    let (old, children) = (
        format!("{old}{}", cutoff()),
        "FROM tevent_extended WHERE id_evento IN",
    );
    let expected = lost(&format!("SELECT COUNT(*) FROM ({old}) AS x;"))
        + lost(&format!("SELECT COUNT(*) {children} ({old});"))
        + lost(&format!(
            "SELECT COUNT(*) FROM tevent_comment WHERE id_event IN ({old});"
        ))
        + lost(&format!(
            "SELECT COUNT(*) FROM tevent_attachment WHERE id_extended IN \
             (SELECT id {children} ({old}));"
        ));
    assert_eq!(purge_and_check(&db, &rule("tevento", "")).await, expected);
    // Nobody lost its parent.
    for (child, column, parent, key) in [
        ("tevent_extended", "id_evento", "tevento", "id_evento"),
        ("tevent_comment", "id_event", "tevento", "id_evento"),
        ("tevent_attachment", "id_extended", "tevent_extended", "id"),
    ] {
        let orphans = format!(
            "SELECT COUNT(*) FROM {child} WHERE {column} NOT IN (SELECT {key} FROM {parent});"
        );
        assert_eq!(db.number(&orphans), 0, "{child}");
    }
}

/// Estimates look at a bounded number of rows; exact counts go in bounded steps.
#[tokio::test]
async fn every_statement_of_a_plan_is_bounded() {
    let server = MariaDb::recording_server(&[]);
    let db = MariaDb::on(&server);
    series(&db, 150_000);
    let audit = tables::tsesion();
    db.create(&audit);
    db.fill(&audit, 150_000, &["n", "'u'", "n"]);
    let policy = policy(&(rule("tagente_datos", "") + &rule("tsesion", "")));
    let mut store = db.store().await;
    for (exact, most) in [(false, 20_000), (true, 50_000)] {
        db.forget_recorded();
        plan(&policy, &mut store, exact).await;
        let statements = db.recorded();
        assert!(statements.len() > 5);
        for Recorded {
            examined,
            affected,
            text,
        } in statements
        {
            // Information about the schema is not about the table's size.
            let rows = if text.contains("information_schema") {
                0
            } else {
                examined
            };
            assert!(rows <= 2 * most + 100, "{examined} rows examined by {text}");
            assert_eq!(affected, 0, "{text}");
        }
    }
}

#[tokio::test]
async fn one_second_with_many_rows_and_a_filter_is_bounded() {
    let server = MariaDb::recording_server(&[]);
    let db = MariaDb::on(&server);
    let table = tables::tevento();
    db.create(&table);
    db.fill(
        &table,
        20_000,
        &["n", "'e'", "n % 100", &format!("{}", cutoff() - 5)],
    );
    let filter = "where = [{ column = \"criticity\", op = \"=\", value = 7 }]";
    assert_eq!(purge_and_check(&db, &rule("tevento", filter)).await, 200);
}
