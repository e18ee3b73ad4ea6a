//! Databases that do not fit each other: told before anything is copied, and nothing is lost.

use elpis_testkit::{Database, MariaDb};

use super::{Pair, data, move_all, plan, policy, rule};

/// What holds each table back, and what moved.
async fn outcome(pair: &Pair) -> Vec<(Option<String>, u64)> {
    let plan = plan(&policy(data()), pair).await;
    let report = move_all(&plan, pair, 50).await;
    // What the plan says, the run does.
    for (planned, table) in plan.tables.iter().zip(&report.tables) {
        assert_eq!(planned.held, table.held);
    }
    let tables = report.tables.into_iter();
    tables.map(|table| (table.held, table.moved)).collect()
}

fn changed(history: &str, active: &str) -> Pair {
    let pair = Pair::new();
    pair.fill(60);
    pair.history.sql(history);
    pair.active.sql(active);
    pair
}

#[tokio::test]
async fn a_table_that_is_missing_there_stays_here_and_the_others_move() {
    let pair = changed("DROP TABLE tagente_datos;", "SELECT 1;");
    let outcome = outcome(&pair).await;
    let why = outcome[0].0.as_deref().unwrap();
    assert!(
        why.contains("does not exist in the history database"),
        "{why}"
    );
    assert!(outcome[1].0.is_none() && outcome[1].1 > 0, "{outcome:?}");
    assert!(outcome[2].0.is_none() && outcome[2].1 > 0, "{outcome:?}");
    assert!(pair.due()[0] > 0);
}

#[tokio::test]
async fn a_column_that_is_missing_there_matters_if_it_holds_something() {
    let pair = changed(
        "SELECT 1;",
        "ALTER TABLE tagente_datos ADD quality INT NOT NULL DEFAULT 7; \
         ALTER TABLE tevento ADD note TEXT, ADD must INT NOT NULL; \
         ALTER TABLE tagente_datos_string ADD kind INT DEFAULT 1; \
         UPDATE tagente_datos_string SET kind = 2 ORDER BY utimestamp LIMIT 1;",
    );
    let found = outcome(&pair).await;
    assert!(found[0].0.is_none() && found[0].1 > 0, "{found:?}");
    let why = found[1].0.as_deref().unwrap();
    assert!(why.contains("column kind"), "{why}");
    let why = found[2].0.as_deref().unwrap();
    assert!(why.contains("column must"), "{why}");
    assert_eq!((found[1].1, found[2].1), (0, 0));
    pair.active.sql("UPDATE tagente_datos_string SET kind = 1;");
    assert!(outcome(&pair).await[1].1 > 0);
}

#[tokio::test]
async fn types_that_hold_less_are_told_and_what_slips_through_is_not_lost() {
    let pair = changed(
        "ALTER TABLE tagente_datos MODIFY datos FLOAT; \
         ALTER TABLE tagente_datos_string MODIFY datos TINYTEXT CHARACTER SET latin1; \
         ALTER TABLE tevento MODIFY data TINYTEXT NOT NULL;",
        "UPDATE tevento SET data = 'x' WHERE id_evento % 2 = 0;",
    );
    pair.remember("before");
    let found = outcome_of(&pair).await;
    assert!(
        found[0].0.as_deref().unwrap().contains("float"),
        "{found:?}"
    );
    assert!(
        found[1].0.as_deref().unwrap().contains("latin1"),
        "{found:?}"
    );
    // NULL has no place there: the server says so, and the whole step stays.
    assert!(
        found[2].0.as_deref().unwrap().contains("cannot be null"),
        "{found:?}"
    );
    assert_eq!(pair.difference("before"), [(0, 0); 4]);
}

/// Without the comparison of plan and run, for what only the run can find.
async fn outcome_of(pair: &Pair) -> Vec<(Option<String>, u64)> {
    let plan = plan(&policy(data()), pair).await;
    let report = move_all(&plan, pair, 50).await;
    let tables = report.tables.into_iter();
    tables.map(|table| (table.held, table.moved)).collect()
}

#[tokio::test]
async fn a_trigger_that_changes_rows_there_is_found_by_reading_back() {
    let pair = changed(
        "CREATE TRIGGER t BEFORE INSERT ON tagente_datos FOR EACH ROW SET NEW.datos = NEW.datos + 1;",
        "SELECT 1;",
    );
    pair.remember("before");
    let found = outcome_of(&pair).await;
    assert!(
        found[0].0.as_deref().unwrap().contains("triggers"),
        "{found:?}"
    );
    assert_eq!(pair.difference("before"), [(0, 0); 4]);
}

#[tokio::test]
async fn another_event_of_the_same_number_is_for_a_person_to_judge() {
    let pair = changed("SELECT 1;", "SELECT 1;");
    let name = pair.active.name();
    pair.history.sql(&format!(
        "INSERT INTO tevento SELECT * FROM {name}.tevento ORDER BY utimestamp LIMIT 8; \
         UPDATE tevento SET evento = 'of another installation' ORDER BY utimestamp DESC LIMIT 1;"
    ));
    let due = pair.due()[2];
    let found = outcome_of(&pair).await;
    assert!(
        found[2].0.as_deref().unwrap().contains("id_evento 8"),
        "{found:?}"
    );
    assert_eq!(pair.due()[2], due);
    pair.history
        .sql("DELETE FROM tevento WHERE evento = 'of another installation';");
    let plan = plan(&policy(data()), &pair).await;
    let report = move_all(&plan, &pair, 50).await;
    // Those that were there already are told.
    assert_eq!((report.tables[2].moved, report.tables[2].known), (due, 7));
    assert_eq!(pair.due()[2], 0);
}

#[tokio::test]
async fn a_database_is_not_its_own_history() {
    let active = MariaDb::new();
    active.sql(
        "CREATE TABLE tagente_datos (id_agente_modulo INT, datos DOUBLE, utimestamp BIGINT, \
                KEY (utimestamp)); INSERT INTO tagente_datos VALUES (1, 1, 1);",
    );
    let pair = Pair {
        history: active.clone(),
        active,
    };
    let plan = plan(&policy(vec![rule("tagente_datos", None)]), &pair).await;
    assert_eq!(plan.refusals.len(), 1);
    assert!(
        plan.refusals[0].to_string().contains("itself"),
        "{:?}",
        plan.refusals
    );
    assert_eq!(pair.active.number("SELECT COUNT(*) FROM tagente_datos;"), 1);
}
