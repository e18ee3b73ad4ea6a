//! Planning looks and changes nothing.

use elpis_testkit::{Database, MariaDb, plan, policy, tables};

use crate::support::{expired, fill_series, rule, series};

fn state(db: &MariaDb, names: &[&str]) -> Vec<String> {
    let mut state = vec![
        db.sql("SELECT @@GLOBAL.gtid_binlog_pos;"),
        db.sql("SHOW MASTER STATUS;"),
    ];
    state.extend(names.iter().map(|name| db.checksum(name)));
    state
}

#[tokio::test]
async fn planning_changes_nothing() {
    let server = MariaDb::own_server(&[]);
    let db = MariaDb::on(&server);
    series(&db, 4000);
    for table in [
        tables::tsesion(),
        tables::tevento(),
        tables::tevent_extended(),
    ] {
        db.create(&table);
    }
    db.fill(&tables::tsesion(), 4000, &["n", "'u'", "n"]);
    db.fill(&tables::tevento(), 500, &["n", "'e'", "1", "n"]);
    db.fill(
        &tables::tevent_extended(),
        900,
        &["n", "1 + n % 500", "'d'"],
    );
    let names = ["tagente_datos", "tsesion", "tevento", "tevent_extended"];
    let toml: String = names[..3].iter().map(|name| rule(name, "")).collect();
    let before = state(&db, &names);
    assert!(before[0].contains('-'), "there is a binary log: {before:?}");
    let mut store = db.store().await;
    for exact in [false, true] {
        let plan = plan(&policy(&toml), &mut store, exact).await;
        assert_eq!(plan.refusals, []);
        assert_eq!(plan.due().rows, 2000 + 4000 + 500);
    }
    let rows = toml.replace("days = 30", "rows = 10");
    plan(&policy(&rows), &mut store, true).await;
    assert_eq!(state(&db, &names), before);
    // The oracle can tell: one deleted row shows in both.
    db.sql("DELETE FROM tagente_datos LIMIT 1;");
    let after = state(&db, &names);
    assert!(after[0] != before[0] && after[2] != before[2]);
}

/// Large tables: the estimates are right enough, and an exact plan is right.
#[tokio::test]
async fn a_large_table_is_estimated_and_counted() {
    let db = MariaDb::new();
    series(&db, 120_000);
    let other = tables::tagente_datos().named("tagente_datos_inc");
    db.create(&other);
    fill_series(&db, &other, 60_000);
    let toml = rule("tagente_datos", "") + &rule("tagente_datos_inc", "");
    let mut store = db.store().await;
    let begun = std::time::Instant::now();
    let quick = plan(&policy(&toml), &mut store, false).await;
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    let exact = plan(&policy(&toml), &mut store, true).await;
    for (quick, exact) in quick.tables.iter().zip(&exact.tables) {
        let truth = expired(&db, &exact.task.table);
        assert!(
            exact.due.exact && exact.due.rows == truth,
            "{:?}",
            exact.due
        );
        let guess = quick.due;
        assert!(!guess.exact, "{guess:?}");
        assert!(
            guess.rows >= truth / 2 && guess.rows <= truth * 2,
            "{guess:?} for {truth}"
        );
    }
}
