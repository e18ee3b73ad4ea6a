//! Accounts that may not do all that putting back would take: refused with nothing changed.

use std::sync::OnceLock;

use elpis_backup::archive::Container;
use elpis_backup::restore::{Accept, RestoreError, runs};
use elpis_mysql::{ConnectOptions, PrivateServer};
use elpis_run::Secret;

use super::{
    Bench, CHANGES, backup, create_and_backup, databases, mariadb, of_archive, policy, portrait,
    same, server,
};

/// Without a binary log, for which triggers would need SUPER.
fn plain() -> &'static PrivateServer {
    static SERVER: OnceLock<PrivateServer> = OnceLock::new();
    SERVER.get_or_init(|| PrivateServer::start().unwrap())
}

/// As an account with everything on the databases that a restore of `name` needs, and these rights
/// beyond it.
fn narrow(server: &PrivateServer, name: &str, rights: &[&str]) -> Bench {
    let rights = rights
        .iter()
        .map(|right| format!("GRANT {right} TO {name}@localhost;"));
    mariadb(
        server.socket(),
        "",
        &format!(
            "CREATE USER {name}@localhost IDENTIFIED BY 'pw';
             GRANT ALL ON `{name}`.* TO {name}@localhost;
             GRANT ALL ON `{name}\\_\\_elpis\\_%`.* TO {name}@localhost;
             {}",
            rights.collect::<String>()
        ),
    );
    Bench::new(ConnectOptions {
        user: name.to_owned(),
        password: Some(Secret::new("pw".to_owned())),
        ..server.options()
    })
}

/// What forbids it, which is said and done.
#[track_caller]
fn refused(
    bench: &Bench,
    socket: &std::path::Path,
    database: &str,
    path: &std::path::Path,
) -> Vec<(Option<Accept>, String)> {
    let before = portrait(socket, database);
    let text = of_archive(path);
    let plan = bench.plan(&policy(database), &text);
    let error = bench.restore(None).run(&plan, &text).unwrap_err();
    assert!(matches!(error, RestoreError::Refused { .. }), "{error:?}");
    assert_eq!(databases(socket, database), [database]);
    assert_eq!(runs(&bench.journal).unwrap(), []);
    same(&portrait(socket, database), &before);
    plan.refusals
        .into_iter()
        .map(|refusal| (refusal.accept, refusal.what))
        .collect()
}

#[test]
fn routines_that_the_account_cannot_read_are_not_replaced() {
    let server = plain();
    let socket = server.socket();
    let (_world, path) = create_and_backup(server, "unread");
    mariadb(socket, "unread", CHANGES);
    let bench = narrow(server, "unread", &["SET USER, PROCESS ON *.*"]);
    let told = refused(&bench, socket, "unread", &path);
    // p2, p3, later and twice are of another definer.
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(
        told.iter()
            .all(|(accept, what)| accept.is_none() && what.contains("may not read the"))
    );
    mariadb(socket, "", "GRANT SELECT ON mysql.proc TO unread@localhost");
    let before = portrait(socket, "unread");
    let report = bench.run(&policy("unread"), &of_archive(&path)).unwrap();
    bench.restore(None).undo(report.run.unwrap()).unwrap();
    same(&portrait(socket, "unread"), &before);
}

#[test]
fn live_objects_of_other_definers_need_the_right_to_name_them() {
    let server = plain();
    let socket = server.socket();
    mariadb(
        socket,
        "",
        "CREATE DATABASE definers; CREATE TABLE definers.t (a INT); CREATE TABLE definers.log (a INT)",
    );
    let (_world, path) = backup(&server.options(), &["definers"], Container::TarZst);
    let rights = ["SELECT ON mysql.proc", "PROCESS ON *.*"];
    let bench = narrow(server, "definers", &rights);
    let text = of_archive(&path);
    // The text names nobody, and neither does the live database.
    assert_eq!(bench.plan(&policy("definers"), &text).refusals, []);
    for (make, drop) in [
        (
            "CREATE TRIGGER foreign_one BEFORE INSERT ON t FOR EACH ROW INSERT INTO log VALUES (1)",
            "DROP TRIGGER foreign_one",
        ),
        (
            "CREATE EVENT foreign_one ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01' DO DELETE FROM log",
            "DROP EVENT foreign_one",
        ),
    ] {
        mariadb(socket, "definers", make);
        let told = refused(&bench, socket, "definers", &path);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].1.contains("SET USER ON *.*"), "{told:?}");
        mariadb(socket, "definers", drop);
    }
    // One of its own it may make again.
    mariadb(
        socket,
        "definers",
        "CREATE DEFINER = definers@localhost TRIGGER own BEFORE INSERT ON t FOR EACH ROW INSERT INTO log VALUES (1)",
    );
    let before = portrait(socket, "definers");
    let report = bench.run(&policy("definers"), &text).unwrap();
    bench.restore(None).undo(report.run.unwrap()).unwrap();
    same(&portrait(socket, "definers"), &before);
}

#[test]
fn a_broken_view_in_the_way_and_users_that_cannot_be_seen_are_told() {
    let server = plain();
    let socket = server.socket();
    mariadb(
        socket,
        "",
        "CREATE DATABASE inway; CREATE TABLE inway.t (a INT); CREATE TABLE inway.base (a INT); CREATE VIEW inway.v AS SELECT a FROM inway.t",
    );
    let (_world, path) = backup(&server.options(), &["inway"], Container::TarZst);
    mariadb(
        socket,
        "inway",
        "CREATE OR REPLACE VIEW v AS SELECT a, 'mine' AS b FROM base; CREATE VIEW other AS SELECT a FROM base; DROP TABLE base",
    );
    // Its text has a word of its own and nobody else has it.
    let bench = Bench::new(server.options());
    let text = of_archive(&path);
    let plan = bench.plan(&policy("inway"), &text);
    let told: Vec<&str> = plan
        .refusals
        .iter()
        .map(|refusal| refusal.what.as_str())
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the view v of inway"), "{told:?}");
    let show = "SHOW CREATE VIEW v";
    let before = mariadb(socket, "inway", show);
    let error = bench.restore(None).run(&plan, &text).unwrap_err();
    assert!(matches!(error, RestoreError::Refused { .. }), "{error:?}");
    assert_eq!(mariadb(socket, "inway", show), before);
    // The one that is in nobody's way stays.
    mariadb(socket, "inway", "DROP VIEW v");
    bench.run(&policy("inway"), &text).unwrap();
    assert!(mariadb(socket, "inway", "SHOW CREATE VIEW other").contains("base"));

    let rights = ["SELECT ON mysql.proc", "SET USER ON *.*"];
    let bench = narrow(server, "inway", &rights);
    let plan = bench.plan(&policy("inway"), &text);
    let told: Vec<_> = plan
        .refusals
        .iter()
        .map(|refusal| (refusal.accept, &refusal.what))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].0 == Some(Accept::Writers) && told[0].1.contains("PROCESS"),
        "{told:?}"
    );
}

#[test]
fn triggers_need_super_where_changes_are_logged() {
    let server = server();
    let socket = server.socket();
    let (_world, path) = create_and_backup(server, "logged");
    let rights = ["SELECT ON mysql.proc", "SET USER, PROCESS ON *.*"];
    let bench = narrow(server, "logged", &rights);
    let told = refused(&bench, socket, "logged", &path);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("SUPER ON *.*"), "{told:?}");
    mariadb(socket, "", "GRANT SUPER ON *.* TO logged@localhost");
    assert_eq!(
        bench.plan(&policy("logged"), &of_archive(&path)).refusals,
        []
    );
}
