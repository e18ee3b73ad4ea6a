//! One database of a rehearsal.

use std::cell::Cell;
use std::sync::Arc;

use elpis_mysql::{ConnectOptions, Error, Params, Session, SessionSettings, quote};
use elpis_run::{MemoryJournal, with_causes};
use jiff::Timestamp;

use super::accounts::make_definers;
use super::held::{self, Blame, Hindrance};
use super::report::RehearsalReport;
use super::{Expect, Probe, Rehearsal, RehearseError};
use crate::archive::{Archive, Verified};
use crate::restore::{
    Accept, Restore, RestoreError, RestorePlan, RestorePolicy, RestoreReport, SqlText, Survey,
    Surveyed,
};
use crate::work::{free_bytes, random_name};

/// The server's code for a table that is not there.
const NO_TABLE: u16 = 1146;
/// With less than so many bytes free a server's failures are for want of room.
const NO_ROOM: u64 = 16 << 20;

/// What one database is rehearsed with.
pub(super) struct One<'a> {
    pub(super) by: &'a Rehearsal<'a>,
    pub(super) connect: &'a ConnectOptions,
    /// Whether the server is ours alone.
    pub(super) is_private: bool,
    pub(super) probes: &'a [Probe],
}

impl One<'_> {
    pub(super) fn rehearse(
        &self,
        archive: Archive<Verified>,
        name: Option<&str>,
        report: &mut RehearsalReport,
    ) -> Result<(), RehearseError> {
        let shown = format!("database {}", name.unwrap_or("of the archive"));
        let text = SqlText::of_archive(archive, name)
            .and_then(|text| text.survey(self.by.stop, &*self.by.observer));
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                report.failed(&shown, held::of_text(&error).found(error)?);
                return Ok(());
            }
        };
        if !self.is_private && !text.survey().events.is_empty() {
            let why = "it has events, which would run on the server: rehearse it with a server \
                       program";
            report.failed(&shown, why.to_owned());
            return Ok(());
        }
        // Nobody else's database has such a name, and only this one is dropped.
        let database = format!("elpis_rehearsal_{}", random_name());
        let begun = Cell::new(false);
        let looked = match self.restore(&text, &database, &begun) {
            Ok((restored, seconds)) => {
                report.databases += 1;
                report.databases_s += seconds;
                report.tables += restored.tables;
                report.rows += restored.rows;
                report.warnings.extend(restored.warnings);
                let rows = format!("{} rows in {} tables", restored.rows, restored.tables);
                report.passed(&shown, format!("restored and compared: {rows}"));
                self.look(&database, text.survey(), report)
            }
            Err((blame, error)) => self
                .look_around(blame)
                .found(error)
                .map(|said| report.failed(&shown, said)),
        };
        let dropped = match begun.get() && !self.is_private {
            true => self.drop_all(&database),
            false => Ok(()),
        };
        // What is left on somebody's server is worth more than a word about the archive.
        dropped.and(looked)
    }

    /// What a failure is about, seen once more: a server that is gone says nothing about an archive,
    /// whatever it has said before.
    fn look_around(&self, blame: Blame) -> Blame {
        if blame == Blame::Stopped {
            return blame;
        }
        let has_room = free_bytes(self.by.scratch).is_ok_and(|free| free >= NO_ROOM);
        if self.is_private && !has_room {
            return Blame::Other(Hindrance::Room);
        }
        let answers = self.ask_server(async |session| session.execute("DO 1", Params::Empty).await);
        match answers {
            Ok(_) => blame,
            Err(_) => Blame::Other(Hindrance::Server),
        }
    }

    /// What came out and after how many seconds, or what failed and what that is about. From
    /// `begun` on there may be databases.
    fn restore(
        &self,
        text: &SqlText<Surveyed>,
        database: &str,
        begun: &Cell<bool>,
    ) -> Result<(RestoreReport, f64), (Blame, RestoreError)> {
        let by = self.by;
        let judged = |error: RestoreError| (held::of_restore(&error), error);
        let journal = MemoryJournal::new();
        let engine = Restore {
            connect: self.connect.clone(),
            journal: &journal,
            observer: Arc::clone(&by.observer),
            clock: by.clock,
            stop: by.stop,
            holder: by.holder.clone(),
            services: None,
        };
        if self.is_private {
            let definers = &text.survey().definers;
            self.ask_server(async |session| make_definers(session, definers).await)
                .map_err(|source| {
                    let doing = "making the definers' accounts".to_owned();
                    judged(RestoreError::Server { doing, source })
                })?;
        }
        let policy = policy(database);
        let facts = engine.inspect(&policy, text).map_err(judged)?;
        let plan = RestorePlan::new(&policy, &facts, text.survey(), by.clock.now());
        if !plan.refusals.is_empty() {
            let blame = held::of_plan(&plan, text.survey());
            let refusals = plan.refusals;
            return Err((blame, RestoreError::Refused { refusals }));
        }
        let start = by.clock.monotonic();
        begun.set(true);
        let report = engine.run(&plan, text).map_err(judged)?;
        Ok((report, (by.clock.monotonic() - start).as_secs_f64()))
    }

    /// Counts every table once more, by ourselves, and asks the probes.
    fn look(
        &self,
        database: &str,
        survey: &Survey,
        report: &mut RehearsalReport,
    ) -> Result<(), RehearseError> {
        let looked = self.ask_server(async |session| {
            session
                .execute(&format!("USE {}", quoted(database)?), Params::Empty)
                .await?;
            self.count(session, database, survey, report).await?;
            for probe in self.probes {
                self.ask(session, probe, report).await?;
            }
            Ok(())
        });
        // A table that cannot even be counted is found out by name there.
        looked.or_else(|error| match self.look_around(held::of_server(&error)) {
            Blame::Archive => {
                report.failed("tables", with_causes(&error));
                Ok(())
            }
            blame => blame.found(error).map(drop),
        })
    }

    /// Has a session of the server for as long as a restore's statements may take.
    fn ask_server<T>(
        &self,
        ask: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let settings = SessionSettings {
            statement_timeout: policy("").statement_timeout,
            ..SessionSettings::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Driver {
                message: error.to_string(),
            })?;
        runtime.block_on(async {
            let mut session = Session::open(self.connect, &settings).await?;
            let asked = ask(&mut session).await?;
            session.close().await?;
            Ok(asked)
        })
    }

    async fn count(
        &self,
        session: &mut Session,
        database: &str,
        survey: &Survey,
        report: &mut RehearsalReport,
    ) -> Result<(), Error> {
        let mut different = Vec::new();
        for table in &survey.tables {
            let name = format!("{}.{}", quoted(database)?, quoted(&table.name)?);
            let sql = format!("SELECT COUNT(*) FROM {name}");
            let rows: Option<u64> = match session.first(&sql, Params::Empty).await {
                Err(error) if error.code() == Some(NO_TABLE) => None,
                other => other?,
            };
            if rows != Some(table.rows) {
                let rows = rows.map_or("none".to_owned(), |rows| rows.to_string());
                let (name, told) = (&table.name, table.rows);
                different.push(format!("{name} has {rows} rows, not {told}"));
            }
        }
        let said = match different.is_empty() {
            true => format!("all {} are there with all their rows", survey.tables.len()),
            false => different.join("; "),
        };
        report.found("tables", different.is_empty(), said);
        Ok(())
    }

    async fn ask(
        &self,
        session: &mut Session,
        probe: &Probe,
        report: &mut RehearsalReport,
    ) -> Result<(), Error> {
        let sql = format!("SELECT CAST(({}) AS CHAR)", probe.sql);
        let answer: Option<Option<String>> = match session.first(&sql, Params::Empty).await {
            Err(error) if error.code() == Some(NO_TABLE) => return Ok(()),
            Err(error) if held::of_server(&error) == Blame::Archive => {
                report.failed(&probe.name, with_causes(&error));
                return Ok(());
            }
            other => other?,
        };
        let answer = answer.flatten();
        let said = answer.clone().unwrap_or_else(|| "nothing".to_owned());
        let (passed, said) = match &probe.expect {
            Expect::Something => (answer.is_some(), said),
            Expect::Exactly(expected) if answer.as_ref() == Some(expected) => (true, said),
            Expect::Exactly(expected) => (false, format!("{said}, not {expected}")),
            Expect::NewestData => self.newest(answer.as_deref(), report),
        };
        report.found(&probe.name, passed, said);
        Ok(())
    }

    fn newest(&self, answer: Option<&str>, report: &mut RehearsalReport) -> (bool, String) {
        let moment = answer
            .and_then(|text| text.parse::<f64>().ok())
            .and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
        let Some(moment) = moment else {
            let passed = self.by.max_data_age.is_none();
            return (passed, "there is no data".to_owned());
        };
        report.newest_data = report.newest_data.max(Some(moment));
        let age = report.began.duration_since(moment).as_secs().max(0);
        let limit = self.by.max_data_age.map(|limit| limit.as_secs());
        let passed = limit.is_none_or(|limit| age.unsigned_abs() <= limit);
        (passed, format!("{moment}, {age} s before the backup began"))
    }

    /// Removes what the rehearsal has made on a server that is not ours.
    fn drop_all(&self, database: &str) -> Result<(), RehearseError> {
        let dropped = self.ask_server(async |session| {
            let sql = "SELECT schema_name FROM information_schema.schemata \
                       WHERE LEFT(schema_name, ?) = ?";
            let params = Params::Positional(vec![database.len().into(), database.into()]);
            let names: Vec<String> = session.rows(sql, params).await?;
            for name in names {
                let drop = format!("DROP DATABASE {}", quoted(&name)?);
                session.execute(&drop, Params::Empty).await?;
            }
            Ok(())
        });
        dropped.map_err(|source| RehearseError::Left {
            start: database.to_owned(),
            source,
        })
    }
}

fn policy(database: &str) -> RestorePolicy {
    let mut policy = RestorePolicy::new(database);
    // What views read elsewhere is not in the archive, and nothing against it.
    policy.accept.insert(Accept::Views);
    policy
}

fn quoted(name: &str) -> Result<String, Error> {
    quote(name).map_err(|error| Error::Options {
        reason: error.to_string(),
    })
}
