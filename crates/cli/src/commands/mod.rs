//! The verbs. Each takes plain values and says how it ended; [`maint`] chooses among them.

mod background;
mod demo;
mod history;
mod journal;
mod pandora;
mod plan;
mod policy;
mod run;
mod status;
mod store;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use crate::args::maint::{Global, Maint, Parts, PolicyVerb, Verb};
use crate::exit::{Code, Verdict};
use crate::interrupt::{Interrupt, LeftAtOnce};
use crate::output::{self, Printer};
use crate::program;
use crate::settings::{Environment, Settings};

pub(crate) use pandora::{HistoryPlan, PandoraPlans, Unknown, WrongPart};
pub(crate) use plan::Plans;
pub(crate) use status::TargetStatus;

/// The whole of `elpis-maint`: reads arguments, environment and configuration, carries out one
/// verb, and returns the exit code.
pub fn maint() -> ExitCode {
    let args = match Maint::try_parse() {
        Ok(args) => args,
        Err(said) => return program::answer(&said),
    };
    let printer = args.global.manners.printer();
    let verdict = carry_out(args, printer).unwrap_or_else(|error| Verdict::from(&error));
    program::conclude(printer, &verdict.without(output::lost()))
}

fn carry_out(args: Maint, printer: Printer) -> Result<Verdict> {
    // One thread: an answer of the server wakes the one that waits for it and no other, which
    // matters to a purge of many small chunks. What blocks (SQLite) has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let interrupt = Interrupt::new();
    let watches = matches!(&args.verb, Verb::Status(status) if status.follow);
    let result = runtime.block_on(async {
        let watch = tokio::spawn(interrupt.clone().watch(printer));
        tokio::select! {
            result = dispatch(args, printer, &interrupt) => result,
            watched = watch => {
                watched??;
                if watches {
                    return Ok(background::left());
                }
                Err(LeftAtOnce.into())
            }
        }
    });
    // A statement that still runs on a blocking thread is rolled back by the end of the process.
    runtime.shutdown_background();
    result
}

async fn dispatch(args: Maint, printer: Printer, interrupt: &Interrupt) -> Result<Verdict> {
    let Maint { global, verb } = args;
    match verb {
        Verb::Policy(PolicyVerb::Check) => policy::check(&settings(&global)?, printer),
        Verb::Policy(PolicyVerb::Show { effective }) => {
            pandora::show(&settings(&global)?, effective, printer).await
        }
        Verb::Plan(args) => {
            let mut settings = settings(&global)?;
            settings.consent(args.consent.max_share);
            plan_for(&settings, &args.parts, args.exact, printer, interrupt).await
        }
        Verb::Run(args) => {
            let mut settings = settings(&global)?;
            settings.consent(args.consent.max_share);
            // Held until the run is over.
            let _background = match (args.background, args.detached) {
                (true, false) => return background::start(&settings, printer).await,
                (true, true) => Some(background::detach(&settings.state)?),
                _ => None,
            };
            if args.dry_run {
                return plan_for(&settings, &args.parts, args.exact, printer, interrupt).await;
            }
            let limits = elpis_maint_core::Limits {
                max_time: args.max_time,
                max_rows: args.max_rows,
            };
            if settings.pandora.is_some() {
                let options = pandora::Options {
                    limits,
                    selection: pandora::Selection::new(&args.parts),
                    exact: args.exact,
                    throttled: !args.no_throttle,
                    force: args.force,
                };
                return pandora::run(&settings, &options, printer, interrupt).await;
            }
            let options = run::Options {
                limits,
                jobs: match jobs(&settings, &args.parts) {
                    Ok(jobs) => jobs,
                    Err(verdict) => return Ok(verdict),
                },
                exact: args.exact,
                throttled: !args.no_throttle,
            };
            run::run(&settings, options, printer, interrupt).await
        }
        Verb::Verify => verify::verify(&settings(&global)?, printer, interrupt).await,
        Verb::Status(args) if args.follow => background::follow(&settings(&global)?, printer).await,
        Verb::Status(_) => status::status(&settings(&global)?, printer),
        Verb::Doctor(args) => {
            let rooted = pandora::Rooted {
                root: args.root,
                config: global.config,
                pandora: global.pandora,
            };
            pandora::doctor(&rooted, printer).await
        }
        Verb::Install(args) => {
            let options = pandora::InstallOptions {
                timer: args.systemd_timer,
                disable_incumbent: args.disable_incumbent,
                rooted: pandora::Rooted {
                    root: args.root,
                    config: global.config,
                    pandora: global.pandora,
                },
            };
            pandora::install(&options, printer)
        }
        Verb::History(args) => {
            let settings = settings(&global)?;
            match args.run {
                None => history::list(&settings, args.limit, printer),
                Some(run) => history::show(&settings, elpis_run::RunId(run), printer),
            }
        }
        Verb::Demo(args) => {
            demo::demo(
                args.keep.as_deref(),
                args.rows,
                args.days,
                printer,
                interrupt,
            )
            .await
        }
        Verb::Completions { shell } => program::completions(shell, Maint::command(), printer),
        Verb::Man => program::man(Maint::command(), printer),
    }
}

async fn plan_for(
    settings: &Settings,
    parts: &Parts,
    exact: bool,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    if settings.pandora.is_some() {
        let selection = pandora::Selection::new(parts);
        return pandora::plan(settings, &selection, exact, printer, interrupt).await;
    }
    match jobs(settings, parts) {
        Ok(jobs) => plan::plan(settings, jobs, exact, printer, interrupt).await,
        Err(verdict) => Ok(verdict),
    }
}

fn settings(global: &Global) -> Result<Settings> {
    Ok(Settings::load(
        global.config.as_deref(),
        global.pandora.as_deref(),
        &Environment::read(),
    )?)
}

/// The jobs that the policy has rules for, less those that are to be left out.
fn jobs(settings: &Settings, parts: &Parts) -> Result<plan::Jobs, Verdict> {
    let all = plan::Jobs::of(&settings.policy);
    let named = |job: &str| parts.only.is_empty() || parts.only.iter().any(|part| part == job);
    if let Some(part) = parts
        .only
        .iter()
        .find(|part| !["purge", "compact"].contains(&part.as_str()))
    {
        let message = format!("--only {part}: without --pandora there are only purge and compact");
        let hint = "name the configuration of a Pandora FMS server with --pandora";
        return Err(Verdict::new(Code::Usage, message, hint));
    }
    let jobs = plan::Jobs {
        purge: all.purge && named("purge"),
        compact: all.compact && named("compact") && !parts.purge_only,
    };
    if jobs.purge || jobs.compact {
        return Ok(jobs);
    }
    let message = if named("purge") {
        "the policy has no [[policy.table]] rule"
    } else {
        "the policy has no [[policy.compact]] rule"
    };
    let hint = "leave out --only, or add such a rule; docs/config.md has an example of each";
    Err(Verdict::new(Code::Usage, message, hint))
}
