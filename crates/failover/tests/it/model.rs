//! A pair that lives in memory and virtual time, for tests of the engine.
//!
//! It is deterministic, survives the death of the engine, writes down every order it gets, and
//! checks by itself, with no code of the engine, what must never happen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use elpis_failover::{
    Act, ActError, Capabilities, ConfigSync, DriverError, Exhibit, Finding, Handle, Located, Order,
    PackageFacts, PairDriver, Progress, Role, Severity, Survey, Target, Unit, UnitReport,
};
use elpis_run::{Clock, Event, Journal, MemoryJournal, Query, VirtualClock};

use crate::crash::Ticks;

pub(crate) const OLD: &str = "7.2.2-54";
pub(crate) const NEW: &str = "7.2.7-500";
pub(crate) const PACKAGE: &str = "upgrade-7.2.7-500.tar";
pub(crate) const DIGEST: &str = "sha512:0123456789abcdef0123456789abcdef";

const LATENCY: Duration = Duration::from_millis(20);
pub(crate) const READINESS: Duration = Duration::from_secs(20);
pub(crate) const INSTALL: Duration = Duration::from_secs(60);
const REBOOT: Duration = Duration::from_secs(20);
const JOIN: Duration = Duration::from_secs(12);
const SWITCH: Duration = Duration::from_millis(600);
const FOREVER: Duration = Duration::from_secs(400 * 86_400);

/// What goes wrong, by script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The product's readiness check fails.
    ReadinessFails(Unit),
    /// It never ends, and writes nothing.
    ReadinessStalls(Unit),
    /// The first `start` of this act on this unit loses its connection; it did or did not arrive.
    StartLost(Act, Unit, bool),
    /// Nobody can tell whether an act was started.
    LocateUnclear,
    /// The first starts of this act are refused, so many times.
    StartRefused(Act, Unit, u32),
    /// It is refused for good.
    StartForbidden(Act, Unit),
    /// The installer fails; the unit keeps its version and its role.
    InstallFails(Unit),
    /// The installer stops writing.
    InstallStalls(Unit),
    /// Nobody can reach the unit for a while in the middle of its installation.
    InstallUnseen(Unit),
    /// The unit reboots into the old version.
    ComesBackOld(Unit),
    /// The unit reboots into a version nobody asked for.
    ComesBackOther(Unit),
    /// The unit never comes back.
    NeverBack(Unit),
    /// The installer says it is done, but there is no reboot and no new version.
    NoReboot(Unit),
    /// After the reboot its host key is another one.
    HostKeyChanged(Unit),
    /// After the reboot the peers cannot pair.
    Incompatible(Unit),
    /// After the reboot the synchronisation never ends.
    StuckSync(Unit),
    /// After the reboot high availability is off for so many seconds.
    Suspended(Unit, u64),
    /// The command to switch is taken, and nothing happens.
    SwitchIgnored(Unit),
    /// Both units are active for so many seconds after the switch to this unit.
    SplitBrain(Unit, u64),
    /// Traffic returns by itself so many seconds after the switch to this unit.
    FlapsBack(Unit, u64),
    /// The active unit crashes while this one is being installed; it comes back.
    ActiveCrashes(Unit),
    /// The unit's monitored interface is down from the beginning.
    InterfaceDown(Unit),
    /// It goes down when both units are upgraded.
    InterfaceDownAtEnd(Unit),
    /// The second unit's package disappears after the first installation.
    PackageVanishes(Unit),
    /// The configuration is never in sync again once both units are upgraded.
    UnsyncedAtEnd,
    /// The unit does not answer in the first seconds.
    LateUnit(Unit, u64),
    /// The unit's standby state takes so many seconds at the beginning.
    LateReady(Unit, u64),
    /// The probe says no after the switch to this unit.
    ProbeFails(Unit),
    /// The probe gives no answer at all after the switch to this unit.
    ProbeHangs(Unit),
}

#[derive(Debug, Clone)]
struct Job {
    unit: Unit,
    act: Act,
    begun: Duration,
    ends: Duration,
    concluded: bool,
}

#[derive(Debug, Clone)]
struct Body {
    version: String,
    boot: u32,
    active: bool,
    /// Not reachable before.
    up_at: Duration,
    /// Not standby ready before.
    ready_at: Duration,
    suspended_until: Duration,
    looked_at: Option<Duration>,
}

/// An order as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) unit: Unit,
    pub(crate) act: Act,
    pub(crate) marker: String,
}

struct World {
    units: [Body; 2],
    jobs: BTreeMap<String, Job>,
    arrived: Vec<Arrived>,
    refused: u32,
    lost: u32,
    split_until: Duration,
    flap_at: Option<Duration>,
    crashed_active: bool,
    violations: Vec<String>,
}

/// The pair.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) ticks: Ticks,
    pub(crate) capabilities: Capabilities,
    faults: Arc<Vec<Fault>>,
    world: Arc<Mutex<World>>,
    fresh: Duration,
}

fn index(unit: Unit) -> usize {
    match unit {
        Unit::A => 0,
        Unit::B => 1,
    }
}

impl Model {
    /// A healthy pair with `active` active, both on these versions.
    pub(crate) fn new(active: Unit, versions: [&str; 2], faults: Vec<Fault>) -> Model {
        let start = "2026-11-21T02:00:00Z".parse().unwrap();
        let body = |unit: Unit| Body {
            version: versions[index(unit)].to_owned(),
            boot: 1,
            active: unit == active,
            up_at: Duration::ZERO,
            ready_at: Duration::ZERO,
            suspended_until: Duration::ZERO,
            looked_at: None,
        };
        let mut units = [body(Unit::A), body(Unit::B)];
        for fault in &faults {
            match fault {
                Fault::LateUnit(unit, s) => units[index(*unit)].up_at = Duration::from_secs(*s),
                Fault::LateReady(unit, s) => {
                    units[index(*unit)].ready_at = Duration::from_secs(*s);
                }
                _ => {}
            }
        }
        Model {
            clock: Arc::new(VirtualClock::new(start)),
            journal: Arc::new(MemoryJournal::new()),
            ticks: Ticks::never(),
            capabilities: Capabilities {
                readiness: true,
                reboots: true,
            },
            faults: Arc::new(faults),
            world: Arc::new(Mutex::new(World {
                units,
                jobs: BTreeMap::new(),
                arrived: Vec::new(),
                refused: 0,
                lost: 0,
                split_until: Duration::ZERO,
                flap_at: None,
                crashed_active: false,
                violations: Vec::new(),
            })),
            fresh: Duration::from_secs(10),
        }
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    fn find<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(pick)
    }

    /// What must never happen and did.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Every order that arrived, first arrivals only.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.lock().arrived.clone()
    }

    pub(crate) fn switches(&self) -> usize {
        let arrived = self.arrived();
        arrived
            .iter()
            .filter(|order| order.act == Act::Switchover)
            .count()
    }

    /// Versions and roles, once everything has calmed down.
    pub(crate) fn end_state(&self) -> String {
        self.clock.advance(Duration::from_secs(3_600));
        let world = self.live();
        let unit = |unit: Unit| {
            let body = &world.units[index(unit)];
            let role = if body.active { "active" } else { "standby" };
            format!("{unit} {} {role}", body.version)
        };
        format!("{}, {}", unit(Unit::A), unit(Unit::B))
    }

    pub(crate) fn active(&self) -> Vec<Unit> {
        let world = self.live();
        let active = |unit: &Unit| world.units[index(*unit)].active;
        Unit::BOTH.into_iter().filter(active).collect()
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The world brought to the present.
    fn live(&self) -> MutexGuard<'_, World> {
        let mut world = self.lock();
        let now = self.clock.monotonic();
        if let Some(at) = world.flap_at
            && at <= now
        {
            world.flap_at = None;
            self.switch_now(&mut world, None, at);
        }
        if world.split_until != Duration::ZERO && world.split_until <= now {
            world.split_until = Duration::ZERO;
        }
        let due: Vec<String> = world
            .jobs
            .iter()
            .filter(|(_, job)| !job.concluded && job.ends <= now)
            .map(|(marker, _)| marker.clone())
            .collect();
        for marker in due {
            let job = world.jobs.get_mut(&marker).unwrap();
            job.concluded = true;
            let job = job.clone();
            match job.act {
                Act::CheckReadiness => {}
                Act::Install => self.installed(&mut world, &job),
                Act::Switchover => self.switched(&mut world, &job),
            }
        }
        world
    }

    fn installed(&self, world: &mut World, job: &Job) {
        let unit = job.unit;
        if self.has(&Fault::InstallFails(unit)) || self.has(&Fault::NoReboot(unit)) {
            return;
        }
        let body = &mut world.units[index(unit)];
        body.boot += 1;
        body.up_at = job.ends + REBOOT;
        body.ready_at = body.up_at + JOIN;
        if self.has(&Fault::NeverBack(unit)) {
            body.up_at = FOREVER;
        }
        if self.has(&Fault::StuckSync(unit)) {
            body.ready_at = FOREVER;
        }
        if let Some(s) = self.find(|fault| match fault {
            Fault::Suspended(who, s) if *who == unit => Some(*s),
            _ => None,
        }) {
            body.suspended_until = body.up_at + Duration::from_secs(s);
            body.ready_at = body.suspended_until + JOIN;
        }
        body.version = if self.has(&Fault::ComesBackOld(unit)) {
            body.version.clone()
        } else if self.has(&Fault::ComesBackOther(unit)) {
            "7.2.6-1".to_owned()
        } else {
            NEW.to_owned()
        };
    }

    fn switched(&self, world: &mut World, job: &Job) {
        if self.has(&Fault::SwitchIgnored(job.unit)) {
            return;
        }
        self.switch_now(world, Some(job.unit), job.ends);
        for fault in self.faults.iter() {
            match fault {
                Fault::SplitBrain(unit, s) if *unit == job.unit => {
                    world.split_until = job.ends + Duration::from_secs(*s);
                }
                Fault::FlapsBack(unit, s) if *unit == job.unit => {
                    world.flap_at = Some(job.ends + Duration::from_secs(*s));
                }
                _ => {}
            }
        }
    }

    /// Makes `to` active, or whoever is standby.
    fn switch_now(&self, world: &mut World, to: Option<Unit>, at: Duration) {
        let to = to.unwrap_or(if world.units[0].active {
            Unit::B
        } else {
            Unit::A
        });
        if world.units[index(to)].active {
            return;
        }
        world.units[index(to)].active = true;
        let old = &mut world.units[index(to.other())];
        old.active = false;
        old.ready_at = at + Duration::from_secs(4);
    }

    fn role(&self, world: &World, unit: Unit) -> Role {
        let now = self.clock.monotonic();
        let body = &world.units[index(unit)];
        if body.active || now < world.split_until {
            Role::Active
        } else if now < body.suspended_until {
            Role::Disabled
        } else if now >= body.ready_at {
            Role::StandbyReady
        } else if now + Duration::from_secs(5) < body.ready_at {
            Role::Transitional("Negotiation".into())
        } else {
            Role::ColdStandby
        }
    }

    fn is_up(&self, world: &World, unit: Unit) -> bool {
        self.clock.monotonic() >= world.units[index(unit)].up_at
    }

    async fn pass(&self) {
        self.ticks.pass().await;
        self.clock.advance(LATENCY);
    }

    fn both_new(world: &World) -> bool {
        world.units.iter().all(|body| body.version == NEW)
    }

    /// What the engine must have seen to before it gives an order.
    fn judge(&self, world: &mut World, order: &Order) {
        let now = self.clock.monotonic();
        let mut wrong = Vec::new();
        let (unit, peer) = (order.unit, order.unit.other());
        let own = self.role(world, unit);
        if order.act == Act::Install && own == Role::Active {
            wrong.push("an installation on an active unit".to_owned());
        }
        if order.act == Act::Switchover && own != Role::StandbyReady {
            wrong.push(format!("a switchover to a unit that is {own}"));
        }
        let peer_role = self.role(world, peer);
        if !self.is_up(world, peer) || !matches!(peer_role, Role::Active | Role::StandbyReady) {
            wrong.push(format!("an order while the peer is {peer_role}"));
        }
        if world.jobs.values().any(|job| !job.concluded) {
            wrong.push("a second order while one is outstanding".to_owned());
        }
        for unit in Unit::BOTH {
            let looked = world.units[index(unit)].looked_at;
            if looked.is_none_or(|at| now > at + self.fresh) {
                wrong.push(format!("an order without a fresh look at unit {unit}"));
            }
        }
        if !self.is_intended(order) {
            wrong.push("an order without a durable intent".to_owned());
        }
        for text in wrong {
            world.violations.push(format!("{order:?}: {text}"));
        }
    }

    /// Whether the last intent in the journal announces exactly this order.
    fn is_intended(&self, order: &Order) -> bool {
        let open = Query {
            open_only: true,
            ..Query::default()
        };
        let wanted = serde_json::to_value(order).unwrap();
        self.journal.list(&open).unwrap().iter().any(|run| {
            let history = self.journal.replay(run.id).unwrap();
            let step = history.state().unwrap().open_step().map(str::to_owned);
            history
                .records
                .iter()
                .rev()
                .any(|record| match &record.event {
                    Event::Intent { step: of, detail } => {
                        Some(of) == step.as_ref() && detail["order"] == wanted
                    }
                    _ => false,
                })
        })
    }

    fn begin(&self, world: &mut World, order: &Order) -> Handle {
        let handle = Handle(serde_json::json!({ "marker": order.marker }));
        if world.jobs.contains_key(&order.marker) {
            return handle;
        }
        self.judge(world, order);
        let now = self.clock.monotonic();
        let unit = order.unit;
        let stalls = self.has(&Fault::InstallStalls(unit));
        let takes = match order.act {
            Act::CheckReadiness if self.has(&Fault::ReadinessStalls(unit)) => FOREVER,
            Act::CheckReadiness => READINESS,
            Act::Install if stalls => FOREVER,
            Act::Install => INSTALL,
            Act::Switchover => SWITCH,
        };
        if order.act == Act::Install && self.has(&Fault::ActiveCrashes(unit)) {
            world.crashed_active = true;
            let body = &mut world.units[index(unit.other())];
            body.boot += 1;
            body.up_at = now + Duration::from_secs(30);
        }
        world.jobs.insert(
            order.marker.clone(),
            Job {
                unit,
                act: order.act,
                begun: now,
                ends: now + takes,
                concluded: false,
            },
        );
        world.arrived.push(Arrived {
            unit,
            act: order.act,
            marker: order.marker.clone(),
        });
        handle
    }

    fn unreachable(unit: Unit) -> DriverError {
        DriverError::Unreachable {
            unit,
            reason: "connection timed out".into(),
        }
    }

    /// Whether the unit answers now, and may be used.
    fn access(&self, world: &World, unit: Unit) -> Result<(), DriverError> {
        if !self.is_up(world, unit) {
            return Err(Model::unreachable(unit));
        }
        if self.has(&Fault::HostKeyChanged(unit)) && world.units[index(unit)].boot > 1 {
            return Err(DriverError::Rejected {
                unit,
                reason: "the host key has changed".into(),
            });
        }
        let now = self.clock.monotonic();
        let blind = world.jobs.values().any(|job| {
            job.unit == unit
                && job.act == Act::Install
                && now > job.begun + INSTALL / 4
                && now < job.begun + INSTALL / 2
        });
        if blind && self.has(&Fault::InstallUnseen(unit)) {
            return Err(Model::unreachable(unit));
        }
        Ok(())
    }
}

impl PairDriver for Model {
    fn pair(&self) -> String {
        "model:a+b".into()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn observe(&self, unit: Unit) -> Result<UnitReport, DriverError> {
        self.pass().await;
        let mut world = self.live();
        self.access(&world, unit)?;
        world.units[index(unit)].looked_at = Some(self.clock.monotonic());
        let peer = unit.other();
        let peer_role = if self.is_up(&world, peer) {
            self.role(&world, peer)
        } else {
            Role::Failed("Comm Failure".into())
        };
        let body = &world.units[index(unit)];
        let down = self.has(&Fault::InterfaceDown(unit))
            || (self.has(&Fault::InterfaceDownAtEnd(unit)) && Model::both_new(&world));
        let unsynced = self.has(&Fault::UnsyncedAtEnd) && Model::both_new(&world);
        let faults = if down {
            vec!["inside: No Link".to_owned()]
        } else {
            Vec::new()
        };
        Ok(UnitReport {
            identity: format!("serial-{unit}"),
            peer_identity: Some(format!("serial-{peer}")),
            configured_as: Some(
                if unit == Unit::A {
                    "Primary"
                } else {
                    "Secondary"
                }
                .into(),
            ),
            own_role: self.role(&world, unit),
            peer_role,
            version: body.version.clone(),
            platform: "model".into(),
            sync: if unsynced {
                ConfigSync::Syncing("Config Syncing".into())
            } else {
                ConfigSync::InSync("Sync Done".into())
            },
            incompatible: (self.has(&Fault::Incompatible(unit)) && body.boot > 1)
                .then(|| "103006: mate version is not compatible".into()),
            boot: Some(body.boot.to_string()),
            faults,
            busy: None,
            notes: Vec::new(),
            device_time: None,
        })
    }

    async fn survey(&self, unit: Unit, target: &Target) -> Result<Survey, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, unit)?;
        let vanished = self.has(&Fault::PackageVanishes(unit))
            && world.units[index(unit.other())].version == NEW;
        Ok(Survey {
            package: (!vanished).then(|| PackageFacts {
                name: target.package.clone(),
                size: 4_096,
                digest: DIGEST.into(),
                fits: Ok(()),
                growing: false,
            }),
            findings: vec![Finding {
                severity: Severity::Note,
                code: "disk".into(),
                text: "plenty of space".into(),
            }],
        })
    }

    async fn start(&self, order: &Order) -> Result<Handle, ActError> {
        self.pass().await;
        let unknown = || ActError::OutcomeUnknown {
            reason: "the connection was lost".into(),
        };
        let answer = {
            let mut world = self.live();
            if self.access(&world, order.unit).is_err() {
                return Err(ActError::NotStarted {
                    reason: "no connection".into(),
                    retryable: true,
                });
            }
            let times = self.find(|fault| match fault {
                Fault::StartRefused(act, unit, times)
                    if (*act, *unit) == (order.act, order.unit) =>
                {
                    Some(*times)
                }
                _ => None,
            });
            let lost = self.find(|fault| match fault {
                Fault::StartLost(act, unit, arrives)
                    if (*act, *unit) == (order.act, order.unit) =>
                {
                    Some(*arrives)
                }
                _ => None,
            });
            if self.has(&Fault::StartForbidden(order.act, order.unit)) {
                Err(ActError::NotStarted {
                    reason: "% Invalid command".into(),
                    retryable: false,
                })
            } else if times.is_some_and(|times| world.refused < times) {
                world.refused += 1;
                Err(ActError::NotStarted {
                    reason: "busy".into(),
                    retryable: true,
                })
            } else if let Some(arrives) = lost.filter(|_| world.lost == 0) {
                world.lost += 1;
                if arrives {
                    self.begin(&mut world, order);
                }
                Err(unknown())
            } else {
                Ok(self.begin(&mut world, order))
            }
        };
        // The process may die after the unit has the order and before we hear of it.
        self.ticks.pass().await;
        answer
    }

    async fn poll(&self, order: &Order, handle: &Handle) -> Result<Progress, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, order.unit)?;
        let marker = handle.0["marker"].as_str().unwrap();
        let job = &world.jobs[marker];
        let now = self.clock.monotonic();
        let fails = match order.act {
            Act::CheckReadiness => self.has(&Fault::ReadinessFails(order.unit)),
            Act::Install => self.has(&Fault::InstallFails(order.unit)),
            Act::Switchover => false,
        };
        if now < job.ends {
            let stalls = job.ends >= FOREVER;
            let elapsed = now - job.begun;
            return Ok(Progress::Running {
                percent: Some(if stalls { 14 } else { 50 }),
                message: "working".into(),
                activity: if stalls { 0 } else { elapsed.as_secs() },
            });
        }
        if fails {
            return Ok(Progress::Failed {
                message: "script 410_check_disk_space failed".into(),
                details: vec!["last line of the log".into()],
            });
        }
        Ok(Progress::Done {
            message: "completed successfully".into(),
        })
    }

    async fn locate(&self, order: &Order) -> Result<Located, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, order.unit)?;
        if self.has(&Fault::LocateUnclear) {
            return Ok(Located::Unclear("no trace either way".into()));
        }
        Ok(if world.jobs.contains_key(&order.marker) {
            Located::Found(Handle(serde_json::json!({ "marker": order.marker })))
        } else {
            Located::Absent
        })
    }

    async fn exhibits(&self, unit: Unit) -> Result<Vec<Exhibit>, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, unit)?;
        Ok(vec![Exhibit {
            unit,
            title: "show version".into(),
            text: format!("Version {}", world.units[index(unit)].version),
        }])
    }
}
