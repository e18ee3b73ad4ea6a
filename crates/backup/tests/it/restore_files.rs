//! Files that are put back: as they were, whole or not at all, and taken back bit for bit.

pub(crate) mod deaths;
mod places;
mod undo_deaths;

use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use elpis_backup::archive::{Archive, Container, MemberPath, Verified};
use elpis_backup::restore::{
    FileCheck, FileRestore, FileRoot, FilesError, FilesFacts, FilesPlan, FilesReport, FilesResumed,
    FilesState, FilesWish, files_runs,
};
use elpis_run::{Clock, Holder, Journal, RealClock};

use crate::support::{World, awkward_tree, compare, names, portrait, sh, verify, write};

/// A backup of an awkward tree, and what the tree looked like.
struct Case {
    world: World,
    archive: PathBuf,
    backed_up: Vec<String>,
}

impl Case {
    fn new() -> Case {
        let mut world = World::new(Container::TarZst);
        awkward_tree(&world.tree());
        let archive = world.backup().unwrap().path;
        let backed_up = portrait(&world.tree());
        Case {
            world,
            archive,
            backed_up,
        }
    }

    /// Life goes on: files change, go and come.
    fn live_on(&self) -> Vec<String> {
        let tree = self.world.tree();
        write(&tree.join("include/config.php"), b"changed\n");
        std::fs::remove_file(tree.join("noise.bin")).unwrap();
        std::fs::remove_dir_all(tree.join("deep")).unwrap();
        std::fs::remove_file(tree.join("link")).unwrap();
        symlink("empty", tree.join("link")).unwrap();
        write(&tree.join("later/and deeper/file"), b"not in the archive\n");
        write(&tree.join("names/later"), b"beside archived files\n");
        symlink("../../..", tree.join("later/out")).unwrap();
        sh("mkfifo", &["later/pipe"], &tree);
        let later = std::fs::Permissions::from_mode(0o2710);
        std::fs::set_permissions(tree.join("later"), later).unwrap();
        portrait(&tree)
    }

    fn wish(&self) -> FilesWish {
        FilesWish {
            roots: vec![self.root()],
            ..FilesWish::default()
        }
    }

    fn root(&self) -> FileRoot {
        FileRoot {
            component: "tree".to_owned(),
            member: MemberPath::of_file(&self.world.tree()).unwrap(),
            place: self.world.tree(),
        }
    }

    fn plan(&self, wish: &FilesWish) -> (Archive<Verified>, FilesPlan) {
        let archive = verify(&self.archive).unwrap();
        let facts = FilesFacts::gather(&archive, wish).unwrap();
        let plan = FilesPlan::new(wish, facts);
        (archive, plan)
    }

    fn with<T>(
        &self,
        journal: &dyn Journal,
        check: &dyn FileCheck,
        act: impl FnOnce(&FileRestore<'_>) -> T,
    ) -> T {
        let clock = RealClock::new();
        act(&FileRestore {
            journal,
            clock: &clock,
            stop: &self.world.stop,
            holder: Holder::current("test", clock.now()),
            lock: self.world.dir.path().join("lock"),
            check,
        })
    }

    fn restore(&self, wish: &FilesWish) -> Result<FilesReport, FilesError> {
        let (archive, plan) = self.plan(wish);
        self.with(&self.world.journal, &(), |by| {
            by.swap(by.stage(&archive, &plan)?)
        })
    }

    fn state(&self) -> FilesState {
        files_runs(&self.world.journal).unwrap()[0].state
    }

    /// Names of ours beside the tree.
    fn slots(&self) -> Vec<String> {
        let mut names = names(self.world.dir.path());
        names.retain(|name| name.starts_with(".elpis-restore."));
        names
    }

    fn inode(&self, name: &str) -> u64 {
        let path = self.world.tree().join(name);
        std::fs::symlink_metadata(path).unwrap().ino()
    }
}

/// Without what the times of directories tell: whatever is put into one changes them.
fn without_dir_times(portrait: &[String]) -> Vec<String> {
    let fields = |line: &String| {
        let mut fields: Vec<String> = line.split('|').map(str::to_owned).collect();
        if fields.len() == 8 && fields[1] == "d" {
            fields.truncate(7);
        }
        fields.join("|")
    };
    portrait.iter().map(fields).collect()
}

#[test]
fn what_the_archive_has_is_back_and_the_rest_stays_the_same_file() {
    let case = Case::new();
    let live = case.live_on();
    let kept = [
        "later/and deeper/file",
        "later/pipe",
        "later/out",
        "names/later",
    ];
    let inodes: Vec<u64> = kept.iter().map(|name| case.inode(name)).collect();
    let report = case.restore(&case.wish()).unwrap();
    let now = portrait(&case.world.tree());
    // Everything of the archive, to the nanosecond.
    for line in &case.backed_up {
        // A hard link has one more name as long as the old tree is kept.
        assert!(now.contains(line), "{line}");
    }
    let mut extra = without_dir_times(&now);
    extra.retain(|line| !without_dir_times(&case.backed_up).contains(line));
    let expected: Vec<String> = without_dir_times(&live)
        .into_iter()
        .filter(|line| line.contains("later"))
        .collect();
    // A kept file has two names now; fields are path, kind, mode, owner, group, links.
    let bare = |lines: &[String]| -> Vec<String> {
        let bare = lines.iter().map(|line| line.replacen("|1|", "|2|", 1));
        bare.collect()
    };
    assert_eq!(bare(&extra), bare(&expected));
    assert_eq!(inodes, kept.map(|name| case.inode(name)));
    assert_eq!(report.roots[0].kept, 6, "{report:?}");
    assert_eq!(case.state(), FilesState::Restored);

    let places = case
        .with(&case.world.journal, &(), |by| by.undo(report.run))
        .unwrap();
    assert_eq!(places, [case.world.tree()]);
    compare(&bare(&live), &bare(&portrait(&case.world.tree())));
    assert_eq!(case.state(), FilesState::Undone);
    // Once more changes nothing.
    case.with(&case.world.journal, &(), |by| by.undo(report.run))
        .unwrap();
    assert_eq!(case.slots().len(), 1);
    case.with(&case.world.journal, &(), |by| by.forget(report.run))
        .unwrap();
    assert_eq!((case.state(), case.slots().len()), (FilesState::Over, 0));
    compare(&live, &portrait(&case.world.tree()));
    let again = case.with(&case.world.journal, &(), |by| by.undo(report.run));
    assert!(matches!(again, Err(FilesError::NothingLeft { .. })));
}

#[test]
fn a_mirror_says_what_goes_and_leaves_exactly_the_archive() {
    let case = Case::new();
    let live = case.live_on();
    let wish = FilesWish {
        mirror: true,
        ..case.wish()
    };
    let (_, plan) = case.plan(&wish);
    let tree = case.world.tree();
    let leaving = ["later", "names/later"].map(|name| tree.join(name).display().to_string());
    assert_eq!(plan.roots[0].leaving, leaving);
    assert_eq!(plan.roots[0].extra, 6);
    compare(&live, &portrait(&tree));
    let report = case.restore(&wish).unwrap();
    compare(&case.backed_up, &portrait(&tree));
    assert_eq!(report.roots[0].kept, 0);
    case.with(&case.world.journal, &(), |by| by.undo(report.run))
        .unwrap();
    compare(&live, &portrait(&tree));
}

/// A lost console: neither the directory nor the one above it is there.
#[test]
fn a_place_that_is_gone_is_made_and_undone_into_nothing() {
    let case = Case::new();
    let mut wish = case.wish();
    wish.roots[0].place = case.world.dir.path().join("www/html/console");
    let (_, plan) = case.plan(&wish);
    assert_eq!((plan.roots[0].exists, plan.warnings.len()), (false, 1));
    let report = case.restore(&wish).unwrap();
    compare(&case.backed_up, &portrait(&wish.roots[0].place));
    compare(&case.backed_up, &portrait(&case.world.tree()));
    case.with(&case.world.journal, &(), |by| by.undo(report.run))
        .unwrap();
    assert!(!wish.roots[0].place.exists());
    case.with(&case.world.journal, &(), |by| by.forget(report.run))
        .unwrap();
    assert!(names(&case.world.dir.path().join("www/html")).is_empty());
}

/// Everything that says no says it before anything has changed, and leaves nothing behind.
#[test]
fn refusals_leave_everything_as_it_was() {
    struct Never;
    impl FileCheck for Never {
        fn check(&self, root: &FileRoot, unpacked: &Path) -> Result<(), String> {
            assert_eq!(root.component, "tree");
            assert!(unpacked.join("include/config.php").is_file());
            Err("the configuration does not parse".to_owned())
        }
    }
    let case = Case::new();
    let live = case.live_on();
    let (archive, plan) = case.plan(&case.wish());
    let journal = &case.world.journal;
    let error = case.with(journal, &Never, |by| by.stage(&archive, &plan).unwrap_err());
    assert!(error.to_string().contains("does not parse"), "{error}");
    case.world.stop.stop();
    let error = case.with(journal, &(), |by| by.stage(&archive, &plan).unwrap_err());
    assert!(matches!(error, FilesError::Stopped));
    compare(&live, &portrait(&case.world.tree()));
    assert!(case.slots().is_empty());
    let unread = FilesPlan {
        refusals: vec!["no".to_owned()],
        ..plan
    };
    let error = case.with(journal, &(), |by| by.stage(&archive, &unread).unwrap_err());
    assert!(matches!(error, FilesError::Refused { .. }));
}

/// Whoever can write to the archive after it was verified gets nothing of theirs on disk.
#[test]
fn an_archive_that_changes_after_it_was_verified_is_refused() {
    let mut world = World::new(Container::TarGz);
    write(&world.tree().join("config.php"), &[b'a'; 5000]);
    symlink("config.php", world.tree().join("link")).unwrap();
    // Stored, not packed, so that the test can change bytes and sums of frames do not notice.
    world.profile.container = Container::TarGz;
    let archive = world.backup().unwrap().path;
    let case = Case {
        backed_up: portrait(&world.tree()),
        archive,
        world,
    };
    let (archive, plan) = case.plan(&case.wish());
    let raw = sh(
        "gzip",
        &["-dc", case.archive.to_str().unwrap()],
        case.world.dir.path(),
    );
    for (from, to) in [("aaaaa", "bbbbb"), ("2config.php\0", "2/etc/passw\0")] {
        let changed = raw.replacen(from, to, 1);
        assert!(raw != changed, "{from:?} is not there");
        let changed = with_header_sums(changed.into_bytes());
        let path = case.world.dir.path().join("raw");
        std::fs::write(&path, changed).unwrap();
        let packed = sh_bytes("gzip", &["-c", "raw"], case.world.dir.path());
        // In place: the archive is open.
        let file = std::fs::File::options()
            .write(true)
            .open(&case.archive)
            .unwrap();
        file.set_len(packed.len() as u64).unwrap();
        file.write_all_at(&packed, 0).unwrap();
        let error = case.with(&case.world.journal, &(), |by| {
            by.stage(&archive, &plan).unwrap_err()
        });
        let said = elpis_run::with_causes(&error);
        assert!(said.contains("is not what it was when"), "{said}");
        compare(&case.backed_up, &portrait(&case.world.tree()));
        assert!(case.slots().is_empty());
    }
}

fn sh_bytes(program: &str, args: &[&str], dir: &Path) -> Vec<u8> {
    let output = crate::support::run(program, args, dir);
    assert!(output.status.success());
    output.stdout
}

/// Makes the sums of all headers right again.
fn with_header_sums(mut tar: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while at + 512 <= tar.len() {
        if &tar[at + 257..at + 262] != b"ustar" {
            at += 512;
            continue;
        }
        tar[at + 148..at + 156].fill(b' ');
        let sum: u32 = tar[at..at + 512].iter().map(|byte| u32::from(*byte)).sum();
        tar[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        at += 512;
    }
    tar
}

#[test]
fn links_out_of_the_tree_are_refused_unless_they_are_there_or_accepted() {
    let mut world = World::new(Container::TarZst);
    write(&world.tree().join("file"), b"x");
    symlink("/var/spool", world.tree().join("absolute")).unwrap();
    symlink("../store", world.tree().join("beside")).unwrap();
    symlink("file", world.tree().join("inside")).unwrap();
    let archive = world.backup().unwrap().path;
    let case = Case {
        backed_up: portrait(&world.tree()),
        archive,
        world,
    };
    assert!(case.plan(&case.wish()).1.refusals.is_empty());
    std::fs::remove_file(case.world.tree().join("beside")).unwrap();
    symlink("/etc", case.world.tree().join("beside")).unwrap();
    let (_, plan) = case.plan(&case.wish());
    assert_eq!(plan.refusals.len(), 1);
    assert!(plan.refusals[0].contains("1 links lead out"), "{plan:?}");
    assert!(plan.refusals[0].ends_with("/beside"), "{plan:?}");
    let wish = FilesWish {
        outside_links: true,
        ..case.wish()
    };
    case.restore(&wish).unwrap();
    compare(&case.backed_up, &portrait(&case.world.tree()));
}

#[test]
fn one_at_a_time_and_none_over_an_unfinished_one() {
    let case = Case::new();
    let (archive, plan) = case.plan(&case.wish());
    let journal = &case.world.journal;
    case.with(journal, &(), |by| {
        let staged = by.stage(&archive, &plan).unwrap();
        let second = by.stage(&archive, &plan).unwrap_err();
        assert!(matches!(second, FilesError::Lock(_)), "{second}");
        // As if the process had died.
        let run = staged.run();
        drop(staged);
        let second = by.stage(&archive, &plan).unwrap_err();
        assert!(matches!(second, FilesError::Unfinished { run: open } if open == run));
        assert!(matches!(by.forget(run), Err(FilesError::Unfinished { .. })));
        assert!(matches!(by.resume(run), Ok(FilesResumed::Finished(_))));
        assert!(matches!(
            by.resume(run),
            Err(FilesError::NothingLeft { .. })
        ));
        let staged = by.stage(&archive, &plan).unwrap();
        by.discard(staged).unwrap();
        by.forget(run).unwrap();
    });
    assert!(case.slots().is_empty());
}

/// What somebody else has put into the place meanwhile is not touched; when it is out of the way,
/// the old tree can be had back.
#[test]
fn what_somebody_else_put_there_is_left_alone() {
    let case = Case::new();
    let live = case.live_on();
    let wish = FilesWish {
        mirror: true,
        ..case.wish()
    };
    let run = case.restore(&wish).unwrap().run;
    let tree = case.world.tree();
    std::fs::rename(&tree, case.world.dir.path().join("moved")).unwrap();
    write(&tree.join("theirs"), b"theirs");
    assert_eq!(case.state(), FilesState::Replaced);
    let journal = &case.world.journal;
    let error = case.with(journal, &(), |by| by.undo(run).unwrap_err());
    assert!(matches!(error, FilesError::Replaced { .. }), "{error}");
    assert_eq!(names(&tree), ["theirs"]);
    std::fs::remove_dir_all(&tree).unwrap();
    case.with(journal, &(), |by| by.undo(run)).unwrap();
    compare(&live, &portrait(&tree));
}
