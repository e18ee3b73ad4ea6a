//! One simulated unit.

use tokio::sync::{broadcast, watch};

use super::fault::Fault;
use super::files::{Content, Files};
use super::setup::Setup;
use crate::observe::Unit;

/// What happens to a unit's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Raised to break every connection that is open.
    pub cuts: u64,
    /// Whether anybody answers at all.
    pub is_up: bool,
}

/// The unit's own state; how the pair moves is in `pair`.
pub(super) struct UnitModel {
    pub unit: Unit,
    pub part: &'static str,
    pub serial: String,
    pub mate: String,
    pub uuid: String,
    pub model: String,
    pub release: String,
    pub lina: String,
    pub fxos: String,
    pub state: String,
    /// What it remembers of its peer's last failure: reason and time.
    pub peer_failure: Option<(String, String)>,
    pub sync: String,
    /// Time, from, to, reason.
    pub history: Vec<[String; 4]>,
    pub interface: String,
    pub failover_on: bool,
    pub boots: u32,
    /// Seconds by which its clock is ahead.
    pub skew: i64,
    pub files: Files,
    pub free_kib: u64,
    /// Installers that run: since when, on the unit's clock, and the command line.
    pub installers: Vec<(i64, String)>,
    pub logins: u32,
    pub lectured: bool,
    pub has_ticket: bool,
    /// Seconds of simulated time at which CLISH is ready.
    pub clish_ready: u64,
    pub key_generation: u8,
    /// Lines for everybody who is logged in.
    pub console: broadcast::Sender<String>,
    pub line: watch::Sender<Line>,
}

/// Where packages lie.
pub(super) const UPDATES: &str = "/ngfw/var/sf/updates";

impl UnitModel {
    pub(super) fn new(unit: Unit, setup: &Setup, now: i64) -> UnitModel {
        let (part, serial, mate, uuid, state) = match unit {
            Unit::A => (
                "Primary",
                "9AQ0H1LUW3C",
                "9A4P7DRKVX2",
                "0edf9f22-78e6-11ea-8ed0-e0e5abf334e2",
                "Active",
            ),
            Unit::B => (
                "Secondary",
                "9A4P7DRKVX2",
                "9AQ0H1LUW3C",
                "4c1b7a90-78e7-11ea-9d3c-b1f0aa217d55",
                "Standby Ready",
            ),
        };
        let mut model = UnitModel {
            unit,
            part,
            serial: serial.to_owned(),
            mate: mate.to_owned(),
            uuid: uuid.to_owned(),
            model: String::from("Cisco Firepower Threat Defense for VMware"),
            release: setup.from.clone(),
            lina: lina_of(&setup.from),
            fxos: fxos_of(&setup.from),
            state: state.to_owned(),
            peer_failure: None,
            sync: String::from("Sync Done"),
            history: Vec::new(),
            interface: String::from("Normal (Monitored)"),
            failover_on: true,
            boots: 1,
            skew: 0,
            files: Files::default(),
            free_kib: 10_777_216,
            installers: Vec::new(),
            logins: 0,
            lectured: false,
            has_ticket: false,
            clish_ready: 0,
            key_generation: 0,
            console: broadcast::Sender::new(256),
            line: watch::Sender::new(Line {
                cuts: 0,
                is_up: true,
            }),
        };
        let package = Content::Package {
            size: setup.package_size,
            sha512: setup.package_sha512(),
        };
        let path = format!("{UPDATES}/{}", setup.package());
        model.files.create(&path, package, now - 86_400);
        let metadata = Content::Bytes(vec![b'm'; 854]);
        model
            .files
            .create(&format!("{path}.METADATA"), metadata, now - 86_399);
        for fault in &setup.faults {
            model.suffer(fault, setup, now);
        }
        model
    }

    /// The faults that are there from the beginning.
    fn suffer(&mut self, fault: &Fault, setup: &Setup, now: i64) {
        let path = format!("{UPDATES}/{}", setup.package());
        let package = |size, sha512| Content::Package { size, sha512 };
        match fault {
            Fault::Unreachable(unit) if *unit == self.unit => {
                self.line.send_modify(|line| line.is_up = false)
            }
            Fault::StrangerForMate(unit) if *unit == self.unit => {
                self.mate = String::from("9ASTRANGER1")
            }
            Fault::FailoverOff(unit) if *unit == self.unit => self.failover_on = false,
            Fault::State(unit, state, _) if *unit == self.unit => self.state.clone_from(state),
            Fault::ConfigState(unit, state, _) if *unit == self.unit => self.sync.clone_from(state),
            Fault::Interface(unit, status) if *unit == self.unit => {
                self.interface.clone_from(status)
            }
            Fault::PackageMissing(unit) if *unit == self.unit => {
                self.files.remove(&path);
                self.files.remove(&format!("{path}.METADATA"));
            }
            Fault::PackageSize(unit, size) if *unit == self.unit => {
                self.files
                    .create(&path, package(*size, setup.package_sha512()), now);
            }
            Fault::PackageGrows(unit, _) if *unit == self.unit => {
                self.files
                    .create(&path, package(1 << 20, "0".repeat(128)), now);
            }
            Fault::PackageCorrupt(unit) if *unit == self.unit => {
                self.files
                    .create(&path, package(setup.package_size, "f".repeat(128)), now);
            }
            Fault::Model(unit, model) if *unit == self.unit => self.model.clone_from(model),
            Fault::Runs(unit, release) if *unit == self.unit => self.run(release),
            Fault::FreeSpace(unit, kib) if *unit == self.unit => self.free_kib = *kib,
            Fault::InstallerRuns(unit) if *unit == self.unit => {
                let line = "/usr/bin/perl /usr/local/sf/bin/install_update.pl --detach other.tar";
                self.installers.push((now, line.to_owned()));
            }
            Fault::OldFailure(unit) if *unit == self.unit => {
                let time = String::from("13:24:46 UTC Jul 11 2024");
                self.peer_failure = Some((String::from("Comm Failure"), time));
            }
            Fault::ClockSkew(unit, skew) if *unit == self.unit => self.skew = *skew,
            Fault::StaleSuccess(unit) if *unit == self.unit => {
                self.leave_old_success(setup, now, 0)
            }
            Fault::LongStatus(unit, bytes) if *unit == self.unit => {
                self.leave_old_success(setup, now, *bytes);
            }
            _ => {}
        }
    }

    fn leave_old_success(&mut self, setup: &Setup, now: i64, bytes: usize) {
        let month_ago = now - 30 * 86_400;
        for (path, words) in [
            (
                setup.status_file(true),
                super::texts::message("readiness-good"),
            ),
            (
                setup.status_file(false),
                super::texts::message("install-good"),
            ),
        ] {
            let line = super::jobs::status_line(month_ago, 100, words, false);
            let lines = line.repeat(1 + bytes / line.len());
            self.files
                .create(&path, Content::Bytes(lines.into_bytes()), month_ago);
        }
    }

    /// Runs another release from now on.
    pub(super) fn run(&mut self, release: &str) {
        self.release = release.to_owned();
        self.lina = lina_of(release);
        self.fxos = fxos_of(release);
    }

    /// Breaks every connection.
    pub(super) fn cut(&self) {
        self.line.send_modify(|line| line.cuts += 1);
    }

    pub(super) fn is_up(&self) -> bool {
        self.line.borrow().is_up
    }

    /// Goes to another state and remembers why.
    pub(super) fn go(&mut self, to: &str, reason: &str, time: String) {
        let from = std::mem::replace(&mut self.state, to.to_owned());
        if from != to {
            self.history
                .push([time, from, to.to_owned(), reason.to_owned()]);
        }
    }

    /// What is different after every boot.
    pub(super) fn boot_id(&self) -> String {
        let digit = match self.unit {
            Unit::A => 'a',
            Unit::B => 'b',
        };
        format!("{:08x}-1c2d-4e3f-8a9b-{digit}00000000000", self.boots)
    }
}

/// The Lina version inside a release [K].
pub(super) fn lina_of(release: &str) -> String {
    match release.split_once('-') {
        Some((number, build)) => {
            format!("9.18({}){build}", number.rsplit('.').next().unwrap_or("0"))
        }
        None => String::from("9.18(1)1"),
    }
}

/// The FXOS version inside a release [K].
pub(super) fn fxos_of(release: &str) -> String {
    let build = release.rsplit('-').next().unwrap_or("0");
    format!("2.12(0.{build})")
}
