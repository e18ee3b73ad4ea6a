//! The history database: kept in order by the settings in its own `tconfig`, with the same engine
//! and journal as the product's own database.

use anyhow::Result;
use elpis_maint_core::MySqlStore;
use elpis_maint_core::housekeeping::{Housekeeping, HousekeepingPlan, Task};
use elpis_pandora::{HistoryRetention, HistorySettings, Tokens, history_catalogue, history_locks};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::show::history_server;
use super::{Selection, chosen, plan, session};
use crate::commands::journal::Measured;
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::settings::{Pandora, Settings};

/// What a run would do in the history database.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum HistoryPlan {
    /// This.
    Known(Box<HousekeepingPlan>),
    /// Nobody knows, and a run would leave it alone.
    Unknown {
        /// Why.
        error: String,
    },
}

/// A history database that answers, and what is wanted there.
pub(super) struct History {
    pub(super) store: MySqlStore,
    pub(super) database: String,
    pub(super) wanted: Housekeeping,
}

/// Its tasks, whatever is set there.
pub(super) fn tasks() -> Vec<Task> {
    history_catalogue(&HistoryRetention::default(), &TimeZone::UTC, None)
}

/// Whether a run is about the history database too.
pub(super) fn is_meant(selection: &Selection) -> bool {
    tasks().iter().any(|task| selection.takes(task))
}

impl History {
    /// Connects, and reads the settings. Changes nothing.
    pub(super) async fn open(
        settings: &Settings,
        (pandora, place): (&Pandora, &HistorySettings),
        selection: &Selection,
        printer: Printer,
    ) -> Result<History> {
        let server = history_server(place, pandora)?;
        let mut session = session(&server).await?;
        let tokens = Tokens::read(&mut session).await?;
        session.close().await?;
        let (keep, _, findings) = HistoryRetention::new(&tokens);
        for finding in findings {
            printer.say(&format!("warning: {}: {finding}", place.name));
        }
        let mut options = server.connect_options(&mut Vec::new())?;
        options.database = Some(place.name.clone());
        // Replicas that the configuration names are those of the product's own database.
        let store = MySqlStore::connect(&options, Vec::new()).await?;
        let tasks = history_catalogue(&keep, &pandora.zone, pandora.max_share);
        Ok(History {
            store,
            database: place.name.clone(),
            wanted: chosen(settings, pandora, selection, history_locks(), tasks),
        })
    }

    /// What a run would do there.
    pub(super) async fn plan(
        &mut self,
        exact: bool,
        measured: &Measured,
        printer: Printer,
        interrupt: &Interrupt,
    ) -> Result<HousekeepingPlan> {
        let facts = plan::facts(&self.wanted, exact, &mut self.store, printer, interrupt).await?;
        Ok(HousekeepingPlan::new(&self.wanted, &facts, &measured.purge))
    }
}
