//! One run a pair, by its own plan, whichever process carries it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use elpis_failover::{Act, Cause, Ended, Note, StepResult, Unit, UpgradeError, UpgradeEvent};
use elpis_run::{Clock, Event, FnObserver, Holder, NewRun, RunId, SqliteJournal};

use crate::model::{Fault, NEW, OLD};
use crate::rig::{End, Rig, end};

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
    let of_another_job = rig.resume(create("purge", "model:a+b")).await;
    assert!(
        matches!(of_another_job, Err(UpgradeError::NotAnUpgrade { .. })),
        "{of_another_job:?}"
    );
    let of_another_pair = rig.resume(create("failover", "model:c+d")).await;
    assert!(
        matches!(of_another_pair, Err(UpgradeError::OtherPair { .. })),
        "{of_another_pair:?}"
    );
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
