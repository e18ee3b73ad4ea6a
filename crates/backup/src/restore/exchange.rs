//! The exchange: everything that touches the live database, and how it is put back.

use std::time::Duration;

use elpis_run::with_causes;

use super::error::RestoreError;
use super::event::RestoreEvent;
use super::load::Marks;
use super::plan::RestorePlan;
use super::run::defaults_clause;
use super::session::{Ask, quoted};
use super::swap::{
    Moves, Scripts, Whose, base_tables, exists, expect_packet, live_tables, probe, take_down,
};
use super::work::Work;

impl Work<'_> {
    /// Exchanges the tables. What fails before that is put back at once; `None` if another process
    /// had done it.
    pub(super) fn exchange(&mut self) -> Result<Option<Duration>, RestoreError> {
        self.step("capture", |work| work.capture_new())?;
        let mut took = None;
        let exchanged = self.prepare().and_then(|()| {
            self.exchange_step("rename", |work| {
                took = work.rename()?;
                Ok(())
            })
        });
        let Err(error) = exchanged else {
            self.observer().on(&match took {
                Some(took) => RestoreEvent::Exchanged {
                    took_ms: took.as_secs_f64() * 1000.0,
                },
                None => RestoreEvent::AlreadyExchanged,
            });
            return Ok(took);
        };
        if !self.steps.is_down() {
            // Nothing was touched, whether the server answers or not. And what is kept may be older
            // than what is there.
            self.release(&error)?;
            return Err(error);
        }
        // Whatever the answer was: what is, is what counts.
        let is_old = match self.reconnect() {
            Ok(()) => !self.is_exchanged()?,
            Err(_) => !self.steps.is_renaming(),
        };
        if is_old {
            match self.put_back() {
                Ok(()) => self.release(&error)?,
                Err(failed) => self.start_without(failed)?,
            }
        }
        Err(error)
    }

    /// The live database is as it was, and whoever stood still for its exchange works again. It is
    /// noted first: should a service not start, the next try takes everything down once more. A
    /// journal that takes no note is no reason to let anybody stand still.
    pub(super) fn release(&mut self, why: &RestoreError) -> Result<(), RestoreError> {
        let noted = self.steps.note_put_back(why);
        let why = with_causes(why);
        self.restore.observer.on(&RestoreEvent::PutBack { why });
        self.start_services()?;
        noted
    }

    /// The tables are the old ones, and not everything besides them could be made again. Whoever
    /// writes into them does no harm by it unless triggers are missing, and standing still does some.
    pub(super) fn start_without(&mut self, failed: RestoreError) -> Result<(), RestoreError> {
        let live = self.plan.facts.live.iter();
        let mut triggers = live.flat_map(|live| live.triggers.values());
        let scope = &self.plan.policy.scope;
        if self.plan.triggers > 0 || triggers.any(|table| scope.concerns(table)) {
            return Err(failed);
        }
        self.warn(format!(
            "the services are started, but views or events may be missing until a resume or undo: {}",
            with_causes(&failed)
        ));
        self.start_services()
    }

    /// What the text made besides tables, and the database that will keep the old tables.
    fn capture_new(&mut self) -> Result<(), RestoreError> {
        let old = quoted(&self.plan.old)?;
        let (runtime, control, plan) = self.parts();
        let new = runtime.block_on(async {
            control
                .tell(&format!("CREATE DATABASE IF NOT EXISTS {old}"))
                .await?;
            // The text has left its own defaults there, and the live database keeps its own.
            if !plan.policy.scope.is_whole()
                && let Some(live) = &plan.facts.live
            {
                let defaults = defaults_clause(&live.charset, &live.collation)?;
                let alter = format!("ALTER DATABASE {} {defaults}", quoted(&plan.side)?);
                control.tell(&alter).await?;
            }
            let mut new = Scripts::read(control, &plan.side, plan.policy.scope.only()).await?;
            new.firing = Marks::new(&plan.side)?.firing(control).await?;
            new.check()?;
            new.keep(control, &plan.old, Whose::New).await?;
            Ok::<Scripts, RestoreError>(new)
        })?;
        for warning in new.warnings {
            self.warn(warning);
        }
        self.reconnect()
    }

    /// Everything of the exchange but the exchange.
    fn prepare(&mut self) -> Result<(), RestoreError> {
        self.exchange_step("capture old", |work| work.capture_old())?;
        let were_stopped = self.steps.is_done(&self.steps.of_exchange("stop services"));
        self.exchange_step("stop services", |work| work.stop_services())?;
        if were_stopped && !self.is_exchanged()? {
            // Somebody may have started them since.
            self.stop_services()?;
        }
        // Somebody may have changed something since, perhaps for days if a process died.
        if !self.steps.is_down() {
            self.capture_old()?;
        }
        self.exchange_step("take down", |work| work.take_down())
    }

    fn capture_old(&mut self) -> Result<(), RestoreError> {
        let (runtime, control, plan) = self.parts();
        let database = &plan.policy.database;
        let old = runtime.block_on(async {
            let old = match exists(control, database).await? {
                true => Scripts::read(control, database, plan.policy.scope.only()).await?,
                false => Scripts::default(),
            };
            old.check()?;
            expect_packet(control, plan).await?;
            let new = Scripts::kept(control, &plan.old, Whose::New).await?;
            let names = plan.tables.iter().map(|table| table.text.name.clone());
            let tables: Vec<String> = names.collect();
            old.check_replaced(&plan.policy, &tables, new.as_ref())?;
            old.keep(control, &plan.old, Whose::Old).await?;
            Ok::<Scripts, RestoreError>(old)
        })?;
        for warning in old.warnings {
            self.warn(format!("of the live database: {warning}"));
        }
        self.reconnect()
    }

    fn take_down(&mut self) -> Result<(), RestoreError> {
        let (observer, clock) = (self.observer(), self.restore.clock);
        let (runtime, control, plan) = self.parts();
        let database = &plan.policy.database;
        runtime.block_on(async {
            let coming = base_tables(control, &plan.side).await?;
            let live = quoted(database)?;
            control
                .tell(&format!("CREATE DATABASE IF NOT EXISTS {live}"))
                .await?;
            take_down(control, &plan.side, &[], None).await?;
            let live = live_tables(control, &plan.policy).await?;
            probe(control, &live, &plan.policy, clock, &observer).await?;
            take_down(control, database, &coming, plan.policy.scope.only()).await
        })
    }

    fn rename(&mut self) -> Result<Option<Duration>, RestoreError> {
        if self.is_exchanged()? {
            // A process that died had done it.
            return Ok(None);
        }
        let observer = self.observer();
        let clock = self.restore.clock;
        let (runtime, control, plan) = self.parts();
        let database = &plan.policy.database;
        runtime.block_on(async {
            let coming = base_tables(control, &plan.side).await?;
            if coming.len() < plan.tables.len() {
                return Err(plan.incomplete(coming.len()));
            }
            let mut moves = Moves::default();
            moves.add(
                &live_tables(control, &plan.policy).await?,
                database,
                &plan.old,
            )?;
            moves.add(&coming, &plan.side, database)?;
            let took = moves
                .carry_out(control, &plan.policy, clock, &observer)
                .await?;
            Ok(Some(took))
        })
    }

    /// Whether the live database has the tables of the text. That the side database has none is
    /// not enough: somebody may have emptied or removed it.
    pub(super) fn is_exchanged(&mut self) -> Result<bool, RestoreError> {
        if !self.steps.was_announced("rename") || self.is_old()? {
            return Ok(false);
        }
        let (runtime, control, plan) = self.parts();
        let left = runtime.block_on(base_tables(control, &plan.side))?.len();
        match left {
            0 => Ok(true),
            // Somebody has made a table where there was none.
            _ if left >= plan.tables.len() && !plan.had_tables() => Ok(false),
            _ => Err(plan.incomplete(left)),
        }
    }

    /// Makes what was taken down again: the live database is as it was.
    pub(super) fn put_back(&mut self) -> Result<(), RestoreError> {
        let (runtime, control, plan) = self.parts();
        let database = &plan.policy.database;
        runtime.block_on(async {
            if !exists(control, database).await? {
                return Ok(());
            }
            if plan.facts.live.is_none() {
                // It was made for what did not come.
                if base_tables(control, database).await?.is_empty() {
                    let name = quoted(database)?;
                    return control.tell(&format!("DROP DATABASE {name}")).await;
                }
                return Ok(());
            }
            match Scripts::kept(control, &plan.old, Whose::Old).await? {
                Some(old) => old.put_back(control, database).await,
                None => Ok(()),
            }
        })
    }

    pub(super) fn install(&mut self) -> Result<(), RestoreError> {
        let (old, new) = self.kept()?;
        let (runtime, control, plan) = self.parts();
        runtime.block_on(new.install(control, &plan.policy.database, &old))?;
        self.reconnect()
    }

    pub(super) fn events(&mut self) -> Result<(), RestoreError> {
        let (_, new) = self.kept()?;
        let (runtime, control, plan) = self.parts();
        runtime.block_on(new.install_events(control, &plan.policy.database))?;
        self.reconnect()
    }

    /// The objects of the live database as it was, and of the text.
    pub(super) fn kept(&mut self) -> Result<(Scripts, Scripts), RestoreError> {
        let (runtime, control, plan) = self.parts();
        runtime.block_on(async {
            let old = Scripts::kept(control, &plan.old, Whose::Old).await?;
            let new = Scripts::kept(control, &plan.old, Whose::New).await?;
            match (old, new) {
                (Some(old), Some(new)) => Ok((old, new)),
                _ => Err(RestoreError::NeedsPerson {
                    what: format!(
                        "{} does not have the objects that were kept in it",
                        plan.old
                    ),
                }),
            }
        })
    }
}

impl RestorePlan {
    /// Whether the live database had any of the tables that are exchanged.
    pub(super) fn had_tables(&self) -> bool {
        let mut live = self.facts.live.iter().flat_map(|live| &live.tables);
        live.any(|table| self.policy.scope.concerns(table))
    }

    fn incomplete(&self, left: usize) -> RestoreError {
        let (planned, side) = (self.tables.len(), &self.side);
        let what = format!("{left} of {planned} tables are left in {side}");
        RestoreError::NeedsPerson { what }
    }
}
