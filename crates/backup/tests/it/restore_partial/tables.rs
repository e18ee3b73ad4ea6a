//! Some tables of a database that has more, with triggers, views and foreign keys.

use std::collections::BTreeSet;

use elpis_backup::archive::Container;
use elpis_backup::restore::{Accept, RestoreError, RestorePolicy, RestoreState, Scope, runs};

use super::{counterless, die_everywhere};
use crate::restore_db::{
    Bench, CHANGES, backup, create, databases, mariadb, of_archive, policy, portrait, same, server,
};

fn tables(database: &str, names: &[&str]) -> RestorePolicy {
    RestorePolicy {
        scope: Scope::Tables(names.iter().map(|name| (*name).to_owned()).collect()),
        // A client that has ended may still be seen for a moment.
        accept: BTreeSet::from([Accept::Writers]),
        ..policy(database)
    }
}

/// What the stock client says of one table: what it is, its rows, its triggers.
fn table(database: &str, name: &str) -> String {
    mariadb(
        server().socket(),
        database,
        &format!(
            "SHOW CREATE TABLE `{name}`; CHECKSUM TABLE `{name}` EXTENDED; SELECT COUNT(*) FROM `{name}`; \
             SELECT trigger_name, action_timing, event_manipulation, action_order, action_statement \
             FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND event_object_table = '{name}' \
             ORDER BY 2, 3, 4"
        ),
    )
    .replace(database, "NAME")
}

#[test]
fn some_tables_come_back_and_go_again_and_the_rest_stays() {
    let socket = server().socket();
    create(socket, "some");
    // What looks at restored tables from outside: a view, a routine, a trigger elsewhere.
    mariadb(
        socket,
        "some",
        "CREATE VIEW seen AS SELECT COUNT(*) AS n FROM samples; \
         CREATE TRIGGER elsewhere AFTER INSERT ON log FOR EACH ROW DELETE FROM samples WHERE m = -1; \
         CREATE TRIGGER own BEFORE INSERT ON samples FOR EACH ROW SET NEW.f = twice(1)",
    );
    let (_world, path) = backup(&server().options(), &["some"], Container::TarZst);
    let names = ["samples", "zero_dates", "raw"];
    let archived = names.map(|name| table("some", name));
    mariadb(
        socket,
        "some",
        "DELETE FROM samples WHERE m < 50; DROP TRIGGER own; \
         CREATE TRIGGER newer AFTER DELETE ON samples FOR EACH ROW INSERT INTO log (what) VALUES ('x'); \
         DROP TABLE zero_dates; ALTER TABLE raw ADD extra INT; DELETE FROM counted; \
         INSERT INTO parent VALUES (9, 'new'); CREATE TABLE later (a INT)",
    );
    let before = portrait(socket, "some");
    let others = |text: &str| {
        let rest = ["parent", "child", "counted", "later", "log", "isam"];
        format!("{text}{}", rest.map(|name| table("some", name)).concat())
    };
    let untouched = others("");
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let policy = tables("some", &names);
    let plan = bench.plan(&policy, &text);
    assert_eq!(plan.refusals, []);
    assert_eq!(plan.leaving, BTreeSet::new());
    assert_eq!((plan.tables.len(), plan.triggers, plan.views), (3, 1, 0));
    let lines = plan.lines().join("\n");
    assert!(lines.contains("what is there now goes to"), "{lines}");
    assert!(
        lines.contains("make in some, where they are not: zero_dates"),
        "{lines}"
    );

    let report = bench.restore(None).run(&plan, &text).unwrap();
    assert_eq!(names.map(|name| table("some", name)), archived);
    assert_eq!(others(""), untouched);
    assert_eq!(report.tables, 3);
    assert_eq!(databases(socket, "some"), ["some", plan.old.as_str()]);
    // The view sees the new table, and its own trigger fires.
    mariadb(
        socket,
        "some",
        "INSERT INTO samples (m) VALUES (-5); INSERT INTO log (what) VALUES ('y')",
    );
    let seen = mariadb(
        socket,
        "some",
        "SELECT n FROM seen; SELECT f FROM samples WHERE m = -5",
    );
    assert_eq!(seen, "8001\n2\n");
    mariadb(socket, "some", "DELETE FROM log WHERE what = 'y'");

    let run = report.run.unwrap();
    let undone = bench.restore(None).undo(run).unwrap();
    // The counter of `log` has moved.
    same(
        &counterless(&portrait(socket, "some")),
        &counterless(&before),
    );
    let kept = undone.kept.unwrap();
    assert_eq!(
        mariadb(socket, &kept, "SELECT COUNT(*) FROM samples WHERE m = -5"),
        "1\n"
    );
    bench.restore(None).forget(run).unwrap();
    assert_eq!(databases(socket, "some"), ["some"]);
    assert_eq!(
        runs(&bench.journal).unwrap()[0].state,
        RestoreState::Forgotten
    );
}

#[test]
fn tables_that_belong_together_are_only_restored_together() {
    let socket = server().socket();
    create(socket, "together");
    let (_world, path) = backup(&server().options(), &["together"], Container::TarZst);
    mariadb(socket, "together", CHANGES);
    mariadb(
        socket,
        "together",
        "CREATE TRIGGER a_second BEFORE INSERT ON samples FOR EACH ROW SET @a = 1",
    );
    let before = portrait(socket, "together");
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let refusals = |names: &[&str]| {
        let plan = bench.plan(&tables("together", names), &text);
        assert_eq!(
            plan.refusals
                .iter()
                .filter(|refusal| refusal.accept.is_some())
                .count(),
            0
        );
        let words: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
        words.join("; ")
    };
    let words = refusals(&["child"]);
    for said in [
        "from child to parent",
        "from a_before to child",
        "from later_table to child",
    ] {
        assert!(words.contains(said), "{words}");
    }
    // A trigger of that name stands on a table that is not restored.
    let words = refusals(&["parent", "child", "a_before", "later_table"]);
    assert!(
        words.contains("the text has no table later_table"),
        "{words}"
    );
    assert!(
        words.contains("has a trigger a_second, as parent in the text"),
        "{words}"
    );
    assert!(refusals(&["zero_dates"]).contains("zero_dates is a view in together"));
    assert!(refusals(&[]).contains("no table is named"));
    assert!(refusals(&["nothing"]).contains("the text has no table nothing"));
    let plan = bench.plan(&tables("together", &["child"]), &text);
    let error = bench.restore(None).run(&plan, &text).unwrap_err();
    assert!(matches!(error, RestoreError::Refused { .. }), "{error:?}");
    same(&portrait(socket, "together"), &before);

    mariadb(
        socket,
        "together",
        "DROP TABLE later_table; DROP TRIGGER a_second",
    );
    let family = ["parent", "child", "a_before"];
    let report = bench.run(&tables("together", &family), &text).unwrap();
    // Foreign keys hold within the live database.
    mariadb(
        socket,
        "together",
        "DELETE FROM a_before; DELETE FROM parent WHERE id = 1",
    );
    assert_eq!(
        mariadb(socket, "together", "SELECT COUNT(*) FROM child"),
        "2\n"
    );
    let orphan = "SELECT COUNT(*) FROM information_schema.referential_constraints \
                  WHERE constraint_schema = 'together' AND unique_constraint_schema <> 'together'";
    assert_eq!(mariadb(socket, "together", orphan), "0\n");
    bench.restore(None).undo(report.run.unwrap()).unwrap();
    mariadb(
        socket,
        "together",
        "DELETE FROM a_before; DELETE FROM parent WHERE id = 1",
    );
    assert_eq!(mariadb(socket, "together", orphan), "0\n");
}

#[test]
fn a_table_beside_under_another_name() {
    let socket = server().socket();
    create(socket, "source_of_one");
    let (_world, path) = backup(&server().options(), &["source_of_one"], Container::TarGz);
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let report = bench.run(&tables("one_of_it", &["raw"]), &text).unwrap();
    assert_eq!(table("one_of_it", "raw"), table("source_of_one", "raw"));
    assert_eq!(mariadb(socket, "one_of_it", "SHOW TABLES"), "raw\n");
    let charset = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = DATABASE()";
    assert_eq!(mariadb(socket, "one_of_it", charset), "utf8mb4\n");
    bench.restore(None).undo(report.run.unwrap()).unwrap();
    assert!(!databases(socket, "one_of_it").contains(&"one_of_it".to_owned()));
}

/// A small database: each death costs a restore.
#[test]
fn some_tables_survive_a_death_at_any_record() {
    let socket = server().socket();
    let make = "CREATE OR REPLACE DATABASE deadly CHARACTER SET utf8mb4";
    let fill = "CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2); \
                CREATE TABLE c (p INT, FOREIGN KEY (p) REFERENCES p (id)); INSERT INTO c VALUES (1); \
                CREATE TABLE rest (a INT); INSERT INTO rest VALUES (1); \
                CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW INSERT INTO rest VALUES (NEW.id); \
                CREATE VIEW v AS SELECT COUNT(*) AS n FROM p";
    mariadb(socket, "", make);
    mariadb(socket, "deadly", fill);
    let (_world, path) = backup(&server().options(), &["deadly"], Container::TarZst);
    let archived = || ["p", "c"].map(|name| table("deadly", name));
    let expected = archived();
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let live = "DELETE FROM c; DELETE FROM p WHERE id = 1; DROP TRIGGER t; INSERT INTO rest VALUES (5); \
                CREATE TRIGGER u AFTER DELETE ON p FOR EACH ROW DELETE FROM rest WHERE a = OLD.id";
    let before = || {
        mariadb(socket, "", make);
        mariadb(socket, "deadly", fill);
        mariadb(socket, "deadly", live);
    };
    before();
    let old = portrait(socket, "deadly");
    let rest = table("deadly", "rest");
    let deaths = die_everywhere(
        &bench,
        &tables("deadly", &["p", "c"]),
        &text,
        &before,
        &|| {
            assert_eq!(archived(), expected);
            assert_eq!(table("deadly", "rest"), rest);
        },
        &|| same(&portrait(socket, "deadly"), &old),
        // Taken down, exchanged, exchanged and not yet known, with its objects.
        [17, 18, 17, 20],
    );
    assert!(deaths >= 4, "{deaths}");
    assert_eq!(databases(socket, "deadly"), ["deadly"]);
}
