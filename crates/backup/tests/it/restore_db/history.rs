//! Tables that keep the history of their rows.

use elpis_backup::archive::Container;

use super::{Bench, backup, mariadb, of_archive, policy, server};

const ALL: &str = "SELECT x, y FROM h FOR SYSTEM_TIME ALL ORDER BY x, y";

#[test]
fn a_history_stays_with_the_old_table_and_comes_back_with_it() {
    let server = server();
    let socket = server.socket();
    mariadb(socket, "", "CREATE DATABASE versioned");
    mariadb(
        socket,
        "versioned",
        "CREATE TABLE h (x INT PRIMARY KEY, y INT) WITH SYSTEM VERSIONING;
         CREATE TABLE own (x INT PRIMARY KEY,
            s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END,
            PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING;
         INSERT INTO h VALUES (1, 1), (2, 2); UPDATE h SET y = 3 WHERE x = 1; DELETE FROM h WHERE x = 2;
         INSERT INTO own (x) VALUES (1), (2); DELETE FROM own WHERE x = 2",
    );
    let before = mariadb(socket, "versioned", ALL);
    assert_eq!(before, "1\t1\n1\t3\n2\t2\n");
    let (_world, path) = backup(&server.options(), &["versioned"], Container::TarGz);
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let plan = bench.plan(&policy("versioned"), &text);
    for table in ["h", "own"] {
        let told = format!("table {table} of versioned keeps the history of its rows");
        let is_told = plan.warnings.iter().any(|said| said.starts_with(&told));
        assert!(is_told, "{:?}", plan.warnings);
    }
    let report = bench.restore(None).run(&plan, &text).unwrap();
    assert_eq!(mariadb(socket, "versioned", ALL), "1\t3\n");
    assert_eq!(mariadb(socket, &report.old, ALL), before);
    // It goes on from here.
    mariadb(socket, "versioned", "UPDATE h SET y = 4");
    assert_eq!(mariadb(socket, "versioned", ALL), "1\t3\n1\t4\n");
    bench.restore(None).undo(report.run.unwrap()).unwrap();
    assert_eq!(mariadb(socket, "versioned", ALL), before);
}
