//! A process that dies at any moment of an upgrade, and another one that resumes it.
//!
//! Every record of every fault is tried by the engine's own tests, on a pair in memory; here it is
//! the whole way over SSH. `ELPIS_SOAK=1` tries every event where all goes well, and every seventh
//! of each of the catalogue's cases that begin after the plan; `ELPIS_SOAK_SLICE=1/3` the first
//! third of those.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elpis_failover::Unit;
use elpis_failover::rehearse::{Deed, Scenario, Setup};

use crate::catalogue::broken_rules;
use crate::rig::{End, Rig, on_two_threads};

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

#[test]
fn a_run_that_dies_over_ssh_is_resumed_to_the_same_end() {
    let step = match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 1,
        None => 9,
    };
    let moments = (1..MOST_EVENTS).step_by(step).collect();
    let deaths = on_two_threads(moments, dies_after);
    let counted = deaths.iter().filter(|died| **died).count();
    eprintln!("{counted} deaths counted");
    assert!(counted >= 8, "{counted}");
    assert!(counted < deaths.len(), "the last events were never reached");
}

/// A case of the catalogue in whose middle the process dies as well. Whatever the two come to
/// together, no rule is broken and the run can be left. Returns whether it died.
async fn dies_in(scenario: Scenario, events: usize) -> bool {
    let rig = Rig::new(Setup {
        faults: scenario.faults,
        ..Setup::new()
    })
    .await;
    let what = format!("{} died after {events}", scenario.id);
    // Some cases strike before there is a plan.
    let Ok(plan) = rig.plan().await else {
        return false;
    };
    let before = rig.told.lock().unwrap().len();
    let death = async {
        while rig.told.lock().unwrap().len() < before + events {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let died = tokio::select! {
        biased;
        () = death => true,
        _ = rig.apply(&plan) => false,
    };
    if died {
        let end = match rig.has_open_run() {
            true => rig.resume().await,
            false => rig.apply(&plan).await,
        };
        let broken = broken_rules(&rig);
        assert!(
            broken.is_empty(),
            "{what}: {end:?} {broken:?}\n{}",
            rig.log()
        );
        if let End::Done | End::Warnings = end {
            for unit in Unit::BOTH {
                assert_eq!(rig.pair.release(unit), "7.2.7-500", "{what}");
            }
        }
        if rig.has_open_run() {
            rig.abort().await;
        }
        assert!(!rig.has_open_run(), "{what}");
    }
    died
}

/// Which part of the soak, such as the first of three.
fn slice() -> (usize, usize) {
    let Some(slice) = std::env::var_os("ELPIS_SOAK_SLICE") else {
        return (1, 1);
    };
    let (which, of) = slice.to_str().unwrap().split_once('/').unwrap();
    (which.parse().unwrap(), of.parse().unwrap())
}

#[test]
fn a_case_in_whose_middle_the_process_dies_breaks_no_rule() {
    let soak = std::env::var_os("ELPIS_SOAK").is_some();
    // The numbers from 37 on are those of cases that begin after the plan.
    let late = |scenario: &Scenario| {
        let number = scenario.id.split('-').next().unwrap_or_default();
        number.parse().is_ok_and(|number: u32| number >= 37)
    };
    let cases = Scenario::all().into_iter().filter(late);
    let (which, of) = slice();
    let deaths: Vec<(Scenario, usize)> = cases
        .enumerate()
        // Each case begins elsewhere, so that together they try all places.
        .flat_map(|(index, scenario)| {
            let moments = match soak {
                true => (1 + index % 7..MOST_EVENTS).step_by(7).collect(),
                false if index % 8 == 0 => vec![11 + index],
                false => Vec::new(),
            };
            moments
                .into_iter()
                .map(move |moment| (scenario.clone(), moment))
        })
        .enumerate()
        .filter(|(index, _)| index % of == which - 1)
        .map(|(_, death)| death)
        .collect();
    let tried = deaths.len();
    let died = on_two_threads(deaths, async |(scenario, moment)| {
        dies_in(scenario, moment).await
    });
    let counted = died.into_iter().filter(|died| *died).count();
    eprintln!("{counted} deaths counted of {tried}");
    assert!(counted * 4 > tried, "{counted} of {tried}");
}
