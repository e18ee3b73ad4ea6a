//! What the journal says afterwards, and what it may not say.

use elpis_failover::{Act, Evidence, Gate, Ledger, Note, Stage, StepResult, Unit, approve};
use elpis_run::{Clock, Event, MemoryJournal, SqliteJournal};
use serde_json::json;

use crate::model::{Fault, NEW, OLD};
use crate::rig::{End, Rig, end, policy};

/// The time line of a run with everything in it: a process that leaves, a gate, a lost answer, a
/// failing probe.
async fn eventful() -> (Rig, elpis_run::RunId) {
    let mut rules = policy();
    rules.approve = [Gate::Switchover].into();
    let faults = vec![
        Fault::StartLost(Act::Install, Unit::B, true),
        Fault::ProbeFails(Unit::B),
    ];
    let rig = Rig::with(Unit::A, [OLD, OLD], faults, rules).await;
    let run = rig.apply().await.unwrap().run.unwrap();
    let clock = rig.model.clock.clone();
    approve(&*rig.model.journal, &*clock, run, Gate::Switchover, "kim").unwrap();
    assert_eq!(end(&rig.resume(run).await.unwrap()), End::Undone);
    (rig, run)
}

#[tokio::test]
async fn the_evidence_tells_the_whole_story() {
    let (rig, run) = eventful().await;
    let evidence = Evidence::of(&rig.stored(run));
    let lines: Vec<String> = evidence
        .timeline
        .iter()
        .map(|moment| format!("{:.0} {}: {}", moment.at, moment.about, moment.what))
        .collect();
    // The process and the host are not the same everywhere.
    let story = lines.join("\n");
    let me = elpis_run::Holder::current("test", rig.model.clock.now());
    let (name, _) = me
        .to_string()
        .rsplit_once(" since")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    insta::assert_snapshot!(story.replace(&name, "test (pid)"));

    let units: Vec<_> = evidence
        .units
        .iter()
        .map(|unit| {
            (
                unit.version_before.as_str(),
                unit.version_after.as_deref(),
                unit.active_before,
            )
        })
        .collect();
    assert_eq!(units, [(OLD, Some(OLD), true), (OLD, Some(NEW), false)]);
    let (switch, undo) = (&evidence.switchovers[0], &evidence.switchovers[1]);
    assert_eq!((switch.to, undo.to), (Unit::B, Unit::A));
    let interrupted = switch.seen.unwrap().duration_since(switch.ordered);
    assert!(interrupted.as_secs() < 3, "{interrupted}");
    assert_eq!(evidence.approvals[0].1, Gate::Switchover);
    assert_eq!(evidence.processes.len(), 2);
    assert_eq!(evidence.before.len(), 2);
    assert!(
        evidence
            .failures
            .iter()
            .any(|failure| failure.text.contains("no answer through"))
    );
    serde_json::to_string(&evidence).unwrap();
}

/// What the probes have measured stands beside the switchovers that they belong to.
#[tokio::test]
async fn the_evidence_has_the_outage_that_the_probe_has_measured() {
    let rig = Rig::both_old(Vec::new()).await;
    let report = rig.apply().await.unwrap();
    let evidence = Evidence::of(&rig.stored(report.run.unwrap()));
    let measured: Vec<Option<u64>> = evidence
        .switchovers
        .iter()
        .map(|switch| switch.measured_ms)
        .collect();
    assert_eq!(measured, [Some(740), Some(740)]);
}

#[tokio::test]
async fn a_failed_check_brings_the_products_own_words_into_the_evidence() {
    let rig = Rig::both_old(vec![Fault::ReadinessFails(Unit::B)]).await;
    let report = rig.apply().await.unwrap();
    let evidence = Evidence::of(&rig.stored(report.run.unwrap()));
    assert_eq!(evidence.failures[0].details, ["last line of the log"]);
    let failed = report
        .steps
        .iter()
        .find(|step| step.result == StepResult::Failed)
        .unwrap();
    assert!(
        failed
            .message
            .as_ref()
            .unwrap()
            .contains("410_check_disk_space")
    );
}

/// Replaying a run through another journal gives the same state, record by record; every prefix
/// is legal, and in every prefix at most one order is open.
#[tokio::test]
async fn every_prefix_of_a_real_journal_is_legal_and_has_one_order_at_most() {
    let (rig, run) = eventful().await;
    let stored = rig.stored(run);
    let dir = tempfile::tempdir().unwrap();
    let copy = SqliteJournal::open(&dir.path().join("j.db"), None).unwrap();
    let memory = MemoryJournal::new();
    let journals: [&dyn elpis_run::Journal; 2] = [&copy, &memory];
    for journal in journals {
        let new = elpis_run::NewRun {
            job: stored.history.summary.job.clone(),
            target: stored.history.summary.target.clone(),
            holder: stored.history.summary.holder.clone(),
            started: stored.history.summary.started,
            plan: stored.history.plan.clone(),
        };
        let id = journal.create(&new).unwrap();
        let mut ledger = Ledger::default();
        for record in &stored.history.records {
            journal.append(id, record.at, &record.event).unwrap();
            ledger.apply(&stored.plan, &record.event).unwrap();
            let announced = ledger.outstanding().is_some();
            assert!(!announced || ledger.open().is_some());
        }
        let read = elpis_failover::StoredRun::load(journal, id).unwrap();
        assert_eq!(read.history.records, stored.history.records);
        assert_eq!(read.ledger.switches(), 2);
        assert!(read.ledger.is_undone());
    }
}

#[tokio::test]
async fn records_that_no_run_can_have_written_are_refused() {
    let (rig, run) = eventful().await;
    let stored = rig.stored(run);
    let records: Vec<Event> = stored
        .history
        .records
        .iter()
        .map(|r| r.event.clone())
        .collect();
    let replay = |events: &[Event]| {
        let mut ledger = Ledger::default();
        events
            .iter()
            .try_for_each(|event| ledger.apply(&stored.plan, event))
    };
    assert_eq!(replay(&records), Ok(()));

    // Without any one of the records that begin or end a step, some later one is illegal.
    let mut refused = 0;
    for skip in 0..records.len() {
        if matches!(records[skip], Event::Note { .. }) {
            continue;
        }
        let mut cut = records.clone();
        let gone = cut.remove(skip);
        let is_last_close = skip + 1 >= records.len() - 3;
        assert!(replay(&cut).is_err() || is_last_close, "without {gone:?}");
        refused += 1;
    }
    assert!(refused > 20, "{refused}");

    let foreign = |event: Event| replay(&[event]).unwrap_err().reason;
    let intent = |step: &str, detail| Event::Intent {
        step: step.into(),
        detail,
    };
    let none = json!({ "order": null, "before": null });
    assert!(foreign(intent("99-dance", none.clone())).contains("there is no step"));
    assert!(foreign(intent("02-packages", none.clone())).contains("out of turn"));
    assert!(foreign(intent("undo-09-switchover-to-b", none)).contains("out of turn"));
    assert!(foreign(intent("01-preflight", json!({ "order": 7 }))).contains("cannot be read"));
    let handle = Note::Acknowledged {
        handle: elpis_failover::Handle(json!(1)),
    };
    let note = Event::Note {
        step: "05-install-b".into(),
        detail: serde_json::to_value(handle).unwrap(),
    };
    assert!(foreign(note).contains("was not ordered"));
}

/// The plan's own account of how far the pair is: never two units in hand at once.
#[tokio::test]
async fn no_plan_has_two_units_in_hand() {
    for (active, versions) in [
        (Unit::A, [OLD, OLD]),
        (Unit::B, [OLD, OLD]),
        (Unit::A, [OLD, NEW]),
        (Unit::A, [NEW, OLD]),
    ] {
        let rig = Rig::new(active, versions, vec![]).await;
        for step in &rig.plan.steps {
            let stages = [step.phase.a, step.phase.b];
            let in_hand = stages.iter().filter(|stage| **stage == Stage::Upgrading);
            assert!(in_hand.count() <= 1, "{step:?}");
            if let Some((Act::Install, unit)) = step.act() {
                let guarded = step.guards.iter().any(|guard| {
                    matches!(guard, elpis_failover::Guard::Roles { active } if *active != unit)
                });
                assert!(
                    guarded,
                    "an installation needs the other unit active: {step:?}"
                );
            }
        }
    }
}
