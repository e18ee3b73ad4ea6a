//! The plan of a sequence: a pure function, with nothing left to choose.

use jiff::Timestamp;
use serde::Serialize;

use super::overlap::overlap;
use super::settle::settle;
use super::{Group, Housekeeping, HousekeepingFacts, ProgramTask, Work, WorkFacts};
use crate::plan::TablePlan;
use crate::sweep::{HeldBy, SweepPlan, orphan_limit};
use crate::{Plan, Policy, Rates, Refusal};

/// What one run of a sequence will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HousekeepingPlan {
    /// The server's product and version.
    pub product: String,
    /// Where it is.
    pub target: String,
    /// The moment that ages are measured from.
    pub now: Timestamp,
    /// Whether a target that is itself a replica may be written to.
    pub allow_replica: bool,
    /// The locks the run takes.
    pub locks: Vec<String>,
    /// The tasks in their order.
    pub tasks: Vec<TaskPlan>,
    /// Why the run would be refused; empty if it would not.
    pub refusals: Vec<Refusal>,
    /// What an operator should know and a run does not stop for.
    pub warnings: Vec<String>,
}

/// What one run will do for one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskPlan {
    /// The task's short name.
    pub id: String,
    /// What kind of task it is.
    pub group: Group,
    /// What is printed when its turn comes.
    pub title: String,
    /// Its parts in order.
    pub parts: Vec<PartPlan>,
}

/// What one run will do for one part of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum PartPlan {
    /// Old rows are deleted.
    Purge(Box<TablePlan>),
    /// Rows are judged by more than their age.
    Sweep(Box<SweepPlan>),
    /// A program is run.
    Program(ProgramTask),
    /// Nothing.
    Skipped {
        /// Why.
        why: String,
    },
    /// Nothing, until a person has looked.
    Held {
        /// By which safety check.
        by: HeldBy,
        /// Why.
        why: String,
    },
}

impl HousekeepingPlan {
    /// Makes the plan for `wanted` on the database that `facts` describe.
    pub fn new(wanted: &Housekeeping, facts: &HousekeepingFacts, rates: &Rates) -> Self {
        let fitting = facts.purge.tables.iter().filter_map(|one| {
            let rule = wanted.rules().find(|rule| rule.name == one.table)?;
            Some(rule.clone())
        });
        let policy = Policy {
            tables: fitting.collect(),
            ..wanted.policy()
        };
        let purge = Plan::new(&policy, &facts.purge, rates);
        let mut tables = purge.tables;
        let tasks = wanted.tasks.iter().zip(&facts.tasks).map(|(task, parts)| {
            let parts = task.work.iter().zip(parts);
            TaskPlan {
                id: task.id.clone(),
                group: task.group,
                title: task.title.clone(),
                parts: parts
                    .map(|(work, facts)| part(wanted, work, facts, &mut tables))
                    .collect(),
            }
        });
        let mut tasks: Vec<TaskPlan> = tasks.collect();
        settle(&mut tasks);
        let mut plan = HousekeepingPlan {
            tasks,
            product: purge.product,
            target: purge.target,
            now: purge.now,
            allow_replica: purge.allow_replica,
            locks: purge.locks,
            refusals: purge.refusals,
            warnings: purge.warnings,
        };
        plan.find_overlaps();
        plan
    }

    /// Enters into each part the earlier tasks that touch rows which it counts. Whoever holds parts
    /// back calls it anew.
    pub fn find_overlaps(&mut self) {
        overlap(&mut self.tasks);
    }

    /// Rows to delete, change or add, and what hangs on them as far as that was counted. A row that
    /// is due under two tasks counts in both; of those tasks the later one has `overlaps`.
    pub fn all_due(&self) -> u64 {
        let parts = self.tasks.iter().flat_map(|task| &task.parts);
        let more = parts.filter_map(|part| match part {
            PartPlan::Purge(plan) => plan.cascaded.as_deref(),
            PartPlan::Sweep(plan) => plan.facts.dependents.as_deref(),
            PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => None,
        });
        self.due() + more.flatten().map(|(_, rows)| rows).sum::<u64>()
    }

    /// Rows to delete, change or add, what hangs on them not included, as far as they are known.
    /// A row that is due under two tasks counts in both.
    pub fn due(&self) -> u64 {
        let parts = self.tasks.iter().flat_map(|task| &task.parts);
        let due = parts.map(|part| match part {
            PartPlan::Purge(plan) => plan.due.rows,
            PartPlan::Sweep(plan) => plan.facts.due.rows,
            PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => 0,
        });
        due.sum()
    }
}

fn part(
    wanted: &Housekeeping,
    work: &Work,
    facts: &WorkFacts,
    tables: &mut Vec<TablePlan>,
) -> PartPlan {
    match (work, facts) {
        (Work::Program(program), WorkFacts::Program) => PartPlan::Program(program.clone()),
        (Work::Retention(_), WorkFacts::Retention { table }) => {
            match tables.iter().position(|plan| plan.task.table == *table) {
                Some(at) => PartPlan::Purge(Box::new(tables.remove(at))),
                None => PartPlan::Skipped {
                    why: format!("table {table} has a rule in an earlier task"),
                },
            }
        }
        (Work::Sweep(rule), WorkFacts::Sweep { resolved, facts }) => {
            PartPlan::Sweep(Box::new(SweepPlan {
                name: rule.name.clone(),
                task: resolved.task.clone(),
                facts: facts.clone(),
                notes: resolved.notes.clone(),
                row_limit: orphan_limit(rule, facts.rows, wanted.max_orphan_share),
                settled: None,
                overlaps: Vec::new(),
            }))
        }
        (_, WorkFacts::Skip { reason }) => match reason.held_by() {
            Some(by) => PartPlan::Held {
                by,
                why: reason.to_string(),
            },
            None => PartPlan::Skipped {
                why: reason.to_string(),
            },
        },
        _ => PartPlan::Skipped {
            why: "was inspected as something else".to_owned(),
        },
    }
}
