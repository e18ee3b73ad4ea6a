//! The plan: a pure function of policy and facts, with nothing left to choose.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::order::order;
use crate::store::{Count, ServerFacts};
use crate::{
    Cutoff, Facts, Policy, PurgeTask, Retention, Scalar, TableFacts, TableRule, TimeUnit, Walk,
};

/// What a rate is taken to be while none was measured, in rows a second: what the default throttle
/// reaches on a table with two indexes on two cores.
const ASSUMED_RATE: f64 = 30_000.0;

/// Deletion rates by table, in rows a second, measured by earlier runs on the same target.
pub type Rates = BTreeMap<String, f64>;

/// What one run will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The server's product and version.
    pub product: String,
    /// Where it is.
    pub target: String,
    /// The moment that ages are measured from.
    pub now: Timestamp,
    /// Whether a target that is itself a replica may be purged.
    pub allow_replica: bool,
    /// The locks the run takes.
    pub locks: Vec<String>,
    /// The tables in the order in which they are purged.
    pub tables: Vec<TablePlan>,
    /// Why the run would be refused; empty if it would not.
    pub refusals: Vec<Refusal>,
    /// What an operator should know and a run does not stop for.
    pub warnings: Vec<String>,
}

/// What one run will do to one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TablePlan {
    /// The exact task.
    pub task: PurgeTask,
    /// What is kept, in the policy's words.
    pub keep: String,
    /// Where retention ends; `None` if the table has fewer rows than are kept.
    pub cutoff: Option<Cutoff>,
    /// Rows to delete.
    pub due: Count,
    /// Rows to keep, those without a time included.
    pub kept: Count,
    /// Rows without a time, if they were counted.
    pub untimed: Option<u64>,
    /// Rows of other tables that go first because they would follow by cascade, if counted.
    pub cascaded: Option<Vec<(String, u64)>>,
    /// Bytes that become free inside the table, estimated from its average row.
    pub bytes: Option<u64>,
    /// The oldest row's time.
    pub oldest: Option<Moment>,
    /// The newest row's time.
    pub newest: Option<Moment>,
    /// How rows are found, for people.
    pub method: String,
    /// About how many chunks it will take.
    pub chunks: u64,
    /// About how long it will take, in seconds.
    pub duration_s: f64,
    /// Whether the duration comes from a rate measured by an earlier run.
    pub rate_measured: bool,
    /// The most rows a run may delete here without more consent.
    pub row_limit: u64,
    /// In the plan of a sequence the earlier tasks that take rows that were counted here; else
    /// empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<String>,
}

/// A time as the column holds it, and as an instant if it is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// As the column holds it.
    pub value: Scalar,
    /// The instant.
    pub instant: Option<Timestamp>,
}

/// Why a run is refused before it touches anything.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// The server may not be written to.
    #[error("the server cannot be written to: {reason}")]
    NotWritable {
        /// Why not.
        reason: String,
    },
    /// The server is itself a replica.
    #[error(
        "this server replicates from {primary}: purge the primary, or set allow_replica = true"
    )]
    Replica {
        /// Where it replicates from.
        primary: String,
    },
    /// The clocks differ too much to trust a cutoff.
    #[error(
        "the server's clock differs from ours by {skew_s:.1} s, more than \
         max_clock_skew_s = {limit_s}: set the clocks right first"
    )]
    ClockSkew {
        /// The difference in seconds.
        skew_s: f64,
        /// The limit in seconds.
        limit_s: u64,
    },
    /// A table does not fit the policy.
    #[error("table {table} {reason}")]
    Mismatch {
        /// The table.
        table: String,
        /// What does not fit.
        reason: String,
    },
    /// More of a table would be deleted than the policy allows in one run.
    #[error(
        "table {table}: {due} of {rows} rows are expired ({share:.0} %), more than \
         max_share = {max_share}: look at the cutoff before you allow more"
    )]
    Share {
        /// The table.
        table: String,
        /// Rows to delete.
        due: u64,
        /// Rows of the table.
        rows: u64,
        /// The same in per cent.
        share: f64,
        /// The policy's limit.
        max_share: f64,
    },
}

impl Plan {
    /// Makes the plan for `policy` on the target that `facts` describe.
    pub fn new(policy: &Policy, facts: &Facts, rates: &Rates) -> Plan {
        let mut refusals = refusals(policy, &facts.server, facts.clock_skew);
        let mut tables = Vec::new();
        for (rule, facts) in policy.tables.iter().zip(&facts.tables) {
            match &facts.task {
                Err(reason) => refusals.push(Refusal::Mismatch {
                    table: rule.name.clone(),
                    reason: reason.clone(),
                }),
                Ok(task) => tables.push(table_plan(policy, rule, facts, task, rates)),
            }
            let share = facts.due.rows as f64 / facts.rows.rows.max(1) as f64;
            if share > rule.max_share {
                refusals.push(Refusal::Share {
                    table: rule.name.clone(),
                    due: facts.due.rows,
                    rows: facts.rows.rows,
                    share: share * 100.0,
                    max_share: rule.max_share,
                });
            }
        }
        match table_order(policy, facts) {
            Ok(names) => {
                tables.sort_by_key(|plan| names.iter().position(|name| *name == plan.task.table))
            }
            Err(table) => refusals.push(Refusal::Mismatch {
                table,
                reason: "must come both before and after another table".to_owned(),
            }),
        }
        let database = &facts.server.database;
        Plan {
            product: facts.server.product.clone(),
            target: facts.server.target.clone(),
            now: facts.now,
            allow_replica: policy.allow_replica,
            locks: policy
                .locks
                .iter()
                .map(|l| l.replace("{database}", database))
                .collect(),
            tables,
            refusals,
            warnings: facts.server.warnings.clone(),
        }
    }

    /// Rows to delete in all tables, cascades not included.
    pub fn due(&self) -> Count {
        self.tables
            .iter()
            .fold(Count::exact(0), |sum, table| Count {
                rows: sum.rows + table.due.rows,
                exact: sum.exact && table.due.exact,
            })
    }
}

/// Children before their parents, what `after` says, and otherwise the policy's order.
fn table_order(policy: &Policy, facts: &Facts) -> Result<Vec<String>, String> {
    let names: Vec<&str> = policy
        .tables
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    let mut pairs: Vec<(&str, &str)> = facts
        .references
        .iter()
        .map(|(child, parent)| (child.as_str(), parent.as_str()))
        .collect();
    for rule in &policy.tables {
        pairs.extend(
            rule.after
                .iter()
                .map(|before| (before.as_str(), rule.name.as_str())),
        );
    }
    order(&names, &pairs)
}

/// Why nothing may be done on this server, whatever the tables are like.
pub(crate) fn refusals(policy: &Policy, server: &ServerFacts, skew: Duration) -> Vec<Refusal> {
    let mut refusals = server_refusals(server, policy.allow_replica);
    if skew > policy.max_clock_skew {
        refusals.push(Refusal::ClockSkew {
            skew_s: skew.as_secs_f64(),
            limit_s: policy.max_clock_skew.as_secs(),
        });
    }
    refusals
}

/// Why `server` must not be written to, whatever is planned for it.
pub(crate) fn server_refusals(server: &ServerFacts, allow_replica: bool) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = server
        .obstacles
        .iter()
        .map(|reason| Refusal::NotWritable {
            reason: reason.clone(),
        })
        .collect();
    if let Some(primary) = server.replica_of.as_ref().filter(|_| !allow_replica) {
        refusals.push(Refusal::Replica {
            primary: primary.clone(),
        });
    }
    refusals
}

fn table_plan(
    policy: &Policy,
    rule: &TableRule,
    facts: &TableFacts,
    task: &PurgeTask,
    rates: &Rates,
) -> TablePlan {
    let (due, rows) = (facts.due, facts.rows);
    let cascaded = facts.cascaded.clone().filter(|tables| !tables.is_empty());
    let with_children = due.rows + cascaded.iter().flatten().map(|(_, rows)| rows).sum::<u64>();
    let measured = rates.get(&rule.name).copied();
    let rate = measured.unwrap_or(ASSUMED_RATE).max(1.0);
    // The rate covers the pauses, of which a chunk has none.
    let working = rate / policy.throttle.duty;
    let chunk = (working * policy.throttle.target.as_secs_f64()) as u64;
    let chunk = chunk.clamp(policy.throttle.min_rows, policy.throttle.max_rows);
    // A table walked along its key is read whole.
    let walked = match &task.walk {
        Walk::Time { .. } => due.rows,
        Walk::Key { .. } => rows.rows,
    };
    TablePlan {
        task: task.clone(),
        keep: match rule.keep {
            Retention::Days(1) => "1 day".to_owned(),
            Retention::Days(days) => format!("{days} days"),
            Retention::Rows(rows) => format!("newest {rows} rows"),
        },
        cutoff: facts.cutoff.clone(),
        due,
        kept: Count {
            rows: rows.rows.saturating_sub(due.rows),
            exact: rows.exact && due.exact,
        },
        untimed: facts.untimed,
        cascaded,
        bytes: facts
            .bytes
            .map(|bytes| share_of(bytes, due.rows, rows.rows)),
        oldest: moment(&rule.unit, facts.oldest.as_ref()),
        newest: moment(&rule.unit, facts.newest.as_ref()),
        method: match &task.walk {
            Walk::Time { index, .. } => format!("oldest first along index {index}"),
            Walk::Key { columns } => format!("along key ({})", columns.join(", ")),
        },
        chunks: walked.div_ceil(chunk),
        duration_s: with_children as f64 / rate,
        rate_measured: measured.is_some(),
        row_limit: row_limit(rule, rows),
        overlaps: Vec::new(),
    }
}

/// As many may go of a table that was empty, or so small that its size was estimated to be 0.
const FEW: u64 = 1000;

/// The most rows that may go, never 0: an empty table has lost nothing. Estimates of a table's size
/// get a margin: they were just good enough to let the run begin, and a run never counts first.
fn row_limit(rule: &TableRule, rows: Count) -> u64 {
    if rule.max_share >= 1.0 {
        return u64::MAX;
    }
    if rows.rows == 0 {
        return FEW;
    }
    let margin = if rows.exact { 1.0 } else { 1.25 };
    (rows.rows as f64 * rule.max_share * margin).ceil() as u64
}

fn share_of(bytes: u64, part: u64, whole: u64) -> u64 {
    (bytes as f64 * (part as f64 / whole.max(1) as f64).min(1.0)) as u64
}

fn moment(unit: &TimeUnit, value: Option<&Scalar>) -> Option<Moment> {
    value.map(|value| Moment {
        value: value.clone(),
        instant: unit.instant(value),
    })
}

#[cfg(test)]
mod tests;
