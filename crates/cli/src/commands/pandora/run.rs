//! `run --pandora`: every task of the product's maintenance, then compaction, under the locks of
//! the product's own tools.

use anyhow::Result;
use elpis_maint_core::compact::{CompactError, CompactPlan, CompactReport, Compaction};
use elpis_maint_core::housekeeping::{
    HousekeepingError, HousekeepingPlan, HousekeepingReport, HousekeepingRun, PartReport,
};
use elpis_maint_core::{AdaptiveThrottle, Ended, Limits, MySqlStore, StoreError, Unthrottled};
use elpis_pandora::{Programs, record_maintenance};
use elpis_run::journal::SqliteJournal;
use elpis_run::{Clock, Holder, RealClock, Throttle};
use jiff::Zoned;

use super::{PandoraPlans, Selection, Wanted, ask, master, named, session};
use crate::commands::journal::{self, Measured};
use crate::commands::run::{locked, remaining_after};
use crate::commands::store::{PROGRAM, mysql};
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer};
use crate::settings::{Server, Settings};

/// What the operator asks of one run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Of all parts together.
    pub(crate) limits: Limits,
    pub(crate) selection: Selection,
    /// Count first.
    pub(crate) exact: bool,
    /// Heed the load.
    pub(crate) throttled: bool,
    /// Work although this host's server is not the master.
    pub(crate) force: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    options: &Options,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let Some((pandora, server)) = named(settings) else {
        return Ok(Verdict::silent(Code::Usage));
    };
    let now = RealClock::new().now();
    let wanted = ask(
        settings,
        (pandora, server),
        &options.selection,
        now,
        printer,
    )
    .await?;
    if !options.force {
        master(&wanted, pandora)?;
    }
    say_when(printer, "Starting");
    let stage = Stage {
        settings,
        options,
        wanted: &wanted,
        printer,
        interrupt,
    };
    let ended = stage.play(server).await;
    say_when(printer, "Ending");
    ended
}

/// The first and last line of the log that operators know.
fn say_when(printer: Printer, what: &str) {
    if !printer.json {
        let now = Zoned::now().strftime("%F %T");
        printer.say(&format!("{what} at {now}"));
    }
}

struct Stage<'a> {
    settings: &'a Settings,
    options: &'a Options,
    wanted: &'a Wanted,
    printer: Printer,
    interrupt: &'a Interrupt,
}

impl Stage<'_> {
    /// Neither half begins if one of them would be refused.
    async fn play(&self, server: &Server) -> Result<Verdict> {
        let journal = journal::open(&self.settings.state)?;
        let mut store = mysql(self.settings, server, self.printer).await?;
        let exact = self.options.exact;
        let measured = |target: &str| Ok(Measured::read(&journal, target)?);
        let plans = PandoraPlans::make(
            self.wanted,
            exact,
            &mut store,
            measured,
            self.printer,
            self.interrupt,
        );
        let plans = plans.await?;
        let refusals = plans.refusals();
        if !refusals.is_empty() {
            return Err(HousekeepingError::Refused(refusals).into());
        }
        for warning in plans.warnings() {
            self.printer.say(&format!("warning: {warning}"));
        }
        let clock = RealClock::new();
        let begun = clock.monotonic();
        let mut left = self.options.limits;
        let mut failed_programs = Vec::new();
        if !plans.housekeeping.tasks.is_empty() {
            let report = self
                .housekeeping(&plans.housekeeping, &journal, &mut store)
                .await?;
            if !self.printer.json {
                self.printer.data(&output::housekept(&report))?;
            }
            failed_programs = failures(&report);
            let elapsed = clock.monotonic().saturating_sub(begun);
            left = remaining_after(left, report.changed(), elapsed);
            let spent = left.max_rows == Some(0) || left.max_time.is_some_and(|t| t.is_zero());
            match report.ended {
                Ended::Done if spent && plans.compaction.is_some() => {
                    let why = "the tasks before took all that this run may".to_owned();
                    return Ok(Verdict::from(&Ended::Limit { why }));
                }
                Ended::Done => {}
                ended => return Ok(Verdict::from(&ended)),
            }
        }
        if let Some(plan) = &plans.compaction {
            let report = self.compact(plan, left, &journal, &mut store).await?;
            if !self.printer.json {
                self.printer
                    .data(&format!("\n{}", output::compacted(&report)))?;
            }
            if report.ended != Ended::Done {
                return Ok(Verdict::from(&report.ended));
            }
        }
        if self.options.selection.is_whole() {
            let mut session = session(server).await?;
            record_maintenance(&mut session, clock.now()).await?;
            session.close().await?;
        }
        if failed_programs.is_empty() {
            return Ok(Verdict::silent(Code::Done));
        }
        Ok(Verdict::new(
            Code::Partial,
            failed_programs.join("; "),
            "everything else was done; see to the program, which the next run starts again",
        ))
    }

    async fn housekeeping(
        &self,
        plan: &HousekeepingPlan,
        journal: &SqliteJournal,
        store: &mut MySqlStore,
    ) -> Result<HousekeepingReport> {
        let clock = RealClock::new();
        let progress = output::housekeeping_progress(self.printer);
        self.interrupt.wait_for_safe_point();
        let mut run = HousekeepingRun {
            journal,
            throttle: &mut *self.throttle(),
            observer: progress.as_ref(),
            clock: &clock,
            stop: &self.interrupt.stop,
            holder: Holder::current(PROGRAM, clock.now()),
            limits: self.options.limits,
            programs: &Programs::default(),
        };
        let result = run.run(plan, store).await;
        result.map_err(|error| match error {
            HousekeepingError::NotBegun(StoreError::LockHeld { .. }) => {
                locked(error, journal, &plan.target)
            }
            error => error.into(),
        })
    }

    async fn compact(
        &self,
        plan: &CompactPlan,
        limits: Limits,
        journal: &SqliteJournal,
        store: &mut MySqlStore,
    ) -> Result<CompactReport> {
        let clock = RealClock::new();
        let progress = output::compact_progress(self.printer);
        self.interrupt.wait_for_safe_point();
        let mut compaction = Compaction {
            journal,
            throttle: &mut *self.throttle(),
            observer: progress.as_ref(),
            clock: &clock,
            stop: &self.interrupt.stop,
            holder: Holder::current(PROGRAM, clock.now()),
            limits,
            verify: true,
        };
        let result = compaction.run(plan, store).await;
        result.map_err(|error| match error {
            CompactError::NotBegun(StoreError::LockHeld { .. }) => {
                locked(error, journal, &plan.target)
            }
            error => error.into(),
        })
    }

    fn throttle(&self) -> Box<dyn Throttle> {
        if self.options.throttled {
            let rules = self.settings.policy.throttle.clone();
            Box::new(AdaptiveThrottle::new(rules))
        } else {
            Box::new(Unthrottled::default())
        }
    }
}

/// What the programs outside of the database said.
fn failures(report: &HousekeepingReport) -> Vec<String> {
    let parts = report.tasks.iter().flat_map(|task| &task.parts);
    let failed = parts.filter_map(|part| match part {
        PartReport::Program {
            error: Some(error), ..
        } => Some(error.clone()),
        _ => None,
    });
    failed.collect()
}
