//! Looks for several tasks at once.

use std::collections::BTreeSet;

use elpis_maint_core::store::RowKey;
use elpis_maint_core::sweep::{Condition, Relation, SweepTask, SweepWalk};
use elpis_maint_core::{Filter, RelationStore, Scalar, Test};

use super::steps::*;
use crate::conformance::Fixture;
use crate::conformance::data::int;
use crate::table::Row;

/// Each task finds what it alone is about, however they share the other tables: some must be there
/// and some must not, the same table for different reasons, and rows of it that are there twice.
pub async fn several_tasks_look_at_once<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    let (modules_rows, agents_rows) = (module_rows(), agent_rows());
    fixture.create(&agents());
    fixture.insert(&agents(), &agents_rows);
    let table = modules();
    fixture.create(&table);
    fixture.insert(&table, &modules_rows);
    let states_rows: Vec<Row> = (1..=200)
        .map(|id: i64| vec![int(id), int(id % 50 * 7), int((id + id / 50) % 5), None])
        .collect();
    fixture.create(&states());
    fixture.insert(&states(), &states_rows);
    let has_state = |module: &Row, state: i64| {
        let mut states = states_rows.iter();
        states.any(|row| row[1] == module[0] && (state < 0 || row[2] == int(state)))
    };
    let agent_of = |module: &Row| {
        let mut agents = agents_rows.iter();
        agents.find(|row| module[1].is_some() && row[0] == module[1])
    };
    let state = |n| Relation::to("id", "states", "module").and(filter("state", "=", n));
    let agent = || Relation::to("agent", "agents", "id");
    let enabled = || agent().and(filter("disabled", "=", 0));
    let missing = Condition::Missing;
    let present = Condition::Present;
    type Meant<'a> = Box<dyn Fn(&Row) -> bool + 'a>;
    let cases: Vec<(Vec<Condition>, Meant<'_>)> = vec![
        (
            vec![own("pending", "=", 1)],
            Box::new(|row| row[2] == int(1)),
        ),
        (
            vec![missing(agent())],
            Box::new(|row| row[1].is_some() && agent_of(row).is_none()),
        ),
        (
            vec![missing(Relation::to("id", "states", "module"))],
            Box::new(|row| !has_state(row, -1)),
        ),
        (
            vec![missing(state(3)), present(enabled())],
            Box::new(|row| {
                !has_state(row, 3) && agent_of(row).is_some_and(|agent| agent[3] == int(0))
            }),
        ),
        (
            vec![present(state(2)), present(state(3)), present(agent())],
            Box::new(|row| has_state(row, 2) && has_state(row, 3) && agent_of(row).is_some()),
        ),
        (
            vec![own("pending", "=", 0), present(state(4))],
            Box::new(|row| row[2] == int(0) && has_state(row, 4)),
        ),
    ];
    let mut store = fixture.store().await;
    let mut tasks = Vec::new();
    for (when, _) in &cases {
        let rule = rule("modules", when.clone(), delete(Vec::new()));
        let mut task = resolved(&mut store, &rule).await.task;
        // Of one column alone it would walk along its values.
        task.walk = SweepWalk::Key {
            columns: vec!["id".to_owned()],
            index: None,
        };
        tasks.push(task);
    }
    for limit in [1, 9, 1000] {
        let found = look_for_all(&mut store, &tasks, limit).await;
        for (number, ((_, meant), found)) in cases.iter().zip(found).enumerate() {
            let expected = modules_rows.iter().filter(|row| meant(row));
            let expected: BTreeSet<i64> = expected.filter_map(|row| value(&row[0])).collect();
            assert!(!expected.is_empty() && expected.len() < modules_rows.len());
            assert_eq!(numbers(&found), expected, "case {number} by {limit}");
            assert_eq!(found.len(), expected.len(), "case {number} by {limit}");
        }
    }
}

/// The same along values, which a filter of their own column leaves out.
pub async fn several_tasks_look_at_values_at_once<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    let modules_rows = module_rows();
    fixture.create(&modules());
    fixture.insert(&modules(), &modules_rows);
    fixture.create(&data());
    let rows: Vec<Row> = (0..400).map(|i: i64| vec![int(i % 130), int(i)]).collect();
    fixture.insert(&data(), &rows);
    let module = || Relation::to("module", "modules", "id");
    let not_13 = Filter {
        column: "module".to_owned(),
        test: Test::Compare("<>", Scalar::Int(13)),
    };
    let conditions = [
        vec![Condition::Missing(module()), Condition::Own(not_13)],
        vec![Condition::Present(module().and(filter("pending", "=", 1)))],
        vec![Condition::Missing(module())],
    ];
    let mut store = fixture.store().await;
    let mut tasks = Vec::new();
    for when in conditions {
        let rule = rule("data", when, delete(Vec::new()));
        let task = resolved(&mut store, &rule).await.task;
        assert!(matches!(task.walk, SweepWalk::Values { .. }));
        tasks.push(task);
    }
    let known = |pending: Option<i64>| -> BTreeSet<i64> {
        let meant = modules_rows
            .iter()
            .filter(|row| pending.is_none_or(|pending| row[2] == int(pending)));
        meant.filter_map(|row| value(&row[0])).collect()
    };
    let values: BTreeSet<i64> = (0..130).collect();
    let orphans: BTreeSet<i64> = values.difference(&known(None)).copied().collect();
    let pending: BTreeSet<i64> = values.intersection(&known(Some(1))).copied().collect();
    let mut without_13 = orphans.clone();
    assert!(without_13.remove(&13) && !pending.is_empty());
    for limit in [1, 11, 1000] {
        let found = look_for_all(&mut store, &tasks, limit).await;
        let found: Vec<BTreeSet<i64>> = found.iter().map(|found| numbers(found)).collect();
        let expected = [&without_13, &pending, &orphans];
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "by {limit}");
    }
}

fn numbers(found: &[RowKey]) -> BTreeSet<i64> {
    let number = |key: &RowKey| match key.as_slice() {
        [Scalar::Int(n)] => *n,
        other => panic!("a key of one number, not {other:?}"),
    };
    found.iter().map(number).collect()
}

async fn look_for_all<S: RelationStore>(
    store: &mut S,
    tasks: &[SweepTask],
    limit: u64,
) -> Vec<Vec<RowKey>> {
    let tasks: Vec<&SweepTask> = tasks.iter().collect();
    let mut found = vec![Vec::new(); tasks.len()];
    let (mut from, mut looks) = (None, 0);
    loop {
        let looked = store
            .look_for(&tasks, from.as_ref(), limit)
            .await
            .expect("a look");
        assert!(looked.examined <= limit, "{looked:?} over {limit}");
        for (all, found) in found.iter_mut().zip(looked.found) {
            assert!(found.is_sorted(), "{found:?}");
            all.extend(found);
        }
        looks += 1;
        assert!(looks < 10_000, "no end");
        from = looked.next;
        if from.is_none() {
            return found;
        }
    }
}
