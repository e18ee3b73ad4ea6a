//! An archive of several databases: a restore of one that died goes on with that one.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::backup::archives;
use crate::backup_server::{site, sql};

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
