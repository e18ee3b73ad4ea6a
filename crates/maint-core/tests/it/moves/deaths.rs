//! Every moment at which a move can die, and what the next one makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use elpis_testkit::Database;

use super::dying::{Dying, Fuse};
use super::{Pair, data, move_all, plan, policy, run};

/// All moments in a soak, every ninth otherwise.
fn stride() -> usize {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 1,
        None => 9,
    }
}

async fn dying(pair: &Pair, moments: i64) -> (Dying, Dying, Fuse) {
    let fuse = Arc::new(AtomicI64::new(moments));
    let dying = |store| Dying {
        store,
        fuse: fuse.clone(),
    };
    let sides = (
        dying(pair.active.store().await),
        dying(pair.history.store().await),
    );
    (sides.0, sides.1, fuse)
}

fn reset(pair: &Pair) {
    let empty: String = [
        "tevent_extended",
        "tevento",
        "tagente_datos_string",
        "tagente_datos",
    ]
    .iter()
    .map(|table| format!("DELETE FROM {table};"))
    .collect();
    for side in [&pair.active, &pair.history] {
        side.sql(&format!(
            "SET foreign_key_checks = 0; {empty} DROP TABLE IF EXISTS elpis_moves;"
        ));
    }
    pair.fill(30);
    pair.fill_history();
    pair.remember("before");
}

/// How many moments a whole run has.
async fn moments(pair: &Pair) -> i64 {
    reset(pair);
    let plan = plan(&policy(data()), pair).await;
    let (mut active, mut history, fuse) = dying(pair, i64::MAX).await;
    let report = run(&plan, (&mut active, &mut history), 25, &())
        .await
        .unwrap();
    assert!(report.tables.iter().all(|table| table.complete));
    i64::MAX - fuse.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_move_that_dies_anywhere_is_finished_by_the_next_one() {
    let pair = Pair::new();
    let moments = moments(&pair).await;
    let (mut tried, mut settled) = (0, 0);
    for moment in (0..moments).step_by(stride()) {
        reset(&pair);
        let plan = plan(&policy(data()), &pair).await;
        let (mut active, mut history, _) = dying(&pair, moment).await;
        let died = run(&plan, (&mut active, &mut history), 25, &()).await;
        died.unwrap_err();
        drop((active, history));
        // Not a row is in neither database.
        let missing: Vec<u64> = pair.difference("before").iter().map(|off| off.0).collect();
        assert_eq!(missing, [0; 4], "moment {moment}");
        // Rows that look like those that were copied come late, and an event is changed.
        let late = moment % 2 == 0;
        if late {
            pair.active.sql(
                "INSERT INTO tagente_datos SELECT id_agente_modulo, datos, utimestamp FROM \
                   before_tagente_datos WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 6;",
            );
        }
        let came = match late {
            true => pair.active.number(
                "SELECT COUNT(*) FROM before_tagente_datos \
                 WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 6;",
            ),
            false => 0,
        };
        // Who finishes it may die, too.
        if tried % 2 == 1 {
            let (mut active, mut history, _) = dying(&pair, 5 + tried % 9).await;
            let died = run(&plan, (&mut active, &mut history), 25, &()).await;
            drop((died, active, history));
        }
        let report = move_all(&plan, &pair, 25).await;
        assert_eq!(report.concerns(), Vec::<String>::new(), "moment {moment}");
        assert!(report.tables.iter().all(|table| table.complete));
        settled += report
            .tables
            .iter()
            .filter(|table| table.settled > 0)
            .count();
        let mut expected = [(0, 0); 4];
        expected[0].1 = came;
        assert_eq!(pair.difference("before"), expected, "moment {moment}");
        assert_eq!(pair.due(), [0; 3], "moment {moment}");
        tried += 1;
    }
    println!("{tried} deaths of {moments}, {settled} between copy and deletion");
    assert!(settled > 0, "no death was between a copy and its deletion");
}

/// A run that dies when the first rows have been copied that are due after `tables` tables of which
/// nothing is.
async fn die_after_a_copy(pair: &Pair, tables: i64) {
    // Two moments an act: both sides begin; a table is looked up and asked for rows, which then
    // are sent, or else it is tidied up.
    let moments = 2 * (2 + 3 * tables + 3) - 1;
    let plan = plan(&policy(data()), pair).await;
    let (mut active, mut history, _) = dying(pair, moments).await;
    let died = run(&plan, (&mut active, &mut history), 25, &()).await;
    died.unwrap_err();
}

#[tokio::test]
async fn an_event_that_was_changed_after_its_copy_moves_as_it_is_now() {
    let pair = Pair::new();
    reset(&pair);
    pair.active
        .sql("DELETE FROM tagente_datos; DELETE FROM tagente_datos_string;");
    die_after_a_copy(&pair, 2).await;
    let twice = format!(
        "SELECT COUNT(*) FROM tevento JOIN {}.tevento h USING (id_evento);",
        pair.history.name()
    );
    assert!(pair.active.number(&twice) > 3);
    pair.active
        .sql("UPDATE tevento SET evento = 'acknowledged since' ORDER BY utimestamp LIMIT 3;");
    let plan = plan(&policy(data()), &pair).await;
    let report = move_all(&plan, &pair, 25).await;
    assert_eq!(report.concerns(), Vec::<String>::new());
    let seen = "SELECT COUNT(*) FROM tevento WHERE evento = 'acknowledged since';";
    assert_eq!(pair.history.number(seen), 3);
    assert_eq!(pair.due()[2], 0);
    let all = format!(
        "SELECT COUNT(DISTINCT id_evento) = COUNT(*) FROM (SELECT id_evento FROM tevento UNION ALL \
         SELECT id_evento FROM {}.tevento) e;",
        pair.history.name()
    );
    assert_eq!(pair.active.number(&all), 1);
}

#[tokio::test]
async fn what_was_purged_between_copy_and_deletion_is_not_missed_twice() {
    let pair = Pair::new();
    reset(&pair);
    die_after_a_copy(&pair, 0).await;
    assert!(pair.difference("before")[0].1 > 0);
    // Another tool deletes here what had been copied, and then a row comes that looks like one.
    pair.active
        .sql("DELETE FROM tagente_datos WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 5;");
    let plan = plan(&policy(data()), &pair).await;
    assert!(move_all(&plan, &pair, 25).await.tables[0].complete);
    pair.remember("then");
    pair.active.sql(
        "INSERT INTO tagente_datos SELECT * FROM before_tagente_datos ORDER BY utimestamp LIMIT 1;",
    );
    assert!(move_all(&plan, &pair, 25).await.tables[0].complete);
    assert_eq!(pair.difference("then")[0], (0, 1));
}
