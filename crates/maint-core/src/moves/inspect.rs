//! Gathering the facts about both sides of a move. Changes nothing.

use std::time::Duration;

use elpis_run::{Clock, FnObserver, Observer, StopToken};
use jiff::Timestamp;
use serde::Serialize;

use super::fit::{Fit, fit};
use super::{ChildMove, MoveEvent, MovePolicy, MoveRule, MoveTask};
use crate::store::{Count, MoveStore, ServerFacts, StoreError};
use crate::{
    Cascade, Cutoff, InspectError, Inspection, Policy, PurgeEvent, PurgeTask, Retention,
    TableFacts, TableRule, Walk,
};

/// What is true of the two databases, as far as a policy is concerned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MoveFacts {
    /// The moment that ages are measured from.
    pub now: Timestamp,
    /// The active database's server.
    pub server: ServerFacts,
    /// The history database's server.
    pub history: ServerFacts,
    /// Whether both are one database.
    pub same: bool,
    /// How far the active server's clock is from ours, either way.
    pub clock_skew: Duration,
    /// The tables, in the policy's order.
    pub tables: Vec<MoveTableFacts>,
}

/// What is true of one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MoveTableFacts {
    /// What can be done, or why nothing can.
    pub task: Result<MoveTask, String>,
    /// Where the rows that move end.
    pub cutoff: Option<Cutoff>,
    /// Rows that move.
    pub due: Count,
    /// Rows of other tables that move with them, if all of them were counted.
    pub children: Option<Vec<(String, u64)>>,
}

/// What an inspection needs besides policy and stores.
pub struct MoveInspection<'a> {
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Hears of progress.
    pub observer: &'a dyn Observer<MoveEvent>,
    /// Ends an exact inspection early.
    pub stop: &'a StopToken,
    /// Whether rows are counted, in bounded steps, or estimated.
    pub exact: bool,
}

impl MoveInspection<'_> {
    /// Gathers the facts about every table of `policy` in `active` and in `history`.
    ///
    /// # Errors
    /// [`InspectError`]. Tables that do not fit are facts, not errors.
    pub async fn run<A: MoveStore, H: MoveStore>(
        &self,
        policy: &MovePolicy,
        active: &mut A,
        history: &mut H,
    ) -> Result<MoveFacts, InspectError> {
        let rules = policy.rules.iter().map(|rule| TableRule {
            name: rule.table.clone(),
            key: Vec::new(),
            time_column: rule.time_column.clone(),
            unit: rule.unit.clone(),
            keep: Retention::Days(rule.days),
            filters: Vec::new(),
            where_sql: None,
            after: Vec::new(),
            max_share: 1.0,
        });
        let ages = Policy {
            tables: rules.collect(),
            ..policy.terms()
        };
        let counting = FnObserver(|event: &PurgeEvent| {
            if let PurgeEvent::Counted { table, due, .. } = event {
                self.observer.on(&MoveEvent::MoveCounted {
                    table: table.clone(),
                    due: *due,
                });
            }
        });
        let inspection = Inspection {
            clock: self.clock,
            observer: &counting,
            stop: self.stop,
            exact: self.exact,
        };
        let aged = inspection.run(&ages, active).await?;
        let there = history.server().await;
        let there = there.map_err(at("the history database's server"))?;
        let one = active.identity().await.map_err(at("the server"))?;
        let other = history.identity().await;
        let other = other.map_err(at("the history database's server"))?;
        let mut tables = Vec::with_capacity(policy.rules.len());
        for (rule, found) in policy.rules.iter().zip(aged.tables) {
            let task = task(rule, &found, active, history).await;
            let task = task.map_err(at(&rule.table))?;
            let counted = found.cascaded.filter(|children| !children.is_empty());
            let is_counted = |child: &ChildMove| {
                let mut counted = counted.iter().flatten();
                counted.any(|(table, _)| *table == child.table)
            };
            let all = |task: &MoveTask| task.children.iter().all(is_counted);
            let children = match task.as_ref().map_or(true, all) {
                true => counted,
                false => None,
            };
            tables.push(MoveTableFacts {
                task,
                cutoff: found.cutoff,
                due: found.due,
                children,
            });
        }
        Ok(MoveFacts {
            now: aged.now,
            server: aged.server,
            history: there,
            same: one == other,
            clock_skew: aged.clock_skew,
            tables,
        })
    }
}

fn at(table: &str) -> impl FnOnce(StoreError) -> InspectError + '_ {
    move |source| InspectError::Store {
        table: table.to_owned(),
        source,
    }
}

/// The exact task of `rule`, or why it does not fit the two databases.
async fn task<A: MoveStore, H: MoveStore>(
    rule: &MoveRule,
    found: &TableFacts,
    active: &mut A,
    history: &mut H,
) -> Result<Result<MoveTask, String>, StoreError> {
    let purge = match &found.task {
        Ok(task) => task,
        Err(reason) => return Ok(Err(reason.clone())),
    };
    let (Some(cutoff), Walk::Time { index, .. }) = (&found.cutoff, &purge.walk) else {
        let why = format!("needs an index on {}", rule.time_column);
        return Ok(Err(why));
    };
    let table = match side_by_side(&rule.table, active, history).await? {
        Ok(table) => table,
        Err(reason) => return Ok(Err(reason)),
    };
    let due = Some((rule.time_column.as_str(), &cutoff.value));
    if let Some(why) = lost(&rule.table, &table.fit, due, active).await? {
        return Ok(Err(why));
    }
    let children = match children(rule, purge, &table, active, history).await? {
        Ok(children) => children,
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(Ok(MoveTask {
        table: rule.table.clone(),
        time_column: rule.time_column.clone(),
        index: index.clone(),
        cutoff: cutoff.value.clone(),
        columns: table.fit.columns,
        lost: table.fit.lost,
        split: rule.split.clone().filter(|_| table.key.is_none()),
        key: table.key,
        children,
    }))
}

/// A table as it is in both databases.
struct Sides {
    fit: Fit,
    key: Option<String>,
}

async fn side_by_side<A: MoveStore, H: MoveStore>(
    table: &str,
    active: &mut A,
    history: &mut H,
) -> Result<Result<Sides, String>, StoreError> {
    let here = active.columns(table).await?;
    let there = history.columns(table).await?;
    let fit = match fit(&here, &there) {
        Ok(fit) => fit,
        Err(reason) => return Ok(Err(reason)),
    };
    let Some(shape) = active.shape(table).await? else {
        return Ok(Err("does not exist".to_owned()));
    };
    let Some(other) = history.shape(table).await? else {
        return Ok(Err(
            "does not exist in the history database: create its schema there".to_owned(),
        ));
    };
    if let Some(obstacle) = other.obstacle {
        return Ok(Err(format!("of the history database {obstacle}")));
    }
    let single = |key: &[String]| match key {
        [column] => Some(column.clone()),
        _ => None,
    };
    let key = single(&shape.tie_break);
    if key.is_none() && !shape.keys.is_empty() {
        let why = "has a unique key of several columns, by which rows cannot move";
        return Ok(Err(why.to_owned()));
    }
    if key != single(&other.tie_break) || key.is_none() && !other.keys.is_empty() {
        let why = "has another primary key than in the history database";
        return Ok(Err(why.to_owned()));
    }
    Ok(Ok(Sides { fit, key }))
}

/// Why values would be lost in columns that the history database lacks.
async fn lost<A: MoveStore>(
    table: &str,
    fit: &Fit,
    due: Option<(&str, &crate::Scalar)>,
    active: &mut A,
) -> Result<Option<String>, StoreError> {
    if fit.lost.is_empty() {
        return Ok(None);
    }
    let found = active.unlike_default(table, &fit.lost, due).await?;
    Ok(found.map(|column| {
        format!(
            "has values in its column {column}, which the history database lacks: bring its schema \
             up to the same version"
        )
    }))
}

/// What hangs on the rows that move, by foreign keys and by the rule.
async fn children<A: MoveStore, H: MoveStore>(
    rule: &MoveRule,
    purge: &PurgeTask,
    parent: &Sides,
    active: &mut A,
    history: &mut H,
) -> Result<Result<Vec<ChildMove>, String>, StoreError> {
    let mut cascades = purge.cascades.clone();
    for child in &rule.children {
        if cascades.iter().any(|known| known.table == child.table) {
            continue;
        }
        let Some(shape) = active.shape(&child.table).await? else {
            continue;
        };
        let mut indexes = shape.indexes.iter().map(|index| &index.columns);
        if !indexes.any(|columns| columns.first() == Some(&child.column)) {
            let (table, column) = (&child.table, &child.column);
            return Ok(Err(format!(
                "takes {table} with it, which has no index on {column}: add one"
            )));
        }
        cascades.push(Cascade {
            table: child.table.clone(),
            column: child.column.clone(),
            parent_column: child.parent_column.clone(),
            own: None,
            cascades: Vec::new(),
        });
    }
    let mut children = Vec::with_capacity(cascades.len());
    for cascade in &cascades {
        match child(cascade, parent, active, history).await? {
            Ok(child) => children.push(child),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(children))
}

async fn child<A: MoveStore, H: MoveStore>(
    cascade: &Cascade,
    parent: &Sides,
    active: &mut A,
    history: &mut H,
) -> Result<Result<ChildMove, String>, StoreError> {
    let name = &cascade.table;
    let say = |reason: String| Ok(Err(format!("takes {name} with it, which {reason}")));
    if !cascade.cascades.is_empty() || parent.key.as_ref() != Some(&cascade.parent_column) {
        return say("hangs on it in a way that cannot be moved".to_owned());
    }
    let sides = match side_by_side(name, active, history).await? {
        Ok(sides) => sides,
        Err(reason) => return say(reason),
    };
    let Some(key) = sides.key else {
        return say("has no key".to_owned());
    };
    if let Some(why) = lost(name, &sides.fit, None, active).await? {
        return say(why);
    }
    Ok(Ok(ChildMove {
        table: name.clone(),
        column: cascade.column.clone(),
        columns: sides.fit.columns,
        lost: sides.fit.lost,
        key,
    }))
}
