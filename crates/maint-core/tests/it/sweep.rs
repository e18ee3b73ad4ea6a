//! Sequences of tasks on a real MariaDB, recounted in plain SQL.

mod world;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use elpis_maint_core::housekeeping::{
    HOUSEKEEPING_JOB, Housekeeping, HousekeepingEvent, HousekeepingPlan, HousekeepingReport,
    PartPlan, PartReport, Work,
};
use elpis_maint_core::sweep::{SweepWalk, resolve};
use elpis_maint_core::{Ended, Limits, RelationStore, Scalar};
use elpis_mysql::{Params, Session, SessionSettings};
use elpis_run::{Event, FnObserver, Journal, MemoryJournal, Outcome, Query, StopToken};
use elpis_testkit::{Database, MariaDb, now};

use crate::support::cutoff;
use world::{LIMIT, Runner, fill, orphans, plan, plan_of, right, runner, wanted, wrong};

fn parts(report: &HousekeepingReport, id: &str) -> Vec<PartReport> {
    let task = report.tasks.iter().find(|task| task.id == id).unwrap();
    task.parts.clone()
}

#[tokio::test]
async fn a_sequence_does_all_of_it_once_and_nothing_else() {
    let db = MariaDb::new();
    fill(&db, 3000, 20_000);
    let before = right(&db);
    let mut store = db.store().await;
    let planned = plan(&mut store, true).await;
    let journal = MemoryJournal::new();
    let report = runner(&journal, &()).run(&planned, &mut store).await;
    assert_eq!(report.ended, Ended::Done);
    assert_eq!(wrong(&db), []);
    assert_eq!(right(&db), before);
    let (states, modules) = (
        db.number("SELECT COUNT(*) FROM states WHERE state = 4;"),
        db.number("SELECT COUNT(*) FROM modules WHERE id % 2 = 1;"),
    );
    assert_eq!(states, modules, "modules with an odd number had no state");
    assert_eq!(
        db.number("SELECT COUNT(DISTINCT module) = COUNT(*) FROM states;"),
        1
    );

    // What this database lacks is skipped with a word.
    for (id, at, word) in [
        ("not here", 0, "this database has no table elsewhere"),
        ("program", 0, "/nowhere/expiry is not run here"),
        ("orphans", 2, "this database has no table tables"),
    ] {
        let PartReport::Skipped { why } = &parts(&report, id)[at] else {
            panic!("{id} was not skipped");
        };
        assert_eq!(why, word);
    }
    // What the first tasks do was counted exactly before, with all that hangs on it.
    let PartPlan::Sweep(pending) = &planned.tasks[2].parts[0] else {
        panic!("{:?}", planned.tasks[2])
    };
    let PartReport::Sweep(done) = &parts(&report, "pending")[0] else {
        panic!("no sweep")
    };
    assert_eq!(pending.facts.due.rows, done.changed);
    assert_eq!(pending.facts.dependents.as_ref(), Some(&done.dependents));
    assert_eq!(done.changed, 60);
    assert!(
        done.dependents.iter().all(|(_, rows)| *rows > 0),
        "{done:?}"
    );

    // One intent and one result a part, in one run.
    let run = journal.list(&Query::default()).unwrap().remove(0);
    assert_eq!((run.job.as_str(), run.id), (HOUSEKEEPING_JOB, report.run));
    let records = journal.replay(run.id).unwrap().records;
    let done = records
        .iter()
        .filter(|one| matches!(one.event, Event::Done { .. }));
    assert_eq!((records.len(), done.count()), (14, 7));

    let again = plan(&mut store, true).await;
    assert_eq!(again.due(), 0);
    let report = runner(&journal, &()).run(&again, &mut store).await;
    assert_eq!((report.changed(), report.ended), (0, Ended::Done));
}

#[tokio::test]
async fn a_run_that_is_stopped_anywhere_goes_on_later() {
    let db = MariaDb::new();
    fill(&db, 2000, 8000);
    let before = right(&db);
    let journal = MemoryJournal::new();
    let mut store = db.store().await;
    let (mut interrupted, mut changed) = (0, 0);
    for chunks in [1, 2, 3, 5, 8, 13, 21, 1000] {
        let stop = StopToken::new();
        let seen = Mutex::new(0);
        let observer = FnObserver(|event: &HousekeepingEvent| {
            let chunk = match event {
                HousekeepingEvent::Swept { .. } => true,
                HousekeepingEvent::Purge(event) => {
                    matches!(event, elpis_maint_core::PurgeEvent::Chunk { .. })
                }
                _ => false,
            };
            let mut seen = seen.lock().unwrap();
            *seen += u64::from(chunk);
            if *seen >= chunks {
                stop.stop();
            }
        });
        let planned = plan(&mut store, false).await;
        let runner = Runner {
            stop: stop.clone(),
            ..runner(&journal, &observer)
        };
        let report = runner.run(&planned, &mut store).await;
        changed += report.changed();
        match report.ended {
            Ended::Interrupted => interrupted += 1,
            Ended::Done => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(interrupted >= 5, "{interrupted} stops counted");
    assert!(changed > 5000);
    assert_eq!(wrong(&db), []);
    assert_eq!(right(&db), before);
    let outcomes = journal.list(&Query::default()).unwrap();
    let finished = outcomes[0].finished.as_ref().unwrap();
    assert_eq!(finished.outcome, Outcome::Done);
}

#[tokio::test]
async fn the_row_limit_of_a_run_holds() {
    let db = MariaDb::new();
    fill(&db, 600, 100);
    let mut store = db.store().await;
    let planned = plan(&mut store, false).await;
    let journal = MemoryJournal::new();
    let runner = Runner {
        limits: Limits {
            max_rows: Some(505),
            max_time: None,
        },
        ..runner(&journal, &())
    };
    let report = runner.run(&planned, &mut store).await;
    assert!(
        matches!(report.ended, Ended::Limit { .. }),
        "{:?}",
        report.ended
    );
    assert_eq!(db.number("SELECT COUNT(*) FROM events;"), 500);
    assert_eq!(
        db.number("SELECT COUNT(*) FROM modules WHERE pending = 1;"),
        7
    );
}

#[tokio::test]
async fn every_statement_is_bounded_and_uses_an_index() {
    let server = MariaDb::own_server(&[
        "--slow-query-log=1",
        "--long-query-time=0",
        "--log-output=TABLE",
    ]);
    let db = MariaDb::on(&server);
    fill(&db, 9000, 60_000);
    // One pending module with far more values than a statement may touch.
    let many = format!(
        "INSERT INTO vals SELECT 50, seq, {} FROM seq_1_to_5000;",
        cutoff()
    );
    db.sql(&many);
    let mut store = db.store().await;
    let planned = plan(&mut store, false).await;
    db.sql("TRUNCATE mysql.slow_log;");
    let journal = MemoryJournal::new();
    runner(&journal, &()).run(&planned, &mut store).await;
    assert_eq!(wrong(&db), []);
    let log = db.sql(&format!(
        "SELECT rows_examined, rows_affected, REPLACE(REPLACE(sql_text, '\\n', ' '), '\\t', ' ')
         FROM mysql.slow_log WHERE db = '{}' AND sql_text NOT LIKE 'SET time_zone%'
         AND sql_text REGEXP '^(SELECT STRAIGHT|SELECT t|SELECT `|DELETE|INSERT|UPDATE)';",
        db.name()
    ));
    let mut explained = std::collections::BTreeSet::new();
    for line in log.lines() {
        let mut cells = line.splitn(3, '\t');
        let mut next = || cells.next().unwrap();
        let (examined, affected) = (next(), next());
        let (examined, affected): (u64, u64) =
            (examined.parse().unwrap(), affected.parse().unwrap());
        let text = next();
        let shown: String = text.chars().take(200).collect();
        assert!(affected <= LIMIT, "{affected} rows changed by {shown}");
        // A look reads 2000 rows, and asks for each of them elsewhere; sorted, it counts twice.
        assert!(
            examined <= 4 * 2000 + 100,
            "{examined} rows read by {shown}"
        );
        let kind: String = text
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .take(120)
            .collect();
        if !explained.insert(kind) || text.starts_with("INSERT") {
            continue;
        }
        for plan in db.sql(&format!("EXPLAIN {text};")).lines() {
            let cells: Vec<&str> = plan.split('\t').collect();
            let (table, access) = (cells[2], cells[3]);
            // The bounded part of a look is a table of its own, read once.
            let whole = access == "ALL" && !table.starts_with("<derived");
            assert!(!whole, "{table} is read as a whole by {shown}");
        }
    }
    assert!(
        explained.len() >= 12,
        "{} kinds of statements",
        explained.len()
    );
    // Different values are found by jumping from one to the next.
    let mut looks = log
        .lines()
        .filter(|line| line.contains("DISTINCT `module` FROM `vals`"));
    let text = looks.next().and_then(|line| line.splitn(3, '\t').nth(2));
    let text = text.unwrap();
    let jumps = db.sql(&format!("EXPLAIN {text};"));
    assert!(jumps.contains("Using index for group-by"), "{jumps}");
}

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
    let db = MariaDb::new();
    fill(&db, 50, 10);
    db.sql(&format!(
        "INSERT INTO states (module, state) SELECT 100000 + seq, 0 FROM seq_1_to_{orphans_there};"
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
            changed += store.sweep(&task, found, 1000).await.unwrap().changed;
            // A full statement may have left rows of its values.
            while !store.sweep(&task, found, 1000).await.unwrap().complete {}
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

/// Where all of a table was seen, the plan says what is meant to the row, and the run looks for
/// nothing else.
#[tokio::test]
async fn what_a_plan_settles_is_done_and_not_looked_for_again() {
    let db = MariaDb::new();
    fill(&db, 300, 2000);
    let mut store = db.store().await;
    let journal = MemoryJournal::new();
    let first = plan(&mut store, false).await;
    runner(&journal, &()).run(&first, &mut store).await;
    let settled = |planned: &HousekeepingPlan| -> Vec<Option<usize>> {
        let parts = planned.tasks.iter().flat_map(|task| &task.parts);
        let sweeps = parts.filter_map(|part| match part {
            PartPlan::Sweep(plan) => Some(plan),
            _ => None,
        });
        sweeps
            .map(|plan| plan.settled.as_ref().map(Vec::len))
            .collect()
    };
    let swept = |report: &HousekeepingReport| -> Vec<(u64, u64)> {
        let parts = report.tasks.iter().flat_map(|task| &task.parts);
        let sweeps = parts.filter_map(|part| match part {
            PartReport::Sweep(report) => Some(report),
            _ => None,
        });
        sweeps
            .map(|report| {
                assert!(report.complete, "{report:?}");
                (report.examined, report.changed)
            })
            .collect()
    };
    let idle = plan(&mut store, false).await;
    assert_eq!((idle.due(), settled(&idle)), (0, vec![Some(0); 5]));
    let report = runner(&journal, &()).run(&idle, &mut store).await;
    assert_eq!(swept(&report), [(0, 0); 5], "nobody looked");

    let orphan = "INSERT INTO states (module, state) VALUES ";
    db.sql(&format!("{orphan} (900001, 0), (900001, 0), (900002, 0);"));
    let busy = plan(&mut store, false).await;
    // Two values; and who misses states must look again when states have gone.
    let expected = [Some(0), Some(0), Some(0), Some(2), None];
    assert_eq!(settled(&busy), expected);
    // What comes after the plan is for the next run.
    db.sql(&format!("{orphan} (900003, 0);"));
    let report = runner(&journal, &()).run(&busy, &mut store).await;
    assert_eq!(swept(&report), [(0, 0), (0, 0), (0, 0), (2, 3), (0, 0)]);
    assert_eq!(wrong(&db), [("states", 1)]);
    let next = plan(&mut store, false).await;
    runner(&journal, &()).run(&next, &mut store).await;
    assert_eq!(wrong(&db), []);
}

#[tokio::test]
async fn nothing_is_an_orphan_of_an_empty_table() {
    let db = MariaDb::new();
    fill(&db, 300, 2000);
    // A restore that has not come to this table yet, or a mishap.
    db.sql("SET foreign_key_checks = 0; TRUNCATE TABLE modules;");
    let before = db.sql("CHECKSUM TABLE vals, states;");
    let mut store = db.store().await;
    for exact in [false, true] {
        let planned = plan(&mut store, exact).await;
        let task = planned.tasks.iter().find(|task| task.id == "orphans");
        for (part, table) in task.unwrap().parts.iter().zip(["vals", "states"]) {
            let PartPlan::Held { why } = part else {
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
        let PartPlan::Held { why } = &part else {
            panic!("{part:?}")
        };
        assert!(
            why.contains("6000 of ") && why.contains("--max-share"),
            "{why}"
        );
        let report = runner(&journal, &()).run(&planned, &mut store).await;
        assert_eq!((report.ended, db.number(orphans)), (Ended::Done, 6000));
    }
    // They came after the plan was made: what it allows goes, and no more.
    let all = orphans.replace("SELECT COUNT(*)", "DELETE");
    db.sql(&format!(
        "{all} UPDATE modules SET pending = 1 WHERE id = 7; ANALYZE TABLE states;"
    ));
    let planned = plan_of(&believing(0.5), &mut store, true).await;
    db.sql("INSERT INTO states (module, state) SELECT 100000 + seq, 0 FROM seq_1_to_6000;");
    let report = runner(&journal, &()).run(&planned, &mut store).await;
    let PartReport::Sweep(swept) = &parts(&report, "orphans")[1] else {
        panic!("no sweep")
    };
    assert!(!swept.complete && swept.changed < 2000, "{swept:?}");
    assert_eq!(db.number(orphans), 6000 - swept.changed);
    assert!(report.concerns()[0].contains("states"), "{report:?}");
    // With consent all of it goes.
    let planned = plan_of(&believing(0.9), &mut store, false).await;
    runner(&journal, &()).run(&planned, &mut store).await;
    assert_eq!(db.number(orphans), 0);
}
