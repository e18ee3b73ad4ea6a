//! That the journal stays small and that no question reads more of it than it must.

use diesel::connection::SimpleConnection;
use diesel::debug_query;
use diesel::sql_types::Text;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::keep::{FORGET_PLANS, FORGET_PLANS_THEN, FORGET_RUNS};
use super::*;
use crate::Holder;

/// As large as that of a run of all tasks of Pandora FMS.
const PLAN: usize = 69_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap()
}

fn new_run(job: &str) -> NewRun {
    NewRun {
        job: job.to_owned(),
        target: "mariadb://db1:3306/pandora".to_owned(),
        holder: Holder::current("elpis-test", at(5)),
        started: at(1_767_225_600_000_001),
        plan: json!({ "tasks": "x".repeat(PLAN) }),
    }
}

/// A journal that does not wait for the disk: these tests are of its size.
fn journal() -> (tempfile::TempDir, SqliteJournal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("journal.db"), None).unwrap();
    run_script(&journal, "PRAGMA synchronous = OFF");
    (dir, journal)
}

fn run_script(journal: &SqliteJournal, script: &str) {
    let mut conn = journal.conn.lock().unwrap();
    conn.batch_execute(script).unwrap();
}

fn number(journal: &SqliteJournal, query: &str) -> i64 {
    let mut conn = journal.conn.lock().unwrap();
    sql::<BigInt>(query).get_result(&mut *conn).unwrap()
}

fn bytes(journal: &SqliteJournal) -> i64 {
    number(journal, "PRAGMA page_count") * number(journal, "PRAGMA page_size")
}

fn idle_runs(journal: &SqliteJournal, runs: u32) {
    for _ in 0..runs {
        let run = journal.create(&new_run("housekeeping")).unwrap();
        let note = Event::Note {
            step: "nothing to do".to_owned(),
            detail: json!({ "sweeps": { "orphan_status": 10_000 } }),
        };
        journal.append(run, at(7), &note).unwrap();
        journal.finish_idle(run, at(8), &Outcome::Done).unwrap();
    }
}

#[test]
fn thousands_of_idle_runs_cost_a_few_hundred_bytes_each() {
    const RUNS: u32 = 2_000;
    let (_dir, journal) = journal();
    idle_runs(&journal, 1);
    let before = bytes(&journal);
    idle_runs(&journal, RUNS);
    let each = (bytes(&journal) - before) / i64::from(RUNS);
    assert!(each < 1_000, "{each} bytes");
    let runs = journal.list(&Query::default()).unwrap();
    assert_eq!(runs.len(), RUNS as usize + 1);
    let last = journal.replay(runs[0].id).unwrap();
    assert_eq!(last.plan, Value::Null);
    assert_eq!(last.records.len(), 1, "what it found stays");
}

#[test]
fn a_run_has_its_plan_until_it_has_ended() {
    let (_dir, journal) = journal();
    let run = journal.create(&new_run("housekeeping")).unwrap();
    let intent = Event::Intent {
        step: "a".to_owned(),
        detail: Value::Null,
    };
    journal.append(run, at(1), &intent).unwrap();
    journal.forget_plans(&["housekeeping"], 0).unwrap();
    let plan = new_run("housekeeping").plan;
    assert_eq!(journal.replay(run).unwrap().plan, plan);
    // It may not end like this now: nothing is forgotten then.
    journal.finish_idle(run, at(2), &Outcome::Done).unwrap_err();
    assert_eq!(journal.replay(run).unwrap().plan, plan);
}

#[test]
fn old_plans_go_and_what_was_done_stays() {
    let (_dir, journal) = journal();
    let now = Timestamp::now();
    let days = |days: i64| now - SignedDuration::from_hours(days * 24);
    let ended = |job: &str, end: Timestamp| {
        let run = journal.create(&new_run(job)).unwrap();
        let note = Event::Note {
            step: "a".to_owned(),
            detail: Value::Null,
        };
        journal.append(run, end, &note).unwrap();
        journal.finish(run, end, &Outcome::Done).unwrap();
        run
    };
    let old = ended("housekeeping", days(8));
    let young = ended("housekeeping", days(6));
    let of_others = ended("restore", days(8));
    journal.forget_plans(&["purge", "housekeeping"], 7).unwrap();
    let has_plan = |run| journal.replay(run).unwrap().plan != Value::Null;
    assert_eq!([old, young, of_others].map(has_plan), [false, true, true]);
    assert_eq!(journal.replay(old).unwrap().records.len(), 1);
}

#[test]
fn a_journal_full_of_old_plans_becomes_small_once() {
    let (_dir, journal) = journal();
    for _ in 0..400 {
        let run = journal.create(&new_run("housekeeping")).unwrap();
        journal.finish(run, at(8), &Outcome::Done).unwrap();
    }
    let before = bytes(&journal);
    assert!(before > 400 * PLAN as i64);
    journal.forget_plans(&["housekeeping"], 7).unwrap();
    let after = bytes(&journal);
    assert!(after < before / 50, "{before} to {after}");
    assert_eq!(journal.list(&Query::default()).unwrap().len(), 400);
    assert_eq!(number(&journal, "PRAGMA application_id"), 0x456c_7052);
    // A file of a working day is left as it is, holes and all.
    for _ in 0..60 {
        let run = journal.create(&new_run("purge")).unwrap();
        journal.finish(run, at(8), &Outcome::Done).unwrap();
    }
    let before = bytes(&journal);
    journal.forget_plans(&["purge"], 7).unwrap();
    assert_eq!(bytes(&journal), before);
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// How SQLite carries a statement out.
fn steps(journal: &SqliteJournal, statement: &str) -> String {
    // diesel writes what it binds behind the statement.
    let statement = statement.split(" -- binds").next().unwrap();
    let explain = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
    let mut conn = journal.conn.lock().unwrap();
    let steps: Vec<Step> = explain.load(&mut *conn).unwrap();
    let steps: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
    steps.join("; ")
}

#[test]
fn no_question_of_every_day_reads_all_runs() {
    let (_dir, journal) = journal();
    idle_runs(&journal, 50);
    let of = |open_only, limit| Query {
        job: Some("housekeeping".to_owned()),
        target: Some("mariadb://db1:3306/pandora".to_owned()),
        open_only,
        limit,
    };
    let listed = |query: Query| debug_query::<Sqlite, _>(&matching(&query)).to_string();
    let cases = [
        (FORGET_RUNS.to_owned(), "runs_finished (finished<?)"),
        (FORGET_PLANS_THEN.to_owned(), "runs_planned (finished<?)"),
        (listed(of(false, Some(20))), "runs_of (target=? AND job=?)"),
        (listed(of(true, None)), "runs_open (target=? AND job=?)"),
        (listed(of(true, Some(10))), "runs_open (target=? AND job=?)"),
    ];
    for (statement, index) in cases {
        let steps = steps(&journal, &statement);
        assert!(steps.contains(index), "{statement}: {steps}");
        assert!(!steps.contains("SCAN"), "{statement}: {steps}");
        assert!(!steps.contains("TEMP B-TREE"), "{statement}: {steps}");
    }
    let forget = steps(&journal, FORGET_PLANS);
    assert!(forget.contains("SCAN plans"), "{forget}");
    assert!(
        forget.contains("SEARCH runs EXISTS USING INTEGER PRIMARY KEY"),
        "{forget}"
    );
    let newest = debug_query::<Sqlite, _>(&newest()).to_string();
    let steps = steps(&journal, &newest);
    // Of the index every entry, of the table only the rows that are wanted.
    assert!(steps.contains("COVERING INDEX runs_of"), "{steps}");
    assert!(steps.contains("INTEGER PRIMARY KEY (rowid=?)"), "{steps}");
}
