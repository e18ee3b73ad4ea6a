//! Everything that must not happen: what is no archive, or none that would work, changes nothing.

use std::path::{Path, PathBuf};

use super::{ADMIN, Case, Live};
use crate::backup::{Site, archives};
use crate::backup_server::{config_php, site};

/// A backup of the files alone.
#[track_caller]
fn of_files(site: &Site) -> PathBuf {
    let said = site.run(&["-c", "pandora_console", "-d", "dest", "-b"]);
    assert_eq!(said.code, 0, "{said:?}");
    archives(&site.path("dest")).remove(0)
}

/// Puts them back.
fn back(archive: &Path) -> [&str; 6] {
    let archive = archive.to_str().unwrap();
    ["restore", archive, "-f", "-b", "-c", "pandora_console"]
}

/// A missing archive is an error, whatever the arguments look like, and never a backup.
#[test]
fn an_archive_that_is_not_there_is_an_error_and_never_a_backup() {
    let case = Case::new();
    for args in [
        &["-c", "pandora_console", "-s", "no.tar.gz"][..],
        &["-c", "pandora_console", "-s", "no.tar.gz", "-f"],
        &["-c", "pandora_console", "-s", "/no/such/dir/no.tar.gz"],
        &["restore", "no.tar.gz", "--target", "dest"],
        &["restore", "-s", "no.tar.gz", "-c", "pandora_console"],
    ] {
        let said = case.site.run(&[args, &ADMIN].concat());
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.err.contains("hint: "), "{said:?}");
    }
    assert_eq!(archives(&case.site.path("dest")).len(), 1);
    assert!(archives(case.site.dir.path()).is_empty());
    let both = ["-c", "pandora_console", "-s", case.name(), "-d", "dest"];
    assert_eq!(case.site.run(&both).code, 2);
    assert_eq!(case.site.run(&["-s", case.name()]).code, 2);
    assert_eq!(case.site.run(&["restore", "-f"]).code, 2);
    let nothing = ["-c", "pandora_console", "-s", case.name(), "-b"];
    assert_eq!(case.site.run(&nothing).code, 3);
    case.expect(Live, Live);
}

/// Truncated, flipped, emptied: refused, and everything is as it was.
#[test]
fn a_broken_archive_changes_nothing() {
    let case = Case::new();
    let whole = std::fs::read(&case.archive).unwrap();
    let broken = case.site.path("broken_backup_2026-01-01-00-00-00.tar.gz");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [
        &whole[..whole.len() - 1],
        &whole[..whole.len() / 2],
        &whole[..100],
        &[],
        &flipped,
    ] {
        std::fs::write(&broken, bytes).unwrap();
        let args = [
            "restore",
            broken.to_str().unwrap(),
            "-f",
            "-c",
            "pandora_console",
        ];
        let said = case.site.run(&[&args[..], &ADMIN].concat());
        assert_eq!(said.code, 7, "{said:?}");
    }
    case.expect(Live, Live);
    assert_eq!(case.leftovers(), [""; 0]);
}

/// A configuration that the product could not read is not put into its place.
#[test]
fn files_that_would_not_work_are_refused_with_the_database() {
    let (site, server) = site();
    site.write("pandora_console/include/config.php", "<?php // lost\n");
    let archive = of_files(&site);
    site.write(
        "pandora_console/include/config.php",
        &config_php("127.0.0.1", server.port()),
    );
    let said = site.run(&back(&archive));
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.err.contains("would not work as it is in the archive"),
        "{said:?}"
    );
    let now = std::fs::read_to_string(site.path("pandora_console/include/config.php")).unwrap();
    assert_eq!(now, config_php("127.0.0.1", server.port()));
}

#[test]
fn a_dry_run_shows_both_plans_and_changes_nothing() {
    let case = Case::new();
    let args = [
        "restore",
        case.name(),
        "-f",
        "--mirror",
        "-c",
        "pandora_console",
        "--dry-run",
    ];
    let said = case.site.run(&[&args[..], &ADMIN].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("database pandora:"), "{said:?}");
    assert!(
        said.out.contains("[DIR]/pandora_console/later.txt"),
        "{said:?}"
    );
    let json = case
        .site
        .run(&[&args[..], &ADMIN, &["--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["files"]["roots"][0]["component"], "console");
    assert_eq!(json["files"]["roots"][0]["extra"], 1);
    assert_eq!(json["database"]["policy"]["database"], "pandora");
    case.expect(Live, Live);
    assert_eq!(case.leftovers(), [""; 0]);
    assert!(!case.site.path("state/elpis").join("restore.lock").exists());
}

/// A link that leads out of its tree and is not there now may be a trap: only by its name.
#[test]
fn a_link_out_of_the_tree_is_taken_by_its_name() {
    let case = Case::new();
    let link = case.site.path("pandora_console/out");
    std::os::unix::fs::symlink("/var/spool", &link).unwrap();
    let archive = of_files(&case.site);
    std::fs::remove_file(&link).unwrap();
    let args = back(&archive);
    let said = case.site.run(&args);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("1 links lead out"), "{said:?}");
    assert!(link.symlink_metadata().is_err());
    let said = case
        .site
        .run(&[&args[..], &["--accept", "outside-links"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    // What is done is said before it is done.
    let plan = said.err.find("console: ").unwrap();
    assert!(
        said.err[plan..].contains("to [DIR]/pandora_console"),
        "{said:?}"
    );
    let leads = std::fs::read_link(&link).unwrap();
    assert_eq!(leads, std::path::Path::new("/var/spool"));
}
