//! A bucket as a store, on a real S3 server on loopback (s3s-fs, which checks every signature).
//! A proxy before it counts what is sent, and cuts the line.

mod front;
mod fronted;
mod server;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use elpis_backup::archive::Archive;
use elpis_backup::store::{Copies, CopyError, Note, S3Options, S3Store};
use elpis_backup::{ArchiveName, BackupEvent, Keys, ObjectStore, StoreError};
use elpis_run::{MemoryJournal, Observer, RealClock, Secret, StopToken};

use self::server::{PART, SECRET, Server};
use crate::elsewhere::{
    Elsewhere, does_what_a_directory_does, holder, is_kept, pacer, three_backups, world,
};
use crate::support::{World, write};

fn record(world: &World, name: &ArchiveName) -> PathBuf {
    world.store_dir().join(format!(".{name}.upload"))
}

#[test]
fn a_bucket_does_what_a_directory_does() {
    let world = three_backups();
    let server = Server::start(world.dir.path());
    let store = server.store();
    assert_eq!(store.place(), "s3://bucket/sites/one");
    let there = Elsewhere {
        store: &store,
        dir: server.object(""),
        files: &|| server.objects(),
        note: |name| format!("{name}.json"),
    };
    does_what_a_directory_does(&world, &there);
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
fn a_rate_is_kept_part_after_part() {
    let (world, name, note) = world(3 * PART as usize);
    let server = Server::start(world.dir.path());
    let (pacer, clock) = pacer(1_000_000);
    let options = S3Options {
        pacer: Some(pacer),
        ..server.options()
    };
    let store = S3Store::new(options, StopToken::new(), Arc::new(())).unwrap();
    store
        .publish(&world.store().path(&name), &name, &note)
        .unwrap();
    // Nothing waits for the time after the last part.
    is_kept(&clock, note.bytes, 1_000_000, PART);
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
