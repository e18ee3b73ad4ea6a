//! `run`: delete what is expired.

use anyhow::Result;
use elpis_maint_core::{
    AdaptiveThrottle, Limits, Plan, Purge, PurgeError, PurgeEvent, PurgeReport, Store, StoreError,
    Unthrottled, measured_rates,
};
use elpis_run::{Clock, Holder, Observer, RealClock, Throttle};

use super::store::{PROGRAM, Work, with_store};
use super::{journal, plan as planning};
use crate::exit::{LockedBy, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer};
use crate::settings::Settings;

/// What the operator asks of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) limits: Limits,
    /// Count first.
    pub(crate) exact: bool,
    /// Heed the load.
    pub(crate) throttled: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    options: Options,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let report = execute(settings, None, options, printer, interrupt, &()).await?;
    if !printer.json {
        printer.data(&output::result(&report))?;
    }
    Ok(Verdict::from(&report.ended))
}

/// Plans (unless there is a `plan`) and purges in one session; `also` hears what the progress
/// display hears.
pub(crate) async fn execute(
    settings: &Settings,
    plan: Option<&Plan>,
    options: Options,
    printer: Printer,
    interrupt: &Interrupt,
    also: &dyn Observer<PurgeEvent>,
) -> Result<PurgeReport> {
    let work = Execute {
        settings,
        plan,
        options,
        printer,
        interrupt,
        also,
    };
    with_store(settings, printer, work).await
}

struct Execute<'a> {
    settings: &'a Settings,
    plan: Option<&'a Plan>,
    options: Options,
    printer: Printer,
    interrupt: &'a Interrupt,
    also: &'a dyn Observer<PurgeEvent>,
}

impl Work for Execute<'_> {
    type Output = PurgeReport;

    async fn on<S: Store>(self, store: &mut S) -> Result<PurgeReport> {
        let Execute {
            settings,
            plan,
            options,
            printer,
            interrupt,
            also,
        } = self;
        let journal = journal::open(&settings.state)?;
        let plan = match plan {
            Some(plan) => plan.clone(),
            None => {
                let exact = options.exact;
                let facts = planning::inspect(settings, exact, printer, interrupt, store).await?;
                let rates = measured_rates(&journal, &facts.server.target)?;
                Plan::new(&settings.policy, &facts, &rates)
            }
        };

        let mut adaptive = AdaptiveThrottle::new(settings.policy.throttle.clone());
        let mut fixed = Unthrottled::default();
        let throttle: &mut dyn Throttle = if options.throttled {
            &mut adaptive
        } else {
            &mut fixed
        };
        let clock = RealClock::new();
        let progress = output::progress(printer);
        interrupt.wait_for_safe_point();
        let mut purge = Purge {
            journal: &journal,
            throttle,
            observer: &Both(progress.as_ref(), also),
            clock: &clock,
            stop: &interrupt.stop,
            holder: Holder::current(PROGRAM, clock.now()),
            limits: options.limits,
        };
        let result = purge.run(&plan, store).await;
        result.map_err(|error| match error {
            PurgeError::NotBegun(StoreError::LockHeld { .. }) => {
                let run = journal::at_work(&journal, &plan.target);
                anyhow::Error::from(LockedBy { error, run })
            }
            error => error.into(),
        })
    }
}

/// Two observers of the same events.
struct Both<'a>(&'a dyn Observer<PurgeEvent>, &'a dyn Observer<PurgeEvent>);

impl Observer<PurgeEvent> for Both<'_> {
    fn on(&self, event: &PurgeEvent) {
        self.0.on(event);
        self.1.on(event);
    }
}
