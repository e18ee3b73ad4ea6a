//! One upgrade of the model: plan, helpers, and lives that may end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use elpis_failover::policy::Limits;
use elpis_failover::{
    Aids, Boxed, Cause, CopyFacts, Ended, Gate, HookAnswer, HookCall, HookPoint, HookRule, Hooks,
    Inspection, MaintenanceFlag, Plan, Policy, Report, Resume, SafetyCopy, StoredRun, Target, Unit,
    Upgrade, UpgradeError, UpgradeEvent,
};
use elpis_run::{Clock, Holder, Observer, Outcome, Query, RunId, StopToken};

use crate::crash::CrashingJournal;
use crate::model::{DIGEST, Fault, Model, NEW, OLD, PACKAGE};

pub(crate) struct Rig {
    pub(crate) model: Model,
    pub(crate) policy: Policy,
    pub(crate) plan: Plan,
    pub(crate) stop: StopToken,
    pub(crate) leave: StopToken,
    pub(crate) flag: Flag,
    pub(crate) copies: Copies,
    pub(crate) veto: Option<&'static str>,
    dir: Arc<tempfile::TempDir>,
}

pub(crate) fn target() -> Target {
    Target {
        version: NEW.into(),
        package: PACKAGE.into(),
        size: Some(4_096),
        digest: Some(DIGEST.into()),
    }
}

/// Every feature, at the model's pace.
pub(crate) fn policy() -> Policy {
    let s = Duration::from_secs;
    Policy {
        switch_back: true,
        maintenance_flag: true,
        hooks: vec![HookRule {
            name: "probe".into(),
            at: HookPoint::Probe,
            timeout: s(5),
            command: Vec::new(),
        }],
        limits: Limits {
            call: s(5),
            survey: s(30),
            poll: s(1),
            settle: s(60),
            readiness: s(300),
            install: s(600),
            stall: s(120),
            rejoin: s(600),
            suspended: s(120),
            outage: s(30),
            undo: s(30),
            unknown: s(20),
            anti_flap: s(30),
            ..Limits::default()
        },
        ..Policy::new(target())
    }
}

/// How a run is expected to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Warnings,
    Refused(Cause),
    Held(Cause),
    Undone,
}

pub(crate) fn end(report: &Report) -> End {
    match &report.ended {
        Ended::Done => End::Done,
        Ended::Warnings => End::Warnings,
        Ended::Refused { concerns } => End::Refused(concerns[0].cause),
        Ended::Held { hold } => {
            assert!(!hold.next.is_empty() && !hold.step.is_empty(), "{hold:?}");
            End::Held(hold.concern.cause)
        }
        Ended::Undone { hold } => {
            assert!(!hold.next.is_empty());
            End::Undone
        }
        other => panic!("{other:?}"),
    }
}

impl Rig {
    /// The plan is made on a pair where all is well; the faults come later.
    pub(crate) async fn new(active: Unit, versions: [&str; 2], faults: Vec<Fault>) -> Rig {
        Rig::with(active, versions, faults, policy()).await
    }

    pub(crate) async fn with(
        active: Unit,
        versions: [&str; 2],
        faults: Vec<Fault>,
        policy: Policy,
    ) -> Rig {
        let twin = Model::new(active, versions, Vec::new());
        let facts = inspect(&twin, &policy).await;
        let plan = Plan::new(&policy, &facts).unwrap();
        Rig {
            model: Model::new(active, versions, faults),
            policy,
            plan,
            stop: StopToken::new(),
            leave: StopToken::new(),
            flag: Flag::default(),
            copies: Copies(None),
            veto: None,
            dir: Arc::new(tempfile::tempdir().unwrap()),
        }
    }

    pub(crate) async fn both_old(faults: Vec<Fault>) -> Rig {
        Rig::new(Unit::A, [OLD, OLD], faults).await
    }

    pub(crate) async fn apply(&self) -> Result<Report, UpgradeError> {
        self.engine(&(), async |engine| engine.apply(&self.plan).await)
            .await
    }

    pub(crate) async fn resume(&self, run: RunId) -> Result<Report, UpgradeError> {
        self.engine(&(), async |engine| {
            engine.resume(run, Resume::default()).await
        })
        .await
    }

    /// One process: an engine of its own on the same pair and the same journal.
    pub(crate) async fn engine<T>(
        &self,
        observer: &dyn Observer<UpgradeEvent>,
        work: impl AsyncFnOnce(&Upgrade<'_, Model>) -> T,
    ) -> T {
        let journal = CrashingJournal {
            inner: self.model.journal.clone(),
            ticks: self.model.ticks.clone(),
        };
        let hooks = Asked {
            model: self.model.clone(),
            veto: self.veto,
        };
        let clock = self.model.clock.clone();
        let engine = Upgrade {
            driver: &self.model,
            journal: &journal,
            lock_dir: self.dir.path(),
            clock: &*clock,
            observer,
            stop: &self.stop,
            leave: &self.leave,
            aids: Aids {
                hooks: &hooks,
                safety_copy: &self.copies,
                maintenance: &self.flag,
            },
            holder: Holder::current("test", clock.now()),
        };
        work(&engine).await
    }

    /// Lives until the end, or until the death that was set. `None`: it died.
    pub(crate) async fn live<T>(
        &self,
        life: impl Future<Output = Result<T, UpgradeError>>,
    ) -> Option<Result<T, UpgradeError>> {
        tokio::select! {
            biased;
            () = self.model.ticks.died() => None,
            result = life => (!self.model.ticks.is_dead()).then_some(result),
        }
    }

    /// What a person does after a crash: look for an open run and resume it, or begin again.
    pub(crate) async fn after_crash(&self) -> Result<Report, UpgradeError> {
        match self.open_run() {
            Some(run) => self.resume(run).await,
            None => match self.last_run() {
                Some(run) if self.outcome(run).is_some() => Err(UpgradeError::Finished { run }),
                _ => self.apply().await,
            },
        }
    }

    pub(crate) fn open_run(&self) -> Option<RunId> {
        let query = Query {
            open_only: true,
            ..Query::default()
        };
        let runs = self.model.journal.list(&query).unwrap();
        runs.first().map(|run| run.id)
    }

    pub(crate) fn last_run(&self) -> Option<RunId> {
        let runs = self.model.journal.list(&Query::default()).unwrap();
        runs.first().map(|run| run.id)
    }

    pub(crate) fn outcome(&self, run: RunId) -> Option<Outcome> {
        let history = self.model.journal.replay(run).unwrap();
        history.summary.finished.map(|finish| finish.outcome)
    }

    /// New tokens: the next process has not been asked to stop.
    pub(crate) fn forget_stops(&mut self) {
        (self.stop, self.leave) = (StopToken::new(), StopToken::new());
    }

    pub(crate) fn stored(&self, run: RunId) -> StoredRun {
        StoredRun::load(&*self.model.journal, run).unwrap()
    }

    /// The invariants that hold after every run, whatever happened.
    pub(crate) fn check(&self, what: &str) {
        assert_eq!(self.model.violations(), Vec::<String>::new(), "{what}");
        let planned = self.plan.switchovers();
        let made = self.model.switches();
        assert!(
            made <= planned + 1,
            "{what}: {made} switches, {planned} planned"
        );
    }
}

pub(crate) async fn inspect(model: &Model, policy: &Policy) -> elpis_failover::Facts {
    let inspection = Inspection {
        driver: model,
        clock: &*model.clock,
        stop: &StopToken::new(),
        limits: &policy.limits,
    };
    inspection.run(&policy.target).await.unwrap()
}

/// Probes ask the model whether traffic flows; one other hook may say no.
struct Asked {
    model: Model,
    veto: Option<&'static str>,
}

/// What every probe says it has measured.
pub(crate) const PROBED: Duration = Duration::from_millis(740);

impl Hooks for Asked {
    fn ask<'a>(&'a self, call: &'a HookCall) -> Boxed<'a, Result<HookAnswer, String>> {
        Box::pin(async move {
            if self.veto == Some(&call.rule.name) {
                return Err("not today".into());
            }
            let unit = call.active;
            if call.rule.at == HookPoint::Probe {
                assert_eq!(self.model.active(), [unit], "probed too early");
                if self.model.has(&Fault::ProbeHangs(unit)) {
                    std::future::pending::<()>().await;
                }
                if self.model.has(&Fault::ProbeFails(unit)) {
                    return Err("no answer through the tunnel".into());
                }
            }
            Ok(HookAnswer {
                outage: (call.rule.at == HookPoint::Probe).then_some(PROBED),
                ..HookAnswer::default()
            })
        })
    }
}

/// The newest backup.
#[derive(Debug, Clone)]
pub(crate) struct Copies(pub(crate) Option<CopyFacts>);

impl SafetyCopy for Copies {
    fn newest(&self) -> Boxed<'_, Result<Option<CopyFacts>, String>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

/// The monitoring's maintenance flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flag(pub(crate) Arc<std::sync::atomic::AtomicBool>);

impl Flag {
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl MaintenanceFlag for Flag {
    fn set(&self, raised: bool) -> Boxed<'_, Result<(), String>> {
        Box::pin(async move {
            self.0.store(raised, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        })
    }
}

pub(crate) fn all_gates() -> std::collections::BTreeSet<Gate> {
    [
        Gate::FirstInstall,
        Gate::Switchover,
        Gate::SecondInstall,
        Gate::SwitchBack,
    ]
    .into()
}
