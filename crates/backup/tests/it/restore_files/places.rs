//! Places and files that are not like others.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_backup::archive::{Container, MemberPath};
use elpis_backup::restore::{FileRoot, FilesError, FilesWish};

use super::Case;
use crate::support::{World, compare, component, portrait, write};

/// `/dev/shm` is a file system of its own everywhere.
#[test]
fn a_place_that_is_a_mount_point_is_refused() {
    let case = Case::new();
    let mut wish = case.wish();
    wish.roots[0].place = PathBuf::from("/dev/shm");
    let (archive, plan) = case.plan(&wish);
    let refused = |what: &String| what.contains("/dev/shm is a file system of its own");
    assert!(plan.refusals.iter().any(refused), "{plan:?}");
    let staged = case.with(&case.world.journal, &(), |by| by.stage(&archive, &plan));
    assert!(matches!(staged, Err(FilesError::Refused { .. })));
}

#[test]
fn holes_are_holes_again() {
    let case = Case::new();
    case.live_on();
    case.restore(&case.wish()).unwrap();
    for name in ["sparse.img", "hole.img"] {
        let found = std::fs::metadata(case.world.tree().join(name)).unwrap();
        assert!(found.blocks() * 512 < 1 << 20, "{name}: {found:?}");
    }
}

/// Each tree is exchanged by itself; a file that two of them share would be two.
#[test]
fn a_hard_link_from_one_tree_to_another_is_refused() {
    let mut world = World::new(Container::TarZst);
    let second = world.dir.path().join("second");
    write(&world.tree().join("file"), b"shared\n");
    std::fs::create_dir(&second).unwrap();
    std::fs::hard_link(world.tree().join("file"), second.join("twin")).unwrap();
    world.profile.components.push(component("second", &second));
    let archive = world.backup().unwrap().path;
    let case = Case {
        world,
        archive,
        backed_up: Vec::new(),
    };
    write(&second.join("twin"), b"live\n");
    let portraits = || [portrait(&case.world.tree()), portrait(&second)].concat();
    let live = portraits();
    let root = |name: &str, place: &Path| FileRoot {
        component: name.to_owned(),
        member: MemberPath::of_file(place).unwrap(),
        place: place.to_owned(),
    };
    let wish = FilesWish {
        roots: vec![case.root(), root("second", &second)],
        ..FilesWish::default()
    };
    let (archive, plan) = case.plan(&wish);
    let refused = case.with(&case.world.journal, &(), |by| by.stage(&archive, &plan));
    assert!(refused.is_err(), "{refused:?}");
    compare(&live, &portraits());
    assert!(case.slots().is_empty());
}
