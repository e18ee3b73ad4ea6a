//! One database of a rehearsal.

use std::sync::Arc;

use elpis_mysql::{ConnectOptions, Error, Params, Session, SessionSettings, quote};
use elpis_run::{MemoryJournal, with_causes};
use jiff::Timestamp;

use super::report::RehearsalReport;
use super::{Expect, Probe, Rehearsal, RehearseError};
use crate::archive::{Archive, Verified};
use crate::restore::{
    Accept, Restore, RestoreError, RestorePlan, RestorePolicy, RestoreReport, SqlText, Survey,
    Surveyed, TextError,
};
use crate::work::random_name;

/// The server's code for a table that is not there.
const NO_TABLE: u16 = 1146;

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
            Err(TextError::Stopped) => return Err(RehearseError::Stopped),
            Err(error) => {
                report.failed(&shown, with_causes(&error));
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
        let restored = self.restore(&text, &database);
        let looked = match restored {
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
            Err(RestoreError::Stopped) => Err(RehearseError::Stopped),
            Err(error) => {
                report.failed(&shown, with_causes(&error));
                Ok(())
            }
        };
        if !self.is_private {
            self.drop_all(&database)?;
        }
        looked
    }

    fn restore(
        &self,
        text: &SqlText<Surveyed>,
        database: &str,
    ) -> Result<(RestoreReport, f64), RestoreError> {
        let by = self.by;
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
        let mut policy = RestorePolicy::new(database);
        // What views read elsewhere is not in the archive, and nothing against it.
        policy.accept.insert(Accept::Views);
        let facts = engine.inspect(&policy, text)?;
        let plan = RestorePlan::new(&policy, &facts, text.survey(), by.clock.now());
        if !plan.refusals.is_empty() {
            let refusals = plan.refusals;
            return Err(RestoreError::Refused { refusals });
        }
        let start = by.clock.monotonic();
        let report = engine.run(&plan, text)?;
        Ok((report, (by.clock.monotonic() - start).as_secs_f64()))
    }

    /// Counts every table once more, by ourselves, and asks the probes.
    fn look(
        &self,
        database: &str,
        survey: &Survey,
        report: &mut RehearsalReport,
    ) -> Result<(), RehearseError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(RehearseError::Threads)?;
        runtime
            .block_on(async {
                let connect = ConnectOptions {
                    database: Some(database.to_owned()),
                    ..self.connect.clone()
                };
                let mut session = Session::open(&connect, &SessionSettings::default()).await?;
                self.count(&mut session, database, survey, report).await?;
                for probe in self.probes {
                    self.ask(&mut session, probe, report).await?;
                }
                session.close().await
            })
            .map_err(RehearseError::Session)
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
            Err(error) if error.code().is_some() => {
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(RehearseError::Threads)?;
        runtime
            .block_on(async {
                let settings = SessionSettings::default();
                let mut session = Session::open(self.connect, &settings).await?;
                let sql = "SELECT schema_name FROM information_schema.schemata \
                           WHERE LEFT(schema_name, ?) = ?";
                let params = Params::Positional(vec![database.len().into(), database.into()]);
                let names: Vec<String> = session.rows(sql, params).await?;
                for name in names {
                    let drop = format!("DROP DATABASE {}", quoted(&name)?);
                    session.execute(&drop, Params::Empty).await?;
                }
                session.close().await
            })
            .map_err(RehearseError::Session)
    }
}

fn quoted(name: &str) -> Result<String, Error> {
    quote(name).map_err(|error| Error::Options {
        reason: error.to_string(),
    })
}
