//! Looking at the places that files are to be restored to, and at what the archive has for them.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_run::{FsError, fsx};
use rustix::fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags};
use serde::Serialize;

use super::plan::{FileRoot, FilesWish};
use crate::archive::{Archive, Content, Contents, MemberPath, MemberRecord, Verified, leaves};
use crate::files::Walk;

/// What is there, and what the archive has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilesFacts {
    /// The archive.
    pub archive: PathBuf,
    /// The places, in the order of the wish.
    pub places: Vec<PlaceFacts>,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceFacts {
    /// What goes there.
    pub root: FileRoot,
    /// The place with its links resolved.
    pub resolved: PathBuf,
    /// What lies there.
    pub there: Option<PlaceKind>,
    /// What the archive has for it.
    pub archived: Option<PlaceKind>,
    /// Whether another file system is mounted there.
    pub is_mount: bool,
    /// Why the directory above it cannot be written.
    pub unwritable: Option<String>,
    /// What of it cannot be read, and why.
    pub unreadable: Vec<String>,
    /// The number of the disk.
    pub device: u64,
    /// Bytes that are free on it.
    pub free: u64,
    /// Members of the archive.
    pub entries: u64,
    /// Bytes of their data.
    pub bytes: u64,
    /// How much is there that the archive does not have.
    pub extra: u64,
    /// If it would go away, its names.
    pub leaving: Vec<String>,
    /// Members that are links out of the tree, where there is not the same link now.
    pub outside_links: Vec<String>,
}

/// What something is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A link or anything else.
    Other,
}

impl fmt::Display for PlaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PlaceKind::Directory => "a directory",
            PlaceKind::File => "a file",
            PlaceKind::Other => "neither file nor directory",
        })
    }
}

impl FilesFacts {
    /// Looks at every place of `wish` and compares it with the archive. Changes nothing; blocks.
    ///
    /// # Errors
    /// When a disk does not tell how much room it has.
    pub fn gather(archive: &Archive<Verified>, wish: &FilesWish) -> Result<FilesFacts, FsError> {
        let contents = archive.contents();
        let places = wish
            .roots
            .iter()
            .map(|root| look(root, contents, wish.mirror));
        Ok(FilesFacts {
            archive: archive.path().to_owned(),
            places: places.collect::<Result<_, _>>()?,
        })
    }
}

fn look(root: &FileRoot, contents: &Contents, mirror: bool) -> Result<PlaceFacts, FsError> {
    let resolved = resolve(&root.place);
    let there = std::fs::symlink_metadata(&resolved).ok();
    let above = nearest(&resolved);
    let (free, _) = fsx::space(&above)?;
    let device = std::fs::metadata(&above)
        .map_err(|source| FsError::new("look at", &above, source))?
        .dev();
    let mut facts = PlaceFacts {
        root: root.clone(),
        is_mount: is_mount(&resolved, there.as_ref().map(MetadataExt::dev), device),
        there: there.as_ref().map(kind),
        archived: None,
        unwritable: unwritable(&above),
        unreadable: Vec::new(),
        device,
        free,
        entries: 0,
        bytes: 0,
        extra: 0,
        leaving: Vec::new(),
        outside_links: Vec::new(),
        resolved,
    };
    let names = facts.read_members(&contents.members);
    // Holes take no room.
    facts.bytes = facts.bytes.min(contents.raw_bytes);
    if facts.there == Some(PlaceKind::Directory) {
        facts.compare(&names, mirror);
    }
    Ok(facts)
}

impl PlaceFacts {
    /// Takes in what the archive has, and returns all its names.
    fn read_members<'a>(&mut self, members: &'a [MemberRecord]) -> HashSet<&'a [u8]> {
        let top = &self.root.member;
        let mut names: HashSet<&[u8]> = HashSet::new();
        let mut links = Vec::new();
        for member in members.iter().filter(|member| member.path.is_within(top)) {
            self.entries += 1;
            names.insert(member.path.as_bytes());
            names.extend(member.path.parents());
            // Old archives name files without the directory they lie in.
            let kind = match (&member.content, member.path == *top) {
                (_, false) | (Content::Directory, true) => PlaceKind::Directory,
                (Content::File { .. }, true) => PlaceKind::File,
                _ => PlaceKind::Other,
            };
            self.archived.get_or_insert(kind);
            match &member.content {
                Content::File { size, .. } => self.bytes = self.bytes.saturating_add(*size),
                Content::Symlink { target } => links.push((&member.path, target)),
                _ => {}
            }
        }
        for (path, target) in links {
            if self.leads_out(path, target) {
                self.outside_links.push(path.to_string());
            }
        }
        names
    }

    /// Whether a link leads out of the tree and is not there already.
    fn leads_out(&self, path: &MemberPath, target: &str) -> bool {
        let top = self.root.member.as_bytes().len();
        let below = path.as_bytes().get(top + 1..).unwrap_or_default();
        let Ok(below) = MemberPath::new(below) else {
            return true;
        };
        if !leaves(&below, target.as_bytes()) {
            return false;
        }
        let now = std::fs::read_link(below.below(&self.resolved));
        let now = now.map(|now| Content::symlink(&now.into_os_string().into_vec()));
        let target = target.to_owned();
        now.ok() != Some(Content::Symlink { target })
    }

    /// Finds what is there and not in the archive.
    fn compare(&mut self, names: &HashSet<&[u8]>, mirror: bool) {
        let mut last: Option<MemberPath> = None;
        for node in Walk::new(&self.resolved, self.root.member.clone(), &[], None) {
            match node {
                Ok(node) if names.contains(node.member.as_bytes()) => {}
                Ok(node) => {
                    self.extra += 1;
                    let is_listed = last.as_ref().is_some_and(|dir| node.member.is_within(dir));
                    if mirror && !is_listed {
                        self.leaving.push(self.shown(&node.member));
                        last = Some(node.member);
                    }
                }
                Err(error) => {
                    let (path, doing) = (error.path.display(), error.doing);
                    let said = format!("cannot {doing} {path}: {}", error.source);
                    self.unreadable.push(said);
                }
            }
        }
    }

    fn shown(&self, member: &MemberPath) -> String {
        let top = self.root.member.as_bytes().len();
        let below = member.as_bytes().get(top + 1..).unwrap_or_default();
        self.root
            .place
            .join(OsStr::from_bytes(below))
            .display()
            .to_string()
    }
}

/// The place with its links resolved, as far as it is there.
fn resolve(place: &Path) -> PathBuf {
    if let Ok(real) = std::fs::canonicalize(place) {
        return real;
    }
    match (place.parent(), place.file_name()) {
        (Some(parent), Some(name)) => resolve(parent).join(name),
        _ => place.to_owned(),
    }
}

/// The nearest directory above it that is there.
fn nearest(place: &Path) -> PathBuf {
    let mut above = place.ancestors().skip(1);
    let there = above.find(|above| above.is_dir());
    there.unwrap_or(Path::new("/")).to_owned()
}

fn kind(found: &std::fs::Metadata) -> PlaceKind {
    match found.file_type() {
        kind if kind.is_dir() => PlaceKind::Directory,
        kind if kind.is_file() => PlaceKind::File,
        _ => PlaceKind::Other,
    }
}

/// Whether something is mounted at `place`; a bind mount of the same disk shows only where the
/// kernel tells (5.8 and later).
fn is_mount(place: &Path, device: Option<u64>, above: u64) -> bool {
    let told = rustix::fs::statx(CWD, place, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    let told = told.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    told || device.is_some_and(|device| device != above)
}

fn unwritable(dir: &Path) -> Option<String> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    let denied = rustix::fs::accessat(CWD, dir, access, AtFlags::EACCESS).err()?;
    Some(format!("cannot write to {}: {denied}", dir.display()))
}
