//! Putting members on disk, below one new directory and nowhere else.
//!
//! Every name is walked handle by handle without following links; every file is created, never
//! opened. Links are made last, so nothing can be written through them, and directories get their
//! permissions after their content. Everything happens in a private directory beside the target,
//! which takes the target's name when all sums have been compared once more.

mod tree;

use std::io;
use std::path::{Path, PathBuf};

use elpis_run::{FsError, StopToken};
use rustix::fs::{Mode, OFlags};
use tree::Tree;

use super::entry::{Entry, EntryKind};
use super::manifest::{Content, MemberRecord};
use super::open::{Archive, Verified};
use super::path::MemberPath;
use super::reader::{ArchiveReader, ReadError, ReadLimits};
use crate::work::{WorkDir, free_bytes, sweep};

/// What stays free on the disk of an extraction, in bytes.
const RESERVE: u64 = 16 << 20;

/// How to extract.
#[derive(Debug, Clone)]
pub struct Extract<'a> {
    /// Only these members and what lies below them; everything if empty.
    pub only: &'a [MemberPath],
    /// Whether symbolic links that lead out of the target are made. They are harmless until
    /// somebody follows them.
    pub outside_links: bool,
    /// Ends it early; nothing is left then.
    pub stop: &'a StopToken,
}

/// What an extraction came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Extracted {
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of files, holes not counted.
    pub bytes: u64,
    /// What could not be put back as it was: owners without being root, attributes that the file
    /// system does not take.
    pub warnings: Vec<String>,
}

/// Why nothing was extracted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// A file or directory on the way.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The target is there and not empty.
    #[error("{} is there already and is not an empty directory", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The disk is too small.
    #[error("{} has {free} bytes free, and {needed} are needed", path.display())]
    Space {
        /// The directory above the target.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// A link leads out of the target, and that was not allowed.
    #[error("member {member} is a link that leads out of the target")]
    OutsideLink {
        /// The member.
        member: MemberPath,
    },
    /// Nothing in the archive has one of the names asked for.
    #[error("the archive has no member {member}")]
    NoMember {
        /// The name.
        member: MemberPath,
    },
    /// The archive cannot be read any more.
    #[error("the archive cannot be read again")]
    Read(#[from] ReadError),
    /// The archive is not what it was when it was verified.
    #[error("member {member} is not what it was when the archive was verified")]
    Changed {
        /// The member.
        member: MemberPath,
    },
    /// Stopped on request.
    #[error("stopped before everything was extracted; nothing is left of it")]
    Stopped,
}

impl Archive<Verified> {
    /// Puts members below `target`, which is an empty directory or not there. Blocks.
    ///
    /// # Errors
    /// [`ExtractError`]; the target is then as it was.
    pub fn extract(&mut self, target: &Path, how: &Extract<'_>) -> Result<Extracted, ExtractError> {
        expect_free(target)?;
        self.expect_members(how)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // What a killed extraction has left; if it cannot go, there may be room all the same.
        let _ = sweep(parent);
        self.expect_space(parent)?;
        let work = WorkDir::create(parent)?;
        let root = work.path().join("root");
        let extracted = self.fill(&root, how)?;
        // An empty directory gives way to another directory's name.
        rustix::fs::rename(&root, target)
            .map_err(|errno| FsError::new("rename to", target, errno.into()))?;
        sync(parent)?;
        Ok(extracted)
    }

    fn expect_members(&self, how: &Extract<'_>) -> Result<(), ExtractError> {
        let members = &self.state.contents.members;
        for wanted in how.only {
            if !members.iter().any(|member| member.path.is_within(wanted)) {
                return Err(ExtractError::NoMember {
                    member: wanted.clone(),
                });
            }
        }
        Ok(())
    }

    fn expect_space(&self, parent: &Path) -> Result<(), ExtractError> {
        let needed = self.state.contents.stored_bytes().saturating_add(RESERVE);
        let free = free_bytes(parent)?;
        if free < needed {
            let path = parent.to_owned();
            return Err(ExtractError::Space { path, free, needed });
        }
        Ok(())
    }

    fn fill(&self, root: &Path, how: &Extract<'_>) -> Result<Extracted, ExtractError> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(root)
            .map_err(|source| FsError::new("create directory", root, source))?;
        let everything = Destination {
            root,
            only: how.only,
        };
        let mut extracted = self.unpack(&[everything], how)?;
        Ok(extracted.pop().unwrap_or_default())
    }

    /// Puts members into several directories in one reading. A member goes to the first that wants
    /// it; [`Extract::only`] is not looked at. What was extracted is told in the order of `to`.
    ///
    /// # Errors
    /// [`ExtractError`]; something may lie in the directories then.
    pub(crate) fn unpack(
        &self,
        to: &[Destination<'_>],
        how: &Extract<'_>,
    ) -> Result<Vec<Extracted>, ExtractError> {
        let mut trees = Vec::with_capacity(to.len());
        for destination in to {
            trees.push(Tree::new(destination.root, open_dir(destination.root)?));
        }
        let packed = self.bytes.reader().map_err(ReadError::Stream)?;
        let decoder = self.form.unpack(packed).map_err(ReadError::Stream)?;
        let mut reader = ArchiveReader::new(decoder, ReadLimits::default());
        let mut expected = self.state.contents.members.iter();
        while let Some(entry) = reader.next_entry()? {
            if how.stop.is_stopped() {
                return Err(ExtractError::Stopped);
            }
            let told = expected.next().filter(|told| is_the_same(&entry, told));
            let told = told.ok_or_else(|| ExtractError::Changed {
                member: entry.path.clone(),
            })?;
            if let Some(at) = to.iter().position(|place| place.wants(&entry.path)) {
                trees[at].put(&entry, &told.content, &mut reader, how)?;
            }
        }
        trees.into_iter().map(Tree::finish).collect()
    }
}

/// A directory of ours that is there and empty, and what goes into it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) root: &'a Path,
    /// These members and what lies below them; everything if empty.
    pub(crate) only: &'a [MemberPath],
}

impl Destination<'_> {
    fn wants(&self, member: &MemberPath) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| member.is_within(only))
    }
}

/// Whether a member is what was verified, as far as its header tells: whoever can write to the
/// archive meanwhile gets nothing else on disk. The sum of its data is compared when it is read.
fn is_the_same(entry: &Entry, told: &MemberRecord) -> bool {
    let content = match (&entry.kind, &told.content) {
        (EntryKind::File { size, .. }, Content::File { size: verified, .. }) => size == verified,
        (EntryKind::Directory, content) => *content == Content::Directory,
        (EntryKind::Symlink(target), content) => *content == Content::symlink(target),
        (EntryKind::Hardlink(target), Content::Hardlink { target: verified }) => target == verified,
        _ => false,
    };
    content && entry.path == told.path
}

fn open_dir(root: &Path) -> Result<std::os::fd::OwnedFd, FsError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(root, flags, Mode::empty())
        .map_err(|errno| FsError::new("open directory", root, errno.into()))
}

fn expect_free(target: &Path) -> Result<(), ExtractError> {
    let exists = || ExtractError::Exists {
        path: target.to_owned(),
    };
    match std::fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FsError::new("look at", target, source).into()),
        Ok(found) if found.is_dir() => {
            let mut names = std::fs::read_dir(target)
                .map_err(|source| FsError::new("read directory", target, source))?;
            if names.next().is_some() {
                Err(exists())
            } else {
                Ok(())
            }
        }
        Ok(_) => Err(exists()),
    }
}

fn sync(dir: &Path) -> Result<(), FsError> {
    let fail = |source| FsError::new("sync", dir, source);
    let handle = std::fs::OpenOptions::new()
        .read(true)
        .open(dir)
        .map_err(fail)?;
    // Thousands of small files: one flush for all of them.
    rustix::fs::syncfs(&handle).map_err(|errno| fail(errno.into()))
}
