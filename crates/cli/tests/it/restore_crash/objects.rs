//! Objects that cannot be made once the tables are exchanged: everything else waits, and a person
//! who has seen to the reason resumes, or takes it back.

use super::Installation;
use crate::backup_server::{old, sql};

/// A view of the archive stands on something in another database that is gone when the view is to
/// be made again, but was there while the text was loaded.
#[test]
fn objects_that_cannot_be_made_wait_for_resume_or_undo() {
    let mut world = Installation::new();
    let log = world.site.path("log");
    // The services' own commands: what they do to the server stands for somebody who does it.
    let socket = world.server.socket().display().to_string();
    sql(
        &world.server,
        "CREATE DATABASE beside; CREATE TABLE beside.t (a INT)",
    );
    sql(
        &world.server,
        "USE pandora; CREATE VIEW on_beside AS SELECT a FROM beside.t",
    );
    let said = world
        .site
        .run(&old("pandora_console", &["--option-file", "backup.cnf"]));
    assert_eq!(said.code, 0, "{said:?}");
    world.archive = crate::backup::archives(&world.site.path("dest")).remove(0);
    world.new = world.portrait();
    sql(
        &world.server,
        "USE pandora; DELETE FROM tagente_datos WHERE utimestamp < 3000; DROP VIEW on_beside",
    );
    world.old = world.portrait();
    let script = |word: &str, statement: &str| {
        format!(
            "['sh', '-c', 'echo {word} >> {log}; mariadb --no-defaults -uroot -S {socket} -e \"{statement}\"']",
            log = log.display()
        )
    };
    world.site.write(
        "backup.toml",
        &format!(
            "[target]\ndirectory = 'dest'\n[state]\ndirectory = 'state'\n[restore]\nstop = [{}]\nstart = [{}]\n",
            script("stop", "DROP TABLE IF EXISTS beside.t"),
            script("start", "SELECT 1")
        ),
    );
    for verb in ["resume", "undo"] {
        sql(&world.server, "CREATE TABLE IF NOT EXISTS beside.t (a INT)");
        let _ = std::fs::remove_file(&log);
        let said = world.run("restore");
        assert_eq!(said.code, 4, "{said:?}");
        for part in [
            "making view on_beside",
            "beside.t",
            "elpis-backup resume",
            "elpis-backup undo",
        ] {
            assert!(said.err.contains(part), "{part}: {said:?}");
        }
        // New tables; nobody is let in while views and triggers are missing.
        assert_eq!(world.sums(), world.new.sums);
        let calls = std::fs::read_to_string(&log).unwrap();
        assert_eq!(calls, "stop\n", "{said:?}");
        assert_eq!(world.files(), world.old.files);
        // As long as the reason is there, it is the same.
        let said = world.run("resume");
        assert_eq!(said.code, 4, "{said:?}");
        assert!(said.err.contains("making view on_beside"), "{said:?}");
        if verb == "resume" {
            sql(&world.server, "CREATE TABLE beside.t (a INT)");
        }
        let said = world.run(verb);
        assert_eq!(said.code, 0, "{said:?}");
        let calls = std::fs::read_to_string(&log).unwrap();
        assert!(calls.ends_with("start\n"), "{calls}");
        if verb == "resume" {
            // They stood still all the time.
            assert_eq!(calls, "stop\nstart\n");
            world.is(&world.new, "resumed");
            let said = world.run("undo");
            assert_eq!(said.code, 0, "{said:?}");
        }
        world.is(&world.old, verb);
        world.forget_all(verb);
    }
}
