//! Of which sweeps of a plan it is settled what they have to do, so that the run need not look
//! again. Pure.

use super::effect::Effect;
use super::{PartPlan, TaskPlan};

/// Settles what is meant by the sweeps whose table was looked at as a whole and that no earlier part
/// can give more work.
pub(super) fn settle(tasks: &mut [TaskPlan]) {
    let mut done: Vec<Effect> = Vec::new();
    for part in tasks.iter_mut().flat_map(|task| &mut task.parts) {
        match part {
            PartPlan::Purge(plan) => {
                let nothing = plan.cutoff.is_none() || (plan.due.exact && plan.due.rows == 0);
                if !nothing {
                    done.extend(Effect::of_purge(&plan.task));
                }
            }
            PartPlan::Sweep(plan) => {
                let task = &plan.task;
                let found = plan.facts.found.clone();
                let mut settled =
                    found.filter(|_| !done.iter().any(|effect| effect.gives_work_to(task)));
                let idle = settled.as_ref().is_some_and(Vec::is_empty);
                if !idle {
                    let mut own = Effect::of_rows(task);
                    own.extend(Effect::of_dependents(task));
                    // What it deletes may be what it misses: the next row of a chain.
                    if own.iter().any(|effect| effect.shows_through_joins_of(task)) {
                        settled = None;
                    }
                    done.extend(own);
                }
                plan.settled = settled;
            }
            PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Scalar;
    use crate::housekeeping::Group;
    use crate::store::Count;
    use crate::sweep::{
        Dependent, Expr, Fate, Join, SweepAct, SweepFacts, SweepPlan, SweepTask, SweepWalk,
    };

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
                found: Some((0..due).map(|id| vec![Scalar::UInt(id)]).collect()),
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
        let set = |column: &str| {
            let values = vec![(column.to_owned(), Expr::Value(Scalar::Int(0)))];
            sweep("states", (NO, NO), SweepAct::Set { values }, 1)
        };
        assert_eq!(after(set("id")), [true, false, true, false, false]);
        assert_eq!(after(set("seen")), [true; 5]);
        let detach = |column: &str| {
            let one = Dependent {
                fate: Fate::Detach,
                ..Dependent::new("states", column, "id")
            };
            let act = SweepAct::Delete {
                dependents: vec![one],
                marks: Vec::new(),
            };
            sweep("plugins", (NO, NO), act, 1)
        };
        assert_eq!(after(detach("id")), [true, false, true, false, false]);
        assert_eq!(after(detach("plugin")), [true; 5]);
    }
}
