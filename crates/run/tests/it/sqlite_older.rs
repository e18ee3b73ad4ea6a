//! Journals that an earlier release has written.

use std::path::Path;

use elpis_run::SqliteJournal;
use elpis_run::journal::{Journal, Outcome, RunId};

use crate::files::chmod;
use crate::journal::{at, done, new_run};
use crate::sqlite_file::{place, raw};

/// A journal as the first release made it, with a run that is over and one that is not.
fn of_the_first_release(path: &Path) {
    let tables = include_str!("../../migrations/00000000000001_runs/up.sql");
    let holder = serde_json::to_string(&elpis_run::Holder::current("elpis-test", at(5))).unwrap();
    raw(path, tables);
    raw(
        path,
        &format!(
            "PRAGMA application_id = {}; PRAGMA journal_mode = WAL;
             CREATE TABLE __diesel_schema_migrations (
                version VARCHAR(50) PRIMARY KEY NOT NULL,
                run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
             );
             INSERT INTO __diesel_schema_migrations (version) VALUES ('00000000000001');
             INSERT INTO runs VALUES
                (1, 'purge', 'db1', '{holder}', 1, '[1]', 9, '{{\"outcome\":\"done\"}}'),
                (2, 'purge', 'db1', '{holder}', 1, '[2]', NULL, NULL);
             INSERT INTO events VALUES
                (2, 0, 3, '{{\"event\":\"intent\",\"step\":\"a\",\"detail\":null}}')",
            0x456c_7052
        ),
    );
    chmod(path, 0o600);
}

#[test]
fn a_journal_of_the_first_release_is_read_and_taken_over_with_its_plans() {
    let (_dir, path) = place();
    of_the_first_release(&path);
    let plans =
        |journal: &SqliteJournal| [1, 2].map(|run| journal.replay(RunId(run)).unwrap().plan);
    let both = [serde_json::json!([1]), serde_json::json!([2])];
    // Who only looks leaves the file as it is.
    assert_eq!(plans(&SqliteJournal::open_read_only(&path).unwrap()), both);
    let journal = SqliteJournal::open(&path, None).unwrap();
    assert_eq!(plans(&journal), both);
    assert_eq!(journal.latest().unwrap()[0].id, RunId(2));
    // The plan of the run that is over may go, that of the other may not.
    journal.forget_plans(&["purge"], 7).unwrap();
    assert_eq!(plans(&journal), [serde_json::Value::Null, both[1].clone()]);
    journal.append(RunId(2), at(10), &done("a")).unwrap();
    journal
        .finish_idle(RunId(2), at(11), &Outcome::Done)
        .unwrap();
    assert_eq!(
        plans(&journal),
        [serde_json::Value::Null, serde_json::Value::Null]
    );
    assert_eq!(journal.create(&new_run("purge", "db1")).unwrap(), RunId(3));
    assert_eq!(journal.replay(RunId(3)).unwrap().plan, new_run("", "").plan);
}
