//! What we store, restored by Debian's `restic`, which must be installed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use elpis_backup::archive::{Archive, Container, ReadLimits, Tool, Verified, Verify};
use elpis_backup::profile::Component;
use elpis_backup::{
    Backup, BackupPlan, Collected, CollectedData, DatabaseFacts, DumpSink, Facts, Intake,
    LocalStore, Part, Piece, PieceId, Profile, Source, SourceError,
};
use elpis_backup_restic::{Repository, RepositoryError};
use elpis_run::{Clock, Holder, MemoryJournal, RealClock, StopToken};
use jiff::tz::TimeZone;

/// A database whose dump is given.
struct Scripted(Vec<Vec<u8>>);

impl Source for Scripted {
    fn inspect(&mut self) -> Result<Vec<DatabaseFacts>, SourceError> {
        Ok(vec![DatabaseFacts {
            name: "monitoring".into(),
            bytes: 1,
            warnings: Vec::new(),
        }])
    }

    fn collect(&mut self, into: &Intake<'_>) -> Result<Vec<Collected>, SourceError> {
        let last = self.0.len() - 1;
        for (at, text) in self.0.iter().enumerate() {
            let id = PieceId {
                database: 0,
                part: match at {
                    0 => Part::Schema,
                    at if at == last => Part::Final,
                    _ => Part::Data,
                },
                table: 0,
                chunk: at as u32,
                database_name: "monitoring".into(),
                window: None,
                table_name: if at == 0 || at == last {
                    ""
                } else {
                    "tagente_datos"
                }
                .into(),
            };
            let mut writer = into.pieces.begin(&id)?;
            writer.write(text)?;
            writer.finish(&Piece {
                id,
                rows: 1,
                bytes: text.len() as u64,
                blake3: blake3::hash(text).to_string(),
            })?;
        }
        Ok(vec![Collected {
            name: "monitoring".into(),
            data: CollectedData::Pieces(0),
            report: serde_json::Value::Null,
            grants: None,
            warnings: Vec::new(),
        }])
    }
}

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        for part in ["tree", "store", "work"] {
            std::fs::create_dir(dir.path().join(part)).unwrap();
        }
        let password = dir.path().join("password");
        std::fs::write(&password, "open sesame\n").unwrap();
        std::fs::set_permissions(&password, PermissionsExt::from_mode(0o600)).unwrap();
        World { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn repository(&self) -> Repository {
        Repository::new(&self.path("repository"), &self.path("password")).unwrap()
    }

    /// A file with a time of its own, whatever is in it.
    fn file(&self, name: &str, bytes: &[u8]) {
        let path = self.path("tree").join(name);
        std::fs::write(&path, bytes).unwrap();
        self.run(
            "touch",
            &["-d", "2020-01-02T03:04:05Z", path.to_str().unwrap()],
        );
    }

    fn backup(&self, pieces: &[&[u8]]) -> (Archive<Verified>, String) {
        let mut profile = Profile::new("test", "test", Container::TarZst);
        profile.components.push(Component {
            name: "tree".into(),
            paths: vec![self.path("tree")],
            exclude: Vec::new(),
            required: true,
        });
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Scripted(pieces))];
        let store = LocalStore::open(&self.path("store")).unwrap();
        let facts = Facts::gather(&profile, &mut sources, &store).unwrap();
        let plan = BackupPlan::new(&profile, facts);
        let clock = RealClock::new();
        let stop = StopToken::new();
        let backup = Backup {
            store: &store,
            journal: &MemoryJournal::new(),
            observer: Arc::new(()),
            clock: &clock,
            zone: TimeZone::UTC,
            stop: &stop,
            holder: Holder::current("test", clock.now()),
            tool: Tool {
                name: "test".into(),
                version: "0".into(),
            },
            encryption: None,
            keys: &elpis_backup::Keys::none(),
        };
        let report = backup.run(&plan, &mut sources).unwrap();
        let how = Verify {
            limits: ReadLimits::default(),
            sha256: None,
            stop: &stop,
            observer: &(),
        };
        let archive = Archive::open(&report.path).unwrap().verify(&how).unwrap();
        let name = report.path.file_name().unwrap().to_str().unwrap();
        (archive, name.to_owned())
    }

    #[track_caller]
    fn run(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("RESTIC_PASSWORD_FILE", self.path("password"))
            .env("RESTIC_REPOSITORY", self.path("repository"))
            .output()
            .unwrap_or_else(|error| panic!("{program} is needed for the tests: {error}"));
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {err}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn restic(&self, args: &[&str]) -> String {
        self.run("restic", &[&["--no-cache"], args].concat())
    }

    /// What `restic` restores of the newest snapshot: the dump as one text, and a file.
    fn restored(&self, to: &str, file: &str) -> (Vec<u8>, Vec<u8>) {
        let out = self.path(to);
        self.restic(&["restore", "latest", "--target", out.to_str().unwrap()]);
        let dump = self.run(
            "sh",
            &[
                "-c",
                &format!(
                    "cat {}/.elpis-backup/databases/monitoring/*.sql",
                    out.display()
                ),
            ],
        );
        let tree = self.path("tree");
        let below = out.join(tree.strip_prefix("/").unwrap());
        (dump.into_bytes(), std::fs::read(below.join(file)).unwrap())
    }
}

fn add(world: &World, archive: &mut Archive<Verified>, name: &str) -> elpis_backup_restic::Added {
    let stop = StopToken::new();
    world
        .repository()
        .add(archive, name, &world.path("work"), &stop)
        .unwrap()
}

const SCHEMA: &[u8] = b"CREATE TABLE tagente_datos (datos DOUBLE);\n";
const END: &[u8] = b"-- Dump completed\n";

#[test]
fn restic_restores_what_we_store_and_changed_content_of_the_same_size_and_time_is_stored() {
    let world = World::new();
    world.repository().init().unwrap();
    // Blocks that compress to nothing would hide whether they were stored twice.
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        b'a' + (state >> 60) as u8
    })
    .take(4 << 20)
    .collect();
    world.file("config", b"dbpass = old!\n");
    let (mut first, name) = world.backup(&[SCHEMA, &noise, b"INSERT 1;\n", END]);
    let added = add(&world, &mut first, &name);
    assert!(added.bytes > 4 << 20 && added.added > 1 << 20, "{added:?}");
    let (dump, config) = world.restored("one", "config");
    assert_eq!(dump, [SCHEMA, &noise, b"INSERT 1;\n", END].concat());
    assert_eq!(config, b"dbpass = old!\n");

    world.file("config", b"dbpass = new!\n");
    let (mut second, name) = world.backup(&[SCHEMA, &noise, b"INSERT 2;\n", END]);
    let more = add(&world, &mut second, &name);
    let (dump, config) = world.restored("two", "config");
    assert_eq!(dump, [SCHEMA, &noise, b"INSERT 2;\n", END].concat());
    assert_eq!(config, b"dbpass = new!\n");
    assert!(
        more.added < added.added / 10,
        "the large chunk is stored once: {more:?}"
    );

    world.restic(&["check", "--read-data"]);
    world.repository().check().unwrap();
    let listed = world.repository().snapshots().unwrap();
    assert_eq!(listed, [added.snapshot, more.snapshot]);
    let theirs: serde_json::Value =
        serde_json::from_str(&world.restic(&["snapshots", "--json"])).unwrap();
    assert_eq!(theirs.as_array().unwrap().len(), 2);
    assert_eq!(theirs[1]["id"], listed[1].id.as_str());
    assert_eq!(theirs[1]["tags"][0], "elpis-backup");
    // What is restored has the time it had.
    let stat = world.run(
        "find",
        &[
            world.path("two").to_str().unwrap(),
            "-name",
            "config",
            "-printf",
            "%T@",
        ],
    );
    assert!(stat.starts_with("1577934245"), "{stat}");
    assert_eq!(std::fs::read_dir(world.path("work")).unwrap().count(), 0);

    let again = world
        .repository()
        .add(&mut second, &name, &world.path("work"), &StopToken::new());
    assert!(
        matches!(again, Err(RepositoryError::Exists { .. })),
        "{again:?}"
    );
}

#[test]
fn what_restic_makes_we_open_and_damage_and_wrong_passwords_are_noticed() {
    let world = World::new();
    world.restic(&["init"]);
    world.file("config", &[7; 5000]);
    let (mut archive, name) = world.backup(&[SCHEMA, END]);
    add(&world, &mut archive, &name);
    world.restic(&["check", "--read-data"]);
    assert!(world.repository().init().is_err(), "there is one already");

    let other = world.path("other");
    std::fs::write(&other, "open barley\n").unwrap();
    std::fs::set_permissions(&other, PermissionsExt::from_mode(0o600)).unwrap();
    let repository = Repository::new(&world.path("repository"), &other).unwrap();
    let error = repository.snapshots().unwrap_err();
    assert!(!elpis_run::with_causes(&error).contains("barley"));
    std::fs::set_permissions(&other, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(matches!(
        Repository::new(&world.path("repository"), &other),
        Err(RepositoryError::Password { .. })
    ));

    damage(&world.path("repository/data"));
    assert!(world.repository().check().is_err());
}

/// The program itself, as a line of cron has it: what the repository lacks is stored, a broken archive
/// keeps none of the others waiting, and the next time it is tried again.
#[test]
fn a_directory_is_stored_archive_after_archive() {
    let world = World::new();
    world.file("config", b"dbpass = old!\n");
    let names: Vec<String> = (0..3).map(|_| world.backup(&[SCHEMA, END]).1).collect();
    let program = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_elpis-backup-restic"))
            .args(args)
            .arg("--repository")
            .arg(world.path("repository"))
            .arg("--password-file")
            .arg(world.path("password"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    assert_eq!(program(&["init"]).0, Some(0));
    let broken = world.path("store").join(&names[1]);
    let whole = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let store = world.path("store");
    let sync = ["sync", store.to_str().unwrap()];
    let stored = |out: &str| -> Vec<String> {
        let all: serde_json::Value = serde_json::from_str(out).unwrap();
        let names = all.as_array().unwrap().iter();
        names
            .map(|one| one["snapshot"]["archive"].as_str().unwrap().to_owned())
            .collect()
    };
    let (code, out, err) = program(&sync);
    assert_eq!(code, Some(7), "{err}");
    assert!(err.contains(&names[1]), "{err}");
    assert_eq!(stored(&out), [names[0].clone(), names[2].clone()]);
    std::fs::write(&broken, &whole).unwrap();
    let (code, out, err) = program(&sync);
    assert_eq!(
        (code, stored(&out)),
        (Some(0), vec![names[1].clone()]),
        "{err}"
    );
    let (code, out, _) = program(&sync);
    assert_eq!((code, stored(&out).len()), (Some(0), 0));
    world.restic(&["check", "--read-data"]);
    let theirs: serde_json::Value =
        serde_json::from_str(&world.restic(&["snapshots", "--json"])).unwrap();
    assert_eq!(theirs.as_array().unwrap().len(), 3);
    // Nothing that it unpacked is left.
    let left = std::fs::read_dir(world.path("store")).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("restic")
    });
    assert_eq!(left.count(), 0);
}

/// Changes a byte in the middle of every file below `dir`.
fn damage(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
}
