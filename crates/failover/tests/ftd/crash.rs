//! A process that dies at any moment of an upgrade, and another one that resumes it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elpis_failover::Unit;
use elpis_failover::rehearse::{Deed, Setup};

use crate::rig::{End, Rig, side_by_side};

/// Dies after so many of the engine's events, resumes, and ends as if nothing had been.
async fn dies_after(events: usize) -> bool {
    let rig = Rig::new(Setup::new()).await;
    let plan = rig.plan().await.unwrap();
    let before = rig.told.lock().unwrap().len();
    let seen = AtomicUsize::new(0);
    let death = async {
        while rig.told.lock().unwrap().len() < before + events {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        seen.store(1, Ordering::SeqCst);
    };
    tokio::select! {
        biased;
        () = death => {}
        end = rig.apply(&plan) => {
            assert_eq!(end, End::Done);
            return false;
        }
    }
    let end = match rig.has_open_run() {
        true => rig.resume().await,
        false => rig.apply(&plan).await,
    };
    assert_eq!(end, End::Done, "died after {events}\n{}", rig.log());
    let deeds = rig.pair.deeds();
    for unit in Unit::BOTH {
        let installs = deeds
            .iter()
            .filter(|deed| matches!(deed, Deed::Install(of, _) if *of == unit));
        assert_eq!(installs.count(), 1, "died after {events}: {deeds:?}");
        assert_eq!(rig.pair.release(unit), "7.2.7-500");
    }
    let switches = deeds
        .iter()
        .filter(|deed| matches!(deed, Deed::Switchover(_)))
        .count();
    assert_eq!(switches, 1, "died after {events}: {deeds:?}");
    true
}

/// More events than an undisturbed upgrade has.
const MOST_EVENTS: usize = 120;

#[tokio::test]
async fn a_run_that_dies_over_ssh_is_resumed_to_the_same_end() {
    let step = match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 1,
        None => 9,
    };
    let deaths = side_by_side((1..MOST_EVENTS).step_by(step), dies_after).await;
    let counted = deaths.iter().filter(|died| **died).count();
    eprintln!("{counted} deaths counted");
    assert!(counted >= 8, "{counted}");
    assert!(counted < deaths.len(), "the last events were never reached");
}
