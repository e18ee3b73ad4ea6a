//! The tree that is being built.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use elpis_run::FsError;
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, XattrFlags};
use rustix::fs::{fchmod, fchown, fsetxattr, futimens, linkat, mkdirat, openat, symlinkat};
use rustix::process::{Gid, Uid};

use super::{Extract, ExtractError, Extracted};
use crate::archive::entry::{Entry, EntryKind, EntryMeta, Extent, SparseMap};
use crate::archive::manifest::Content;
use crate::archive::path::{MemberPath, shown};
use crate::archive::reader::ArchiveReader;
use crate::archive::verify::leaves;
use crate::files::Owners;

/// What is being built.
pub(super) struct Tree<'a> {
    root: &'a Path,
    handle: OwnedFd,
    owners: Owners,
    is_root: bool,
    directories: Vec<(MemberPath, EntryMeta)>,
    links: Vec<(MemberPath, Vec<u8>, EntryMeta)>,
    done: Extracted,
    /// Attributes that could not be set, and on how many files.
    refused: HashMap<Vec<u8>, u64>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: &'a Path, handle: OwnedFd) -> Tree<'a> {
        Tree {
            root,
            handle,
            owners: Owners::read(),
            is_root: rustix::process::geteuid().is_root(),
            directories: Vec::new(),
            links: Vec::new(),
            done: Extracted::default(),
            refused: HashMap::new(),
        }
    }

    pub(super) fn put<R: Read>(
        &mut self,
        entry: &Entry,
        told: &Content,
        reader: &mut ArchiveReader<R>,
        how: &Extract<'_>,
    ) -> Result<(), ExtractError> {
        let fail = |doing| move |errno: rustix::io::Errno| (doing, io::Error::from(errno));
        let place = |(doing, source): (&'static str, io::Error)| {
            FsError::new(doing, &entry.path.below(self.root), source)
        };
        let (parent, name) = self.parent(&entry.path)?;
        match &entry.kind {
            EntryKind::Directory => {
                make_directory(&parent, name)
                    .map_err(fail("create directory"))
                    .map_err(place)?;
                self.directories
                    .push((entry.path.clone(), entry.meta.clone()));
            }
            EntryKind::File { size, sparse } => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
                let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)
                    .map_err(fail("create"))
                    .map_err(place)?;
                let mut file = File::from(file);
                let sum = write_data(
                    &mut file,
                    (*size, sparse.as_ref()),
                    reader,
                    entry,
                    self.root,
                    how,
                )?;
                if !matches!(told, Content::File { pieces: None, blake3, .. } if *blake3 == sum)
                    && !matches!(
                        told,
                        Content::File {
                            pieces: Some(_),
                            ..
                        }
                    )
                {
                    return Err(ExtractError::Changed {
                        member: entry.path.clone(),
                    });
                }
                self.done.bytes += entry.kind.stored();
                self.dress(&file, &entry.path, &entry.meta)?;
            }
            EntryKind::Hardlink(target) => {
                let (from, from_name) = self.parent(target)?;
                linkat(&from, from_name, &parent, name, AtFlags::empty())
                    .map_err(fail("link"))
                    .map_err(place)?;
            }
            EntryKind::Symlink(target) => {
                if !how.outside_links && leaves(&entry.path, target) {
                    return Err(ExtractError::OutsideLink {
                        member: entry.path.clone(),
                    });
                }
                self.links
                    .push((entry.path.clone(), target.clone(), entry.meta.clone()));
            }
        }
        self.done.entries += 1;
        Ok(())
    }

    /// The directory of a member, made if need be, and the member's name in it.
    fn parent<'p>(&self, path: &'p MemberPath) -> Result<(OwnedFd, &'p OsStr), ExtractError> {
        let fail = |errno: rustix::io::Errno| {
            FsError::new(
                "open the directory of",
                &path.below(self.root),
                errno.into(),
            )
        };
        let mut handle = self
            .handle
            .try_clone()
            .map_err(|source| FsError::new("open directory", self.root, source))?;
        let mut parts = path.parts().map(OsStr::from_bytes).peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return Ok((handle, part));
            }
            make_directory(&handle, part).map_err(fail)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            handle = openat(&handle, part, flags, Mode::empty()).map_err(fail)?;
        }
        Err(fail(rustix::io::Errno::INVAL).into())
    }

    /// Gives a file or directory its owner, mode, attributes and time, in this order: a change of
    /// owner takes setuid away, and every change touches the time.
    fn dress(
        &mut self,
        file: &impl AsFd,
        path: &MemberPath,
        meta: &EntryMeta,
    ) -> Result<(), ExtractError> {
        let fail = |doing| {
            let at = path.below(self.root);
            move |errno: rustix::io::Errno| FsError::new(doing, &at, errno.into())
        };
        let mut mode = meta.mode;
        if self.is_root {
            let (uid, gid) = self.owner(meta);
            fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                .map_err(fail("change the owner of"))?;
        } else {
            // Whoever extracts becomes the owner, and was not meant to lend out their rights.
            mode &= 0o1777;
        }
        for (name, value) in &meta.xattrs {
            if fsetxattr(file, name.as_slice(), value, XattrFlags::empty()).is_err() {
                *self.refused.entry(name.clone()).or_default() += 1;
            }
        }
        fchmod(file, Mode::from_raw_mode(mode)).map_err(fail("change the mode of"))?;
        futimens(file, &times(meta)).map_err(fail("set the time of"))?;
        Ok(())
    }

    /// By name where this host knows it, else by number.
    fn owner(&self, meta: &EntryMeta) -> (u32, u32) {
        let number = |named: Option<u64>, number: u64| {
            u32::try_from(named.unwrap_or(number)).unwrap_or(65_534)
        };
        (
            number(self.owners.uid(&meta.uname), meta.uid),
            number(self.owners.gid(&meta.gname), meta.gid),
        )
    }

    pub(super) fn finish(mut self) -> Result<Extracted, ExtractError> {
        for (path, target, meta) in std::mem::take(&mut self.links) {
            let (parent, name) = self.parent(&path)?;
            let fail = |errno: rustix::io::Errno| {
                FsError::new("create link", &path.below(self.root), errno.into())
            };
            symlinkat(OsStr::from_bytes(&target), &parent, name).map_err(fail)?;
            let nofollow = AtFlags::SYMLINK_NOFOLLOW;
            if self.is_root {
                let (uid, gid) = self.owner(&meta);
                let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                rustix::fs::chownat(&parent, name, uid, gid, nofollow).map_err(fail)?;
            }
            rustix::fs::utimensat(&parent, name, &times(&meta), nofollow).map_err(fail)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // The deepest first: a directory's time changes with what is put into it.
        let mut directories = std::mem::take(&mut self.directories);
        directories.sort_by(|(a, _), (b, _)| b.cmp(a));
        directories.dedup_by(|(later, _), (earlier, _)| later == earlier);
        for (path, meta) in directories {
            let (parent, name) = self.parent(&path)?;
            let handle = openat(&parent, name, flags, Mode::empty()).map_err(|errno| {
                FsError::new("open directory", &path.below(self.root), errno.into())
            })?;
            self.dress(&handle, &path, &meta)?;
        }
        if !self.is_root {
            let what = "not root: everything belongs to you, not to its owner".to_owned();
            self.done.warnings.push(what);
        }
        let mut refused: Vec<_> = self.refused.into_iter().collect();
        refused.sort();
        for (name, count) in refused {
            let name = shown(&name);
            self.done.warnings.push(format!(
                "attribute {name} could not be set on {count} files"
            ));
        }
        Ok(self.done)
    }
}

fn times(meta: &EntryMeta) -> Timestamps {
    let time = Timespec {
        tv_sec: meta.mtime,
        tv_nsec: meta.mtime_nanos.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn make_directory(parent: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
    // As tar makes those that an archive does not name; above all of them stands a private one.
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Err(rustix::io::Errno::EXIST) | Ok(()) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Writes a file's data, holes left out, and returns its sum.
fn write_data<R: Read>(
    file: &mut File,
    (size, sparse): (u64, Option<&SparseMap>),
    reader: &mut ArchiveReader<R>,
    entry: &Entry,
    root: &Path,
    how: &Extract<'_>,
) -> Result<String, ExtractError> {
    let fail = |source| FsError::new("write", &entry.path.below(root), source);
    let mut sum = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    let whole = [Extent {
        offset: 0,
        length: size,
    }];
    for extent in sparse.map_or(&whole[..], |map| &map.0) {
        file.seek(SeekFrom::Start(extent.offset)).map_err(fail)?;
        let mut left = extent.length;
        while left > 0 {
            if how.stop.is_stopped() {
                return Err(ExtractError::Stopped);
            }
            let want = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let got = reader.read_data(&mut buffer[..want])?;
            if got == 0 {
                return Err(ExtractError::Changed {
                    member: entry.path.clone(),
                });
            }
            sum.update(&buffer[..got]);
            file.write_all(&buffer[..got]).map_err(fail)?;
            left -= got as u64;
        }
    }
    if sparse.is_some() {
        file.set_len(size).map_err(fail)?;
    }
    Ok(sum.finalize().to_string())
}
