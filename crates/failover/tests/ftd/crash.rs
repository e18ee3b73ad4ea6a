//! A process that dies at any moment of an upgrade, and another one that resumes it.
//!
//! Every record of every fault is tried by the engine's own tests, on a pair in memory; here it is
//! the whole way over SSH. `ELPIS_SOAK=1` tries every event where all goes well, and every seventh
//! of each of the catalogue's cases that begin after the plan; `ELPIS_SOAK_SLICE=1/3` the first
//! third of those.

use std::fmt;
use std::time::Duration;

use elpis_failover::rehearse::{Deed, Scenario, Setup};
use elpis_failover::{Plan, Unit};

use crate::catalogue::broken_rules;
use crate::many::on_two_threads;
use crate::rig::{End, Rig};

/// After how many of the engine's events the process dies, and what goes wrong beside.
struct Death {
    scenario: Option<Scenario>,
    events: usize,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.scenario.as_ref().map_or("nothing", |case| case.id);
        write!(f, "{id} died after {}", self.events)
    }
}

impl Death {
    /// Applies `plan` until this death, or to the end that is returned.
    async fn befalls(&self, rig: &Rig, plan: &Plan) -> Option<End> {
        let before = rig.told.lock().unwrap().len();
        let death = async {
            while rig.told.lock().unwrap().len() < before + self.events {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let life = async {
            tokio::select! {
                biased;
                () = death => None,
                end = rig.apply(plan) => Some(end),
            }
        };
        rig.in_time(&format!("{self}, the first life"), life).await
    }

    /// The next process: goes on, or begins if nothing was.
    async fn is_survived(&self, rig: &Rig, plan: &Plan) -> End {
        let life = async {
            match rig.has_open_run() {
                true => rig.resume().await,
                false => rig.apply(plan).await,
            }
        };
        rig.in_time(&format!("{self}, the second life"), life).await
    }
}

/// Dies, resumes, and ends as if nothing had been. Returns whether it died.
async fn dies(death: Death) -> bool {
    let rig = Rig::new(Setup::new()).await;
    let plan = rig.in_time(&death.to_string(), rig.plan()).await.unwrap();
    if let Some(end) = death.befalls(&rig, &plan).await {
        assert_eq!(end, End::Done, "{death}");
        return false;
    }
    let end = death.is_survived(&rig, &plan).await;
    assert_eq!(end, End::Done, "{death}\n{}", rig.log());
    let deeds = rig.pair.deeds();
    for unit in Unit::BOTH {
        let installs = deeds
            .iter()
            .filter(|deed| matches!(deed, Deed::Install(of, _) if *of == unit));
        assert_eq!(installs.count(), 1, "{death}: {deeds:?}");
        assert_eq!(rig.pair.release(unit), "7.2.7-500");
    }
    let switches = deeds
        .iter()
        .filter(|deed| matches!(deed, Deed::Switchover(_)))
        .count();
    assert_eq!(switches, 1, "{death}: {deeds:?}");
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
    let moments = (1..MOST_EVENTS).step_by(step).map(|events| Death {
        scenario: None,
        events,
    });
    let deaths = on_two_threads(moments.collect(), dies);
    let counted = deaths.iter().filter(|died| **died).count();
    eprintln!("{counted} deaths counted");
    assert!(counted >= 8, "{counted}");
    assert!(counted < deaths.len(), "the last events were never reached");
}

/// A case of the catalogue in whose middle the process dies as well. Whatever the two come to
/// together, no rule is broken and the run can be left. Returns whether it died.
async fn dies_in_trouble(death: Death) -> bool {
    let faults = death.scenario.as_ref().unwrap().faults.clone();
    let rig = Rig::new(Setup {
        faults,
        ..Setup::new()
    })
    .await;
    // Some cases strike before there is a plan.
    let Ok(plan) = rig.in_time(&death.to_string(), rig.plan()).await else {
        return false;
    };
    if death.befalls(&rig, &plan).await.is_some() {
        return false;
    }
    let end = death.is_survived(&rig, &plan).await;
    let broken = broken_rules(&rig);
    assert!(
        broken.is_empty(),
        "{death}: {end:?} {broken:?}\n{}",
        rig.log()
    );
    if let End::Done | End::Warnings = end {
        for unit in Unit::BOTH {
            assert_eq!(rig.pair.release(unit), "7.2.7-500", "{death}");
        }
    }
    if rig.has_open_run() {
        rig.in_time(&format!("{death}, giving it up"), rig.abort())
            .await;
    }
    assert!(!rig.has_open_run(), "{death}");
    true
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
    let deaths: Vec<Death> = cases
        .enumerate()
        // Each case begins elsewhere, so that together they try all places.
        .flat_map(|(index, scenario)| {
            let moments = match soak {
                true => (1 + index % 7..MOST_EVENTS).step_by(7).collect(),
                false if index % 8 == 0 => vec![11 + index],
                false => Vec::new(),
            };
            moments.into_iter().map(move |events| Death {
                scenario: Some(scenario.clone()),
                events,
            })
        })
        .enumerate()
        .filter(|(index, _)| index % of == which - 1)
        .map(|(_, death)| death)
        .collect();
    let tried = deaths.len();
    let died = on_two_threads(deaths, dies_in_trouble);
    let counted = died.into_iter().filter(|died| *died).count();
    eprintln!("{counted} deaths counted of {tried}");
    assert!(counted * 4 > tried, "{counted} of {tried}");
}
