//! Switchovers: kept apart, undone, rolled back within their budgets.

use std::sync::Mutex;
use std::time::Duration;

use elpis_failover::{Act, Cause, Plan, Unit, UpgradeError, UpgradeEvent};
use elpis_run::Clock;

use super::apply_listening;
use crate::model::{Fault, OLD};
use crate::rig::{End, Rig, end, inspect, policy};

#[tokio::test]
async fn switchovers_of_one_pair_keep_their_distance_also_across_runs() {
    let mut rules = policy();
    rules.limits.anti_flap = Duration::from_secs(3_600);
    rules.limits.settle = Duration::from_secs(60);
    let rig = Rig::with(Unit::A, [OLD, OLD], vec![Fault::ProbeFails(Unit::B)], rules).await;
    let report = rig.apply().await.unwrap();
    assert_eq!(end(&report), End::Undone, "an undo does not wait");
    // The next plan begins with the switchover, and is too early for it.
    rig.model.clock.advance(Duration::from_secs(30));
    let facts = inspect(&rig.model, &rig.policy).await;
    let plan = Plan::new(&rig.policy, &facts).unwrap();
    let first = plan.steps.iter().find_map(|step| step.act()).unwrap();
    assert_eq!(
        first,
        (Act::Switchover, Unit::B),
        "unit b is upgraded already"
    );
    let apply = async || {
        rig.engine(&(), async |engine| engine.apply(&plan).await)
            .await
            .unwrap()
    };
    assert_eq!(end(&apply().await), End::Refused(Cause::AntiFlap));
    rig.model.clock.advance(Duration::from_secs(3_600));
    assert_eq!(
        end(&apply().await),
        End::Undone,
        "the probe still fails, but it was tried"
    );
}

#[tokio::test]
async fn a_rollback_switches_back_while_that_is_possible() {
    let rig = Rig::both_old(vec![Fault::StartForbidden(Act::Install, Unit::A)]).await;
    let run = rig.apply().await.unwrap().run.unwrap();
    assert_eq!(rig.model.active(), [Unit::B]);
    let report = rig
        .engine(&(), async |engine| engine.rollback(run).await)
        .await
        .unwrap();
    assert_eq!(end(&report), End::Undone);
    assert_eq!(rig.model.active(), [Unit::A]);
    rig.check("rolled back");

    // Too late: the other unit has been touched.
    let rig = Rig::both_old(vec![Fault::InstallFails(Unit::A)]).await;
    let run = rig.apply().await.unwrap().run.unwrap();
    let late = rig
        .engine(&(), async |engine| engine.rollback(run).await)
        .await;
    assert!(
        matches!(late, Err(UpgradeError::NotUndoable { .. })),
        "{late:?}"
    );

    // Too early: no switchover was made.
    let rig = Rig::both_old(vec![Fault::StuckSync(Unit::B)]).await;
    let run = rig.apply().await.unwrap().run.unwrap();
    let early = rig
        .engine(&(), async |engine| engine.rollback(run).await)
        .await;
    assert!(
        matches!(early, Err(UpgradeError::NotUndoable { .. })),
        "{early:?}"
    );
}

#[tokio::test]
async fn a_probe_and_its_undo_stay_within_their_budgets() {
    let mut rules = policy();
    rules.limits.outage = Duration::from_secs(12);
    rules.limits.undo = Duration::from_secs(15);
    rules.hooks[0].timeout = Duration::from_secs(300);
    let rig = Rig::with(Unit::A, [OLD, OLD], vec![Fault::ProbeHangs(Unit::B)], rules).await;
    let sent = Mutex::new(Vec::new());
    let clock = rig.model.clock.clone();
    let report = apply_listening(&rig, |event| {
        let now = clock.monotonic();
        match event {
            UpgradeEvent::Sending {
                act: Act::Switchover,
                ..
            }
            | UpgradeEvent::Finished(_) => {
                sent.lock().unwrap().push(now);
            }
            _ => {}
        }
    })
    .await;
    assert_eq!(end(&report), End::Undone);
    let times = sent.into_inner().unwrap();
    let [switch, undo, over] = times[..] else {
        panic!("{times:?}")
    };
    assert!(
        undo - switch <= Duration::from_secs(13),
        "{:?}",
        undo - switch
    );
    assert!(over - undo <= Duration::from_secs(15), "{:?}", over - undo);
}

#[tokio::test]
async fn a_crash_of_the_active_unit_meanwhile_raises_an_alarm() {
    let rig = Rig::both_old(vec![Fault::ActiveCrashes(Unit::B)]).await;
    let alarms = Mutex::new(0);
    apply_listening(&rig, |event| {
        *alarms.lock().unwrap() += i32::from(matches!(event, UpgradeEvent::Alarm { .. }));
    })
    .await;
    assert!(*alarms.lock().unwrap() > 0);
}
