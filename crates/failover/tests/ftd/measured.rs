//! Figures that are promised: how much time and memory the tool itself takes.

use std::process::Command;
use std::time::{Duration, Instant};

use elpis_failover::Unit;
use elpis_failover::rehearse::{Fault, Setup};
use elpis_run::{Clock, fsx};

use crate::rig::{End, Rig};

#[tokio::test]
async fn the_tools_own_time_is_below_a_hundredth_of_the_devices() {
    let rig = Rig::new(Setup::new()).await;
    let begun = Instant::now();
    assert_eq!(rig.upgrade().await, End::Done);
    let (own, device) = (begun.elapsed(), rig.clock.monotonic());
    eprintln!("tool {own:?}, device {device:?}");
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
    eprintln!("{took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
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
    eprintln!("grown by {grown} KiB");
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
