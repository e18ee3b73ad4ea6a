//! A pair that lives in memory and virtual time, for tests of the engine.
//!
//! It is deterministic, survives the death of the engine, writes down every order it gets, and
//! checks by itself, with no code of the engine, what must never happen.

mod driver;
mod fault;
mod judge;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use elpis_failover::{Act, Capabilities, DriverError, Handle, Order, Role, Unit};
use elpis_run::{Clock, Journal, MemoryJournal, VirtualClock};

use crate::crash::Ticks;
pub(crate) use fault::Fault;

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
    /// When it was looked at last, and what it was then.
    looked_at: Option<(Duration, Role)>,
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
