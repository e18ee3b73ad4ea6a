//! The shared model of both units: time, states, reboots and switchovers.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::fault::Fault;
use super::manager::Desk;
use super::setup::{Setup, beginning};
use super::unit::UnitModel;
use crate::observe::Unit;

/// Something that happens later.
type Event = Box<dyn FnOnce(&mut Pair) + Send>;

/// What was done to the pair, for the verdict of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deed {
    /// A readiness check was begun.
    Readiness(Unit),
    /// An installation was begun on a unit in this state.
    Install(Unit, String),
    /// A switchover was ordered that shall make the unit active.
    Switchover(Unit),
    /// Somebody typed Control-C on a unit.
    Interrupt(Unit),
    /// A password was typed where none was asked for, or a wrong one.
    WrongPassword(Unit),
    /// A unit rebooted.
    Reboot(Unit),
    /// Somebody typed a command in the unit's root shell, beside this tool.
    ByHand(Unit),
}

/// Both units.
pub(super) struct Pair {
    pub setup: Setup,
    pub units: [UnitModel; 2],
    pub deeds: Vec<Deed>,
    /// The manager's.
    pub desk: Desk,
    /// Simulated time since the beginning, as far as everything has happened.
    pub now: Duration,
    queue: Vec<(Duration, Event)>,
}

/// The states of a unit that joins, how long it stays in each, in seconds, and why it leaves the
/// one before. Order from the vendor's document 217763.
const JOINING: [(&str, u64, &str); 6] = [
    ("Negotiation", 10, "No Error"),
    ("Cold Standby", 15, "Detected an Active mate"),
    ("App Sync", 20, "Detected an Active mate"),
    ("Sync Config", 10, "Detected an Active mate"),
    ("Sync File System", 5, "Detected an Active mate"),
    ("Bulk Sync", 15, "Detected an Active mate"),
];

impl Pair {
    pub(super) fn new(setup: Setup) -> Pair {
        let now = beginning().as_second();
        let units = [
            UnitModel::new(Unit::A, &setup, now),
            UnitModel::new(Unit::B, &setup, now),
        ];
        let mut pair = Pair {
            setup,
            units,
            deeds: Vec::new(),
            desk: Desk::default(),
            now: Duration::ZERO,
            queue: Vec::new(),
        };
        pair.plan_recoveries();
        pair
    }

    pub(super) fn unit(&self, unit: Unit) -> &UnitModel {
        let [a, b] = &self.units;
        match unit {
            Unit::A => a,
            Unit::B => b,
        }
    }

    pub(super) fn unit_mut(&mut self, unit: Unit) -> &mut UnitModel {
        let [a, b] = &mut self.units;
        match unit {
            Unit::A => a,
            Unit::B => b,
        }
    }

    /// The first fault that `find` recognises.
    pub(super) fn fault<T>(&self, find: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.setup.faults.iter().find_map(find)
    }

    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.setup.faults.contains(fault)
    }

    /// Takes a fault away once it has struck.
    pub(super) fn strike(&mut self, fault: &Fault) -> bool {
        let found = self.setup.faults.iter().position(|known| known == fault);
        found.map(|at| self.setup.faults.remove(at)).is_some()
    }

    pub(super) fn later(&mut self, seconds: u64, event: impl FnOnce(&mut Pair) + Send + 'static) {
        let at = self.now + Duration::from_secs(seconds);
        self.queue.push((at, Box::new(event)));
    }

    /// Lets everything happen up to `now`, in order.
    pub(super) fn advance(&mut self, now: Duration) {
        loop {
            let next = self
                .queue
                .iter()
                .enumerate()
                .filter(|(_, (at, _))| *at <= now)
                .min_by_key(|(index, (at, _))| (*at, *index))
                .map(|(index, _)| index);
            let Some(index) = next else { break };
            let (at, event) = self.queue.remove(index);
            self.now = self.now.max(at);
            event(self);
        }
        self.now = self.now.max(now);
    }

    /// A unit's clock, in seconds since the epoch.
    pub(super) fn device_seconds(&self, unit: Unit) -> i64 {
        beginning().as_second() + self.now.as_secs() as i64 + self.unit(unit).skew
    }

    /// A unit's clock as its command line prints it.
    pub(super) fn device_time(&self, unit: Unit) -> String {
        Timestamp::from_second(self.device_seconds(unit))
            .unwrap_or_else(|_| beginning())
            .to_zoned(TimeZone::UTC)
            .strftime("%H:%M:%S UTC %b %-d %Y")
            .to_string()
    }

    /// Moves a unit to a state.
    pub(super) fn go(&mut self, unit: Unit, to: &str, reason: &str) {
        let time = self.device_time(unit);
        self.unit_mut(unit).go(to, reason, time);
    }

    /// How `viewer` sees the other unit: state, and the last failure that it remembers.
    pub(super) fn peer_of(&self, viewer: Unit) -> (String, Option<(String, String)>) {
        let told = self.fault(|fault| match fault {
            Fault::SeesPeerAs(unit, state, _) if *unit == viewer => Some(state.clone()),
            _ => None,
        });
        let failure = self.unit(viewer).peer_failure.clone();
        let peer = self.unit(viewer.other());
        match told {
            Some(state) => (state, failure),
            None if peer.boots > 1 && self.has(&Fault::NotSeenAgain(peer.unit)) => {
                (String::from("Not Detected"), failure)
            }
            None if !peer.is_up() => (String::from("Failed"), failure),
            None => (peer.state.clone(), failure),
        }
    }

    /// Takes the unit down and, unless it is dead, up again after a while; `release` is what it
    /// runs then.
    pub(super) fn reboot(&mut self, unit: Unit, release: Option<String>, is_dead: bool) {
        let time = self.device_time(unit.other());
        self.deeds.push(Deed::Reboot(unit));
        let model = self.unit_mut(unit);
        let was_active = model.state == "Active";
        model.line.send_modify(|line| {
            line.is_up = false;
            line.cuts += 1;
        });
        model.installers.clear();
        let peer = self.unit_mut(unit.other());
        peer.peer_failure = Some((String::from("Comm Failure"), time));
        if was_active && peer.is_up() {
            self.go(unit.other(), "Active", "HELLO not heard from mate");
        }
        if !is_dead {
            let down = self.setup.reboot.as_secs();
            self.later(down, move |pair| pair.boot(unit, release));
        }
    }

    fn boot(&mut self, unit: Unit, release: Option<String>) {
        let slow = self.fault(|fault| match fault {
            Fault::SlowClish(slow, time) if *slow == unit => Some(time.as_secs()),
            _ => None,
        });
        let ready = self.now.as_secs() + slow.unwrap_or(0);
        let new_key = self.has(&Fault::NewHostKey(unit));
        let old_system = self.has(&Fault::OldSystem(unit));
        let model = self.unit_mut(unit);
        model.boots += 1;
        model.history.clear();
        model.has_ticket = false;
        model.clish_ready = ready;
        model.key_generation += u8::from(new_key);
        if let Some(release) = release {
            let system = model.fxos.clone();
            model.run(&release);
            if old_system {
                model.fxos = system;
            }
        }
        model.state = String::from("Disabled");
        model.sync = String::from("Config Syncing");
        model.line.send_modify(|line| line.is_up = true);
        self.join(unit);
    }

    /// From booting to ready, or to where a fault keeps it.
    fn join(&mut self, unit: Unit) {
        let suspended = self.fault(|fault| match fault {
            Fault::Suspended(suspended, time) if *suspended == unit => Some(*time),
            _ => None,
        });
        let mut at = match suspended {
            Some(None) => return,
            Some(Some(time)) => time.as_secs(),
            None => 20,
        };
        let stuck = self.fault(|fault| match fault {
            Fault::StuckIn(stuck, state) if *stuck == unit => Some(state.clone()),
            _ => None,
        });
        for (state, seconds, reason) in JOINING {
            self.later(at, move |pair| pair.go(unit, state, reason));
            if stuck.as_deref() == Some(state) {
                return;
            }
            at += seconds;
        }
        let unsynced = self.has(&Fault::UnsyncedAfterBoot(unit));
        self.later(at, move |pair| {
            if !unsynced {
                pair.unit_mut(unit).sync = String::from("Sync Skipped");
            }
            match pair.unit(unit.other()).is_up() {
                true => pair.go(unit, "Standby Ready", "Detected an Active mate"),
                false => pair.go(unit, "Active", "No Active unit found"),
            }
        });
    }

    /// Makes the unit active, as far as no fault prevents it.
    pub(super) fn take_over(&mut self, unit: Unit) {
        let peer = unit.other();
        self.go(unit, "Active", "Set by the config command");
        if self.has(&Fault::BothActive(unit)) {
            return;
        }
        let stays = self.fault(|fault| match fault {
            Fault::PeerStays(of, state) if *of == unit => Some(state.clone()),
            _ => None,
        });
        if self.unit(peer).is_up() {
            match stays {
                Some(state) => self.go(peer, &state, "Other unit wants me Standby"),
                None => {
                    self.go(peer, "Bulk Sync", "Other unit wants me Standby");
                    self.later(8, move |pair| pair.settle(peer));
                }
            }
        }
        for of in [unit, peer] {
            self.unit_mut(of).sync = String::from("Sync Skipped");
        }
        let back = self.fault(|fault| match fault {
            Fault::FlapsBack(of, after) if *of == unit => Some(*after),
            _ => None,
        });
        if let Some(after) = back
            && self.strike(&Fault::FlapsBack(unit, after))
        {
            self.later(after.as_secs(), move |pair| {
                pair.go(peer, "Active", "Interface check");
                pair.go(unit, "Standby Ready", "Interface check");
            });
        }
    }

    /// A unit that is still on its way to standing by arrives.
    fn settle(&mut self, unit: Unit) {
        if self.unit(unit).state == "Bulk Sync" {
            self.go(unit, "Standby Ready", "Other unit wants me Standby");
        }
    }

    /// Faults that pass by themselves.
    fn plan_recoveries(&mut self) {
        for fault in self.setup.faults.clone() {
            match fault {
                Fault::State(unit, _, Some(time)) => {
                    self.later(time.as_secs(), move |pair| {
                        pair.go(unit, "Standby Ready", "Detected an Active mate")
                    });
                }
                Fault::ConfigState(unit, _, Some(time)) => {
                    self.later(time.as_secs(), move |pair| {
                        pair.unit_mut(unit).sync = String::from("Sync Done");
                    });
                }
                Fault::SeesPeerAs(_, _, Some(time)) => {
                    self.later(time.as_secs(), move |pair| {
                        pair.strike(&fault);
                    });
                }
                Fault::PackageGrows(unit, time) => {
                    for second in 1..time.as_secs() {
                        self.later(second, move |pair| pair.grow_package(unit, second, false));
                    }
                    self.later(time.as_secs(), move |pair| pair.grow_package(unit, 0, true));
                }
                _ => {}
            }
        }
    }

    fn grow_package(&mut self, unit: Unit, by: u64, is_whole: bool) {
        let size = match is_whole {
            true => self.setup.package_size,
            false => (1 << 20) + by,
        };
        let content = super::files::Content::Package {
            size,
            sha512: self.setup.package_sha512(),
        };
        let path = format!("{}/{}", super::unit::UPDATES, self.setup.package());
        let now = self.device_seconds(unit);
        self.unit_mut(unit).files.create(&path, content, now);
    }

    /// Somebody has logged in: faults that wait for that.
    pub(super) fn logged_in(&mut self, unit: Unit) -> u32 {
        let model = self.unit_mut(unit);
        model.logins += 1;
        let login = model.logins;
        if self.strike(&Fault::TakesOverAtLogin(unit, login)) {
            self.take_over(unit);
        }
        let falls = self.fault(|fault| match fault {
            Fault::StateAtLogin(of, at, state) if (*of, *at) == (unit, login) => {
                Some(state.clone())
            }
            _ => None,
        });
        if let Some(state) = falls {
            self.go(unit, &state, "Interface check");
        }
        login
    }
}
