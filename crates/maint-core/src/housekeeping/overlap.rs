//! Which counts of a plan hold only as long as nothing else happens: those of rows that an earlier
//! part of the same plan takes, makes or changes. Pure.

use super::{PartPlan, TaskPlan};
use crate::TablePlan;
use crate::store::Count;
use crate::sweep::{Dependent, Fate, SweepAct, SweepPlan};

/// Enters into each part the earlier tasks that touch rows which it counts.
pub(super) fn overlap(tasks: &mut [TaskPlan]) {
    let mut before = Before::default();
    for task in tasks {
        for part in &mut task.parts {
            match part {
                PartPlan::Purge(plan) => {
                    plan.overlaps = before.purge(plan);
                    before.purged(&task.id, plan);
                }
                PartPlan::Sweep(plan) => {
                    plan.overlaps = before.sweep(plan);
                    before.swept(&task.id, plan);
                }
                PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => {}
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Rows may be gone.
    Deleted,
    /// There may be more rows.
    Added,
    /// Values may be others.
    Changed,
}

/// What the parts so far do, in their order: how, to which table, in which task.
#[derive(Default)]
struct Before(Vec<(How, String, String)>);

impl Before {
    fn tasks(&self, touches: impl Fn(How, &str) -> bool) -> Vec<String> {
        let mut tasks: Vec<String> = Vec::new();
        for (how, table, task) in &self.0 {
            if touches(*how, table) && !tasks.contains(task) {
                tasks.push(task.clone());
            }
        }
        tasks
    }

    /// An age does not change, but its row may go with another one.
    fn purge(&self, plan: &TablePlan) -> Vec<String> {
        if plan.cutoff.is_none() || none(plan.due) {
            return Vec::new();
        }
        let children = plan.task.cascaded_tables();
        self.tasks(|how, table| {
            how == How::Deleted && (table == plan.task.table || children.contains(&table))
        })
    }

    /// What meets the conditions now may be gone by then, or may not meet them any more. Where
    /// nothing meets them, something may then.
    fn sweep(&self, plan: &SweepPlan) -> Vec<String> {
        let task = &plan.task;
        let missing = |table: &str| task.missing.iter().any(|join| join.table == table);
        let present = |table: &str| task.present.iter().any(|join| join.table == table);
        let gains = |how: How, table: &str| match how {
            How::Deleted => missing(table),
            How::Added => table == task.table || present(table),
            How::Changed => table == task.table || present(table) || missing(table),
        };
        if is_idle(plan) {
            return self.tasks(gains);
        }
        let children = task.dependent_tables();
        self.tasks(|how, table| {
            gains(how, table)
                || table == task.table
                || missing(table)
                || present(table)
                || children.contains(&table)
        })
    }

    fn purged(&mut self, task: &str, plan: &TablePlan) {
        if plan.cutoff.is_none() || none(plan.due) {
            return;
        }
        self.enter(How::Deleted, &plan.task.table, task);
        for table in plan.task.cascaded_tables() {
            if has_rows(table, plan.cascaded.as_deref()) {
                self.enter(How::Deleted, table, task);
            }
        }
    }

    fn swept(&mut self, task: &str, plan: &SweepPlan) {
        // Nothing to do, and nobody gives it any.
        if is_idle(plan) && plan.overlaps.is_empty() {
            return;
        }
        let own = &plan.task.table;
        match &plan.task.act {
            SweepAct::Delete { dependents, marks } => {
                self.enter(How::Deleted, own, task);
                self.released(task, dependents, plan);
                for mark in marks {
                    self.enter(How::Changed, &mark.table, task);
                }
            }
            SweepAct::Clear { dependents } => self.released(task, dependents, plan),
            SweepAct::Insert { into, .. } => self.enter(How::Added, into, task),
            SweepAct::Set { .. } => self.enter(How::Changed, own, task),
        }
    }

    fn released(&mut self, task: &str, dependents: &[Dependent], plan: &SweepPlan) {
        // Of a part that may get more to do, nobody has counted what hangs on that.
        let counted = match plan.overlaps.is_empty() {
            true => plan.facts.dependents.as_deref(),
            false => None,
        };
        for one in Dependent::on_all_levels(dependents) {
            if has_rows(&one.table, counted) {
                let how = match one.fate {
                    Fate::Delete => How::Deleted,
                    Fate::Detach => How::Changed,
                };
                self.enter(how, &one.table, task);
            }
        }
    }

    fn enter(&mut self, how: How, table: &str, task: &str) {
        self.0.push((how, table.to_owned(), task.to_owned()));
    }
}

/// Whether it is known that there are none.
fn none(due: Count) -> bool {
    due.exact && due.rows == 0
}

/// Whether it is known that nothing meets the conditions. Where rows only lose what hangs on them
/// they are not among those that are due.
fn is_idle(plan: &SweepPlan) -> bool {
    let dependents = plan.facts.dependents.as_deref();
    let none_hang = match (&plan.task.act, dependents) {
        (_, Some(counted)) => counted.iter().all(|(_, rows)| *rows == 0),
        (SweepAct::Clear { .. }, None) => false,
        (_, None) => true,
    };
    none(plan.facts.due) && none_hang
}

/// Whether rows of `table` go, as far as they were counted.
fn has_rows(table: &str, counted: Option<&[(String, u64)]>) -> bool {
    counted.is_none_or(|counted| {
        counted
            .iter()
            .any(|(known, rows)| known == table && *rows > 0)
    })
}
