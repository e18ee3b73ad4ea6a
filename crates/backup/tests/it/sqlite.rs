//! SQLite databases as sources, and the demo, judged by SQLite's own shell.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elpis_backup::archive::Container;
use elpis_backup::{BackupError, SqliteSource, demo};

use crate::support::{World, extract, sh, write};

fn sqlite(path: &Path, sql: &str) -> String {
    sh(
        "sqlite3",
        &["-cmd", ".timeout 10000", path.to_str().unwrap(), sql],
        Path::new("/"),
    )
}

#[test]
fn a_copy_made_beside_a_writer_is_of_one_moment() {
    let mut world = World::new(Container::TarZst);
    let path = world.dir.path().join("live.db");
    // Money moves from one account to another: the sum is always 1000.
    sqlite(
        &path,
        "PRAGMA journal_mode = WAL; CREATE TABLE a (n INTEGER); CREATE TABLE b (n INTEGER);
         INSERT INTO a VALUES (1000); INSERT INTO b VALUES (0);
         CREATE TABLE ballast AS WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM i
         WHERE x < 20000) SELECT x, hex(randomblob(40)) AS y FROM i;",
    );
    let done = Arc::new(AtomicBool::new(false));
    let mover = std::thread::spawn({
        let (done, path) = (Arc::clone(&done), path.clone());
        move || {
            let mut moves = 0;
            while !done.load(Ordering::SeqCst) {
                sqlite(
                    &path,
                    "BEGIN IMMEDIATE; UPDATE a SET n = n - 1; UPDATE b SET n = n + 1; COMMIT;",
                );
                moves += 1;
            }
            moves
        }
    });
    world
        .sources
        .push(Box::new(SqliteSource::new("live", &path)));
    for round in 0..3 {
        let report = world.backup().unwrap();
        let out = world.dir.path().join(format!("out{round}"));
        extract(&report.path, &out);
        let copy = out.join(".elpis-backup/databases/live.db");
        assert_eq!(sqlite(&copy, "PRAGMA integrity_check").trim(), "ok");
        assert_eq!(
            sqlite(&copy, "SELECT (SELECT n FROM a) + (SELECT n FROM b)").trim(),
            "1000"
        );
        assert_eq!(report.databases, [("live".to_owned(), 20_002)]);
    }
    done.store(true, Ordering::SeqCst);
    assert!(mover.join().unwrap() > 0);
}

#[test]
fn a_damaged_or_missing_database_is_no_backup() {
    let mut world = World::new(Container::TarZst);
    let path = world.dir.path().join("no.db");
    world
        .sources
        .push(Box::new(SqliteSource::new("none", &path)));
    write(
        &path,
        b"this is no database, but long enough to be looked at by SQLite: ............",
    );
    let store = world.store();
    let facts = elpis_backup::Facts::gather(&world.profile, &mut world.sources, &store);
    assert!(facts.is_err());
    std::fs::remove_file(&path).unwrap();
    let facts = elpis_backup::Facts::gather(&world.profile, &mut world.sources, &store);
    assert!(facts.is_err());
    assert!(!path.exists(), "looking makes no file");
}

#[test]
fn pages_that_went_bad_after_the_look_are_noticed() {
    let mut world = World::new(Container::TarZst);
    let path = world.dir.path().join("bad.db");
    sqlite(
        &path,
        "CREATE TABLE t (x); WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM i WHERE x < 90000) INSERT INTO t SELECT x FROM i;",
    );
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    world
        .sources
        .push(Box::new(SqliteSource::new("bad", &path)));
    let error = world.backup().unwrap_err();
    assert!(matches!(error, BackupError::Source(_)), "{error:?}");
}

#[test]
fn the_demo_is_backed_up_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(Container::TarZst);
    world.profile = demo::create(dir.path(), 10_000).unwrap();
    let database = world.profile.databases[0].clone();
    world.sources.push(Box::new(SqliteSource::new(
        database.name,
        &database.sqlite.unwrap(),
    )));
    let report = world.backup().unwrap();
    assert!(report.complete && report.warnings.is_empty(), "{report:?}");
    let rows = sqlite(
        &dir.path().join("monitoring.db"),
        "SELECT (SELECT COUNT(*) FROM tagente_datos) + (SELECT COUNT(*) FROM tevento)",
    );
    assert_eq!(report.databases[0].1.to_string(), rows.trim());
    assert!(report.databases[0].1 > 10_000);
}
