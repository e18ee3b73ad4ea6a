//! A directory on another host as a store, on a real sshd on loopback. A proxy before it counts what
//! is sent, and cuts the line.

mod server;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use elpis_backup::store::{Copies, CopyError, Note, SftpOptions, SftpStore};
use elpis_backup::{BackupEvent, LocalStore, ObjectStore, StoreError};
use elpis_run::{MemoryJournal, Observer, RealClock, StopToken, with_causes};

use self::server::Server;
use crate::elsewhere::{
    Elsewhere, does_what_a_directory_does, holder, is_kept, pacer, three_backups, world,
};
use crate::support::write;

const MB: usize = 1 << 20;

/// The only upload that is on its way, and how much of it has arrived.
fn part(server: &Server) -> (String, u64) {
    let files = server.files();
    let [part] = &files[..] else {
        panic!("{files:?}");
    };
    assert!(part.ends_with(".part"), "{part}");
    let found = std::fs::metadata(server.archives().join(part)).unwrap();
    (part.clone(), found.len())
}

#[test]
fn a_directory_elsewhere_does_what_a_directory_does() {
    let world = three_backups();
    let server = Server::start(world.dir.path());
    let store = server.store();
    let there = Elsewhere {
        store: &store,
        dir: server.archives(),
        files: &|| server.files(),
        note: |name| format!(".{name}.json"),
    };
    does_what_a_directory_does(&world, &there);
    // Elpis on that host sees the same.
    let there = LocalStore::open(&server.archives()).unwrap();
    assert_eq!(there.list().unwrap(), store.list().unwrap());
}

#[test]
fn a_rate_is_kept_in_small_pieces() {
    let (world, name, note) = world(3 * MB);
    let server = Server::start(world.dir.path());
    let (pacer, clock) = pacer(1_000_000);
    let options = SftpOptions {
        pacer: Some(pacer),
        ..server.options()
    };
    let store = SftpStore::new(options, StopToken::new(), Arc::new(())).unwrap();
    store
        .publish(&world.store().path(&name), &name, &note)
        .unwrap();
    // A tenth of a second at a time.
    is_kept(&clock, note.bytes, 1_000_000, 100_000);
    assert_eq!(store.list().unwrap(), world.store().list().unwrap());
}

#[test]
fn a_cut_line_leaves_nothing_that_counts_and_only_the_rest_is_sent_again() {
    let (world, name, note) = world(12 * MB);
    let server = Server::start(world.dir.path());
    let (store, file) = (server.store(), world.store().path(&name));
    server.proxy.cut_after(8 * MB as u64);
    let error = store.publish(&file, &name, &note).unwrap_err();
    assert!(matches!(error, StoreError::Remote { .. }), "{error:?}");
    server.proxy.cut_after(u64::MAX);
    assert_eq!(store.list().unwrap(), [], "half an upload is no archive");
    let (_, arrived) = part(&server);
    assert!(
        arrived > 4 * MB as u64 && arrived < 9 * MB as u64,
        "{arrived}"
    );

    // Another process goes on.
    server.proxy.sent.store(0, Ordering::SeqCst);
    server.store().publish(&file, &name, &note).unwrap();
    let sent = server.proxy.sent.load(Ordering::SeqCst);
    let rest = note.bytes - arrived;
    assert!(
        (rest..rest + MB as u64).contains(&sent),
        "{sent} sent, {rest} were left"
    );
    assert_eq!(store.list().unwrap(), world.store().list().unwrap());
    let there = server.archives().join(name.to_string());
    assert!(std::fs::read(&there).unwrap() == std::fs::read(&file).unwrap());
    assert_eq!(server.files(), [format!(".{name}.json"), name.to_string()]);
}

/// What lies there under the name of a part is believed only when it has been read back.
#[test]
fn a_part_that_is_not_ours_is_sent_again_whole() {
    let (world, name, note) = world(3 * MB);
    let server = Server::start(world.dir.path());
    let (store, file) = (server.store(), world.store().path(&name));
    let there = server.archives().join(name.to_string());
    for read_back in [true, false] {
        server.proxy.cut_after(2 * MB as u64);
        server.store().publish(&file, &name, &note).unwrap_err();
        server.proxy.cut_after(u64::MAX);
        let (part, arrived) = part(&server);
        std::fs::write(server.archives().join(part), vec![7; arrived as usize]).unwrap();
        let mut options = server.options();
        options.read_back = read_back;
        let again = SftpStore::new(options, StopToken::new(), Arc::new(())).unwrap();
        again.publish(&file, &name, &note).unwrap();
        assert!(std::fs::read(&there).unwrap() == std::fs::read(&file).unwrap());
        let stored = store.list().unwrap().remove(0);
        assert_eq!(
            stored.is_verified(),
            read_back,
            "nobody has looked at it there"
        );
        store.remove(&name).unwrap();
        assert_eq!(server.files(), [""; 0]);
    }
}

#[test]
fn a_stop_and_a_killed_server_are_gone_on_after() {
    let (world, name, _) = world(6 * MB);
    let mut server = Server::start(world.dir.path());
    let (local, clock, journal) = (world.store(), RealClock::new(), MemoryJournal::new());
    local.queue(&name).unwrap();
    struct StopAtOnce(StopToken);
    impl Observer<BackupEvent> for StopAtOnce {
        fn on(&self, event: &BackupEvent) {
            assert!(matches!(event, BackupEvent::Uploaded { .. }), "{event:?}");
            self.0.stop();
        }
    }
    let stop = StopToken::new();
    let observer = Arc::new(StopAtOnce(stop.clone()));
    let store = SftpStore::new(server.options(), stop.clone(), observer).unwrap();
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
    let CopyError::Store { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(source, StoreError::Stopped { .. }), "{error:?}");
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
    // The same store: it begins another session.
    assert_eq!(again.run().unwrap().copied, std::slice::from_ref(&name));
    assert_eq!(store.list().unwrap()[0].name, name);
    assert_eq!(local.list().unwrap(), [], "it was asked to go");
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
    // The file is not the one that was noted.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let error = store.publish(&file, &name, &note).unwrap_err();
    assert!(matches!(error, StoreError::Changed { .. }), "{error:?}");
    assert_eq!(server.files(), [""; 0]);
}

/// A process that was killed while it replaced a note, and ones that nobody goes on with.
#[test]
fn what_killed_processes_leave_is_understood_and_swept() {
    let (world, name, note) = world(1000);
    let server = Server::start(world.dir.path());
    let (store, file) = (server.store(), world.store().path(&name));
    store.publish(&file, &name, &note).unwrap();
    let dir = server.archives();
    let whole = dir.join(format!(".{name}.json"));
    std::fs::rename(&whole, dir.join(format!(".{name}.json.new"))).unwrap();
    assert_eq!(store.list().unwrap(), world.store().list().unwrap());
    assert!(store.sha256(&name).unwrap().is_some());
    store.annotate(&name, &note).unwrap();
    assert_eq!(server.files(), [format!(".{name}.json"), name.to_string()]);

    let gone = "test_backup_2020-01-01-00-00-00.tar.zst";
    let leftovers = [
        (format!(".{gone}.json"), true),
        (format!(".{gone}.0123456789abcdef.part"), true),
        (format!(".{name}.0123456789abcdef.part"), true),
        (format!(".{gone}.fedcba9876543210.part"), false),
        (".theirs.json".to_owned(), true),
    ];
    for (left, is_old) in &leftovers {
        let path = dir.join(left);
        write(&path, b"{}");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).unwrap();
        if *is_old {
            let touched = std::process::Command::new("touch")
                .args(["-d", "8 days ago"])
                .arg(&path)
                .status();
            assert!(touched.unwrap().success());
        }
    }
    drop(store.hold(&holder()).unwrap());
    let mut kept = vec![
        format!(".{name}.json"),
        format!(".{gone}.fedcba9876543210.part"),
        ".theirs.json".to_owned(),
        name.to_string(),
    ];
    kept.sort();
    let mut files = server.files();
    files.sort();
    assert_eq!(files, kept);
}

#[test]
fn an_archive_is_read_from_its_beginning_as_often_as_one_likes() {
    let (world, name, note) = world(3 * MB);
    let server = Server::start(world.dir.path());
    let (store, file) = (server.store(), world.store().path(&name));
    store.publish(&file, &name, &note).unwrap();
    let opened = store.open(&name).unwrap();
    for _ in 0..2 {
        let mut read = Vec::new();
        opened.reader().unwrap().read_to_end(&mut read).unwrap();
        assert!(read == std::fs::read(&file).unwrap());
    }
    // One that has become shorter meanwhile is an error, not an end.
    let there = server.archives().join(name.to_string());
    let shorter = std::fs::File::options().write(true).open(there).unwrap();
    shorter.set_len(MB as u64).unwrap();
    let read = opened.reader().unwrap().read_to_end(&mut Vec::new());
    assert!(read.is_err());
}

/// What `ssh` says is in the error, and nobody is asked anything.
#[test]
fn whoever_is_not_let_in_is_told_why() {
    let (world, name, note) = world(1000);
    let server = Server::start(world.dir.path());
    let file = world.store().path(&name);
    let refused = |options: elpis_backup::store::SftpOptions, why: &str| {
        let store = SftpStore::new(options, StopToken::new(), Arc::new(())).unwrap();
        for error in [
            store.list().unwrap_err(),
            store.publish(&file, &name, &note).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Remote { .. }), "{error:?}");
            let text = with_causes(&error);
            assert!(text.contains(why), "{text}");
        }
        assert_eq!(server.files(), [""; 0]);
    };
    let with = |words: &[String]| {
        let mut options = server.options();
        options.ssh.truncate(1);
        options.ssh.extend(words.iter().map(Into::into));
        options
    };
    refused(with(&server.words("other")), "Permission denied");
    refused(server.options_of("nothing"), "No such file");
    let mut nobody = server.options();
    nobody.ssh[0] = "/no/such/ssh".into();
    refused(nobody, "cannot run /no/such/ssh");
    server.know("other.pub");
    refused(server.options(), "Host key verification failed");
}
