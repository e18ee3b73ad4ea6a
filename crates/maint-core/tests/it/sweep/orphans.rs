//! Orphans: how many of them are held and believed, and which are none.

use std::time::{Duration, Instant};

use elpis_maint_core::housekeeping::{Housekeeping, HousekeepingPlan, PartPlan, PartReport, Work};
use elpis_maint_core::store::Count;
use elpis_maint_core::sweep::{HeldBy, SweepWalk, resolve};
use elpis_maint_core::{Ended, RelationStore, Scalar};
use elpis_mysql::{Params, Session, SessionSettings};
use elpis_run::{Journal, MemoryJournal, Outcome, Query};
use elpis_testkit::pandora::QUICK;
use elpis_testkit::{Database, MariaDb, now};

use super::parts;
use super::world::{fill, orphans, plan_of, runner, task, wanted};

/// The parent is inserted, but not yet committed, when the sweep comes by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphan_whose_parent_is_being_added_survives() {
    let server = MariaDb::own_server(&[]);
    let db = MariaDb::on(&server);
    fill(&db, 600, 2000);
    let Work::Sweep(rule) = orphans("vals", "module", ("modules", "id")) else {
        panic!("a sweep")
    };
    let mut store = db.store().await;
    let shapes = store.outline().await.unwrap();
    let task = resolve(&rule, &shapes, now()).unwrap().task;
    assert!(matches!(task.walk, SweepWalk::Values { .. }));
    let looked = store.look(&task, None, 2000).await.unwrap();
    let orphan = vec![Scalar::Int(901)];
    assert!(looked.found.contains(&orphan), "{:?}", looked.found);
    let rows = db.number("SELECT COUNT(*) FROM vals WHERE module = 901;");
    assert!(rows > 0);
    let mut other = Session::open(&db.options, &SessionSettings::default())
        .await
        .unwrap();
    other.begin().await.unwrap();
    let parent = "INSERT INTO modules VALUES (901, 1, 0)";
    other.execute(parent, Params::Empty).await.unwrap();
    let found = looked.found.clone();
    let sweep = tokio::spawn(async move { store.sweep(&task, &found, 2000).await });
    let waits = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT';";
    let patience = Instant::now() + Duration::from_secs(60);
    while db.number(waits) == 0 {
        assert!(!sweep.is_finished(), "the sweep did not wait");
        assert!(Instant::now() < patience, "nobody waits");
        // InnoDB renews this table only when nobody has read it for a tenth of a second.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    other.commit().await.unwrap();
    let swept = sweep.await.unwrap().unwrap();
    assert!(swept.complete && swept.changed > 0, "{swept:?}");
    assert_eq!(
        db.number("SELECT COUNT(*) FROM vals WHERE module = 901;"),
        rows
    );
    let left = "SELECT COUNT(*) FROM vals WHERE module NOT IN (SELECT id FROM modules);";
    assert_eq!(db.number(left), 0);
}

/// Far more orphans than anybody wants to hold in memory: what is held is what one look finds.
#[tokio::test]
async fn many_orphans_are_held_a_few_at_a_time() {
    let soak = std::env::var("ELPIS_SOAK").is_ok();
    let orphans_there: u64 = if soak { 5_000_000 } else { 30_000 };
    // What is deleted here is nothing to find again: no log, no commit to the disk.
    let server = MariaDb::own_server(&[QUICK[0], QUICK[1], "--innodb-buffer-pool-size=1G"]);
    let db = MariaDb::on(&server);
    fill(&db, 50, 10);
    db.sql(&format!(
        "INSERT INTO states (module, state) SELECT 100000 + seq, 0 FROM seq_1_to_{orphans_there}; \
         ANALYZE TABLE states PERSISTENT FOR ALL;"
    ));
    let Work::Sweep(rule) = orphans("states", "module", ("modules", "id")) else {
        panic!("a sweep")
    };
    let mut store = db.store().await;
    let shapes = store.outline().await.unwrap();
    let task = resolve(&rule, &shapes, now()).unwrap().task;
    let (mut from, mut most, mut changed) = (None, 0, 0);
    let memory = resident();
    loop {
        let looked = store.look(&task, from.as_ref(), 2000).await.unwrap();
        most = most.max(looked.found.len());
        for found in looked.found.chunks(1000) {
            // A full statement may have left rows of its values; they have one each here.
            let swept = store.sweep(&task, found, 1001).await.unwrap();
            assert!(swept.complete && swept.changed <= 1001, "{swept:?}");
            changed += swept.changed;
        }
        from = looked.next;
        if from.is_none() {
            break;
        }
    }
    let left = "SELECT COUNT(*) FROM states WHERE module NOT IN (SELECT id FROM modules);";
    assert_eq!(db.number(left), 0);
    assert!(changed >= orphans_there && most <= 2000, "{changed} {most}");
    let grown = resident().saturating_sub(memory);
    assert!(grown < 64 * 1024, "{grown} KiB more in memory");
}

/// What this process holds in memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn nothing_is_an_orphan_of_an_empty_table() {
    let db = MariaDb::new();
    fill(&db, 300, 2000);
    // A restore that has not come to this table yet, or a mishap.
    db.sql("SET foreign_key_checks = 0; TRUNCATE TABLE modules;");
    let before = db.sql("CHECKSUM TABLE vals, states;");
    let mut store = db.store().await;
    let believing = |share| Housekeeping {
        max_orphan_share: share,
        ..wanted()
    };
    for exact in [false, true] {
        let planned = plan_of(&believing(0.9), &mut store, exact).await;
        let task = planned.tasks.iter().find(|task| task.id == "orphans");
        for (part, table) in task.unwrap().parts.iter().zip(["vals", "states"]) {
            let PartPlan::Held { why, .. } = part else {
                panic!("{part:?}")
            };
            assert!(
                why.contains(&format!("modules is empty, so all of {table} would go")),
                "{why}"
            );
        }
        let journal = MemoryJournal::new();
        let report = runner(&journal, &()).run(&planned, &mut store).await;
        assert_eq!(report.ended, Ended::Done);
        assert_eq!(report.concerns().len(), 2, "a person has to look");
        let run = journal.list(&Query::default()).unwrap().remove(0);
        let outcome = run.finished.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Warnings { .. }), "{outcome:?}");
    }
    assert_eq!(db.sql("CHECKSUM TABLE vals, states;"), before);
    // Whoever has looked may say that all of it may go.
    let planned = plan_of(&believing(1.0), &mut store, false).await;
    let report = runner(&MemoryJournal::new(), &())
        .run(&planned, &mut store)
        .await;
    assert_eq!(report.concerns(), [""; 0]);
    let left = "SELECT (SELECT COUNT(*) FROM vals) + (SELECT COUNT(*) FROM states);";
    assert_eq!(db.number(left), 0);
}

/// A few modules have most of the values: what would go is counted in rows, not in modules. And the
/// parents that a broken restore lacks are the last ones, where no quick look comes to.
#[tokio::test]
async fn orphans_are_counted_before_they_are_believed() {
    let db = MariaDb::new();
    fill(&db, 300, 2000);
    db.sql(
        "DELETE FROM vals; DELETE FROM states; \
         INSERT INTO vals SELECT 1 + seq % 300, seq, seq FROM seq_1_to_3000; \
         INSERT INTO vals SELECT 901 + seq % 10, seq, seq FROM seq_1_to_6000; \
         CREATE TABLE parents (id INT PRIMARY KEY); CREATE TABLE extras (id INT PRIMARY KEY); \
         INSERT INTO parents SELECT seq FROM seq_1_to_20000; \
         INSERT INTO extras SELECT seq FROM seq_1_to_60000; \
         ANALYZE TABLE vals, states, parents, extras PERSISTENT FOR ALL;",
    );
    let works = vec![
        orphans("vals", "module", ("modules", "id")),
        orphans("extras", "id", ("parents", "id")),
    ];
    let wanted = Housekeeping {
        max_orphan_share: 0.5,
        tasks: vec![task("orphans", works)],
        ..wanted()
    };
    let mut store = db.store().await;
    for exact in [false, true] {
        let planned = plan_of(&wanted, &mut store, exact).await;
        let parts = &planned.tasks[0].parts;
        assert_eq!(parts.len(), 2);
        for part in parts {
            let is_held = matches!(part, PartPlan::Held { by, .. } if *by == HeldBy::Share);
            assert!(is_held, "{exact}: {part:?}");
        }
    }
    // Fewer than are believed, and then all are known.
    db.sql("DELETE FROM vals WHERE module > 901; DELETE FROM extras WHERE id > 20500;");
    let planned = plan_of(&wanted, &mut store, false).await;
    let known = planned.tasks[0].parts.iter().map(|part| match part {
        PartPlan::Sweep(plan) => (plan.facts.due, plan.settled.as_ref().map(Vec::len)),
        part => panic!("{part:?}"),
    });
    let known: Vec<(Count, Option<usize>)> = known.collect();
    let (values, rows) = (Count::exact(600), Count::exact(500));
    assert_eq!(known, [(values, Some(1)), (rows, Some(500))]);
}

/// Most of a table's parents are lost: a restore that stopped half-way, a slip of the hand.
#[tokio::test]
async fn more_orphans_than_are_believed_wait_for_a_person() {
    let db = MariaDb::new();
    fill(&db, 300, 2000);
    db.sql(
        "TRUNCATE TABLE states; \
         INSERT INTO states (module, state) SELECT 1 + seq % 300, 0 FROM seq_1_to_3000; \
         INSERT INTO states (module, state) SELECT 100000 + seq, 0 FROM seq_1_to_6000; \
         ANALYZE TABLE states;",
    );
    let orphans = "SELECT COUNT(*) FROM states WHERE module > 100000;";
    let believing = |share| Housekeeping {
        max_orphan_share: share,
        ..wanted()
    };
    let mut store = db.store().await;
    let journal = MemoryJournal::new();
    let states = |planned: &HousekeepingPlan| {
        let task = planned.tasks.iter().find(|task| task.id == "orphans");
        task.unwrap().parts[1].clone()
    };
    for exact in [false, true] {
        let planned = plan_of(&believing(0.5), &mut store, exact).await;
        let part = states(&planned);
        let PartPlan::Held { why, by } = &part else {
            panic!("{part:?}")
        };
        assert!(
            why.contains(if exact { "6000 of " } else { "at least 5" }) && *by == HeldBy::Share,
            "{why}: {by:?}"
        );
        let report = runner(&journal, &()).run(&planned, &mut store).await;
        assert_eq!((report.ended, db.number(orphans)), (Ended::Done, 6000));
    }
    // They came after the plan was made, which knew of more than it remembers, so that the run looks
    // again: what the plan allows goes, and no more.
    let all = orphans.replace("SELECT COUNT(*)", "DELETE");
    db.sql(&format!(
        "{all} INSERT INTO states (module, state) SELECT 200000 + seq, 0 FROM seq_1_to_1200; \
         ANALYZE TABLE states;"
    ));
    let planned = plan_of(&believing(0.5), &mut store, true).await;
    db.sql("INSERT INTO states (module, state) SELECT 100000 + seq, 0 FROM seq_1_to_4800;");
    let report = runner(&journal, &()).run(&planned, &mut store).await;
    let PartReport::Sweep(swept) = &parts(&report, "orphans")[1] else {
        panic!("no sweep")
    };
    assert!(!swept.complete && swept.changed < 3000, "{swept:?}");
    assert_eq!(db.number(orphans), 6000 - swept.changed);
    assert!(report.concerns()[0].contains("states"), "{report:?}");
    // With consent all of it goes.
    let planned = plan_of(&believing(0.9), &mut store, false).await;
    runner(&journal, &()).run(&planned, &mut store).await;
    assert_eq!(db.number(orphans), 0);
}
