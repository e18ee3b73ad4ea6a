//! Views whose ground is lost: another database, another account. What stock `mariadb < dump` makes of
//! the same on the same server is the measure.

use std::collections::BTreeSet;

use elpis_backup::archive::Container;
use elpis_backup::restore::{Accept, RestoreError, SqlText, Surveyed};
use elpis_run::StopToken;

use super::{Bench, backup, databases, mariadb, of_archive, policy, portrait, same};
use crate::support::run;
use elpis_mysql::PrivateServer;

const MAKE: &str = r"
    CREATE DATABASE beside; CREATE TABLE beside.t (a INT); INSERT INTO beside.t VALUES (1);
    CREATE FUNCTION beside.f(n INT) RETURNS INT DETERMINISTIC RETURN n;
    CREATE USER lost@localhost; GRANT ALL ON *.* TO lost@localhost;
    CREATE DATABASE shop; USE shop;
    CREATE TABLE x (a INT PRIMARY KEY); INSERT INTO x VALUES (5);
    CREATE DEFINER=lost@localhost FUNCTION own_f() RETURNS INT DETERMINISTIC RETURN 1;
    CREATE VIEW plain AS SELECT a FROM x;
    CREATE VIEW of_table AS SELECT t.a FROM beside.t;
    CREATE VIEW on_of_table AS SELECT a FROM of_table;
    CREATE VIEW of_function AS SELECT beside.f(1) AS n;
    CREATE DEFINER=lost@localhost VIEW by_lost AS SELECT a FROM x;
    CREATE VIEW on_by_lost AS SELECT a FROM by_lost;
    CREATE DEFINER=lost@localhost SQL SECURITY INVOKER VIEW by_invoker AS SELECT a FROM x;
    CREATE VIEW on_by_invoker AS SELECT a FROM by_invoker;
    CREATE VIEW calls AS SELECT own_f() AS n";

/// What happens to the live database before it is restored.
const CHANGE: &str = "USE shop; INSERT INTO x VALUES (6); DROP VIEW plain, of_table, on_of_table, of_function, \
     by_lost, on_by_lost, by_invoker, on_by_invoker, calls; CREATE VIEW since AS SELECT 1 AS a";

#[test]
fn views_whose_ground_is_lost_are_refused_by_name_or_left_out() {
    let server = PrivateServer::start().unwrap();
    let socket = server.socket().to_owned();
    let sql = |sql: &str| mariadb(&socket, "", sql);
    sql(MAKE);
    let (world, path) = backup(&server.options(), &["shop"], Container::TarZst);
    let dir = world.dir.path();
    let stock = format!(
        "mariadb-dump --no-defaults -uroot -S {} --routines shop > stock.sql",
        socket.display()
    );
    assert!(run("sh", &["-c", &stock], dir).status.success());
    let plain = SqlText::open(&dir.join("stock.sql")).unwrap();
    let plain: SqlText<Surveyed> = plain.survey(&StopToken::new(), &()).unwrap();
    sql(CHANGE);
    let old = portrait(&socket, "shop");
    let bench = Bench::new(server.options());
    let views = || -> BTreeSet<String> {
        let found = "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'shop'";
        sql(found).lines().map(str::to_owned).collect()
    };
    let all = [
        "by_invoker",
        "by_lost",
        "calls",
        "of_function",
        "of_table",
        "on_by_invoker",
        "on_by_lost",
        "on_of_table",
        "plain",
    ];

    for (lose, back, gone) in [
        ("DO 1", "DO 1", &[][..]),
        (
            "RENAME TABLE beside.t TO beside.u",
            "RENAME TABLE beside.u TO beside.t",
            &["of_table", "on_of_table"],
        ),
        (
            "DROP FUNCTION beside.f",
            "CREATE FUNCTION beside.f(n INT) RETURNS INT DETERMINISTIC RETURN n",
            &["of_function"],
        ),
        (
            "DROP USER lost@localhost",
            "CREATE USER lost@localhost; GRANT ALL ON *.* TO lost@localhost",
            &["calls", "on_by_lost"],
        ),
    ] {
        sql(lose);
        // What the stock client does with the stock tool's dump.
        sql("CREATE OR REPLACE DATABASE trial");
        let load = format!(
            "sed 's/`shop`/`trial`/g' stock.sql | mariadb --no-defaults -uroot -S {} trial",
            socket.display()
        );
        let status = run("sh", &["-c", &load], dir).status;
        assert_eq!(status.success(), gone.is_empty(), "{lose}");
        sql("DROP DATABASE trial");

        for text in [&of_archive(&path), &plain] {
            let mut policy = policy("shop");
            let plan = bench.plan(&policy, text);
            assert_eq!(plan.refusals.is_empty(), gone.is_empty(), "{plan:?}");
            if !gone.is_empty() {
                let refusal = &plan.refusals[0];
                assert_eq!(
                    (refusal.accept, plan.refusals.len()),
                    (Some(Accept::Views), 1)
                );
                for view in gone {
                    assert!(refusal.what.contains(&format!("{view} (")), "{refusal}");
                }
                let error = bench.run(&policy, text).unwrap_err();
                assert!(matches!(error, RestoreError::Refused { .. }), "{error:?}");
                assert_eq!(databases(&socket, "shop"), ["shop"]);
            }
            policy.accept.insert(Accept::Views);
            let report = bench.run(&policy, text).unwrap();
            let expected: BTreeSet<String> = all
                .iter()
                .filter(|view| !gone.contains(view))
                .map(|view| (*view).to_owned())
                .collect();
            assert_eq!(views(), expected, "{lose}");
            for view in gone {
                let said = format!("view {view} is left out: ");
                assert!(
                    report.warnings.iter().any(|w| w.starts_with(&said)),
                    "{report:?}"
                );
            }
            assert_eq!(sql("SELECT a FROM shop.on_by_invoker"), "5\n");
            // It is as the server has it of its own accord: useless until the account is back.
            if gone.contains(&"calls") {
                sql(back);
                assert_eq!(sql("SELECT a FROM shop.by_lost"), "5\n");
                sql(lose);
            }
            let run = report.run.unwrap();
            bench.restore(None).undo(run).unwrap();
            same(&portrait(&socket, "shop"), &old);
            bench.restore(None).forget(run).unwrap();
        }
        sql(back);
    }

    // With the whole database lost, what its views name of it comes with them.
    for text in [&of_archive(&path), &plain] {
        sql("DROP DATABASE shop");
        let run = bench.run(&policy("shop"), text).unwrap().run.unwrap();
        assert_eq!(views(), all.map(str::to_owned).into());
        assert_eq!(sql("SELECT a FROM shop.on_of_table"), "1\n");
        bench.restore(None).forget(run).unwrap();
    }
}

/// The live database has a view of an account that is lost, and so has the text: both ways lead to
/// the one that belongs there.
#[test]
fn a_view_of_a_lost_account_comes_and_goes_like_others() {
    let server = PrivateServer::start().unwrap();
    let socket = server.socket().to_owned();
    let sql = |sql: &str| mariadb(&socket, "", sql);
    sql(
        "CREATE USER lost@localhost; GRANT ALL ON *.* TO lost@localhost; CREATE DATABASE shop; USE shop; \
         CREATE TABLE x (a INT PRIMARY KEY, b INT); INSERT INTO x VALUES (5, 6); \
         CREATE DEFINER=lost@localhost VIEW v AS SELECT a FROM x",
    );
    let (_world, path) = backup(&server.options(), &["shop"], Container::TarZst);
    sql("CREATE OR REPLACE DEFINER=lost@localhost VIEW shop.v AS SELECT b FROM shop.x");
    sql("DROP USER lost@localhost");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let made = || sql("SHOW CREATE VIEW shop.v").contains("`x`.`b`");
    assert!(made());
    let report = bench.run(&policy("shop"), &text).unwrap();
    assert!(!made());
    let run = report.run.unwrap();
    bench.restore(None).undo(run).unwrap();
    assert!(made());
    sql("CREATE USER lost@localhost; GRANT ALL ON *.* TO lost@localhost");
    assert_eq!(sql("SELECT b FROM shop.v"), "6\n");
}
