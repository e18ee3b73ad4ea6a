//! The part of a run in the history database: its purge, then its compaction.

use anyhow::Result;
use elpis_maint_core::housekeeping::HousekeepingError;
use elpis_maint_core::{Ended, Limits};
use elpis_pandora::HistorySettings;
use elpis_run::journal::SqliteJournal;

use super::{Half, Stage, mistaken};
use crate::commands::journal::Measured;
use crate::commands::pandora::history::History;
use crate::commands::pandora::locks;
use crate::commands::run::Job;
use crate::settings::{Pandora, Server};

impl Stage<'_> {
    /// The history database. Whatever is wrong there, the product's own database was kept in order:
    /// it is a concern, no error.
    pub(super) async fn history(
        &self,
        places: (&Pandora, &HistorySettings, &Server),
        limits: Limits,
        journal: &SqliteJournal,
    ) -> Half {
        let done = self.history_run(places, limits, journal).await;
        let left_alone = |error: anyhow::Error| Half {
            concerns: vec![format!("the history database: {error:#}")],
            ..Half::idle(Ended::Done, limits)
        };
        done.unwrap_or_else(left_alone)
    }

    async fn history_run(
        &self,
        (pandora, place, active): (&Pandora, &HistorySettings, &Server),
        limits: Limits,
        journal: &SqliteJournal,
    ) -> Result<Half> {
        let Job {
            settings,
            printer,
            interrupt,
            ..
        } = self.job;
        let mut history =
            History::open(settings, (pandora, place), self.selection, printer).await?;
        let database = history.database.clone();
        let names = (&history.wanted.locks[..], database.as_str());
        let taken = locks::take(&mut history.store, names, journal, printer, interrupt);
        if taken.await?.is_err() {
            return Ok(Half::idle(Ended::Interrupted, limits));
        }
        let rates = Measured::read(journal, history.store.target())?;
        let exact = self.job.options.exact;
        let plan = history.plan(exact, &rates, printer, interrupt).await?;
        if !plan.refusals.is_empty() {
            return Err(HousekeepingError::Refused(plan.refusals).into());
        }
        for warning in &plan.warnings {
            printer.say(&format!("warning: {database}: {warning}"));
        }
        printer.result(&format!("\nhistory database {database}:"));
        let there = &mut history.store;
        let mut half = self.housekeeping(&plan, limits, journal, there).await?;
        let odd = mistaken(&history.findings).into_iter();
        let odd = odd.map(|finding| format!("{database}: {finding}"));
        half.concerns.splice(0..0, odd);
        if half.ended == Ended::Done && self.selection.compact_history {
            let compacted = self.history_compaction(active, &mut history, &mut half, journal);
            match compacted.await {
                Ok(()) => {}
                Err(_) if interrupt.stop.is_stopped() => half.ended = Ended::Interrupted,
                Err(error) => {
                    let concern = format!("compaction in the history database: {error:#}");
                    half.concerns.push(concern);
                }
            }
        }
        Ok(half)
    }

    /// Compaction in the history database, by a plan made after its purge.
    async fn history_compaction(
        &self,
        active: &Server,
        history: &mut History,
        half: &mut Half,
        journal: &SqliteJournal,
    ) -> Result<()> {
        let Job {
            settings,
            printer,
            interrupt,
            ..
        } = self.job;
        let rates = Measured::read(journal, history.store.target())?;
        let active = (active, &self.wanted.installation);
        let plan = history.compaction(settings, active, &rates, printer, interrupt);
        let Some(plan) = plan.await? else {
            return Ok(());
        };
        for warning in &plan.warnings {
            printer.say(&format!("warning: {}: {warning}", history.database));
        }
        self.compact(&plan, half, journal, &mut history.store).await
    }
}
