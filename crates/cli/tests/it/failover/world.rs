//! A simulated pair that answers the real program, and a configuration for it.

use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_failover::Unit;
use elpis_failover::rehearse::{Fault, Setup, SimulatedPair};
use elpis_run::{Clock, VirtualClock};

/// Time that runs a hundred times faster than ours: the units' own.
struct Fast {
    base: VirtualClock,
    begun: Instant,
}

const SPEED: u32 = 100;

impl Clock for Fast {
    fn now(&self) -> jiff::Timestamp {
        self.base.now() + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.begun.elapsed() * SPEED
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration / SPEED))
    }
}

pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Said {
    pub(crate) fn of(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said {
            out: text(output.stdout),
            err: text(output.stderr),
            code: output.status.code().unwrap(),
        }
    }
}

pub(crate) fn run(dir: &Path, args: &[&str]) -> Said {
    Said::of(command(dir, args).output().unwrap())
}

/// Whatever happens to the pair, no test waits for it longer than this.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/timeout");
    command
        .args(["--foreground", "300", env!("CARGO_BIN_EXE_elpis-failover")])
        .env_clear()
        .env("HOME", dir)
        .env("TZ", "UTC")
        .env("ELPIS_FAILOVER_CONFIG", dir.join("failover.toml"))
        .current_dir(dir)
        .args(args);
    command
}

pub(crate) fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

const LIMITS: &str = "
[policy.limits]
poll = '100ms'
anti_flap = '1s'
settle = '20s'
outage = '20s'
";

/// A pair that answers, and a configuration for it.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) pair: SimulatedPair,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    pub(crate) fn new(password: &str, policy: &str) -> World {
        World::with(password, "no_pending_deployment = 'kim'", policy, &[])
    }

    /// With a manager, and with faults.
    pub(crate) fn managed(policy: &str, faults: &[Fault]) -> World {
        let world = World::with("rehearsal-only", "", policy, faults);
        private(&world.dir.path().join("fmc"), "rehearsal-only\n");
        let manager = format!(
            "[manager]\naddress = '{}'\nuser = 'api'\npassword_file = 'fmc'\npair = 'FTD_HA'\n\
             units = ['FTD Primary', 'FTD Secondary']\n",
            world.pair.manager_address()
        );
        world.add(&manager);
        world
    }

    /// Adds to the end of the configuration.
    pub(crate) fn add(&self, text: &str) {
        let whole = self.read("failover.toml") + text;
        std::fs::write(self.dir.path().join("failover.toml"), whole).unwrap();
    }

    pub(crate) fn with(password: &str, of_pair: &str, policy: &str, faults: &[Fault]) -> World {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut setup = Setup::new();
        setup.install = Duration::from_secs(120);
        setup.reboot = Duration::from_secs(60);
        setup.faults.extend_from_slice(faults);
        let target = setup.target();
        let clock = Arc::new(Fast {
            base: VirtualClock::new(jiff::Timestamp::now()),
            begun: Instant::now(),
        });
        let pair = runtime
            .block_on(SimulatedPair::start(setup, clock))
            .unwrap();
        private(&dir.path().join("password"), &format!("{password}\n"));
        let unit = |name: &str, unit: Unit| {
            let host = pair.host(unit);
            format!(
                "[pair.{name}]\naddress = '{}'\nport = {}\nuser = 'admin'\n\
                 password_file = 'password'\n",
                host.address, host.port
            )
        };
        let config = format!(
            "[state]\ndirectory = 'state'\n[pair]\nquiet = '5ms'\n{of_pair}\n{}{}\
             [policy]\n{policy}\n[policy.target]\nversion = '{}'\npackage = '{}'\nsize = {}\n\
             digest = '{}'\n{LIMITS}",
            unit("a", Unit::A),
            unit("b", Unit::B),
            target.version,
            target.package,
            target.size.unwrap(),
            target.digest.unwrap(),
        );
        std::fs::write(dir.path().join("failover.toml"), config).unwrap();
        World {
            dir,
            pair,
            _runtime: runtime,
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        run(self.dir.path(), args)
    }

    pub(crate) fn trust(&self) {
        for (name, unit) in [("a", Unit::A), ("b", Unit::B)] {
            let fingerprint = self.pair.host_key(unit).unwrap().fingerprint();
            let said = self.run(&["trust", name, "--fingerprint", &fingerprint]);
            assert_eq!(said.code, 0, "{}", said.err);
        }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}
