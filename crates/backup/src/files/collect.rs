//! From files to members.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use elpis_run::StopToken;
use rustix::fs::Stat;

use super::owners::Owners;
use super::pattern::Pattern;
use super::read::{Data, Stopping, read, xattrs};
use super::walk::{Identity, Node, Place, Walk, WalkError, What, identity};
use crate::archive::{
    ArchiveWriter, Entry, EntryKind, EntryMeta, MemberPath, Omission, OmissionKind, WriteError,
};

/// A tree to collect.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    /// Where it lies.
    pub(crate) path: &'a Path,
    /// What it is called in the archive.
    pub(crate) root: MemberPath,
    pub(crate) exclude: &'a [Pattern],
}

/// Puts trees into an archive.
pub(crate) struct Collector<'a> {
    pub(crate) archive: &'a mut ArchiveWriter,
    pub(crate) owners: &'a Owners,
    pub(crate) stop: &'a StopToken,
    pub(crate) skip: Option<Identity>,
    pub(crate) omissions: Vec<Omission>,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// The first name of each file that has several.
    links: HashMap<Identity, MemberPath>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(
        archive: &'a mut ArchiveWriter,
        owners: &'a Owners,
        stop: &'a StopToken,
        skip: Option<Identity>,
    ) -> Collector<'a> {
        Collector {
            archive,
            owners,
            stop,
            skip,
            omissions: Vec::new(),
            entries: 0,
            bytes: 0,
            links: HashMap::new(),
        }
    }

    /// Puts one tree into the archive, calling `told` after each file; stops early when the token
    /// says so, which the caller sees from the token.
    pub(crate) fn collect(
        &mut self,
        tree: &Tree<'_>,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<(), WriteError> {
        for found in Walk::new(tree.path, tree.root.clone(), tree.exclude, self.skip) {
            if self.stop.is_stopped() {
                return Ok(());
            }
            match found {
                Ok(node) => self.store(node)?,
                Err(error) => self.leave_out_after(error),
            }
            told(self.entries, self.bytes);
        }
        Ok(())
    }

    fn store(&mut self, node: Node) -> Result<(), WriteError> {
        match &node.what {
            What::Directory(handle) => {
                let attributes = self.attributes(&**handle, &node.path);
                self.add(
                    &node.member,
                    EntryKind::Directory,
                    &node.stat,
                    attributes,
                    &mut io::empty(),
                )
            }
            What::Symlink(place) => match place.target() {
                Ok(target) => {
                    let kind = EntryKind::Symlink(target);
                    self.add(&node.member, kind, &node.stat, Vec::new(), &mut io::empty())
                }
                Err(error) => {
                    self.leave_out(&node.path, &error, "read");
                    Ok(())
                }
            },
            What::File(place) => self.store_file(&node, place),
            What::Special => {
                self.omit(
                    &node.path,
                    OmissionKind::Special,
                    "a socket, pipe or device".to_owned(),
                );
                Ok(())
            }
        }
    }

    fn store_file(&mut self, node: &Node, place: &Place) -> Result<(), WriteError> {
        let id = identity(&node.stat);
        if node.stat.st_nlink > 1
            && let Some(first) = self.links.get(&id)
        {
            let kind = EntryKind::Hardlink(first.clone());
            return self.add(&node.member, kind, &node.stat, Vec::new(), &mut io::empty());
        }
        let opened = place.open(&node.stat);
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                self.leave_out(&node.path, &error, "open");
                return Ok(());
            }
        };
        let attributes = self.attributes(&file, &node.path);
        match read(file) {
            Err(error) => {
                self.leave_out(&node.path, &error, "read");
                return Ok(());
            }
            Ok(Data::Whole {
                bytes,
                stat,
                steady,
            }) => {
                let kind = EntryKind::File {
                    size: bytes.len() as u64,
                    sparse: None,
                };
                self.add(&node.member, kind, &stat, attributes, &mut &bytes[..])?;
                if !steady {
                    self.changed(&node.path);
                }
            }
            Ok(Data::Streamed { mut reader, stat }) => {
                let kind = EntryKind::File {
                    size: reader.size(),
                    sparse: reader.sparse(),
                };
                let mut data = Stopping {
                    inner: &mut reader,
                    stop: self.stop,
                };
                self.add(&node.member, kind, &stat, attributes, &mut data)?;
                match reader.verdict() {
                    (Some(error), _) => self.leave_out(&node.path, &error, "read all of"),
                    (None, false) => self.changed(&node.path),
                    (None, true) => {}
                }
            }
        }
        if node.stat.st_nlink > 1 {
            self.links.insert(id, node.member.clone());
        }
        Ok(())
    }

    fn add(
        &mut self,
        member: &MemberPath,
        kind: EntryKind,
        stat: &Stat,
        attributes: Vec<(Vec<u8>, Vec<u8>)>,
        data: &mut dyn Read,
    ) -> Result<(), WriteError> {
        let meta = self.meta(stat, attributes);
        let entry = Entry {
            path: member.clone(),
            kind,
            meta,
        };
        self.archive.add(&entry, data)?;
        self.entries += 1;
        self.bytes += entry.kind.stored();
        Ok(())
    }

    #[expect(clippy::unnecessary_cast, reason = "the fields differ between targets")]
    fn meta(&self, stat: &Stat, xattrs: Vec<(Vec<u8>, Vec<u8>)>) -> EntryMeta {
        let (uid, gid) = (u64::from(stat.st_uid), u64::from(stat.st_gid));
        EntryMeta {
            mode: stat.st_mode as u32 & 0o7777,
            uid,
            gid,
            uname: self.owners.user(uid),
            gname: self.owners.group(gid),
            mtime: stat.st_mtime as i64,
            mtime_nanos: stat.st_mtime_nsec as u32,
            xattrs,
        }
    }

    fn attributes(
        &mut self,
        file: &impl std::os::fd::AsFd,
        path: &Path,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        xattrs(file).unwrap_or_else(|error| {
            self.leave_out(path, &error, "read the attributes of");
            Vec::new()
        })
    }

    fn leave_out_after(&mut self, error: WalkError) {
        self.leave_out(&error.path, &error.source, error.doing);
    }

    fn leave_out(&mut self, path: &Path, error: &io::Error, doing: &str) {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => OmissionKind::Vanished,
            _ => OmissionKind::Unreadable,
        };
        self.omit(path, kind, format!("cannot {doing} it: {error}"));
    }

    fn changed(&mut self, path: &Path) {
        let why = "somebody wrote to it while it was read".to_owned();
        self.omit(path, OmissionKind::Changed, why);
    }

    fn omit(&mut self, path: &Path, kind: OmissionKind, why: String) {
        let path = PathBuf::from(path).to_string_lossy().into_owned();
        self.omissions.push(Omission { path, kind, why });
    }
}
