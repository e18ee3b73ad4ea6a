//! The statements of sweeps that only look.
//!
//! Tasks that walk a table in the same way are judged by one statement, which joins each other table
//! once and has a column of 1 or 0 for each task. It sees a bounded number of rows and asks the other
//! tables about these, one by one along an index. What is read is not copied first.

use super::relations::{ROW, in_order, in_this_order, join_by, keys, tested};
use super::{Dialect, Sql, Stretch};
use crate::Filter;
use crate::store::{Position, StoreError};
use crate::sweep::{Join, SweepTask, SweepWalk};

/// The key of the `limit`-th row from `from` on.
pub(in crate::store) fn boundary(
    dialect: Dialect,
    task: &SweepTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let sql = Sql::new(dialect, "SELECT ").names(task.key())?;
    let sql = along(sql, task, Stretch { from, to: None })?;
    Ok(sql.raw(" LIMIT 1 OFFSET ").number(limit.saturating_sub(1)))
}

/// The keys of a stretch's rows that meet the conditions of any of `tasks`, which walk as the first
/// of them does: the key, then 1 or 0 for each task. A row that is met by several rows of another
/// table may come several times, one after the other.
///
/// What bounds it is the stretch: its end was measured, or there were fewer rows than that left.
pub(in crate::store) fn candidates(
    dialect: Dialect,
    tasks: &[&SweepTask],
    walked: &SweepTask,
    stretch: Stretch<'_>,
) -> Result<Sql, StoreError> {
    let joins = Joins::of(tasks);
    let verdicts = tasks.iter().zip(&joins.of_tasks);
    let verdicts: Vec<Sql> = verdicts
        .map(|(task, aliases)| verdict(dialect, task, aliases, &task.filters))
        .collect::<Result<_, _>>()?;
    let mut sql = keys(Sql::new(dialect, in_this_order(dialect)), walked)?;
    for verdict in &verdicts {
        sql = flag(sql, verdict);
    }
    sql = sql.raw(" FROM ").name(&walked.table)?.raw(" AS t");
    if let SweepWalk::Key {
        index: Some(index), ..
    } = &walked.walk
    {
        sql = sql.along(index)?;
    }
    sql = joins.add_to(sql)?;
    for (i, verdict) in verdicts.iter().enumerate() {
        let before = if i == 0 { " WHERE ((" } else { ") OR (" };
        sql = sql.raw(before).append(verdict);
    }
    sql = sql.raw(")) AND ");
    in_order(sql.stretch_of(ROW, walked.key(), stretch)?, walked)
}

/// The next `limit` different values of the column that `tasks` walk along, as the first of them
/// does, in no order: the value, then 1 or 0 for each task, which tells whether rows of that value
/// may meet its conditions. A value that several rows of another table have may come several times.
pub(in crate::store) fn values(
    dialect: Dialect,
    tasks: &[&SweepTask],
    walked: &SweepTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<Sql, StoreError> {
    let joins = Joins::of(tasks);
    let column = walked.key().first().map_or("", String::as_str);
    let mut sql = Sql::new(dialect, "SELECT t.").name(column)?;
    for (task, aliases) in tasks.iter().zip(&joins.of_tasks) {
        // Nothing is known of the row's other columns.
        let filters = task.filters.iter().filter(|one| one.column == column);
        let verdict = verdict(dialect, task, aliases, filters)?;
        sql = flag(sql, &verdict);
    }
    sql = sql.raw(" FROM (SELECT DISTINCT ");
    // NULL is no value; comparing with the last one leaves it out by itself.
    sql = along(sql.name(column)?, walked, Stretch { from, to: None })?;
    sql = sql.raw(" LIMIT ").number(limit).raw(") AS t");
    joins.add_to(sql)
}

/// The other tables that some tasks ask about, each as often as one task needs it.
struct Joins<'a> {
    joined: Vec<Joined<'a>>,
    /// For each task, which of them its joins are: those that must be there, then those that must
    /// not.
    of_tasks: Vec<Vec<usize>>,
}

struct Joined<'a> {
    join: &'a Join,
    /// What a row must meet to be joined.
    filters: &'a [Filter],
}

impl<'a> Joins<'a> {
    fn of(tasks: &[&'a SweepTask]) -> Joins<'a> {
        let mut joins = Joins {
            joined: Vec::new(),
            of_tasks: Vec::with_capacity(tasks.len()),
        };
        for task in tasks {
            let present = task
                .present
                .iter()
                .map(|join| Joined { join, filters: &[] });
            // Only such a row is missed as meets the filters.
            let missing = task.missing.iter().map(|join| Joined {
                join,
                filters: &join.filters,
            });
            let mut own = Vec::new();
            for wanted in present.chain(missing) {
                // The rows of a task's two joins need not be the same.
                let mut known = joins.joined.iter().enumerate();
                let known = known.find(|(i, known)| !own.contains(i) && known.serves(&wanted));
                own.push(known.map_or(joins.joined.len(), |(i, _)| i));
                if known.is_none() {
                    joins.joined.push(wanted);
                }
            }
            joins.of_tasks.push(own);
        }
        joins
    }

    fn add_to(&self, mut sql: Sql) -> Result<Sql, StoreError> {
        for (i, one) in self.joined.iter().enumerate() {
            sql = join_by(sql, " LEFT JOIN ", &alias(i), (one.join, one.filters))?;
        }
        Ok(sql)
    }
}

impl Joined<'_> {
    fn serves(&self, wanted: &Joined<'_>) -> bool {
        self.join.table == wanted.join.table
            && self.join.on == wanted.join.on
            && self.filters == wanted.filters
    }
}

fn alias(number: usize) -> String {
    format!("j{number}")
}

fn flag(sql: Sql, verdict: &Sql) -> Sql {
    let sql = sql.raw(", CASE WHEN ").append(verdict);
    sql.raw(" THEN 1 ELSE 0 END")
}

/// What holds of a row, and of what is joined to it under `aliases`, that `task` is about.
fn verdict<'a>(
    dialect: Dialect,
    task: &SweepTask,
    aliases: &[usize],
    filters: impl IntoIterator<Item = &'a Filter>,
) -> Result<Sql, StoreError> {
    let mut sql = Sql::new(dialect, "1 = 1");
    for filter in filters {
        sql = tested(sql.raw(" AND "), ROW, filter)?;
    }
    let (present, missing) = aliases.split_at(task.present.len().min(aliases.len()));
    for (join, number) in task.present.iter().zip(present) {
        let alias = format!("{}.", alias(*number));
        for (_, there) in &join.on {
            sql = sql.raw(" AND ").raw(&alias).name(there)?;
            sql = sql.raw(" IS NOT NULL");
        }
        for filter in &join.filters {
            sql = tested(sql.raw(" AND "), &alias, filter)?;
        }
    }
    for (join, number) in task.missing.iter().zip(missing) {
        for (own, there) in &join.on {
            sql = sql.raw(" AND ").raw(ROW).name(own)?.raw(" IS NOT NULL");
            sql = sql.raw(&format!(" AND {}.", alias(*number))).name(there)?;
            sql = sql.raw(" IS NULL");
        }
    }
    Ok(sql)
}

/// `FROM table WHERE stretch ORDER BY key`, read along the walk's index.
fn along(sql: Sql, task: &SweepTask, stretch: Stretch<'_>) -> Result<Sql, StoreError> {
    let sql = sql.raw(" FROM ");
    let sql = match &task.walk {
        SweepWalk::Key { index: None, .. } => sql.name(&task.table)?,
        SweepWalk::Key {
            index: Some(index), ..
        }
        | SweepWalk::Values { index, .. } => sql.read_by(&task.table, index)?,
    };
    let mut sql = sql.raw(" WHERE ").stretch(task.key(), stretch)?;
    if let SweepWalk::Values { column, .. } = &task.walk {
        sql = sql.raw(" AND ").name(column)?.raw(" IS NOT NULL");
    }
    sql.raw(" ORDER BY ").names(task.key())
}
