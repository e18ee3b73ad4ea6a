//! What people do to a run: stop it, leave it, pause it, agree, roll back, give up, and start a
//! second one beside it.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use elpis_failover::{
    Act, Cause, CopyFacts, Ended, Gate, HookPoint, HookRule, Note, Plan, Report, Serving, StepKind,
    StepResult, Unit, UpgradeError, UpgradeEvent, Window, approve, pause, policy::SafetyCopyRule,
};
use elpis_run::{Clock, Event, FnObserver, Holder, NewRun, RunId, SqliteJournal};

use crate::model::{Fault, NEW, OLD};
use crate::rig::{Copies, End, Rig, all_gates, end, inspect, policy};

fn window(from: &str, to: &str) -> Window {
    Window {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        zone: "Asia/Seoul".into(),
    }
}

async fn apply_listening(rig: &Rig, on: impl Fn(&UpgradeEvent) + Send + Sync) -> Report {
    let listen = FnObserver(on);
    rig.engine(&listen, async |engine| engine.apply(&rig.plan).await)
        .await
        .unwrap()
}

fn held(report: &Report) -> &elpis_failover::Hold {
    match &report.ended {
        Ended::Held { hold } => hold,
        other => panic!("{other:?}"),
    }
}

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
    let report = rig
        .engine(&(), async |engine| engine.resume(run, Some(another)).await)
        .await
        .unwrap();
    assert_eq!(end(&report), End::Done);
}

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
async fn only_one_run_a_pair_and_the_unfinished_one_first() {
    let rig = Rig::both_old(vec![Fault::InstallFails(Unit::B)]).await;
    let inner = rig
        .engine(&(), async |engine| {
            let outer = Rig::both_old(vec![]).await;
            let second = elpis_failover::Upgrade {
                driver: &outer.model,
                journal: engine.journal,
                lock_dir: engine.lock_dir,
                clock: engine.clock,
                observer: &(),
                stop: engine.stop,
                leave: engine.leave,
                aids: engine.aids,
                holder: Holder::current("second", engine.clock.now()),
            };
            let begin = Mutex::new(None);
            let plan = &rig.plan;
            let listen = FnObserver(|event: &UpgradeEvent| {
                if let UpgradeEvent::Sending { .. } = event {
                    // Refused before it awaits anything.
                    let attempt = std::pin::pin!(second.apply(plan));
                    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                    if let std::task::Poll::Ready(result) =
                        std::future::Future::poll(attempt, &mut context)
                    {
                        *begin.lock().unwrap() = Some(result);
                    }
                }
            });
            let first = elpis_failover::Upgrade {
                observer: &listen,
                ..clone(engine)
            };
            first.apply(plan).await.unwrap();
            begin.lock().unwrap().take().unwrap()
        })
        .await;
    assert!(matches!(inner, Err(UpgradeError::Locked(_))), "{inner:?}");
    let run = rig.open_run().unwrap();
    let again = rig.apply().await;
    assert!(matches!(again, Err(UpgradeError::Unfinished { run: open }) if open == run));
    rig.engine(&(), async |engine| engine.abort(run).await)
        .await
        .unwrap();
    assert!(matches!(
        rig.resume(run).await,
        Err(UpgradeError::Finished { .. })
    ));
}

fn clone<'a>(
    engine: &elpis_failover::Upgrade<'a, crate::model::Model>,
) -> elpis_failover::Upgrade<'a, crate::model::Model> {
    elpis_failover::Upgrade {
        driver: engine.driver,
        journal: engine.journal,
        lock_dir: engine.lock_dir,
        clock: engine.clock,
        observer: engine.observer,
        stop: engine.stop,
        leave: engine.leave,
        aids: engine.aids,
        holder: engine.holder.clone(),
    }
}

#[tokio::test]
async fn the_takeover_of_a_dead_process_is_recorded() {
    let rig = Rig::both_old(vec![]).await;
    let dead = Holder {
        boot_id: Some("an earlier boot".into()),
        ..Holder::current("dead", rig.model.clock.now())
    };
    let run = rig
        .model
        .journal
        .create(&NewRun {
            job: elpis_failover::JOB.into(),
            target: "model:a+b".into(),
            holder: dead.clone(),
            started: rig.model.clock.now(),
            plan: serde_json::to_value(&rig.plan).unwrap(),
        })
        .unwrap();
    let report = rig.resume(run).await.unwrap();
    assert_eq!(end(&report), End::Done);
    let notes = rig
        .stored(run)
        .history
        .records
        .into_iter()
        .filter_map(|record| {
            let Event::Note { detail, .. } = record.event else {
                return None;
            };
            serde_json::from_value(detail).ok()
        });
    let taken: Vec<(Holder, Option<bool>)> = notes
        .filter_map(|note| match note {
            Note::Resumed { from, dead, .. } => Some((from, dead)),
            _ => None,
        })
        .collect();
    assert_eq!(taken, [(dead, Some(true))]);
}

#[tokio::test]
async fn a_stale_or_edited_plan_is_refused() {
    // The world has moved on: somebody upgraded unit b by hand.
    let mut rig = Rig::both_old(vec![]).await;
    let moved = Rig::new(Unit::A, [OLD, NEW], vec![]).await;
    rig.model = moved.model.clone();
    assert_eq!(
        end(&rig.apply().await.unwrap()),
        End::Refused(Cause::WrongVersion)
    );

    // The plan was edited: the wait for the reboot was taken out.
    let mut rig = Rig::both_old(vec![]).await;
    rig.plan.steps.retain(|step| !step.id.contains("rejoin"));
    assert_eq!(end(&rig.apply().await.unwrap()), End::Refused(Cause::Stale));

    // So was its policy.
    let mut rig = Rig::both_old(vec![]).await;
    rig.plan
        .policy
        .accepted_faults
        .insert("inside: No Link".into());
    assert_eq!(end(&rig.apply().await.unwrap()), End::Refused(Cause::Stale));
    assert_eq!(rig.model.arrived(), []);
}

#[tokio::test]
async fn an_invalid_policy_in_a_plan_is_refused_before_anything() {
    let mut rig = Rig::both_old(vec![]).await;
    rig.plan.policy.limits.attempts = 0;
    assert!(matches!(rig.apply().await, Err(UpgradeError::Policy(_))));
    assert_eq!(rig.last_run(), None);
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

#[tokio::test]
async fn a_half_upgraded_pair_is_finished_and_a_finished_one_left_alone() {
    for (active, versions, installs, switches) in [
        (Unit::A, [OLD, NEW], vec![Unit::A], 2),
        (Unit::B, [OLD, NEW], vec![Unit::A], 0),
        (Unit::A, [NEW, NEW], vec![], 0),
    ] {
        let rig = Rig::new(active, versions, vec![]).await;
        let report = rig.apply().await.unwrap();
        let arrived = rig.model.arrived();
        let of = |act| arrived.iter().filter(move |order| order.act == act);
        let units: Vec<Unit> = of(Act::Install).map(|order| order.unit).collect();
        assert_eq!(
            (units, of(Act::Switchover).count()),
            (installs.clone(), switches)
        );
        if installs.is_empty() {
            assert_eq!((&report.ended, report.run), (&Ended::NothingToDo, None));
        } else {
            assert_eq!(end(&report), End::Done);
            assert_eq!(rig.model.active(), [active], "the original roles");
        }
        rig.check("half");
    }
}

#[tokio::test]
async fn a_run_on_the_durable_journal_survives_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let mut rig = Rig::both_old(vec![Fault::InstallFails(Unit::A)]).await;
    rig.model.journal = std::sync::Arc::new(SqliteJournal::open(&path, None).unwrap());
    let report = rig.apply().await.unwrap();
    assert_eq!(end(&report), End::Held(Cause::ActFailed));
    // Another process opens the file again.
    rig.model.journal = std::sync::Arc::new(SqliteJournal::open(&path, None).unwrap());
    let again = rig.resume(report.run.unwrap()).await.unwrap();
    assert_eq!(end(&again), End::Held(Cause::ActFailed));
    let failed: BTreeSet<&str> = again
        .steps
        .iter()
        .filter(|step| step.result == StepResult::Failed)
        .map(|step| step.step.as_str())
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let markers: BTreeSet<String> = rig
        .model
        .arrived()
        .into_iter()
        .filter(|order| (order.act, order.unit) == (Act::Install, Unit::A))
        .map(|order| order.marker)
        .collect();
    assert_eq!(markers.len(), 2, "a second try on purpose is another order");
}

#[tokio::test]
async fn a_run_of_another_job_or_pair_is_not_taken_up() {
    let rig = Rig::both_old(vec![]).await;
    let create = |job: &str, target: &str| -> RunId {
        let run = NewRun {
            job: job.into(),
            target: target.into(),
            holder: Holder::current("test", rig.model.clock.now()),
            started: rig.model.clock.now(),
            plan: serde_json::to_value(&rig.plan).unwrap(),
        };
        rig.model.journal.create(&run).unwrap()
    };
    for run in [
        create("purge", "model:a+b"),
        create("failover", "model:c+d"),
    ] {
        let taken = rig.resume(run).await;
        assert!(
            matches!(taken, Err(UpgradeError::OtherPair { .. })),
            "{taken:?}"
        );
    }
}

/// An installation failed and the process died before it could say so: the next process says it
/// first, and tries again only after somebody has seen it.
#[tokio::test]
async fn a_failure_that_nobody_has_seen_is_not_tried_again() {
    let fails = || vec![Fault::InstallFails(Unit::B)];
    let reference = Rig::both_old(fails()).await;
    reference.model.ticks.only_records();
    reference.apply().await.unwrap();
    let mut unseen = 0;
    for moment in 1..=reference.model.ticks.count() {
        let rig = Rig::both_old(fails()).await;
        rig.model.ticks.only_records();
        rig.model.ticks.die_at(moment);
        assert!(rig.live(rig.apply()).await.is_none());
        rig.model.ticks.revive();
        let Some(run) = rig.open_run() else { continue };
        let records = rig.stored(run).history.records;
        if !matches!(records.last().map(|r| &r.event), Some(Event::Failed { .. })) {
            continue;
        }
        unseen += 1;
        let report = rig.resume(run).await.unwrap();
        assert_eq!(end(&report), End::Held(Cause::ActFailed));
        let arrived = rig.model.arrived();
        let installs = arrived.iter().filter(|order| order.act == Act::Install);
        assert_eq!(installs.count(), 1, "died at {moment}");
    }
    assert!(unseen > 0);
}
