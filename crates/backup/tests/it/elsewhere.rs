//! What every store elsewhere must do, whatever it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use elpis_backup::archive::{Container, Extract, VerifyError};
use elpis_backup::store::{Copies, Note, Stored};
use elpis_backup::{
    ArchiveName, Inspector, KeepRules, Keys, ObjectStore, Pacer, Prune, StoreError,
};
use elpis_run::{Clock, Holder, MemoryJournal, RealClock, StopToken, VirtualClock};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::support::{World, awkward_tree, portrait, write};

pub(crate) fn holder() -> Holder {
    Holder::current("test", RealClock::new().now())
}

/// A store, and what lies behind it, as its server keeps it.
pub(crate) struct Elsewhere<'a> {
    pub(crate) store: &'a dyn ObjectStore,
    pub(crate) dir: PathBuf,
    pub(crate) files: &'a dyn Fn() -> Vec<String>,
    /// How the note of an archive is called.
    pub(crate) note: fn(&ArchiveName) -> String,
}

/// A backup of a tree with `bytes` of noise, in a directory.
pub(crate) fn world(bytes: usize) -> (World, ArchiveName, Note) {
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

/// Three backups of an awkward tree.
pub(crate) fn three_backups() -> World {
    let mut world = World::new(Container::TarZst);
    awkward_tree(&world.tree());
    for _ in 0..3 {
        world.backup().unwrap();
    }
    world
}

/// A rate on a clock of its own.
pub(crate) fn pacer(bytes_per_second: u64) -> (Pacer, Arc<VirtualClock>) {
    let clock = Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH));
    (Pacer::new(clock.clone(), bytes_per_second), clock)
}

/// Whether `bytes` took as long as they should, when the first `piece` went at once.
#[track_caller]
pub(crate) fn is_kept(clock: &VirtualClock, bytes: u64, bytes_per_second: u64, piece: u64) {
    let (took, rate) = (clock.monotonic().as_secs_f64(), bytes_per_second as f64);
    let (least, most) = ((bytes - piece) as f64 / rate, bytes as f64 / rate);
    assert!(least - 0.1 <= took && took <= most, "{least} {took} {most}");
}

/// Archives are copied, verified, extracted, pinned, pruned, and found damaged.
pub(crate) fn does_what_a_directory_does(world: &World, there: &Elsewhere<'_>) {
    let (local, store) = (world.store(), there.store);
    assert_eq!(store.list().unwrap(), []);
    let (clock, stop, journal) = (RealClock::new(), StopToken::new(), MemoryJournal::new());
    for stored in local.list().unwrap() {
        local.queue(&stored.name).unwrap();
    }
    let copies = Copies {
        from: &local,
        to: store,
        keep_local: true,
        journal: &journal,
        clock: &clock,
        stop: &stop,
        holder: holder(),
    };
    let report = copies.run().unwrap();
    assert_eq!((report.copied.len(), report.to), (3, store.place()));
    assert_eq!(store.list().unwrap(), local.list().unwrap());
    assert_eq!((there.files)().len(), 6, "{:?}", (there.files)());
    assert_eq!(local.queued().unwrap(), []);
    assert_eq!(copies.run().unwrap().copied, [], "nothing is left to do");

    // The same bytes, by a program that knows nothing of us.
    let name = local.list().unwrap()[0].name.clone();
    let path = there.dir.join(name.to_string());
    assert!(std::fs::read(&path).unwrap() == std::fs::read(local.path(&name)).unwrap());
    let keys = Keys::none();
    let inspector = Inspector {
        store,
        keys: &keys,
        clock: &clock,
        zone: TimeZone::UTC,
        stop: &stop,
        observer: &(),
    };
    let verify = |name| inspector.verify(name, &mut |error| panic!("{error}"));
    let mut archive = verify(&name).unwrap();
    let address = format!("{}/{name}", store.place());
    assert_eq!(archive.path(), Path::new(&address));
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
        store,
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
    let mut left = [name.to_string(), (there.note)(&name)];
    left.sort();
    assert_eq!((there.files)(), left);

    // Damage over there is found, noted, and the archive stays.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = verify(&name).unwrap_err();
    assert!(matches!(error, VerifyError::Broken { .. }), "{error:?}");
    assert!(store.list().unwrap()[0].is_broken());
    // What nobody sent is not there.
    let other = name.encrypted(true);
    assert!(matches!(
        store.open(&other),
        Err(StoreError::Missing { .. })
    ));
    assert!(matches!(
        inspector.verify(&other, &mut |_| ()),
        Err(VerifyError::Store(StoreError::Missing { .. }))
    ));
}
