//! A directory as a store: names, notes, sums, locks, and what killed runs leave behind.

use elpis_backup::archive::Container;
use elpis_backup::archive::VerifyError;
use elpis_backup::store::{Note, Verification};
use elpis_backup::{
    ArchiveName, BackupError, Inspector, KeepRules, Keys, LocalStore, ObjectStore, Prune,
    StoreError,
};
use elpis_run::{Clock, Holder, MemoryJournal, RealClock, StopToken};
use jiff::tz::TimeZone;

use crate::support::{World, archives, names, sh, write};

fn holder() -> Holder {
    Holder::current("another", RealClock::new().now())
}

fn world() -> World {
    let world = World::new(Container::TarGz);
    write(&world.tree().join("a"), b"a");
    world
}

#[test]
fn backups_of_one_second_get_names_of_their_own() {
    let mut world = world();
    let paths: Vec<_> = (0..3).map(|_| world.backup().unwrap().path).collect();
    assert_eq!(archives(&world.store_dir()).len(), 3, "{paths:?}");
    let sums = sh(
        "sha256sum",
        &["--strict", "-c", "SHA256SUMS"],
        &world.store_dir(),
    );
    assert_eq!(sums.lines().count(), 3);
}

#[test]
fn only_one_at_a_time_and_the_refusal_says_who() {
    let mut world = world();
    let store = world.store();
    let lock = store.lock(&holder()).unwrap();
    let error = world.backup().unwrap_err();
    assert!(
        matches!(&error, BackupError::Store(StoreError::Locked { .. })),
        "{error:?}"
    );
    assert!(error.to_string().contains("another"), "{error}");
    assert_eq!(archives(&world.store_dir()), [""; 0]);
    drop(lock);
    world.backup().unwrap();
}

#[test]
fn what_a_killed_run_leaves_is_swept_and_nothing_else_is() {
    let mut world = world();
    let kept = world.backup().unwrap();
    let dir = world.store_dir();
    let dead = r#"{"host":"HOST","pid":1,"program":"killed","boot_id":"x","since":"2026-01-01T00:00:00Z","start_ticks":1}"#;
    let host = sh("cat", &["/proc/sys/kernel/hostname"], &dir);
    write(
        &dir.join(".elpis-backup.lock"),
        dead.replace("HOST", host.trim()).as_bytes(),
    );
    write(
        &dir.join(".elpis-backup-work.0123/source-0/piece-0"),
        b"half",
    );
    write(
        &dir.join(".test_backup_2020-01-01-00-00-00.tar.gz.json"),
        b"{}",
    );
    write(&dir.join("notes.txt"), b"mine");
    // What a process leaves that is killed while it writes a note or the sums; the last still
    // writes, and somebody else's stays.
    let name = kept.path.file_name().unwrap().to_str().unwrap();
    write(&dir.join(format!("..{name}.json.4194305-7.tmp")), b"{");
    write(&dir.join(".SHA256SUMS.4194305-0.tmp"), b"half");
    let at_work = format!(".SHA256SUMS.{}-0.tmp", std::process::id());
    write(&dir.join(&at_work), b"half");
    write(&dir.join(".mine.4194305-0.tmp"), b"mine");
    std::fs::create_dir(dir.join("sub")).unwrap();
    let sums = std::fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
    let more = format!(
        "{sums}{}  test_backup_2020-01-01-00-00-00.tar.gz\n{}  other.iso\n",
        "0".repeat(64),
        "1".repeat(64)
    );
    write(&dir.join("SHA256SUMS"), more.as_bytes());

    let lock = world.store().lock(&holder()).unwrap();
    assert_eq!(
        lock.taken_over
            .as_ref()
            .map(|holder| holder.program.as_str()),
        Some("killed")
    );
    assert_eq!(lock.swept, 1);
    drop(lock);
    let mut expected = vec![
        format!(".{name}.json"),
        ".mine.4194305-0.tmp".to_owned(),
        at_work,
        ".elpis-backup.lock".to_owned(),
        "SHA256SUMS".to_owned(),
        name.to_owned(),
        "notes.txt".to_owned(),
        "sub".to_owned(),
    ];
    expected.sort();
    assert_eq!(names(&dir), expected);
    let sums = std::fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
    assert!(
        sums.contains("other.iso") && !sums.contains("2020-01-01"),
        "{sums}"
    );
}

#[test]
fn a_free_lock_has_nobody_to_take_over_from() {
    let world = world();
    let store = world.store();
    drop(store.lock(&holder()).unwrap());
    let lock = store.lock(&holder()).unwrap();
    assert!(lock.taken_over.is_none() && lock.swept == 0);
}

#[test]
fn what_is_known_follows_the_file_and_not_the_name() {
    let mut world = world();
    let report = world.backup().unwrap();
    let store = world.store();
    let listed = store.list().unwrap();
    let note = listed[0].note.clone().unwrap();
    assert_eq!(
        (note.sha256.as_str(), note.complete),
        (report.sha256.as_str(), Some(true))
    );
    assert!(listed[0].is_verified());
    let name = listed[0].name.clone();
    let broken = Some(Verification {
        at: note.began,
        broken: Some("cut off".to_owned()),
    });
    store
        .annotate(
            &name,
            &Note {
                verified: broken,
                ..note
            },
        )
        .unwrap();
    assert!(store.list().unwrap()[0].is_broken());
    // Somebody puts another file there.
    write(&report.path, b"shorter");
    assert_eq!(store.list().unwrap()[0].note, None);
}

#[test]
fn removing_leaves_no_trace_and_listing_is_newest_first() {
    let mut world = world();
    let dir = world.store_dir();
    write(
        &dir.join("pandorafms_backup_2018-03-12-15-16-53.tar.gz"),
        b"old",
    );
    write(
        &dir.join("pandorafms_backup_2018-03-12-15-16-53.tar.gz.part"),
        b"no",
    );
    let report = world.backup().unwrap();
    let store = world.store();
    let listed: Vec<ArchiveName> = store.list().unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(listed.len(), 2);
    assert_eq!(store.path(&listed[0]), report.path.canonicalize().unwrap());
    assert_eq!(listed[1].prefix(), "pandorafms");
    for name in &listed {
        store.remove(name).unwrap();
    }
    assert_eq!(
        names(&dir),
        [
            ".elpis-backup.lock",
            "SHA256SUMS",
            "pandorafms_backup_2018-03-12-15-16-53.tar.gz.part"
        ]
    );
    assert_eq!(std::fs::read_to_string(dir.join("SHA256SUMS")).unwrap(), "");
}

#[test]
fn a_store_must_be_a_directory_that_is_there() {
    let world = world();
    assert!(LocalStore::open(&world.dir.path().join("none")).is_err());
    assert!(LocalStore::open(&world.tree().join("a")).is_err());
}

#[test]
fn verifying_in_the_store_notes_what_came_out_and_pins_stay() {
    let mut world = world();
    let report = world.backup().unwrap();
    let (store, clock, stop) = (world.store(), RealClock::new(), StopToken::new());
    let inspector = Inspector {
        store: &store,
        keys: &Keys::none(),
        clock: &clock,
        zone: TimeZone::UTC,
        stop: &stop,
        observer: &(),
    };
    let name = store.list().unwrap()[0].name.clone();
    inspector
        .pin(&name, Some("before the upgrade".to_owned()))
        .unwrap();
    let mut never = |error: StoreError| panic!("{error}");
    inspector.verify(&name, &mut never).unwrap();
    let note = store.list().unwrap()[0].note.clone().unwrap();
    assert_eq!(note.pinned.as_deref(), Some("before the upgrade"));
    assert_eq!((note.complete, note.sha256), (Some(true), report.sha256));

    // A flaw that no frame notices: the sum beside the archive does.
    let mut bytes = std::fs::read(&report.path).unwrap();
    bytes[4] ^= 1;
    std::fs::write(&report.path, &bytes).unwrap();
    let error = inspector.verify(&name, &mut never).unwrap_err();
    assert!(matches!(error, VerifyError::Broken { .. }), "{error:?}");
    assert!(error.to_string().contains("SHA-256"), "{error}");
    let listed = store.list().unwrap();
    assert!(listed[0].is_broken());
    assert_eq!(
        listed[0].note.as_ref().unwrap().pinned.as_deref(),
        Some("before the upgrade")
    );
    inspector.pin(&name, None).unwrap();
    assert_eq!(store.list().unwrap()[0].note.as_ref().unwrap().pinned, None);
}

#[test]
fn pruning_removes_what_was_planned_and_only_of_one_prefix() {
    let mut world = world();
    let paths: Vec<_> = (0..4).map(|_| world.backup().unwrap().path).collect();
    let dir = world.store_dir();
    write(
        &dir.join("other_backup_2018-03-12-15-16-53.tar.gz"),
        b"not ours",
    );
    let (store, clock, stop, journal) = (
        world.store(),
        RealClock::new(),
        StopToken::new(),
        MemoryJournal::new(),
    );
    let prune = Prune {
        store: &store,
        prefix: "test",
        journal: &journal,
        clock: &clock,
        zone: TimeZone::UTC,
        stop: &stop,
        holder: holder(),
    };
    assert!(prune.run(&KeepRules::default()).is_err());
    let rules = KeepRules {
        last: 2,
        ..KeepRules::default()
    };
    let planned: Vec<String> = prune
        .plan(&rules)
        .unwrap()
        .removed()
        .map(|d| d.name.to_string())
        .collect();
    assert_eq!(archives(&dir).len(), 5, "a plan changes nothing");
    let report = prune.run(&rules).unwrap();
    assert_eq!((report.removed as usize, planned.len()), (2, 2));
    let gone = |at: usize| !paths[at].exists();
    assert_eq!(
        [gone(0), gone(1), gone(2), gone(3)],
        [true, true, false, false]
    );
    assert_eq!(archives(&dir).len(), 3);
    let sums = sh("sha256sum", &["--strict", "-c", "SHA256SUMS"], &dir);
    assert_eq!(sums.lines().count(), 2);
    assert_eq!(prune.run(&rules).unwrap().removed, 0);
    stop.stop();
    assert!(prune.run(&KeepRules { last: 1, ..rules }).unwrap().stopped);
    assert_eq!(archives(&dir).len(), 3);
}

/// In a directory like `/tmp`, files of other users are neither archives nor notes nor sums.
#[test]
fn in_a_shared_directory_only_our_files_count() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let mut world = world();
    let dir = world.store_dir();
    let report = world.backup().unwrap();
    let name = report
        .path
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    write(
        &dir.join("test_backup_2099-01-01-00-00-00.tar.gz"),
        b"false",
    );
    let foreign = |path: &str| chown(dir.join(path), Some(65_534), None).expect("needs root");
    foreign("test_backup_2099-01-01-00-00-00.tar.gz");
    foreign(&format!(".{name}.json"));
    assert_eq!(
        world.store().list().unwrap().len(),
        2,
        "a private directory is trusted"
    );
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o1777)).unwrap();
    let listed = world.store().list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].name.to_string(), listed[0].note.is_none()),
        (name, true)
    );
    foreign("SHA256SUMS");
    let error = world.backup().unwrap_err().to_string();
    assert!(error.contains("SHA256SUMS"), "{error}");
    std::fs::remove_file(dir.join("SHA256SUMS")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", dir.join("SHA256SUMS")).unwrap();
    assert!(world.backup().is_err(), "a link is not followed");
}
