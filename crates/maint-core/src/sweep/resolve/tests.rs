use std::collections::BTreeMap;

use super::*;
use crate::Scalar;
use crate::store::{Count, Index, OnDelete, Reference};
use crate::sweep::{Dependent, Expr, Fate};

/// A table with these columns, all of them whole numbers, the first of them its key.
fn table(columns: &[&str], indexed: &[&str]) -> Shape {
    let owned = |name: &&str| (*name).to_owned();
    Shape {
        rows: Count::estimated(1000),
        bytes: None,
        columns: columns
            .iter()
            .map(|name| Column {
                name: owned(name),
                kind: ColumnKind::Integer,
            })
            .collect(),
        keys: vec![vec![owned(&columns[0])]],
        tie_break: vec![owned(&columns[0])],
        indexes: indexed
            .iter()
            .map(|name| Index {
                name: format!("by_{name}"),
                columns: vec![owned(name)],
            })
            .collect(),
        referenced_by: Vec::new(),
        obstacle: None,
    }
}

fn reference(child: &str, column: &str, parent_column: &str, on_delete: OnDelete) -> Reference {
    Reference {
        name: format!("fk_{child}"),
        child: child.to_owned(),
        columns: vec![column.to_owned()],
        parent_columns: vec![parent_column.to_owned()],
        on_delete,
    }
}

fn shapes(tables: Vec<(&str, Shape)>) -> Shapes {
    let tables = tables.into_iter();
    tables
        .map(|(name, shape)| (name.to_owned(), shape))
        .collect::<BTreeMap<_, _>>()
}

fn rule(table: &str, when: Vec<Condition>, act: Act) -> SweepRule {
    SweepRule {
        name: "a sweep".to_owned(),
        table: table.to_owned(),
        when,
        act,
    }
}

fn is_one(column: &str) -> Filter {
    Filter {
        column: column.to_owned(),
        test: Test::Compare("=", Scalar::Int(1)),
    }
}

fn delete(dependents: Vec<Dependent>) -> Act {
    Act::Delete {
        dependents,
        marks: Vec::new(),
    }
}

fn resolved(rule: &SweepRule, shapes: &Shapes) -> Result<Resolved, SkipReason> {
    resolve(rule, shapes, Timestamp::UNIX_EPOCH)
}

fn unfit_because(rule: &SweepRule, shapes: &Shapes) -> String {
    let reason = resolved(rule, shapes).unwrap_err();
    assert!(matches!(reason, SkipReason::Unfit { .. }), "{reason:?}");
    reason.to_string()
}

fn modules() -> (&'static str, Shape) {
    ("modules", table(&["id", "agent"], &["agent"]))
}

fn orphans(table: &str) -> SweepRule {
    let missing = Relation::to("module", "modules", "id");
    rule(table, vec![Condition::Missing(missing)], delete(Vec::new()))
}

#[test]
fn values_are_walked_where_they_tell_everything() {
    let keyless = Shape {
        keys: Vec::new(),
        tie_break: Vec::new(),
        ..table(&["module", "value"], &["module"])
    };
    let without_index = Shape {
        indexes: Vec::new(),
        ..keyless.clone()
    };
    let mut text = table(&["id", "module"], &["module"]);
    text.columns[1].kind = ColumnKind::Other("varchar".to_owned());
    let database = shapes(vec![
        modules(),
        ("keyless", keyless),
        ("keyed", table(&["id", "module"], &["module"])),
        ("plain", table(&["id", "module"], &[])),
        ("text", text),
        ("neither", without_index),
    ]);
    let walk = |name: &str| resolved(&orphans(name), &database).unwrap().task.walk;
    let by_values = SweepWalk::Values {
        column: "module".to_owned(),
        index: "by_module".to_owned(),
    };
    assert_eq!(walk("keyless"), by_values);
    assert_eq!(walk("keyed"), by_values);
    for name in ["plain", "text"] {
        assert!(matches!(walk(name), SweepWalk::Key { .. }), "{name}");
    }
    let why = unfit_because(&orphans("neither"), &database);
    assert!(why.contains("neither a unique key nor an index"), "{why}");
    // Something hangs on the rows, or they are not deleted: each row is looked at.
    let mut with_dependents = orphans("keyed");
    with_dependents.act = delete(vec![Dependent::new("plain", "id", "id")]);
    let mut set = orphans("keyed");
    set.act = Act::Set {
        values: vec![("module".to_owned(), Expr::Value(Scalar::Int(1)))],
    };
    for rule in [with_dependents, set] {
        let walk = resolved(&rule, &database).unwrap().task.walk;
        assert!(matches!(walk, SweepWalk::Key { .. }), "{walk:?}");
    }
}

#[test]
fn dependents_are_what_is_declared_and_what_foreign_keys_add() {
    let mut parent = table(&["id", "agent"], &["agent"]);
    parent.referenced_by = vec![
        reference("alerts", "module", "id", OnDelete::Cascade),
        reference("notes", "module", "id", OnDelete::SetNull),
        reference("data", "module", "id", OnDelete::Restrict),
    ];
    let database = shapes(vec![
        ("modules", parent),
        ("alerts", table(&["id", "module"], &["module"])),
        ("notes", table(&["id", "module"], &["module"])),
        ("data", table(&["id", "module"], &["module"])),
        ("big", table(&["id", "module"], &[])),
        ("states", table(&["id", "module"], &["module"])),
    ]);
    let of = |table: &str| Dependent::new(table, "module", "id");
    let asked = Condition::Present(Relation::to("id", "states", "module"));
    let declared = vec![of("states"), of("data"), of("big"), of("elsewhere")];
    let resolved = resolved(&rule("modules", vec![asked], delete(declared)), &database).unwrap();
    // What the condition reads goes last.
    let tables = resolved.task.dependent_tables();
    assert_eq!(tables, ["data", "alerts", "notes", "states"]);
    let fates: Vec<Fate> = resolved
        .task
        .dependents()
        .iter()
        .map(|one| one.fate)
        .collect();
    assert_eq!(
        fates,
        [Fate::Delete, Fate::Delete, Fate::Detach, Fate::Delete]
    );
    assert!(
        resolved.task.missing.is_empty(),
        "the declared one holds nothing back"
    );
    assert_eq!(resolved.notes.len(), 1, "{:?}", resolved.notes);
    assert!(resolved.notes[0].contains("big has no index on module"));
}

#[test]
fn what_cannot_be_taken_along_is_a_reason() {
    let mut parent = table(&["id", "code", "agent"], &["agent"]);
    parent.keys.push(vec!["code".to_owned()]);
    let child = || table(&["id", "module"], &["module"]);
    let act = || delete(vec![Dependent::new("child", "module", "id")]);
    let all = || rule("parent", vec![], act());

    let mut restricted = child();
    restricted.referenced_by = vec![reference("deeper", "module", "id", OnDelete::Restrict)];
    let database = shapes(vec![
        ("parent", parent.clone()),
        ("child", restricted),
        ("deeper", child()),
    ]);
    let why = unfit_because(&all(), &database);
    assert!(why.contains("child is referenced by deeper"), "{why}");

    let mut ring = child();
    ring.referenced_by = vec![reference("parent", "agent", "id", OnDelete::Cascade)];
    let database = shapes(vec![("parent", parent.clone()), ("child", ring)]);
    let why = unfit_because(&all(), &database);
    assert!(why.contains("hangs on itself"), "{why}");

    let mut two_keys = parent.clone();
    two_keys.referenced_by = vec![reference("child", "module", "code", OnDelete::Cascade)];
    two_keys
        .referenced_by
        .push(reference("other", "module", "id", OnDelete::Cascade));
    let database = shapes(vec![
        ("parent", two_keys),
        ("child", child()),
        ("other", child()),
    ]);
    let why = unfit_because(&rule("parent", vec![], delete(Vec::new())), &database);
    assert!(why.contains("not its only key"), "{why}");

    let mut foreign = parent;
    foreign.referenced_by = vec![reference("db2.child", "module", "id", OnDelete::Restrict)];
    let database = shapes(vec![("parent", foreign)]);
    let why = unfit_because(&rule("parent", vec![], delete(Vec::new())), &database);
    assert!(why.contains("of another database"), "{why}");
}

#[test]
fn a_view_is_left_alone() {
    let mut view = table(&["id", "module"], &["module"]);
    view.obstacle = Some("is a view, not a table".to_owned());
    let database = shapes(vec![modules(), ("view", view)]);
    let why = unfit_because(&orphans("view"), &database);
    assert_eq!(why, "table view is a view, not a table");
}

#[test]
fn only_what_is_one_row_by_its_key_is_told() {
    let mark = |there: &str, column: &str| Mark {
        table: "agents".to_owned(),
        own: "agent".to_owned(),
        there: there.to_owned(),
        values: vec![(column.to_owned(), Scalar::Int(1))],
    };
    let shapes = shapes(vec![
        modules(),
        ("agents", table(&["id", "group", "count"], &["group"])),
    ]);
    let told = |marks: Vec<Mark>| {
        let act = Act::Delete {
            dependents: Vec::new(),
            marks,
        };
        let rule = rule("modules", vec![Condition::Own(is_one("id"))], act);
        let resolved = resolved(&rule, &shapes).unwrap();
        (resolved.task.marks().len(), resolved.notes.len())
    };
    assert_eq!(told(vec![mark("id", "count")]), (1, 0));
    // Several rows, a column that is not there, and a table that is not there.
    assert_eq!(
        told(vec![mark("group", "count"), mark("id", "total")]),
        (0, 2)
    );
    let nowhere = Mark {
        table: "nowhere".to_owned(),
        ..mark("id", "count")
    };
    assert_eq!(told(vec![nowhere]), (0, 0));
}

#[test]
fn a_condition_may_be_unknown_to_a_version() {
    let filters = |column: &str| {
        let when = vec![
            Condition::Own(is_one("id")),
            Condition::IfKnown(is_one(column)),
        ];
        let resolved = resolved(
            &rule("modules", when, delete(Vec::new())),
            &shapes(vec![modules()]),
        );
        resolved.unwrap().task.filters
    };
    assert_eq!(filters("agent"), [is_one("id"), is_one("agent")]);
    assert_eq!(filters("policy"), [is_one("id")]);
}
