//! Processes that die at any record of their journal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use elpis_backup::archive::{Container, MemberPath};
use elpis_backup::restore::{FileRoot, FilesResumed, FilesState, files_runs};
use elpis_run::{
    Event, History, Journal, JournalError, MemoryJournal, NewRun, Outcome, Query, RunId, RunSummary,
};
use jiff::Timestamp;

use super::Case;
use crate::support::{World, compare, names, write};

/// A journal whose process dies at the `left`-th record, before it or after it.
pub(crate) struct Dying<'a> {
    pub(crate) inner: &'a MemoryJournal,
    pub(crate) left: AtomicU32,
    pub(crate) after: bool,
}

impl Dying<'_> {
    fn record<T>(&self, act: impl FnOnce() -> T) -> T {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 && !self.after {
            panic!("killed before a record");
        }
        let done = act();
        if left == 0 {
            panic!("killed after a record");
        }
        self.left.store(left - 1, Ordering::Relaxed);
        done
    }
}

impl Journal for Dying<'_> {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        self.record(|| self.inner.create(run))
    }
    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        self.record(|| self.inner.append(run, at, event))
    }
    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        self.record(|| self.inner.finish(run, at, outcome))
    }
    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.list(query)
    }
    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        self.inner.replay(run)
    }
}

/// A process that dies at any record leaves a state from which both ways lead: on to exactly what
/// is wanted, and back to exactly what was there.
#[test]
fn from_every_point_of_death_there_is_a_way_on_and_a_way_back() {
    let mut world = World::in_memory(Container::TarZst);
    // Two trees, so that one may be exchanged and the other not.
    let second = world.dir.path().join("second");
    write(&world.tree().join("a/file"), b"archived a");
    write(&second.join("file"), b"archived b");
    let component = crate::support::component("second", &second);
    world.profile.components.push(component);
    let archive = world.backup().unwrap().path;
    let case = Case {
        backed_up: [texts(&world.tree()), texts(&second)].concat(),
        archive,
        world,
    };
    let mut deaths = 0;
    for (after, forward) in [(false, false), (false, true), (true, false), (true, true)] {
        for left in 0.. {
            if !dies_at(&case, &second, left, after, forward) {
                break;
            }
            deaths += 1;
        }
    }
    println!("{deaths} deaths");
    assert!(deaths >= 4 * 7, "{deaths}");
}

/// Every file with its text. The portrait costs three processes.
fn texts(dir: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for name in names(dir) {
        let path = dir.join(&name);
        if path.is_dir() {
            texts.extend(self::texts(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            texts.push(format!("{}: {text}", path.display()));
        }
    }
    texts
}

/// False if nothing died.
fn dies_at(case: &Case, second: &Path, left: u32, after: bool, forward: bool) -> bool {
    let tree = case.world.tree();
    let both = || [texts(&tree), texts(second)].concat();
    for dir in [&tree, second] {
        std::fs::remove_dir_all(dir).unwrap();
    }
    write(&tree.join("a/file"), b"live a");
    write(&tree.join("a/more"), b"live only");
    write(&second.join("file"), b"live b");
    let live = both();
    let archived = &case.backed_up;
    let mut wish = case.wish();
    wish.mirror = true;
    wish.roots.push(FileRoot {
        component: "second".to_owned(),
        member: MemberPath::of_file(second).unwrap(),
        place: second.to_owned(),
    });
    let (archive, plan) = case.plan(&wish);
    let memory = MemoryJournal::new();
    let journal = Dying {
        inner: &memory,
        left: AtomicU32::new(left),
        after,
    };
    let died = catch_unwind(AssertUnwindSafe(|| {
        case.with(&journal, &(), |by| {
            by.swap(by.stage(&archive, &plan).unwrap()).unwrap()
        })
    }))
    .is_err();
    let runs = files_runs(&memory).unwrap();
    let Some(run) = runs.first() else {
        // It died before the journal knew of it.
        compare(&live, &both());
        assert!(died && case.slots().is_empty());
        return died;
    };
    let was_open = run.state == FilesState::Unfinished;
    case.with(&memory, &(), |by| {
        if forward && was_open {
            match by.resume(run.run).unwrap() {
                FilesResumed::Finished(_) => compare(archived, &both()),
                FilesResumed::Discarded { .. } => compare(&live, &both()),
            }
        } else if was_open {
            by.undo(run.run).unwrap();
            compare(&live, &both());
        } else {
            compare(archived, &both());
        }
        match files_runs(&memory).unwrap()[0].state {
            FilesState::Over => {}
            FilesState::Restored | FilesState::Undone => drop(by.forget(run.run).unwrap()),
            other => panic!("{other:?} after death at {left}"),
        }
    });
    assert!(case.slots().is_empty(), "after death at {left}");
    died
}
