//! Stopping, leaving and pausing a run.

use std::sync::Mutex;

use elpis_failover::{Act, Cause, Serving, StepKind, Unit, UpgradeEvent, pause};

use super::{apply_listening, held};
use crate::model::{NEW, OLD};
use crate::rig::{End, Rig, end};

#[tokio::test]
async fn a_first_stop_ends_after_the_step_and_a_resume_goes_on() {
    let steps = Rig::both_old(vec![]).await.plan.steps;
    for (at, trigger) in steps.iter().enumerate() {
        let mut rig = Rig::both_old(vec![]).await;
        let stop = rig.stop.clone();
        let report = apply_listening(&rig, |event| {
            if matches!(event, UpgradeEvent::StepStarted { step, .. } if *step == trigger.id) {
                stop.stop();
            }
        })
        .await;
        let rest = steps[at..].iter().position(|step| step.rest_after).unwrap();
        let Some(next) = steps.get(at + rest + 1) else {
            assert_eq!(
                end(&report),
                End::Done,
                "after the last step there is nothing to stop"
            );
            continue;
        };
        let hold = held(&report);
        assert_eq!((hold.concern.cause, &hold.step), (Cause::Stopped, &next.id));
        assert_eq!(hold.serving, Serving::Yes);
        assert_eq!(hold.going_on, None);
        rig.forget_stops();
        let report = rig.resume(report.run.unwrap()).await.unwrap();
        assert_eq!(end(&report), End::Done, "stopped after {}", trigger.id);
        rig.check(&trigger.id);
    }
}

#[tokio::test]
async fn nobody_rests_before_the_roles_after_a_switchover_are_verified() {
    let rig = Rig::both_old(vec![]).await;
    for step in &rig.plan.steps {
        let is_probe = matches!(step.kind, StepKind::Hook { probe: true, .. });
        let is_switch = matches!(step.act(), Some((Act::Switchover, _)));
        assert_eq!(step.rest_after, !(is_probe || is_switch), "{}", step.id);
    }
}

#[tokio::test]
async fn a_second_stop_leaves_at_once_and_says_what_goes_on() {
    let mut rig = Rig::both_old(vec![]).await;
    let leave = rig.leave.clone();
    let report = apply_listening(&rig, |event| {
        if matches!(event, UpgradeEvent::Progress { step, .. } if step.contains("install-b")) {
            leave.stop();
        }
    })
    .await;
    let hold = held(&report);
    assert_eq!(hold.concern.cause, Cause::Stopped);
    assert_eq!(
        hold.going_on.as_deref(),
        Some("`install` goes on by itself on unit b")
    );
    assert_eq!(
        rig.model.end_state(),
        format!("a {OLD} active, b {NEW} standby")
    );
    rig.forget_stops();
    let report = rig.resume(report.run.unwrap()).await.unwrap();
    assert_eq!(end(&report), End::Done);
    rig.check("left in the middle of an installation");
    let installs = rig.model.arrived();
    let installs = installs.iter().filter(|order| order.act == Act::Install);
    assert_eq!(installs.count(), 2, "each unit once");
}

/// Leaving at every event there is, also while an order is under way.
#[tokio::test]
async fn leaving_anywhere_and_coming_back_ends_well() {
    let count = Mutex::new(0);
    apply_listening(&Rig::both_old(vec![]).await, |_| {
        *count.lock().unwrap() += 1
    })
    .await;
    let events = *count.lock().unwrap();
    for nth in (0..events).step_by(3) {
        let mut rig = Rig::both_old(vec![]).await;
        let leave = rig.leave.clone();
        let seen = Mutex::new(0);
        let report = apply_listening(&rig, |_| {
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            if *seen > nth {
                leave.stop();
            }
        })
        .await;
        rig.forget_stops();
        if rig.open_run().is_some() {
            assert_eq!(held(&report).concern.cause, Cause::Stopped);
            let report = rig.resume(report.run.unwrap()).await.unwrap();
            assert_eq!(end(&report), End::Done, "left at event {nth}");
        }
        rig.check("left");
    }
}

#[tokio::test]
async fn a_pause_from_another_process_works_like_a_stop() {
    let rig = Rig::both_old(vec![]).await;
    let report = apply_listening(&rig, |event| {
        if matches!(
            event,
            UpgradeEvent::Sending {
                act: Act::Install,
                unit: Unit::B,
                ..
            }
        ) {
            let run = rig.last_run().unwrap();
            pause(&*rig.model.journal, &*rig.model.clock, run, "kim").unwrap();
        }
    })
    .await;
    let hold = held(&report);
    assert!(hold.step.ends_with("rejoin-b"), "{hold:?}");
    assert_eq!(hold.concern.text, "paused on request");
    let report = rig.resume(report.run.unwrap()).await.unwrap();
    assert_eq!(end(&report), End::Done);
}
