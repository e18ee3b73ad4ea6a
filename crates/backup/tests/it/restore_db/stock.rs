//! Dumps of the stock tool, and archives of the old script.

use std::path::Path;
use std::process::Command;

use elpis_backup::archive::Container;
use elpis_backup::restore::{Grants, RestoreError, SqlText, TextError};
use elpis_run::StopToken;

use super::{
    Bench, CHANGES, backup, causes, create, databases, load, mariadb, of_archive, policy, portrait,
    same, server,
};
use crate::support::sh;

fn dump(socket: &Path, name: &str, to: &Path, more: &str) {
    let script = format!(
        "mariadb-dump --no-defaults -uroot -S {} --routines --events {more} {name} > {}",
        socket.display(),
        to.display()
    );
    sh("sh", &["-c", &script], Path::new("/"));
}

#[test]
fn dumps_of_the_stock_tool_come_back_packed_or_not() {
    let server = server();
    let socket = server.socket();
    create(socket, "stock");
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("stock.sql");
    // With USE, without it, and rows one by one with bytes as they are.
    for (round, more) in [
        "--databases",
        "--hex-blob",
        "--skip-extended-insert --single-transaction",
    ]
    .into_iter()
    .enumerate()
    {
        let first = portrait(socket, "stock");
        dump(socket, "stock", &plain, more);
        let path = match round {
            0 => plain.clone(),
            1 => {
                sh("gzip", &["-kf", "stock.sql"], dir.path());
                dir.path().join("stock.sql.gz")
            }
            _ => {
                sh("zstd", &["-qkf", "stock.sql"], dir.path());
                dir.path().join("stock.sql.zst")
            }
        };
        mariadb(
            socket,
            "stock",
            "DELETE FROM samples; DROP VIEW z_base, a_on_view; DROP TRIGGER a_second; DROP TABLE raw",
        );
        let text = SqlText::open(&path)
            .unwrap()
            .survey(&StopToken::new(), &())
            .unwrap();
        let bench = Bench::new(server.options());
        let plan = bench.plan(&policy("stock"), &text);
        assert!(
            plan.warnings.iter().any(|w| w.contains("counted")),
            "{:?}",
            plan.warnings
        );
        let report = bench.restore(None).run(&plan, &text).unwrap();
        same(&portrait(socket, "stock"), &first);
        let restore = bench.restore(None);
        restore.forget(report.run.unwrap()).unwrap();
        assert_eq!(databases(socket, "stock"), ["stock"]);
    }
}

#[test]
fn our_own_dump_loads_alike_with_the_stock_client_and_with_us() {
    let server = server();
    let socket = server.socket();
    create(socket, "alike");
    mariadb(socket, "alike", CHANGES);
    let (_world, path) = backup(&server.options(), &["alike"], Container::TarGz);
    let dir = tempfile::tempdir().unwrap();
    sh("tar", &["xzf", path.to_str().unwrap()], dir.path());
    let sql = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let sql = sql
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "sql"))
        .unwrap();
    mariadb(
        socket,
        "",
        "CREATE DATABASE byclient CHARACTER SET utf8mb4; SET GLOBAL event_scheduler = OFF",
    );
    load(socket, "byclient", &sql);
    mariadb(socket, "", "SET GLOBAL event_scheduler = ON");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    bench.run(&policy("byus"), &text).unwrap();
    same(&portrait(socket, "byus"), &portrait(socket, "byclient"));
}

#[test]
fn an_archive_of_the_old_script_comes_back() {
    let server = server();
    let socket = server.socket();
    create(socket, "script");
    let first = portrait(socket, "script");
    let dir = tempfile::tempdir().unwrap();
    let name = "pandorafms_backup_2026-11-21-19-00-00";
    dump(
        socket,
        "script",
        &dir.path().join(format!("{name}.sql")),
        "",
    );
    std::fs::create_dir_all(dir.path().join("etc/pandora")).unwrap();
    std::fs::write(
        dir.path().join("etc/pandora/pandora_server.conf"),
        "dbname script\n",
    )
    .unwrap();
    sh(
        "sh",
        &["-c", &format!("tar zcf {name}.tar.gz *.sql etc")],
        dir.path(),
    );
    mariadb(socket, "script", CHANGES);
    let text = of_archive(&dir.path().join(format!("{name}.tar.gz")));
    let bench = Bench::new(server.options());
    bench.run(&policy("script"), &text).unwrap();
    same(&portrait(socket, "script"), &first);
}

#[test]
fn texts_that_do_more_than_a_dump_change_nothing() {
    let server = server();
    let socket = server.socket();
    create(socket, "hostile");
    let before = portrait(socket, "hostile");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.sql");
    let good = "CREATE TABLE t (a TEXT);\nINSERT INTO t VALUES ('x');\n";
    for bad in [
        "\\! touch /tmp/elpis-was-here\n",
        "system touch /tmp/elpis-was-here\n;",
        "source /etc/passwd\n;",
        "DROP DATABASE hostile; DELETE FROM hostile.parent;",
        "INSERT INTO hostile.parent VALUES (99, 'x');",
        "INSERT INTO t VALUES ('x);\n",
        "SET GLOBAL read_only = 1;",
        "GRANT ALL ON *.* TO evil@'%';",
        "CREATE TABLE t2 (a INT); /* ",
        "USE a; USE b;",
    ] {
        std::fs::write(&path, format!("{good}{bad}\n-- Dump completed\n")).unwrap();
        let text = SqlText::open(&path).unwrap();
        assert!(text.survey(&StopToken::new(), &()).is_err(), "{bad}");
    }
    std::fs::write(&path, good).unwrap();
    let text = SqlText::open(&path).unwrap().survey(&StopToken::new(), &());
    assert!(matches!(text, Err(TextError::Incomplete)));
    assert_eq!(databases(socket, "hostile"), ["hostile"]);
    assert!(!Path::new("/tmp/elpis-was-here").exists());
    same(&portrait(socket, "hostile"), &before);
}

#[test]
fn accounts_that_another_host_lacks_are_told_or_made() {
    let there = server();
    let socket = there.socket();
    create(socket, "moving");
    mariadb(
        socket,
        "",
        "CREATE USER 'app'@'10.%' IDENTIFIED BY 's3cret'; GRANT ALL ON moving.* TO 'app'@'10.%'",
    );
    let (_world, path) = backup(&there.options(), &["moving"], Container::TarZst);
    let here = elpis_mysql::PrivateServer::start().unwrap();
    let text = of_archive(&path);
    let bench = Bench::new(here.options());
    let report = bench.run(&policy("moving"), &text).unwrap();
    let told = format!("{:?}", report.missing_grants);
    assert!(
        told.contains("account `app`@`10.%`") && told.contains("ON `moving`.*"),
        "{told}"
    );
    assert!(!told.contains('*') || !told.contains("PASSWORD"), "{told}");
    let mut policy = policy("moving");
    policy.grants = Grants::Apply;
    let report = bench.run(&policy, &text).unwrap();
    assert_eq!(report.missing_grants, [""; 0]);
    let output = Command::new("mariadb")
        .args(["--no-defaults", "-uroot", "-N", "-S"])
        .arg(here.socket())
        .args(["-e", "SHOW GRANTS FOR 'app'@'10.%'"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("`moving`.*"));
    let again = bench.restore(None).undo(elpis_run::RunId(99)).unwrap_err();
    assert!(
        matches!(again, RestoreError::Journal(_)),
        "{}",
        causes(&again)
    );
}
