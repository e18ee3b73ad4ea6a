//! What was changed between two acts of a restore: what is taken down comes back as it was last.

use std::sync::atomic::{AtomicBool, Ordering};

use elpis_backup::restore::{Live, RestoreError, RestorePlan, ServiceError, Services, runs};
use elpis_mysql::{Params, Session, SessionSettings};

use super::{
    Bench, CHANGES, causes, create_and_backup, databases, mariadb, of_archive, policy, portrait,
    same, server,
};

/// As an upgrade of the product between a restore and its undo.
const UPGRADE: &str = r"
    CREATE OR REPLACE TRIGGER first_one BEFORE INSERT ON parent FOR EACH ROW INSERT INTO log (what) VALUES ('upgraded trigger');
    CREATE TRIGGER made_later BEFORE DELETE ON parent FOR EACH ROW INSERT INTO log (what) VALUES ('made later');
    ALTER EVENT quiet COMMENT 'upgraded event' DO DELETE FROM log WHERE id = 1;
    CREATE EVENT event_later ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 03:00:00' DO DELETE FROM log;
    CREATE OR REPLACE PROCEDURE p3() SELECT 'upgraded procedure';
    CREATE PROCEDURE procedure_later() SELECT 1;
    CREATE OR REPLACE VIEW z_base AS SELECT id, p, 'upgraded view' AS u FROM child;
    CREATE VIEW view_later AS SELECT 1 AS one;
";

#[test]
fn what_was_changed_after_a_restore_is_kept_by_its_undo() {
    let server = server();
    let socket = server.socket();
    let (_world, path) = create_and_backup(server, "upgraded");
    mariadb(socket, "upgraded", CHANGES);
    let second = portrait(socket, "upgraded");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let mut policy = policy("upgraded");
    policy.lock_tries = 2;
    let report = bench.run(&policy, &text).unwrap();
    let run = report.run.unwrap();
    mariadb(socket, "upgraded", UPGRADE);
    let third = portrait(socket, "upgraded");

    // Somebody reads, and the undo is put back: to what was there, not to what the archive brought.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut reader = runtime.block_on(async {
        let opened = Session::open(&server.options(), &SessionSettings::default()).await;
        let mut reader = opened.unwrap();
        reader.begin().await.unwrap();
        let sql = "SELECT COUNT(*) FROM upgraded.child";
        let _: Vec<u64> = reader.rows(sql, Params::Empty).await.unwrap();
        reader
    });
    let error = bench.restore(None).undo(run).unwrap_err();
    let is_new = matches!(
        error,
        RestoreError::Interrupted {
            live: Live::New,
            ..
        }
    );
    assert!(is_new, "{error:?}");
    same(&portrait(socket, "upgraded"), &third);
    runtime.block_on(reader.rollback()).unwrap();
    mariadb(
        socket,
        "upgraded",
        "CREATE PROCEDURE last_one() SELECT 'after the blocked undo'",
    );

    let undone = bench.restore(None).undo(run).unwrap();
    same(&portrait(socket, "upgraded"), &second);
    let kept = undone.kept.unwrap();
    assert_eq!(databases(socket, "upgraded"), ["upgraded", kept.as_str()]);
    let texts = |kind: &str| {
        let sql = format!(
            "SELECT CONVERT(text USING utf8mb4) FROM elpis_restore_texts WHERE kind = '{kind}'"
        );
        mariadb(socket, &kept, &sql)
    };
    for (kind, words) in [
        (
            "triggers",
            vec!["upgraded trigger", "made_later", "a_second"],
        ),
        ("events", vec!["upgraded event", "event_later", "loud"]),
        (
            "routines",
            vec![
                "upgraded procedure",
                "procedure_later",
                "after the blocked undo",
            ],
        ),
        ("views", vec!["upgraded view", "view_later", "a_on_view"]),
    ] {
        for word in words {
            assert!(texts(kind).contains(word), "{word}: {}", texts(kind));
        }
    }
}

/// Stops nothing, and dies once where the restore waits for it: with what it was to take down
/// captured, and nothing taken down yet.
struct Dies(AtomicBool);

impl Services for Dies {
    fn stop(&self) -> Result<(), ServiceError> {
        assert!(self.0.load(Ordering::SeqCst), "as if killed");
        Ok(())
    }

    fn start(&self) -> Result<(), ServiceError> {
        Ok(())
    }
}

#[test]
fn what_was_changed_before_a_restore_is_resumed_is_what_its_undo_brings_back() {
    let server = server();
    let socket = server.socket();
    let (_world, path) = create_and_backup(server, "resumed");
    let first = portrait(socket, "resumed");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let services = Dies(AtomicBool::new(false));
    let policy = policy("resumed");
    let restore = bench.restore(Some(&services));
    let facts = restore.inspect(&policy, &text).unwrap();
    let now = "2026-11-21T00:00:00Z".parse().unwrap();
    let plan = RestorePlan::new(&policy, &facts, text.survey(), now);
    // A panic leaves the journal as a killed process does: the step is announced and not closed.
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        restore.run(&plan, &text).map(drop)
    }));
    assert!(died.is_err());
    mariadb(socket, "resumed", UPGRADE);
    let changed = portrait(socket, "resumed");
    services.0.store(true, Ordering::SeqCst);
    let run = runs(&bench.journal).unwrap()[0].run;
    bench.restore(Some(&services)).resume(run, None).unwrap();
    same(&portrait(socket, "resumed"), &first);
    let undone = bench
        .restore(Some(&services))
        .undo(run)
        .map_err(|error| causes(&error));
    undone.unwrap();
    same(&portrait(socket, "resumed"), &changed);
}
