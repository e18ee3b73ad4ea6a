//! `plan`: what a run would do. Changes nothing, and needs no state directory.

use anyhow::Result;
use elpis_maint_core::compact::{CompactPlan, SeriesFacts, SeriesInspection};
use elpis_maint_core::{Facts, Inspection, Plan, Policy, PurgeEvent, Refusal, SeriesStore, Store};
use elpis_run::{FnObserver, RealClock};
use serde::Serialize;

use super::journal::{self, Measured};
use super::store::{Work, with_store};
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer, Spinner};
use crate::settings::Settings;

/// Which of the two jobs are meant, in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jobs {
    pub(crate) purge: bool,
    pub(crate) compact: bool,
}

impl Jobs {
    /// Those that the policy has rules for.
    pub(crate) fn of(policy: &Policy) -> Jobs {
        Jobs {
            purge: !policy.tables.is_empty(),
            compact: !policy.series.is_empty(),
        }
    }
}

/// The plans of both jobs. In JSON: the purge's plan, with the compaction's as one more field.
#[derive(Debug, Serialize)]
pub(crate) struct Plans {
    /// Without tables if nothing is to be purged.
    #[serde(flatten)]
    pub(crate) purge: Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compaction: Option<CompactPlan>,
    #[serde(skip)]
    pub(crate) jobs: Jobs,
}

impl Plans {
    /// Why a run would be refused, each reason once.
    pub(crate) fn refusals(&self) -> Vec<&Refusal> {
        let mut refusals: Vec<&Refusal> = self.purge.refusals.iter().collect();
        for refusal in self.compaction.iter().flat_map(|plan| &plan.refusals) {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
        refusals
    }

    /// What the compaction warns of; what is said of the server was said when it was found.
    pub(crate) fn own_warnings(&self) -> impl Iterator<Item = &String> {
        let all = self.compaction.iter().flat_map(|plan| &plan.warnings);
        all.filter(|warning| !self.purge.warnings.contains(warning))
    }
}

pub(crate) async fn plan(
    settings: &Settings,
    jobs: Jobs,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let plans = make(settings, jobs, exact, printer, interrupt).await?;
    if printer.json {
        printer.document(&plans)?;
    } else {
        printer.data(&output::plans(&plans))?;
    }
    for warning in plans.own_warnings() {
        printer.say(&format!("warning: {warning}"));
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

/// Looks at the database and makes the plans.
pub(crate) async fn make(
    settings: &Settings,
    jobs: Jobs,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Plans> {
    let work = Look(Inspect {
        settings,
        jobs,
        exact,
        printer,
        interrupt,
    });
    let (facts, series) = with_store(settings, printer, work).await?;
    let (rates, trouble) = journal::rates(&settings.state, &facts.server.target);
    if let Some(error) = trouble {
        let error = anyhow::Error::from(error);
        printer.say(&format!("warning: no rates of earlier runs: {error:#}"));
    }
    Ok(plans(settings, jobs, &facts, series.as_ref(), &rates))
}

/// The plans that follow from the facts.
pub(crate) fn plans(
    settings: &Settings,
    jobs: Jobs,
    facts: &Facts,
    series: Option<&SeriesFacts>,
    rates: &Measured,
) -> Plans {
    Plans {
        purge: Plan::new(&purge_policy(settings, jobs), facts, &rates.purge),
        compaction: series
            .map(|series| CompactPlan::new(&settings.policy, series, &rates.compaction)),
        jobs,
    }
}

/// The policy as the purge is to see it.
fn purge_policy(settings: &Settings, jobs: Jobs) -> Policy {
    let mut policy = settings.policy.clone();
    if !jobs.purge {
        policy.tables.clear();
    }
    policy
}

struct Look<'a>(Inspect<'a>);

impl Work for Look<'_> {
    type Output = (Facts, Option<SeriesFacts>);

    async fn on<S: SeriesStore>(self, store: &mut S) -> Result<Self::Output> {
        self.0.all(store).await
    }
}

/// Gathering facts, in the name of the operator.
#[derive(Clone, Copy)]
pub(crate) struct Inspect<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) jobs: Jobs,
    pub(crate) exact: bool,
    pub(crate) printer: Printer,
    pub(crate) interrupt: &'a Interrupt,
}

impl Inspect<'_> {
    /// The facts for the jobs that are meant.
    pub(crate) async fn all<S: SeriesStore>(
        &self,
        store: &mut S,
    ) -> Result<(Facts, Option<SeriesFacts>)> {
        let facts = self.tables(store).await?;
        let series = if self.jobs.compact {
            Some(self.series(store).await?)
        } else {
            None
        };
        Ok((facts, series))
    }

    /// What the purge has to know, with a spinner while it counts.
    async fn tables<S: Store>(&self, store: &mut S) -> Result<Facts> {
        let spinner = Spinner::new(self.printer.is_watched() && self.exact);
        let counting = FnObserver(|event: &PurgeEvent| {
            if let PurgeEvent::Counted { table, rows, due } = event {
                let (rows, due) = (output::number(*rows), output::number(*due));
                spinner.show(format!("counting {table}: {rows} rows, {due} to delete"));
            }
        });
        let inspection = Inspection {
            clock: &RealClock::new(),
            observer: &counting,
            stop: &self.interrupt.stop,
            exact: self.exact,
        };
        let policy = purge_policy(self.settings, self.jobs);
        let facts = inspection.run(&policy, store).await?;
        for warning in &facts.server.warnings {
            self.printer.say(&format!("warning: {warning}"));
        }
        Ok(facts)
    }

    /// What the compaction has to know.
    pub(crate) async fn series<S: SeriesStore>(&self, store: &mut S) -> Result<SeriesFacts> {
        let spinner = Spinner::new(self.printer.is_watched());
        spinner.show("looking at a sample of the series".to_owned());
        let inspection = SeriesInspection {
            clock: &RealClock::new(),
            stop: &self.interrupt.stop,
        };
        Ok(inspection.run(&self.settings.policy, store).await?)
    }
}
