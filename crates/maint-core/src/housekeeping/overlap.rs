//! Which counts of a plan hold only as long as nothing else happens: those of rows that an earlier
//! part of the same plan takes, makes or changes. Pure.

use super::effect::Effect;
use super::{PartPlan, TaskPlan};
use crate::TablePlan;
use crate::store::Count;
use crate::sweep::{SweepAct, SweepPlan};

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

/// What the parts so far do, in their order, and in which task.
#[derive(Default)]
struct Before(Vec<(Effect, String)>);

impl Before {
    fn tasks(&self, touches: impl Fn(&Effect) -> bool) -> Vec<String> {
        let mut tasks: Vec<String> = Vec::new();
        for (effect, task) in &self.0 {
            if touches(effect) && !tasks.contains(task) {
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
        self.tasks(|effect| {
            let table = effect.table();
            matches!(effect, Effect::Gone { .. })
                && (table == plan.task.table || children.contains(&table))
        })
    }

    /// What meets the conditions now may be gone by then, or may not meet them any more. Where
    /// nothing meets them, something may then.
    fn sweep(&self, plan: &SweepPlan) -> Vec<String> {
        let task = &plan.task;
        if is_idle(plan) {
            return self.tasks(|effect| effect.gives_work_to(task));
        }
        let joined = task.missing.iter().chain(&task.present);
        let mut tables = task.dependent_tables();
        tables.push(&task.table);
        tables.extend(joined.map(|join| join.table.as_str()));
        self.tasks(|effect| tables.contains(&effect.table()))
    }

    fn purged(&mut self, task: &str, plan: &TablePlan) {
        if plan.cutoff.is_none() || none(plan.due) {
            return;
        }
        for effect in Effect::of_purge(&plan.task) {
            let table = effect.table();
            if table == plan.task.table || has_rows(table, plan.cascaded.as_deref()) {
                self.0.push((effect, task.to_owned()));
            }
        }
    }

    fn swept(&mut self, task: &str, plan: &SweepPlan) {
        // Nothing to do, and nobody gives it any.
        if is_idle(plan) && plan.overlaps.is_empty() {
            return;
        }
        // Of a part that may get more to do, nobody has counted what hangs on that.
        let counted = match plan.overlaps.is_empty() {
            true => plan.facts.dependents.as_deref(),
            false => None,
        };
        let dependents = Effect::of_dependents(&plan.task).into_iter();
        let dependents = dependents.filter(|effect| has_rows(effect.table(), counted));
        let effects = Effect::of_rows(&plan.task).into_iter().chain(dependents);
        self.0
            .extend(effects.map(|effect| (effect, task.to_owned())));
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
