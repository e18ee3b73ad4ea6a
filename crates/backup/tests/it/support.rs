//! One test's own world: a tree to back up, a store, and the stock tools.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use elpis_backup::archive::{
    Archive, Container, Contents, Extract, Extracted, ReadLimits, Tool, Unverified, Verified,
    Verify, VerifyError,
};
use elpis_backup::profile::{Component, Profile};
use elpis_backup::{
    Backup, BackupError, BackupPlan, BackupReport, Encryption, Facts, Keys, LocalStore, Source,
};
use elpis_run::{Clock, Holder, MemoryJournal, RealClock, StopToken};
use jiff::tz::TimeZone;

/// Runs a program that must succeed, and returns what it wrote.
#[track_caller]
pub(crate) fn sh(program: &str, args: &[&str], dir: &Path) -> String {
    let output = run(program, args, dir);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub(crate) fn run(program: &str, args: &[&str], dir: &Path) -> Output {
    Command::new(program)
        .args(args)
        .current_dir(dir)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed for the tests: {error}"))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A tree with everything that a tree can have.
pub(crate) fn awkward_tree(root: &Path) {
    write(
        &root.join("include/config.php"),
        b"<?php $config[\"dbpass\"]=\"s3cr3t\";\n",
    );
    write(&root.join(".htaccess"), b"deny from all\n");
    write(&root.join("empty"), b"");
    write(
        &root.join("names/with space/\u{fc}ml\u{e4}ut.txt"),
        b"utf8\n",
    );
    use std::os::unix::ffi::OsStrExt;
    let raw = root
        .join("names")
        .join(std::ffi::OsStr::from_bytes(b"latin1-\xfc"));
    write(&raw, b"no utf8\n");
    write(&root.join("names/new\nline"), b"line\n");
    let long = "n".repeat(200);
    write(
        &root.join(format!("deep/{long}/{long}/{long}")),
        b"long name\n",
    );
    symlink(format!("deep/{long}/{long}/{long}"), root.join("long-link")).unwrap();
    symlink("include/config.php", root.join("link")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    write(&root.join("twin-a"), b"one file, two names\n");
    std::fs::hard_link(root.join("twin-a"), root.join("twin-b")).unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
        .take(6 << 20)
        .collect();
    write(&root.join("noise.bin"), &noise);
    write(&root.join("block.bin"), &noise[..512]);
    let mut sparse = std::fs::File::create(root.join("sparse.img")).unwrap();
    use std::io::Seek;
    sparse.set_len(64 << 20).unwrap();
    sparse.seek(std::io::SeekFrom::Start(32 << 20)).unwrap();
    sparse.write_all(b"an island").unwrap();
    std::fs::File::create(root.join("hole.img"))
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    std::fs::create_dir(root.join("empty-dir")).unwrap();
    for (name, mode) in [
        ("include/config.php", 0o640),
        ("empty", 0o4755),
        ("twin-a", 0o600),
    ] {
        std::fs::set_permissions(root.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    std::fs::set_permissions(root.join("names"), PermissionsExt::from_mode(0o2750)).unwrap();
    let script = "import os; os.setxattr('empty', 'user.origin', b'a\\0test'); \
                  os.setxattr('names', 'user.dir', b'yes')";
    sh("python3", &["-c", script], root);
    if is_root() {
        sh("chown", &["33:33", "include/config.php", "names"], root);
    }
    sh(
        "touch",
        &["-d", "1969-12-31T23:59:58.25Z", "block.bin"],
        root,
    );
    sh(
        "touch",
        &["-d", "2038-01-20T00:00:00.123456789Z", "empty"],
        root,
    );
    sh(
        "touch",
        &["-d", "2001-02-03T04:05:06Z", "empty-dir", "names"],
        root,
    );
}

/// Prints every extended attribute below the working directory.
const ATTRIBUTES: &str = "
import os
for top, dirs, files in os.walk(b'.'):
    for name in dirs + files:
        path = os.path.join(top, name)
        for key in os.listxattr(path, follow_symlinks=False):
            print(path, key, os.getxattr(path, key, follow_symlinks=False))
";

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What `find` and `sha256sum` say of a tree: every name with kind, mode, owner, times, links,
/// sizes and content. Directory sizes and the times of links are the file system's.
pub(crate) fn portrait(root: &Path) -> Vec<String> {
    let format = "%P|%y|%m|%U|%G|%n|%l|%T@|%s\\0";
    let listing = run("find", &[".", "-mindepth", "1", "-printf", format], root);
    assert!(listing.status.success());
    let mut lines: Vec<String> = String::from_utf8_lossy(&listing.stdout)
        .split('\0')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut fields: Vec<&str> = line.rsplitn(9, '|').collect();
            fields.reverse();
            match fields[1] {
                "d" => fields[..8]
                    .join("|")
                    .replace(&format!("|{}|", fields[5]), "|-|"),
                "l" => [fields[0], fields[1], fields[3], fields[4], fields[6]].join("|"),
                _ => line.to_owned(),
            }
        })
        .collect();
    let sums = sh(
        "sh",
        &["-c", "find . -type f -print0 | xargs -0r sha256sum"],
        root,
    );
    lines.extend(sums.lines().map(str::to_owned));
    lines.extend(
        sh("python3", &["-c", ATTRIBUTES], root)
            .lines()
            .map(str::to_owned),
    );
    lines.sort();
    lines
}

/// Two portraits are the same; if not, only what differs is shown.
#[track_caller]
pub(crate) fn compare(left: &[String], right: &[String]) {
    let missing: Vec<_> = left.iter().filter(|line| !right.contains(line)).collect();
    let extra: Vec<_> = right.iter().filter(|line| !left.contains(line)).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing {missing:#?}\nextra {extra:#?}"
    );
}

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) profile: Profile,
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) stop: StopToken,
    pub(crate) journal: MemoryJournal,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) keys: Keys,
}

impl World {
    /// With an empty tree as its only component.
    pub(crate) fn new(container: Container) -> World {
        World::in_dir(tempfile::tempdir().unwrap(), container)
    }

    /// In memory, where flushing costs nothing: for what is done a hundred times. Extended
    /// attributes may not be kept there.
    pub(crate) fn in_memory(container: Container) -> World {
        let memory = tempfile::tempdir_in("/dev/shm");
        let dir = memory.or_else(|_| tempfile::tempdir());
        World::in_dir(dir.unwrap(), container)
    }

    fn in_dir(dir: tempfile::TempDir, container: Container) -> World {
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::create_dir(dir.path().join("store")).unwrap();
        let mut profile = Profile::new("test", "test", container);
        profile.components.push(component("tree", &tree));
        World {
            dir,
            profile,
            sources: Vec::new(),
            stop: StopToken::new(),
            journal: MemoryJournal::new(),
            encryption: None,
            keys: Keys::none(),
        }
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    pub(crate) fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn store(&self) -> LocalStore {
        LocalStore::open(&self.store_dir()).unwrap()
    }

    pub(crate) fn backup(&mut self) -> Result<BackupReport, BackupError> {
        let store = self.store();
        self.backup_to(&store)
    }

    pub(crate) fn backup_to(&mut self, store: &LocalStore) -> Result<BackupReport, BackupError> {
        self.profile.check().unwrap();
        let facts = Facts::gather(&self.profile, &mut self.sources, store).unwrap();
        let plan = BackupPlan::new(&self.profile, facts);
        let clock = RealClock::new();
        let backup = Backup {
            store,
            journal: &self.journal,
            observer: std::sync::Arc::new(()),
            clock: &clock,
            zone: TimeZone::UTC,
            stop: &self.stop,
            holder: Holder::current("test", clock.now()),
            tool: Tool {
                name: "test".into(),
                version: "0".into(),
            },
            encryption: self.encryption.as_ref(),
            keys: &self.keys,
        };
        backup.run(&plan, &mut self.sources)
    }

    /// Where the tree ends up below the directory that an archive is unpacked into.
    pub(crate) fn tree_in(&self, out: &Path) -> PathBuf {
        out.join(self.tree().strip_prefix("/").unwrap())
    }
}

pub(crate) fn component(name: &str, path: &Path) -> Component {
    Component {
        name: name.to_owned(),
        paths: vec![path.to_owned()],
        exclude: Vec::new(),
        required: true,
    }
}

pub(crate) fn verify(path: &Path) -> Result<Archive<Verified>, VerifyError> {
    let archive: Archive<Unverified> = Archive::open(path)?;
    archive.verify(&Verify {
        limits: ReadLimits::default(),
        sha256: None,
        stop: &StopToken::new(),
        observer: &(),
    })
}

#[track_caller]
pub(crate) fn contents(path: &Path) -> Contents {
    verify(path).unwrap().contents().clone()
}

/// Everything that is wrong with an archive, in one text.
#[track_caller]
pub(crate) fn problems(path: &Path) -> String {
    match verify(path) {
        Ok(_) => panic!("{} is verified", path.display()),
        Err(VerifyError::Broken { problems, .. }) => problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect(),
        Err(other) => format!("{other}: {:?}", std::error::Error::source(&other)),
    }
}

#[track_caller]
pub(crate) fn extract(path: &Path, to: &Path) -> Extracted {
    let how = Extract {
        only: &[],
        outside_links: false,
        stop: &StopToken::new(),
    };
    verify(path).unwrap().extract(to, &how).unwrap()
}

/// The names in a directory, hidden ones too.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The archives in a store, by their names.
pub(crate) fn archives(dir: &Path) -> Vec<String> {
    names(dir)
        .into_iter()
        .filter(|name| name.contains("_backup_") && !name.starts_with('.'))
        .collect()
}

/// Rounds of a test that is worth repeating.
pub(crate) fn rounds(quick: u64, soak: u64) -> u64 {
    if std::env::var_os("ELPIS_SOAK").is_some() {
        soak
    } else {
        quick
    }
}
