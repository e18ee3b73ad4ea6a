//! Moving old rows to the history database: before anything is deleted, and if that does not
//! succeed, instead of it.

use std::time::Duration;

use anyhow::Result;
use elpis_maint_core::housekeeping::{Group, HousekeepingPlan, PartPlan, Work};
use elpis_maint_core::moves::{
    MoveError, MoveEvent, MoveInspection, MovePlan, MovePolicy, MoveReport, MoveRule,
};
use elpis_maint_core::store::Count;
use elpis_maint_core::{
    AdaptiveThrottle, Ended, Limits, MySqlStore, RunError, StoreError, ThrottleRules,
};
use elpis_pandora::{HistorySettings, history_locks, move_rules, move_steps};
use elpis_run::journal::SqliteJournal;
use elpis_run::{Clock, FnObserver, RealClock, Throttle};

use super::history::{History, is_meant};
use super::{Selection, Wanted, locks};
use crate::commands::run::{Job, locked};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer, Spinner};
use crate::settings::{Pandora, Settings};

/// How long a step should take at least: two databases commit in it, however few rows it has.
const STEP: Duration = Duration::from_millis(40);
/// The fewest rows of a step, if the operator's largest chunk is not smaller.
const FEWEST: u64 = 500;

/// The tasks that announce what moves.
const ANNOUNCED: [&str; 2] = ["history_data", "history_events"];

/// Why the settings do not let anybody use the history database, if that concerns what was chosen.
/// What should be there is then not deleted here.
pub(super) fn unusable(wanted: &mut Wanted, selection: &Selection) -> Option<String> {
    let unusable = wanted.settings.history.as_ref().err()?.clone();
    let held = hold_back(wanted, &unusable.tables, "which cannot be used");
    let tasks = wanted.housekeeping.tasks.iter_mut();
    let announced = tasks.filter(|task| ANNOUNCED.contains(&task.id.as_str()));
    for task in announced {
        let why = format!("the history database cannot be used: {unusable}");
        task.work = vec![Work::Skip { why }];
    }
    let named = |id: &&str| selection.names(id, Group::HistoryDb);
    let is_meant = held || is_meant(selection) || ANNOUNCED.iter().any(named);
    is_meant.then(|| unusable.to_string())
}

/// Deletes nothing of `tables`, whose rows should move to the history database first, and compacts
/// none of them; whether anything would have been.
pub(super) fn hold_back(
    wanted: &mut Wanted,
    tables: &[impl AsRef<str>],
    what_failed: &str,
) -> bool {
    let tasks = wanted.housekeeping.tasks.iter_mut();
    let mut held = false;
    for work in tasks.flat_map(|task| &mut task.work) {
        let losing = work.deletes_from();
        let unmoved = tables.iter().map(AsRef::as_ref);
        if let Some(table) = unmoved.clone().find(|table| losing.contains(table)) {
            let why =
                format!("rows of {table} should move to the history database first, {what_failed}");
            *work = Work::Skip { why };
            held = true;
        }
    }
    let before = wanted.compaction.series.len();
    let moves = |table: &String| tables.iter().any(|one| one.as_ref() == table);
    wanted.compaction.series.retain(|rule| !moves(&rule.table));
    held || wanted.compaction.series.len() < before
}

/// What is to move: what was chosen, and what a chosen task would otherwise delete or compact.
pub(super) fn policy(
    settings: &Settings,
    pandora: &Pandora,
    wanted: &Wanted,
    place: &HistorySettings,
    selection: &Selection,
) -> MovePolicy {
    let meant = |rule: &MoveRule| {
        let tasks = wanted.housekeeping.tasks.iter();
        let mut works = tasks.flat_map(|task| &task.work);
        let mut series = wanted.compaction.series.iter();
        works.any(|work| work.deletes_from().contains(&rule.table.as_str()))
            || series.any(|own| own.table == rule.table)
    };
    let rules = move_rules(place, &pandora.zone).into_iter();
    let rules = rules.filter(|rule| selection.names(&rule.id, Group::HistoryDb) || meant(rule));
    let terms = &wanted.housekeeping;
    MovePolicy {
        locks: terms.locks.clone(),
        history_locks: history_locks(),
        max_clock_skew: terms.max_clock_skew,
        allow_replica: terms.allow_replica,
        throttle: settings.policy.throttle.clone(),
        steps: move_steps(place),
        rules: rules.collect(),
    }
}

/// What a run would move. Changes nothing.
pub(super) async fn plan(
    policy: &MovePolicy,
    active: &mut MySqlStore,
    history: &mut MySqlStore,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<MovePlan> {
    let spinner = Spinner::new(printer.is_watched());
    spinner.show("looking at what moves".to_owned());
    let counting = FnObserver(|event: &MoveEvent| {
        if let MoveEvent::MoveCounted { table, due } = event {
            spinner.show(format!("counting {table}: {}", output::number(*due)));
        }
    });
    let inspection = MoveInspection {
        clock: &RealClock::new(),
        observer: &counting,
        stop: &interrupt.stop,
        exact,
    };
    let facts = inspection.run(policy, active, history).await?;
    Ok(MovePlan::new(policy, &facts))
}

/// What is left for the purge where rows move before.
pub(super) fn leave_less(plan: &mut HousekeepingPlan, moves: &MovePlan) {
    let parts = plan.tasks.iter_mut().flat_map(|task| &mut task.parts);
    for part in parts {
        let PartPlan::Purge(purge) = part else {
            continue;
        };
        let mut moving = moves.tables.iter();
        let moving = moving.find(|table| table.table == purge.task.table && table.task.is_some());
        let Some(moving) = moving else { continue };
        let left = purge.due.rows.saturating_sub(moving.due.rows);
        let share = left as f64 / purge.due.rows.max(1) as f64;
        purge.bytes = purge.bytes.map(|bytes| (bytes as f64 * share) as u64);
        purge.duration_s *= share;
        purge.due = Count {
            rows: left,
            exact: purge.due.exact && moving.due.exact,
        };
        let gone = moving.children.iter().flatten();
        for (child, rows) in gone {
            let counted = purge.cascaded.iter_mut().flatten();
            for (_, due) in counted.filter(|(table, _)| table == child) {
                *due = due.saturating_sub(*rows);
            }
        }
    }
}

/// What came of the moves of one run.
pub(super) struct Moved {
    pub(super) ended: Ended,
    /// What a person should see to although it came to its end.
    pub(super) concerns: Vec<String>,
    /// Tables that hold rows which should have moved.
    pub(super) unmoved: Vec<String>,
    /// Of the limits of the whole run.
    pub(super) left: Limits,
    /// Whether the history database could be asked at all.
    pub(super) reached: bool,
    /// Whether rows may have moved.
    pub(super) begun: bool,
}

/// Moves what `policy` says. Whatever is wrong with the history database, it is a concern and no
/// error: nothing that should be there is deleted here then, and the rest of the run goes on.
pub(super) async fn run(
    job: &Job<'_>,
    policy: &MovePolicy,
    active: &mut MySqlStore,
    history: Result<History>,
    limits: Limits,
    journal: &SqliteJournal,
) -> Moved {
    let clock = RealClock::new();
    let begun = clock.monotonic();
    let all = || policy.rules.iter().map(|rule| rule.table.clone()).collect();
    let reached = history.is_ok();
    let done = match history {
        Ok(mut history) => attempt(job, policy, active, &mut history, limits, journal).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(Some(report)) => {
            let complete = |table: &String| {
                let mut tables = report.tables.iter();
                tables.any(|moved| moved.table == *table && moved.complete)
            };
            let tables: Vec<String> = all();
            let elapsed = clock.monotonic().saturating_sub(begun);
            Moved {
                unmoved: tables.into_iter().filter(|one| !complete(one)).collect(),
                concerns: report
                    .concerns()
                    .into_iter()
                    .map(|concern| format!("moving to the history database: {concern}"))
                    .collect(),
                left: limits.after(report.moved(), elapsed),
                begun: report.moved() > 0,
                ended: report.ended,
                reached,
            }
        }
        Ok(None) => Moved {
            ended: Ended::Interrupted,
            concerns: Vec::new(),
            unmoved: all(),
            left: limits,
            reached,
            begun: false,
        },
        Err(error) => Moved {
            begun: match error.downcast_ref::<MoveError>() {
                Some(RunError::Stopped { report, .. }) => report.moved() > 0,
                Some(RunError::Journal(_)) => true,
                _ => false,
            },
            ended: Ended::Done,
            concerns: vec![format!("the history database: {error:#}")],
            unmoved: all(),
            left: limits,
            reached,
        },
    }
}

/// `None` if the operator stopped it while it waited for the locks.
async fn attempt(
    job: &Job<'_>,
    policy: &MovePolicy,
    active: &mut MySqlStore,
    history: &mut History,
    limits: Limits,
    journal: &SqliteJournal,
) -> Result<Option<MoveReport>> {
    let (printer, interrupt) = (job.printer, job.interrupt);
    let names = (&policy.history_locks[..], history.database.as_str());
    let taken = locks::take(&mut history.store, names, journal, printer, interrupt);
    if taken.await?.is_err() {
        return Ok(None);
    }
    let there = &mut history.store;
    let exact = job.options.exact;
    let plan = plan(policy, active, there, exact, printer, interrupt).await?;
    let clock = RealClock::new();
    let progress = output::move_progress(printer);
    let mut throttle = throttle(job);
    let mut plan = plan;
    if !job.options.throttled {
        plan.steps.pause = Duration::ZERO;
    }
    let mut run = job.begin(journal, &mut *throttle, progress.as_ref(), &clock, limits);
    let report = match run.move_rows(&plan, active, there).await {
        Ok(report) => report,
        Err(RunError::NotBegun(error @ StoreError::LockHeld { .. })) => {
            let error = RunError::<MoveReport>::NotBegun(error);
            return Err(locked(error, journal, &plan.target));
        }
        Err(error) => return Err(error.into()),
    };
    printer.result(&output::moved(&report));
    Ok(Some(report))
}

/// The operator's throttle, for steps that cost something before they move a row.
fn throttle(job: &Job<'_>) -> Box<dyn Throttle> {
    if !job.options.throttled {
        return job.throttle();
    }
    let rules = job.settings.policy.throttle.clone();
    Box::new(AdaptiveThrottle::new(ThrottleRules {
        target: rules.target.max(STEP),
        min_rows: rules.min_rows.max(FEWEST).min(rules.max_rows),
        ..rules
    }))
}
