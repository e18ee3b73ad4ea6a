//! `rehearse`: a trial that leaves nothing behind but its result.

use std::path::Path;

use crate::backup::Site;
use crate::backup_server::{old, site, sql};

/// The catalogue's entry of the only archive.
fn noted(site: &Site) -> serde_json::Value {
    let list = site.run(&["list", "--target", "dest", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    list[0]["note"]["rehearsed"].clone()
}

fn shell(words: &[&str]) {
    let status = std::process::Command::new(words[0])
        .args(&words[1..])
        .status();
    assert!(status.unwrap().success(), "{words:?}");
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

/// The backup, its proof, and the proof in the catalogue; the installation is not touched.
#[test]
fn an_archive_is_proved_in_a_private_server_and_the_proof_is_noted() {
    let (site, server) = site();
    // The newest data is an hour old.
    sql(
        &server,
        "INSERT INTO pandora.tagente_datos VALUES (1, 1, UNIX_TIMESTAMP() - 3600); \
         CREATE DATABASE beside; CREATE TABLE beside.t (a INT); \
         CREATE VIEW pandora.v_beside AS SELECT a FROM beside.t; \
         CREATE TABLE pandora.tusuario (id_user VARCHAR(60) PRIMARY KEY); \
         INSERT INTO pandora.tusuario VALUES ('admin')",
    );
    let said = site.run(&old("pandora_console", &["--option-file", "backup.cnf"]));
    assert_eq!(said.code, 0, "{said:?}");
    std::fs::create_dir(site.path("scratch")).unwrap();
    let rehearse = |more: &[&'static str]| {
        let args = ["rehearse", "--target", "dest", "--scratch", "scratch"];
        site.run(&[&args[..], more].concat())
    };
    let before = sql(&server, "SHOW DATABASES");
    let said = rehearse(&["--max-data-age", "2h"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("can be restored"), "{said:?}");
    for check in [
        "ok: files of console",
        "ok: database pandora: restored and compared: 60005 rows in 3 tables",
        "ok: tables: all 3 are there with all their rows",
        "ok: schema version: 7.0NG.777",
        "ok: newest data: ",
        "ok: login: admin",
    ] {
        assert!(said.out.contains(check), "{check}: {said:?}");
    }
    // What a view reads elsewhere is not in the archive, and nothing against it.
    assert!(
        said.out.contains("warning: view v_beside is left out"),
        "{said:?}"
    );
    let note = noted(&site);
    assert_eq!(note["failed"], serde_json::json!([]));
    assert!(note["restore_ms"].as_u64().unwrap() > 0);
    assert!(is_empty(&site.path("scratch")));
    assert_eq!(sql(&server, "SHOW DATABASES"), before);

    // Nothing is left to do for the nightly timer.
    let said = rehearse(&["--all"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    // Too old for somebody who expects data of the last half hour.
    let said = rehearse(&["--max-data-age", "30m"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.out.contains("FAILED: newest data"), "{said:?}");
    assert_eq!(noted(&site)["failed"], serde_json::json!(["newest data"]));

    // Without a server program: refused, or a side database that is gone afterwards.
    let none = ["--mariadbd", "/no/such/mariadbd"];
    let said = rehearse(&none);
    assert_eq!(said.code, 2, "{said:?}");
    let side = [
        "--side-database",
        "-c",
        "pandora_console",
        "--option-file",
        "backup.cnf",
    ];
    let said = rehearse(&[&none[..], &side].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("on a side database on"), "{said:?}");
    assert_eq!(sql(&server, "SHOW DATABASES"), before);
    assert!(is_empty(&site.path("scratch")));
}

/// Checksums are right, and still it cannot be restored as it should: that is what it is for.
#[test]
fn an_archive_that_is_whole_may_fail_its_rehearsal() {
    let (site, server) = site();
    site.write("pandora_console/include/config.php", "<?php // emptied\n");
    let said = site.run(&["-c", "pandora_console", "-d", "dest", "-b"]);
    assert_eq!(said.code, 0, "{said:?}");
    drop(server);
    let verified = site.run(&["verify", "--target", "dest"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let said = site.run(&["rehearse", "--target", "dest", "--format", "json"]);
    assert_eq!(said.code, 7, "{said:?}");
    let reports: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(reports[0]["checks"][0]["name"], "files of console");
    assert_eq!(reports[0]["checks"][0]["passed"], false);
    assert_eq!(
        noted(&site)["failed"],
        serde_json::json!(["files of console"])
    );
}

/// A scratch directory without room says nothing of an archive, and holds no other one up.
#[test]
fn a_rehearsal_that_cannot_be_held_is_not_noted() {
    let (site, _server) = site();
    for _ in 0..2 {
        let said = site.run(&old("pandora_console", &["--option-file", "backup.cnf"]));
        assert_eq!(said.code, 0, "{said:?}");
        // Names have seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    std::fs::create_dir(site.path("small")).unwrap();
    let small = site.path("small");
    let small = small.to_str().unwrap();
    shell(&["mount", "-t", "tmpfs", "-o", "size=24m", "elpis", small]);
    let rehearse = |more: &[&'static str]| {
        site.run(
            &[
                &["rehearse", "--target", "dest", "--scratch", "small"],
                more,
            ]
            .concat(),
        )
    };
    let (one, all) = (rehearse(&[]), rehearse(&["--all"]));
    shell(&["umount", "-l", small]);
    assert_eq!((one.code, one.out.as_str()), (4, ""), "{one:?}");
    for part in [
        "could not be held",
        "nothing is said of the archive",
        "hint: make room",
    ] {
        assert!(one.err.contains(part), "{part}: {one:?}");
    }
    assert_eq!((all.code, all.out.as_str()), (4, ""), "{all:?}");
    assert_eq!(all.err.matches(": not rehearsed: ").count(), 2, "{all:?}");
    assert_eq!(noted(&site), serde_json::Value::Null);
    // With room both are.
    let said = rehearse(&["--all"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.matches("can be restored").count(), 2, "{said:?}");
}
