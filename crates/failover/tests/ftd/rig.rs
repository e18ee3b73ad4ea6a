//! A simulated pair, the driver on it, and the engine on both.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use elpis_failover::rehearse::{DriverClock, RehearsalClock, Setup, SimulatedPair, Timed};
use elpis_failover::{
    Aids, Boxed, Cause, Concern, Ended, Facts, FtdDriver, FtdOptions, HookAnswer, HookCall,
    HookPoint, HookRule, Hooks, Inspection, KnownHosts, Limits, Plan, Policy, Report, Resume,
    SshOptions, SshTransport, Unit, Upgrade, UpgradeError, UpgradeEvent,
};
use elpis_run::{Clock, FnObserver, Holder, Journal, MemoryJournal, Query, RunId, StopToken, fsx};

use crate::many::PATIENCE;

pub(crate) struct Rig {
    pub(crate) pair: SimulatedPair,
    pub(crate) clock: Arc<RehearsalClock>,
    pub(crate) policy: Policy,
    pub(crate) options: FtdOptions,
    pub(crate) known_hosts: KnownHosts,
    pub(crate) journal: MemoryJournal,
    pub(crate) stop: StopToken,
    /// What the engine told.
    pub(crate) told: Arc<Mutex<Vec<(Instant, String)>>>,
    /// What a hook does and says when it is asked for the n-th time, from 0; `None`: it hangs.
    pub(crate) hook: fn(usize, &SimulatedPair) -> Option<Result<HookAnswer, String>>,
    pub(crate) dir: tempfile::TempDir,
}

/// How an upgrade ended, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Warnings,
    Nothing,
    /// Before anything was touched: all causes.
    Refused(Vec<Cause>),
    Held(Cause),
    Undone,
}

impl Rig {
    pub(crate) async fn new(setup: Setup) -> Rig {
        let clock = Arc::new(RehearsalClock::new());
        let time: Arc<dyn Clock> = Arc::<RehearsalClock>::clone(&clock);
        let pair = SimulatedPair::start(setup, time).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let known_hosts = KnownHosts::at(dir.path().join("known_hosts"));
        for unit in Unit::BOTH {
            known_hosts
                .trust(pair.host(unit), &pair.host_key(unit).unwrap())
                .unwrap();
        }
        let options = FtdOptions {
            clock: Arc::new(DriverClock::new(Arc::clone(&clock))),
            command_timeout: Duration::from_secs(5),
            quiet: Duration::from_millis(3),
            no_pending_deployment: Some(String::from("the test")),
            manager_version: Some(String::from("7.2.8")),
            transcripts: Some(dir.path().to_owned()),
            ..FtdOptions::new([pair.access(Unit::A), pair.access(Unit::B)])
        };
        let policy = Policy {
            limits: Limits {
                poll: Duration::from_secs(60),
                settle: Duration::from_secs(60),
                outage: Duration::from_secs(90),
                undo: Duration::from_secs(30),
                rejoin: Duration::from_secs(3600),
                ..Limits::default()
            },
            ..Policy::new(pair.target())
        };
        Rig {
            pair,
            clock,
            policy,
            options,
            known_hosts,
            journal: MemoryJournal::new(),
            stop: StopToken::new(),
            told: Arc::default(),
            hook: |_, _| Some(Ok(HookAnswer::default())),
            dir,
        }
    }

    pub(crate) fn driver(&self) -> Timed<FtdDriver> {
        let ssh = SshOptions {
            connect_timeout: Duration::from_secs(5),
            keepalive_interval: Duration::from_millis(300),
            ..SshOptions::new(self.known_hosts.clone())
        };
        let driver = FtdDriver::new(self.options.clone(), Arc::new(SshTransport::new(ssh)));
        Timed::new(driver, Arc::clone(&self.clock))
    }

    /// With a probe after each switchover, and back to the roles of before.
    pub(crate) fn add_probe(&mut self) {
        self.policy.switch_back = true;
        self.add_hook(HookPoint::Probe);
    }

    pub(crate) fn add_hook(&mut self, at: HookPoint) {
        self.policy.hooks = vec![HookRule {
            name: String::from("asked"),
            at,
            timeout: Duration::from_secs(5),
            command: Vec::new(),
        }];
    }

    /// The manager is asked instead of believing somebody's word.
    pub(crate) fn add_manager(&mut self) {
        let clock = Arc::new(DriverClock::new(Arc::clone(&self.clock)));
        self.options.no_pending_deployment = None;
        self.options.manager_version = None;
        self.options.manager = Some(Arc::new(self.pair.manager(clock).unwrap()));
    }

    /// The raw dialogues that were kept.
    pub(crate) fn transcripts(&self) -> Vec<(PathBuf, String)> {
        let entries = self.dir.path().read_dir().unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .map(|path| {
                let text = fsx::read_to_string(&path).unwrap();
                (path, text)
            })
            .collect()
    }

    /// How long a step took in simulated time.
    pub(crate) fn took_ms(&self, step: &str) -> u64 {
        let log = self.log();
        let mut done = log.lines().filter(|line| line.starts_with("StepDone"));
        let line = done.find(|line| line.contains(step)).unwrap();
        let (_, took) = line.split_once("took_ms: ").unwrap();
        took.trim_end_matches(" }").parse().unwrap()
    }

    /// What the engine told, for a test that failed.
    pub(crate) fn log(&self) -> String {
        let told = self.told.lock().unwrap();
        let lines: Vec<&str> = told.iter().map(|(_, line)| line.as_str()).collect();
        lines.join("\n")
    }

    pub(crate) async fn plan(&self) -> Result<Plan, Vec<Cause>> {
        self.plan_by(Plan::new).await
    }

    async fn plan_by(
        &self,
        make: fn(&Policy, &Facts) -> Result<Plan, Vec<Concern>>,
    ) -> Result<Plan, Vec<Cause>> {
        let driver = self.driver();
        let inspection = Inspection {
            driver: &driver,
            clock: &*self.clock,
            stop: &self.stop,
            limits: &self.policy.limits,
        };
        let facts = inspection.settled(&self.policy, &|_| {}).await.unwrap();
        make(&self.policy, &facts).map_err(|concerns| {
            self.told
                .lock()
                .unwrap()
                .push((Instant::now(), format!("{concerns:?}")));
            concerns.iter().map(|concern| concern.cause).collect()
        })
    }

    /// A plan for a pair on whose standby somebody installs by hand.
    pub(crate) async fn plan_adopting(&self) -> Result<Plan, Vec<Cause>> {
        self.plan_by(Plan::adopting).await
    }

    /// Inspect, plan, apply; whatever comes of it.
    pub(crate) async fn upgrade(&self) -> End {
        match self.plan().await {
            Ok(plan) => self.apply(&plan).await,
            Err(causes) => End::Refused(causes),
        }
    }

    pub(crate) async fn apply(&self, plan: &Plan) -> End {
        self.engine(async |engine| engine.apply(plan).await).await
    }

    /// Waits for `work`, and fails with what the engine told if it hangs.
    pub(crate) async fn in_time<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let ended = tokio::time::timeout(PATIENCE, work).await;
        ended.unwrap_or_else(|_| panic!("{what} hangs\n{}", self.log()))
    }

    pub(crate) fn has_open_run(&self) -> bool {
        let query = Query {
            open_only: true,
            ..Query::default()
        };
        !self.journal.list(&query).unwrap().is_empty()
    }

    pub(crate) fn open_run(&self) -> RunId {
        let query = Query {
            open_only: true,
            ..Query::default()
        };
        self.journal.list(&query).unwrap().first().unwrap().id
    }

    /// A new process resumes the run that is open.
    pub(crate) async fn resume(&self) -> End {
        let run = self.open_run();
        self.engine(async |engine| engine.resume(run, Resume::default()).await)
            .await
    }

    /// Gives the run that is open up.
    pub(crate) async fn abort(&self) {
        let run = self.open_run();
        let given_up = self
            .engine_on(&self.journal, async |engine| engine.abort(run).await)
            .await;
        given_up.unwrap();
    }

    /// The same, and takes over what was begun by hand.
    pub(crate) async fn adopt(&self) -> End {
        let run = self.open_run();
        let how = Resume {
            adopt: true,
            ..Resume::default()
        };
        self.engine(async |engine| engine.resume(run, how).await)
            .await
    }

    pub(crate) async fn engine(
        &self,
        work: impl AsyncFnOnce(&Upgrade<'_, Timed<FtdDriver>>) -> Result<Report, UpgradeError>,
    ) -> End {
        end(self.engine_on(&self.journal, work).await)
    }

    /// The same on a journal of one's own, whatever comes of it.
    pub(crate) async fn engine_on<T>(
        &self,
        journal: &dyn Journal,
        work: impl AsyncFnOnce(&Upgrade<'_, Timed<FtdDriver>>) -> T,
    ) -> T {
        let driver = self.driver();
        let asked = Asked {
            rig: self,
            asked: std::sync::atomic::AtomicUsize::new(0),
        };
        let observer = FnObserver(|event: &UpgradeEvent| {
            self.told
                .lock()
                .unwrap()
                .push((Instant::now(), format!("{event:?}")));
        });
        let engine = Upgrade {
            driver: &driver,
            journal,
            lock_dir: self.dir.path(),
            clock: &*self.clock,
            observer: &observer,
            stop: &self.stop,
            leave: &StopToken::new(),
            aids: Aids {
                hooks: &asked,
                ..Aids::NONE
            },
            holder: Holder::current("test", self.clock.now()),
        };
        work(&engine).await
    }
}

pub(crate) fn end(result: Result<Report, UpgradeError>) -> End {
    match result {
        Ok(report) => match report.ended {
            Ended::Done => End::Done,
            Ended::Warnings => End::Warnings,
            Ended::NothingToDo => End::Nothing,
            Ended::Refused { concerns } => {
                End::Refused(concerns.iter().map(|concern| concern.cause).collect())
            }
            Ended::Held { hold } => {
                assert!(!hold.next.is_empty());
                End::Held(hold.concern.cause)
            }
            Ended::Undone { .. } => End::Undone,
            other => panic!("{other:?}"),
        },
        Err(UpgradeError::Refused(concerns)) => {
            End::Refused(concerns.iter().map(|concern| concern.cause).collect())
        }
        Err(error) => panic!("{error:?}"),
    }
}

struct Asked<'a> {
    rig: &'a Rig,
    asked: std::sync::atomic::AtomicUsize,
}

impl Hooks for Asked<'_> {
    fn ask<'a>(&'a self, _: &'a HookCall) -> Boxed<'a, Result<HookAnswer, String>> {
        let count = self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async move {
            match (self.rig.hook)(count, &self.rig.pair) {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}
