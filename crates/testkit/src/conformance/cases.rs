//! Cases for every store.

use elpis_maint_core::store::{ColumnKind, Count, Position};
use elpis_maint_core::{Scalar, Store, StoreError, Walk};

use super::data::{Scene, cutoff, int, rule, series, sessions, task, text, times};
use super::{Fixture, Walked, count_all, purge_all};
use crate::harness::facts;
use crate::tables::{tagente_datos, tsesion};

/// Structure, walk, and the absence of a table.
pub async fn shape_and_walk_are_found<F: Fixture>(fixture: F) {
    let toml = rule("tagente_datos", "") + &rule("tsesion", "") + &rule("nowhere", "");
    let rows = series(&times());
    let mut scene = Scene::new(
        fixture,
        &rule("tagente_datos", ""),
        vec![(tagente_datos(), rows), (tsesion(), sessions(&times()))],
    );
    let mut store = scene.store().await;
    let shape = store.shape("tagente_datos").await.unwrap().unwrap();
    assert_eq!(shape.rows.rows, scene.rows("tagente_datos"));
    let time = shape
        .columns
        .iter()
        .find(|c| c.name == "utimestamp")
        .unwrap();
    assert_eq!(time.kind, ColumnKind::Integer);
    assert_eq!(shape.obstacle, None);
    assert_eq!(shape.referenced_by, []);
    assert_eq!(store.shape("nowhere").await.unwrap(), None);

    let facts = facts(&crate::policy(&toml), &mut store, false).await;
    let Walk::Time { index, .. } = task(&facts, "tagente_datos").walk else {
        panic!("{facts:?}");
    };
    assert!(
        shape
            .indexes
            .iter()
            .any(|i| i.name == index && i.columns[0] == "utimestamp")
    );
    assert!(matches!(task(&facts, "tsesion").walk, Walk::Key { .. }));
    assert!(
        facts.tables[2]
            .task
            .as_ref()
            .unwrap_err()
            .contains("does not exist")
    );
}

/// A quick look at a small table is the truth, and says so.
pub async fn small_tables_are_counted_at_once<F: Fixture>(fixture: F) {
    let mut scene = Scene::new(
        fixture,
        &rule("tagente_datos", ""),
        vec![(tagente_datos(), series(&times()))],
    );
    let mut store = scene.store().await;
    let task = task(
        &facts(&scene.policy, &mut store, false).await,
        "tagente_datos",
    );
    let extent = store.estimate(&task).await.unwrap();
    assert!(extent.due.exact);
    assert_eq!(extent.due.rows, scene.due("tagente_datos"));
    assert_eq!(extent.oldest, int(0));
    assert_eq!(extent.newest, int(4_000_000_000));
}

/// A quick look at a large table is either exact or labelled, and never absurd.
pub async fn estimates_of_large_tables_are_labelled_and_sane<F: Fixture>(fixture: F) {
    let times: Vec<Option<i64>> = (0..60_000).map(|i| Some(cutoff() - 40_000 + i)).collect();
    let tables = vec![
        (tagente_datos(), series(&times)),
        (tsesion(), sessions(&times)),
    ];
    let toml = rule("tagente_datos", "") + &rule("tsesion", "");
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, false).await;
    for table in &facts.tables {
        let sane = |found: Count, truth: u64| {
            let near = found.rows >= truth / 2 && found.rows <= truth * 2;
            assert!(
                if found.exact {
                    found.rows == truth
                } else {
                    near
                },
                "{table:?}"
            );
        };
        sane(table.rows, 60_000);
        sane(table.due, 40_000);
        assert!(table.due.rows <= table.rows.rows, "{table:?}");
    }
}

/// Exact counts, in steps of any size.
pub async fn exact_counts_equal_the_recount<F: Fixture>(fixture: F) {
    let toml = rule("tagente_datos", "") + &rule("tsesion", "");
    let tables = vec![
        (tagente_datos(), series(&times())),
        (tsesion(), sessions(&times())),
    ];
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    for table in ["tagente_datos", "tsesion"] {
        let (task, rows) = (task(&facts, table), scene.rows(table));
        for limit in [1, 7, 60, 100_000] {
            let counted = count_all(&mut store, &task, limit, rows).await;
            assert_eq!(counted.rows, rows, "{table} by {limit}");
            assert_eq!(counted.due, scene.due(table), "{table} by {limit}");
            assert_eq!(counted.untimed, 2, "{table} by {limit}");
            assert_eq!(
                counted.span,
                Some((Scalar::Int(0), Scalar::Int(4_000_000_000)))
            );
        }
    }
    for facts in &facts.tables {
        assert!(facts.rows.exact && facts.due.exact);
        assert_eq!(facts.rows.rows, scene.rows(&facts.table));
        assert_eq!(facts.due.rows, scene.due(&facts.table));
        assert_eq!(facts.untimed, Some(2));
    }
}

/// Along an index on the time column, by chunks of any size.
pub async fn a_walk_by_time_deletes_exactly_the_expired<F: Fixture>(fixture: F) {
    let table = tagente_datos();
    let tables = [1, 7, 60, 10_000].map(|limit| (limit, table.clone().named(&format!("t{limit}"))));
    let toml: String = tables
        .iter()
        .map(|(_, table)| rule(&table.name, ""))
        .collect();
    let filled = tables
        .iter()
        .map(|(_, table)| (table.clone(), series(&times())));
    let mut scene = Scene::new(fixture, &toml, filled.collect());
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, false).await;
    for (limit, table) in &tables {
        let task = task(&facts, &table.name);
        assert!(matches!(task.walk, Walk::Time { .. }));
        let rows = scene.rows(&table.name);
        let walked = purge_all(&mut store, &task, *limit, rows).await;
        assert_eq!(walked.deleted, scene.due(&table.name), "by {limit}");
        assert_eq!(
            purge_all(&mut store, &task, *limit, rows).await.deleted,
            0,
            "again"
        );
    }
    scene.check_what_is_left();
}

/// Along a key, by chunks of any size; every row is looked at once.
pub async fn a_walk_by_key_deletes_exactly_the_expired<F: Fixture>(fixture: F) {
    let table = tsesion();
    let tables = [1, 7, 60, 10_000].map(|limit| (limit, table.clone().named(&format!("t{limit}"))));
    let toml: String = tables
        .iter()
        .map(|(_, table)| rule(&table.name, ""))
        .collect();
    let filled = tables
        .iter()
        .map(|(_, table)| (table.clone(), sessions(&times())));
    let mut scene = Scene::new(fixture, &toml, filled.collect());
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, false).await;
    for (limit, table) in &tables {
        let task = task(&facts, &table.name);
        assert!(matches!(task.walk, Walk::Key { .. }));
        let rows = scene.rows(&table.name);
        let walked = purge_all(&mut store, &task, *limit, rows).await;
        assert_eq!(walked.deleted, scene.due(&table.name), "by {limit}");
        assert!(walked.chunks <= rows / limit + 2, "{walked:?} by {limit}");
        assert_eq!(
            purge_all(&mut store, &task, *limit, rows).await.deleted,
            0,
            "again"
        );
    }
    scene.check_what_is_left();
}

/// NULL is no time: such rows are reported and stay, even where nothing else does.
pub async fn rows_without_a_time_stay<F: Fixture>(fixture: F) {
    let times: Vec<Option<i64>> = (0..40).map(|i| (i % 2 == 0).then_some(i)).collect();
    let toml = rule("tagente_datos", "") + &rule("tsesion", "");
    let tables = vec![
        (tagente_datos(), series(&times)),
        (tsesion(), sessions(&times)),
    ];
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    for table in &facts.tables {
        assert_eq!(
            (table.due.rows, table.untimed),
            (20, Some(20)),
            "{}",
            table.table
        );
        let walked = purge_all(&mut store, &task(&facts, &table.table), 6, 40).await;
        assert_eq!(walked.deleted, 20);
    }
    scene.check_what_is_left();
}

/// A second can hold far more rows than a chunk may take.
pub async fn one_second_with_many_rows<F: Fixture>(fixture: F) {
    let instant = cutoff() - 100;
    let mut times = vec![Some(instant); 3000];
    times.extend([Some(instant - 1), Some(instant + 1), Some(cutoff() + 5)]);
    let mut scene = Scene::new(
        fixture,
        &rule("tagente_datos", ""),
        vec![(tagente_datos(), series(&times))],
    );
    let mut store = scene.store().await;
    let task = task(
        &facts(&scene.policy, &mut store, true).await,
        "tagente_datos",
    );
    let walked = purge_all(&mut store, &task, 100, 3003).await;
    assert_eq!(walked.deleted, 3002);
    assert!(walked.chunks <= 35, "{walked:?}");
    scene.check_what_is_left();
}

/// An empty table, and one where nothing is due.
pub async fn nothing_due_ends_at_once<F: Fixture>(fixture: F) {
    let young = series(&[Some(cutoff()), Some(cutoff() + 1), None]);
    let tables = vec![(tagente_datos(), young), (tsesion(), Vec::new())];
    let toml = rule("tagente_datos", "") + &rule("tsesion", "");
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    for table in ["tagente_datos", "tsesion"] {
        let task = task(&facts, table);
        let nothing = Walked {
            chunks: 1,
            ..Walked::default()
        };
        assert_eq!(
            purge_all(&mut store, &task, 10, 3).await,
            nothing,
            "{table}"
        );
        // A walk may also be taken up at its beginning, said outright.
        let purged = store
            .purge_chunk(&task, Some(&Position::beginning()), 10)
            .await;
        assert_eq!(purged.unwrap().deleted, 0);
    }
    scene.check_what_is_left();
}

/// Every operator, on a walk by time and on one by key, NULLs included.
pub async fn every_filter_means_what_it_says<F: Fixture>(fixture: F) {
    use crate::table::{Kind, Table};
    let filters = [
        "{ column = \"kind\", op = \"=\", value = 2 }",
        "{ column = \"kind\", op = \"!=\", value = 2 }",
        "{ column = \"kind\", op = \"<\", value = 2 }",
        "{ column = \"kind\", op = \"<=\", value = 2 }",
        "{ column = \"kind\", op = \">\", value = 2 }",
        "{ column = \"kind\", op = \">=\", value = 2 }",
        "{ column = \"kind\", op = \"in\", value = [1, 3, 9] }",
        "{ column = \"kind\", op = \"not_in\", value = [1, 3] }",
        "{ column = \"kind\", op = \"is_null\" }",
        "{ column = \"kind\", op = \"is_not_null\" }",
        "{ column = \"name\", op = \"=\", value = \"it's\" }",
        "{ column = \"kind\", op = \">\", value = 0 }, { column = \"name\", op = \"!=\", value = \"b\" }",
    ];
    let rows: Vec<_> = (0..200_i64)
        .map(|i| {
            let time = int(if i % 3 == 0 {
                cutoff() + i
            } else {
                cutoff() - 1 - i / 20
            });
            let kind = (i % 6 != 5).then_some(Scalar::Int(i % 6));
            vec![int(i), kind, text(["a", "b", "it's"][i as usize % 3]), time]
        })
        .collect();
    let mut tables = Vec::new();
    let mut toml = String::new();
    for (i, filter) in filters.iter().enumerate() {
        for indexed in [true, false] {
            let name = format!("f{i}_{indexed}");
            let table = Table::new(&name)
                .column("id", Kind::Int)
                .nullable("kind", Kind::Int)
                .column("name", Kind::Text)
                .nullable("utimestamp", Kind::Int)
                .primary_key(&["id"]);
            let table = if indexed {
                table.index("by_time", &["utimestamp"])
            } else {
                table
            };
            toml.push_str(&rule(&name, &format!("where = [{filter}]")));
            tables.push((table, rows.clone()));
        }
    }
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    let facts = facts(&scene.policy, &mut store, true).await;
    let mut total = 0;
    for table in &facts.tables {
        let name = &table.table;
        assert_eq!(table.due.rows, scene.due(name), "{name}");
        let walked = purge_all(&mut store, &task(&facts, name), 9, 200).await;
        assert_eq!(walked.deleted, scene.due(name), "{name}");
        total += walked.deleted;
    }
    assert!(
        total > 500,
        "the data must give the filters something to do: {total}"
    );
    scene.check_what_is_left();
}

/// Retention in rows rests on this.
pub async fn the_nth_newest_row_is_found<F: Fixture>(fixture: F) {
    let toml = rule("tagente_datos", "") + &rule("tsesion", "");
    let times: Vec<Option<i64>> = [50, 10, 40, 40, 40, 20]
        .map(Some)
        .into_iter()
        .chain([None])
        .collect();
    let tables = vec![
        (tagente_datos(), series(&times)),
        (tsesion(), sessions(&times)),
    ];
    let mut scene = Scene::new(fixture, &toml, tables);
    let mut store = scene.store().await;
    for rule in &scene.policy.tables.clone() {
        for (keep, time) in [
            (1, Some(50)),
            (2, Some(40)),
            (4, Some(40)),
            (5, Some(20)),
            (6, Some(10)),
            (7, None),
        ] {
            let found = store.nth_newest(rule, keep).await.unwrap();
            assert_eq!(found, time.map(Scalar::Int), "{keep} of {}", rule.name);
        }
    }
}

/// The same, further away than one statement goes, with many rows of one instant on the way.
pub async fn the_nth_newest_row_is_found_far_back<F: Fixture>(fixture: F) {
    let mut times: Vec<i64> = (0..130_000)
        .map(|i| if i % 3 == 0 { i } else { i / 40_000 })
        .collect();
    let rows: Vec<Option<i64>> = times.iter().copied().map(Some).collect();
    let tables = vec![(tagente_datos(), series(&rows))];
    let mut scene = Scene::new(fixture, &rule("tagente_datos", ""), tables);
    let mut store = scene.store().await;
    times.sort_unstable_by(|a, b| b.cmp(a));
    let rule = &scene.policy.tables[0].clone();
    for keep in [1, 43_000, 50_000, 50_001, 100_000, 129_999, 130_000] {
        let found = store.nth_newest(rule, keep).await.unwrap();
        assert_eq!(found, Some(Scalar::Int(times[keep as usize - 1])), "{keep}");
    }
    assert_eq!(store.nth_newest(rule, 130_001).await.unwrap(), None);
}

/// One run per database, and who it is.
pub async fn a_lock_excludes_and_names_its_holder<F: Fixture>(mut fixture: F) {
    let (mut one, mut other) = (fixture.store().await, fixture.store().await);
    let database = one.server().await.unwrap().database;
    let names = [format!("{database}_first"), format!("{database}_second")];
    one.lock(&names).await.unwrap();
    let error = other.lock(&names).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    let StoreError::LockHeld { name, holder } = &error else {
        panic!("{error:?}");
    };
    assert!(names.contains(name) && !holder.is_empty(), "{error}");
    one.unlock().await.unwrap();
    other.lock(&names).await.unwrap();
    assert!(matches!(
        one.lock(&names).await,
        Err(StoreError::LockHeld { .. })
    ));
    // A session that ends gives its locks back.
    drop(other);
    let mut tries = 0;
    while let Err(error) = one.lock(&names).await {
        // A server needs a moment to notice that a connection is gone.
        tries += 1;
        assert!(tries < 500, "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
