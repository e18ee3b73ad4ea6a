//! `run --pandora`: old rows move to the history database, then every task of the product's
//! maintenance, then compaction, then what the history database itself keeps, under the locks of
//! the product's own tools.

mod history;

use anyhow::Result;
use elpis_maint_core::compact::CompactPlan;
use elpis_maint_core::housekeeping::{HousekeepingError, HousekeepingPlan, HousekeepingReport};
use elpis_maint_core::{Ended, Limits, MySqlStore, Store, StoreError};
use elpis_pandora::{Programs, TokenFinding, record_maintenance};
use elpis_run::journal::SqliteJournal;
use elpis_run::{Clock, RealClock};
use jiff::Zoned;

use super::history::{History, is_meant};
use super::{PandoraPlans, Selection, Wanted, ask, locks, master, moves, named, session};
use crate::commands::journal::{self, Measured};
use crate::commands::plan::Jobs;
use crate::commands::run::{self as running, Also, Job, locked};
use crate::commands::store::{beside, mysql};
use crate::exit::{Code, Underway, Verdict};
use crate::interrupt::Interrupt;
use crate::output::{self, Printer};
use crate::settings::{Pandora, Server, Settings};

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
    let mut stage = Stage {
        wanted,
        selection: &options.selection,
        job: Job {
            settings,
            options: running::Options {
                limits: options.limits,
                jobs: Jobs {
                    purge: true,
                    compact: options.selection.compact,
                },
                exact: options.exact,
                throttled: options.throttled,
            },
            printer,
            interrupt,
            also: Also::nobody(),
        },
    };
    let ended = stage.play((pandora, server)).await;
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
    wanted: Wanted,
    selection: &'a Selection,
    job: Job<'a>,
}

/// What came of one database.
struct Half {
    ended: Ended,
    /// What a person should see to although it came to its end.
    concerns: Vec<String>,
    /// Whether one of these is that a larger share of a table would have to go.
    by_share: bool,
    /// Of the limits of the whole run.
    left: Limits,
    /// Whether anything was changed.
    begun: bool,
}

impl Half {
    /// Nothing was done.
    fn idle(ended: Ended, left: Limits) -> Half {
        Half {
            ended,
            concerns: Vec::new(),
            by_share: false,
            left,
            begun: false,
        }
    }
}

impl Stage<'_> {
    async fn play(&mut self, (pandora, server): (&Pandora, &Server)) -> Result<Verdict> {
        let Job {
            settings,
            printer,
            interrupt,
            ..
        } = self.job;
        let journal = journal::open(&settings.state)?;
        let mut store = mysql(settings, server, printer).await?;
        let database = server.name.as_deref().unwrap_or_default();
        let names = (&self.wanted.housekeeping.locks[..], database);
        let taken = locks::take(&mut store, names, &journal, printer, interrupt);
        if taken.await?.is_err() {
            return Ok(Verdict::from(&Ended::Interrupted));
        }
        let moved = self.moves(pandora, &journal, &mut store).await;
        let main = match moved.ended {
            Ended::Done if moved.left.are_spent() => Ok(Half::idle(all_taken(), moved.left)),
            Ended::Done => self.main(server, &journal, &mut store, moved.left).await,
            ref ended => Ok(Half::idle(ended.clone(), moved.left)),
        };
        // The locks go with the session anyway; a session that is lost cannot give them back.
        let _ = store.unlock().await;
        let mut main = after(moved.begun, main)?;
        let odd = mistaken(&self.wanted.settings.findings);
        main.concerns
            .splice(0..0, odd.into_iter().chain(moved.concerns));
        if main.ended == Ended::Done
            && moved.reached
            && let Ok(Some(place)) = &self.wanted.settings.history
            && is_meant(self.selection)
        {
            if main.left.are_spent() {
                main.ended = all_taken();
            } else {
                let places = (pandora, place, server);
                let half = self.history(places, main.left, &journal).await;
                main.ended = half.ended;
                main.by_share |= half.by_share;
                let known = std::mem::take(&mut main.concerns);
                let more = half.concerns.into_iter().filter(|one| !known.contains(one));
                main.concerns = known.iter().cloned().chain(more).collect();
            }
        }
        Ok(match main.ended {
            Ended::Done if main.concerns.is_empty() => Verdict::silent(Code::Done),
            Ended::Done => Verdict::new(
                Code::Partial,
                main.concerns.join("; "),
                match main.by_share {
                    false => TRIES_AGAIN.to_owned(),
                    true => format!(
                        "{TRIES_AGAIN}; --max-share lets a larger share go, 1 all that was held back"
                    ),
                },
            ),
            ended => Verdict::from(&ended),
        })
    }

    /// What is old moves to the history database first: what the purge finds then has either moved
    /// or is not meant to. Where that does not succeed nothing is purged.
    async fn moves(
        &mut self,
        pandora: &Pandora,
        journal: &SqliteJournal,
        store: &mut MySqlStore,
    ) -> moves::Moved {
        let settings = self.job.settings;
        let limits = self.job.options.limits;
        let mut moved = moves::Moved {
            ended: Ended::Done,
            concerns: Vec::new(),
            unmoved: Vec::new(),
            left: limits,
            reached: true,
            begun: false,
        };
        if let Some(concern) = moves::unusable(&mut self.wanted, self.selection) {
            moved.concerns = vec![format!("the history database: {concern}")];
            return moved;
        }
        let Ok(Some(place)) = &self.wanted.settings.history else {
            return moved;
        };
        let policy = moves::policy(settings, pandora, &self.wanted, place, self.selection);
        if policy.rules.is_empty() {
            return moved;
        }
        let printer = self.job.printer;
        let history = History::open(settings, (pandora, place), self.selection, printer).await;
        moved = moves::run(&self.job, &policy, store, history, limits, journal).await;
        moves::hold_back(&mut self.wanted, &moved.unmoved, "which did not succeed");
        moved
    }

    /// The product's own database. Neither half begins if one of them would be refused.
    async fn main(
        &self,
        server: &Server,
        journal: &SqliteJournal,
        store: &mut MySqlStore,
        limits: Limits,
    ) -> Result<Half> {
        let Job {
            printer, interrupt, ..
        } = self.job;
        let exact = self.job.options.exact;
        let measured = |target: &str| Ok(Measured::read(journal, target)?);
        let mut beside = match exact {
            true => None,
            false => beside(server).await,
        };
        let stores = (&mut *store, beside.as_mut());
        let wanted = (&self.wanted, server);
        let plans = PandoraPlans::make(wanted, exact, stores, measured, printer, interrupt).await?;
        drop(beside);
        let refusals = plans.refusals();
        if !refusals.is_empty() {
            return Err(HousekeepingError::Refused(refusals).into());
        }
        for warning in plans.warnings() {
            printer.say(&format!("warning: {warning}"));
        }
        let mut half = self
            .housekeeping(&plans.housekeeping, limits, journal, store)
            .await?;
        half.concerns.extend(plans.concerns);
        if half.ended != Ended::Done {
            return Ok(half);
        }
        if let Some(plan) = &plans.compaction {
            let done = self.compact(plan, &mut half, journal, store).await;
            after(half.begun, done)?;
        }
        if half.ended == Ended::Done
            && self.selection.is_whole()
            && let Err(error) = tell_console(server).await
        {
            half.concerns.push(format!(
                "the console was not told (db_maintance in tconfig), so it will call for \
                 maintenance: {error:#}"
            ));
        }
        Ok(half)
    }

    /// Compacts by `plan` with what is left of the limits, and enters what came of it into `half`.
    async fn compact(
        &self,
        plan: &CompactPlan,
        half: &mut Half,
        journal: &SqliteJournal,
        store: &mut MySqlStore,
    ) -> Result<()> {
        if half.left.are_spent() {
            half.ended = all_taken();
            return Ok(());
        }
        let clock = RealClock::new();
        let begun = clock.monotonic();
        let report = self.job.compact(plan, half.left, journal, store).await?;
        let elapsed = clock.monotonic().saturating_sub(begun);
        half.left = half.left.after(report.removed(), elapsed);
        half.ended = report.ended.clone();
        let result = format!("\n{}", output::compacted(&report));
        self.job.printer.result(&result);
        Ok(())
    }

    async fn housekeeping(
        &self,
        plan: &HousekeepingPlan,
        limits: Limits,
        journal: &SqliteJournal,
        store: &mut MySqlStore,
    ) -> Result<Half> {
        if plan.tasks.is_empty() {
            return Ok(Half::idle(Ended::Done, limits));
        }
        let printer = self.job.printer;
        let clock = RealClock::new();
        let begun = clock.monotonic();
        let progress = output::housekeeping_progress(printer);
        let (mut throttle, observer) = (self.job.throttle(), progress.as_ref());
        let mut run = self
            .job
            .begin(journal, &mut *throttle, observer, &clock, limits);
        let result = run.housekeep(plan, store, &Programs::default()).await;
        let report: HousekeepingReport = result.map_err(|error| match error {
            HousekeepingError::NotBegun(StoreError::LockHeld { .. }) => {
                locked(error, journal, &plan.target)
            }
            error => error.into(),
        })?;
        printer.result(&output::housekept(&report));
        let elapsed = clock.monotonic().saturating_sub(begun);
        Ok(Half {
            concerns: report.concerns().into_iter().map(str::to_owned).collect(),
            by_share: report.is_held_by_share(),
            left: limits.after(report.changed(), elapsed),
            begun: report.changed() > 0,
            ended: report.ended,
        })
    }
}

/// An error is told as that of a run of which some was done, if it was.
fn after<T>(begun: bool, result: Result<T>) -> Result<T> {
    result.map_err(|error| match begun && !error.is::<Underway>() {
        true => error.context(Underway),
        false => error,
    })
}

/// Writes down that all was done, where the console looks for it.
async fn tell_console(server: &Server) -> Result<()> {
    let mut session = session(server).await?;
    record_maintenance(&mut session, RealClock::new().now()).await?;
    Ok(session.close().await?)
}

const TRIES_AGAIN: &str = "everything else was done; see to this, the next run tries again";

/// Settings that cannot be meant. What they should limit stays for ever, and somebody has to know.
fn mistaken(findings: &[TokenFinding]) -> Vec<String> {
    let junk = |found: &&TokenFinding| matches!(found, TokenFinding::Junk(_));
    findings
        .iter()
        .filter(junk)
        .map(ToString::to_string)
        .collect()
}

/// How a run ends whose first parts took all that it may.
fn all_taken() -> Ended {
    Ended::Limit {
        why: "the tasks before took all that this run may".to_owned(),
    }
}
