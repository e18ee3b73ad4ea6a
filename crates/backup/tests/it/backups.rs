//! Making backups where something goes wrong: never half an archive, never a false success.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elpis_backup::archive::{Container, OmissionKind};
use elpis_backup::{
    BackupError, Collected, CollectedData, DatabaseFacts, DumpSink, Intake, LocalStore, Part,
    Piece, PieceId, Source, SourceError,
};
use elpis_run::{Journal, Query};

use crate::support::{World, archives, component, contents, is_root, names, run, sh, write};

/// Nothing of a backup is in the store but its lock.
#[track_caller]
fn nothing_is_left(dir: &Path) {
    let left: Vec<String> = names(dir)
        .into_iter()
        .filter(|name| ![".elpis-backup.lock", "SHA256SUMS", "lost+found"].contains(&name.as_str()))
        .collect();
    assert_eq!(left, [""; 0]);
}

fn outcomes(world: &World) -> Vec<String> {
    let runs = world.journal.list(&Query::default()).unwrap();
    runs.iter()
        .map(|run| format!("{:?}", run.finished.as_ref().map(|f| &f.outcome)))
        .collect()
}

/// A file system of its own, unmounted when dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    fn tmpfs(options: &str) -> Mount {
        assert!(
            is_root(),
            "this test mounts a small file system and needs root"
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        sh(
            "mount",
            &["-t", "tmpfs", "-o", options, "elpis", path],
            Path::new("/"),
        );
        Mount(dir)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run(
            "umount",
            &["-l", self.0.path().to_str().unwrap()],
            Path::new("/"),
        );
    }
}

fn noise(world: &World, bytes: usize) {
    let mut random = fastrand::Rng::with_seed(5);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
        .take(bytes)
        .collect();
    write(&world.tree().join("noise"), &noise);
}

#[test]
fn a_disk_that_is_too_small_is_refused_before_anything_is_written() {
    let mut world = World::new(Container::TarZst);
    noise(&world, 3 << 20);
    let mount = Mount::tmpfs("size=2m");
    let store = LocalStore::open(mount.0.path()).unwrap();
    let error = world.backup_to(&store).unwrap_err();
    assert!(matches!(error, BackupError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("bytes free"), "{error}");
    assert_eq!(names(mount.0.path()), [""; 0]);
}

#[test]
fn a_disk_that_runs_full_leaves_nothing_and_is_no_success() {
    for container in Container::ALL {
        let mut world = World::new(container);
        world.profile.check_space = false;
        noise(&world, 3 << 20);
        // Full at different moments: of the archive, of the work, of the notes.
        for size in ["4k", "16k", "100k", "1m", "2m", "2900k"] {
            let mount = Mount::tmpfs(&format!("size={size}"));
            let store = LocalStore::open(mount.0.path()).unwrap();
            let error = world.backup_to(&store).unwrap_err();
            let cause = format!("{error:?}");
            assert!(
                cause.contains("StorageFull") || cause.contains("code: 28"),
                "{size}: {cause}"
            );
            nothing_is_left(mount.0.path());
        }
    }
}

#[test]
fn a_target_that_cannot_be_written_is_an_error() {
    let mut world = World::new(Container::TarGz);
    noise(&world, 1000);
    let mount = Mount::tmpfs("size=1m");
    sh(
        "mount",
        &["-o", "remount,ro", mount.0.path().to_str().unwrap()],
        Path::new("/"),
    );
    let store = LocalStore::open(mount.0.path()).unwrap();
    world.profile.check_space = false;
    let error = format!("{:?}", world.backup_to(&store).unwrap_err());
    assert!(
        error.contains("ReadOnlyFilesystem") || error.contains("code: 30"),
        "{error}"
    );
    assert_eq!(names(mount.0.path()), [""; 0]);
}

#[test]
fn what_cannot_be_read_is_listed_and_the_backup_is_partial() {
    let mut world = World::new(Container::TarGz);
    write(&world.tree().join("a"), b"a");
    // Even root gets an input/output error from the first byte of its own memory.
    world
        .profile
        .components
        .push(component("memory", Path::new("/proc/self/mem")));
    world
        .profile
        .components
        .push(component("gone", &world.dir.path().join("gone")));
    let mut optional = component("optional", &world.dir.path().join("gone too"));
    optional.required = false;
    world.profile.components.push(optional);
    run("mkfifo", &["pipe"], &world.tree());
    let report = world.backup().unwrap();
    assert!(!report.complete);
    let kinds: Vec<OmissionKind> = report.omissions.iter().map(|o| o.kind).collect();
    assert_eq!(
        kinds,
        [
            OmissionKind::Special,
            OmissionKind::Unreadable,
            OmissionKind::Missing
        ]
    );
    assert_eq!(report.omissions[1].path, "/proc/self/mem");
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert!(outcomes(&world)[0].contains("Partial"));
    let manifest = contents(&report.path).manifest.unwrap();
    assert_eq!(manifest.omissions, report.omissions);
}

#[test]
fn a_file_that_never_rests_is_noticed() {
    let mut world = World::new(Container::TarZst);
    write(&world.tree().join("quiet"), b"quiet");
    let busy = world.tree().join("busy");
    noise(&world, 1 << 20);
    std::fs::rename(world.tree().join("noise"), &busy).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (done, busy) = (Arc::clone(&done), busy.clone());
        move || {
            use std::io::Write;
            let mut file = std::fs::File::options().append(true).open(busy).unwrap();
            while !done.load(Ordering::SeqCst) {
                file.write_all(b"more").unwrap();
            }
        }
    });
    // Whether a write falls into a read is up to the scheduler: sooner or later one does.
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let report = loop {
        let report = world.backup().unwrap();
        if !report.complete || std::time::Instant::now() > give_up {
            break report;
        }
    };
    done.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    assert_eq!(report.omissions.len(), 1, "{:?}", report.omissions);
    assert_eq!(report.omissions[0].kind, OmissionKind::Changed);
    assert_eq!(report.omissions[0].path, busy.display().to_string());
}

#[test]
fn files_that_come_and_go_do_not_hurt() {
    let mut world = World::new(Container::TarZst);
    let spool = world.tree().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let mut churn = Vec::new();
    for worker in 0..2 {
        let (done, spool) = (Arc::clone(&done), spool.clone());
        churn.push(std::thread::spawn(move || {
            let mut n = 0;
            while !done.load(Ordering::SeqCst) {
                let path = spool.join(format!("{worker}-{}", n % 200));
                std::fs::write(&path, vec![b'x'; n % 5000]).unwrap();
                std::fs::remove_file(spool.join(format!("{worker}-{}", (n + 100) % 200))).ok();
                n += 1;
            }
        }));
    }
    for _ in 0..5 {
        let report = world.backup().unwrap();
        let bad = |kind| !matches!(kind, OmissionKind::Vanished | OmissionKind::Changed);
        assert!(
            !report.omissions.iter().any(|o| bad(o.kind)),
            "{:?}",
            report.omissions
        );
    }
    done.store(true, Ordering::SeqCst);
    churn.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(archives(&world.store_dir()).len(), 5);
}

#[test]
fn the_store_is_not_backed_up_into_itself() {
    let mut world = World::new(Container::TarGz);
    write(&world.tree().join("a"), b"a");
    std::fs::create_dir(world.tree().join("backups")).unwrap();
    let store = LocalStore::open(&world.tree().join("backups")).unwrap();
    let first = world.backup_to(&store).unwrap();
    let second = world.backup_to(&store).unwrap();
    assert_eq!(first.members, second.members);
    let into_its_own_root = LocalStore::open(&world.tree()).unwrap();
    let error = world.backup_to(&into_its_own_root).unwrap_err();
    assert!(matches!(error, BackupError::Refused { .. }), "{error:?}");
}

#[test]
fn a_stop_leaves_nothing() {
    let mut world = World::new(Container::TarGz);
    write(&world.tree().join("a"), b"a");
    world.stop.stop();
    let error = world.backup().unwrap_err();
    assert!(matches!(error, BackupError::Stopped), "{error:?}");
    nothing_is_left(&world.store_dir());
    assert!(outcomes(&world)[0].contains("Stopped"));
}

/// Dumps that end as told.
struct Scripted {
    pieces: Vec<(PieceId, Vec<u8>)>,
    fail: Option<&'static str>,
}

fn piece(database: u32, part: Part, chunk: u32) -> PieceId {
    PieceId {
        database,
        part,
        table: 0,
        chunk,
        database_name: "m".into(),
        window: None,
        table_name: "t".into(),
    }
}

impl Source for Scripted {
    fn inspect(&mut self) -> Result<Vec<DatabaseFacts>, SourceError> {
        Ok(vec![DatabaseFacts {
            name: "m".into(),
            bytes: 1,
            warnings: Vec::new(),
        }])
    }

    fn collect(&mut self, into: &Intake<'_>) -> Result<Vec<Collected>, SourceError> {
        // Later pieces first, and side by side: their order is that of their names.
        std::thread::scope(|scope| {
            for (id, text) in self.pieces.iter().rev() {
                let pieces = &into.pieces;
                scope.spawn(move || {
                    let mut writer = pieces.begin(id).unwrap();
                    text.chunks(1000)
                        .for_each(|bytes| writer.write(bytes).unwrap());
                    let piece = Piece {
                        id: id.clone(),
                        rows: 1,
                        bytes: text.len() as u64,
                        blake3: blake3::hash(text).to_string(),
                    };
                    writer.finish(&piece).unwrap();
                });
            }
        });
        if let Some(why) = self.fail {
            return Err(why.into());
        }
        Ok(vec![Collected {
            name: "m".into(),
            data: CollectedData::Pieces(0),
            report: serde_json::Value::Null,
            grants: Some("GRANT SELECT ON `m`.* TO `u`@`h`;\n".into()),
            warnings: Vec::new(),
        }])
    }
}

fn scripted(last: &[u8]) -> Scripted {
    let mut pieces = vec![(piece(0, Part::Schema, 0), b"CREATE TABLE t;\n".to_vec())];
    for chunk in 0..12 {
        // Of all lengths, some of no byte, one of more than a frame.
        let rows = [0, 1, 511, 512, 70_000, 3 << 20][chunk as usize % 6];
        pieces.push((
            piece(0, Part::Data, chunk),
            format!("{chunk}").repeat(rows).into_bytes(),
        ));
    }
    pieces.push((piece(0, Part::Final, 0), last.to_vec()));
    Scripted { pieces, fail: None }
}

#[test]
fn pieces_become_one_dump_that_tar_finds_in_the_root() {
    for container in Container::ALL {
        let mut world = World::new(container);
        write(&world.tree().join("a"), b"a");
        let source = scripted(b"\n-- Dump completed\n");
        let text: Vec<u8> = source
            .pieces
            .iter()
            .flat_map(|(_, text)| text.clone())
            .collect();
        world.sources.push(Box::new(source));
        let report = world.backup().unwrap();
        assert_eq!(report.databases, [("m".to_owned(), 14)]);
        let stem = report
            .path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .split('.')
            .next()
            .unwrap();
        let member = format!("{stem}.sql");
        let args = ["-xOf", report.path.to_str().unwrap(), &member];
        let dump = run("tar", &args, world.dir.path());
        assert!(dump.status.success());
        assert!(dump.stdout == text, "the dump is the pieces in their order");
        let grants = [args[0], args[1], ".elpis-backup/grants/m.sql"];
        assert!(sh("tar", &grants, world.dir.path()).starts_with("GRANT"));
        let found = contents(&report.path);
        assert_eq!(found.dumps.len(), 1);
        assert_eq!(
            (found.dumps[0].bytes, found.dumps[0].rows),
            (text.len() as u64, Some(14))
        );
        // The old restore executes every dump in the root.
        let root: Vec<_> = found
            .members
            .iter()
            .filter(|m| m.path.parts().count() == 1)
            .collect();
        assert_eq!(root.len(), 1);
    }
}

#[test]
fn a_dump_without_its_end_is_thrown_away() {
    let mut world = World::new(Container::TarGz);
    world.sources.push(Box::new(scripted(b"-- not yet")));
    let error = world.backup().unwrap_err();
    assert!(matches!(error, BackupError::Verify(_)), "{error:?}");
    nothing_is_left(&world.store_dir());
}

#[test]
fn a_dump_that_fails_leaves_nothing() {
    let mut world = World::new(Container::TarGz);
    let fail = Some("the server went away");
    world.sources.push(Box::new(Scripted {
        fail,
        ..scripted(b"\n-- Dump completed\n")
    }));
    let error = world.backup().unwrap_err();
    assert!(matches!(error, BackupError::Source(_)), "{error:?}");
    nothing_is_left(&world.store_dir());
    assert!(outcomes(&world)[0].contains("Failed"));
}

/// Stops the run while the first part of a large file is being read.
struct StopAt(elpis_run::StopToken);

impl Source for StopAt {
    fn inspect(&mut self) -> Result<Vec<DatabaseFacts>, SourceError> {
        Ok(Vec::new())
    }

    fn collect(&mut self, _into: &Intake<'_>) -> Result<Vec<Collected>, SourceError> {
        let stop = self.0.clone();
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            stop.stop();
        });
        Ok(Vec::new())
    }
}

#[test]
fn a_stop_does_not_wait_for_the_end_of_a_large_file() {
    let mut world = World::new(Container::TarGz);
    world.profile.check_space = false;
    // So large that packing all of it takes minutes. It has no data, but the size of a file
    // whose blocks are reserved; where that is not possible, it is one hole, and done at once.
    std::fs::File::create(world.tree().join("huge")).unwrap();
    sh("fallocate", &["-l", "8G", "huge"], &world.tree());
    world.sources.push(Box::new(StopAt(world.stop.clone())));
    let begun = std::time::Instant::now();
    let error = world.backup().unwrap_err();
    assert!(matches!(error, BackupError::Stopped), "{error:?}");
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    nothing_is_left(&world.store_dir());
}
