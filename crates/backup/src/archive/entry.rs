//! What an archive knows about one member besides its bytes.

use super::path::MemberPath;

/// One member: a name, what it is, and how it lay on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub path: MemberPath,
    /// What it is.
    pub kind: EntryKind,
    /// Owner, permissions, time.
    pub meta: EntryMeta,
}

/// What a member is. Devices, sockets and pipes are neither written nor read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// Where its data lies, if it has holes.
        sparse: Option<SparseMap>,
    },
    /// A directory.
    Directory,
    /// A symbolic link with its target, byte for byte.
    Symlink(Vec<u8>),
    /// Another name of a regular file that comes before.
    Hardlink(MemberPath),
}

/// Owner, permissions, time and extended attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryMeta {
    /// Permission bits with setuid, setgid and sticky: at most 0o7777.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The owner's name; empty if unknown.
    pub uname: Vec<u8>,
    /// The group's name; empty if unknown.
    pub gname: Vec<u8>,
    /// Modification time: seconds since 1970, which may be negative.
    pub mtime: i64,
    /// The fraction of a second, in nanoseconds below 10^9.
    pub mtime_nanos: u32,
    /// Extended attributes, name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Where the data of a file with holes lies: pieces in order, none touching the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SparseMap(pub Vec<Extent>);

/// A piece of data in a file with holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

impl SparseMap {
    /// Bytes of data, holes not counted.
    pub fn stored(&self) -> u64 {
        self.0.iter().map(|extent| extent.length).sum()
    }

    /// The map, if its pieces are in order and end within `size`.
    pub(crate) fn checked(extents: Vec<Extent>, size: u64) -> Option<SparseMap> {
        let mut end = 0u64;
        for extent in &extents {
            if extent.offset < end {
                return None;
            }
            end = extent.offset.checked_add(extent.length)?;
        }
        (end <= size).then_some(SparseMap(extents))
    }
}

impl EntryKind {
    /// Bytes of data that the archive holds for it.
    pub fn stored(&self) -> u64 {
        match self {
            EntryKind::File { size, sparse } => sparse.as_ref().map_or(*size, SparseMap::stored),
            _ => 0,
        }
    }
}
