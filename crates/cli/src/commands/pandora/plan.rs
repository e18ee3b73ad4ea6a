//! `plan --pandora`: what a run would do to an installation. Changes nothing.

use anyhow::Result;
use elpis_maint_core::compact::{CompactPlan, SeriesInspection};
use elpis_maint_core::housekeeping::{HousekeepingEvent, HousekeepingInspection, HousekeepingPlan};
use elpis_maint_core::{MySqlStore, Refusal};
use elpis_run::{Clock, FnObserver, RealClock};
use serde::Serialize;

use super::{Selection, Wanted, ask, master, named};
use crate::commands::journal::{self, Measured};
use crate::commands::store::mysql;
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer, Spinner};
use crate::settings::Settings;

/// The plans of both halves of a run. In JSON: the first one's, with the compaction's as one more
/// field.
#[derive(Debug, Serialize)]
pub(crate) struct PandoraPlans {
    #[serde(flatten)]
    pub(crate) housekeeping: HousekeepingPlan,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compaction: Option<CompactPlan>,
}

impl PandoraPlans {
    /// Looks at the database and makes the plans.
    pub(super) async fn make(
        wanted: &Wanted,
        exact: bool,
        store: &mut MySqlStore,
        measured: impl FnOnce(&str) -> Result<Measured>,
        printer: Printer,
        interrupt: &Interrupt,
    ) -> Result<PandoraPlans> {
        let spinner = Spinner::new(printer.is_watched());
        spinner.show("looking at the tables".to_owned());
        let counting = FnObserver(|event: &HousekeepingEvent| {
            if let HousekeepingEvent::Counted { sweep, due, .. } = event {
                spinner.show(format!("counting {sweep}: {}", output::number(*due)));
            }
        });
        let clock = RealClock::new();
        let inspection = HousekeepingInspection {
            clock: &clock,
            observer: &counting,
            stop: &interrupt.stop,
            exact,
        };
        let facts = inspection.run(&wanted.housekeeping, store).await?;
        let series = if wanted.compaction.series.is_empty() {
            None
        } else {
            spinner.show("looking at a sample of the series".to_owned());
            let inspection = SeriesInspection {
                clock: &clock,
                stop: &interrupt.stop,
            };
            Some(inspection.run(&wanted.compaction, store).await?)
        };
        let measured = measured(&facts.purge.server.target)?;
        let housekeeping = HousekeepingPlan::new(&wanted.housekeeping, &facts, &measured.purge);
        let compaction = series
            .map(|series| CompactPlan::new(&wanted.compaction, &series, &measured.compaction));
        Ok(PandoraPlans {
            housekeeping,
            compaction,
        })
    }

    /// Why a run would be refused, each reason once.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut refusals = self.housekeeping.refusals.clone();
        for refusal in self.compaction.iter().flat_map(|plan| &plan.refusals) {
            if !refusals.contains(refusal) {
                refusals.push(refusal.clone());
            }
        }
        refusals
    }

    /// What an operator should know, each once.
    pub(super) fn warnings(&self) -> Vec<&String> {
        let mut warnings: Vec<&String> = self.housekeeping.warnings.iter().collect();
        for warning in self.compaction.iter().flat_map(|plan| &plan.warnings) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}

pub(crate) async fn plan(
    settings: &Settings,
    selection: &Selection,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let Some((pandora, server)) = named(settings) else {
        return Ok(Verdict::silent(Code::Usage));
    };
    let now = RealClock::new().now();
    let wanted = ask(settings, (pandora, server), selection, now, printer).await?;
    let mut store = mysql(settings, server, printer).await?;
    let measured = |target: &str| {
        let (rates, trouble) = journal::rates(&settings.state, target);
        if let Some(error) = trouble {
            let error = anyhow::Error::from(error);
            printer.say(&format!("warning: no rates of earlier runs: {error:#}"));
        }
        Ok(rates)
    };
    let plans =
        PandoraPlans::make(&wanted, exact, &mut store, measured, printer, interrupt).await?;
    if printer.json {
        printer.document(&plans)?;
    } else {
        printer.data(&output::pandora_plans(&plans))?;
    }
    for warning in plans.warnings() {
        printer.say(&format!("warning: {warning}"));
    }
    if let Err(error) = master(&wanted, pandora) {
        printer.say(&format!("warning: a run would need --force: {error}"));
    }
    let refusals = plans.refusals();
    for refusal in &refusals {
        printer.always(&format!("refused: {refusal}"));
    }
    Ok(Verdict::silent(if refusals.is_empty() {
        Code::Done
    } else {
        Code::Refused
    }))
}
