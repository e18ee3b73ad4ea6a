//! The durable journal: one SQLite file that all processes of a state directory share.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::BigInt;
use diesel::sqlite::{Sqlite, SqliteConnection};
use jiff::Timestamp;
use serde::Serialize;

use self::open::Access;
use self::rows::{RunRow, load, standing};
use self::schema::{events, plans, runs};
use super::{
    Event, Finish, History, Journal, JournalError, NewRun, Outcome, Query, Record, RunId, RunState,
    RunSummary,
};
use crate::fsx;

mod keep;
mod open;
mod rows;
mod schema;
#[cfg(test)]
mod tests;

/// The journal in an SQLite file (WAL, `synchronous=FULL`), shared safely by threads and
/// processes of one host. It does not work on a network file system.
///
/// Every change is one immediate transaction that replays the run through
/// [`RunState`](super::RunState) first, so two processes cannot both take the same step.
pub struct SqliteJournal {
    path: PathBuf,
    conn: Mutex<SqliteConnection>,
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SqliteJournal {
    /// Opens the journal at `path`, creating it (mode 0600) and its directory (0700) if they are
    /// not there. Runs that finished more than `keep_days` days ago are then forgotten;
    /// unfinished ones never are.
    ///
    /// # Errors
    /// A file that is not a journal, is damaged, or comes from a later release is refused and
    /// left as it is, and so is one that others may read or write.
    pub fn open(path: &Path, keep_days: Option<u32>) -> Result<SqliteJournal, JournalError> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fsx::create_private_dir(dir)?;
        }
        if !fsx::is_private_file(path)? {
            open::create(path)?;
            fsx::is_private_file(path)?;
        }
        let journal = SqliteJournal::on(path, Access::Write)?;
        if let Some(days) = keep_days {
            journal.forget_runs(Timestamp::now(), days)?;
        }
        Ok(journal)
    }

    /// Opens the journal at `path` only to read it: nothing is created, updated or forgotten.
    /// (SQLite itself may put its `-wal` and `-shm` files beside it.)
    ///
    /// # Errors
    /// [`JournalError::Missing`] when there is no file; otherwise as [`open`](Self::open).
    pub fn open_read_only(path: &Path) -> Result<SqliteJournal, JournalError> {
        if !fsx::is_private_file(path)? {
            return Err(JournalError::Missing {
                path: path.to_owned(),
            });
        }
        SqliteJournal::on(path, Access::Read)
    }

    fn on(path: &Path, access: Access) -> Result<SqliteJournal, JournalError> {
        let conn = Mutex::new(open::open_existing(path, access)?);
        Ok(SqliteJournal {
            path: path.to_owned(),
            conn,
        })
    }

    fn write<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, TxError>,
    ) -> Result<T, JournalError> {
        let mut conn = self.conn.lock().map_err(|_| JournalError::Poisoned)?;
        conn.immediate_transaction(work)
            .map_err(|error| error.at(&self.path, doing))
    }

    /// One transaction, so that what is read belongs together.
    fn read<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, TxError>,
    ) -> Result<T, JournalError> {
        let mut conn = self.conn.lock().map_err(|_| JournalError::Poisoned)?;
        conn.transaction(work)
            .map_err(|error| error.at(&self.path, doing))
    }
}

impl Journal for SqliteJournal {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        self.write("begin a run", |conn| {
            let row = (
                runs::job.eq(&run.job),
                runs::target.eq(&run.target),
                runs::holder.eq(to_json(&run.holder)?),
                runs::started.eq(run.started.as_microsecond()),
                runs::plan.eq(NO_PLAN),
            );
            diesel::insert_into(runs::table).values(row).execute(conn)?;
            let id: i64 = diesel::select(sql::<BigInt>("last_insert_rowid()")).get_result(conn)?;
            let plan = (plans::run.eq(id), plans::plan.eq(to_json(&run.plan)?));
            diesel::insert_into(plans::table)
                .values(plan)
                .execute(conn)?;
            Ok(RunId(id))
        })
    }

    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        self.write("record an event", |conn| {
            let (mut state, events) = standing(conn, run)?;
            state
                .apply(event)
                .map_err(|source| JournalError::Illegal { run, source })?;
            let row = (
                events::run.eq(run.0),
                events::seq.eq(i64::try_from(events).unwrap_or(i64::MAX)),
                events::at.eq(at.as_microsecond()),
                events::body.eq(to_json(event)?),
            );
            diesel::insert_into(events::table)
                .values(row)
                .execute(conn)?;
            Ok(())
        })
    }

    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        self.write("end a run", |conn| end(conn, run, at, outcome))
    }

    /// In one transaction: there is no moment at which a run that has not ended lacks its plan.
    fn finish_idle(
        &self,
        run: RunId,
        at: Timestamp,
        outcome: &Outcome,
    ) -> Result<(), JournalError> {
        self.write("end a run", |conn| {
            end(conn, run, at, outcome)?;
            diesel::update(runs::table.find(run.0))
                .set(runs::plan.eq(NO_PLAN))
                .execute(conn)?;
            diesel::delete(plans::table.find(run.0)).execute(conn)?;
            Ok(())
        })
    }

    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        self.read("list runs", |conn| {
            let rows = matching(query).load(conn)?;
            rows.into_iter().map(|row| Ok(row.summary()?)).collect()
        })
    }

    fn latest(&self) -> Result<Vec<RunSummary>, JournalError> {
        self.read("list the last runs", |conn| {
            let rows = newest().load(conn)?;
            rows.into_iter().map(|row| Ok(row.summary()?)).collect()
        })
    }

    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        self.read("read a run", |conn| {
            let history = load(conn, run)?;
            history.state()?;
            Ok(history)
        })
    }
}

/// What stands in `runs` where a plan is in `plans`, or is kept no longer.
const NO_PLAN: &str = "null";

fn end(
    conn: &mut SqliteConnection,
    run: RunId,
    at: Timestamp,
    outcome: &Outcome,
) -> Result<(), TxError> {
    let (mut state, _) = standing(conn, run)?;
    state
        .finish(outcome)
        .map_err(|source| JournalError::Illegal { run, source })?;
    diesel::update(runs::table.find(run.0))
        .set((
            runs::finished.eq(at.as_microsecond()),
            runs::outcome.eq(to_json(outcome)?),
        ))
        .execute(conn)?;
    Ok(())
}

type RunRows<'a> = runs::BoxedQuery<'a, Sqlite, diesel::dsl::AsSelect<RunRow, Sqlite>>;

fn matching(query: &Query) -> RunRows<'_> {
    let wanted = runs::table.select(RunRow::as_select());
    let mut wanted = wanted.order(runs::id.desc()).into_boxed();
    if let Some(job) = &query.job {
        wanted = wanted.filter(runs::job.eq(job));
    }
    if let Some(target) = &query.target {
        wanted = wanted.filter(runs::target.eq(target));
    }
    if query.open_only {
        wanted = wanted.filter(runs::finished.is_null());
    }
    if let Some(limit) = query.limit {
        wanted = wanted.limit(i64::from(limit));
    }
    wanted
}

fn newest() -> RunRows<'static> {
    let each = diesel::alias!(runs as each);
    let (id, target, job) = each.fields((runs::id, runs::target, runs::job));
    let newest = each.group_by((target, job)).select(diesel::dsl::max(id));
    runs::table
        .select(RunRow::as_select())
        .filter(runs::id.nullable().eq_any(newest))
        .order(runs::id.desc())
        .into_boxed()
}

/// What can go wrong inside a transaction; the path joins it outside.
enum TxError {
    Journal(JournalError),
    Diesel(DieselError),
}

impl From<JournalError> for TxError {
    fn from(error: JournalError) -> TxError {
        TxError::Journal(error)
    }
}

impl From<DieselError> for TxError {
    fn from(error: DieselError) -> TxError {
        TxError::Diesel(error)
    }
}

impl TxError {
    fn at(self, path: &Path, doing: &'static str) -> JournalError {
        match self {
            TxError::Journal(error) => error,
            TxError::Diesel(error) => database_error(error, path, doing),
        }
    }
}

/// diesel hands SQLite's result code out only as SQLite's text for it.
fn database_error(error: DieselError, path: &Path, doing: &'static str) -> JournalError {
    let text = match &error {
        DieselError::DatabaseError(_, info) => info.message().to_owned(),
        _ => String::new(),
    };
    let path = path.to_owned();
    match text.as_str() {
        "database is locked" => JournalError::Busy { path },
        "database disk image is malformed" | "file is not a database" => {
            JournalError::Corrupt { path, reason: text }
        }
        _ => JournalError::Database {
            path,
            doing,
            source: Box::new(error),
        },
    }
}

fn to_json(value: &impl Serialize) -> Result<String, DieselError> {
    serde_json::to_string(value).map_err(|error| DieselError::SerializationError(error.into()))
}
