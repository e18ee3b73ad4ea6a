//! The journal's file: who may open it, what is refused, what is kept.

use std::fs;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use elpis_run::SqliteJournal;
use elpis_run::journal::{Journal, JournalError, Outcome, Query, RunId};
use jiff::{Timestamp, ToSpan};
use tempfile::TempDir;

use crate::files::{chmod, mode, names};
use crate::journal::{at, done, intent, new_run};

pub(crate) fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    (dir, path)
}

pub(crate) fn raw(path: &Path, script: &str) {
    SqliteConnection::establish(path.to_str().unwrap())
        .unwrap()
        .batch_execute(script)
        .unwrap();
}

/// A journal with one run of many events, closed, so that the file is whole without its log.
fn filled(path: &Path) -> RunId {
    let journal = SqliteJournal::open(path, None).unwrap();
    let run = journal.create(&new_run("purge", "db1")).unwrap();
    for step in 0..60 {
        let step = format!("{step} {}", "x".repeat(300));
        journal.append(run, at(1), &intent(&step)).unwrap();
        journal.append(run, at(2), &done(&step)).unwrap();
    }
    run
}

/// Both ways of opening refuse, and the file is as it was.
fn refused(path: &Path) -> JournalError {
    let before = fs::read(path).unwrap();
    let reading = SqliteJournal::open_read_only(path).unwrap_err();
    let writing = SqliteJournal::open(path, Some(1)).unwrap_err();
    assert_eq!(
        std::mem::discriminant(&reading),
        std::mem::discriminant(&writing)
    );
    assert_eq!(fs::read(path).unwrap(), before);
    assert!(
        writing.to_string().contains(path.to_str().unwrap()),
        "{writing}"
    );
    writing
}

#[test]
fn the_directory_and_all_of_its_files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("lib/elpis");
    let path = state.join("journal.db");
    let journal = SqliteJournal::open(&path, None).unwrap();
    journal.create(&new_run("purge", "db1")).unwrap();
    assert_eq!(mode(&state), 0o700);
    assert_eq!(
        names(&state),
        ["journal.db", "journal.db-shm", "journal.db-wal"]
    );
    for name in names(&state) {
        assert_eq!(mode(&state.join(&name)), 0o600, "{name}");
    }
    drop(journal);
    assert_eq!(names(&state), ["journal.db"]);
}

#[test]
fn the_header_says_whose_file_it_is_and_that_it_logs_ahead() {
    let (_dir, path) = place();
    filled(&path);
    // Bytes 18 and 19 of the header: 2 means write-ahead log (sqlite.org/fileformat2.html).
    let header = fs::read(&path).unwrap();
    assert_eq!(header[18..20], [2, 2]);
    assert_eq!(&header[68..72], b"ElpR");
}

#[test]
fn files_and_directories_open_to_others_are_refused() {
    let (dir, path) = place();
    filled(&path);
    chmod(&path, 0o640);
    assert!(matches!(refused(&path), JournalError::Fs(_)));
    chmod(&path, 0o600);
    chmod(dir.path(), 0o777);
    assert!(matches!(
        SqliteJournal::open(&path, None),
        Err(JournalError::Fs(_))
    ));
    chmod(dir.path(), 0o700);
    SqliteJournal::open(&path, None).unwrap();
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(
        SqliteJournal::open(&link, None),
        Err(JournalError::Fs(_))
    ));
}

#[test]
fn a_reader_creates_nothing_and_writes_nothing() {
    let (dir, path) = place();
    let missing = dir.path().join("state/journal.db");
    let error = SqliteJournal::open_read_only(&missing).unwrap_err();
    assert!(matches!(error, JournalError::Missing { .. }), "{error:?}");
    assert_eq!(names(dir.path()), [""; 0]);

    let run = filled(&path);
    let before = fs::read(&path).unwrap();
    let reader = SqliteJournal::open_read_only(&path).unwrap();
    assert_eq!(reader.replay(run).unwrap().records.len(), 120);
    reader.append(run, at(1), &intent("one more")).unwrap_err();
    reader.create(&new_run("purge", "db1")).unwrap_err();
    drop(reader);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn damaged_files_are_refused_and_left_alone() {
    let (_dir, path) = place();
    filled(&path);
    let whole = fs::read(&path).unwrap();
    let cut = |bytes: usize| whole[..bytes].to_vec();
    let mut overwritten = whole.clone();
    overwritten[4096..8192].fill(0x5a);
    let cases = [
        ("empty", Vec::new()),
        ("a header's half", cut(50)),
        ("one page", cut(4096)),
        ("all but the last page", cut(whole.len() - 4096)),
        ("a page overwritten", overwritten),
        ("noise", vec![0x5a; 20_000]),
    ];
    for (name, bytes) in cases {
        fs::write(&path, bytes).unwrap();
        let error = refused(&path);
        assert!(
            matches!(error, JournalError::Corrupt { .. }),
            "{name}: {error:?}"
        );
    }
    fs::write(&path, &whole).unwrap();
    SqliteJournal::open(&path, None).unwrap();
}

#[test]
fn a_log_without_its_file_is_refused_instead_of_being_mixed_into_a_new_one() {
    let (_dir, path) = place();
    let journal = SqliteJournal::open(&path, None).unwrap();
    journal.create(&new_run("purge", "db1")).unwrap();
    fs::remove_file(&path).unwrap();
    // The process that had it open is killed: its log stays.
    std::mem::forget(journal);
    let error = SqliteJournal::open(&path, None).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error:?}");
    assert!(!path.exists());
}

#[test]
fn databases_of_others_are_refused_and_left_alone() {
    let scripts = [
        "CREATE TABLE runs (id INTEGER PRIMARY KEY)",
        "PRAGMA application_id = 252006674; CREATE TABLE blob (rid INTEGER)",
        "PRAGMA user_version = 3",
    ];
    for script in scripts {
        let (_dir, path) = place();
        raw(&path, script);
        chmod(&path, 0o600);
        let error = refused(&path);
        assert!(
            matches!(error, JournalError::Foreign { .. }),
            "{script}: {error:?}"
        );
    }
    for script in [
        "CREATE TABLE samples (id INTEGER)",
        "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM events; END",
    ] {
        let (_dir, path) = place();
        filled(&path);
        raw(&path, script);
        let error = refused(&path);
        assert!(
            matches!(error, JournalError::Foreign { .. }),
            "{script}: {error:?}"
        );
    }
    let (_dir, path) = place();
    filled(&path);
    raw(&path, "DROP TABLE events");
    assert!(matches!(refused(&path), JournalError::Corrupt { .. }));
}

#[test]
fn a_later_schema_is_refused_by_name() {
    let (_dir, path) = place();
    filled(&path);
    raw(
        &path,
        "CREATE TABLE notes (id INTEGER);
         INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')",
    );
    match refused(&path) {
        JournalError::Newer { found, .. } => assert_eq!(found, "99990101000000"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_or_a_record_that_no_run_can_have_written_is_refused_on_replay() {
    let tampering = [
        (
            "INSERT INTO events SELECT 1, 2, 9, body FROM events WHERE seq = 1",
            "Illegal",
        ),
        (
            "INSERT INTO events SELECT 1, 2, 9, body FROM events WHERE seq = 0",
            "Illegal",
        ),
        (
            "DELETE FROM events WHERE seq = 0; UPDATE events SET seq = 0",
            "Illegal",
        ),
        (
            "DELETE FROM events WHERE seq = 1;
             UPDATE runs SET finished = 9, outcome = '{\"outcome\":\"done\"}'",
            "Illegal",
        ),
        ("DELETE FROM events WHERE seq = 0", "Unreadable"),
        (
            "UPDATE events SET body = '{\"event\":\"undone\",\"step\":\"a\"}'",
            "Unreadable",
        ),
        ("UPDATE events SET at = 9223372036854775807", "Unreadable"),
    ];
    for (script, expected) in tampering {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path, None).unwrap();
        let run = journal.create(&new_run("purge", "db1")).unwrap();
        journal.append(run, at(1), &intent("a")).unwrap();
        journal.append(run, at(2), &done("a")).unwrap();
        raw(&path, script);
        let read = journal.replay(run).unwrap_err();
        let written = journal.append(run, at(3), &intent("b")).unwrap_err();
        for error in [read, written] {
            let kind = match error {
                JournalError::Illegal { .. } => "Illegal",
                JournalError::Unreadable { .. } => "Unreadable",
                _ => "other",
            };
            assert_eq!(kind, expected, "{script}: {error:?}");
        }
    }
}

#[test]
fn a_plan_that_cannot_be_read_is_refused_by_who_reads_it() {
    let (_dir, path) = place();
    let journal = SqliteJournal::open(&path, None).unwrap();
    let run = journal.create(&new_run("purge", "db1")).unwrap();
    raw(&path, "UPDATE plans SET plan = '{'");
    let read = journal.replay(run).unwrap_err();
    assert!(matches!(read, JournalError::Unreadable { .. }), "{read:?}");
    // Who carries a plan out has read it before; an event is not held up by it.
    journal.append(run, at(1), &intent("a")).unwrap();
}

#[test]
fn only_old_finished_runs_are_forgotten_and_their_numbers_stay_taken() {
    let (_dir, path) = place();
    let days_ago = |days: i64| Timestamp::now() - (days * 24).hours();
    let journal = SqliteJournal::open(&path, None).unwrap();
    let ids: Vec<RunId> = (0..4)
        .map(|_| journal.create(&new_run("purge", "db")).unwrap())
        .collect();
    let [young, unfinished, old, newest] = ids[..] else {
        panic!()
    };
    journal.append(old, days_ago(50), &intent("a")).unwrap();
    journal
        .append(unfinished, days_ago(50), &intent("a"))
        .unwrap();
    journal
        .finish(old, days_ago(31), &Outcome::Interrupted)
        .unwrap();
    journal
        .finish(newest, days_ago(31), &Outcome::Done)
        .unwrap();
    journal.finish(young, days_ago(29), &Outcome::Done).unwrap();
    drop(journal);

    assert_eq!(
        SqliteJournal::open(&path, None)
            .unwrap()
            .list(&Query::default())
            .unwrap()
            .len(),
        4
    );
    let journal = SqliteJournal::open(&path, Some(30)).unwrap();
    let left: Vec<RunId> = journal
        .list(&Query::default())
        .unwrap()
        .iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(left, [unfinished, young]);
    assert!(matches!(
        journal.replay(old),
        Err(JournalError::UnknownRun(_))
    ));
    assert_eq!(journal.replay(unfinished).unwrap().records.len(), 1);
    assert!(journal.create(&new_run("purge", "db")).unwrap() > newest);
    SqliteJournal::open(&path, Some(u32::MAX)).unwrap();
}

#[test]
fn a_journal_that_stays_locked_is_busy_and_worth_another_try() {
    let (_dir, path) = place();
    let journal = SqliteJournal::open(&path, None).unwrap();
    let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let error = journal.create(&new_run("purge", "db1")).unwrap_err();
    assert!(
        matches!(error, JournalError::Busy { .. }) && error.is_retryable(),
        "{error:?}"
    );
    other.batch_execute("ROLLBACK").unwrap();
    journal.create(&new_run("purge", "db1")).unwrap();
}

#[test]
fn paths_with_every_awkward_character_work() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a?mode=memory&b#c%20d 'é\"").join("j;.db");
    SqliteJournal::open(&path, None)
        .unwrap()
        .create(&new_run("purge", "db1"))
        .unwrap();
    let again = SqliteJournal::open_read_only(&path).unwrap();
    assert_eq!(again.list(&Query::default()).unwrap().len(), 1);
    assert_eq!(names(path.parent().unwrap())[0], "j;.db");
}
