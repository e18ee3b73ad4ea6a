//! `elpis-backup` as its users see it: the verbs on an installation of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use elpis_backup::LocalStore;
use elpis_run::{Clock, Holder, RealClock};

use crate::harness::Said;

/// A directory with an installation and its configuration, made by `demo`.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        for part in ["etc", "state", "archives"] {
            std::fs::create_dir(dir.path().join(part)).unwrap();
            chmod(&dir.path().join(part), 0o700);
        }
        let site = Site { dir };
        site.write("etc/pandora_server.conf", "dbname pandora\n");
        site.configure("");
        site
    }

    /// Writes the configuration: the directory `etc`, and `more`.
    pub(crate) fn configure(&self, more: &str) {
        let text = format!(
            "[target]\ndirectory = \"archives\"\n[state]\ndirectory = \"state\"\n\
             [profile]\nname = \"test\"\nprefix = \"test\"\n\
             [[profile.component]]\nname = \"configuration\"\npaths = [{:?}]\n{more}",
            self.path("etc")
        );
        self.write("backup.toml", &text);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        chmod(&self.path(name), 0o600);
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elpis-backup"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("TZ", "UTC")
            .env("ELPIS_BACKUP_CONFIG", self.path("backup.toml"))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.said(&self.command(args).output().unwrap())
    }

    pub(crate) fn said(&self, output: &Output) -> Said {
        let tidy = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(&self.dir.path().display().to_string(), "[DIR]")
        };
        Said {
            out: tidy(&output.stdout),
            err: tidy(&output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// The archives, the newest first.
    pub(crate) fn archives(&self) -> Vec<PathBuf> {
        archives(&self.path("archives"))
    }

    /// Everything in the target that is neither an archive nor what belongs to one.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.path("archives")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names
            .filter(|name| !name.contains("_backup_") || name.ends_with(".tmp"))
            .filter(|name| name != "SHA256SUMS" && name != ".elpis-backup.lock")
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn archives(dir: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_archive = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.contains("_backup_") && !name.starts_with('.')
    };
    let mut archives: Vec<PathBuf> = names.filter(is_archive).collect();
    archives.sort();
    archives.reverse();
    archives
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

const VERBS: [&str; 17] = [
    "create",
    "dump",
    "verify",
    "list",
    "inspect",
    "extract",
    "restore",
    "undo",
    "resume",
    "forget",
    "rehearse",
    "prune",
    "pin",
    "unpin",
    "demo",
    "completions",
    "man",
];

#[test]
fn help_of_the_binary_and_of_every_verb() {
    let site = Site::new();
    let mut all = String::new();
    for verb in std::iter::once(None).chain(VERBS.map(Some)) {
        let args: Vec<&str> = verb.into_iter().chain(["--help"]).collect();
        let said = site.run(&args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{verb:?}");
        all.push_str(&format!(
            "$ elpis-backup {}\n{}\n",
            args.join(" "),
            said.out
        ));
    }
    insta::assert_snapshot!("backup_help", all);
}

#[test]
fn completions_and_manual_page_name_every_verb() {
    let site = Site::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = site.run(&["completions", shell]);
        assert_eq!(said.code, 0);
        assert!(VERBS.iter().all(|verb| said.out.contains(verb)), "{shell}");
    }
    let said = site.run(&["man"]);
    let plain = said.out.replace("\\-", "-");
    for verb in VERBS {
        let section = format!(".SH \"ELPIS-BACKUP {}\"", verb.to_uppercase());
        assert!(plain.contains(&section), "{verb}");
    }
}

#[test]
fn the_demo_goes_through_and_leaves_a_configuration_that_works() {
    let site = Site::new();
    let dir = site.path("demo");
    let dir = dir.to_str().unwrap();
    let said = site.run(&["demo", "--keep", dir, "--rows", "20000"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err.contains("compared: every file is what it was"),
        "{said:?}"
    );
    let config = format!("{dir}/backup.toml");
    let again = site.run(&["--config", &config, "create"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("complete, verified"), "{again:?}");
    let list = site.run(&["--config", &config, "list", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let taken = site.run(&["demo", "--keep", dir]);
    assert_eq!(taken.code, 3, "{taken:?}");
}

#[test]
fn one_archive_from_create_to_prune() {
    let site = Site::new();
    let dry = site.run(&["create", "--dry-run"]);
    assert_eq!((dry.code, site.archives().len()), (0, 0), "{dry:?}");
    let said = site.run(&["create", "--container", "tar.gz"]);
    assert_eq!(said.code, 0, "{said:?}");
    let path = site.archives().remove(0);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(
        name.starts_with("test_backup_") && name.ends_with(".tar.gz"),
        "{name}"
    );
    assert!(
        said.err.contains(&format!("[BACKUP] run 1: {name}")),
        "{said:?}"
    );

    let said = site.run(&["verify"]);
    assert!(said.code == 0 && said.out.contains("whole"), "{said:?}");
    let said = site.run(&["inspect", &name, "--members"]);
    assert!(
        said.out.contains("pandora_server.conf") && said.out.contains("profile test"),
        "{said:?}"
    );
    let said = site.run(&["extract", &name, "out"]);
    assert_eq!(said.code, 0, "{said:?}");
    let member = site
        .path("out")
        .join(site.path("etc").strip_prefix("/").unwrap());
    let text = std::fs::read_to_string(member.join("pandora_server.conf")).unwrap();
    assert_eq!(text, "dbname pandora\n");
    assert_eq!(site.run(&["extract", &name, "out"]).code, 3);
    assert_eq!(
        site.run(&["extract", &name, "o2", "--only", "no/such"])
            .code,
        2
    );

    for _ in 0..3 {
        assert_eq!(site.run(&["create", "--quiet", "--no-verify"]).code, 0);
    }
    assert_eq!(site.run(&["pin", &name, "--why", "the first"]).code, 0);
    let dry = site.run(&["prune", "--keep-last", "1", "--dry-run"]);
    assert_eq!((dry.code, site.archives().len()), (0, 4), "{dry:?}");
    assert!(dry.out.contains("pinned: the first"), "{dry:?}");
    let said = site.run(&["prune", "--keep-last", "1", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (said.code, &report["removed"]),
        (0, &serde_json::json!(2)),
        "{said:?}"
    );
    assert_eq!(site.archives().len(), 2);
    assert_eq!(site.run(&["unpin", &name]).code, 0);
    let none = site.run(&["prune"]);
    assert_eq!(none.code, 2, "no rules: {none:?}");
}

#[test]
fn events_are_json_lines_and_the_last_is_the_report() {
    let site = Site::new();
    let said = site.run(&["create", "--format", "json"]);
    let events: Vec<serde_json::Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "started");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["complete"]),
        (&"finished".into(), &true.into())
    );
    assert_eq!(said.err, "");
    let verified = site.run(&["verify", "--all", "--format", "json"]);
    let verified: serde_json::Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!(verified[0]["whole"], true);
}

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

/// Some work that takes a second or two even on a fast machine.
pub(crate) fn much_work(site: &Site) {
    let mut random = fastrand::Rng::with_seed(9);
    for n in 0..40 {
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(1 << 20)
            .collect();
        std::fs::write(site.path(&format!("etc/noise-{n}")), noise).unwrap();
    }
}

#[test]
fn a_signal_ends_it_soon_with_130_and_nothing_is_left() {
    let site = Site::new();
    much_work(&site);
    for signal in ["INT", "TERM"] {
        let child = site
            .command(&["create"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while site.leftovers().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never began");
            std::thread::sleep(Duration::from_millis(1));
        }
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        let said = site.said(&output);
        assert_eq!(said.code, 130, "{signal}: {said:?}");
        assert_eq!(
            (site.archives().len(), site.leftovers()),
            (0, Vec::new()),
            "{said:?}"
        );
    }
}
