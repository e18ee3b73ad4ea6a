//! What a run's rows say.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::schema::{events, plans, runs};
use super::{Finish, History, JournalError, Record, RunId, RunState, RunSummary, TxError};

#[derive(Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(super) struct RunRow {
    id: i64,
    job: String,
    target: String,
    holder: String,
    started: i64,
    finished: Option<i64>,
    outcome: Option<String>,
}

impl RunRow {
    pub(super) fn summary(self) -> Result<RunSummary, JournalError> {
        let id = RunId(self.id);
        let finished = match (self.finished, &self.outcome) {
            (Some(at), Some(outcome)) => Some(Finish {
                at: from_micros(id, "time", at)?,
                outcome: from_json(id, "outcome", outcome)?,
            }),
            // The table's own check allows only both or neither.
            _ => None,
        };
        Ok(RunSummary {
            holder: from_json(id, "holder", &self.holder)?,
            started: from_micros(id, "time", self.started)?,
            id,
            job: self.job,
            target: self.target,
            finished,
        })
    }
}

/// Where a run stands, and how many events it has. Its plan, which may be large, is not read.
pub(super) fn standing(
    conn: &mut SqliteConnection,
    run: RunId,
) -> Result<(RunState, usize), TxError> {
    let found: Option<RunRow> = runs::table
        .find(run.0)
        .select(RunRow::as_select())
        .first(conn)
        .optional()?;
    let history = History {
        summary: found.ok_or(JournalError::UnknownRun(run))?.summary()?,
        plan: serde_json::Value::Null,
        records: records(conn, run)?,
    };
    Ok((history.state()?, history.records.len()))
}

/// A run as it stands in the file; whether its events are in a legal order is for the caller.
pub(super) fn load(conn: &mut SqliteConnection, run: RunId) -> Result<History, TxError> {
    let found: Option<(RunRow, String)> = runs::table
        .find(run.0)
        .select((RunRow::as_select(), runs::plan))
        .first(conn)
        .optional()?;
    let (row, plan_then) = found.ok_or(JournalError::UnknownRun(run))?;
    let plan = plan(conn, run)?;
    let plan = plan.unwrap_or(plan_then);
    Ok(History {
        summary: row.summary()?,
        plan: from_json(run, "plan", &plan)?,
        records: records(conn, run)?,
    })
}

/// The plan that is kept beside its run.
fn plan(conn: &mut SqliteConnection, run: RunId) -> Result<Option<String>, TxError> {
    // Who only reads may have a file before him that an earlier release wrote.
    let is_there = "EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'plans')";
    if !diesel::select(sql::<Bool>(is_there)).get_result(conn)? {
        return Ok(None);
    }
    let plan = plans::table.find(run.0).select(plans::plan);
    Ok(plan.first(conn).optional()?)
}

/// The events of a run, none of which is missing.
fn records(conn: &mut SqliteConnection, run: RunId) -> Result<Vec<Record>, TxError> {
    let rows: Vec<(i64, i64, String)> = events::table
        .filter(events::run.eq(run.0))
        .order(events::seq)
        .select((events::seq, events::at, events::body))
        .load(conn)?;
    let mut records = Vec::with_capacity(rows.len());
    for (expected, (seq, at, body)) in (0_i64..).zip(rows) {
        if seq != expected {
            return Err(TxError::Journal(JournalError::Unreadable {
                run,
                what: "list of events",
                source: format!("event {expected} is missing").into(),
            }));
        }
        records.push(Record {
            at: from_micros(run, "time", at)?,
            event: from_json(run, "event", &body)?,
        });
    }
    Ok(records)
}

fn from_json<T: DeserializeOwned>(
    run: RunId,
    what: &'static str,
    text: &str,
) -> Result<T, JournalError> {
    serde_json::from_str(text).map_err(|error| JournalError::Unreadable {
        run,
        what,
        source: error.into(),
    })
}

fn from_micros(run: RunId, what: &'static str, micros: i64) -> Result<Timestamp, JournalError> {
    Timestamp::from_microsecond(micros).map_err(|error| JournalError::Unreadable {
        run,
        what,
        source: error.into(),
    })
}
