//! Unpacking into private directories beside the places.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use elpis_run::FsError;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};

use super::error::FilesError;
use super::keep;
use super::plan::{FilesPlan, RootPlan};
use super::record::{Slot, kept, look};
use super::run::FileRestore;
use super::swap::sync;
use crate::archive::{Archive, Destination, Extract, Extracted, MemberPath, Verified};
use crate::work::random_name;

/// What the names of our directories begin with.
const PREFIX: &str = ".elpis-restore.";

/// The directories that will be made, one beside each place, with names that nobody can foretell.
pub(super) fn choose_dirs(plan: &FilesPlan) -> Vec<PathBuf> {
    let beside = |root: &RootPlan| {
        let parent = root.resolved.parent().unwrap_or(Path::new("/"));
        parent.join(format!("{PREFIX}{}", random_name()))
    };
    plan.roots.iter().map(beside).collect()
}

/// Removes what lies in directories of ours.
pub(super) fn discard(dirs: &[PathBuf]) -> Result<(), FsError> {
    for dir in dirs {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FsError::new("remove directory", dir, error));
            }
            _ => {}
        }
    }
    Ok(())
}

impl FileRestore<'_> {
    /// Unpacks every tree, looks at each, and makes it durable.
    pub(super) fn unpack(
        &self,
        archive: &Archive<Verified>,
        plan: &FilesPlan,
        dirs: &[PathBuf],
    ) -> Result<(Vec<Slot>, Vec<Extracted>), FilesError> {
        let mut wanted = Vec::new();
        for (root, dir) in plan.roots.iter().zip(dirs) {
            make_slot(dir)?;
            wanted.push((dir.join("unpacked"), [root.root.member.clone()]));
        }
        let destinations: Vec<Destination<'_>> = wanted
            .iter()
            .map(|(root, only)| Destination { root, only })
            .collect();
        let how = Extract {
            only: &[],
            // The plan has refused those that were not accepted.
            outside_links: true,
            stop: self.stop,
        };
        let extracted = archive.unpack(&destinations, &how)?;
        let mut slots = Vec::new();
        for (root, dir) in plan.roots.iter().zip(dirs) {
            slots.push(lift(root, dir)?);
            let tree = kept(dir);
            self.check
                .check(&root.root, &tree)
                .map_err(|why| FilesError::Unfit {
                    place: root.root.place.clone(),
                    why,
                })?;
        }
        // Thousands of small files: one flush of each disk for all of them.
        let mut disks = BTreeSet::new();
        for slot in &slots {
            if disks.insert(slot.new.0) {
                flush(&slot.dir)?;
            }
        }
        Ok((slots, extracted))
    }
}

/// A private directory with an empty one in it.
fn make_slot(dir: &Path) -> Result<(), FsError> {
    let make = |path: &Path, mode, recursive| {
        let made = DirBuilder::new()
            .mode(mode)
            .recursive(recursive)
            .create(path);
        made.map_err(|source| FsError::new("create directory", path, source))
    };
    if let Some(parent) = dir.parent() {
        make(parent, 0o755, true)?;
        make(dir, 0o700, false)?;
        sync(parent)?;
    }
    make(&dir.join("unpacked"), 0o700, false)
}

/// Brings the tree out of the directories that it has in the archive.
fn lift(root: &RootPlan, dir: &Path) -> Result<Slot, FilesError> {
    let unpacked = dir.join("unpacked");
    let from = root.root.member.below(&unpacked);
    let tree = kept(dir);
    renameat_with(CWD, &from, CWD, &tree, RenameFlags::empty())
        .map_err(|errno| FsError::new("rename to", &tree, errno.into()))?;
    discard(&[unpacked])?;
    let slot = Slot {
        new: look(&tree)
            .ok_or_else(|| FsError::new("look at", &tree, io::ErrorKind::NotFound.into()))?,
        before: look(&root.resolved),
        place: root.resolved.clone(),
        dir: dir.to_owned(),
    };
    Ok(slot)
}

/// Old archives do not name the topmost directory: it is as the one that is there now.
pub(super) fn dress_like(slot: &Slot) -> Result<(), FsError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = |path: &Path| {
        rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| FsError::new("open", path, errno.into()))
    };
    if slot.before.is_none() {
        return Ok(());
    }
    let (from, to) = (open(&slot.place)?, open(&slot.kept())?);
    keep::dress(&from, &to)
        .map_err(|errno| FsError::new("copy owner and mode of", &slot.place, errno.into()))
}

/// Whether the archive names the topmost member itself.
pub(super) fn names_top(archive: &Archive<Verified>, top: &MemberPath) -> bool {
    archive
        .contents()
        .members
        .iter()
        .any(|member| member.path == *top)
}

fn flush(dir: &Path) -> Result<(), FsError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty())
        .and_then(rustix::fs::syncfs)
        .map_err(|errno| FsError::new("sync", dir, errno.into()))
}
