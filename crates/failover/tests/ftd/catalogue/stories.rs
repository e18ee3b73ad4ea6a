//! Cases in which the operator does more than to plan and to apply, or somebody else does
//! something meanwhile.

use std::time::Duration;

use elpis_failover::rehearse::{Deed, Fault, Scenario, Setup};
use elpis_failover::{Cause, Plan, Resume, UpgradeError};
use elpis_run::{Event, Journal, MemoryJournal, Query, StopToken};

use super::*;
use crate::full::Full;

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![
        own("31-begun-by-hand", End::Done)
            .of("46-a-script-fails")
            .told(|rig| Box::pin(an_engineer_begins_again(rig)))
            // The first one was ours, the second one the engineer's; nothing was begun beside.
            .and(|rig| assert_eq!(installs(rig), 3)),
        own("31-a-foreign-job", End::Held(Cause::Busy))
            .of("46-a-script-fails")
            .told(|rig| Box::pin(an_engineer_checks_again(rig)))
            .and(|rig| assert_eq!(installs(rig), 1)),
        own("31-adopted-without-a-run", End::Done)
            .told(|rig| Box::pin(adopted_from_the_start(rig)))
            .and(|rig| assert_eq!((installs(rig), switchovers(rig)), (2, 1))),
        own("31-a-foreign-job-without-a-run", refused(Cause::Busy))
            .told(|rig| Box::pin(a_foreign_job_from_the_start(rig)))
            .and(untouched_but_by_hand),
        own("31-nothing-to-adopt", refused(Cause::Busy))
            .told(|rig| {
                Box::pin(async {
                    let plan = rig.plan_adopting().await;
                    End::Refused(plan.unwrap_err())
                })
            })
            .and(untouched),
        own("33-two-at-once", End::Done).told(|rig| Box::pin(two_at_once(rig))),
        own("36-facts-have-changed", refused(Cause::Package))
            .told(|rig| Box::pin(the_package_is_replaced(rig)))
            .and(untouched),
        Case {
            faults: vec![Fault::TakesOverAtLogin(B, 2)],
            ..own("36-facts-have-changed", refused(Cause::Roles)).and(untouched)
        },
        own("54-control-c", End::Done).told(|rig| Box::pin(stopped_and_resumed(rig))),
        own("61-trusted-and-resumed", End::Done)
            .of("61-new-host-key")
            .told(|rig| Box::pin(trusted_and_resumed(rig)))
            .and(|rig| assert_eq!(installs(rig), 2)),
        own("57-connection-refused", End::Done)
            .told(|rig| Box::pin(a_long_reboot(rig)))
            .and(|rig| assert!(rig.log().contains("cannot be reached"), "{}", rig.log())),
        Case {
            faults: vec![Fault::AnswersLate(B, 3, Duration::from_millis(1500))],
            change: |rig| rig.options.command_timeout = Duration::from_secs(1),
            ..own("82-an-answer-is-late", End::Done).told(|rig| Box::pin(looked_at_again(rig)))
        },
        own("87-edited-in-between", refused(Cause::Stale))
            .told(|rig| Box::pin(the_plan_is_edited(rig)))
            .and(untouched),
        own("87-edited-before-resuming", End::Done)
            .told(|rig| Box::pin(the_configuration_is_edited(rig)))
            .and(|rig| assert_eq!(installs(rig), 2)),
    ];
    cases.extend([0, 1, 4, 9, 20].map(|room| {
        // With room for n records at most the acts of n intents were begun.
        own("35-no-journal", End::Nothing).told(move |rig| Box::pin(the_disk_is_full(rig, room)))
    }));
    let deaths = [
        ("56-sent-and-not-acknowledged", "act: Install"),
        ("56-sent-and-not-acknowledged", "act: Switchover"),
        ("55-power-fails", "Acknowledged { step: \"04"),
    ];
    cases.extend(deaths.map(|(id, word)| {
        own(id, End::Done)
            .told(move |rig| Box::pin(dies_when_told(rig, word)))
            .and(|rig| assert_eq!((installs(rig), switchovers(rig)), (2, 1)))
    }));
    cases.extend([-86_400, 365 * 86_400].map(|seconds| {
        // Deadlines do not notice.
        own("86-wall-clock-jumps", End::Done).told(move |rig| {
            Box::pin(
                async move { meanwhile(rig, "act: Install", || rig.clock.set_wall(seconds)).await },
            )
        })
    }));
    cases
}

fn untouched_but_by_hand(rig: &Rig) {
    let ours = |deed: &Deed| matches!(deed, Deed::Install(..) | Deed::Switchover(_));
    assert!(!rig.pair.deeds().iter().any(ours), "{:?}", rig.pair.deeds());
}

fn command(rig: &Rig, option: &str) -> String {
    let package = rig.pair.target().package;
    format!("install_update.pl --detach {option} /ngfw/var/sf/updates/{package}")
}

/// A script fails; the vendor's engineer begins the installation again by hand; the run is told to
/// take that one for its own.
async fn an_engineer_begins_again(rig: &mut Rig) -> End {
    assert_eq!(rig.upgrade().await, End::Held(Cause::ActFailed));
    let fault = Scenario::find("46-a-script-fails").unwrap().faults;
    rig.pair.cure(&fault[0]);
    rig.pair.by_hand(B, &command(rig, ""));
    assert_eq!(rig.resume().await, End::Held(Cause::Busy), "{}", rig.log());
    rig.adopt().await
}

/// Another job than the plan's installation is not adopted.
async fn an_engineer_checks_again(rig: &mut Rig) -> End {
    assert_eq!(rig.upgrade().await, End::Held(Cause::ActFailed));
    rig.pair.suffer(Fault::ReadinessHangs(B));
    rig.pair.by_hand(B, &command(rig, "--readiness-check"));
    rig.adopt().await
}

/// The installation was begun before there was any run of this tool.
async fn adopted_from_the_start(rig: &mut Rig) -> End {
    rig.pair.by_hand(B, &command(rig, ""));
    assert_eq!(rig.plan().await.unwrap_err(), [Cause::Busy]);
    let plan = rig.plan_adopting().await.unwrap();
    rig.apply(&plan).await
}

async fn a_foreign_job_from_the_start(rig: &mut Rig) -> End {
    rig.pair.suffer(Fault::ReadinessHangs(B));
    rig.pair.by_hand(B, &command(rig, "--readiness-check"));
    let plan = rig.plan_adopting().await.unwrap();
    rig.apply(&plan).await
}

/// The second one is locked out, the first one is not disturbed.
async fn two_at_once(rig: &mut Rig) -> End {
    let plan = rig.plan().await.unwrap();
    let second = async {
        told(rig, "Started").await;
        let journal = MemoryJournal::new();
        rig.engine_on(&journal, async |engine| engine.apply(&plan).await)
            .await
    };
    let (first, second) = tokio::join!(rig.apply(&plan), second);
    assert!(matches!(second, Err(UpgradeError::Locked(_))), "{second:?}");
    first
}

/// No journal, no action.
async fn the_disk_is_full(rig: &mut Rig, room: usize) -> End {
    let plan = rig.plan().await.unwrap();
    let journal = Full::after(room);
    let ended = rig
        .engine_on(&journal, async |engine| engine.apply(&plan).await)
        .await;
    assert!(matches!(ended, Err(UpgradeError::Journal(_))), "{ended:?}");
    let runs = journal.list(&Query::default()).unwrap();
    let intents = runs.first().map_or(0, |run| {
        let records = journal.replay(run.id).unwrap().records;
        let orders = records.iter().filter(|record| match &record.event {
            Event::Intent { detail, .. } => detail.get("order").is_some_and(|o| !o.is_null()),
            _ => false,
        });
        orders.count()
    });
    let begun = rig.pair.deeds();
    let begun = begun.iter().filter(|deed| !matches!(deed, Deed::Reboot(_)));
    assert!(begun.count() <= intents, "{:?}", rig.pair.deeds());
    End::Nothing
}

/// Between plan and apply.
async fn the_package_is_replaced(rig: &mut Rig) -> End {
    let plan = rig.plan().await.unwrap();
    let package = rig.pair.target().package;
    rig.pair
        .by_hand(B, &format!("echo other > /ngfw/var/sf/updates/{package}"));
    rig.apply(&plan).await
}

/// Waits until the engine has told of `word`.
async fn told(rig: &Rig, word: &str) {
    while !rig.log().contains(word) {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

/// Plays until `word` is told and does `what` then.
async fn meanwhile(rig: &Rig, word: &str, what: impl FnOnce()) -> End {
    let plan = rig.plan().await.unwrap();
    let then = async {
        told(rig, word).await;
        what();
    };
    let (end, ()) = tokio::join!(rig.apply(&plan), then);
    end
}

/// The first Control-C ends the run after its step; nothing of it reaches a unit.
async fn stopped_and_resumed(rig: &mut Rig) -> End {
    let end = meanwhile(rig, "act: Install", || rig.stop.stop()).await;
    assert_eq!(end, End::Held(Cause::Stopped), "{}", rig.log());
    assert_eq!(installs(rig), 1);
    rig.stop = StopToken::new();
    rig.resume().await
}

/// The process dies with the order on the wire, or while it is carried out; its successor looks
/// and does not repeat.
async fn dies_when_told(rig: &mut Rig, word: &str) -> End {
    let plan = rig.plan().await.unwrap();
    tokio::select! {
        () = told(rig, word) => {}
        end = rig.apply(&plan) => panic!("{end:?}"),
    }
    rig.resume().await
}

/// While it boots, every connection is refused; only this unit is waited for.
async fn a_long_reboot(rig: &mut Rig) -> End {
    let setup = Setup {
        reboot: Duration::from_secs(30 * 60),
        ..Setup::new()
    };
    *rig = Rig::new(setup).await;
    rig.upgrade().await
}

/// An answer that comes after our patience makes no plan; the next look does.
async fn looked_at_again(rig: &mut Rig) -> End {
    assert_eq!(rig.plan().await.unwrap_err(), [Cause::Unreachable]);
    rig.options.command_timeout = Duration::from_secs(5);
    rig.upgrade().await
}

/// The new key is compared and trusted, and the run goes on where it held.
async fn trusted_and_resumed(rig: &mut Rig) -> End {
    assert_eq!(rig.upgrade().await, End::Held(Cause::Rejected));
    let key = rig.pair.host_key(B).unwrap();
    rig.known_hosts.trust(rig.pair.host(B), &key).unwrap();
    rig.resume().await
}

/// A plan that somebody has edited is not the one that was agreed to.
async fn the_plan_is_edited(rig: &mut Rig) -> End {
    let plan = rig.plan().await.unwrap();
    let edits: [fn(&mut Plan); 2] = [
        |plan| plan.policy.switch_back = true,
        |plan| plan.steps.retain(|step| !step.id.contains("readiness")),
    ];
    for edit in edits {
        let mut edited = plan.clone();
        edit(&mut edited);
        assert_eq!(rig.apply(&edited).await, refused(Cause::Stale));
    }
    // So is one that was made for a driver that was told something else.
    rig.options.space_factor = 1.0;
    assert_eq!(rig.apply(&plan).await, refused(Cause::Stale));
    // And one that was told the same afterwards.
    let mut edited = plan;
    edited.terms["pair"]["space_factor"] = 1.0.into();
    rig.apply(&edited).await
}

/// The run holds, the operator edits what the driver is told and the policy: both are named, and
/// nothing goes on before somebody says that the plan still counts.
async fn the_configuration_is_edited(rig: &mut Rig) -> End {
    let end = meanwhile(rig, "act: Install", || rig.stop.stop()).await;
    assert_eq!(end, End::Held(Cause::Stopped), "{}", rig.log());
    rig.stop = StopToken::new();
    rig.options.manager_version = Some(text("7.4.0"));
    rig.policy.limits.install += Duration::from_secs(3600);
    let how = Resume {
        policy: Some(&rig.policy),
        ..Resume::default()
    };
    let run = rig.open_run();
    let resume = async |how: Resume<'_>| {
        rig.engine_on(&rig.journal, async |engine| engine.resume(run, how).await)
            .await
    };
    let Err(UpgradeError::Edited { keys, .. }) = resume(how.clone()).await else {
        panic!("it was taken up");
    };
    assert_eq!(keys, ["pair.manager_version", "policy.limits.install"]);
    let as_planned = Resume {
        as_planned: true,
        ..how
    };
    crate::rig::end(resume(as_planned).await)
}
