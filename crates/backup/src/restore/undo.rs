//! Taking a restore back, and giving up what taking it back would need.

use serde::{Deserialize, Serialize};

use elpis_run::RunId;

use super::error::RestoreError;
use super::event::RestoreEvent;
use super::names::beside;
use super::plan::RestorePlan;
use super::report::UndoReport;
use super::session::{Ask, quoted};
use super::swap::{Moves, Scripts, Whose, base_tables, exists, live_tables, probe, take_down};
use super::work::Work;

/// The plan of a run that takes a restore back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UndoPlan {
    /// The restore.
    pub(super) restore: RunId,
    pub(super) plan: RestorePlan,
    /// Whether the live database had the restored tables when this began.
    pub(super) exchanged: bool,
    /// Whether the restore had taken something down and had not put it back.
    #[serde(default = "yes")]
    pub(super) down: bool,
}

/// Plans of earlier versions did not say.
fn yes() -> bool {
    true
}

impl RestorePlan {
    /// The database that keeps what the restore brought, once it is taken back.
    pub(super) fn new_database(&self) -> String {
        let tag = self.side.rsplit('_').next().unwrap_or_default();
        beside(&self.policy.database, "new", tag)
    }
}

impl Work<'_> {
    /// Everything of taking a restore back that is not done yet.
    pub(super) fn take_back(&mut self, undo: &UndoPlan) -> Result<UndoReport, RestoreError> {
        let database = self.plan.policy.database.clone();
        let kept = if undo.exchanged {
            self.exchange_back()?;
            self.exchange_step("objects", |work| work.install_old())?;
            self.exchange_step("events", |work| work.old_events())?;
            self.exchange_step("start services", |work| work.start_services())?;
            Some(self.plan.new_database())
        } else if self.plan.policy.scope.rows().is_some() {
            self.exchange_step("take out", |work| work.take_rows_out())?;
            None
        } else {
            self.exchange_step("put back", |work| match undo.down {
                true => work.put_back().and_then(|()| work.start_services()),
                false => work.start_services(),
            })?;
            None
        };
        self.exchange_step("clean up", |work| {
            work.drop_database(&work.plan.side)?;
            if let Some(rest) = &work.plan.rest {
                work.drop_database(&rest.side)?;
            }
            work.drop_if_ours(&work.plan.old)
        })?;
        Ok(UndoReport {
            run: self.steps.run,
            restore: undo.restore,
            database,
            kept,
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    /// Exchanges the tables again. What fails before that is put back at once.
    fn exchange_back(&mut self) -> Result<(), RestoreError> {
        let exchanged = self
            .prepare_back()
            .and_then(|()| self.exchange_step("rename", |work| work.rename_back()));
        let Err(error) = exchanged else {
            return Ok(());
        };
        if !self.steps.is_down() {
            self.release(&error)?;
            return Err(error);
        }
        let is_new = match self.reconnect() {
            Ok(()) => !self.is_old()?,
            Err(_) => !self.steps.is_renaming(),
        };
        if is_new {
            match self.put_new_back() {
                Ok(()) => self.release(&error)?,
                Err(failed) => self.start_without(failed)?,
            }
        }
        Err(error)
    }

    /// What was taken down comes back.
    fn put_new_back(&mut self) -> Result<(), RestoreError> {
        let last = self.last()?;
        let (runtime, control, plan) = self.parts();
        runtime.block_on(last.put_back(control, &plan.policy.database))
    }

    /// Everything of it but the exchange.
    fn prepare_back(&mut self) -> Result<(), RestoreError> {
        if !self.steps.is_down() {
            self.exchange_step("capture", |work| work.capture_last())?;
        }
        let were_stopped = self.steps.is_done(&self.steps.of_exchange("stop services"));
        self.exchange_step("stop services", |work| work.stop_services())?;
        if were_stopped && !self.is_old()? {
            self.stop_services()?;
        }
        if !self.steps.is_down() {
            self.capture_last()?;
        }
        self.exchange_step("take down", |work| work.take_new_down())
    }

    /// Keeps what the live database has besides tables in the database that will keep its tables: it
    /// may be newer than what the text made.
    fn capture_last(&mut self) -> Result<(), RestoreError> {
        if self.is_old()? {
            // It had been exchanged by a process that kept nothing.
            return Ok(());
        }
        let new = self.plan.new_database();
        let (old, _) = self.kept()?;
        let (runtime, control, plan) = self.parts();
        runtime.block_on(async {
            let database = &plan.policy.database;
            let name = quoted(&new)?;
            control
                .tell(&format!("CREATE DATABASE IF NOT EXISTS {name}"))
                .await?;
            let last = Scripts::read(control, database, plan.policy.scope.only()).await?;
            last.check()?;
            let tables = base_tables(control, &plan.old).await?;
            last.check_replaced(&plan.policy, &tables, Some(&old))?;
            last.keep_texts(control, &new).await?;
            last.keep(control, &new, Whose::Last).await
        })?;
        self.reconnect()
    }

    /// What the live database had when it was taken back; of an undo that an earlier version began,
    /// what the text made.
    fn last(&mut self) -> Result<Scripts, RestoreError> {
        let new = self.plan.new_database();
        let (runtime, control, _) = self.parts();
        match runtime.block_on(Scripts::kept(control, &new, Whose::Last))? {
            Some(last) => Ok(last),
            None => Ok(self.kept()?.1),
        }
    }

    /// Whether the live database has the tables that it had before the restore.
    pub(super) fn is_old(&mut self) -> Result<bool, RestoreError> {
        let (runtime, control, plan) = self.parts();
        // Where there were none, none may be there.
        let there = runtime.block_on(async {
            match plan.had_tables() {
                true => base_tables(control, &plan.old).await,
                false => live_tables(control, &plan.policy).await,
            }
        })?;
        Ok(there.is_empty())
    }

    fn take_new_down(&mut self) -> Result<(), RestoreError> {
        let (observer, clock) = (self.observer(), self.restore.clock);
        let (runtime, control, plan) = self.parts();
        runtime.block_on(async {
            let coming = base_tables(control, &plan.old).await?;
            let database = &plan.policy.database;
            let live = live_tables(control, &plan.policy).await?;
            probe(control, &live, &plan.policy, clock, &observer).await?;
            take_down(control, database, &coming, plan.policy.scope.only()).await
        })
    }

    fn rename_back(&mut self) -> Result<(), RestoreError> {
        if self.is_old()? {
            // A process that died had done it.
            self.observer().on(&RestoreEvent::AlreadyExchanged);
            return Ok(());
        }
        let observer = self.observer();
        let clock = self.restore.clock;
        let new = self.plan.new_database();
        let (runtime, control, plan) = self.parts();
        let database = &plan.policy.database;
        let took = runtime.block_on(async {
            let name = quoted(&new)?;
            control
                .tell(&format!("CREATE DATABASE IF NOT EXISTS {name}"))
                .await?;
            let mut moves = Moves::default();
            moves.add(&live_tables(control, &plan.policy).await?, database, &new)?;
            moves.add(&base_tables(control, &plan.old).await?, &plan.old, database)?;
            moves
                .carry_out(control, &plan.policy, clock, &observer)
                .await
        })?;
        let took_ms = took.as_secs_f64() * 1000.0;
        self.restore
            .observer
            .on(&RestoreEvent::Exchanged { took_ms });
        Ok(())
    }

    fn install_old(&mut self) -> Result<(), RestoreError> {
        let (old, new) = self.kept()?;
        let mut last = self.last()?;
        // A view of the text that nobody can make any more is not in the last look.
        last.add_names(&new);
        let (runtime, control, plan) = self.parts();
        let database = &plan.policy.database;
        runtime.block_on(async {
            old.install(control, database, &last).await?;
            // It was made for the restore.
            if plan.facts.live.is_none() && base_tables(control, database).await?.is_empty() {
                let name = quoted(database)?;
                control
                    .tell(&format!("DROP DATABASE IF EXISTS {name}"))
                    .await?;
            }
            Ok::<_, RestoreError>(())
        })?;
        self.reconnect()
    }

    fn old_events(&mut self) -> Result<(), RestoreError> {
        if self.plan.facts.live.is_none() {
            return Ok(());
        }
        let (old, _) = self.kept()?;
        let (runtime, control, plan) = self.parts();
        runtime.block_on(old.install_events(control, &plan.policy.database))?;
        self.reconnect()
    }

    /// Removes a database that holds nothing but what a restore keeps for itself.
    fn drop_if_ours(&mut self, name: &str) -> Result<(), RestoreError> {
        let (runtime, control, _) = self.parts();
        runtime.block_on(async {
            if !exists(control, name).await? {
                return Ok(());
            }
            let tables = base_tables(control, name).await?;
            if tables.is_empty() {
                let name = quoted(name)?;
                return control.tell(&format!("DROP DATABASE {name}")).await;
            }
            Err(RestoreError::NeedsPerson {
                what: format!(
                    "{name} still has {} tables: {}",
                    tables.len(),
                    tables.join(" ")
                ),
            })
        })
    }
}
