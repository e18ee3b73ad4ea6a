//! The plan of a run of moves: a pure function, with nothing left to choose.

use jiff::Timestamp;
use serde::Serialize;

use super::{MoveFacts, MovePolicy, MoveTask, Steps};
use crate::plan::{refusals, server_refusals};
use crate::store::Count;
use crate::{Cutoff, Policy, Refusal};

/// What one run of moves will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MovePlan {
    /// Where the active database is.
    pub target: String,
    /// Where the history database is.
    pub history: String,
    /// The moment that ages are measured from.
    pub now: Timestamp,
    /// Whether a target that is itself a replica may be written to.
    pub allow_replica: bool,
    /// The locks taken in the active database.
    pub locks: Vec<String>,
    /// The locks taken in the history database.
    pub history_locks: Vec<String>,
    /// How large steps are, and the pauses between them.
    pub steps: Steps,
    /// The tables in their order.
    pub tables: Vec<MoveTablePlan>,
    /// Why the run would be refused; empty if it would not.
    pub refusals: Vec<Refusal>,
}

/// What one run will do to one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MoveTablePlan {
    /// The rule's short name.
    pub id: String,
    /// What is printed when its turn comes.
    pub title: String,
    /// The table.
    pub table: String,
    /// Rows move when they are older than this many days.
    pub days: u32,
    /// Where that is.
    pub cutoff: Option<Cutoff>,
    /// Rows to move.
    pub due: Count,
    /// Rows of other tables that move with them, if they were counted.
    pub children: Option<Vec<(String, u64)>>,
    /// The exact task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<MoveTask>,
    /// Why nothing moves, in words that follow `table …`; then there is no task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

impl MovePlan {
    /// Makes the plan for `policy` on the two databases that `facts` describe.
    pub fn new(policy: &MovePolicy, facts: &MoveFacts) -> MovePlan {
        let named = |locks: &[String], database: &str| -> Vec<String> {
            let locks = locks.iter();
            locks
                .map(|lock| lock.replace("{database}", database))
                .collect()
        };
        let mut found = refusals(&policy.terms(), &facts.server, facts.clock_skew);
        found.extend(server_refusals(&facts.history, policy.allow_replica));
        if facts.same {
            found.push(Refusal::NotWritable {
                reason: "the history database is the active database itself".to_owned(),
            });
        }
        let tables = policy.rules.iter().zip(&facts.tables);
        let tables = tables.map(|(rule, facts)| MoveTablePlan {
            id: rule.id.clone(),
            title: rule.title.clone(),
            table: rule.table.clone(),
            days: rule.days,
            cutoff: facts.cutoff.clone(),
            due: facts.due,
            children: facts.children.clone(),
            task: facts.task.clone().ok(),
            held: facts.task.clone().err(),
        });
        MovePlan {
            target: facts.server.target.clone(),
            history: facts.history.target.clone(),
            now: facts.now,
            allow_replica: policy.allow_replica,
            locks: named(&policy.locks, &facts.server.database),
            history_locks: named(&policy.history_locks, &facts.history.database),
            steps: policy.steps,
            tables: tables.collect(),
            refusals: found,
        }
    }

    /// Rows to move, what hangs on them not counted.
    pub fn due(&self) -> Count {
        let moving = self.tables.iter().filter(|table| table.task.is_some());
        moving.fold(Count::exact(0), |sum, table| Count {
            rows: sum.rows + table.due.rows,
            exact: sum.exact && table.due.exact,
        })
    }
}

impl MovePolicy {
    /// The terms of the active side, in the words of a purge.
    pub(super) fn terms(&self) -> Policy {
        Policy {
            locks: self.locks.clone(),
            max_clock_skew: self.max_clock_skew,
            allow_replica: self.allow_replica,
            throttle: self.throttle.clone(),
            tables: Vec::new(),
            series: Vec::new(),
        }
    }
}
