//! Of which sweeps of a plan it is settled what they have to do, so that the run need not look
//! again. Pure.

use std::collections::BTreeSet;

use super::{PartPlan, TaskPlan};
use crate::TablePlan;
use crate::sweep::{Dependent, Fate, SweepAct, SweepPlan};

/// Settles what is meant by the sweeps whose table was looked at as a whole and that no earlier part
/// can give more work.
pub(super) fn settle(tasks: &mut [TaskPlan]) {
    let mut done = Effects::default();
    for part in tasks.iter_mut().flat_map(|task| &mut task.parts) {
        match part {
            PartPlan::Purge(plan) => done.purged(plan),
            PartPlan::Sweep(plan) => {
                let found = plan.facts.found.clone();
                plan.settled = found.filter(|_| !done.may_concern(plan));
                let idle = plan.settled.as_ref().is_some_and(Vec::is_empty);
                if !idle {
                    done.swept(plan);
                    if done.may_concern_itself(plan) {
                        plan.settled = None;
                    }
                }
            }
            PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => {}
        }
    }
}

/// What the parts so far may have done to tables, by name.
#[derive(Default)]
struct Effects {
    /// Rows of these may be gone.
    deleted: BTreeSet<String>,
    /// These may have more rows.
    added: BTreeSet<String>,
    /// Values of these may be others.
    changed: BTreeSet<String>,
}

impl Effects {
    /// Whether rows of a table that was in order may meet the conditions now. Rows that are gone
    /// give work only to those who miss them; rows that came, to those who look for them.
    fn may_concern(&self, plan: &SweepPlan) -> bool {
        let task = &plan.task;
        let has = |tables: &BTreeSet<String>, table: &String| tables.contains(table);
        let mut missing = task.missing.iter().map(|join| &join.table);
        let present = task.present.iter().map(|join| &join.table);
        let mut looked_for = present.chain([&task.table]);
        missing.any(|table| has(&self.deleted, table) || has(&self.changed, table))
            || looked_for.any(|table| has(&self.added, table) || has(&self.changed, table))
    }

    /// Whether what the sweep itself deletes is what it misses: the next row of a chain.
    fn may_concern_itself(&self, plan: &SweepPlan) -> bool {
        let mut missing = plan.task.missing.iter();
        missing.any(|join| self.deleted.contains(&join.table) || self.changed.contains(&join.table))
    }

    fn purged(&mut self, plan: &TablePlan) {
        let nothing = plan.cutoff.is_none() || (plan.due.exact && plan.due.rows == 0);
        if !nothing {
            let tables = plan.task.cascaded_tables().into_iter();
            let tables = tables.chain([plan.task.table.as_str()]);
            self.deleted.extend(tables.map(str::to_owned));
        }
    }

    fn swept(&mut self, plan: &SweepPlan) {
        let table = &plan.task.table;
        match &plan.task.act {
            SweepAct::Delete { dependents, marks } => {
                self.deleted.insert(table.clone());
                self.released(dependents);
                let marked = marks.iter().map(|mark| mark.table.clone());
                self.changed.extend(marked);
            }
            SweepAct::Clear { dependents } => self.released(dependents),
            SweepAct::Insert { into, .. } => {
                self.added.insert(into.clone());
            }
            SweepAct::Set { .. } => {
                self.changed.insert(table.clone());
            }
        }
    }

    fn released(&mut self, dependents: &[Dependent]) {
        for one in Dependent::on_all_levels(dependents) {
            let effect = match one.fate {
                Fate::Delete => &mut self.deleted,
                Fate::Detach => &mut self.changed,
            };
            effect.insert(one.table.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::housekeeping::Group;
    use crate::store::Count;
    use crate::sweep::{Join, SweepFacts, SweepTask, SweepWalk};

    fn joins(tables: &[&str]) -> Vec<Join> {
        let join = |table: &&str| Join {
            table: (*table).to_owned(),
            on: vec![("id".to_owned(), "id".to_owned())],
            filters: Vec::new(),
        };
        tables.iter().map(join).collect()
    }

    /// A sweep of `table` that finds `due` rows now.
    fn sweep(
        table: &str,
        (missing, present): (&[&str], &[&str]),
        act: SweepAct,
        due: u64,
    ) -> PartPlan {
        PartPlan::Sweep(Box::new(SweepPlan {
            name: table.to_owned(),
            task: SweepTask {
                table: table.to_owned(),
                walk: SweepWalk::Key {
                    columns: vec!["id".to_owned()],
                    index: None,
                },
                filters: Vec::new(),
                missing: joins(missing),
                present: joins(present),
                act,
            },
            facts: SweepFacts {
                due: Count::exact(due),
                dependents: None,
                rows: Count::exact(100),
                found: Some((0..due).map(|id| vec![crate::Scalar::UInt(id)]).collect()),
                looked: None,
            },
            notes: Vec::new(),
            row_limit: u64::MAX,
            settled: None,
            overlaps: Vec::new(),
        }))
    }

    fn delete(dependents: &[(&str, Fate)]) -> SweepAct {
        let dependent = |(table, fate): &(&str, Fate)| Dependent {
            fate: *fate,
            ..Dependent::new(table, "parent", "id")
        };
        SweepAct::Delete {
            dependents: dependents.iter().map(dependent).collect(),
            marks: Vec::new(),
        }
    }

    /// Which of `parts` are settled.
    fn settled(parts: Vec<PartPlan>) -> Vec<bool> {
        let mut tasks = [TaskPlan {
            id: "all".to_owned(),
            group: Group::Purge,
            title: String::new(),
            parts,
        }];
        settle(&mut tasks);
        let parts = tasks[0].parts.iter().map(|part| match part {
            PartPlan::Sweep(plan) => plan.settled.is_some(),
            other => panic!("{other:?}"),
        });
        parts.collect()
    }

    const NO: &[&str] = &[];

    #[test]
    fn what_was_found_is_settled_where_all_of_it_is_known() {
        let orphans = |due| sweep("states", (&["modules"], NO), delete(&[]), due);
        let mut too_many = orphans(3);
        let PartPlan::Sweep(plan) = &mut too_many else {
            panic!("a sweep")
        };
        plan.facts.found = None;
        assert_eq!(
            settled(vec![orphans(0), orphans(3), too_many]),
            [true, true, false]
        );
    }

    #[test]
    fn a_chain_is_followed_by_looking() {
        let chain = |due| sweep("nodes", (&["nodes"], NO), delete(&[]), due);
        assert_eq!(
            settled(vec![chain(0), chain(1), chain(0)]),
            [true, false, false]
        );
    }

    #[test]
    fn rows_that_go_give_work_to_those_who_miss_them_and_to_no_others() {
        let busy = |dependents: &[(&str, Fate)]| sweep("agents", (NO, NO), delete(dependents), 1);
        let missing = |table: &str| sweep("states", (&[table], NO), delete(&[]), 0);
        let present = || sweep("states", (NO, &["agents", "modules"]), delete(&[]), 0);
        let itself = || sweep("agents", (NO, NO), delete(&[]), 0);
        let parts = vec![
            missing("agents"),
            busy(&[("modules", Fate::Delete)]),
            missing("agents"),
            missing("modules"),
            missing("groups"),
            present(),
            itself(),
        ];
        let expected = [true, true, false, false, true, true, true];
        assert_eq!(settled(parts), expected);
        // Who has nothing to do gives nobody work; who may get some does.
        let idle = || sweep("modules", (&["agents"], NO), delete(&[]), 0);
        assert_eq!(settled(vec![idle(), missing("modules")]), [true, true]);
        let parts = vec![busy(&[]), idle(), missing("modules")];
        assert_eq!(settled(parts), [true, false, false]);
    }

    #[test]
    fn rows_that_come_or_change_give_work_to_those_who_look_for_them() {
        let insert = SweepAct::Insert {
            into: "states".to_owned(),
            values: Vec::new(),
            settle: Duration::ZERO,
        };
        let of = |missing: &[&str], present: &[&str], table: &str| {
            sweep(table, (missing, present), delete(&[]), 0)
        };
        let others = || {
            [
                of(&["states"], NO, "modules"),
                of(NO, NO, "modules"),
                of(NO, NO, "states"),
                of(NO, &["states"], "modules"),
            ]
        };
        let after = |busy: PartPlan| settled([busy].into_iter().chain(others()).collect());
        let insert = sweep("modules", (&["states"], NO), insert, 1);
        assert_eq!(after(insert), [true, true, true, false, false]);
        let set = sweep("states", (NO, NO), SweepAct::Set { values: Vec::new() }, 1);
        assert_eq!(after(set), [true, false, true, false, false]);
        let detach = sweep("plugins", (NO, NO), delete(&[("states", Fate::Detach)]), 1);
        assert_eq!(after(detach), [true, false, true, false, false]);
    }
}
