//! The verbs. Each takes plain values and says how it ended; [`failover`] chooses among them.

mod evidence;
mod gates;
mod inspect;
mod manager;
mod plan;
mod rehearse;
mod run;
mod status;
mod trust;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};
use elpis_failover::{
    Concern, Ended, Facts, FtdDriver, Inspection, JOB, PairDriver, Policy, Serving,
};
use elpis_run::{Clock, Holder, Journal, Query, RealClock, RunId, SqliteJournal, StopToken, fsx};
use jiff::tz::TimeZone;

use super::args::{Arguments, Global, Verb};
use super::settings::Settings;
use crate::environment::Environment;
use crate::exit::{Code, Verdict};
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::program;

pub(crate) use trust::Untrusted;

/// The program's name in locks and in the journal.
const PROGRAM: &str = "elpis-failover";

/// There is no run that a verb could be about.
#[derive(Debug)]
pub(crate) struct NoRun;

impl fmt::Display for NoRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no run of this pair in the journal")
    }
}

impl std::error::Error for NoRun {}

/// The whole of `elpis-failover`: reads arguments, environment and configuration, carries out one
/// verb, and returns the exit code.
pub fn failover() -> ExitCode {
    let args = match Arguments::try_parse() {
        Ok(args) => args,
        Err(said) => return program::answer(&said),
    };
    let printer = args.global.manners.printer();
    let verdict =
        carry_out(args, printer).unwrap_or_else(|error| crate::exit::failover::verdict(&error));
    program::conclude(printer, &verdict)
}

fn carry_out(args: Arguments, printer: Printer) -> Result<Verdict> {
    let Arguments { global, verb } = args;
    match verb {
        Verb::Completions { shell } => {
            return program::completions(shell, Arguments::command(), printer);
        }
        Verb::Man => return program::man(Arguments::command(), printer),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let interrupt = Interrupt::new();
    let context = Context {
        printer,
        interrupt: interrupt.clone(),
        leave: StopToken::new(),
        settings: match verb {
            Verb::Demo { .. } => Settings::bare(&Environment::read()),
            _ => settings(&global, &verb)?,
        },
        clock: RealClock::new(),
        zone: TimeZone::system(),
    };
    let result = runtime.block_on(async {
        let watch = tokio::spawn(interrupt.watch(printer));
        let mut work = std::pin::pin!(dispatch(&context, verb));
        tokio::select! {
            result = &mut work => result,
            watched = watch => {
                watched??;
                // Nothing is cut off: the engine writes down where it leaves, and does so soon.
                context.leave.stop();
                work.await
            }
        }
    });
    runtime.shutdown_background();
    result
}

async fn dispatch(context: &Context, verb: Verb) -> Result<Verdict> {
    match verb {
        Verb::Inspect => inspect::inspect(context).await,
        Verb::Check(_) => inspect::check(context).await,
        Verb::Plan { output, adopt, .. } => plan::plan(context, output.as_deref(), adopt).await,
        Verb::Apply { plan, .. } => run::apply(context, &plan).await,
        Verb::Resume {
            run,
            window_from,
            window_to,
            window_zone,
            adopt,
            as_planned,
            ..
        } => {
            let window = run::window(window_from, window_to, window_zone)?;
            run::resume(context, &run, window, adopt, as_planned).await
        }
        Verb::Approve { gate, run, by } => gates::approve(context, &run, gate, &by),
        Verb::Pause { run, by } => gates::pause(context, &run, &by),
        Verb::Rollback(run) => run::rollback(context, &run).await,
        Verb::Abort(run) => run::abort(context, &run).await,
        Verb::Status { run, follow } => status::status(context, &run, follow).await,
        Verb::Evidence { run, output } => evidence::write(context, &run, output.as_deref()),
        Verb::Trust { unit, fingerprint } => {
            trust::trust(context, unit, fingerprint.as_deref()).await
        }
        Verb::Manager { errand } => manager::manager(context, errand).await,
        Verb::Rehearse {
            faults,
            from,
            output,
        } => rehearse::rehearse(context, &faults, from, output.as_deref()).await,
        Verb::Demo { output } => rehearse::demo(context, output.as_deref()).await,
        Verb::Completions { .. } | Verb::Man => Ok(Verdict::silent(Code::Done)),
    }
}

/// What every verb has at hand.
struct Context {
    printer: Printer,
    /// The first signal: stop after the present step.
    interrupt: Interrupt,
    /// The second: leave now.
    leave: StopToken,
    settings: Settings,
    clock: RealClock,
    zone: TimeZone,
}

impl Context {
    fn journal(&self) -> Result<SqliteJournal> {
        let path = self.settings.state.join("journal.db");
        Ok(SqliteJournal::open(&path, Some(self.settings.keep_days))?)
    }

    /// The journal for those who only look.
    fn look(&self) -> Result<SqliteJournal> {
        let path = self.settings.state.join("journal.db");
        Ok(SqliteJournal::open_read_only(&path)?)
    }

    fn holder(&self) -> Holder {
        Holder::current(PROGRAM, self.clock.now())
    }

    async fn facts(&self, driver: &FtdDriver, policy: &Policy) -> Result<Facts> {
        self.directories()?;
        let inspection = Inspection {
            driver,
            clock: &self.clock,
            stop: &self.leave,
            limits: &policy.limits,
        };
        Ok(inspection.run(&policy.target).await?)
    }

    /// The same once what passes by itself has passed.
    async fn settled_facts(&self, driver: &FtdDriver, policy: &Policy) -> Result<Facts> {
        self.directories()?;
        let inspection = Inspection {
            driver,
            clock: &self.clock,
            stop: &self.leave,
            limits: &policy.limits,
        };
        let tell = |concern: &Concern| self.printer.say(&format!("waiting, {concern}"));
        Ok(inspection.settled(policy, &tell).await?)
    }

    /// The state directory, and that of the transcripts in it.
    fn directories(&self) -> Result<()> {
        fsx::create_private_dir(&self.settings.state)?;
        fsx::create_private_dir(&self.settings.state.join("transcripts"))?;
        Ok(())
    }

    /// The run that an argument means: its number, or the newest of the configured pair.
    fn run(&self, journal: &dyn Journal, run: &super::args::Run) -> Result<RunId> {
        if let Some(number) = run.number {
            return Ok(RunId(number));
        }
        // Looking at the journal needs no pair; one that is configured narrows the choice.
        let target = self.settings.driver().ok().map(|driver| driver.pair());
        let query = Query {
            job: Some(JOB.to_owned()),
            target,
            open_only: false,
            limit: Some(1),
        };
        let runs = journal.list(&query)?;
        Ok(runs.first().ok_or(NoRun)?.id)
    }
}

fn settings(global: &Global, verb: &Verb) -> Result<Settings> {
    let mut settings = Settings::load(global.config.as_deref(), &Environment::read())?;
    if let Verb::Check(word)
    | Verb::Plan { word, .. }
    | Verb::Apply { word, .. }
    | Verb::Resume { word, .. } = verb
    {
        settings.no_pending_deployment = word.no_pending_deployment.clone();
    }
    Ok(settings)
}

/// The exit code of a run's end.
fn code(ended: &Ended) -> Code {
    use elpis_failover::Cause;
    match ended {
        Ended::Done | Ended::NothingToDo | Ended::Aborted { .. } => Code::Done,
        Ended::Warnings => Code::Partial,
        Ended::Refused { concerns } => {
            let away = |cause| matches!(cause, Cause::Unreachable | Cause::Rejected);
            if concerns.iter().all(|concern| away(concern.cause)) {
                Code::Unreachable
            } else {
                Code::Refused
            }
        }
        Ended::Held { hold } if hold.serving != Serving::Yes => Code::NeedsPerson,
        Ended::Held { hold } => match hold.concern.cause {
            Cause::OutcomeUnknown => Code::NeedsPerson,
            Cause::Stopped => Code::Interrupted,
            _ => Code::Stopped,
        },
        Ended::Undone { .. } => Code::Stopped,
        _ => Code::Internal,
    }
}
