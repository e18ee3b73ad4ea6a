//! The acts of sweeps, the same for every SQL store.

use std::collections::BTreeSet;

use super::StoreError;
use super::named::{self, child_keys, delete_keys};
use super::relations::{RowKey, Swept, Weighed};
use super::sql::{Dialect, Sql, relations as stmt};
use super::walk::{Executor, number};
use crate::Scalar;
use crate::sweep::{Dependent, Fate, Join, SweepAct, SweepTask, SweepWalk};

/// [`super::RelationStore::is_empty`].
pub(super) async fn is_empty<E: Executor>(on: &mut E, table: &str) -> Result<bool, StoreError> {
    let looked = Sql::new(E::DIALECT, "SELECT COUNT(*) FROM (SELECT 1 FROM ").name(table)?;
    Ok(number(on, &looked.raw(" LIMIT 1) AS looked")).await? == 0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Nothing,
    WhatIsRead,
}

/// Those of `values` whose relations are as the task wants them.
async fn judge<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    mut values: Vec<Scalar>,
    lock: Lock,
) -> Result<Vec<Scalar>, StoreError> {
    let missing = task.missing.iter().map(|join| (join, false));
    let present = task.present.iter().map(|join| (join, true));
    for (join, wanted) in missing.chain(present) {
        if values.is_empty() {
            break;
        }
        let known = known(on, join, &values, lock).await?;
        values.retain(|value| known.contains(value) == wanted);
    }
    Ok(values)
}

async fn known<E: Executor>(
    on: &mut E,
    join: &Join,
    values: &[Scalar],
    lock: Lock,
) -> Result<BTreeSet<Scalar>, StoreError> {
    let lock = lock == Lock::WhatIsRead;
    let sql = |values: &[Scalar], _| stmt::known(E::DIALECT, join, values, lock);
    let rows = named::query(on, values, u64::MAX, sql).await?;
    Ok(rows.into_iter().flatten().collect())
}

/// [`super::RelationStore::weigh`].
pub(super) async fn weigh<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    found: &[RowKey],
) -> Result<Weighed, StoreError> {
    let mut weighed = Weighed {
        rows: found.len() as u64,
        dependents: vec![0; task.dependent_tables().len()],
    };
    if found.is_empty() {
        return Ok(weighed);
    }
    if let SweepWalk::Values { .. } = &task.walk {
        let count = |values: &[Scalar]| stmt::count_values(E::DIALECT, task, values);
        weighed.rows = named::sum(on, &found.concat(), count).await?;
        return Ok(weighed);
    }
    if matches!(task.act, SweepAct::Clear { .. }) {
        weighed.rows = 0;
    }
    let Some(dependent) = task.dependents().first() else {
        return Ok(weighed);
    };
    let wanted = [dependent.parent_column.as_str()];
    let sql = |found: &[RowKey], _| stmt::confirmed(E::DIALECT, task, found, &wanted, false);
    let keys = parents(named::query(on, found, u64::MAX, sql).await?);
    if !keys.is_empty() {
        weighed.dependents = hanging(on, task.dependents(), &keys).await?;
    }
    Ok(weighed)
}

/// How many rows hang on `keys`, for every dependent in depth-first order.
async fn hanging<E: Executor>(
    on: &mut E,
    dependents: &[Dependent],
    keys: &[Scalar],
) -> Result<Vec<u64>, StoreError> {
    let all = listed(E::DIALECT, keys);
    let mut sums = Vec::new();
    for piece in keys.chunks(E::MOST_KEYS) {
        let parents = (&listed(E::DIALECT, piece), &all);
        let mut counts = Vec::new();
        stmt::count_dependents(
            E::DIALECT,
            dependents,
            parents,
            &mut Vec::new(),
            &mut counts,
        )?;
        sums.resize(counts.len(), 0);
        for (sum, count) in sums.iter_mut().zip(&counts) {
            *sum += number(on, count).await?;
        }
    }
    Ok(sums)
}

/// The values of the column that was asked for last, each once.
fn parents(rows: Vec<Vec<Scalar>>) -> Vec<Scalar> {
    let last = rows.into_iter().filter_map(|mut row| row.pop());
    last.collect::<BTreeSet<_>>().into_iter().collect()
}

fn listed(dialect: Dialect, keys: &[Scalar]) -> Sql {
    let mut sql = Sql::new(dialect, "");
    for (i, key) in keys.iter().enumerate() {
        sql = sql.raw(if i == 0 { "" } else { ", " }).value(key);
    }
    sql
}

/// [`super::RelationStore::sweep`], inside a transaction. `None`: something has changed since it
/// was looked at, so the transaction must be rolled back and [`still`] asked.
pub(super) async fn sweep<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    found: &[RowKey],
    limit: u64,
) -> Result<Option<Swept>, StoreError> {
    if found.is_empty() {
        return Ok(Some(nothing_left(task)));
    }
    match &task.walk {
        SweepWalk::Key { .. } => sweep_rows(on, task, found, limit).await.map(Some),
        SweepWalk::Values { .. } => sweep_values(on, task, found, limit).await,
    }
}

fn nothing_left(task: &SweepTask) -> Swept {
    Swept {
        dependents: vec![0; task.dependent_tables().len()],
        complete: true,
        ..Swept::default()
    }
}

/// Those of `found` that still meet the conditions.
pub(super) async fn still<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    found: &[RowKey],
) -> Result<Vec<RowKey>, StoreError> {
    let values = judge(on, task, found.concat(), Lock::Nothing).await?;
    Ok(values.into_iter().map(|value| vec![value]).collect())
}

/// Deletes first and asks then, locked: rows of such a value cannot be named one by one, so what
/// must be excluded is that a parent was there when one of them went. A parent that comes after
/// this question finds its rows gone, as if it had come a moment later.
async fn sweep_values<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    found: &[RowKey],
    limit: u64,
) -> Result<Option<Swept>, StoreError> {
    let values = found.concat();
    let delete = |values: &[Scalar], left| stmt::delete_values(E::DIALECT, task, values, left);
    let changed = named::change(on, &values, limit, delete).await?;
    let meant = values.len();
    if judge(on, task, values, Lock::WhatIsRead).await?.len() < meant {
        return Ok(None);
    }
    Ok(Some(Swept {
        changed,
        complete: changed < limit,
        ..nothing_left(task)
    }))
}

async fn sweep_rows<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    found: &[RowKey],
    limit: u64,
) -> Result<Swept, StoreError> {
    let dependents = task.dependents();
    let parent: Vec<&str> = dependents
        .first()
        .map(|dependent| dependent.parent_column.as_str())
        .into_iter()
        .collect();
    let confirmed = |found: &[RowKey], _| stmt::confirmed(E::DIALECT, task, found, &parent, true);
    let mut rows = named::query(on, found, u64::MAX, confirmed).await?;
    rows.dedup();
    let mut swept = nothing_left(task);
    if rows.is_empty() {
        return Ok(swept);
    }
    if !dependents.is_empty() {
        let found = rows.len();
        let slots = &mut swept.dependents;
        swept.complete = release_all(on, task, &mut rows, limit, slots).await?;
        if !swept.complete {
            return Ok(swept);
        }
        swept.complete = rows.len() == found;
        for row in &mut rows {
            row.truncate(task.key().len());
        }
    }
    mark(on, task, &rows).await?;
    let (dialect, all) = (E::DIALECT, u64::MAX);
    swept.changed = match &task.act {
        SweepAct::Clear { .. } => 0,
        SweepAct::Delete { .. } => {
            let delete = |rows: &[RowKey], _| stmt::delete_rows(dialect, task, rows);
            named::change(on, &rows, all, delete).await?
        }
        SweepAct::Set { values } => {
            let set = |rows: &[RowKey], _| stmt::set_rows(dialect, task, values, rows);
            named::change(on, &rows, all, set).await?
        }
        SweepAct::Insert { into, values, .. } => {
            let insert = |rows: &[RowKey], _| stmt::insert_for(dialect, task, into, values, rows);
            named::change(on, &rows, all, insert).await?
        }
    };
    Ok(swept)
}

/// Tells other tables of `rows`, which go in this transaction.
async fn mark<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    rows: &[RowKey],
) -> Result<(), StoreError> {
    for mark in task.marks() {
        let own = |rows: &[RowKey], _| stmt::values_of(E::DIALECT, task, &mark.own, rows);
        let named = parents(named::query(on, rows, u64::MAX, own).await?);
        let tell = |keys: &[Scalar], _| stmt::mark(E::DIALECT, mark, keys);
        named::change(on, &named, u64::MAX, tell).await?;
    }
    Ok(())
}

/// Releases what hangs on `rows`, whose last values are the keys it hangs by. What a condition of
/// the task reads comes last and in the transaction that deletes the rows themselves: without it
/// they would never be found again. Where it is too much for one transaction, `rows` is cut short.
async fn release_all<E: Executor>(
    on: &mut E,
    task: &SweepTask,
    rows: &mut Vec<Vec<Scalar>>,
    limit: u64,
    slots: &mut [u64],
) -> Result<bool, StoreError> {
    let budget = &mut Budget { left: limit };
    let read = |one: &Dependent| task.present.iter().any(|join| join.table == one.table);
    let dependents = task.dependents();
    let (before, last) = dependents.split_at(dependents.partition_point(|one| !read(one)));
    let before_slots = before.iter().map(|one| 1 + one.tables_below()).sum();
    let (before_slots, last_slots) = slots.split_at_mut(before_slots);
    let keys = parents(rows.clone());
    if !release(on, before, &keys, budget, before_slots).await? {
        return Ok(false);
    }
    if last.is_empty() {
        return Ok(true);
    }
    loop {
        let keys = parents(rows.clone());
        let hanging: u64 = hanging(on, last, &keys).await?.iter().sum();
        if hanging <= budget.left {
            // One above the need: `release` takes a budget that is used up for one that is short.
            budget.left = budget.left.max(hanging + 1);
            return release(on, last, &keys, budget, last_slots).await;
        }
        if rows.len() == 1 {
            // Statement by statement, but all in this transaction.
            loop {
                budget.left = limit;
                if release(on, last, &keys, budget, last_slots).await? {
                    return Ok(true);
                }
            }
        }
        rows.truncate(rows.len().div_ceil(2));
    }
}

/// How many rows that hang on others one transaction may still change.
struct Budget {
    left: u64,
}

/// Deletes or detaches what hangs on `keys`, deepest first, counting in the depth-first order of
/// `slots`. False if the budget did not suffice; what was done stays done.
async fn release<E: Executor>(
    on: &mut E,
    dependents: &[Dependent],
    keys: &[Scalar],
    budget: &mut Budget,
    slots: &mut [u64],
) -> Result<bool, StoreError> {
    let mut slot = 0;
    for dependent in dependents {
        let below = dependent.tables_below();
        let (own, deeper) = slots[slot..=slot + below].split_at_mut(1);
        let (table, column) = (dependent.table.as_str(), dependent.column.as_str());
        if budget.left == 0 {
            return Ok(false);
        }
        let limit = budget.left;
        let mut more = false;
        let changed = match (&dependent.fate, dependent.dependents.first()) {
            (Fate::Detach, _) => {
                let detach =
                    |keys: &[Scalar], left| stmt::detach(E::DIALECT, (table, column), keys, left);
                named::change(on, keys, limit, detach).await?
            }
            (Fate::Delete, None) => delete_keys(on, (table, column), keys, limit).await?,
            (Fate::Delete, Some(grandchild)) => {
                let wanted = &grandchild.parent_column;
                let found = child_keys(on, (table, column), wanted, keys, limit).await?;
                if found.is_empty() {
                    slot += 1 + below;
                    continue;
                }
                more = found.len() as u64 >= limit;
                let all = release(on, &dependent.dependents, &found, budget, deeper);
                if !Box::pin(all).await? {
                    return Ok(false);
                }
                // Exactly the rows whose own dependents are gone, and no others.
                delete_keys(on, (table, wanted), &found, limit).await?
            }
        };
        own[0] += changed;
        budget.left = budget.left.saturating_sub(changed);
        if more || changed >= limit {
            return Ok(false);
        }
        slot += 1 + below;
    }
    Ok(true)
}
