//! Gathering the facts a plan is made from. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use elpis_run::{Clock, Observer, StopToken};
use jiff::Timestamp;
use serde::Serialize;

use crate::store::{Count, Extent, ServerFacts, Store, StoreError};
use crate::task::{Due, PurgeTask, Shapes, cascades, walk};
use crate::{Cutoff, Policy, PurgeEvent, Retention, Scalar, TableRule};

/// Rows counted by one statement of an exact inspection: some tens of milliseconds.
const COUNT_CHUNK: u64 = 50_000;

/// What is true of the target, as far as the policy is concerned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The moment that ages are measured from; the cutoffs of the whole run follow from it.
    pub now: Timestamp,
    /// The server.
    pub server: ServerFacts,
    /// How far the server's clock is from ours, either way; zero if it has none of its own.
    pub clock_skew: Duration,
    /// The tables, in the policy's order.
    pub tables: Vec<TableFacts>,
    /// Foreign keys between tables of the policy, as pairs (child, parent).
    pub references: Vec<(String, String)>,
}

/// What is true of one table of the policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableFacts {
    /// Its name.
    pub table: String,
    /// What can be done, or why nothing can.
    pub task: Result<PurgeTask, String>,
    /// Where its retention ends; `None` if it has fewer rows than are kept, or cannot be purged.
    pub cutoff: Option<Cutoff>,
    /// All rows.
    pub rows: Count,
    /// Data and indexes, in bytes.
    pub bytes: Option<u64>,
    /// Expired rows.
    pub due: Count,
    /// Rows without a time, if they were counted. They stay.
    pub untimed: Option<u64>,
    /// Rows of other tables that follow by cascade, if they were counted.
    pub cascaded: Option<Vec<(String, u64)>>,
    /// The oldest time, as the column holds it.
    pub oldest: Option<Scalar>,
    /// The newest time, as the column holds it.
    pub newest: Option<Scalar>,
}

/// What an inspection needs besides policy and store.
pub struct Inspection<'a> {
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Hears of progress.
    pub observer: &'a dyn Observer<PurgeEvent>,
    /// Ends an exact inspection early.
    pub stop: &'a StopToken,
    /// Whether rows are counted (in bounded steps along the index) or estimated (at once).
    pub exact: bool,
}

/// Why there are no facts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The database did not answer.
    #[error("could not inspect {table}")]
    Store {
        /// The table, or `the server`.
        table: String,
        /// What the store said.
        source: StoreError,
    },
    /// The inspection was stopped.
    #[error("stopped while counting; nothing was changed")]
    Stopped,
}

impl Inspection<'_> {
    /// Gathers the facts about every table of `policy`.
    ///
    /// Without `exact` this takes milliseconds a table whatever its size, and says which numbers
    /// are estimates.
    ///
    /// # Errors
    /// [`InspectError`]. Tables that do not fit the policy are facts, not errors.
    pub async fn run<S: Store>(
        &self,
        policy: &Policy,
        store: &mut S,
    ) -> Result<Facts, InspectError> {
        let server = self.server(store).await?;
        let shapes = shapes(policy, store).await?;
        self.tables(policy, server, &shapes, store).await
    }

    /// The same where the server and the structures of all tables are known already; how many rows
    /// these have is asked anew.
    pub(crate) async fn knowing<S: Store>(
        &self,
        policy: &Policy,
        server: (ServerFacts, Timestamp),
        shapes: &Shapes,
        store: &mut S,
    ) -> Result<Facts, InspectError> {
        let shapes = reachable(policy, shapes);
        self.tables(policy, server, &shapes, store).await
    }

    /// The server, and the moment at which it was asked.
    pub(crate) async fn server<S: Store>(
        &self,
        store: &mut S,
    ) -> Result<(ServerFacts, Timestamp), InspectError> {
        let server = store.server().await.map_err(at("the server"))?;
        Ok((server, self.clock.now()))
    }

    async fn tables<S: Store>(
        &self,
        policy: &Policy,
        (server, now): (ServerFacts, Timestamp),
        shapes: &Shapes,
        store: &mut S,
    ) -> Result<Facts, InspectError> {
        let skew = server.clock.map_or(Duration::ZERO, |theirs| {
            theirs.duration_since(now).unsigned_abs()
        });
        let mut cutoffs = BTreeMap::new();
        for rule in &policy.tables {
            let found = self.cutoff(rule, shapes, store, now).await;
            if let Some(cutoff) = found.map_err(at(&rule.name))? {
                cutoffs.insert(rule.name.clone(), cutoff);
            }
        }
        let own: BTreeMap<String, Due> = policy
            .tables
            .iter()
            .filter_map(|rule| {
                let cutoff = cutoffs.get(&rule.name)?;
                Some((rule.name.clone(), Due::new(rule, cutoff.value.clone())))
            })
            .collect();
        let mut tables = Vec::with_capacity(policy.tables.len());
        for rule in &policy.tables {
            tables.push(self.table(rule, shapes, &own, &cutoffs, store).await?);
        }
        let named: BTreeSet<&str> = policy
            .tables
            .iter()
            .map(|rule| rule.name.as_str())
            .collect();
        let references = shapes
            .iter()
            .flat_map(|(parent, shape)| shape.referenced_by.iter().map(move |r| (&r.child, parent)))
            .filter(|(child, parent)| named.contains(child.as_str()) && child != parent)
            .map(|(child, parent)| (child.clone(), parent.clone()))
            .collect();
        Ok(Facts {
            now,
            server,
            clock_skew: skew,
            tables,
            references,
        })
    }

    async fn cutoff<S: Store>(
        &self,
        rule: &TableRule,
        shapes: &Shapes,
        store: &mut S,
        now: Timestamp,
    ) -> Result<Option<Cutoff>, StoreError> {
        match rule.keep {
            Retention::Days(days) => Ok(rule.unit.days_before(now, days)),
            Retention::Rows(keep) => {
                let fits = shapes
                    .get(&rule.name)
                    .is_some_and(|shape| walk(rule, shape).is_ok());
                if !fits {
                    return Ok(None);
                }
                Ok(store
                    .nth_newest(rule, keep)
                    .await?
                    .map(|value| rule.unit.cutoff_at(value)))
            }
        }
    }

    async fn table<S: Store>(
        &self,
        rule: &TableRule,
        shapes: &Shapes,
        own: &BTreeMap<String, Due>,
        cutoffs: &BTreeMap<String, Cutoff>,
        store: &mut S,
    ) -> Result<TableFacts, InspectError> {
        let shape = shapes.get(&rule.name);
        let mut facts = TableFacts {
            table: rule.name.clone(),
            task: Err("does not exist in this database".to_owned()),
            cutoff: cutoffs.get(&rule.name).cloned(),
            rows: shape.map_or(Count::exact(0), |shape| shape.rows),
            bytes: shape.and_then(|shape| shape.bytes),
            due: Count::exact(0),
            untimed: None,
            cascaded: None,
            oldest: None,
            newest: None,
        };
        let Some(shape) = shape else { return Ok(facts) };
        facts.task = walk(rule, shape).and_then(|walk| {
            // Fewer rows than are kept: a cutoff below every value makes a task with nothing due.
            let nothing = || Due::new(rule, Scalar::Int(i64::MIN));
            Ok(PurgeTask {
                table: rule.name.clone(),
                due: own.get(&rule.name).cloned().unwrap_or_else(nothing),
                walk,
                cascades: cascades(&rule.name, shapes, own)?,
            })
        });
        let Ok(task) = facts.task.clone() else {
            return Ok(facts);
        };
        if facts.cutoff.is_none() {
            return Ok(facts);
        }
        if self.exact {
            self.count(&task, &mut facts, store).await?;
        } else {
            let extent = store.estimate(&task).await.map_err(at(&rule.name))?;
            let Extent {
                rows,
                due,
                oldest,
                newest,
            } = extent;
            (facts.rows, facts.due) = (rows, due);
            (facts.oldest, facts.newest) = (oldest, newest);
        }
        Ok(facts)
    }

    async fn count<S: Store>(
        &self,
        task: &PurgeTask,
        facts: &mut TableFacts,
        store: &mut S,
    ) -> Result<(), InspectError> {
        let (mut rows, mut due, mut untimed) = (0, 0, 0);
        let tables: Vec<String> = task
            .cascaded_tables()
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
        let mut cascaded = vec![0; tables.len()];
        let mut span: Option<(Scalar, Scalar)> = None;
        let mut from = None;
        loop {
            if self.stop.is_stopped() {
                return Err(InspectError::Stopped);
            }
            let counted = store.count_chunk(task, from.as_ref(), COUNT_CHUNK).await;
            let counted = counted.map_err(|source| InspectError::Store {
                table: task.table.clone(),
                source,
            })?;
            rows += counted.rows;
            due += counted.due;
            untimed += counted.untimed;
            for (sum, more) in cascaded.iter_mut().zip(&counted.cascaded) {
                *sum += more;
            }
            span = match (span, counted.span) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, other) => one.or(other),
            };
            self.observer.on(&PurgeEvent::Counted {
                table: task.table.clone(),
                rows,
                due,
            });
            from = counted.next;
            if from.is_none() {
                break;
            }
        }
        facts.rows = Count::exact(rows);
        facts.due = Count::exact(due);
        facts.untimed = Some(untimed);
        facts.cascaded = Some(tables.into_iter().zip(cascaded).collect());
        (facts.oldest, facts.newest) = span.unzip();
        Ok(())
    }
}

fn at(table: &str) -> impl FnOnce(StoreError) -> InspectError {
    let table = table.to_owned();
    move |source| InspectError::Store { table, source }
}

/// Of `all` structures, those of the policy's tables and of every table that hangs on them.
fn reachable(policy: &Policy, all: &Shapes) -> Shapes {
    let mut shapes = Shapes::new();
    let mut wanted: Vec<&String> = policy.tables.iter().map(|rule| &rule.name).collect();
    while let Some(table) = wanted.pop() {
        if let Some(shape) = all.get(table).filter(|_| !shapes.contains_key(table)) {
            wanted.extend(shape.referenced_by.iter().map(|reference| &reference.child));
            shapes.insert(table.clone(), shape.clone());
        }
    }
    shapes
}

/// The structures of the policy's tables and of every table that hangs on them.
async fn shapes<S: Store>(policy: &Policy, store: &mut S) -> Result<Shapes, InspectError> {
    let mut shapes = Shapes::new();
    let mut wanted: Vec<String> = policy.tables.iter().map(|rule| rule.name.clone()).collect();
    while let Some(table) = wanted.pop() {
        if shapes.contains_key(&table) {
            continue;
        }
        let shape = store.shape(&table).await;
        let shape = shape.map_err(|source| InspectError::Store {
            table: table.clone(),
            source,
        })?;
        if let Some(shape) = shape {
            wanted.extend(
                shape
                    .referenced_by
                    .iter()
                    .map(|reference| reference.child.clone()),
            );
            shapes.insert(table, shape);
        }
    }
    Ok(shapes)
}
