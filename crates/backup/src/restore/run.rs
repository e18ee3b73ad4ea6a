//! Carrying a plan out: everything beside the live database first, the exchange last.

use super::compare::compare;
use super::error::RestoreError;
use super::event::RestoreEvent;
use super::grants;
use super::load::{Loader, Marks, build};
use super::plan::RestorePlan;
use super::policy::Grants;
use super::report::{RestorePhases, RestoreReport};
use super::session::{Ask, quoted};
use super::swap::{exists, flush, make_durable};
use super::text::{SqlText, Surveyed};
use super::work::Work;

/// The step after which the product can work.
pub(super) const START: &str = "start services";
/// The step that puts rows into live tables.
pub(super) const INSERT: &str = "insert";

impl<'a> Work<'a> {
    /// Everything that is not done yet.
    pub(super) fn drive(
        &mut self,
        text: Option<&SqlText<Surveyed>>,
    ) -> Result<RestoreReport, RestoreError> {
        let mut report = RestoreReport {
            run: Some(self.steps.run),
            database: self.plan.policy.database.clone(),
            old: self.plan.old.clone(),
            tables: self.plan.tables.len() as u64,
            rows: self.plan.tables.iter().map(|table| table.text.rows).sum(),
            warnings: self.plan.warnings.clone(),
            ..RestoreReport::default()
        };
        self.step("side database", |work| work.make_side())?;
        let mut phases = RestorePhases::default();
        let clock = self.restore.clock;
        let begun = clock.monotonic();
        if !self.steps.is_done("load") {
            let text = self.same_text(text)?;
            self.step("load", |work| work.load(text, &mut report))?;
        }
        phases.load_s = (clock.monotonic() - begun).as_secs_f64();
        let begun = clock.monotonic();
        self.step("indexes", |work| work.indexes())?;
        phases.indexes_s = (clock.monotonic() - begun).as_secs_f64();
        let begun = clock.monotonic();
        self.step("compare", |work| work.compare())?;
        phases.compare_s = (clock.monotonic() - begun).as_secs_f64();
        if self.plan.policy.scope.rows().is_some() {
            report.phases = phases;
            return self.drive_rows(report);
        }
        let begun = clock.monotonic();
        let exchanged = self.exchange()?;
        if let Some(took) = exchanged {
            report.exchange_ms = took.as_secs_f64() * 1000.0;
        }
        self.exchange_step("objects", |work| work.install())?;
        if self.plan.policy.scope.is_whole() {
            self.exchange_step("grants", |work| work.grants(text, &mut report))?;
        }
        self.exchange_step("events", |work| work.events())?;
        self.exchange_step(START, |work| work.start_services())?;
        phases.standstill_s = (clock.monotonic() - begun).as_secs_f64();
        self.exchange_step("clean up", |work| work.drop_database(&work.plan.side))?;
        if let Some(rest) = &self.plan.rest {
            self.follow(rest, text, &mut report)?;
        }
        report.phases = phases;
        report.warnings.append(&mut self.warnings);
        Ok(report)
    }

    /// The rows that were not needed for the exchange, while the product works.
    fn follow(
        &mut self,
        rest: &'a RestorePlan,
        text: Option<&SqlText<Surveyed>>,
        report: &mut RestoreReport,
    ) -> Result<(), RestoreError> {
        let later = rest.policy.later.iter().map(|later| later.table.clone());
        let later = later.collect();
        self.restore.observer.on(&RestoreEvent::Usable { later });
        let exchanged = std::mem::replace(&mut self.plan, rest);
        let loaded = self.load_rest(text, report);
        self.plan = exchanged;
        loaded?;
        self.step("fill", |work| work.fill_rest())?;
        if self.steps.is_done("clean up rest") {
            return Ok(());
        }
        report.inserted = self.inserted_rows()?;
        report.rows += report.inserted.values().sum::<u64>();
        self.step("clean up rest", |work| work.drop_database(&rest.side))
    }

    fn load_rest(
        &mut self,
        text: Option<&SqlText<Surveyed>>,
        report: &mut RestoreReport,
    ) -> Result<(), RestoreError> {
        self.step("rest database", |work| work.make_side())?;
        if !self.steps.is_done("rest load") {
            let text = self.same_text(text)?;
            self.step("rest load", |work| {
                let loaded = report.loaded;
                work.load(text, report)?;
                report.loaded += loaded;
                Ok(())
            })?;
        }
        self.step("rest indexes", |work| work.indexes())?;
        self.step("rest compare", |work| work.compare())
    }

    /// The text, which must be the one of the plan.
    fn same_text<'t>(
        &self,
        text: Option<&'t SqlText<Surveyed>>,
    ) -> Result<&'t SqlText<Surveyed>, RestoreError> {
        let run = self.steps.run;
        let text = text.ok_or(RestoreError::NeedsText { run })?;
        if text.survey().blake3 != self.plan.text {
            let why = "it restores another text than this one";
            return Err(RestoreError::run(run, why));
        }
        Ok(text)
    }

    /// What comes after the comparison if nothing is exchanged.
    fn drive_rows(&mut self, mut report: RestoreReport) -> Result<RestoreReport, RestoreError> {
        self.step("prepare", |work| work.prepare_rows())?;
        self.step(INSERT, |work| work.insert_rows())?;
        report.is_of_rows = true;
        report.inserted = self.inserted_rows()?;
        report.rows = report.inserted.values().sum();
        report.tables = report.inserted.len() as u64;
        let (runtime, control, plan) = self.parts();
        // A process that died may have removed it.
        if runtime.block_on(exists(control, &plan.side))? {
            let (_, remark) = self.rows_parts()?;
            remark.into_iter().for_each(|remark| self.warn(remark));
        }
        self.exchange_step("clean up", |work| work.drop_database(&work.plan.side))?;
        report.warnings.append(&mut self.warnings);
        Ok(report)
    }

    pub(super) fn make_side(&mut self) -> Result<(), RestoreError> {
        let side = quoted(&self.plan.side)?;
        let live = self.plan.facts.live.as_ref();
        let charset = self.plan.charset.clone();
        let charset = charset.or_else(|| live.map(|l| (l.charset.clone(), l.collation.clone())));
        let (runtime, control, plan) = self.parts();
        runtime.block_on(async {
            let options = match charset {
                Some((charset, collation)) => defaults_clause(&charset, &collation)?,
                None => String::new(),
            };
            control
                .tell(&format!("CREATE DATABASE IF NOT EXISTS {side} {options}"))
                .await?;
            Marks::new(&plan.side)?.create(control).await
        })
    }

    pub(super) fn load(
        &mut self,
        text: &SqlText<Surveyed>,
        report: &mut RestoreReport,
    ) -> Result<(), RestoreError> {
        let loader = Loader {
            plan: self.plan,
            opening: self.opening(),
            observer: self.observer(),
            stop: self.restore.stop,
        };
        let loaded = loader.load(&self.runtime, &mut self.control, text.reader()?)?;
        report.loaded = loaded.rows;
        report.retries = loaded.retries;
        if loaded.warnings > 0 {
            self.warn(format!(
                "the server had {} warnings about rows",
                loaded.warnings
            ));
        }
        // The text has set this session up for its own ends.
        self.reconnect()?;
        // The step is about to be done, and its rows must not be gone later.
        let (runtime, control, plan) = self.parts();
        runtime.block_on(make_durable(control, &plan.side))?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), RestoreError> {
        let (runtime, control, plan) = self.parts();
        if !runtime.block_on(flush(control, &plan.side))? {
            let side = &plan.side;
            self.warn(format!(
                "without RELOAD ON *.* the tables of {side} that have no transactions are not flushed: \
                 if the server dies before they are exchanged, undo and restore again"
            ));
        }
        Ok(())
    }

    /// Builds the indexes that were left for later, some tables at a time.
    pub(super) fn indexes(&mut self) -> Result<(), RestoreError> {
        let opening = self.opening();
        let observer = self.observer();
        let sessions = self.plan.policy.sessions;
        let (runtime, control, plan) = self.parts();
        let marks = Marks::new(&plan.side)?;
        runtime.block_on(async {
            let mut waiting = Vec::new();
            for made in marks.remembered(control).await? {
                // What an earlier try has built is there.
                let is_built = marks.show(control, &made.table).await? == made.create;
                if let Some(alter) = made.add_keys(&plan.side)?.filter(|_| !is_built) {
                    waiting.push((made.table, alter));
                }
            }
            let mut building = tokio::task::JoinSet::new();
            loop {
                while building.len() < sessions
                    && let Some((table, alter)) = waiting.pop()
                {
                    let opening = opening.clone();
                    building.spawn(async move {
                        build(&opening, &table, &alter).await?;
                        Ok::<String, RestoreError>(table)
                    });
                }
                match building.join_next().await {
                    None => return Ok::<(), RestoreError>(()),
                    Some(Ok(built)) => {
                        let table = built?;
                        observer.on(&RestoreEvent::Indexed { table });
                    }
                    Some(Err(error)) => {
                        return Err(RestoreError::Threads(std::io::Error::other(error)));
                    }
                }
            }
        })?;
        self.flush()
    }

    fn compare(&mut self) -> Result<(), RestoreError> {
        let restore = self.restore;
        let (runtime, control, plan) = self.parts();
        runtime.block_on(compare(control, &restore.connect, plan, restore.stop))
    }

    fn grants(
        &mut self,
        text: Option<&SqlText<Surveyed>>,
        report: &mut RestoreReport,
    ) -> Result<(), RestoreError> {
        let Some(text) = text else {
            self.warn(
                "accounts and rights were not compared: the archive was not given".to_owned(),
            );
            return Ok(());
        };
        let Some(wanted) = text.grants() else {
            return Ok(());
        };
        let apply = self.plan.policy.grants == Grants::Apply;
        let (runtime, control, plan) = self.parts();
        let missing = runtime.block_on(grants::missing(
            control,
            wanted,
            &plan.policy.database,
            apply,
        ));
        match missing {
            Ok(missing) => report.missing_grants = missing,
            // The data is there; who may use it is the next question, and not worth the data.
            Err(error) => self.warn(format!(
                "accounts and rights could not be compared: {}",
                elpis_run::with_causes(&error)
            )),
        }
        Ok(())
    }

    pub(super) fn drop_database(&mut self, name: &str) -> Result<(), RestoreError> {
        let (runtime, control, _) = self.parts();
        let name = quoted(name)?;
        runtime.block_on(control.tell(&format!("DROP DATABASE IF EXISTS {name}")))
    }
}

/// The defaults of a database as a clause of a statement.
pub(super) fn defaults_clause(charset: &str, collation: &str) -> Result<String, RestoreError> {
    let (charset, collation) = (word(charset)?, word(collation)?);
    Ok(format!("CHARACTER SET {charset} COLLATE {collation}"))
}

/// A character set or collation as a word: nothing else may stand in a statement.
fn word(name: &str) -> Result<&str, RestoreError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !name.is_empty() && name.chars().all(plain) {
        true => Ok(name),
        false => Err(RestoreError::NeedsPerson {
            what: format!("{name:?} is no character set"),
        }),
    }
}

impl RestorePlan {
    /// What the run works on, as the journal has it.
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.facts.target, self.policy.database)
    }
}
