//! From a rule and the live schema to the exact task. Pure.

mod dependents;
mod skip;

use jiff::Timestamp;
use serde::Serialize;

use dependents::on_one_key;
pub use skip::{HeldBy, SkipReason};

use super::{Act, Age, Condition, Join, Mark, Relation, SweepAct, SweepRule, SweepTask, SweepWalk};
use crate::store::{Column, ColumnKind, Shape};
use crate::task::Shapes;
use crate::{Filter, Scalar, Test};

/// How deep dependents are followed.
const MAX_DEPTH: usize = 8;

/// A task, and what an operator should know of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resolved {
    /// What a store carries out.
    pub task: SweepTask,
    /// The tables that rows are orphans of. A table of children may be empty, one of parents
    /// hardly.
    pub parents: Vec<String>,
    /// What was left out or held back, in words.
    pub notes: Vec<String>,
}

/// Resolves `rule` against the database that `shapes` describe (all of it, by table name) at the
/// moment `now`.
///
/// # Errors
/// Why the rule has no meaning here.
pub fn resolve(rule: &SweepRule, shapes: &Shapes, now: Timestamp) -> Result<Resolved, SkipReason> {
    let shape = shape_of(shapes, &rule.table)?;
    if let Some(obstacle) = &shape.obstacle {
        return Err(unfit(&rule.table, obstacle));
    }
    let mut resolver = Resolver {
        rule,
        shapes,
        now,
        notes: Vec::new(),
    };
    let (mut filters, mut missing, mut present) = (Vec::new(), Vec::new(), Vec::new());
    let mut parents = Vec::new();
    for condition in &rule.when {
        match condition {
            Condition::Own(filter) => {
                column(shape, &rule.table, &filter.column)?;
                filters.push(filter.clone());
            }
            Condition::IfKnown(filter) if has(shape, &filter.column) => {
                filters.push(filter.clone());
            }
            Condition::IfKnown(_) => {}
            Condition::Older(age) => filters.push(resolver.aged(&rule.table, age)?),
            Condition::Missing(relation) => {
                missing.push(resolver.join(relation)?);
                parents.push(relation.table.clone());
            }
            Condition::Without(relation) => missing.push(resolver.join(relation)?),
            Condition::Present(relation) => present.push(resolver.join(relation)?),
        }
    }
    let mut act = resolver.act(shape, &mut missing)?;
    if let SweepAct::Delete { dependents, .. } | SweepAct::Clear { dependents } = &mut act {
        // Stable: what a condition reads goes last, together with the row itself.
        dependents.sort_by_key(|one| present.iter().any(|join| join.table == one.table));
    }
    let walk = walk(&rule.table, shape, &act, &missing, &present)?;
    let task = SweepTask {
        table: rule.table.clone(),
        walk,
        filters,
        missing,
        present,
        act,
    };
    Ok(Resolved {
        task,
        parents,
        notes: resolver.notes,
    })
}

struct Resolver<'a> {
    rule: &'a SweepRule,
    shapes: &'a Shapes,
    now: Timestamp,
    notes: Vec<String>,
}

impl Resolver<'_> {
    /// A time column older than its age, as a plain comparison.
    fn aged(&self, table: &str, age: &Age) -> Result<Filter, SkipReason> {
        let shape = shape_of(self.shapes, table)?;
        let found = column(shape, table, &age.column)?;
        if !crate::task::fits(&age.unit, &found.kind) {
            let (name, kind, unit) = (&age.column, &found.kind, age.unit.name());
            let reason = format!("has a column {name} of {kind:?}, which cannot be {unit}");
            return Err(unfit(table, &reason));
        }
        let cutoff = age.unit.before(self.now, age.keep);
        let cutoff =
            cutoff.ok_or_else(|| unfit(table, "has an age limit beyond every calendar"))?;
        Ok(Filter {
            column: age.column.clone(),
            test: Test::Compare("<", cutoff.value),
        })
    }

    fn join(&self, relation: &Relation) -> Result<Join, SkipReason> {
        let table = &relation.table;
        let own = shape_of(self.shapes, &self.rule.table)?;
        let other = shape_of(self.shapes, table)?;
        for (here, there) in &relation.on {
            column(own, &self.rule.table, here)?;
            column(other, table, there)?;
        }
        if !relation.on.iter().any(|(_, there)| leads_to(other, there)) {
            let reason = format!(
                "has no index on {}, so it cannot be asked row by row: add one",
                names(relation.on.iter().map(|(_, there)| there))
            );
            return Err(unfit(table, &reason));
        }
        let mut filters = relation.filters.clone();
        for filter in &filters {
            column(other, table, &filter.column)?;
        }
        for age in &relation.older {
            filters.push(self.aged(table, age)?);
        }
        Ok(Join {
            table: table.clone(),
            on: relation.on.clone(),
            filters,
        })
    }

    fn act(&mut self, shape: &Shape, missing: &mut Vec<Join>) -> Result<SweepAct, SkipReason> {
        let (rule, path) = (self.rule, vec![self.rule.table.clone()]);
        match &rule.act {
            Act::Delete { dependents, marks } => {
                let marks = self.marks(shape, marks);
                let dependents = self.dependents(shape, &rule.table, dependents, &path)?;
                missing.extend(self.held_back(shape, &dependents)?);
                Ok(SweepAct::Delete { dependents, marks })
            }
            // The rows stay, so that foreign keys ask for nothing.
            Act::Clear { dependents } => {
                let dependents = self.declared(shape, dependents, &path)?;
                on_one_key(shape, &rule.table, &dependents)?;
                Ok(SweepAct::Clear { dependents })
            }
            Act::Insert {
                into,
                values,
                settle,
            } => {
                let target = shape_of(self.shapes, into)?;
                self.check_values(target, into, shape, values)?;
                Ok(SweepAct::Insert {
                    into: into.clone(),
                    values: values.clone(),
                    settle: *settle,
                })
            }
            Act::Set { values } => {
                self.check_values(shape, &rule.table, shape, values)?;
                Ok(SweepAct::Set {
                    values: values.clone(),
                })
            }
        }
    }

    /// Those of `marks` that have a meaning here: one row each, found by a key.
    fn marks(&mut self, shape: &Shape, marks: &[Mark]) -> Vec<Mark> {
        let mut kept = Vec::new();
        for mark in marks {
            let Some(other) = self.shapes.get(&mark.table) else {
                continue;
            };
            let lacks = |(column, _): &(String, Scalar)| !has(other, column);
            if !is_key(other, &mark.there)
                || !has(shape, &mark.own)
                || mark.values.iter().any(lacks)
            {
                let table = &mark.table;
                self.notes.push(format!(
                    "{table} has another form here and is not told of it"
                ));
                continue;
            }
            kept.push(mark.clone());
        }
        kept
    }

    fn check_values(
        &self,
        target: &Shape,
        into: &str,
        own: &Shape,
        values: &[(String, super::Expr)],
    ) -> Result<(), SkipReason> {
        for (name, expr) in values {
            column(target, into, name)?;
            if let super::Expr::Column(name) = expr {
                column(own, &self.rule.table, name)?;
            }
        }
        Ok(())
    }
}

/// Along values if that is enough to tell which rows are meant, else along a key.
fn walk(
    table: &str,
    shape: &Shape,
    act: &SweepAct,
    missing: &[Join],
    present: &[Join],
) -> Result<SweepWalk, SkipReason> {
    if let Some(walk) = by_values(shape, act, missing, present) {
        return Ok(walk);
    }
    let Some(columns) = shape.keys.first().cloned() else {
        let reason = "has neither a unique key nor an index on the column that tells which rows \
                      are meant: add one";
        return Err(unfit(table, reason));
    };
    let index = shape.indexes.iter().find(|index| index.columns == columns);
    Ok(SweepWalk::Key {
        index: index.map(|index| index.name.clone()),
        columns,
    })
}

/// Rows are told by one column of whole numbers alone, and nothing hangs on them.
fn by_values(
    shape: &Shape,
    act: &SweepAct,
    missing: &[Join],
    present: &[Join],
) -> Option<SweepWalk> {
    let SweepAct::Delete { dependents, marks } = act else {
        return None;
    };
    let mut joins = missing.iter().chain(present);
    let (column, _) = joins.clone().next()?.on.first()?;
    let told_by_it = joins.all(|join| matches!(join.on.as_slice(), [(own, _)] if own == column));
    let whole = shape
        .columns
        .iter()
        .any(|found| found.name == *column && found.kind == ColumnKind::Integer);
    let more = !dependents.is_empty() || !marks.is_empty();
    if more || !told_by_it || !whole || is_key(shape, column) {
        return None;
    }
    let with_it = shape
        .indexes
        .iter()
        .filter(|index| index.columns.first() == Some(column));
    let index = with_it.min_by_key(|index| index.columns.len())?;
    Some(SweepWalk::Values {
        column: column.clone(),
        index: index.name.clone(),
    })
}

fn shape_of<'a>(shapes: &'a Shapes, table: &str) -> Result<&'a Shape, SkipReason> {
    shapes.get(table).ok_or_else(|| SkipReason::NoTable {
        table: table.to_owned(),
    })
}

fn column<'a>(shape: &'a Shape, table: &str, name: &str) -> Result<&'a Column, SkipReason> {
    let found = shape.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| SkipReason::NoColumn {
        table: table.to_owned(),
        column: name.to_owned(),
    })
}

fn has(shape: &Shape, column: &str) -> bool {
    shape.columns.iter().any(|found| found.name == column)
}

fn is_key(shape: &Shape, column: &str) -> bool {
    shape.keys.iter().any(|key| *key == [column])
}

/// Whether rows with a given value of the column are found without reading the table.
fn leads_to(shape: &Shape, column: &str) -> bool {
    let keys = shape.keys.iter();
    let indexes = shape.indexes.iter().map(|index| &index.columns);
    keys.chain(indexes)
        .any(|columns| columns.first().is_some_and(|first| first == column))
}

fn names<'a>(columns: impl Iterator<Item = &'a String>) -> String {
    columns.cloned().collect::<Vec<_>>().join(", ")
}

fn unfit(table: &str, reason: &str) -> SkipReason {
    SkipReason::Unfit {
        table: table.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
