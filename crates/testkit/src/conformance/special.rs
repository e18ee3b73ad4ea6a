//! Cases for stores that know cascades, keys of several columns, or calendar columns.

use elpis_maint_core::{Scalar, Walk};

use super::data::{Scene, cutoff, int, rule, task, text, times};
use super::{Fixture, count_all, purge_all};
use crate::harness::{facts, now};
use crate::table::{Kind, Row, Table};
use crate::tables::{
    composite, daily, millis, stamped, tevent_attachment, tevent_comment, tevent_extended, tevento,
    ttrap,
};

/// Along a key of a text and a number.
pub async fn a_walk_by_composite_key<F: Fixture>(fixture: F) {
    let rows: Vec<Row> = times()
        .iter()
        .enumerate()
        .map(|(i, time)| {
            let host = format!("host{:02}", i * 7 % 12);
            vec![text(&host), int(i as i64), time.map(Scalar::Int)]
        })
        .collect();
    let tables = [1, 7, 10_000].map(|limit| (limit, composite().named(&format!("t{limit}"))));
    let toml: String = tables
        .iter()
        .map(|(_, table)| rule(&table.name, "key = [\"host\", \"seq\"]"))
        .collect();
    let filled = tables
        .iter()
        .map(|(_, table)| (table.clone(), rows.clone()));
    let mut scene = Scene::new(fixture, &toml, filled.collect());
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    for (limit, table) in &tables {
        let (task, rows) = (task(&facts, &table.name), scene.rows(&table.name));
        assert!(matches!(&task.walk, Walk::Key { columns } if columns.len() == 2));
        let counted = count_all(&mut store, &task, *limit, rows).await;
        assert_eq!(
            (counted.rows, counted.due),
            (rows, scene.due(&table.name)),
            "by {limit}"
        );
        let walked = purge_all(&mut store, &task, *limit, rows).await;
        assert_eq!(walked.deleted, scene.due(&table.name), "by {limit}");
        assert!(walked.chunks <= rows / limit + 2, "{walked:?} by {limit}");
    }
    scene.check_what_is_left();
}

fn event(id: i64, time: i64) -> Row {
    vec![int(id), text("alert"), int(id % 4), int(time)]
}

/// Events before and after the cutoff, some at one instant; even ids are expired.
fn events(n: i64) -> Vec<Row> {
    (0..n)
        .map(|id| {
            event(
                id,
                if id % 2 == 0 {
                    cutoff() - 10 - id / 8
                } else {
                    cutoff() + id
                },
            )
        })
        .collect()
}

/// Many children to a parent, and two tables of them.
pub async fn children_go_first_bounded_and_counted<F: Fixture>(fixture: F) {
    // Event 4 has more children than a chunk may take.
    let extended = (0..400).map(|i: i64| {
        vec![
            int(i),
            int(if i < 150 { 4 } else { i % 40 }),
            text("details"),
        ]
    });
    let comments = (0..90).map(|i: i64| vec![int(i), int(i % 40), None]);
    let tables = vec![
        (tevento(), events(40)),
        (tevent_extended(), extended.collect()),
        (tevent_comment(), comments.collect()),
    ];
    let mut scene = Scene::new(fixture, &rule("tevento", ""), tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    let task = task(&facts, "tevento");
    let names = task.cascaded_tables();
    let expected: Vec<u64> = names
        .iter()
        .map(|name| scene.expected.cascaded["tevento"][*name])
        .collect();
    assert_eq!(names.len(), 2);
    let counted = count_all(&mut store, &task, 7, 40).await;
    assert_eq!((counted.due, counted.cascaded), (20, expected.clone()));
    let walked = purge_all(&mut store, &task, 13, 400).await;
    assert_eq!((walked.deleted, walked.cascaded), (20, expected));
    scene.check_what_is_left();
}

/// Children of children.
pub async fn grandchildren_go_first_bounded_and_counted<F: Fixture>(fixture: F) {
    let extended = (0..60).map(|i: i64| vec![int(i), int(i % 20), text("details")]);
    // Detail 8 has more than a chunk may take.
    let attached = (0..300).map(|i: i64| vec![int(i), int(if i < 120 { 8 } else { i % 60 })]);
    let tables = vec![
        (tevento(), events(20)),
        (tevent_extended(), extended.collect()),
        (
            tevent_comment(),
            (0..10).map(|i| vec![int(i), int(i), None]).collect(),
        ),
        (tevent_attachment(), attached.collect()),
    ];
    let mut scene = Scene::new(fixture, &rule("tevento", ""), tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    let task = task(&facts, "tevento");
    let names = task.cascaded_tables();
    let expected: Vec<u64> = names
        .iter()
        .map(|name| scene.expected.cascaded["tevento"][*name])
        .collect();
    assert_eq!(names.len(), 3);
    let counted = count_all(&mut store, &task, 100_000, 20).await;
    assert_eq!((counted.due, counted.cascaded), (10, expected.clone()));
    let walked = purge_all(&mut store, &task, 11, 500).await;
    assert_eq!((walked.deleted, walked.cascaded), (10, expected));
    scene.check_what_is_left();
}

/// What a child's own rule takes is not counted again with its parent.
pub async fn children_with_a_rule_of_their_own<F: Fixture>(fixture: F) {
    let comments = (0..120).map(|i: i64| {
        let time = match i % 3 {
            0 => Some(cutoff() - i),
            1 => Some(cutoff() + i),
            _ => None,
        };
        vec![int(i), int(i % 30), time.map(Scalar::Int)]
    });
    let tables = vec![
        (tevento(), events(30)),
        (tevent_comment(), comments.collect()),
    ];
    let toml = rule("tevent_comment", "") + &rule("tevento", "");
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    let expected = scene.expected.cascaded["tevento"]["tevent_comment"];
    assert!(expected > 0 && scene.due("tevent_comment") > 0);
    assert_eq!(facts.tables[0].due.rows, scene.due("tevent_comment"));
    let said = facts.tables[1].cascaded.clone().unwrap();
    assert_eq!(said, [("tevent_comment".to_owned(), expected)]);
    let walked = purge_all(&mut store, &task(&facts, "tevent_comment"), 7, 120).await;
    assert_eq!(walked.deleted, scene.due("tevent_comment"));
    let walked = purge_all(&mut store, &task(&facts, "tevento"), 7, 120).await;
    assert_eq!((walked.deleted, walked.cascaded), (15, vec![expected]));
    scene.check_what_is_left();
}

/// DATETIME in a zone with summer time, TIMESTAMP, DATE, and milliseconds; zero dates, NULLs, and
/// the neighbours of each cutoff.
pub async fn calendar_columns<F: Fixture>(fixture: F) {
    // 30 × 86 400 s before 2026-11-21 08:00 UTC, on Madrid's summer clock: 10:00.
    let datetimes = [
        "1999-12-31 23:59:59",
        "2026-10-22 09:59:59",
        "2026-10-22 10:00:00",
        "2026-10-22 10:00:01",
        "2026-10-22 08:30:00",
        "2027-01-01 00:00:00",
        "2026-10-25 02:30:00",
    ];
    let stamps = [
        "1999-12-31 23:59:59",
        "2026-10-22 07:59:59",
        "2026-10-22 08:00:00",
        "2026-10-22 08:00:01",
        "2030-01-01 00:00:00",
    ];
    let days = [
        "1999-12-31",
        "2026-10-21",
        "2026-10-22",
        "2026-10-23",
        "2026-11-21",
        "2027-01-01",
    ];
    let ms = (now().as_second() - 30 * 86_400) * 1000;
    let numbered = |values: Vec<Option<Scalar>>| -> Vec<Row> {
        // Several times over, so that a chunk ends in the middle of an instant.
        let values = std::iter::repeat_n(values, 5).flatten().chain([None]);
        values
            .enumerate()
            .map(|(i, value)| vec![int(i as i64), value])
            .collect()
    };
    let texts = |list: &[&str]| numbered(list.iter().map(|value| text(value)).collect());
    let unindexed = Table::new("ttrap_key")
        .column("id_trap", Kind::Int)
        .nullable("timestamp", Kind::Datetime)
        .primary_key(&["id_trap"]);
    let tables = vec![
        (ttrap(), texts(&datetimes)),
        (unindexed, texts(&datetimes)),
        (stamped(), texts(&stamps)),
        (daily(), texts(&days)),
        (
            millis(),
            numbered(vec![int(ms - 1), int(ms), int(ms + 1), int(0)]),
        ),
    ];
    let rule = |name: &str, column: &str, unit: &str| {
        format!(
            "[[table]]\nname = \"{name}\"\nmax_share = 1.0\nkeep = {{ days = 30 }}\n\
             time = {{ column = \"{column}\", {unit} }}\n"
        )
    };
    let toml = rule(
        "ttrap",
        "timestamp",
        "unit = \"datetime\", zone = \"Europe/Madrid\"",
    ) + &rule(
        "ttrap_key",
        "timestamp",
        "unit = \"datetime\", zone = \"Europe/Madrid\"",
    ) + &rule("stamped", "at", "unit = \"timestamp\"")
        + &rule("daily", "day", "unit = \"date\", zone = \"Europe/Madrid\"")
        + &rule("millis", "at_ms", "unit = \"epoch_millis\"");
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    for table in &facts.tables {
        let name = &table.table;
        assert!(scene.due(name) > 0);
        assert_eq!(
            (table.due.rows, table.untimed),
            (scene.due(name), Some(1)),
            "{name}"
        );
        let walked = purge_all(&mut store, &task(&facts, name), 3, scene.rows(name)).await;
        assert_eq!(walked.deleted, scene.due(name), "{name}");
    }
    scene.check_what_is_left();
}
