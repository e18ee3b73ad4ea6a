//! `elpis-backup` as its users see it: the verbs on an installation of its own.

mod ends;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

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
