//! An undo that dies at any of its records, or between the renames of a file system that cannot
//! exchange two names: another one brings exactly what was there, and the journal has no open run.

use std::fs::rename;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;

use elpis_backup::archive::{Container, MemberPath};
use elpis_backup::restore::{FileRoot, FilesError, FilesState, FilesWish, files_runs};
use elpis_run::{Journal, MemoryJournal, Query, RunId};

use super::Case;
use super::deaths::Dying;
use crate::support::{World, compare, component, names, portrait, rounds, sh, write};

/// What is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// A restore that has ended.
    Done,
    /// A restore that died with one of two trees exchanged.
    HalfDone,
}

/// Where the undo dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    Record {
        left: u32,
        after: bool,
    },
    /// Before the records of a tree's exchange come to an end, so many of its three renames done.
    Rename {
        tree: usize,
        renames: usize,
    },
}

/// Two trees in one directory as they are before every restore, and what `find`, `sha256sum` and
/// `os.listxattr` say of it.
struct Two {
    case: Case,
    live: Vec<String>,
}

impl Two {
    fn new() -> Two {
        let mut world = World::in_memory(Container::TarZst);
        let trees = ["first", "second"].map(|name| world.tree().join(name));
        write(&trees[0].join("include/config.php"), b"archived\n");
        write(&trees[0].join("gone/deep/file"), b"archived only\n");
        write(&trees[1].join("conf/server.conf"), b"archived\n");
        world.profile.components = vec![
            component("first", &trees[0]),
            component("second", &trees[1]),
        ];
        let archive = world.backup().unwrap().path;
        live_on(&trees);
        let live = portrait(&world.tree());
        let case = Case {
            world,
            archive,
            backed_up: Vec::new(),
        };
        Two { case, live }
    }

    fn trees(&self) -> [PathBuf; 2] {
        ["first", "second"].map(|name| self.case.world.tree().join(name))
    }

    fn wish(&self, mirror: bool) -> FilesWish {
        let roots = self.trees().into_iter().map(|place| FileRoot {
            component: "tree".to_owned(),
            member: MemberPath::of_file(&place).unwrap(),
            place,
        });
        FilesWish {
            roots: roots.collect(),
            mirror,
            ..FilesWish::default()
        }
    }

    /// Restores, so that there is something to take back.
    fn restore(&self, journal: &MemoryJournal, taken: Taken, mirror: bool) -> RunId {
        let (archive, plan) = self.case.plan(&self.wish(mirror));
        let dying = Dying {
            inner: journal,
            // The run, the first step, the exchange of the first tree: the next record is missing.
            left: AtomicU32::new(if taken == Taken::Done { u32::MAX } else { 5 }),
            after: false,
        };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.case.with(&dying, &(), |by| {
                by.swap(by.stage(&archive, &plan).unwrap()).unwrap()
            })
        }));
        assert_eq!(ended.is_ok(), taken == Taken::Done);
        let text = |path: &str| std::fs::read_to_string(self.case.world.tree().join(path));
        assert_eq!(text("first/include/config.php").unwrap(), "archived\n");
        let second = text("second/conf/server.conf").unwrap();
        assert_eq!(second == "archived\n", taken == Taken::Done, "{second}");
        files_runs(journal).unwrap()[0].run
    }

    /// Takes it back in a process that dies; false if none died.
    fn undo_and_die(&self, journal: &MemoryJournal, run: RunId, death: Death) -> bool {
        let (left, after) = match death {
            Death::Record { left, after } => (left, after),
            // After the record that says that the tree's exchange begins.
            Death::Rename { tree, .. } => (records_before(journal, run, tree), true),
        };
        let dying = Dying {
            inner: journal,
            left: AtomicU32::new(left),
            after,
        };
        let died = catch_unwind(AssertUnwindSafe(|| {
            self.case.with(&dying, &(), |by| by.undo(run).unwrap())
        }))
        .is_err();
        if let Death::Rename { tree, renames } = death {
            assert!(died);
            exchange_in_part(&self.trees()[tree], renames);
        }
        died
    }
}

/// Records of an undo before the one that begins the exchange of a tree: its own begin, the end of a
/// restore that was open, and two of every tree behind it, for the last is taken back first.
fn records_before(journal: &MemoryJournal, run: RunId, tree: usize) -> u32 {
    let is_open = journal.replay(run).unwrap().summary.finished.is_none();
    1 + u32::from(is_open) + if tree == 0 { 2 } else { 0 }
}

/// The first of the three renames that stand in for an exchange.
fn exchange_in_part(place: &Path, renames: usize) {
    let parent = place.parent().unwrap();
    let name = place.file_name().unwrap().to_str().unwrap();
    // By a name that both trees of the place have.
    let mark = if name == "second" { "conf" } else { "include" };
    let mut slots = names(parent);
    slots.retain(|name| {
        name.starts_with(".elpis-restore.") && parent.join(name).join("tree").join(mark).exists()
    });
    assert_eq!(slots.len(), 1, "{slots:?}");
    let slot = parent.join(&slots[0]);
    let (kept, aside) = (slot.join("tree"), slot.join("aside"));
    let steps = [(place, &*aside), (&kept, place), (&aside, &kept)];
    for (from, to) in &steps[..renames] {
        rename(from, to).unwrap();
    }
}

/// Life goes on after the backup.
fn live_on([tree, second]: &[PathBuf; 2]) {
    std::fs::remove_dir_all(tree.join("gone")).unwrap();
    write(&tree.join("include/config.php"), b"changed\n");
    write(&tree.join("later/and deeper/file"), b"not in the archive\n");
    std::fs::hard_link(tree.join("include/config.php"), tree.join("twin")).unwrap();
    symlink("later/nowhere", tree.join("link")).unwrap();
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(tree.join("later"), mode(0o2710)).unwrap();
    std::fs::set_permissions(tree.join("twin"), mode(0o640)).unwrap();
    let attribute = "import os; os.setxattr('twin', 'user.origin', b'live')";
    sh("python3", &["-c", attribute], tree);
    write(&second.join("conf/server.conf"), b"live\n");
    write(&second.join("live-only"), b"");
    sh("touch", &["-d", "2001-02-03T04:05:06.789Z", "conf"], second);
}

#[test]
fn an_undo_that_died_anywhere_is_finished_by_another() {
    let two = Two::new();
    let mut deaths = 0;
    for (taken, mirror) in [(Taken::Done, true), (Taken::HalfDone, false)] {
        // The end of one record is the beginning of the next, but for the first and the last.
        let moments: &[bool] = match taken {
            Taken::HalfDone if rounds(0, 1) == 0 => &[true],
            _ => &[false, true],
        };
        for &after in moments {
            for left in 0.. {
                if !dies_at(&two, taken, mirror, Death::Record { left, after }) {
                    break;
                }
                deaths += 1;
            }
        }
    }
    let done = [0, 1].map(|tree| (Taken::Done, tree));
    // Of a restore that had not come to its second tree there is nothing to exchange back there.
    for (taken, tree) in done.into_iter().chain([(Taken::HalfDone, 0)]) {
        for renames in 1..=3 {
            assert!(dies_at(&two, taken, true, Death::Rename { tree, renames }));
            deaths += 1;
        }
    }
    println!("{deaths} deaths of undos");
    assert!(deaths >= 2 * 6 + 7 + 9, "{deaths}");
}

/// False if nothing died.
fn dies_at(two: &Two, taken: Taken, mirror: bool, death: Death) -> bool {
    let what = format!("{taken:?}, {death:?}");
    let (case, journal) = (&two.case, MemoryJournal::new());
    let run = two.restore(&journal, taken, mirror);
    let died = two.undo_and_die(&journal, run, death);
    let has_begun = open_jobs(&journal).contains(&"undo files".to_owned());
    let state = files_runs(&journal).unwrap()[0].state;
    case.with(&journal, &(), |by| {
        if has_begun {
            // Half of it is back: nothing but the rest of the way is allowed.
            assert_eq!(state, FilesState::Undoing, "{what}");
            assert!(matches!(by.resume(run), Err(FilesError::Undoing { run: of }) if of == run));
            assert!(matches!(by.forget(run), Err(FilesError::Undoing { .. })));
            let (archive, plan) = case.plan(&two.wish(mirror));
            let another = by.stage(&archive, &plan).unwrap_err();
            assert!(matches!(another, FilesError::Undoing { run: of } if of == run));
        }
        by.undo(run).unwrap();
        assert_eq!(open_jobs(&journal), [""; 0], "{what}");
        assert_eq!(files_runs(&journal).unwrap()[0].state, FilesState::Undone);
        by.forget(run).unwrap();
    });
    // Also that nothing of ours lies between them any more.
    compare(&two.live, &portrait(&case.world.tree()));
    assert_eq!(open_jobs(&journal), [""; 0], "{what}");
    died
}

/// The jobs of runs that have not ended.
fn open_jobs(journal: &MemoryJournal) -> Vec<String> {
    let open = Query {
        open_only: true,
        ..Query::default()
    };
    let open = journal.list(&open).unwrap();
    open.into_iter().map(|run| run.job).collect()
}
