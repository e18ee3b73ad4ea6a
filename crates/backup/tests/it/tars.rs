//! Archives made by hand, as the `tar` crate would not write them.

use std::io::Write;

use tar::{Builder, EntryType, Header};

pub(crate) type Tar = Builder<Vec<u8>>;

pub(crate) fn gz(raw: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(raw).unwrap();
    gz.finish().unwrap()
}

/// A header with a raw name, which the `tar` crate would not write.
pub(crate) fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

pub(crate) fn put(tar: &mut Tar, kind: EntryType, name: &str, data: &[u8]) {
    tar.append(&header(kind, name, data.len() as u64), data)
        .unwrap();
}

pub(crate) fn link(tar: &mut Tar, kind: EntryType, name: &str, target: &str) {
    let mut header = header(kind, name, 0);
    header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    tar.append(&header, &b""[..]).unwrap();
}
