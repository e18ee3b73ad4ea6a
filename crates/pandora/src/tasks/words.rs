//! Short words for the conditions and acts that the tasks are made of.

use std::time::Duration;

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Act, Age, Condition, Dependent, Expr, Relation, SweepRule};
use elpis_maint_core::{Filter, Scalar, Test, TimeUnit};

/// Seconds of a day: 86 400, not the 8 600 of the tool that Elpis replaces.
const DAY: u64 = 86_400;

pub(super) fn task(group: Group, id: &str, title: impl Into<String>, work: Vec<Work>) -> Task {
    Task {
        id: id.to_owned(),
        group,
        title: title.into(),
        work,
    }
}

pub(super) fn skip(why: impl Into<String>) -> Vec<Work> {
    vec![Work::Skip { why: why.into() }]
}

/// The number of days, unless it is absent or 0, which both mean *off*.
pub(super) fn days(token: Option<u32>) -> Option<u32> {
    token.filter(|days| *days > 0)
}

/// Why a task does nothing whose token is off.
pub(super) fn off(token: &str) -> Vec<Work> {
    skip(format!("{token} is not set"))
}

pub(super) fn compare(column: &str, op: &'static str, value: impl Into<Scalar>) -> Filter {
    Filter {
        column: column.to_owned(),
        test: Test::Compare(op, value.into()),
    }
}

pub(super) fn is(column: &str, value: impl Into<Scalar>) -> Filter {
    compare(column, "=", value)
}

pub(super) fn is_not(column: &str, value: impl Into<Scalar>) -> Filter {
    compare(column, "<>", value)
}

pub(super) fn one_of(column: &str, values: &[&str]) -> Filter {
    Filter {
        column: column.to_owned(),
        test: Test::In(values.iter().copied().map(Scalar::from).collect()),
    }
}

pub(super) fn none_of(column: &str, values: &[&str]) -> Filter {
    Filter {
        column: column.to_owned(),
        test: Test::NotIn(values.iter().copied().map(Scalar::from).collect()),
    }
}

/// 0 stands for *none* in the product's references.
pub(super) fn points_somewhere(column: &str) -> Condition {
    Condition::Own(is_not(column, 0))
}

pub(super) fn older(column: &str, unit: TimeUnit, days: u32) -> Age {
    Age {
        column: column.to_owned(),
        unit,
        keep: Duration::from_secs(u64::from(days) * DAY),
    }
}

/// Rows of `table` that meet `when`, deleted with what hangs on them.
pub(super) fn delete(
    name: &str,
    table: &str,
    when: Vec<Condition>,
    dependents: Vec<Dependent>,
) -> SweepRule {
    SweepRule {
        name: name.to_owned(),
        table: table.to_owned(),
        when,
        act: Act::Delete {
            dependents,
            marks: Vec::new(),
        },
    }
}

/// Rows of `table` whose `column` points at nothing. With `or_none`, 0 is no orphan but *none*.
pub(super) fn orphans(
    name: &str,
    (table, column): (&str, &str),
    (parent, key): (&str, &str),
    or_none: OrNone,
) -> SweepRule {
    let mut when = vec![Condition::Missing(Relation::to(column, parent, key))];
    if or_none == OrNone::Allowed {
        when.insert(0, points_somewhere(column));
    }
    delete(name, table, when, Vec::new())
}

/// Rows of `table` whose `column` points at nothing no longer point at anything.
pub(super) fn forget(
    name: &str,
    (table, column): (&str, &str),
    (parent, key): (&str, &str),
) -> SweepRule {
    SweepRule {
        name: name.to_owned(),
        table: table.to_owned(),
        when: vec![
            points_somewhere(column),
            Condition::Missing(Relation::to(column, parent, key)),
        ],
        act: Act::Set {
            values: vec![(column.to_owned(), Expr::Value(Scalar::Int(0)))],
        },
    }
}

/// Whether a reference may be 0, for *none*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrNone {
    Allowed,
    Never,
}

/// The module that a column points at.
pub(super) const MODULE: (&str, &str) = ("tagente_modulo", "id_agente_modulo");
/// The agent that a column points at.
pub(super) const AGENT: (&str, &str) = ("tagente", "id_agente");
