//! A tar stream of anybody's: it is read to its end or refused, and asks for no more than it may.

use elpis_backup::archive::{ArchiveReader, ReadLimits};

pub(crate) fn check(tar: &[u8]) {
    let limits = ReadLimits {
        members: 10_000,
        header: 1 << 16,
        raw: 1 << 24,
    };
    let mut reader = ArchiveReader::new(tar, limits);
    let mut buffer = [0; 4096];
    while let Ok(Some(entry)) = reader.next_entry() {
        let path = entry.path.as_path();
        assert!(path.is_relative() && !entry.path.parts().any(|part| part == b".."));
        let mut left = entry.kind.stored();
        while let Ok(got @ 1..) = reader.read_data(&mut buffer) {
            left = left
                .checked_sub(got as u64)
                .expect("no more than the header said");
        }
    }
    assert!(reader.raw_bytes() <= tar.len() as u64);
}
