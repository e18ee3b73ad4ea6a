//! An archive of several databases: each is restored by a command of its own, and a restore of one
//! that died goes on with that one.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::backup::archives;
use crate::backup_server::{old, site, sql};

#[test]
fn resume_takes_the_database_that_was_being_restored() {
    let (site, server) = site();
    sql(
        &server,
        "CREATE DATABASE pandora_history; CREATE TABLE pandora_history.tagente_datos (a INT, t TEXT); \
         INSERT INTO pandora_history.tagente_datos SELECT seq, REPEAT('x', 300) FROM pandora_history.seq_1_to_20000",
    );
    let options = site.path("backup.cnf");
    let database =
        |name| format!("[[profile.database]]\nname = '{name}'\noption_file = {options:?}\n");
    site.configure(&(database("pandora") + &database("pandora_history")));
    let said = site.run(&["create"]);
    assert_eq!(said.code, 0, "{said:?}");
    let archive = archives(&site.path("archives")).remove(0);
    let name = archive.to_str().unwrap();
    let sums = || {
        sql(
            &server,
            "CHECKSUM TABLE pandora_history.tagente_datos EXTENDED",
        )
    };
    let whole = sums();
    sql(&server, "TRUNCATE pandora_history.tagente_datos");
    let history = [
        "--database",
        "pandora_history",
        "--to-database",
        "pandora_history",
    ];
    let args = [&["restore", name][..], &history].concat();
    let mut child = site
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("] load")));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was done already");
    // Rows are still to be loaded, and the text is needed.
    let said = site.run(&["resume"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--from"), "{said:?}");
    let said = site.run(&["resume", "--from", name]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(sums(), whole);
    assert_eq!(site.run(&["undo"]).code, 0);
    let rows = sql(
        &server,
        "SELECT COUNT(*) FROM pandora_history.tagente_datos",
    );
    assert_eq!(rows.trim(), "0");
}

/// The product's history database is in the archive with the other, and comes back by itself.
#[test]
fn the_history_database_comes_back_by_a_command_of_its_own() {
    let (site, server) = site();
    sql(
        &server,
        "CREATE DATABASE pandora_history; CREATE TABLE pandora_history.tagente_datos (id_agente_modulo INT, datos DOUBLE, utimestamp BIGINT, KEY (utimestamp)); \
         INSERT INTO pandora_history.tagente_datos SELECT seq % 7, seq / 3, seq FROM pandora_history.seq_1_to_9000; \
         CREATE TRIGGER pandora_history.t BEFORE INSERT ON pandora_history.tagente_datos FOR EACH ROW SET NEW.datos = NEW.datos; \
         UPDATE pandora.tconfig SET value = '1' WHERE token = 'history_db_enabled'",
    );
    let (socket, port) = (server.socket().display(), server.port());
    for (token, value) in [
        ("history_db_host", "127.0.0.1".to_owned()),
        ("history_db_port", port.to_string()),
        ("history_db_name", "pandora_history".to_owned()),
        ("history_db_user", "product".to_owned()),
        ("history_db_pass", "x".to_owned()),
    ] {
        let add = format!("INSERT INTO pandora.tconfig VALUES ('{token}', '{value}')");
        sql(&server, &add);
    }
    // An administrator of both, by the address that the product knows.
    sql(
        &server,
        "CREATE USER admin@'%' IDENTIFIED BY 'x'; GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION",
    );
    let options = format!("[client]\nuser=admin\npassword=x\nhost=127.0.0.1\nport={port}\n");
    site.write("tcp.cnf", &options);
    let args = ["--history", "--option-file", "tcp.cnf"];
    let said = site.run(&old("pandora_console", &args));
    assert_eq!(said.code, 0, "{said:?}");
    let archive = archives(&site.path("dest")).remove(0);
    let name = archive.to_str().unwrap();
    let state = || {
        let dump = format!(
            "mariadb-dump --no-defaults -uroot -S {socket} --skip-comments --skip-extended-insert --triggers \
             --databases pandora pandora_history | sort"
        );
        site.shell(&dump)
    };
    let whole = state();
    sql(
        &server,
        "DELETE FROM pandora_history.tagente_datos WHERE utimestamp > 4; DROP TRIGGER pandora_history.t; \
         DELETE FROM pandora.tagente_datos WHERE utimestamp > 9",
    );
    let gone = state();
    let here = ["-c", "pandora_console", "--option-file", "tcp.cnf"];
    let history = [
        "--database",
        "pandora_history",
        "--to-database",
        "pandora_history",
    ];
    let main = [&["restore", name][..], &here].concat();
    let said = site.run(&main);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        sql(
            &server,
            "SELECT COUNT(*) FROM pandora_history.tagente_datos"
        )
        .trim(),
        "4"
    );
    let said = site.run(&[&main[..], &history].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(state(), whole);
    // Taken back one by one, the newest first.
    for _ in 0..2 {
        let said = site.run(&[&["undo"][..], &here].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let said = site.run(&[&["forget"][..], &here].concat());
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(state(), gone);
}
