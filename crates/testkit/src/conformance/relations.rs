//! Cases for stores that carry out sweeps. What must be left is worked out here, in plain loops
//! over the rows that were put in.

mod dependents;
mod steps;
mod together;

use std::collections::BTreeSet;
use std::time::Duration;

use elpis_maint_core::sweep::{
    Act, Age, Condition, Expr, Relation, SkipReason, SweepRule, resolve,
};
use elpis_maint_core::{Filter, RelationStore, Scalar, Test, TimeUnit};

use super::Fixture;
use super::data::{int, text};
use crate::database::multiset;
use crate::harness::now;
use crate::table::{Kind, Row, Table};

pub use dependents::*;
use steps::*;
pub use together::*;

/// Rows whose parent is gone, along a key; NULL is no orphan.
pub async fn orphans_along_a_key<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    for limit in [1, 7, 1000] {
        let table = modules().named(&format!("modules{limit}"));
        // Without its index, so that the walk follows the key.
        let table = Table {
            indexes: Vec::new(),
            ..table
        };
        fixture.create(&table);
        fixture.insert(&table, &module_rows());
        if limit == 1 {
            fixture.create(&agents());
            fixture.insert(&agents(), &agent_rows());
        }
        let missing = Relation::to("agent", "agents", "id");
        let rule = rule(
            &table.name,
            vec![Condition::Missing(missing)],
            delete(Vec::new()),
        );
        let mut expected = module_rows();
        expected.retain(|row| value(&row[1]).is_none_or(|agent| agent < 10));
        let gone = (module_rows().len() - expected.len()) as u64;
        assert!(gone > 10);
        let (swept, _) = sweep_and_check(&mut fixture, &rule, limit, &[(&table, expected)]).await;
        assert_eq!(swept.changed, gone);
    }
}

/// Rows without a key whose parent is gone: many of one value, and values of one row each.
pub async fn orphans_by_value<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    fixture.create(&modules());
    fixture.insert(&modules(), &module_rows());
    let known: BTreeSet<i64> = module_rows()
        .iter()
        .filter_map(|row| value(&row[0]))
        .collect();
    let rows: Vec<Row> = (0..500)
        .map(|i: i64| {
            let module = match i {
                0..150 => int(13),
                150..160 => None,
                160..400 => int(i % 70 * 7),
                _ => int(5000 + i),
            };
            vec![module, int(i)]
        })
        .collect();
    for limit in [3, 40, 1000] {
        let table = data().named(&format!("data{limit}"));
        fixture.create(&table);
        fixture.insert(&table, &rows);
        let missing = Relation::to("module", "modules", "id");
        let rule = rule(
            &table.name,
            vec![Condition::Missing(missing), own("value", "<>", 499)],
            delete(Vec::new()),
        );
        let mut expected = rows.clone();
        expected.retain(|row| {
            let orphan = value(&row[0]).is_some_and(|module| !known.contains(&module));
            !orphan || row[1] == int(499)
        });
        assert!(expected.len() < 350);
        let mut store = fixture.store().await;
        let task = resolved(&mut store, &rule).await.task;
        let found = look_all(&mut store, &task, limit).await;
        let swept = sweep_all(&mut store, &task, &found, limit).await;
        assert_eq!(
            swept.changed,
            (rows.len() - expected.len()) as u64,
            "by {limit}"
        );
        let left = multiset(fixture.rows(&table));
        assert_eq!(left, multiset(expected), "by {limit}");
    }
}

/// Rows with a certain row elsewhere, which may be there more than once.
pub async fn rows_that_have_another<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    let old = now().as_second() - 10 * 86_400;
    let states_rows: Vec<Row> = (1..=120)
        .map(|id: i64| {
            let at = match id % 4 {
                0 => None,
                1 => int(old),
                2 => int(old - 1),
                _ => int(0),
            };
            vec![int(id), int(id % 80 * 7), int(id % 5), at]
        })
        .collect();
    fixture.create(&states());
    fixture.insert(&states(), &states_rows);
    let meant: BTreeSet<i64> = states_rows
        .iter()
        .filter(|row| row[2] == int(3) && value(&row[3]).is_some_and(|at| at < old))
        .filter_map(|row| value(&row[1]))
        .collect();
    for limit in [1, 5, 1000] {
        let table = modules().named(&format!("modules{limit}"));
        fixture.create(&table);
        fixture.insert(&table, &module_rows());
        let state = Relation::to("id", "states", "module")
            .and(filter("state", "=", 3))
            .older(Age {
                column: "at".to_owned(),
                unit: TimeUnit::EpochSeconds,
                keep: Duration::from_secs(10 * 86_400),
            });
        let when = vec![own("pending", "=", 0), Condition::Present(state)];
        let rule = rule(&table.name, when, delete(Vec::new()));
        let mut expected = module_rows();
        expected.retain(|row| {
            let id = value(&row[0]).unwrap();
            row[2] != int(0) || !meant.contains(&id)
        });
        assert!(expected.len() < module_rows().len());
        sweep_and_check(&mut fixture, &rule, limit, &[(&table, expected)]).await;
    }
}

/// Rows that lack a row elsewhere get one, with copies and constants.
pub async fn missing_rows_are_added<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    fixture.create(&modules());
    fixture.insert(&modules(), &module_rows());
    for limit in [1, 9, 1000] {
        let table = states().named(&format!("states{limit}"));
        // The client makes up no keys: the state's own is the module's.
        fixture.create(&table);
        let there: Vec<Row> = (1..=20)
            .map(|id: i64| vec![int(id * 7), int(id * 7), int(0), None])
            .collect();
        fixture.insert(&table, &there);
        let missing = Relation::to("id", &table.name, "module");
        let copy = |to: &str, from: &str| (to.to_owned(), Expr::Column(from.to_owned()));
        let act = Act::Insert {
            into: table.name.clone(),
            values: vec![
                copy("id", "id"),
                copy("module", "id"),
                copy("at", "agent"),
                ("state".to_owned(), Expr::Value(Scalar::Int(4))),
            ],
            settle: Duration::ZERO,
        };
        let when = vec![own("pending", "=", 0), Condition::Missing(missing)];
        let rule = rule("modules", when, act);
        let mut expected = there.clone();
        expected.extend(module_rows().into_iter().filter_map(|row| {
            let id = value(&row[0]).unwrap();
            let lacks = row[2] == int(0) && id > 20 * 7;
            lacks.then(|| vec![int(id), int(id), int(4), row[1].clone()])
        }));
        sweep_and_check(&mut fixture, &rule, limit, &[(&table, expected)]).await;
    }
}

/// Columns are set from other columns.
pub async fn columns_are_set<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    for limit in [1, 3, 1000] {
        let table = agents().named(&format!("agents{limit}"));
        fixture.create(&table);
        fixture.insert(&table, &agent_rows());
        let empty = Filter {
            column: "alias".to_owned(),
            test: Test::Compare("=", Scalar::from("")),
        };
        let act = Act::Set {
            values: vec![("alias".to_owned(), Expr::Column("name".to_owned()))],
        };
        let rule = rule(&table.name, vec![Condition::Own(empty)], act);
        let mut expected = agent_rows();
        for row in &mut expected {
            if row[2] == text("") {
                row[2] = row[1].clone();
            }
        }
        sweep_and_check(&mut fixture, &rule, limit, &[(&table, expected)]).await;
    }
}

/// Rows whose own time is old, along a key of two columns.
pub async fn old_rows_along_a_composite_key<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    let table = Table::new("pairs")
        .column("host", Kind::Text)
        .column("seq", Kind::Int)
        .nullable("at", Kind::Int)
        .primary_key(&["host", "seq"]);
    fixture.create(&table);
    let old = now().as_second() - 3600;
    let rows: Vec<Row> = (0..40)
        .map(|i: i64| {
            let at = if i % 5 == 0 {
                None
            } else {
                int(old - 2 + i % 4)
            };
            vec![text(&format!("h{}", i * 3 % 7)), int(i), at]
        })
        .collect();
    fixture.insert(&table, &rows);
    let age = Age {
        column: "at".to_owned(),
        unit: TimeUnit::EpochSeconds,
        keep: Duration::from_secs(3600),
    };
    let rule = rule("pairs", vec![Condition::Older(age)], delete(Vec::new()));
    let mut expected = rows.clone();
    expected.retain(|row| value(&row[2]).is_none_or(|at| at >= old));
    assert!(expected.len() < rows.len());
    sweep_and_check(&mut fixture, &rule, 4, &[(&table, expected)]).await;
}

/// A row that got its parent after it was found stays, and so does one that vanished meanwhile.
pub async fn what_changed_meanwhile_survives<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    let keyed = Table {
        indexes: Vec::new(),
        ..modules()
    };
    fixture.create(&agents());
    fixture.insert(&agents(), &agent_rows());
    fixture.create(&keyed);
    fixture.insert(&keyed, &module_rows());
    let valued = data();
    fixture.create(&valued);
    let values: Vec<Row> = (0..60).map(|i: i64| vec![int(i % 15), int(i)]).collect();
    fixture.insert(&valued, &values);
    let by_key = Condition::Missing(Relation::to("agent", "agents", "id"));
    let by_value = Condition::Missing(Relation::to("module", "agents", "id"));
    let by_key = rule("modules", vec![by_key], delete(Vec::new()));
    let by_value = rule("data", vec![by_value], delete(Vec::new()));
    let mut store = fixture.store().await;
    let mut tasks = Vec::new();
    for rule in [by_key, by_value] {
        let task = resolved(&mut store, &rule).await.task;
        let found = look_all(&mut store, &task, 1000).await;
        assert!(!found.is_empty());
        tasks.push((task, found));
    }
    // 10 and 12 come back between the look and the act.
    let back = |id: i64| vec![int(id), text("back"), text("back"), int(0), None];
    fixture.insert(&agents(), &[back(10), back(12)]);
    for (task, found) in &tasks {
        sweep_all(&mut store, task, found, 50).await;
    }
    let gone = |agent: i64| agent > 10 && agent != 12;
    let mut expected = module_rows();
    expected.retain(|row| value(&row[1]).is_none_or(|agent| !gone(agent)));
    assert_eq!(multiset(fixture.rows(&keyed)), multiset(expected));
    let mut expected = values;
    expected.retain(|row| value(&row[0]).is_none_or(|agent| !gone(agent)));
    assert_eq!(multiset(fixture.rows(&valued)), multiset(expected));
}

/// What an installation lacks is a reason to skip, never a licence to take everything.
pub async fn what_is_not_there_is_skipped<F: Fixture>(mut fixture: F)
where
    F::Store: RelationStore,
{
    fixture.create(&modules());
    fixture.create(&data());
    let mut store = fixture.store().await;
    let shapes = store.outline().await.unwrap();
    let missing = |own: &str, table: &str, column: &str| {
        vec![Condition::Missing(Relation::to(own, table, column))]
    };
    let skipped = |rule: SweepRule| resolve(&rule, &shapes, now()).unwrap_err();
    let no_table = |table: &str| SkipReason::NoTable {
        table: table.to_owned(),
    };
    let no_column = |table: &str, column: &str| SkipReason::NoColumn {
        table: table.to_owned(),
        column: column.to_owned(),
    };
    let act = || delete(Vec::new());
    assert_eq!(
        skipped(rule("nowhere", missing("agent", "modules", "id"), act())),
        no_table("nowhere")
    );
    assert_eq!(
        skipped(rule("modules", missing("agent", "agents", "id"), act())),
        no_table("agents")
    );
    assert_eq!(
        skipped(rule("modules", missing("owner", "data", "module"), act())),
        no_column("modules", "owner")
    );
    assert_eq!(
        skipped(rule("modules", missing("id", "data", "owner"), act())),
        no_column("data", "owner")
    );
    assert_eq!(
        skipped(rule("modules", vec![own("flag", "=", 1)], act())),
        no_column("modules", "flag")
    );
    // The other table could only be read as a whole, for every row.
    let unfit = skipped(rule("modules", missing("id", "data", "value"), act()));
    assert!(unfit.to_string().contains("no index on value"), "{unfit}");
}
