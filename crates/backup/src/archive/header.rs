//! Headers as they are written: ustar, with pax records for what ustar cannot say (POSIX.1-2001),
//! and GNU's pax sparse format 1.0 for files with holes. GNU tar, bsdtar and Python read them.

use super::entry::{Entry, EntryKind, EntryMeta, Extent};

/// The unit of a tar stream.
pub(in crate::archive) const BLOCK: usize = 512;

/// The bytes before a member's data.
pub(super) fn head(entry: &Entry) -> Vec<u8> {
    let mut records = Records::default();
    let meta = &entry.meta;
    if meta.mtime_nanos > 0 || octal_overflows(meta.mtime.try_into().ok(), 11) {
        records.add("mtime", fraction(meta.mtime, meta.mtime_nanos).as_bytes());
    }
    for (key, id) in [("uid", meta.uid), ("gid", meta.gid)] {
        if octal_overflows(Some(id), 7) {
            records.add(key, id.to_string().as_bytes());
        }
    }
    for (key, name) in [("uname", &meta.uname), ("gname", &meta.gname)] {
        if name.len() > 31 {
            records.add(key, name);
        }
    }
    for (name, value) in &meta.xattrs {
        records.add_bytes(&[b"SCHILY.xattr.".as_slice(), name].concat(), value);
    }
    let mut path = entry.path.as_bytes().to_vec();
    let (flag, size, link) = match &entry.kind {
        EntryKind::Directory => {
            path.push(b'/');
            (b'5', 0, Vec::new())
        }
        EntryKind::Symlink(target) => (b'2', 0, target.clone()),
        EntryKind::Hardlink(target) => (b'1', 0, target.as_bytes().to_vec()),
        EntryKind::File { size, sparse: None } => (b'0', *size, Vec::new()),
        EntryKind::File {
            size,
            sparse: Some(map),
        } => {
            records.add("GNU.sparse.major", b"1");
            records.add("GNU.sparse.minor", b"0");
            records.add("GNU.sparse.name", &path);
            records.add("GNU.sparse.realsize", size.to_string().as_bytes());
            path = [b"GNUSparseFile.0/".as_slice(), &path].concat();
            (
                b'0',
                sparse_text(&map.0, *size).len() as u64 + map.stored(),
                Vec::new(),
            )
        }
    };
    if octal_overflows(Some(size), 11) {
        records.add("size", size.to_string().as_bytes());
    }
    if link.len() > 100 {
        records.add("linkpath", &link);
    }
    let split = split_path(&path);
    if split.is_none() {
        records.add("path", &path);
    }
    let mut out = Vec::with_capacity(2 * BLOCK);
    if !records.0.is_empty() {
        let name = b"PaxHeaders/x".as_slice();
        out.extend(ustar(
            &EntryMeta {
                mode: 0o600,
                ..meta.clone()
            },
            (b"", name),
            b'x',
            records.0.len() as u64,
            b"",
        ));
        out.extend(&records.0);
        pad(&mut out);
    }
    let (prefix, name) = split.unwrap_or((b"", &path[..path.len().min(100)]));
    out.extend(ustar(meta, (prefix, name), flag, size, &link));
    if let EntryKind::File {
        size,
        sparse: Some(map),
    } = &entry.kind
    {
        out.extend(sparse_text(&map.0, *size));
    }
    out
}

/// The map of a sparse file as it stands before its data: lines of numbers, padded to a block.
fn sparse_text(extents: &[Extent], size: u64) -> Vec<u8> {
    // GNU tar learns of a hole at the end from an empty piece there.
    let end = extents.last().map_or(0, |last| last.offset + last.length);
    let mark = (end < size).then_some(Extent {
        offset: size,
        length: 0,
    });
    let mut text = format!("{}\n", extents.len() + usize::from(mark.is_some()));
    for extent in extents.iter().chain(&mark) {
        text.push_str(&format!("{}\n{}\n", extent.offset, extent.length));
    }
    let mut text = text.into_bytes();
    pad(&mut text);
    text
}

/// Fills `bytes` with zeros up to the next block.
pub(super) fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
}

fn fraction(seconds: i64, nanos: u32) -> String {
    // Before 1970 the fraction counts backwards: -1.5 is one and a half second before.
    if seconds >= 0 || nanos == 0 {
        return format!("{seconds}.{nanos:09}");
    }
    let (whole, rest) = (seconds + 1, 1_000_000_000 - nanos);
    let sign = if whole == 0 { "-" } else { "" };
    format!("{sign}{whole}.{rest:09}")
}

/// Pax records: `LENGTH KEY=VALUE\n`, where the length counts itself.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn add(&mut self, key: &str, value: &[u8]) {
        self.add_bytes(key.as_bytes(), value);
    }

    fn add_bytes(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        self.0.extend(format!("{length} ").into_bytes());
        self.0.extend_from_slice(key);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

/// Prefix and name of ustar, if the path fits into them.
fn split_path(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= 100 {
        return Some((b"", path));
    }
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= 155 && name.len() <= 100 && !name.is_empty())
}

fn octal_overflows(value: Option<u64>, digits: u32) -> bool {
    value.is_none_or(|value| value >> (3 * digits) != 0)
}

fn ustar(
    meta: &EntryMeta,
    (prefix, name): (&[u8], &[u8]),
    flag: u8,
    size: u64,
    link: &[u8],
) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, 0, &name[..name.len().min(100)]);
    octal(&mut block, 100, 7, u64::from(meta.mode & 0o7777));
    octal(&mut block, 108, 7, meta.uid);
    octal(&mut block, 116, 7, meta.gid);
    octal(&mut block, 124, 11, size);
    octal(&mut block, 136, 11, u64::try_from(meta.mtime).unwrap_or(0));
    block[156] = flag;
    put(&mut block, 157, &link[..link.len().min(100)]);
    put(&mut block, 257, b"ustar\x0000");
    put(&mut block, 265, &meta.uname[..meta.uname.len().min(31)]);
    put(&mut block, 297, &meta.gname[..meta.gname.len().min(31)]);
    put(&mut block, 345, prefix);
    // The sum is taken with spaces in its own place.
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut block, 148, 6, sum);
    block[154] = 0;
    block
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A number in octal; one that does not fit stands in a pax record and is 0 here.
fn octal(block: &mut [u8; BLOCK], at: usize, digits: usize, value: u64) {
    let value = if octal_overflows(Some(value), digits as u32) {
        0
    } else {
        value
    };
    put(block, at, format!("{value:0digits$o}").as_bytes());
}
