//! A bucket as a store, on a real S3 server on loopback (s3s-fs, which checks every signature).
//! A proxy before it counts what is sent, and cuts the line.

mod server;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use elpis_backup::archive::{Archive, Container, Extract, VerifyError};
use elpis_backup::store::{Copies, CopyError, Note, S3Store, Stored};
use elpis_backup::{
    ArchiveName, BackupEvent, Inspector, KeepRules, Keys, ObjectStore, Prune, StoreError,
};
use elpis_run::{Clock, Holder, MemoryJournal, Observer, RealClock, Secret, StopToken};
use jiff::tz::TimeZone;

use self::server::{PART, SECRET, Server};
use crate::support::{World, awkward_tree, portrait, write};

/// A backup of a tree with `bytes` of noise, in a directory.
fn world(bytes: usize) -> (World, ArchiveName, Note) {
    let mut world = World::new(Container::TarZst);
    world.profile.level = Some(1);
    let mut random = fastrand::Rng::with_seed(7);
    let mut noise = vec![0; bytes];
    random.fill(&mut noise);
    write(&world.tree().join("noise"), &noise);
    world.backup().unwrap();
    let Stored { name, note, .. } = world.store().list().unwrap().remove(0);
    (world, name, note.unwrap())
}

fn holder() -> Holder {
    Holder::current("test", RealClock::new().now())
}

fn record(world: &World, name: &ArchiveName) -> PathBuf {
    world.store_dir().join(format!(".{name}.upload"))
}

#[test]
fn a_bucket_does_what_a_directory_does() {
    let mut world = World::new(Container::TarZst);
    awkward_tree(&world.tree());
    for _ in 0..3 {
        world.backup().unwrap();
    }
    let server = Server::start(world.dir.path());
    let (local, store) = (world.store(), server.store());
    assert_eq!(store.list().unwrap(), []);
    let (clock, stop, journal) = (RealClock::new(), StopToken::new(), MemoryJournal::new());
    for stored in local.list().unwrap() {
        local.queue(&stored.name).unwrap();
    }
    let copies = Copies {
        from: &local,
        to: &store,
        keep_local: true,
        journal: &journal,
        clock: &clock,
        stop: &stop,
        holder: holder(),
    };
    let report = copies.run().unwrap();
    assert_eq!(
        (report.copied.len(), report.to.as_str()),
        (3, "s3://bucket/sites/one")
    );
    assert_eq!(store.list().unwrap(), local.list().unwrap());
    assert_eq!(server.objects().len(), 6, "{:?}", server.objects());
    assert_eq!(local.queued().unwrap(), []);
    assert_eq!(
        copies.run().unwrap().copied,
        [],
        "there is nothing left to do"
    );

    // The same bytes, by a program that knows nothing of us.
    let name = local.list().unwrap()[0].name.clone();
    assert!(
        std::fs::read(server.object(&name.to_string())).unwrap()
            == std::fs::read(local.path(&name)).unwrap()
    );
    let keys = Keys::none();
    let inspector = Inspector {
        store: &store,
        keys: &keys,
        clock: &clock,
        zone: TimeZone::UTC,
        stop: &stop,
        observer: &(),
    };
    let mut archive = inspector
        .verify(&name, &mut |error| panic!("{error}"))
        .unwrap();
    assert_eq!(
        archive.path(),
        Path::new(&format!("s3://bucket/sites/one/{name}"))
    );
    let how = Extract {
        only: &[],
        outside_links: false,
        stop: &stop,
    };
    let out = world.dir.path().join("out");
    archive.extract(&out, &how).unwrap();
    assert_eq!(portrait(&world.tree_in(&out)), portrait(&world.tree()));

    inspector.pin(&name, Some("keep".to_owned())).unwrap();
    let pinned = store.list().unwrap()[0].note.clone().unwrap();
    assert_eq!(pinned.pinned.as_deref(), Some("keep"));
    let prune = Prune {
        store: &store,
        prefix: "test",
        journal: &journal,
        clock: &clock,
        zone: TimeZone::UTC,
        stop: &stop,
        holder: holder(),
    };
    let rules = KeepRules {
        last: 1,
        ..KeepRules::default()
    };
    assert_eq!(prune.run(&rules).unwrap().removed, 2);
    assert_eq!(store.list().unwrap().len(), 1);
    assert_eq!(server.objects(), [name.to_string(), format!("{name}.json")]);

    // Damage in the bucket is found, noted, and the archive stays.
    let object = server.object(&name.to_string());
    let mut bytes = std::fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&object, &bytes).unwrap();
    let error = inspector
        .verify(&name, &mut |error| panic!("{error}"))
        .unwrap_err();
    assert!(matches!(error, VerifyError::Broken { .. }), "{error:?}");
    assert!(store.list().unwrap()[0].is_broken());
    // What nobody sent is not there.
    let other = name.clone().encrypted(true);
    assert!(matches!(
        store.open(&other),
        Err(StoreError::Missing { .. })
    ));
    assert!(matches!(
        inspector.verify(&other, &mut |_| ()),
        Err(VerifyError::Store(StoreError::Missing { .. }))
    ));
}

#[test]
fn a_cut_line_leaves_nothing_that_counts_and_only_the_rest_is_sent_again() {
    let (world, name, note) = world(5 * PART as usize);
    let server = Server::start(world.dir.path());
    let (store, file) = (server.store(), world.store().path(&name));
    // In the middle of the fourth part: they go three at a time, so one or more have arrived.
    server.proxy.cut_after(3 * PART + PART / 2);
    let error = store.publish(&file, &name, &note).unwrap_err();
    assert!(matches!(error, StoreError::Remote { .. }), "{error:?}");
    server.proxy.cut_after(u64::MAX);
    assert_eq!(store.list().unwrap(), [], "half an upload is no archive");
    assert!(record(&world, &name).exists());
    let arrived = std::fs::read_to_string(record(&world, &name)).unwrap();
    let arrived: serde_json::Value = serde_json::from_str(&arrived).unwrap();
    let parts = arrived["parts"].as_array().unwrap();
    let arrived = parts.iter().filter(|part| !part.is_null()).count() as u64;
    assert!(
        (1..parts.len() as u64).contains(&arrived),
        "{arrived} of {}",
        parts.len()
    );

    // Another process goes on.
    server.proxy.sent.store(0, Ordering::SeqCst);
    server.store().publish(&file, &name, &note).unwrap();
    let sent = server.proxy.sent.load(Ordering::SeqCst);
    let rest = note.bytes - arrived * PART;
    assert!(
        (rest..rest + (32 << 10)).contains(&sent),
        "{sent} sent, {rest} were left"
    );
    assert_eq!(store.list().unwrap(), world.store().list().unwrap());
    assert!(
        std::fs::read(server.object(&name.to_string())).unwrap() == std::fs::read(&file).unwrap()
    );
    assert!(!record(&world, &name).exists());
    assert_eq!(server.objects(), [name.to_string(), format!("{name}.json")]);
}

#[test]
fn a_stop_and_a_killed_server_are_gone_on_after() {
    let (world, name, _) = world(4 * PART as usize);
    let mut server = Server::start(world.dir.path());
    let (local, clock, journal) = (world.store(), RealClock::new(), MemoryJournal::new());
    local.queue(&name).unwrap();
    let stop = StopToken::new();
    struct StopAtOnce(StopToken);
    impl Observer<BackupEvent> for StopAtOnce {
        fn on(&self, event: &BackupEvent) {
            assert!(matches!(event, BackupEvent::Uploaded { .. }), "{event:?}");
            self.0.stop();
        }
    }
    let observer = Arc::new(StopAtOnce(stop.clone()));
    let store = S3Store::new(server.options(), stop.clone(), observer).unwrap();
    let copies = Copies {
        from: &local,
        to: &store,
        keep_local: false,
        journal: &journal,
        clock: &clock,
        stop: &stop,
        holder: holder(),
    };
    let error = copies.run().unwrap_err();
    assert!(
        matches!(
            &error,
            CopyError::Store {
                source: StoreError::Stopped { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(local.queued().unwrap(), std::slice::from_ref(&name));
    server.kill();
    let (store, stop) = (server.store(), StopToken::new());
    let again = Copies {
        to: &store,
        stop: &stop,
        holder: holder(),
        ..copies
    };
    assert!(again.run().is_err(), "there is no server");
    assert_eq!(
        local.list().unwrap().len(),
        1,
        "the archive is where it was"
    );
    server.start_again();
    assert_eq!(again.run().unwrap().copied, std::slice::from_ref(&name));
    assert_eq!(store.list().unwrap()[0].name, name);
    assert_eq!(local.list().unwrap(), [], "it was asked to go");
    assert!(!record(&world, &name).exists());
}

#[test]
fn an_upload_that_the_service_has_forgotten_begins_again() {
    let (world, name, note) = world(3 * PART as usize);
    let server = Server::start(world.dir.path());
    let file = world.store().path(&name);
    server.proxy.cut_after(2 * PART);
    server.store().publish(&file, &name, &note).unwrap_err();
    server.proxy.cut_after(u64::MAX);
    let text = std::fs::read_to_string(record(&world, &name)).unwrap();
    let upload: serde_json::Value = serde_json::from_str(&text).unwrap();
    let upload = upload["upload"].as_str().unwrap();
    let forgotten = text.replace(upload, "00000000-0000-4000-8000-000000000000");
    std::fs::write(record(&world, &name), forgotten).unwrap();
    server.store().publish(&file, &name, &note).unwrap();
    assert_eq!(server.store().list().unwrap().len(), 1);
    // This host has lost its memory: the claim in the bucket is its own all the same.
    let store = server.store();
    store.remove(&name).unwrap();
    server.proxy.cut_after(2 * PART);
    store.publish(&file, &name, &note).unwrap_err();
    server.proxy.cut_after(u64::MAX);
    std::fs::remove_file(record(&world, &name)).unwrap();
    store.publish(&file, &name, &note).unwrap();
    assert_eq!(server.objects(), [name.to_string(), format!("{name}.json")]);
}

#[test]
fn names_that_are_taken_and_files_that_changed_are_refused() {
    let (world, name, note) = world(1000);
    let server = Server::start(world.dir.path());
    let (store, file) = (server.store(), world.store().path(&name));
    store.publish(&file, &name, &note).unwrap();
    store.publish(&file, &name, &note).unwrap();
    let other = Note {
        sha256: "0".repeat(64),
        ..note.clone()
    };
    let error = store.publish(&file, &name, &other).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error:?}");
    store.remove(&name).unwrap();
    assert_eq!(server.objects(), [""; 0]);

    // Another host is at it.
    let claim = format!(
        r#"{{"sha256":"{}","upload":"u","host":"another"}}"#,
        note.sha256
    );
    write(&server.object(&format!("{name}.upload")), claim.as_bytes());
    let error = store.publish(&file, &name, &note).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error:?}");
    std::fs::remove_file(server.object(&format!("{name}.upload"))).unwrap();

    // The file is not the one that was noted.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let error = store.publish(&file, &name, &note).unwrap_err();
    assert!(matches!(error, StoreError::Changed { .. }), "{error:?}");
    assert_eq!(store.list().unwrap(), []);
    assert_eq!(server.objects(), [""; 0]);
}

#[test]
fn an_object_is_read_in_pieces_and_without_its_note_it_does_not_count() {
    let (world, name, note) = world(9 << 20);
    let server = Server::start(world.dir.path());
    let store = server.store();
    let file = world.store().path(&name);
    store.publish(&file, &name, &note).unwrap();
    Archive::open_bytes(store.open(&name).unwrap(), &Keys::none()).unwrap();
    let opened = store.open(&name).unwrap();
    for _ in 0..2 {
        let mut read = Vec::new();
        opened.reader().unwrap().read_to_end(&mut read).unwrap();
        assert!(read == std::fs::read(&file).unwrap());
    }
    std::fs::remove_file(server.object(&format!("{name}.json"))).unwrap();
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn a_wrong_key_is_refused_and_no_error_tells_the_secret() {
    let (world, name, note) = world(1000);
    let server = Server::start(world.dir.path());
    let mut options = server.options();
    options.access.secret = Secret::new("another/secret".to_owned());
    let store = S3Store::new(options, StopToken::new(), Arc::new(())).unwrap();
    let file = world.store().path(&name);
    let errors = [
        store.list().unwrap_err(),
        store.publish(&file, &name, &note).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Remote { .. }), "{error:?}");
        let text = format!("{} {error:?}", elpis_run::with_causes(&error));
        assert!(
            !text.contains("another/secret") && !text.contains(SECRET),
            "{text}"
        );
    }
    assert_eq!(server.objects(), [""; 0]);
    assert!(!format!("{store:?}").contains("another/secret"));
}
