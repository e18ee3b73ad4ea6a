//! `plan`: what a run would do. Changes nothing, and needs no state directory.

use anyhow::Result;
use elpis_maint_core::{Facts, Inspection, Plan, PurgeEvent, Store};
use elpis_run::{FnObserver, RealClock};

use super::journal;
use super::store::{Work, with_store};
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer, Spinner};
use crate::settings::Settings;

pub(crate) async fn plan(
    settings: &Settings,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let plan = make(settings, exact, printer, interrupt).await?;
    if printer.json {
        printer.document(&plan)?;
    } else {
        printer.data(&output::plan(&plan))?;
    }
    for refusal in &plan.refusals {
        printer.always(&format!("refused: {refusal}"));
    }
    Ok(Verdict::silent(if plan.refusals.is_empty() {
        Code::Done
    } else {
        Code::Refused
    }))
}

/// Looks at the database and makes the plan.
pub(crate) async fn make(
    settings: &Settings,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Plan> {
    let work = Inspect {
        settings,
        exact,
        printer,
        interrupt,
    };
    let facts = with_store(settings, printer, work).await?;
    let (rates, trouble) = journal::rates(&settings.state, &facts.server.target);
    if let Some(error) = trouble {
        let error = anyhow::Error::from(error);
        printer.say(&format!("warning: no rates of earlier runs: {error:#}"));
    }
    Ok(Plan::new(&settings.policy, &facts, &rates))
}

struct Inspect<'a> {
    settings: &'a Settings,
    exact: bool,
    printer: Printer,
    interrupt: &'a Interrupt,
}

impl Work for Inspect<'_> {
    type Output = Facts;

    async fn on<S: Store>(self, store: &mut S) -> Result<Facts> {
        inspect(
            self.settings,
            self.exact,
            self.printer,
            self.interrupt,
            store,
        )
        .await
    }
}

/// Gathers the facts, with a spinner while it counts.
pub(crate) async fn inspect<S: Store>(
    settings: &Settings,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
    store: &mut S,
) -> Result<Facts> {
    let spinner = Spinner::new(printer.is_watched() && exact);
    let counting = FnObserver(|event: &PurgeEvent| {
        if let PurgeEvent::Counted { table, rows, due } = event {
            let (rows, due) = (output::number(*rows), output::number(*due));
            spinner.show(format!("counting {table}: {rows} rows, {due} to delete"));
        }
    });
    let inspection = Inspection {
        clock: &RealClock::new(),
        observer: &counting,
        stop: &interrupt.stop,
        exact,
    };
    let facts = inspection.run(&settings.policy, store).await?;
    for warning in &facts.server.warnings {
        printer.say(&format!("warning: {warning}"));
    }
    Ok(facts)
}
