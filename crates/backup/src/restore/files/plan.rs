//! What is going to happen to which place: a pure function of what is wanted and what is there.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::survey::{FilesFacts, PlaceFacts, PlaceKind};
use crate::archive::MemberPath;

/// What stays free on each disk, in bytes.
const RESERVE: u64 = 16 << 20;
/// What a file or directory costs besides its data, in bytes.
const EACH: u64 = 4096;
/// How many of many names a refusal shows.
const SHOWN: usize = 5;

/// A tree of the archive, or a single file, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRoot {
    /// What it is called.
    pub component: String,
    /// Where it stands in the archive.
    pub member: MemberPath,
    /// Where it goes; absolute, without `..`.
    pub place: PathBuf,
}

/// Which trees are wanted, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesWish {
    /// The trees. No place lies in another.
    pub roots: Vec<FileRoot>,
    /// Whether what is not in the archive goes away (it is kept for an undo).
    pub mirror: bool,
    /// Whether links that lead out of their tree are made, where there is not the same link now.
    pub outside_links: bool,
    /// Whether a database is restored with them: without it they must not take their places.
    pub with_database: bool,
}

/// A restore of files that can be made. It is what the journal keeps of the intention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesPlan {
    /// The archive.
    pub archive: PathBuf,
    /// The trees.
    pub roots: Vec<RootPlan>,
    /// Whether what is not in the archive goes away.
    pub mirror: bool,
    /// Whether a database is restored with them.
    #[serde(default)]
    pub with_database: bool,
    /// Why nothing will be done; empty if it will.
    pub refusals: Vec<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What happens to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootPlan {
    /// The tree.
    #[serde(flatten)]
    pub root: FileRoot,
    /// The place with its links resolved: what is exchanged.
    pub resolved: PathBuf,
    /// Whether something lies there, to be kept for an undo.
    pub exists: bool,
    /// Members of the archive.
    pub entries: u64,
    /// Bytes of their data.
    pub bytes: u64,
    /// Files and directories that are there now and not in the archive: they stay, or with
    /// `mirror` go away.
    pub extra: u64,
    /// With `mirror`, their names, of directories with everything in them only the directory's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<String>,
}

impl FilesPlan {
    /// Decides. No I/O.
    pub fn new(wish: &FilesWish, facts: FilesFacts) -> FilesPlan {
        let mut plan = FilesPlan {
            archive: facts.archive,
            roots: Vec::new(),
            mirror: wish.mirror,
            with_database: wish.with_database,
            refusals: Vec::new(),
            warnings: Vec::new(),
        };
        if facts.places.is_empty() {
            plan.refuse("the archive has no files of this installation".to_owned());
        }
        for (at, place) in facts.places.iter().enumerate() {
            let others = facts.places[..at].iter();
            plan.judge(wish, place, others);
        }
        plan.expect_space(&facts.places);
        for place in facts.places {
            plan.roots.push(RootPlan {
                exists: place.there.is_some(),
                root: place.root,
                resolved: place.resolved,
                entries: place.entries,
                bytes: place.bytes,
                extra: place.extra,
                leaving: place.leaving,
            });
        }
        plan
    }

    fn refuse(&mut self, why: String) {
        self.refusals.push(why);
    }

    fn judge<'a>(
        &mut self,
        wish: &FilesWish,
        place: &PlaceFacts,
        mut others: impl Iterator<Item = &'a PlaceFacts>,
    ) {
        let shown = place.root.place.display();
        if !is_plain(&place.root.place) {
            self.refuse(format!(
                "{shown} is not absolute, has `..`, or is `/` itself"
            ));
        }
        let overlaps = |other: &&PlaceFacts| {
            other.resolved.starts_with(&place.resolved)
                || place.resolved.starts_with(&other.resolved)
        };
        if let Some(other) = others.find(overlaps) {
            let other = other.root.place.display();
            self.refuse(format!("{shown} and {other} lie in one another"));
        }
        if place.is_mount {
            self.refuse(format!(
                "{shown} is a file system of its own and cannot be exchanged by a rename: mount it \
                 elsewhere or leave it out"
            ));
        }
        match (place.there, place.archived) {
            (_, None) => {
                let member = &place.root.member;
                self.refuse(format!("the archive has no member {member}"));
            }
            (_, Some(PlaceKind::Other)) => {
                let member = &place.root.member;
                self.refuse(format!("member {member} is a link"));
            }
            (Some(there), Some(archived)) if there != archived => {
                self.refuse(format!(
                    "{shown} is {there} here and {archived} in the archive"
                ));
            }
            _ => {}
        }
        if let Some(why) = &place.unwritable {
            self.refuse(why.clone());
        }
        if !place.unreadable.is_empty() {
            let (first, more) = (&place.unreadable[0], place.unreadable.len() - 1);
            self.refuse(format!(
                "what lies there cannot be read: {first} (and {more} more)"
            ));
        }
        if !wish.outside_links && !place.outside_links.is_empty() {
            let count = place.outside_links.len();
            let names: Vec<&str> = place.outside_links.iter().map(String::as_str).collect();
            let names = names[..count.min(SHOWN)].join(", ");
            self.refuse(format!("{count} links lead out of {shown}: {names}"));
        }
        if place.there.is_none() {
            self.warnings
                .push(format!("{shown} is not there and will be made"));
        }
    }

    fn expect_space(&mut self, places: &[PlaceFacts]) {
        let mut disks: BTreeMap<u64, (u64, &PlaceFacts)> = BTreeMap::new();
        for place in places {
            let needed = place
                .bytes
                .saturating_add(place.entries.saturating_mul(EACH));
            let disk = disks.entry(place.device).or_insert((RESERVE, place));
            disk.0 = disk.0.saturating_add(needed);
        }
        for (needed, place) in disks.into_values() {
            if place.free < needed {
                let (shown, free) = (place.root.place.display(), place.free);
                self.refuse(format!(
                    "the disk of {shown} has {free} bytes free, and {needed} are needed"
                ));
            }
        }
    }
}

/// Whether a path names a place below the root without detours.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir)
        && path.file_name().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> PlaceFacts {
        PlaceFacts {
            root: FileRoot {
                component: "c".to_owned(),
                member: MemberPath::of_file(path.as_ref()).unwrap(),
                place: path.into(),
            },
            resolved: path.into(),
            there: Some(PlaceKind::Directory),
            archived: Some(PlaceKind::Directory),
            is_mount: false,
            unwritable: None,
            unreadable: Vec::new(),
            device: 1,
            free: u64::MAX,
            entries: 10,
            bytes: 1000,
            extra: 0,
            leaving: Vec::new(),
            outside_links: Vec::new(),
        }
    }

    fn refusals(places: Vec<PlaceFacts>, wish: &FilesWish) -> Vec<String> {
        let facts = FilesFacts {
            archive: "/a".into(),
            places,
        };
        FilesPlan::new(wish, facts).refusals
    }

    #[test]
    fn a_sound_plan_has_no_refusals_and_every_flaw_has_one() {
        let wish = FilesWish::default();
        assert_eq!(refusals(vec![place("/a/b"), place("/a/c")], &wish), [""; 0]);
        let flawed = |flaw: &dyn Fn(&mut PlaceFacts)| {
            let mut place = place("/a/b");
            flaw(&mut place);
            refusals(vec![place], &wish)
        };
        for (flaw, said) in [
            (
                (&|p: &mut PlaceFacts| p.is_mount = true) as &dyn Fn(&mut PlaceFacts),
                "file system of its own",
            ),
            (&|p| p.archived = None, "has no member a/b"),
            (&|p| p.archived = Some(PlaceKind::Other), "is a link"),
            (
                &|p| p.there = Some(PlaceKind::File),
                "a file here and a directory",
            ),
            (&|p| p.unwritable = Some("no".to_owned()), "no"),
            (
                &|p| p.unreadable = vec!["x: y".to_owned()],
                "x: y (and 0 more)",
            ),
            (
                &|p| p.outside_links = vec!["l".to_owned()],
                "1 links lead out",
            ),
            (&|p| p.root.place = "/a/../b".into(), "has `..`"),
            (&|p| p.root.place = "a".into(), "not absolute"),
            (&|p| p.root.place = "/".into(), "`/` itself"),
        ] {
            let all = flawed(flaw);
            assert!(all.len() == 1 && all[0].contains(said), "{said}: {all:?}");
        }
        assert_eq!(refusals(Vec::new(), &wish).len(), 1);
        let overlapping = refusals(vec![place("/a/b"), place("/a/b/c")], &wish);
        assert!(overlapping[0].contains("lie in one another"));
    }

    #[test]
    fn space_is_added_up_by_disk_to_the_byte() {
        let needed = RESERVE + 2 * (1000 + 10 * EACH);
        let with = |free| {
            let places = ["/a/b", "/a/c"].map(|path| PlaceFacts {
                free,
                ..place(path)
            });
            refusals(places.into(), &FilesWish::default()).len()
        };
        assert_eq!((with(needed), with(needed - 1)), (0, 1));
    }

    #[test]
    fn links_that_lead_out_can_be_accepted() {
        let mut links = place("/a/b");
        links.outside_links.push("l".to_owned());
        let wish = FilesWish {
            outside_links: true,
            ..FilesWish::default()
        };
        assert!(refusals(vec![links], &wish).is_empty());
    }
}
