//! A simulated FTD pair, for rehearsals and tests: an SSH server on loopback for each unit and a
//! stand-in for their manager, over one model of the pair in simulated time.
//!
//! It behaves like the vendor's documents say, prints texts from transcript files that are tagged
//! with their source, and can suffer from most of the catalogue's faults. It shares no constant
//! with the driver, and it is no proof that real units behave like this.

mod cli;
mod clock;
#[cfg(test)]
mod cut_tests;
mod fault;
mod files;
mod jobs;
mod manager;
mod pair;
mod scenario;
mod server;
mod setup;
mod shell;
mod terminal;
mod texts;
mod unit;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use elpis_run::Clock;
use russh::keys::PublicKey;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::driver::Target;
use crate::fmc::{Fmc, FmcError, FmcNames, FmcOptions};
use crate::ftd::FtdUnit;
use crate::observe::Unit;
use crate::ssh::{Auth, Host, HostKey, Login};
pub use clock::{DriverClock, RehearsalClock, Timed};
pub use fault::Fault;
pub use pair::Deed;
pub use scenario::Scenario;
pub use setup::Setup;

/// How often the model is looked at while nobody talks to it, in real time: what happens by
/// itself (a reboot that breaks connections) must be noticed.
const TICK: Duration = Duration::from_millis(2);

/// Two simulated units that answer on loopback until this is dropped.
pub struct SimulatedPair {
    shared: server::Shared,
    hosts: [Host; 2],
    manager: String,
    tasks: Vec<JoinHandle<()>>,
}

impl SimulatedPair {
    /// Starts both units; `clock` is the time in which they live.
    ///
    /// # Errors
    /// When there is no free port on loopback.
    pub async fn start(setup: Setup, clock: Arc<dyn Clock>) -> io::Result<SimulatedPair> {
        let shared = server::Shared {
            pair: Arc::new(Mutex::new(pair::Pair::new(setup))),
            clock,
        };
        let mut tasks = vec![tokio::spawn(tick(shared.clone()))];
        let mut ports = Vec::new();
        for unit in Unit::BOTH {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            ports.push(listener.local_addr()?.port());
            tasks.push(tokio::spawn(server::serve(shared.clone(), unit, listener)));
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let manager = format!("http://{}", listener.local_addr()?);
        tasks.push(tokio::spawn(manager::serve(shared.clone(), listener)));
        let host = |port: Option<&u16>| Host {
            address: String::from("127.0.0.1"),
            port: port.copied().unwrap_or_default(),
        };
        Ok(SimulatedPair {
            hosts: [host(ports.first()), host(ports.last())],
            manager,
            shared,
            tasks,
        })
    }

    /// Where a unit answers.
    pub fn host(&self, unit: Unit) -> &Host {
        let [a, b] = &self.hosts;
        match unit {
            Unit::A => a,
            Unit::B => b,
        }
    }

    /// A unit's address and account, as the driver wants them.
    pub fn access(&self, unit: Unit) -> FtdUnit {
        let pair = self.shared.lock();
        FtdUnit {
            host: self.host(unit).clone(),
            login: Login {
                user: pair.setup.user.clone(),
                auth: Auth::Password(pair.setup.password.clone()),
            },
            sudo_password: None,
        }
    }

    /// The pair's manager, in the time of `clock`.
    ///
    /// # Errors
    /// Never in practice: when there is no client for it.
    pub fn manager(&self, clock: Arc<dyn Clock>) -> Result<Fmc, FmcError> {
        let password = self.shared.lock().setup.password.clone();
        let options = FmcOptions {
            clock,
            ..FmcOptions::new(self.manager.clone(), manager::USER.to_owned(), password)
        };
        let names = FmcNames {
            pair: manager::PAIR.to_owned(),
            units: manager::UNITS.map(str::to_owned),
        };
        Fmc::new(options, names)
    }

    /// Where the manager answers; its account is `api`, with the units' password.
    pub fn manager_address(&self) -> &str {
        &self.manager
    }

    /// Everything that the manager was asked, in order: method, path and body.
    pub fn manager_requests(&self) -> Vec<(String, String, serde_json::Value)> {
        self.shared.lock().desk.requests.clone()
    }

    /// Carries out a command line as the operator would, in the root shell of a unit.
    pub fn by_hand(&self, unit: Unit, line: &str) {
        let mut pair = self.shared.lock();
        pair.deeds.push(Deed::ByHand(unit));
        shell::run(&mut pair, unit, line);
    }

    /// The host key that a unit shows at the moment.
    ///
    /// # Errors
    /// Never in practice: when the key cannot be made.
    pub fn host_key(&self, unit: Unit) -> io::Result<HostKey> {
        let generation = self.shared.lock().unit(unit).key_generation;
        let key = server::host_key(unit, generation).map_err(io::Error::other)?;
        Ok(HostKey::from(PublicKey::from(&key)))
    }

    /// What a policy has to aim at.
    pub fn target(&self) -> Target {
        self.shared.lock().setup.target()
    }

    /// The release that a unit runs.
    pub fn release(&self, unit: Unit) -> String {
        self.shared.lock().unit(unit).release.clone()
    }

    /// The state that a unit is in, in the device's words.
    pub fn state(&self, unit: Unit) -> String {
        self.shared.lock().unit(unit).state.clone()
    }

    /// How often somebody has logged in on a unit.
    pub fn logins(&self, unit: Unit) -> u32 {
        self.shared.lock().unit(unit).logins
    }

    /// What was done to the pair, in order.
    pub fn deeds(&self) -> Vec<Deed> {
        self.shared.lock().deeds.clone()
    }

    /// Lets one more thing go wrong from now on.
    pub fn suffer(&self, fault: Fault) {
        self.shared.lock().setup.faults.push(fault);
    }

    /// What `fault` does goes wrong no longer from now on.
    pub fn cure(&self, fault: &Fault) {
        self.shared.lock().strike(fault);
    }
}

impl Drop for SimulatedPair {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // Somebody may still be connected, such as who reads what an installer prints.
        let pair = self.shared.lock();
        for unit in Unit::BOTH {
            pair.unit(unit).cut();
        }
    }
}

async fn tick(shared: server::Shared) {
    loop {
        drop(shared.lock());
        tokio::time::sleep(TICK).await;
    }
}
