//! Gathering the facts about a sequence of tasks. Changes nothing.

use elpis_run::{Clock, Observer, StopToken};

use super::event::AsHousekeeping;
use super::looks::{Found, Looking, Looks, rows_of_values, walks_values};
use super::{Housekeeping, HousekeepingEvent, HousekeepingFacts, Work, WorkFacts};
use crate::inspect::{InspectError, Inspection};
use crate::store::{Count, RelationStore, StoreError};
use crate::sweep::{
    Resolved, SkipReason, SweepAct, SweepFacts, SweepRule, SweepTask, orphan_limit, resolve,
};
use crate::task::Shapes;
use crate::{Policy, TableRule};

/// Rows that one look of an exact inspection reads: some tens of milliseconds.
const COUNT_CHUNK: u64 = 20_000;
/// Rows whose dependents are counted by one statement.
const WEIGHED: usize = 50;

/// What an inspection needs besides tasks and store.
pub struct HousekeepingInspection<'a> {
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Hears of progress.
    pub observer: &'a dyn Observer<HousekeepingEvent>,
    /// Ends what counts rows early.
    pub stop: &'a StopToken,
    /// Whether rows are counted, in bounded steps, or estimated; orphans are counted in any case.
    pub exact: bool,
}

impl HousekeepingInspection<'_> {
    /// Gathers the facts about every task of `wanted`.
    ///
    /// # Errors
    /// [`InspectError`]. Tasks that do not fit the database are facts, not errors.
    pub async fn run<S: RelationStore>(
        &self,
        wanted: &Housekeeping,
        store: &mut S,
    ) -> Result<HousekeepingFacts, InspectError> {
        self.run_beside(wanted, store, None).await
    }

    /// The same with the help of a second session of the same database, if there is one: what is
    /// estimated of tables and what sweeps find does not depend on each other, so both sessions
    /// read at a time. An exact inspection, which takes its time, makes no use of it.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_beside<S: RelationStore>(
        &self,
        wanted: &Housekeeping,
        store: &mut S,
        beside: Option<&mut S>,
    ) -> Result<HousekeepingFacts, InspectError> {
        let shapes = store.outline().await.map_err(at("the structure"))?;
        let rules: Vec<TableRule> = rules(wanted)
            .filter(|rule| unfit_rule(rule, &shapes).is_none())
            .cloned()
            .collect();
        let policy = Policy {
            tables: rules,
            ..wanted.policy()
        };
        let observer = AsHousekeeping(self.observer);
        let inspection = Inspection {
            clock: self.clock,
            observer: &observer,
            stop: self.stop,
            exact: self.exact,
        };
        let server = inspection.server(store).await?;
        let (_, now) = server;
        let wanted_looks = match self.exact {
            true => Vec::new(),
            false => {
                let resolved = sweeps(wanted).filter_map(|rule| resolve(rule, &shapes, now).ok());
                resolved.map(|resolved| resolved.task).collect()
            }
        };
        let looking = Looking::new(wanted_looks, &shapes, self.clock);
        let alone = async {
            let purge = inspection.knowing(&policy, server, &shapes, store).await?;
            Ok::<_, InspectError>((purge, looking.take(store).await?))
        };
        let helped = async {
            match beside {
                Some(beside) => looking.take(beside).await,
                None => Ok(Looks::default()),
            }
        };
        // Both to their ends: a call that is given up costs its session, and the locks with it.
        let (alone, helped) = tokio::join!(alone, helped);
        let (purge, mut looks) = alone?;
        // What a helper that failed has not told is counted below.
        looks.join(helped.unwrap_or_default());
        let mut facts = HousekeepingFacts {
            purge,
            tasks: Vec::with_capacity(wanted.tasks.len()),
        };
        let share = wanted.max_orphan_share;
        for task in &wanted.tasks {
            let mut parts = Vec::with_capacity(task.work.len());
            for work in &task.work {
                let part = self.part(work, share, &shapes, &facts, &looks, store);
                parts.push(part.await?);
            }
            facts.tasks.push(parts);
        }
        let fits = |table: &str| {
            let parts = facts.tasks.iter().flatten();
            let mut tables = parts.filter_map(|part| match part {
                WorkFacts::Retention { table } => Some(table.as_str()),
                _ => None,
            });
            tables.any(|known| known == table)
        };
        let fitting = facts.purge.tables.iter().filter(|one| fits(&one.table));
        facts.purge.tables = fitting.cloned().collect();
        Ok(facts)
    }

    async fn part<S: RelationStore>(
        &self,
        work: &Work,
        share: f64,
        shapes: &Shapes,
        facts: &HousekeepingFacts,
        looks: &Looks,
        store: &mut S,
    ) -> Result<WorkFacts, InspectError> {
        let skip = |reason| Ok(WorkFacts::Skip { reason });
        match work {
            Work::Skip { why } => skip(SkipReason::Told { why: why.clone() }),
            Work::Program(_) => Ok(WorkFacts::Program),
            Work::Retention(rule) => {
                if let Some(reason) = unfit_rule(rule, shapes) {
                    return skip(reason);
                }
                let found = facts.purge.tables.iter().find(|one| one.table == rule.name);
                match found.map(|found| &found.task) {
                    Some(Ok(_)) => Ok(WorkFacts::Retention {
                        table: rule.name.clone(),
                    }),
                    Some(Err(reason)) => skip(SkipReason::UnfitAge {
                        table: rule.name.clone(),
                        reason: reason.clone(),
                    }),
                    None => skip(SkipReason::NoTable {
                        table: rule.name.clone(),
                    }),
                }
            }
            Work::Sweep(rule) => {
                let resolved = match resolve(rule, shapes, facts.purge.now) {
                    Ok(resolved) => resolved,
                    Err(reason) => return skip(reason),
                };
                let task = &resolved.task;
                let rows = shapes.get(&rule.table).map(|shape| shape.rows);
                let rows = rows.unwrap_or_default();
                let mut facts = match looks.facts(task, shapes) {
                    Some(facts) => facts,
                    None => self.count(rule, task, rows, store).await?,
                };
                if (facts.due.rows > 0 || !facts.due.exact)
                    && share < 1.0
                    && let Some(reason) = empty_parent(&resolved, store).await?
                {
                    return skip(reason);
                }
                let limit = orphan_limit(rule, facts.rows, share);
                if limit < u64::MAX && !facts.due.exact {
                    facts = self.count_to(limit, rule, task, facts, store).await?;
                }
                if facts.due.rows > limit {
                    return skip(SkipReason::TooManyOrphans {
                        table: rule.table.clone(),
                        due: facts.due.rows,
                        rows: facts.rows.rows.max(facts.due.rows),
                        share: share * 100.0,
                    });
                }
                Ok(WorkFacts::Sweep {
                    resolved: Box::new(resolved),
                    facts,
                })
            }
        }
    }

    /// Counts what a quick look only estimated: an estimate is a reason neither to delete nor to
    /// leave anything. A look sees the beginning of a large table, and parents that a broken restore
    /// lacks are those at the end. Beyond `limit` nobody need know more. What is found then is not
    /// looked for again by the run.
    async fn count_to<S: RelationStore>(
        &self,
        limit: u64,
        rule: &SweepRule,
        task: &SweepTask,
        facts: SweepFacts,
        store: &mut S,
    ) -> Result<SweepFacts, InspectError> {
        let failed = || at(&rule.table);
        let (mut due, mut found, mut examined, mut from) = (0, Found::default(), 0, None);
        let mut known = facts.found;
        loop {
            let keys = match known.take() {
                Some(keys) => keys,
                None => {
                    let looked = store.look(task, from.as_ref(), COUNT_CHUNK).await;
                    let looked = looked.map_err(failed())?;
                    (examined, from) = (examined + looked.examined, looked.next);
                    looked.found
                }
            };
            due += match walks_values(task) {
                false => keys.len() as u64,
                true => {
                    let enough = |rows| due + rows > limit || self.stop.is_stopped();
                    let rows = rows_of_values(task, &keys, enough, store).await;
                    rows.map_err(failed())?
                }
            };
            self.observer.on(&HousekeepingEvent::Counted {
                sweep: rule.name.clone(),
                examined,
                due,
            });
            found.add(keys);
            if self.stop.is_stopped() {
                return Err(InspectError::Stopped);
            }
            if due > limit || from.is_none() {
                break;
            }
        }
        let is_all = due <= limit;
        Ok(SweepFacts {
            due: Count {
                rows: due,
                exact: is_all,
            },
            dependents: None,
            rows: facts.rows,
            found: if is_all { found.all() } else { None },
            looked: Some(self.clock.now()),
        })
    }

    /// Looks at the whole table, and counts what hangs on what it finds.
    async fn count<S: RelationStore>(
        &self,
        rule: &SweepRule,
        task: &SweepTask,
        rows: Count,
        store: &mut S,
    ) -> Result<SweepFacts, InspectError> {
        let mut slots = vec![0; task.dependent_tables().len()];
        let (mut due, mut found, mut examined, mut from) = (0, Found::default(), 0, None);
        loop {
            let looked = store.look(task, from.as_ref(), COUNT_CHUNK).await;
            let looked = looked.map_err(at(&rule.table))?;
            examined += looked.examined;
            // Nothing hangs on rows that are told by their values alone.
            let (values, rows) = match walks_values(task) {
                true => (&looked.found[..], &[][..]),
                false => (&[][..], &looked.found[..]),
            };
            let enough = |_| self.stop.is_stopped();
            let of_values = rows_of_values(task, values, enough, store).await;
            due += of_values.map_err(at(&rule.table))?;
            if self.stop.is_stopped() {
                return Err(InspectError::Stopped);
            }
            for these in rows.chunks(WEIGHED) {
                let weighed = store.weigh(task, these).await.map_err(at(&rule.table))?;
                due += weighed.rows;
                for (sum, more) in slots.iter_mut().zip(&weighed.dependents) {
                    *sum += more;
                }
            }
            self.observer.on(&HousekeepingEvent::Counted {
                sweep: rule.name.clone(),
                examined,
                due,
            });
            found.add(looked.found);
            from = looked.next;
            if from.is_none() {
                break;
            }
        }
        Ok(SweepFacts {
            due: Count::exact(due),
            dependents: Some(task.by_table(&slots)),
            rows,
            found: found.all(),
            looked: Some(self.clock.now()),
        })
    }
}

/// Why orphans are not to be believed: the table of their parents has no row at all.
async fn empty_parent<S: RelationStore>(
    Resolved { task, parents, .. }: &Resolved,
    store: &mut S,
) -> Result<Option<SkipReason>, InspectError> {
    if !matches!(task.act, SweepAct::Delete { .. } | SweepAct::Clear { .. }) {
        return Ok(None);
    }
    for parent in parents {
        if store.is_empty(parent).await.map_err(at(parent))? {
            return Ok(Some(SkipReason::EmptyParent {
                table: task.table.clone(),
                parent: parent.clone(),
            }));
        }
    }
    Ok(None)
}

fn at(place: &str) -> impl FnOnce(StoreError) -> InspectError {
    let table = place.to_owned();
    move |source| InspectError::Store { table, source }
}

fn sweeps(wanted: &Housekeeping) -> impl Iterator<Item = &SweepRule> {
    let work = wanted.tasks.iter().flat_map(|task| &task.work);
    work.filter_map(|work| match work {
        Work::Sweep(rule) => Some(rule),
        _ => None,
    })
}

fn rules(wanted: &Housekeeping) -> impl Iterator<Item = &TableRule> {
    let work = wanted.tasks.iter().flat_map(|task| &task.work);
    work.filter_map(|work| match work {
        Work::Retention(rule) => Some(rule),
        _ => None,
    })
}

/// Why a rule has no meaning in this database, if that is so.
fn unfit_rule(rule: &TableRule, shapes: &Shapes) -> Option<SkipReason> {
    let table = rule.name.clone();
    let Some(shape) = shapes.get(&table) else {
        return Some(SkipReason::NoTable { table });
    };
    let has = |name: &String| shape.columns.iter().any(|column| column.name == *name);
    let mut named = vec![&rule.time_column];
    named.extend(rule.filters.iter().map(|filter| &filter.column));
    named.extend(&rule.key);
    let lacking = named.into_iter().find(|name| !has(name))?;
    Some(SkipReason::NoColumn {
        table,
        column: lacking.clone(),
    })
}

impl Housekeeping {
    /// The terms of the run as a policy without tables.
    pub(super) fn policy(&self) -> Policy {
        Policy {
            locks: self.locks.clone(),
            max_clock_skew: self.max_clock_skew,
            allow_replica: self.allow_replica,
            throttle: self.throttle.clone(),
            tables: Vec::new(),
            series: Vec::new(),
        }
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &TableRule> {
        rules(self)
    }
}
