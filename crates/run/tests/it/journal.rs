//! What every journal does, asked of each of them.

use elpis_run::journal::{
    Event, Finish, Journal, JournalError, MemoryJournal, NewRun, Outcome, Query, Record, RunId,
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap()
}

pub(crate) fn new_run(job: &str, target: &str) -> NewRun {
    NewRun {
        job: job.into(),
        target: target.into(),
        holder: elpis_run::Holder::current("elpis-test", at(5)),
        started: at(1_767_225_600_000_001),
        plan: json!({"tables": ["a", "b"], "text": "o'neill \u{1F4BE}\n"}),
    }
}

pub(crate) fn intent(step: &str) -> Event {
    Event::Intent {
        step: step.into(),
        detail: json!({"cutoff": 7}),
    }
}

pub(crate) fn done(step: &str) -> Event {
    Event::Done {
        step: step.into(),
        detail: Value::Null,
    }
}

pub(crate) fn failed(step: &str) -> Event {
    Event::Failed {
        step: step.into(),
        error: "lost".into(),
        detail: json!([1.5]),
    }
}

/// Runs `test` on a fresh journal of each kind.
fn on_each(test: impl Fn(&dyn Journal)) {
    test(&MemoryJournal::new());
    #[cfg(feature = "sqlite")]
    {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        test(&elpis_run::SqliteJournal::open(&path, None).unwrap());
    }
}

#[test]
fn a_run_is_read_as_it_was_written() {
    on_each(|journal| {
        let new = new_run("purge", "db1");
        let run = journal.create(&new).unwrap();
        let events = [intent("a"), failed("a"), intent("a"), done("a")];
        for (micros, event) in (10..).zip(&events) {
            journal.append(run, at(micros), event).unwrap();
        }
        let open = journal.replay(run).unwrap();
        assert_eq!(open.summary.finished, None);
        // Nanoseconds are cut, not rounded.
        let end = Timestamp::new(99, 999_999_999).unwrap();
        journal
            .finish(
                run,
                end,
                &Outcome::Warnings {
                    reason: "slow".into(),
                },
            )
            .unwrap();

        let history = journal.replay(run).unwrap();
        let outcome = Outcome::Warnings {
            reason: "slow".into(),
        };
        assert_eq!(
            history.summary.finished,
            Some(Finish {
                at: at(99_999_999),
                outcome
            })
        );
        assert_eq!(history.plan, new.plan);
        assert_eq!(history.summary.holder, new.holder);
        assert_eq!(history.summary.started, new.started);
        let expected: Vec<Record> = (10..)
            .zip(events)
            .map(|(micros, event)| Record {
                at: at(micros),
                event,
            })
            .collect();
        assert_eq!(history.records, expected);
        assert_eq!(journal.list(&Query::default()).unwrap(), [history.summary]);
    });
}

#[test]
fn illegal_events_are_refused_and_leave_no_trace() {
    on_each(|journal| {
        let run = journal.create(&new_run("purge", "db1")).unwrap();
        journal.append(run, at(1), &intent("a")).unwrap();
        let before = journal.replay(run).unwrap();
        for event in [intent("a"), intent("b"), done("b"), failed("b")] {
            let error = journal.append(run, at(2), &event).unwrap_err();
            assert!(matches!(error, JournalError::Illegal { .. }), "{error:?}");
        }
        let error = journal.finish(run, at(2), &Outcome::Done).unwrap_err();
        assert!(matches!(error, JournalError::Illegal { .. }), "{error:?}");
        assert_eq!(journal.replay(run).unwrap(), before);

        journal.finish(run, at(3), &Outcome::Interrupted).unwrap();
        let finished = journal.replay(run).unwrap();
        journal.append(run, at(4), &done("a")).unwrap_err();
        journal
            .finish(run, at(4), &Outcome::Interrupted)
            .unwrap_err();
        assert_eq!(journal.replay(run).unwrap(), finished);
    });
}

#[test]
fn runs_that_are_not_there_are_said_to_be_unknown() {
    on_each(|journal| {
        journal.create(&new_run("purge", "db1")).unwrap();
        for run in [RunId(0), RunId(-1), RunId(2), RunId(i64::MAX)] {
            let errors = [
                journal.append(run, at(1), &intent("a")).unwrap_err(),
                journal.finish(run, at(1), &Outcome::Done).unwrap_err(),
                journal.replay(run).unwrap_err(),
            ];
            for error in errors {
                assert!(
                    matches!(error, JournalError::UnknownRun(id) if id == run),
                    "{error:?}"
                );
            }
        }
    });
}

#[test]
fn a_list_is_newest_first_and_each_filter_narrows_it() {
    on_each(|journal| {
        let jobs = [
            ("purge", "db1"),
            ("purge", "db2"),
            ("backup", "db1"),
            ("purge", "db1"),
        ];
        let ids: Vec<RunId> = jobs
            .iter()
            .map(|(job, target)| journal.create(&new_run(job, target)).unwrap())
            .collect();
        assert!(ids.is_sorted() && ids[0] < ids[3]);
        journal.finish(ids[3], at(1), &Outcome::Done).unwrap();
        let list = |query: Query| -> Vec<RunId> {
            journal
                .list(&query)
                .unwrap()
                .iter()
                .map(|run| run.id)
                .collect()
        };
        let purge = || Query {
            job: Some("purge".into()),
            ..Query::default()
        };
        assert_eq!(list(Query::default()), [ids[3], ids[2], ids[1], ids[0]]);
        assert_eq!(list(purge()), [ids[3], ids[1], ids[0]]);
        assert_eq!(
            list(Query {
                target: Some("db1".into()),
                ..purge()
            }),
            [ids[3], ids[0]]
        );
        assert_eq!(
            list(Query {
                open_only: true,
                ..purge()
            }),
            [ids[1], ids[0]]
        );
        assert_eq!(
            list(Query {
                open_only: true,
                limit: Some(1),
                ..purge()
            }),
            [ids[1]]
        );
        assert_eq!(
            list(Query {
                limit: Some(0),
                ..purge()
            }),
            []
        );
        assert_eq!(
            list(Query {
                job: Some("pur".into()),
                ..Query::default()
            }),
            []
        );
    });
}

#[test]
fn the_latest_are_one_of_each_job_on_each_target() {
    on_each(|journal| {
        assert_eq!(journal.latest().unwrap(), []);
        let jobs = [
            ("purge", "db1"),
            ("purge", "db2"),
            ("backup", "db1"),
            ("purge", "db1"),
            ("purge", "db1"),
        ];
        let ids = jobs.map(|(job, target)| journal.create(&new_run(job, target)).unwrap());
        journal.finish(ids[3], at(1), &Outcome::Done).unwrap();
        let latest = journal.latest().unwrap();
        let latest: Vec<RunId> = latest.iter().map(|run| run.id).collect();
        assert_eq!(latest, [ids[4], ids[2], ids[1]]);
    });
}

#[test]
fn an_idle_run_ends_like_any_other() {
    on_each(|journal| {
        let run = journal.create(&new_run("purge", "db1")).unwrap();
        journal.append(run, at(1), &intent("a")).unwrap();
        let early = journal.finish_idle(run, at(2), &Outcome::Done);
        assert!(matches!(early, Err(JournalError::Illegal { .. })));
        journal.append(run, at(2), &done("a")).unwrap();
        journal.finish_idle(run, at(3), &Outcome::Done).unwrap();
        let history = journal.replay(run).unwrap();
        assert_eq!(history.records.len(), 2);
        assert_eq!(history.summary.finished.unwrap().at, at(3));
        let again = journal.finish_idle(run, at(4), &Outcome::Done);
        assert!(matches!(again, Err(JournalError::Illegal { .. })));
    });
}

#[test]
fn run_ids_are_plain_numbers_for_people_and_json() {
    let run: RunId = "42".parse().unwrap();
    assert_eq!(run.to_string(), "42");
    assert_eq!(serde_json::to_string(&run).unwrap(), "42");
    "4 2".parse::<RunId>().unwrap_err();
}

#[test]
fn records_serialise_flat() {
    let record = Record {
        at: at(1_000_000),
        event: failed("a"),
    };
    assert_eq!(
        serde_json::to_value(record).unwrap(),
        json!({
            "at": "1970-01-01T00:00:01Z", "event": "failed",
            "step": "a", "error": "lost", "detail": [1.5]
        })
    );
    let finish = Finish {
        at: at(0),
        outcome: Outcome::Stopped {
            reason: "SIGTERM".into(),
        },
    };
    assert_eq!(
        serde_json::to_value(finish).unwrap(),
        json!({"at": "1970-01-01T00:00:00Z", "outcome": "stopped", "reason": "SIGTERM"})
    );
}
