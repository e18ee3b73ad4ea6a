//! So many tables that the server does not take the statement that exchanges them.

use elpis_backup::archive::Container;
use elpis_backup::restore::{Live, RestoreError};
use elpis_mysql::PrivateServer;

use super::{Bench, backup, causes, databases, mariadb, of_archive, policy, portrait, same};

const TABLES: usize = 50;

fn set_packet(server: &PrivateServer, bytes: u64) {
    let sql = format!("SET GLOBAL max_allowed_packet = {bytes}");
    mariadb(server.socket(), "", &sql);
}

#[test]
fn a_statement_that_is_too_long_is_known_beforehand_to_the_kilobyte() {
    let server = PrivateServer::builder()
        .arg("--innodb-flush-log-at-trx-commit=0")
        .arg("--skip-log-bin")
        .start()
        .unwrap();
    let socket = server.socket();
    mariadb(socket, "", "CREATE DATABASE many");
    let name = |n: usize| format!("`{n}_{}`", "x".repeat(58));
    let tables: Vec<String> = (0..TABLES)
        .map(|n| format!("CREATE TABLE {} (a INT)", name(n)))
        .collect();
    mariadb(socket, "many", &tables.join(";"));
    mariadb(
        socket,
        "many",
        &format!("INSERT INTO {} VALUES (1)", name(7)),
    );
    let before = portrait(socket, "many");
    let (_world, path) = backup(&server.options(), &["many"], Container::TarGz);
    mariadb(
        socket,
        "many",
        &format!("INSERT INTO {} VALUES (2)", name(7)),
    );
    let changed = portrait(socket, "many");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());

    // Far too small, and what is needed is told.
    set_packet(&server, 8 << 10);
    let RestoreError::Refused { refusals } = bench.run(&policy("many"), &text).unwrap_err() else {
        panic!("not refused");
    };
    let [refusal] = refusals.as_slice() else {
        panic!("{refusals:?}");
    };
    let told = refusal
        .what
        .split("SET GLOBAL max_allowed_packet = ")
        .nth(1);
    let needed = told.unwrap().split(',').next().unwrap();
    let needed: u64 = needed.parse().unwrap();
    assert!(needed > 8 << 10, "{refusal:?}");
    assert_eq!(databases(socket, "many"), ["many"]);
    same(&portrait(socket, "many"), &changed);

    // One kilobyte less since the plan: found out before anything is stopped.
    set_packet(&server, needed);
    let plan = bench.plan(&policy("many"), &text);
    assert!(plan.refusals.is_empty(), "{plan:?}");
    set_packet(&server, needed - 1024);
    let error = bench.restore(None).run(&plan, &text).unwrap_err();
    let said = causes(&error);
    assert!(
        said.contains(&format!("max_allowed_packet = {needed}")),
        "{said}"
    );
    let RestoreError::Interrupted { run, live, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(live, Live::Old);
    same(&portrait(socket, "many"), &changed);

    // As told, it works, there and back.
    set_packet(&server, needed);
    bench.restore(None).resume(run, Some(&text)).unwrap();
    same(&portrait(socket, "many"), &before);
    bench.restore(None).undo(run).unwrap();
    same(&portrait(socket, "many"), &changed);
}
