//! Generated pairs, faults and deaths: what must never happen does not.
//!
//! `ELPIS_SOAK=1` makes 20,000 cases instead of 300, or as many as `ELPIS_SOAK_CASES` says: every
//! run makes new ones, so a soak can be cut in slices.

use elpis_failover::{Act, Cause, Unit, UpgradeError};
use proptest::prelude::*;

use crate::catalogue::cases;
use crate::model::{Fault, NEW, OLD};
use crate::rig::{End, Rig, end};

/// The same fault with the units exchanged.
fn mirror(fault: &Fault) -> Fault {
    use Fault::*;
    match fault.clone() {
        ReadinessFails(u) => ReadinessFails(u.other()),
        ReadinessStalls(u) => ReadinessStalls(u.other()),
        StartLost(act, u, arrives) => StartLost(act, u.other(), arrives),
        StartRefused(act, u, n) => StartRefused(act, u.other(), n),
        StartForbidden(act, u) => StartForbidden(act, u.other()),
        InstallFails(u) => InstallFails(u.other()),
        InstallStalls(u) => InstallStalls(u.other()),
        InstallUnseen(u) => InstallUnseen(u.other()),
        ComesBackOld(u) => ComesBackOld(u.other()),
        ComesBackOther(u) => ComesBackOther(u.other()),
        NeverBack(u) => NeverBack(u.other()),
        NoReboot(u) => NoReboot(u.other()),
        HostKeyChanged(u) => HostKeyChanged(u.other()),
        Incompatible(u) => Incompatible(u.other()),
        StuckSync(u) => StuckSync(u.other()),
        Suspended(u, s) => Suspended(u.other(), s),
        SwitchIgnored(u) => SwitchIgnored(u.other()),
        SplitBrain(u, s) => SplitBrain(u.other(), s),
        FlapsBack(u, s) => FlapsBack(u.other(), s),
        ActiveCrashes(u) => ActiveCrashes(u.other()),
        InterfaceDown(u) => InterfaceDown(u.other()),
        InterfaceDownAtEnd(u) => InterfaceDownAtEnd(u.other()),
        PackageVanishes(u) => PackageVanishes(u.other()),
        LateUnit(u, s) => LateUnit(u.other(), s),
        LateReady(u, s) => LateReady(u.other(), s),
        ProbeFails(u) => ProbeFails(u.other()),
        ProbeHangs(u) => ProbeHangs(u.other()),
        LocateUnclear => LocateUnclear,
        UnsyncedAtEnd => UnsyncedAtEnd,
    }
}

#[derive(Debug, Clone)]
struct Scene {
    active: Unit,
    versions: [&'static str; 2],
    chosen: Vec<usize>,
    /// Before or after the k-th record or call of each life.
    deaths: Vec<usize>,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let count = cases().len();
    (
        prop::sample::select(vec![Unit::A, Unit::B]),
        prop::sample::select(vec![[OLD, OLD], [OLD, OLD], [OLD, NEW], [NEW, OLD]]),
        prop::collection::vec(0..count, 0..3),
        prop::collection::vec(1..300_usize, 0..4),
    )
        .prop_map(|(active, versions, chosen, deaths)| Scene {
            active,
            versions,
            chosen,
            deaths,
        })
}

/// For what these faults may lead to, alone or after a death.
fn causes(scene: &Scene) -> Vec<Cause> {
    let cases = cases();
    let chosen = scene.chosen.iter().map(|&index| &cases[index]);
    chosen
        .flat_map(|case| case.also.iter().copied().chain([case.end]))
        .filter_map(|end| match end {
            End::Held(cause) | End::Refused(cause) => Some(cause),
            End::Done | End::Warnings | End::Undone => None,
        })
        .collect()
}

async fn play(scene: &Scene) -> Result<(), TestCaseError> {
    let cases = cases();
    let faults: Vec<Fault> = scene
        .chosen
        .iter()
        .flat_map(|&index| cases[index].faults.clone())
        .map(|fault| match scene.active {
            Unit::A => fault,
            Unit::B => mirror(&fault),
        })
        .collect();
    let rig = Rig::new(scene.active, scene.versions, faults.clone()).await;
    let mut deaths = scene.deaths.iter();
    let report = loop {
        let death = deaths.next();
        match death {
            Some(&moment) => rig.model.ticks.die_at(moment),
            None => rig.model.ticks.revive(),
        }
        match rig.live(rig.after_crash()).await {
            None => continue,
            Some(Ok(report)) => break Some(report),
            Some(Err(UpgradeError::Finished { .. })) => break None,
            Some(Err(error)) => return Err(TestCaseError::fail(error.to_string())),
        }
    };
    rig.model.ticks.revive();
    rig.check(&format!("{faults:?}"));
    if let Some(report) = report {
        match end(&report) {
            End::Held(cause) | End::Refused(cause) => {
                let allowed = causes(scene);
                prop_assert!(allowed.contains(&cause), "{faults:?}: {:?}", report.ended);
            }
            End::Undone => {
                let is_probe = |f: &Fault| matches!(f, Fault::ProbeFails(_) | Fault::ProbeHangs(_));
                prop_assert!(faults.iter().any(is_probe));
            }
            End::Warnings => prop_assert!(!report.warnings.is_empty()),
            End::Done => {
                let state = rig.model.end_state();
                prop_assert_eq!(state.matches(NEW).count(), 2, "{}", state);
            }
        }
    }
    // Every state can be left.
    if let Some(run) = rig.open_run() {
        let aborted = rig
            .engine(&(), async |engine| engine.abort(run).await)
            .await;
        prop_assert!(aborted.is_ok());
    }
    prop_assert!(rig.open_run().is_none());
    // An installation is never ordered twice while nobody knows how the first one ended.
    let arrived = rig.model.arrived();
    for unit in Unit::BOTH {
        let installs = arrived
            .iter()
            .filter(|order| (order.act, order.unit) == (Act::Install, unit));
        let failing = faults.contains(&Fault::InstallFails(unit));
        let most = if failing { 1 + scene.deaths.len() } else { 1 };
        prop_assert!(installs.count() <= most);
    }
    Ok(())
}

#[test]
fn whatever_fails_and_whoever_dies_the_invariants_hold() {
    let soak = std::env::var_os("ELPIS_SOAK").is_some();
    let slice = std::env::var_os("ELPIS_SOAK_CASES");
    let full = slice.map_or(20_000, |cases| cases.to_str().unwrap().parse().unwrap());
    let config = ProptestConfig {
        cases: if soak { full } else { 300 },
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let count = config.cases;
    proptest!(config, |(scene in scenes())| runtime.block_on(play(&scene))?);
    println!("{count} generated cases");
}
