//! Sequences of tasks on a real MariaDB, recounted in plain SQL.

mod orphans;
mod world;

use std::sync::Mutex;

use elpis_maint_core::housekeeping::{
    HOUSEKEEPING_JOB, HousekeepingEvent, HousekeepingPlan, HousekeepingReport, PartPlan, PartReport,
};
use elpis_maint_core::{Ended, Limits, Store};
use elpis_run::{Event, FnObserver, Journal, MemoryJournal, Outcome, Query, StopToken};
use elpis_testkit::{Database, MariaDb};

use crate::support::cutoff;
use world::{LIMIT, Runner, fill, plan, plan_beside, right, runner, wanted, wrong};

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
async fn two_sessions_see_what_one_sees() {
    let db = MariaDb::new();
    fill(&db, 3000, 20_000);
    let (mut store, mut other) = (db.store().await, db.store().await);
    let seen = |plan: &HousekeepingPlan| serde_json::to_value(&plan.tasks).unwrap();
    let alone = plan(&mut store, false).await;
    assert!(alone.due() > 1000, "{}", alone.due());
    let both = plan_beside(&wanted(), (&mut store, Some(&mut other)), false).await;
    assert_eq!(seen(&both), seen(&alone));
    // One that is lost is done without, and takes nothing of the first one's session with it.
    store.lock(&["kept".to_owned()]).await.unwrap();
    let id = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id NOT IN \
              (CONNECTION_ID(), IS_USED_LOCK('kept'));";
    db.sql(&format!("KILL {};", db.sql(id).trim()));
    let lost = plan_beside(&wanted(), (&mut store, Some(&mut other)), false).await;
    assert_eq!(lost.due(), alone.due());
    assert_eq!(db.number("SELECT IS_USED_LOCK('kept') IS NOT NULL;"), 1);
    assert_eq!(seen(&plan(&mut store, false).await), seen(&alone));
}

#[tokio::test]
async fn every_statement_is_bounded_and_uses_an_index() {
    let server = MariaDb::recording_server(&[]);
    let db = MariaDb::on(&server);
    fill(&db, 9000, 60_000);
    // One pending module with far more values than a statement may touch, and more modules that are
    // gone than a plan remembers: the run looks for them again.
    let at = cutoff();
    let many = format!(
        "INSERT INTO vals SELECT 50, seq, {at} FROM seq_1_to_5000; \
         INSERT INTO vals SELECT 200000 + seq, seq, {at} FROM seq_1_to_1500;"
    );
    db.sql(&many);
    let mut store = db.store().await;
    let planned = plan(&mut store, false).await;
    db.forget_recorded();
    let journal = MemoryJournal::new();
    runner(&journal, &()).run(&planned, &mut store).await;
    assert_eq!(wrong(&db), []);
    let log = db.sql(&format!(
        "SELECT rows_examined, rows_affected, REPLACE(REPLACE(sql_text, '\\n', ' '), '\\t', ' ')
         FROM mysql.slow_log WHERE db = '{}' AND sql_text NOT LIKE 'SET time_zone%'
         AND sql_text REGEXP '^(SELECT STRAIGHT|SELECT t|SELECT `|DELETE|INSERT|UPDATE)';",
        db.name()
    ));
    // As the tables were then: of what is deleted and not yet cleared away the server knows more or
    // less.
    let before = MariaDb::on(&server);
    fill(&before, 9000, 60_000);
    before.sql(&many);
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
        // A look reads 2000 rows, and asks for each of them elsewhere; sorted, it counts twice. When
        // most of a small table is deleted and not yet cleared away, the server takes the keys of a
        // delete for more than is left, and reads what is left: that it does not so before is seen
        // from its plan below.
        let is_named = text.starts_with("DELETE") && text.contains(" IN (");
        assert!(
            is_named || examined <= 4 * 2000 + 100,
            "{examined} rows read by {shown}"
        );
        let kind: String = text
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .take(120)
            .collect();
        // What is right for few keys may not be for many.
        if !explained.insert((kind, text.len() / 200)) || text.starts_with("INSERT") {
            continue;
        }
        for plan in before.sql(&format!("EXPLAIN {text};")).lines() {
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
