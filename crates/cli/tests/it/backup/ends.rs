//! What ends otherwise than with 0, and what is said then.

use std::path::Path;
use std::process::Command;

use elpis_backup::LocalStore;
use elpis_run::{Clock, Holder, RealClock};

use super::{Site, chmod};

#[test]
fn wrong_use_is_2_and_says_what_to_do() {
    let site = Site::new();
    for args in [
        &[][..],
        &["-c", "/x"],
        &["-d", "/x"],
        &["-b"],
        &["-c", "/x", "-d", "/y", "-s", "/z"],
        &["-c", "/x", "-d", "/y", "create"],
        &["nonsense"],
        &["list", "--max-age", "soon"],
        &["create", "--container", "zip"],
        &["create", "--target", "/no/such/dir"],
        &["verify", "no_backup_2026-01-01-00-00-00.tar.gz"],
        &["--config", "/no/such/file", "list"],
        &["pin", "notes.txt", "--why", "x"],
    ] {
        let said = site.run(args);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(
            !said.err.is_empty() && said.out.is_empty(),
            "{args:?}: {said:?}"
        );
    }
    site.write("backup.toml", "[profile]\nname = 'x'\n");
    let said = site.run(&["create"]);
    assert!(said.code == 2 && said.err.contains("line 1"), "{said:?}");
    site.write("backup.toml", "[target]\ndirectory = 'archives'\n");
    let said = site.run(&["create"]);
    assert!(
        said.code == 2 && said.err.contains("hint: write [profile]"),
        "{said:?}"
    );
}

/// `/dev/shm` is a file system of its own; where the test's directory lies is not.
#[test]
fn a_target_that_is_not_mounted_is_refused() {
    let site = Site::new();
    let device = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).unwrap().dev()
    };
    let mounted = tempfile::tempdir_in("/dev/shm").unwrap();
    let beside = tempfile::tempdir_in("/var/tmp").unwrap();
    let root = device(Path::new("/"));
    assert_ne!(device(mounted.path()), root);
    assert_eq!(
        device(beside.path()),
        root,
        "/var/tmp is a file system of its own"
    );
    let config = std::fs::read_to_string(site.path("backup.toml")).unwrap();
    for (target, is_demanded, code) in [
        (beside.path(), true, 3),
        (beside.path(), false, 0),
        (mounted.path(), true, 0),
    ] {
        let target = format!("[target]\nmounted = {is_demanded}\ndirectory = {target:?}\n");
        site.write(
            "backup.toml",
            &config.replace("[target]\ndirectory = \"archives\"\n", &target),
        );
        let looked = site.run(&["create", "--dry-run"]);
        let said = site.run(&["create"]);
        assert_eq!(
            (looked.code, said.code),
            (code, code),
            "{looked:?} {said:?}"
        );
        let is_said =
            said.err.contains("must be mounted") && looked.out.contains("must be mounted");
        assert_eq!(is_said, code == 3, "{looked:?} {said:?}");
    }
}

#[test]
fn two_at_a_time_is_6_and_names_the_other() {
    let site = Site::new();
    let store = LocalStore::open(&site.path("archives")).unwrap();
    let holder = Holder::current("the other one", RealClock::new().now());
    let lock = store.lock(&holder).unwrap();
    for args in [&["create"][..], &["prune", "--keep-last", "1"]] {
        let said = site.run(args);
        assert_eq!(said.code, 6, "{said:?}");
        assert!(said.err.contains("the other one"), "{said:?}");
    }
    drop(lock);
    assert_eq!(site.run(&["create"]).code, 0);
}

#[test]
fn a_partial_backup_is_7_and_lists_what_is_missing() {
    let site = Site::new();
    site.configure(
        "[[profile.component]]\nname = 'memory'\npaths = ['/proc/self/mem', '/no/such']\n",
    );
    let said = site.run(&["create"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.out.contains("unreadable: /proc/self/mem"), "{said:?}");
    assert!(said.out.contains("missing: /no/such"), "{said:?}");
    let list = site.run(&["list"]);
    assert!(list.out.contains("partial"), "{list:?}");
    assert!(site.run(&["verify"]).out.contains("whole, but partial"));
}

/// An ordinary user backs up what it may read, and says what it may not.
#[test]
fn what_a_user_may_not_read_is_listed() {
    let site = Site::new();
    site.write("etc/secret", "for root only");
    site.configure("");
    for path in [
        ".",
        "archives",
        "state",
        "backup.toml",
        "etc",
        "etc/pandora_server.conf",
    ] {
        let owned = std::os::unix::fs::chown(site.path(path), Some(65_534), Some(65_534));
        owned.expect("this test gives files to nobody and needs root");
    }
    let binary = site.path("elpis-backup");
    std::fs::copy(env!("CARGO_BIN_EXE_elpis-backup"), &binary).unwrap();
    chmod(&binary, 0o755);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(binary)
        .arg("create")
        .env_clear()
        .env("HOME", site.dir.path())
        .env("ELPIS_BACKUP_CONFIG", site.path("backup.toml"));
    let said = site.said(&command.output().unwrap());
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.out.contains("unreadable: [DIR]/etc/secret"),
        "{said:?}"
    );
    assert!(said.out.contains("Permission denied"), "{said:?}");
    assert_eq!(site.archives().len(), 1);
}

#[test]
fn broken_archives_are_7_and_stay_known_as_broken() {
    let site = Site::new();
    assert_eq!(site.run(&["create"]).code, 0);
    let path = site.archives().remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let said = site.run(&["verify", "--all"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.out.contains("broken"), "{said:?}");
    assert!(site.run(&["list"]).out.contains("BROKEN"));
    let name = path.file_name().unwrap().to_str().unwrap();
    let said = site.run(&["extract", name, "out"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(!site.path("out").exists());
}

#[test]
fn max_age_tells_fresh_from_old_and_from_none() {
    let site = Site::new();
    assert_eq!(site.run(&["list", "--max-age", "26h"]).code, 7);
    assert_eq!(site.run(&["create", "--no-verify"]).code, 0);
    let said = site.run(&["list", "--max-age", "26h", "--quiet"]);
    assert_eq!(
        (said.code, said.out.as_str(), said.err.as_str()),
        (0, "", "")
    );
    let said = site.run(&["list", "--max-age", "26h", "--verified"]);
    assert!(
        said.code == 7 && said.err.contains("no verified archive"),
        "{said:?}"
    );
    assert_eq!(site.run(&["verify"]).code, 0);
    assert_eq!(
        site.run(&["list", "--max-age", "26h", "--verified"]).code,
        0
    );
    let path = site.archives().remove(0);
    std::fs::rename(
        &path,
        site.path("archives/test_backup_2020-01-01-00-00-00.tar.gz"),
    )
    .unwrap();
    let said = site.run(&["list", "--max-age", "26h"]);
    assert!(
        said.code == 7 && said.err.contains("old, more than 26 h"),
        "{said:?}"
    );
}
