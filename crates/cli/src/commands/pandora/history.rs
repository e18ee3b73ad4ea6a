//! The history database: kept in order by the settings in its own `tconfig`, with the same engine
//! and journal as the product's own database.

use anyhow::Result;
use elpis_maint_core::compact::{CompactPlan, SeriesInspection};
use elpis_maint_core::housekeeping::{Housekeeping, HousekeepingPlan, Task};
use elpis_maint_core::{MySqlStore, Policy, Refusal};
use elpis_pandora::{
    HistoryKeeps, HistoryRetention, HistorySettings, Installation, Password, Setting, TokenFinding,
    Tokens, history_catalogue, history_locks, history_series_rule,
};
use elpis_run::RealClock;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{Selection, chosen, plan, session};
use crate::commands::journal::Measured;
use crate::interrupt::Interrupt;
use crate::output::{Printer, Spinner};
use crate::settings::{ConfigError, Pandora, Server, Settings};

/// What a run would do in the history database. In JSON: the plan of its tasks, with the
/// compaction's as a further field.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum HistoryPlan {
    /// This.
    Known {
        #[serde(flatten)]
        housekeeping: Box<HousekeepingPlan>,
        #[serde(skip_serializing_if = "Option::is_none")]
        compaction: Option<Box<CompactPlan>>,
    },
    /// Nobody knows, and a run would leave it alone.
    Unknown {
        /// Why.
        error: String,
    },
}

impl HistoryPlan {
    /// Why a run would not do all of it, each reason once.
    pub(super) fn refusals(&self) -> Vec<&Refusal> {
        let HistoryPlan::Known {
            housekeeping,
            compaction,
        } = self
        else {
            return Vec::new();
        };
        let mut refusals: Vec<&Refusal> = housekeeping.refusals.iter().collect();
        for refusal in compaction.iter().flat_map(|plan| &plan.refusals) {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
        refusals
    }
}

/// A history database that answers, and what is wanted there.
pub(super) struct History {
    pub(super) store: MySqlStore,
    pub(super) database: String,
    pub(super) wanted: Housekeeping,
    keep: HistoryRetention,
    /// What is odd in its settings.
    pub(super) findings: Vec<TokenFinding>,
}

/// Its tasks, whatever is set there.
pub(super) fn tasks() -> Vec<Task> {
    history_catalogue(&HistoryRetention::default(), &TimeZone::UTC, None)
}

/// What the history database's own `tconfig` says, under what the operator's configuration says.
pub(crate) struct OwnSettings {
    pub(super) keep: HistoryRetention,
    pub(super) listing: Vec<Setting>,
    pub(super) findings: Vec<TokenFinding>,
}

impl OwnSettings {
    /// Asks the history database. That it cannot be asked is no error of a run: it has other parts,
    /// and says so when it comes to that.
    pub(super) async fn ask(pandora: &Pandora, place: &HistorySettings) -> Result<OwnSettings> {
        let mut session = session(&history_server(place, pandora)?).await?;
        let mut tokens = Tokens::read(&mut session).await?;
        session.close().await?;
        tokens.overrides.clone_from(&pandora.history_tokens);
        let (keep, listing, findings) = HistoryRetention::new(&tokens);
        Ok(OwnSettings {
            keep,
            listing,
            findings,
        })
    }

    /// How long it keeps numeric data.
    pub(super) fn keeps(&self) -> HistoryKeeps {
        let days = self.keep.days_purge;
        days.map_or(HistoryKeeps::Everything, HistoryKeeps::Days)
    }
}

/// How to reach the history database: with the manners of the product's own clients, as for its
/// own database.
pub(super) fn history_server(
    history: &HistorySettings,
    pandora: &Pandora,
) -> Result<Server, ConfigError> {
    let password = match (&history.password, &pandora.history_password_file) {
        (_, Some(_)) => None,
        (Password::Plain(password), None) => password.clone(),
        (Password::Encrypted, None) => {
            return Err(ConfigError::Encrypted {
                conf: pandora.conf.clone(),
            });
        }
    };
    let socket = history.socket_here();
    Ok(Server {
        name: Some(history.name.clone()),
        host: socket.is_none().then(|| history.host.clone()),
        port: Some(history.port),
        socket,
        user: Some(history.user.clone()),
        password,
        password_file: pandora.history_password_file.clone(),
        ..Server::default()
    })
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
        let OwnSettings { keep, findings, .. } = OwnSettings::ask(pandora, place).await?;
        for finding in &findings {
            printer.say(&format!("warning: {}: {finding}", place.name));
        }
        let server = history_server(place, pandora)?;
        let mut options = server.connect_options(&mut Vec::new())?;
        options.database = Some(place.name.clone());
        // Replicas that the configuration names are those of the product's own database.
        let store = MySqlStore::connect(&options, Vec::new()).await?;
        let tasks = history_catalogue(&keep, &pandora.zone, pandora.max_share);
        Ok(History {
            store,
            database: place.name.clone(),
            wanted: chosen(settings, pandora, selection, history_locks(), tasks),
            keep,
            findings,
        })
    }

    /// What a run would do there, compaction apart.
    pub(super) async fn plan(
        &mut self,
        exact: bool,
        measured: &Measured,
        printer: Printer,
        interrupt: &Interrupt,
    ) -> Result<HousekeepingPlan> {
        let alone = (&mut self.store, None);
        let facts = plan::facts(&self.wanted, exact, alone, printer, interrupt).await?;
        Ok(HousekeepingPlan::new(&self.wanted, &facts, &measured.purge))
    }

    /// What compaction would do there, if it is on. Whose values may be compacted is asked of the
    /// product's own database, at `active`: the history database has no modules.
    pub(super) async fn compaction(
        &mut self,
        settings: &Settings,
        (active, installation): (&Server, &Installation),
        measured: &Measured,
        printer: Printer,
        interrupt: &Interrupt,
    ) -> Result<Option<CompactPlan>> {
        if self.keep.compaction.days.is_none() {
            return Ok(None);
        }
        let mut session = session(active).await?;
        let modules = installation.compactable_modules(&mut session).await?;
        session.close().await?;
        let rule = history_series_rule(self.keep.compaction, modules);
        let policy = Policy {
            locks: self.wanted.locks.clone(),
            tables: Vec::new(),
            series: rule.into_iter().collect(),
            ..settings.policy.clone()
        };
        let spinner = Spinner::new(printer.is_watched());
        spinner.show("looking at a sample of the series in the history database".to_owned());
        let inspection = SeriesInspection {
            clock: &RealClock::new(),
            stop: &interrupt.stop,
        };
        let facts = inspection.run(&policy, &mut self.store).await?;
        Ok(Some(CompactPlan::new(
            &policy,
            &facts,
            &measured.compaction,
        )))
    }
}
