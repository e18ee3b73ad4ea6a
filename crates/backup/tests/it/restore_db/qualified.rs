//! Objects that were made with their database's name in front: `SHOW CREATE TRIGGER` and dumps keep
//! it for triggers. They come back as they were, also into a database of another name, and never
//! touch the one that they name.

use std::collections::BTreeSet;

use elpis_backup::archive::Container;
use elpis_backup::restore::{RestorePolicy, Scope, SqlText, TextError};
use elpis_run::StopToken;

use super::{
    Bench, backup, databases, difference, mariadb, of_archive, policy, portrait, same, server,
};
use crate::support::sh;

/// Made from another database, as somebody's installer does it. `OWN` is the database.
const OBJECTS: &str = r"
    CREATE TABLE OWN.x (a INT PRIMARY KEY);
    CREATE TABLE OWN.log (n INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(9));
    CREATE SEQUENCE OWN.s;
    DO NEXTVAL(OWN.s);
    CREATE TABLE OWN.z (a INT PRIMARY KEY, b INT, FOREIGN KEY (a) REFERENCES OWN.x (a));
    INSERT INTO OWN.x VALUES (1), (2), (3);
    INSERT INTO OWN.z (a) VALUES (1), (2);
    CREATE TRIGGER OWN.bare BEFORE INSERT ON OWN.x FOR EACH ROW INSERT INTO log (what) VALUES ('bare');
    CREATE TRIGGER `OWN`.`quoted` AFTER INSERT ON `OWN`.x FOR EACH ROW INSERT INTO log (what) VALUES ('quoted');
    CREATE TRIGGER OWN . apart AFTER DELETE ON /* no name */ OWN /* . */ . `z` FOR EACH ROW INSERT INTO log (what) VALUES ('apart');
    CREATE VIEW OWN.v AS SELECT OWN.x.a FROM OWN.x;
    CREATE FUNCTION OWN.f() RETURNS INT DETERMINISTIC RETURN 1;
    CREATE EVENT OWN.e ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 03:00:00' DO DELETE FROM log;
    DELIMITER //
    CREATE PROCEDURE OWN.p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; SELECT 1; END//
    SET sql_mode = ORACLE//
    CREATE PACKAGE OWN.pack AS PROCEDURE a; FUNCTION b RETURN INT; END//
    CREATE PACKAGE BODY OWN.pack AS PROCEDURE a AS c INT; BEGIN SELECT 1; END; FUNCTION b RETURN INT IS BEGIN RETURN 1; END; END//
    CREATE PROCEDURE OWN.po(x INT) AS b INT; BEGIN SELECT 1; END//
    DELIMITER ;
";

fn make(name: &str) {
    let socket = server().socket();
    let objects = OBJECTS.replace("OWN", name);
    let sql = format!(
        "SET foreign_key_checks = 0; CREATE OR REPLACE DATABASE {name}; USE mysql; {objects}"
    );
    mariadb(socket, "", &sql);
}

fn change(name: &str) {
    let sql = format!(
        "DROP TRIGGER {name}.quoted; DROP VIEW {name}.v; DROP PACKAGE {name}.pack; \
         DELETE FROM {name}.z WHERE a = 2; DROP PROCEDURE {name}.p; \
         CREATE TRIGGER {name}.since AFTER UPDATE ON `{name}`.x FOR EACH ROW SET @a = 1"
    );
    mariadb(
        server().socket(),
        "",
        &format!("SET sql_mode = ORACLE; {sql}"),
    );
}

/// Without the quotes around the database's name, which the text of a trigger may have or not.
fn loosely(portrait: &str) -> String {
    portrait.replace("`NAME`", "NAME")
}

#[test]
fn our_own_dump_comes_back_as_it_was_and_under_another_name() {
    let socket = server().socket();
    make("own_names");
    let first = portrait(socket, "own_names");
    for kept in ["TRIGGER NAME.bare", "TRIGGER `NAME`.`quoted`"] {
        assert!(first.contains(kept), "{first}");
    }
    let (_world, path) = backup(&server().options(), &["own_names"], Container::TarZst);
    change("own_names");
    let second = portrait(socket, "own_names");
    assert!(!difference(&first, &second).is_empty());
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let report = bench.run(&policy("own_names"), &text).unwrap();
    same(&portrait(socket, "own_names"), &first);
    let run = report.run.unwrap();
    bench.restore(None).undo(run).unwrap();
    same(&portrait(socket, "own_names"), &second);
    bench.restore(None).forget(run).unwrap();

    // Twice: made anew, and exchanged for what is there.
    for _ in 0..2 {
        let report = bench.run(&policy("own_other"), &text).unwrap();
        same(&loosely(&portrait(socket, "own_other")), &loosely(&first));
        same(&portrait(socket, "own_names"), &second);
        let fires =
            "INSERT INTO x VALUES (9); SELECT GROUP_CONCAT(what ORDER BY n) FROM log; CALL p()";
        assert_eq!(mariadb(socket, "own_other", fires), "bare,quoted\n1\n");
        same(&portrait(socket, "own_names"), &second);
        bench.restore(None).forget(report.run.unwrap()).unwrap();
    }
    assert_eq!(databases(socket, "own_o"), ["own_other"]);
}

#[test]
fn a_dump_of_the_stock_tool_does_too() {
    let socket = server().socket();
    make("own_stock");
    let first = portrait(socket, "own_stock");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.sql");
    for more in ["", "--databases"] {
        let script = format!(
            "mariadb-dump --no-defaults -uroot -S {} --routines --events {more} own_stock > {}",
            socket.display(),
            path.display()
        );
        sh("sh", &["-c", &script], dir.path());
        change("own_stock");
        let second = portrait(socket, "own_stock");
        let text = SqlText::open(&path).unwrap();
        let text = text.survey(&StopToken::new(), &()).unwrap();
        let bench = Bench::new(server().options());
        let report = bench.run(&policy("own_stock"), &text).unwrap();
        same(&portrait(socket, "own_stock"), &first);
        bench.restore(None).undo(report.run.unwrap()).unwrap();
        same(&portrait(socket, "own_stock"), &second);
        bench.run(&policy("own_stock2"), &text).unwrap();
        same(&loosely(&portrait(socket, "own_stock2")), &loosely(&first));
        make("own_stock");
    }
}

/// A table comes with its triggers, however these name it.
#[test]
fn a_table_alone_brings_the_triggers_that_name_its_database() {
    let socket = server().socket();
    make("own_part");
    let first = portrait(socket, "own_part");
    let (_world, path) = backup(&server().options(), &["own_part"], Container::TarZst);
    let text = of_archive(&path);
    mariadb(
        socket,
        "own_part",
        "DROP TRIGGER quoted; DROP TRIGGER bare; DELETE FROM log",
    );
    let bench = Bench::new(server().options());
    let wanted = RestorePolicy {
        scope: Scope::Tables(BTreeSet::from(["x".to_owned(), "z".to_owned()])),
        ..policy("own_part")
    };
    bench.run(&wanted, &text).unwrap();
    same(&portrait(socket, "own_part"), &first);
}

/// The server's own procedures are the hardest bodies at hand; nobody wrote them for this test.
#[test]
fn the_bodies_of_the_servers_own_schema_are_each_one_statement() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sys.sql");
    let script = format!(
        "mariadb-dump --no-defaults -uroot -S {} --routines --events --triggers sys > {}",
        server().socket().display(),
        path.display()
    );
    sh("sh", &["-c", &script], dir.path());
    let text = SqlText::open(&path).unwrap();
    let text: Result<_, TextError> = text.survey(&StopToken::new(), &());
    let text = text
        .map_err(|error| elpis_run::with_causes(&error))
        .unwrap();
    assert!(text.survey().routines.len() > 20);
}
