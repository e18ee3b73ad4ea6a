//! Rows that go with what hangs on them.

use std::collections::{BTreeMap, BTreeSet};

use elpis_maint_core::sweep::{Act, Condition, Dependent, Mark, Relation};
use elpis_maint_core::{RelationStore, Scalar};

use super::steps::*;
use crate::conformance::Fixture;
use crate::conformance::data::{int, text};
use crate::database::multiset;
use crate::table::{Kind, Row, Table};

/// Everything that hangs on a row goes first, declared or by foreign key, over two levels, and a
/// foreign key that sets NULL does so.
pub async fn dependents_go_first<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    for limit in [2, 13, 1000] {
        let name = |name: &str| format!("{name}{limit}");
        let (agents, modules) = (
            agents().named(&name("agents")),
            modules().named(&name("modules")),
        );
        let (data, states) = (data().named(&name("data")), states().named(&name("states")));
        let child = |table: &str, column: &str, parent: &Table, action| {
            Table::new(&name(table))
                .column("id", Kind::Int)
                .nullable(column, Kind::Int)
                .primary_key(&["id"])
                .index("by_parent", &[column])
                .references(column, (&parent.name, "id"), action)
        };
        let alerts = child("alerts", "module", &modules, "CASCADE");
        let actions = child("actions", "alert", &alerts, "CASCADE");
        let notes = child("notes", "module", &modules, "SET NULL");
        let children: Vec<Row> = (0..80)
            .map(|i: i64| vec![int(i), int((i % 50 + 1) * 7)])
            .collect();
        let grandchildren: Vec<Row> = (0..120).map(|i: i64| vec![int(i), int(i % 80)]).collect();
        let values: Vec<Row> = (0..200)
            .map(|i: i64| vec![int((i * i % 64 + 1) * 7), int(i)])
            .collect();
        let state_rows: Vec<Row> = (1..=60)
            .map(|id: i64| vec![int(id), int(id * 7), int(0), None])
            .collect();
        for (table, rows) in [
            (&agents, &agent_rows()),
            (&modules, &module_rows()),
            (&data, &values),
            (&states, &state_rows),
            (&alerts, &children),
            (&actions, &grandchildren),
            (&notes, &children),
        ] {
            fixture.create(table);
            fixture.insert(table, rows);
        }
        let of_module = |table: &Table| Dependent::new(&table.name, "module", "id");
        let of_modules = vec![
            of_module(&data),
            of_module(&states),
            // Not in this database, and not missed.
            Dependent::new("nowhere", "module", "id"),
        ];
        let of_agents = vec![Dependent::new(&modules.name, "agent", "id").with(of_modules)];
        let rule = rule(
            &agents.name,
            vec![own("disabled", "=", 1)],
            delete(of_agents),
        );

        let keep = |rows: &[Row], column: usize, gone: &BTreeSet<i64>| {
            let mut rows = rows.to_vec();
            rows.retain(|row| value(&row[column]).is_none_or(|id| !gone.contains(&id)));
            rows
        };
        let ids = |rows: &[Row], column: usize, of: &BTreeSet<i64>| -> BTreeSet<i64> {
            let rows = rows
                .iter()
                .filter(|row| value(&row[column]).is_some_and(|id| of.contains(&id)));
            rows.filter_map(|row| value(&row[0])).collect()
        };
        let gone_agents: BTreeSet<i64> = (0..10).filter(|id| id % 2 == 1).collect();
        let gone_modules = ids(&module_rows(), 1, &gone_agents);
        let gone_alerts = ids(&children, 1, &gone_modules);
        assert!(gone_modules.len() > 10 && gone_alerts.len() > 5);
        let mut noted = children.clone();
        for row in &mut noted {
            if value(&row[1]).is_some_and(|id| gone_modules.contains(&id)) {
                row[1] = None;
            }
        }
        let expected = [
            (&agents, keep(&agent_rows(), 0, &gone_agents)),
            (&modules, keep(&module_rows(), 0, &gone_modules)),
            (&data, keep(&values, 0, &gone_modules)),
            (&states, keep(&state_rows, 1, &gone_modules)),
            (&alerts, keep(&children, 0, &gone_alerts)),
            (&actions, keep(&grandchildren, 1, &gone_alerts)),
            (&notes, noted),
        ];
        let (swept, resolved) = sweep_and_check(&mut fixture, &rule, limit, &expected).await;
        let counted: BTreeMap<String, u64> = resolved
            .task
            .by_table(&swept.dependents)
            .into_iter()
            .collect();
        assert_eq!(counted[&modules.name], gone_modules.len() as u64);
        assert_eq!(counted[&alerts.name], gone_alerts.len() as u64);
    }
}

/// What a condition reads hangs on the rows too, and there is more of it, and more besides, than
/// one step may take: no row may be left behind stripped of what made it meet the condition.
pub async fn conditions_outlast_their_dependents<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    for limit in [2, 5, 11, 1000] {
        let name = |name: &str| format!("{name}{limit}");
        let (modules, data) = (
            modules().named(&name("modules")),
            data().named(&name("data")),
        );
        let states = states().named(&name("states"));
        // Every module has three states, one of which is the one that is asked for; module 7 has
        // 40 of them, and only the first is that one.
        let state = |id: i64, module: i64, state: i64| vec![int(id), int(module), int(state), None];
        let mut state_rows: Vec<Row> = (0..180)
            .map(|i: i64| state(i, (i % 60 + 1) * 7, if i < 30 { 3 } else { 0 }))
            .collect();
        state_rows.extend((180..217).map(|i: i64| state(i, 7, 0)));
        let values: Vec<Row> = (0..300)
            .map(|i: i64| vec![int((i % 60 + 1) * 7), int(i)])
            .collect();
        for (table, rows) in [
            (&modules, &module_rows()),
            (&states, &state_rows),
            (&data, &values),
        ] {
            fixture.create(table);
            fixture.insert(table, rows);
        }
        let asked = Relation::to("id", &states.name, "module").and(filter("state", "=", 3));
        let of = |table: &Table| Dependent::new(&table.name, "module", "id");
        let rule = rule(
            &modules.name,
            vec![Condition::Present(asked)],
            delete(vec![of(&states), of(&data)]),
        );
        let left = |rows: &[Row], column: usize| {
            let mut rows = rows.to_vec();
            rows.retain(|row| value(&row[column]).is_some_and(|id| id > 30 * 7));
            rows
        };
        let expected = [
            (&modules, left(&module_rows(), 0)),
            (&states, left(&state_rows, 1)),
            (&data, left(&values, 0)),
        ];
        let mut store = fixture.store().await;
        let task = resolved(&mut store, &rule).await.task;
        let found = look_all(&mut store, &task, 1000).await;
        assert_eq!(found.len(), 30);
        for part in found.chunks(usize::try_from(limit).unwrap()) {
            while !store.sweep(&task, part, limit).await.unwrap().complete {}
        }
        for (table, rows) in expected {
            let found = multiset(fixture.rows(table));
            assert_eq!(found, multiset(rows), "what is left of {}", table.name);
        }
    }
}

/// What belongs to rows goes, and they stay.
pub async fn rows_are_cleared<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    fixture.create(&modules());
    fixture.insert(&modules(), &module_rows());
    fixture.create(&data());
    let values: Vec<Row> = (0..90)
        .map(|i: i64| vec![int((i % 60 + 1) * 7), int(i)])
        .collect();
    fixture.insert(&data(), &values);
    let act = Act::Clear {
        dependents: vec![Dependent::new("data", "module", "id")],
    };
    let rule = rule("modules", vec![own("pending", "=", 1)], act);
    let mut expected = values.clone();
    expected.retain(|row| value(&row[0]).is_some_and(|id| id / 7 % 6 != 0));
    let modules = modules();
    let expected = [(&data(), expected), (&modules, module_rows())];
    sweep_and_check(&mut fixture, &rule, 4, &expected).await;
}

/// A foreign key that forbids deletes holds rows back, and only those that are pointed at.
pub async fn restricted_rows_stay<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    let holds = Table::new("holds")
        .column("id", Kind::Int)
        .column("agent", Kind::Int)
        .primary_key(&["id"])
        .index("by_agent", &["agent"])
        .references("agent", ("agents", "id"), "RESTRICT");
    fixture.create(&agents());
    fixture.insert(&agents(), &agent_rows());
    fixture.create(&holds);
    fixture.insert(&holds, &[vec![int(1), int(3)], vec![int(2), int(4)]]);
    let odd = || vec![own("disabled", "=", 1)];
    let mut expected = agent_rows();
    expected.retain(|row| row[3] == int(0) || row[0] == int(3));
    let held = rule("agents", odd(), delete(Vec::new()));
    let (_, resolved) = sweep_and_check(&mut fixture, &held, 100, &[(&agents(), expected)]).await;
    assert!(resolved.notes[0].contains("holds"), "{:?}", resolved.notes);

    // Declared, it is taken along.
    let dependents = vec![Dependent::new("holds", "agent", "id")];
    let taken = rule("agents", odd(), delete(dependents));
    let mut expected = agent_rows();
    expected.retain(|row| row[3] == int(0));
    let left = vec![vec![int(2), int(4)]];
    let (agents, holds) = (agents(), holds);
    let expected = [(&agents, expected), (&holds, left)];
    sweep_and_check(&mut fixture, &taken, 100, &expected).await;
}

/// Rows of another table that are named by those that go are changed in the same transaction, and no
/// others; where that fails, nothing goes. A condition on a column that is not there holds.
pub async fn rows_that_go_tell_others<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    // Ten of agents, and one whose agent nobody knows.
    let mut module_rows = module_rows();
    module_rows[10][2] = int(1);
    assert_eq!(module_rows[10][1], None);
    for limit in [1, 4, 1000] {
        let agents = agents().named(&format!("agents{limit}"));
        let modules = modules().named(&format!("modules{limit}"));
        let states = states().named(&format!("states{limit}"));
        let state_rows: Vec<Row> = (1..=60)
            .map(|id: i64| vec![int(id), int(id * 7), int(0), None])
            .collect();
        for (table, rows) in [
            (&agents, &agent_rows()),
            (&modules, &module_rows),
            (&states, &state_rows),
        ] {
            fixture.create(table);
            fixture.insert(table, rows);
        }
        let mark = |column: &str| Mark {
            table: agents.name.clone(),
            own: "agent".to_owned(),
            there: "id".to_owned(),
            values: vec![
                (column.to_owned(), Scalar::from("told")),
                ("disabled".to_owned(), Scalar::Int(7)),
            ],
        };
        let nowhere = Mark {
            table: "nowhere".to_owned(),
            ..mark("alias")
        };
        let pending = |marks: Vec<Mark>| {
            let act = Act::Delete {
                dependents: vec![Dependent::new(&states.name, "module", "id")],
                marks,
            };
            let unknown = Condition::IfKnown(filter("policy", "=", 0));
            rule(&modules.name, vec![own("pending", "=", 1), unknown], act)
        };

        // What the other table refuses: a word as its key.
        let refused = pending(vec![mark("id")]);
        let mut store = fixture.store().await;
        let task = resolved(&mut store, &refused).await.task;
        let found = look_all(&mut store, &task, limit).await;
        let first: Vec<_> = found.into_iter().take(1).collect();
        let mut ended = store.sweep(&task, &first, limit).await;
        // With the smallest chunk what hangs on the row goes first, by itself.
        while ended.as_ref().is_ok_and(|swept| !swept.complete) {
            ended = store.sweep(&task, &first, limit).await;
        }
        assert!(ended.is_err(), "{ended:?}");
        drop(store);
        assert_eq!(
            multiset(fixture.rows(&modules)),
            multiset(module_rows.clone()),
            "by {limit}"
        );

        let gone = |row: &Row| row[2] == int(1);
        let told: BTreeSet<Option<i64>> = module_rows
            .iter()
            .filter(|row| gone(row))
            .map(|row| value(&row[1]))
            .collect();
        let mut agents_left = agent_rows();
        for row in &mut agents_left {
            if told.contains(&value(&row[0])) {
                row[2] = text("told");
                row[3] = int(7);
            }
        }
        assert_ne!(agents_left, agent_rows());
        let mut modules_left = module_rows.clone();
        modules_left.retain(|row| !gone(row));
        let expected = [(&agents, agents_left), (&modules, modules_left)];
        let rule = pending(vec![nowhere, mark("alias")]);
        let (swept, _) = sweep_and_check(&mut fixture, &rule, limit, &expected).await;
        // Others are told, not changed: they do not count.
        assert_eq!(swept.changed, 11);
    }
}
