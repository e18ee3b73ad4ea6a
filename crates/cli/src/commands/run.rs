//! `run`: delete what is expired, then compact what is old.

use std::time::Duration;

use anyhow::Result;
use elpis_maint_core::compact::{CompactError, CompactEvent, CompactPlan, CompactReport, Verify};
use elpis_maint_core::{
    AdaptiveThrottle, Ended, Limits, Plan, PurgeError, PurgeEvent, PurgeReport, Run, SeriesStore,
    StoreError, TableReport, Unthrottled,
};
use elpis_run::journal::SqliteJournal;
use elpis_run::{Clock, Holder, Observer, RealClock, Throttle};

use super::journal::{self, Measured};
use super::plan::{self as planning, Inspect, Jobs};
use super::store::{PROGRAM, Work, with_store};
use crate::exit::{LockedBy, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer};
use crate::settings::Settings;

/// What the operator asks of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Of both jobs together.
    pub(crate) limits: Limits,
    pub(crate) jobs: Jobs,
    /// Count first.
    pub(crate) exact: bool,
    /// Heed the load.
    pub(crate) throttled: bool,
}

/// Who else hears what the progress display hears.
pub(crate) struct Also<'a> {
    pub(crate) purge: &'a dyn Observer<PurgeEvent>,
    pub(crate) compaction: &'a dyn Observer<CompactEvent>,
}

impl Also<'_> {
    /// Nobody.
    pub(crate) fn nobody() -> Also<'static> {
        Also {
            purge: &(),
            compaction: &(),
        }
    }
}

pub(crate) async fn run(
    settings: &Settings,
    options: Options,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    let work = Both {
        job: Job {
            settings,
            options,
            printer,
            interrupt,
            also: Also::nobody(),
        },
    };
    let ended = with_store(settings, printer, work).await?;
    Ok(Verdict::from(&ended))
}

/// Purges by the very `plan`, in a session of its own.
pub(crate) async fn purge_by(job: Job<'_>, plan: &Plan) -> Result<PurgeReport> {
    with_store(job.settings, job.printer, PurgeBy { job: &job, plan }).await
}

/// Compacts by the very `plan`, in a session of its own.
pub(crate) async fn compact_by(job: Job<'_>, plan: &CompactPlan) -> Result<CompactReport> {
    with_store(job.settings, job.printer, CompactBy { job: &job, plan }).await
}

/// Everything a run needs but its plan.
pub(crate) struct Job<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) options: Options,
    pub(crate) printer: Printer,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) also: Also<'a>,
}

struct Both<'a> {
    job: Job<'a>,
}

struct PurgeBy<'a> {
    job: &'a Job<'a>,
    plan: &'a Plan,
}

struct CompactBy<'a> {
    job: &'a Job<'a>,
    plan: &'a CompactPlan,
}

impl Work for PurgeBy<'_> {
    type Output = PurgeReport;

    async fn on<S: SeriesStore>(self, store: &mut S) -> Result<PurgeReport> {
        let journal = journal::open(&self.job.settings.state)?;
        let limits = self.job.options.limits;
        self.job.purge(self.plan, limits, &journal, store).await
    }
}

impl Work for CompactBy<'_> {
    type Output = CompactReport;

    async fn on<S: SeriesStore>(self, store: &mut S) -> Result<CompactReport> {
        let journal = journal::open(&self.job.settings.state)?;
        let limits = self.job.options.limits;
        self.job.compact(self.plan, limits, &journal, store).await
    }
}

impl Work for Both<'_> {
    type Output = Ended;

    /// One session for both jobs. Neither begins if one of them would be refused.
    async fn on<S: SeriesStore>(self, store: &mut S) -> Result<Ended> {
        let Both { job } = self;
        let Options {
            limits,
            jobs,
            exact,
            ..
        } = job.options;
        let journal = journal::open(&job.settings.state)?;
        let inspect = Inspect {
            settings: job.settings,
            jobs,
            exact,
            printer: job.printer,
            interrupt: job.interrupt,
        };
        let (facts, series) = inspect.all(store).await?;
        let rates = Measured::read(&journal, &facts.server.target)?;
        let plans = planning::plans(job.settings, jobs, &facts, series.as_ref(), &rates);
        let refusals = plans.refusals();
        if !refusals.is_empty() {
            let refusals = refusals.into_iter().cloned().collect();
            return Err(PurgeError::Refused(refusals).into());
        }
        for warning in plans.own_warnings() {
            job.printer.say(&format!("warning: {warning}"));
        }
        let (clock, mut left) = (RealClock::new(), limits);
        let begun = clock.monotonic();
        let mut compaction = plans.compaction;
        if jobs.purge {
            let report = job.purge(&plans.purge, limits, &journal, store).await?;
            job.printer.result(&output::result(&report));
            if !jobs.compact {
                return Ok(report.ended);
            }
            left = remaining(limits, &report, clock.monotonic().saturating_sub(begun));
            if let Some(why) = ends_here(&report.ended, left) {
                job.printer.say(&format!("compaction did not begin: {why}"));
                return Ok(match report.ended {
                    Ended::Done => Ended::Limit {
                        why: why.to_owned(),
                    },
                    ended => ended,
                });
            }
            // What the purge has deleted is not due any more.
            let series = inspect.series(store).await?;
            let plan = CompactPlan::new(&job.settings.policy, &series, &rates.compaction);
            compaction = Some(plan);
            left = remaining(limits, &report, clock.monotonic().saturating_sub(begun));
        }
        let Some(plan) = compaction else {
            return Ok(Ended::Done);
        };
        let report = job.compact(&plan, left, &journal, store).await?;
        let gap = if jobs.purge { "\n" } else { "" };
        let result = format!("{gap}{}", output::compacted(&report));
        job.printer.result(&result);
        Ok(report.ended)
    }
}

/// What the purge has left of the limits for both jobs.
fn remaining(limits: Limits, report: &PurgeReport, elapsed: Duration) -> Limits {
    let tables = report.tables.iter();
    let deleted = tables.map(|table: &TableReport| table.deleted).sum();
    limits.after(deleted, elapsed)
}

/// Why nothing may follow the purge, if so.
fn ends_here(ended: &Ended, left: Limits) -> Option<&'static str> {
    if *ended != Ended::Done {
        return Some("the purge ended early");
    }
    left.are_spent()
        .then_some("the purge took all that this run may")
}

impl Job<'_> {
    async fn purge<S: SeriesStore>(
        &self,
        plan: &Plan,
        limits: Limits,
        journal: &SqliteJournal,
        store: &mut S,
    ) -> Result<PurgeReport> {
        let clock = RealClock::new();
        let progress = output::progress(self.printer);
        let observer = Pair(progress.as_ref(), self.also.purge);
        let mut throttle = self.throttle();
        let mut run = self.begin(journal, &mut *throttle, &observer, &clock, limits);
        let result = run.purge(plan, store).await;
        result.map_err(|error| match error {
            PurgeError::NotBegun(StoreError::LockHeld { .. }) => {
                locked(error, journal, &plan.target)
            }
            error => error.into(),
        })
    }

    pub(crate) async fn compact<S: SeriesStore>(
        &self,
        plan: &CompactPlan,
        limits: Limits,
        journal: &SqliteJournal,
        store: &mut S,
    ) -> Result<CompactReport> {
        let clock = RealClock::new();
        let progress = output::compact_progress(self.printer);
        let observer = Pair(progress.as_ref(), self.also.compaction);
        let mut throttle = self.throttle();
        let mut run = self.begin(journal, &mut *throttle, &observer, &clock, limits);
        let result = run.compact(plan, store, Verify::Sample).await;
        result.map_err(|error| match error {
            CompactError::NotBegun(StoreError::LockHeld { .. }) => {
                locked(error, journal, &plan.target)
            }
            error => error.into(),
        })
    }

    /// A run that may begin, once nothing speaks against it.
    pub(crate) fn begin<'a, E>(
        &'a self,
        journal: &'a SqliteJournal,
        throttle: &'a mut dyn Throttle,
        observer: &'a dyn Observer<E>,
        clock: &'a RealClock,
        limits: Limits,
    ) -> Run<'a, E> {
        self.interrupt.wait_for_safe_point();
        Run {
            journal,
            throttle,
            observer,
            clock,
            stop: &self.interrupt.stop,
            holder: Holder::current(PROGRAM, clock.now()),
            limits,
        }
    }

    pub(crate) fn throttle(&self) -> Box<dyn Throttle> {
        if self.options.throttled {
            let rules = self.settings.policy.throttle.clone();
            Box::new(AdaptiveThrottle::new(rules))
        } else {
            Box::new(Unthrottled::default())
        }
    }
}

pub(crate) fn locked(
    error: impl std::error::Error + Send + Sync + 'static,
    journal: &SqliteJournal,
    target: &str,
) -> anyhow::Error {
    LockedBy {
        error: Box::new(error),
        run: journal::at_work(journal, target),
    }
    .into()
}

/// Two observers of the same events.
struct Pair<'a, E>(&'a dyn Observer<E>, &'a dyn Observer<E>);

impl<E> Observer<E> for Pair<'_, E> {
    fn on(&self, event: &E) {
        self.0.on(event);
        self.1.on(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(deleted: u64) -> PurgeReport {
        PurgeReport {
            run: elpis_run::RunId(1),
            target: "t".to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
            finished: jiff::Timestamp::UNIX_EPOCH,
            tables: vec![TableReport {
                deleted,
                cascaded: vec![("child".to_owned(), 7)],
                ..TableReport::default()
            }],
            ended: Ended::Done,
        }
    }

    #[test]
    fn limits_hold_for_both_jobs_together() {
        let limits = Limits {
            max_time: Some(Duration::from_secs(60)),
            max_rows: Some(100),
        };
        let left = remaining(limits, &report(30), Duration::from_secs(20));
        assert_eq!(left.max_time, Some(Duration::from_secs(40)));
        assert_eq!(left.max_rows, Some(70), "cascades are not counted");
        assert_eq!(ends_here(&Ended::Done, left), None);
        let late = remaining(limits, &report(30), Duration::from_secs(61));
        assert!(ends_here(&Ended::Done, late).is_some());
        let spent = remaining(limits, &report(100), Duration::ZERO);
        assert!(ends_here(&Ended::Done, spent).is_some());
        assert!(ends_here(&Ended::Interrupted, Limits::default()).is_some());
        let none = remaining(Limits::default(), &report(100), Duration::from_secs(99));
        assert_eq!(none, Limits::default());
    }
}
