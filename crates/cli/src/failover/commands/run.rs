//! `apply`, `resume`, `rollback`, `abort`: the verbs that drive a run.

use std::path::Path;

use anyhow::{Context as _, Result};
use elpis_failover::{
    Aids, Cause, Concern, Ended, FtdDriver, PairDriver, Plan, Report, Resume, StoredRun, Upgrade,
    UpgradeError, Window,
};
use elpis_run::{RunId, SqliteJournal};

use super::{Context, code};
use crate::exit::Verdict;
use crate::failover::args;
use crate::failover::helpers::Programs;
use crate::failover::output::{self, Checklist};

/// The three parts of a window, which clap lets come only together.
pub(super) fn window(
    from: Option<String>,
    to: Option<String>,
    zone: Option<String>,
) -> Result<Option<Window>> {
    let (Some(from), Some(to), Some(zone)) = (from, to, zone) else {
        return Ok(None);
    };
    let window = Window {
        from: from.parse().context("--window-from")?,
        to: to.parse().context("--window-to")?,
        zone,
    };
    window.check().map_err(elpis_failover::UpgradeError::from)?;
    Ok(Some(window))
}

pub(super) async fn apply(context: &Context, file: &Path) -> Result<Verdict> {
    let text = elpis_run::fsx::read_to_string(file)?;
    let plan: Plan =
        serde_json::from_str(&text).map_err(|error| crate::failover::ConfigError::Wrong {
            path: file.to_owned(),
            reason: error.to_string(),
        })?;
    let mut work = Work::new(context)?;
    let edited = plan.edited(context.settings.policy()?, &work.driver.terms());
    if !edited.is_empty() {
        let stale = |key| Concern::new(Cause::Stale, format!("{key} was edited since the plan"));
        return Err(UpgradeError::Refused(edited.iter().map(stale).collect()).into());
    }
    work.go_by(&plan);
    let report = work.engine(context).apply(&plan).await?;
    conclude(context, &report)
}

pub(super) async fn resume(
    context: &Context,
    run: &args::Run,
    window: Option<Window>,
    adopt: bool,
    as_planned: bool,
) -> Result<Verdict> {
    let (work, run) = Work::on(context, run)?;
    let policy = match context.settings.policy() {
        // Whoever goes by the plan needs no other policy.
        Err(_) if as_planned => None,
        policy => Some(policy?),
    };
    let how = Resume {
        window,
        adopt,
        policy,
        as_planned,
    };
    let report = work.engine(context).resume(run, how).await?;
    conclude(context, &report)
}

pub(super) async fn rollback(context: &Context, run: &args::Run) -> Result<Verdict> {
    let (work, run) = Work::on(context, run)?;
    let report = work.engine(context).rollback(run).await?;
    conclude(context, &report)
}

pub(super) async fn abort(context: &Context, run: &args::Run) -> Result<Verdict> {
    let (work, run) = Work::on(context, run)?;
    let report = work.engine(context).abort(run).await?;
    conclude(context, &report)
}

/// What a run needs and this process owns.
struct Work {
    driver: FtdDriver,
    journal: SqliteJournal,
    programs: Programs,
    checklist: Checklist,
}

impl Work {
    fn new(context: &Context) -> Result<Work> {
        context.directories()?;
        context.interrupt.wait_for_safe_point();
        Ok(Work {
            driver: context.settings.driver()?,
            journal: context.journal()?,
            programs: Programs::default(),
            checklist: Checklist::new(context.printer),
        })
    }

    /// The same for a run that there is.
    fn on(context: &Context, run: &args::Run) -> Result<(Work, RunId)> {
        let mut work = Work::new(context)?;
        let run = context.run(&work.journal, run)?;
        work.go_by(&StoredRun::load(&work.journal, run)?.plan);
        Ok((work, run))
    }

    /// Relies on whom the plan names, whatever the configuration says since.
    fn go_by(&mut self, plan: &Plan) {
        self.programs = Programs(plan.policy.helpers.clone());
    }

    fn engine<'a>(&'a self, context: &'a Context) -> Upgrade<'a, FtdDriver> {
        Upgrade {
            driver: &self.driver,
            journal: &self.journal,
            lock_dir: &context.settings.state,
            clock: &context.clock,
            observer: &self.checklist,
            stop: &context.interrupt.stop,
            leave: &context.leave,
            aids: Aids {
                hooks: &self.programs,
                safety_copy: &self.programs,
                maintenance: &self.programs,
            },
            holder: context.holder(),
        }
    }
}

/// Shows the report; events in JSON hold it already.
pub(super) fn conclude(context: &Context, report: &Report) -> Result<Verdict> {
    if !context.printer.json {
        context.printer.data(&output::report(report))?;
    } else if report.ended == Ended::NothingToDo {
        context.printer.document(report)?;
    }
    Ok(Verdict::silent(code(&report.ended)))
}
