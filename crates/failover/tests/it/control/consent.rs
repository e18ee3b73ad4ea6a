//! Who and what must agree first: people, hooks, backups, the maintenance window.

use std::time::Duration;

use elpis_failover::{
    Cause, CopyFacts, Ended, Gate, HookPoint, HookRule, Resume, Unit, UpgradeError, UpgradeEvent,
    approve, policy::SafetyCopyRule,
};
use elpis_run::Clock;

use super::{apply_listening, held, window};
use crate::model::{Fault, OLD};
use crate::rig::{Copies, End, Rig, all_gates, end, policy};

#[tokio::test]
async fn every_gate_holds_until_somebody_agrees() {
    let mut rules = policy();
    rules.approve = all_gates();
    let rig = Rig::with(Unit::A, [OLD, OLD], vec![], rules).await;
    let mut report = rig.apply().await.unwrap();
    let run = report.run.unwrap();
    let mut asked = Vec::new();
    for gate in [
        Gate::FirstInstall,
        Gate::Switchover,
        Gate::SecondInstall,
        Gate::SwitchBack,
    ] {
        assert_eq!(end(&report), End::Held(Cause::Approval));
        asked.push(held(&report).concern.text.clone());
        let before = rig.model.arrived();
        report = rig.resume(run).await.unwrap();
        assert_eq!(end(&report), End::Held(Cause::Approval), "nobody agreed");
        assert_eq!(rig.model.arrived(), before);
        approve(&*rig.model.journal, &*rig.model.clock, run, gate, "kim").unwrap();
        report = rig.resume(run).await.unwrap();
    }
    assert_eq!(end(&report), End::Done);
    assert_eq!(asked[2], "`second_install` is not approved");
    let again = approve(
        &*rig.model.journal,
        &*rig.model.clock,
        run,
        Gate::Switchover,
        "kim",
    );
    assert!(matches!(again, Err(UpgradeError::Finished { .. })));
    rig.check("gates");
}

#[tokio::test]
async fn a_gate_that_the_plan_does_not_have_cannot_be_approved() {
    let rig = Rig::both_old(vec![Fault::InstallFails(Unit::B)]).await;
    let run = rig.apply().await.unwrap().run.unwrap();
    let wrong = approve(
        &*rig.model.journal,
        &*rig.model.clock,
        run,
        Gate::Switchover,
        "kim",
    );
    assert!(
        matches!(wrong, Err(UpgradeError::NoSuchGate { .. })),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn a_hook_can_veto_before_each_change_and_only_warn_at_the_end() {
    let cases = [
        (HookPoint::Start, End::Refused(Cause::Hook)),
        (HookPoint::BeforeInstall, End::Refused(Cause::Hook)),
        (HookPoint::BeforeSwitchover, End::Held(Cause::Hook)),
        (HookPoint::End, End::Warnings),
    ];
    for (at, expected) in cases {
        let mut rules = policy();
        rules.hooks.push(HookRule {
            name: "guard".into(),
            at,
            timeout: Duration::from_secs(5),
            command: Vec::new(),
        });
        let mut rig = Rig::with(Unit::A, [OLD, OLD], vec![], rules).await;
        rig.veto = Some("guard");
        let report = rig.apply().await.unwrap();
        assert_eq!(end(&report), expected, "{at:?}");
        assert!(!rig.flag.is_raised() || matches!(expected, End::Held(_)));
        if let End::Held(_) = expected {
            rig.veto = None;
            let report = rig.resume(report.run.unwrap()).await.unwrap();
            assert_eq!(end(&report), End::Done, "after the hook came to its senses");
        }
    }
}

#[tokio::test]
async fn nothing_begins_without_a_young_verified_backup() {
    let now = Rig::both_old(vec![]).await.model.clock.now();
    let copy = |hours: i64, verified| {
        Some(CopyFacts {
            name: "fw-edge-17".into(),
            at: now - jiff::SignedDuration::from_hours(hours),
            verified,
        })
    };
    let cases = [
        (None, End::Refused(Cause::SafetyCopy)),
        (copy(1, false), End::Refused(Cause::SafetyCopy)),
        (copy(25, true), End::Refused(Cause::SafetyCopy)),
        (copy(23, true), End::Done),
    ];
    for (newest, expected) in cases {
        let mut rules = policy();
        rules.safety_copy = Some(SafetyCopyRule {
            max_age: Duration::from_secs(24 * 3_600),
        });
        let mut rig = Rig::with(Unit::A, [OLD, OLD], vec![], rules).await;
        rig.copies = Copies(newest.clone());
        assert_eq!(end(&rig.apply().await.unwrap()), expected, "{newest:?}");
    }
}

/// The model's night begins at 02:00 UTC, which is 11:00 in Seoul.
#[tokio::test]
async fn nothing_begins_outside_the_window_or_too_late_in_it() {
    for (from, to, text) in [
        (
            "2026-11-21T12:00",
            "2026-11-21T18:00",
            "opens at 2026-11-21T12:00:00 Asia/Seoul",
        ),
        (
            "2026-11-21T10:00",
            "2026-11-21T11:20",
            "closes at 2026-11-21T11:20:00 Asia/Seoul",
        ),
    ] {
        let mut rules = policy();
        rules.window = Some(window(from, to));
        let rig = Rig::with(Unit::A, [OLD, OLD], vec![], rules).await;
        let report = rig.apply().await.unwrap();
        assert_eq!(end(&report), End::Refused(Cause::Window));
        let Ended::Refused { concerns } = &report.ended else {
            panic!()
        };
        assert!(concerns[0].text.contains(text), "{concerns:?}");
        assert_eq!(rig.model.arrived(), []);
    }
}

#[tokio::test]
async fn a_window_that_closes_in_the_middle_holds_and_another_one_goes_on() {
    let mut rules = policy();
    rules.window = Some(window("2026-11-21T11:00", "2026-11-21T13:00"));
    let rig = Rig::with(Unit::A, [OLD, OLD], vec![], rules).await;
    let clock = rig.model.clock.clone();
    let report = apply_listening(&rig, |event| {
        // The first unit takes much longer than usual.
        if matches!(event, UpgradeEvent::StepDone { step, .. } if step.contains("rejoin-b")) {
            clock.advance(Duration::from_secs(90 * 60));
        }
    })
    .await;
    assert_eq!(end(&report), End::Held(Cause::Window));
    let run = report.run.unwrap();
    let hold = held(&report);
    assert!(
        hold.step.ends_with("install-a"),
        "the switchover still fitted in: {hold:?}"
    );
    assert_eq!(
        end(&rig.resume(run).await.unwrap()),
        End::Held(Cause::Window)
    );
    let another = window("2026-11-21T11:00", "2026-11-21T20:00");
    let how = Resume {
        window: Some(another),
        ..Resume::default()
    };
    let report = rig
        .engine(&(), async |engine| engine.resume(run, how).await)
        .await
        .unwrap();
    assert_eq!(end(&report), End::Done);
}
