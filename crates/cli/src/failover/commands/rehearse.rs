//! `rehearse` and `demo`: the whole sequence on a simulated pair, over real SSH, in simulated
//! time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use elpis_failover::rehearse::{DriverClock, RehearsalClock, Setup, SimulatedPair, Timed};
use elpis_failover::{
    Aids, Cause, Concern, Ended, FtdDriver, FtdOptions, Gate, Inspection, KnownHosts, Plan, Policy,
    Report, Resume, SshOptions, SshTransport, Unit, Upgrade,
};
use elpis_run::{Clock, Holder, SqliteJournal};

use super::{Context, PROGRAM, evidence, run};
use crate::exit::{Code, Verdict};
use crate::failover::faults;
use crate::failover::helpers::Willing;
use crate::failover::output::{self, Checklist};

pub(super) async fn rehearse(
    context: &Context,
    names: &[String],
    from: String,
    document: Option<&Path>,
) -> Result<Verdict> {
    if names.iter().any(|name| name == "list") {
        context.printer.data(&faults::list())?;
        return Ok(Verdict::silent(Code::Done));
    }
    let mut setup = Setup::new();
    for name in names {
        match faults::parse(name) {
            Ok(faults) => setup.faults.extend(faults),
            Err(text) => {
                let hint = "`elpis-failover rehearse --fault list` shows them";
                return Ok(Verdict::new(Code::Usage, text, hint));
            }
        }
    }
    let mut policy = match context.settings.policy() {
        Ok(policy) => policy.clone(),
        Err(_) => {
            context
                .printer
                .say("no policy is configured: rehearsing the upgrade of the demo");
            demo_policy(&setup)
        }
    };
    setup.from = from;
    setup.to = policy.target.version.clone();
    setup.package_size = policy.target.size.unwrap_or(setup.package_size);
    // What is simulated: the package, the time, and everybody who is asked.
    policy.target = setup.target();
    policy.window = None;
    policy.safety_copy = None;
    // As the real pair has it: a manager to ask, or somebody's word.
    let has_manager = context.settings.has_manager() || !context.settings.has_pair();
    play(context, setup, policy, has_manager, document).await
}

pub(super) async fn demo(context: &Context, document: Option<&Path>) -> Result<Verdict> {
    let setup = Setup::new();
    let policy = demo_policy(&setup);
    context.printer.say(
        "two simulated firewalls on loopback, 7.2.2 to 7.2.7, over SSH; an hour in some seconds",
    );
    play(context, setup, policy, true, document).await
}

fn demo_policy(setup: &Setup) -> Policy {
    Policy {
        switch_back: true,
        ..Policy::new(setup.target())
    }
}

async fn play(
    context: &Context,
    setup: Setup,
    policy: Policy,
    has_manager: bool,
    document: Option<&Path>,
) -> Result<Verdict> {
    context.interrupt.wait_for_safe_point();
    let dir = tempfile::Builder::new()
        .prefix("elpis-rehearsal-")
        .tempdir()?;
    let clock = Arc::new(RehearsalClock::new());
    let pair = SimulatedPair::start(setup, clock.clone()).await?;
    // As with a real pair: one process plans, another one applies, and each logs in by itself.
    let planner = driver(&pair, &clock, dir.path(), has_manager)?;
    let driver = driver(&pair, &clock, dir.path(), has_manager)?;
    let inspection = Inspection {
        driver: &planner,
        clock: &*clock,
        stop: &context.leave,
        limits: &policy.limits,
    };
    let tell = |concern: &Concern| context.printer.say(&format!("waiting, {concern}"));
    let facts = inspection.settled(&policy, &tell).await?;
    let plan = match Plan::new(&policy, &facts) {
        Ok(plan) => plan,
        Err(concerns) => {
            context
                .printer
                .data(&output::refusals_and_next(&concerns))?;
            return Ok(Verdict::silent(super::code(&Ended::Refused { concerns })));
        }
    };
    context.printer.say(&plan.to_string());
    let journal = SqliteJournal::open(&dir.path().join("journal.db"), None)?;
    let checklist = Checklist::new(context.printer);
    let engine = Upgrade {
        driver: &driver,
        journal: &journal,
        lock_dir: dir.path(),
        clock: &*clock,
        observer: &checklist,
        stop: &context.interrupt.stop,
        leave: &context.leave,
        aids: Aids {
            hooks: &Willing,
            safety_copy: &(),
            maintenance: &Willing,
        },
        holder: Holder::current(PROGRAM, clock.now()),
    };
    let mut report = engine.apply(&plan).await?;
    while let Some(gate) = gate_of(&plan, &report) {
        let Some(run) = report.run else { break };
        elpis_failover::approve(&journal, &*clock, run, gate, "rehearsal")?;
        report = engine.resume(run, Resume::default()).await?;
    }
    drop(checklist);
    let verdict = run::conclude(context, &report)?;
    if let (Some(file), Some(run)) = (document, report.run) {
        evidence::of(context, &journal, run, Some(file))?;
    }
    Ok(verdict)
}

/// The gate at which the run holds, if it does.
fn gate_of(plan: &Plan, report: &Report) -> Option<Gate> {
    let Ended::Held { hold } = &report.ended else {
        return None;
    };
    match plan.step(&hold.step)?.kind {
        elpis_failover::StepKind::Approve { gate } if hold.concern.cause == Cause::Approval => {
            Some(gate)
        }
        _ => None,
    }
}

/// A driver of the simulated pair that trusts the keys of its units.
fn driver(
    pair: &SimulatedPair,
    clock: &Arc<RehearsalClock>,
    dir: &Path,
    has_manager: bool,
) -> Result<Timed<FtdDriver>> {
    let known_hosts = KnownHosts::at(dir.join("known_hosts"));
    for unit in Unit::BOTH {
        known_hosts.trust(pair.host(unit), &pair.host_key(unit)?)?;
    }
    let mut options = FtdOptions::new([pair.access(Unit::A), pair.access(Unit::B)]);
    if has_manager {
        let clock = Arc::new(DriverClock::new(clock.clone()));
        options.manager = Some(Arc::new(pair.manager(clock)?));
    } else {
        options.no_pending_deployment = Some("rehearsal".to_owned());
    }
    // On loopback there are no pauses inside an answer.
    options.quiet = Duration::from_millis(5);
    options.clock = Arc::new(DriverClock::new(clock.clone()));
    let transport = SshTransport::new(SshOptions::new(known_hosts));
    let driver = FtdDriver::new(options, Arc::new(transport));
    Ok(Timed::new(driver, clock.clone()))
}
