//! Figures that are promised: how much time and memory the tool itself takes. All of them, with the
//! full volume:
//!
//!     ELPIS_SOAK=1 cargo test -p elpis-failover --all-features --test ftd -- measured --nocapture --test-threads 1

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_failover::rehearse::{Fault, Setup};
use elpis_failover::{
    DriverError, FtdDriver, FtdOptions, Limits, PairDriver, Role, SshOptions, SshTransport, Unit,
};
use elpis_run::{Clock, fsx};

use crate::rig::{End, Rig};

#[tokio::test]
async fn the_tools_own_time_is_below_a_hundredth_of_the_devices() {
    let mut rig = Rig::new(Setup::new()).await;
    // What a user has who sets nothing, not the long intervals of the tests.
    rig.policy.limits = Limits::default();
    let begun = Instant::now();
    assert_eq!(rig.upgrade().await, End::Done);
    let (own, device) = (begun.elapsed(), rig.clock.monotonic());
    let share = own.as_secs_f64() * 100.0 / device.as_secs_f64();
    eprintln!("tool {own:?} of the device's {device:?}: {share:.2} %");
    assert!(own * 100 < device, "{own:?} of {device:?}");
}

#[tokio::test]
async fn less_than_a_second_from_a_ready_standby_to_the_switchover() {
    let rig = Rig::new(Setup::new()).await;
    assert_eq!(rig.upgrade().await, End::Done);
    let told = rig.told.lock().unwrap();
    let at = |event: &str, step: &str| {
        let found = told
            .iter()
            .find(|(_, line)| line.starts_with(event) && line.contains(step));
        found.unwrap().0
    };
    let ready = at("StepDone", "05-rejoin-b");
    let switched = at("Acknowledged", "07-switchover-to-b");
    let took = switched - ready;
    eprintln!("ready standby to switchover: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_frozen_device_is_noticed_within_five_seconds() {
    let rig = Rig::new(Setup::new().with(Fault::FreezesAtLogin(Unit::B, 1))).await;
    let options = FtdOptions {
        command_timeout: Duration::from_secs(60),
        ..rig.options.clone()
    };
    // The defaults of the client, not those of the tests.
    let ssh = SshOptions::new(rig.known_hosts.clone());
    let driver = FtdDriver::new(options, Arc::new(SshTransport::new(ssh)));
    let begun = Instant::now();
    let seen = driver.observe(Unit::B).await;
    assert!(
        matches!(seen, Err(DriverError::Unreachable { .. })),
        "{seen:?}"
    );
    let waited = begun.elapsed();
    eprintln!("frozen session noticed after {waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    // The next dialogue is a new one.
    assert_eq!(
        driver.observe(Unit::B).await.unwrap().own_role,
        Role::StandbyReady
    );
}

/// Two hours of installing, with a status file and an installer that say this much.
fn volume() -> usize {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 100 << 20,
        None => 20 << 20,
    }
}

#[test]
fn memory_stays_flat_through_a_long_and_talkative_installation() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "measured::a_long_and_talkative_installation"])
        .args(["--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr).into_owned();
    assert!(child.status.success(), "{said}");
    let grown = said
        .lines()
        .find_map(|line| line.strip_prefix("grown by KiB: "));
    let grown: u64 = grown.unwrap().parse().unwrap();
    let volume = volume() >> 20;
    eprintln!("grown by {grown} KiB through 2 hours and {volume} MiB of log");
    assert!(grown < 32 << 10, "{grown} KiB");
}

#[tokio::test]
#[ignore = "a process of its own, started by memory_stays_flat..."]
async fn a_long_and_talkative_installation() {
    let setup = Setup {
        install: Duration::from_secs(2 * 3600),
        ..Setup::new()
    };
    let setup = setup
        .with(Fault::LongStatus(Unit::B, volume()))
        .with(Fault::Chatter(Unit::B, volume()));
    let mut rig = Rig::new(setup).await;
    rig.options.transcripts = None;
    rig.policy.limits.install = Duration::from_secs(4 * 3600);
    let before = memory("VmRSS:");
    // Forget the peak of the simulated pair's own making.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    assert_eq!(rig.upgrade().await, End::Done);
    eprintln!("grown by KiB: {}", memory("VmHWM:").saturating_sub(before));
}

fn memory(key: &str) -> u64 {
    let status = fsx::read_to_string(std::path::Path::new("/proc/self/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
