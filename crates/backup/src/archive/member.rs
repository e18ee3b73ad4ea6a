//! One member of a verified archive, read once more.

use std::io::{self, Read};

use super::open::{Archive, Verified};
use super::path::MemberPath;
use super::reader::{ArchiveReader, ReadError, ReadLimits};

impl Archive<Verified> {
    /// The data of a file in it. Whoever can write to the archive may have changed it meanwhile:
    /// the sum that was verified has to be compared by the reader.
    pub(crate) fn read_member(
        &self,
        member: &MemberPath,
    ) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        let packed = self.bytes.reader().map_err(ReadError::Stream)?;
        let tar = self.form.unpack(packed).map_err(ReadError::Stream)?;
        let mut reader = ArchiveReader::new(tar, ReadLimits::default());
        while let Some(entry) = reader.next_entry()? {
            if entry.path == *member {
                return Ok(Box::new(Member(reader)));
            }
        }
        Err(ReadError::Truncated {
            at: format!("before member {member}"),
        })
    }
}

/// The present member of a reader.
struct Member<R>(ArchiveReader<R>);

impl<R: Read> Read for Member<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_data(into).map_err(io::Error::other)
    }
}
