//! Tables and steps that the cases share.

use elpis_maint_core::store::{RowKey, Swept};
use elpis_maint_core::sweep::{Act, Condition, Dependent, Resolved, SweepRule, SweepTask, resolve};
use elpis_maint_core::{Filter, RelationStore, Scalar, Test};

use crate::conformance::Fixture;
use crate::conformance::data::{int, text};
use crate::database::multiset;
use crate::harness::now;
use crate::table::{Kind, Row, Table};

/// Agents, the parents of modules.
pub(super) fn agents() -> Table {
    Table::new("agents")
        .column("id", Kind::Int)
        .column("name", Kind::Text)
        .column("alias", Kind::Text)
        .column("disabled", Kind::Int)
        .nullable("seen", Kind::Int)
        .primary_key(&["id"])
}

/// Modules, which no foreign key ties to their agents.
pub(super) fn modules() -> Table {
    Table::new("modules")
        .column("id", Kind::Int)
        .nullable("agent", Kind::Int)
        .column("pending", Kind::Int)
        .primary_key(&["id"])
        .index("by_agent", &["agent"])
}

/// Values without a key.
pub(super) fn data() -> Table {
    Table::new("data")
        .nullable("module", Kind::Int)
        .column("value", Kind::Int)
        .index("by_module", &["module", "value"])
}

/// States, some of them twice.
pub(super) fn states() -> Table {
    Table::new("states")
        .column("id", Kind::Int)
        .column("module", Kind::Int)
        .column("state", Kind::Int)
        .nullable("at", Kind::Int)
        .primary_key(&["id"])
        .index("by_module", &["module"])
}

pub(super) fn rule(table: &str, when: Vec<Condition>, act: Act) -> SweepRule {
    SweepRule {
        name: "test".to_owned(),
        table: table.to_owned(),
        when,
        act,
    }
}

pub(super) fn delete(dependents: Vec<Dependent>) -> Act {
    Act::Delete {
        dependents,
        marks: Vec::new(),
    }
}

pub(super) fn own(column: &str, op: &'static str, value: i64) -> Condition {
    Condition::Own(filter(column, op, value))
}

pub(super) fn filter(column: &str, op: &'static str, value: i64) -> Filter {
    Filter {
        column: column.to_owned(),
        test: Test::Compare(op, Scalar::Int(value)),
    }
}

/// The exact task in the database as it is.
pub(super) async fn resolved<S: RelationStore>(store: &mut S, rule: &SweepRule) -> Resolved {
    let shapes = store.outline().await.unwrap();
    resolve(rule, &shapes, now()).unwrap()
}

/// Everything that the task finds, looking at `limit` rows at a time.
pub(super) async fn look_all<S: RelationStore>(
    store: &mut S,
    task: &SweepTask,
    limit: u64,
) -> Vec<RowKey> {
    let (mut found, mut from, mut looks) = (Vec::new(), None, 0);
    loop {
        let looked = store.look(task, from.as_ref(), limit).await.unwrap();
        assert!(looked.examined <= limit, "{looked:?} over {limit}");
        assert!(looked.found.len() as u64 <= limit, "{looked:?}");
        found.extend(looked.found);
        looks += 1;
        assert!(looks < 10_000, "no end");
        from = looked.next;
        if from.is_none() {
            return found;
        }
    }
}

/// Acts on everything that was found, `limit` rows at a time; the sums.
pub(super) async fn sweep_all<S: RelationStore>(
    store: &mut S,
    task: &SweepTask,
    found: &[RowKey],
    limit: u64,
) -> Swept {
    let tables = task.dependent_tables().len();
    let mut sums = Swept {
        dependents: vec![0; tables],
        ..Swept::default()
    };
    for part in found.chunks(usize::try_from(limit).unwrap()) {
        loop {
            let swept = store.sweep(task, part, limit).await.unwrap();
            assert!(swept.changed <= limit, "{swept:?} over {limit}");
            assert_eq!(swept.dependents.len(), tables);
            assert!(swept.dependents.iter().all(|n| *n <= limit), "{swept:?}");
            sums.changed += swept.changed;
            let mut progress = swept.changed;
            for (sum, n) in sums.dependents.iter_mut().zip(&swept.dependents) {
                *sum += n;
                progress += n;
            }
            if swept.complete {
                break;
            }
            assert!(progress > 0, "no progress: {swept:?}");
        }
    }
    sums.complete = true;
    sums
}

/// Looks and acts with several limits over fresh copies of what `made` makes, and checks that
/// `table` ends as `expected`.
pub(super) async fn sweep_and_check<F: Fixture>(
    fixture: &mut F,
    rule: &SweepRule,
    limit: u64,
    expected: &[(&Table, Vec<Row>)],
) -> (Swept, Resolved)
where
    F::Store: RelationStore,
{
    let mut store = fixture.store().await;
    let resolved = resolved(&mut store, rule).await;
    let task = &resolved.task;
    let found = look_all(&mut store, task, limit).await;
    let mut weighed = vec![0; task.dependent_tables().len()];
    let mut rows = 0;
    for part in found.chunks(3) {
        let part = store.weigh(task, part).await.unwrap();
        rows += part.rows;
        for (sum, n) in weighed.iter_mut().zip(part.dependents) {
            *sum += n;
        }
    }
    let swept = sweep_all(&mut store, task, &found, limit).await;
    assert_eq!(swept.changed, rows, "as many as counted before");
    assert_eq!(swept.dependents, weighed, "as many as counted before");
    for (table, rows) in expected {
        let left = multiset(fixture.rows(table));
        assert_eq!(
            left,
            multiset(rows.clone()),
            "what is left of {}",
            table.name
        );
    }
    let again = look_all(&mut store, task, limit).await;
    if !matches!(rule.act, Act::Clear { .. }) {
        assert_eq!(again, Vec::<RowKey>::new(), "a second time finds nothing");
    }
    (swept, resolved)
}

pub(super) fn module_rows() -> Vec<Row> {
    // Agents 0 to 9 exist; 10 to 14 do not, and neither has NULL a meaning.
    (1..=60)
        .map(|id: i64| {
            let agent = if id % 11 == 0 { None } else { int(id % 15) };
            vec![int(id * 7), agent, int(i64::from(id % 6 == 0))]
        })
        .collect()
}

pub(super) fn agent_rows() -> Vec<Row> {
    (0..10)
        .map(|id: i64| {
            let alias = if id % 3 == 0 { "" } else { "known" };
            let seen = if id == 4 {
                None
            } else {
                int(now().as_second() - id * 86_400)
            };
            let name = format!("agent {id}");
            vec![int(id), text(&name), text(alias), int(id % 2), seen]
        })
        .collect()
}

pub(super) fn value(cell: &Option<Scalar>) -> Option<i64> {
    match cell {
        Some(Scalar::Int(n)) => Some(*n),
        _ => None,
    }
}
