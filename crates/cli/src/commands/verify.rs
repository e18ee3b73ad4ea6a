//! `verify`: holds compacted tables against their side tables. Changes nothing.

use anyhow::Result;
use elpis_maint_core::SeriesStore;
use elpis_maint_core::compact::{CompactPlan, SeriesInspection, Verification, verify_rollups};
use elpis_run::RealClock;

use super::store::{Work, with_store};
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer};
use crate::settings::Settings;

pub(crate) async fn verify(
    settings: &Settings,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    if !settings.policy.series.iter().any(|rule| rule.rollup) {
        return Ok(Verdict::new(
            Code::Usage,
            "there is nothing to verify against: no [[policy.compact]] rule has `rollup = true`",
            "every run compares a sample before and after by itself; `elpis-maint history RUN` has \
             what it found. Rollups are kept from the next run on once the rule asks for them",
        ));
    }
    let work = Look {
        settings,
        interrupt,
    };
    let (plan, found) = with_store(settings, printer, work).await?;
    if printer.json {
        printer.document(&found)?;
    } else {
        printer.data(&output::rollups_verified(&found))?;
    }
    // Tables that do not fit were not looked at.
    for refusal in &plan.refusals {
        printer.always(&format!("warning: {refusal}"));
    }
    Ok(match found.failures.first() {
        Some(failure) => Verdict::new(
            Code::Partial,
            format!("VERIFICATION FAILED: {failure}"),
            "somebody changed rows that were compacted, or they were lost: compare this series \
             with a backup before the next run",
        ),
        None => Verdict::silent(Code::Done),
    })
}

struct Look<'a> {
    settings: &'a Settings,
    interrupt: &'a Interrupt,
}

impl Work for Look<'_> {
    type Output = (CompactPlan, Verification);

    async fn on<S: SeriesStore>(self, store: &mut S) -> Result<Self::Output> {
        let (clock, stop) = (RealClock::new(), &self.interrupt.stop);
        let inspection = SeriesInspection {
            clock: &clock,
            stop,
        };
        let facts = inspection.run(&self.settings.policy, store).await?;
        let plan = CompactPlan::new(&self.settings.policy, &facts, &Default::default());
        let found = verify_rollups(&plan, store, &clock, stop).await?;
        Ok((plan, found))
    }
}
