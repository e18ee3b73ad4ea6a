//! Reading a tar stream that may be broken or hostile.
//!
//! Nothing is taken on trust: every header's sum is checked, every number bounded, every name made
//! into a [`MemberPath`]. A stream that names a file twice, puts something below a file or a link,
//! links to what is not there, holds a device, or stops before its end mark is refused. Nothing is
//! written here; `extract` does that.

mod member;

use std::collections::HashMap;
use std::io::{self, Read};

use super::entry::{Entry, EntryKind};
use super::header::BLOCK;
use super::path::{MemberPath, PathError};

/// Bounds for what an archive may ask of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Members; each costs the reader its name and some 100 bytes of memory.
    pub members: u64,
    /// Bytes of all headers before one member: long names, attributes, maps.
    pub header: u64,
    /// Bytes of the whole tar.
    pub raw: u64,
}

impl Default for ReadLimits {
    /// 5 million members, 4 MiB of headers before each, 16 TiB in all.
    fn default() -> Self {
        ReadLimits {
            members: 5_000_000,
            header: 4 << 20,
            raw: 16 << 40,
        }
    }
}

/// Why an archive cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The compressed stream is damaged or could not be read.
    #[error("the compressed stream is damaged or cannot be read")]
    Stream(#[source] io::Error),
    /// The archive stops early.
    #[error("the archive ends in the middle, {at}")]
    Truncated {
        /// Where.
        at: String,
    },
    /// A header is damaged.
    #[error("the header {place} is damaged: {why}")]
    Header {
        /// After which member.
        place: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A member's name could mean a place outside.
    #[error("member {name} is refused: its name {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: PathError,
    },
    /// A member that no backup of ours has.
    #[error("member {name} is refused: {why}")]
    Refused {
        /// The member.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A bound of [`ReadLimits`].
    #[error("the archive is refused: it has more than {limit} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// After the end mark there is something.
    #[error("there is data after the end of the archive")]
    Trailing,
}

/// What a name stands for, as far as later members care.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Directory,
    File,
    Link,
}

/// Reads members one after the other. [`Read`] gives the present member's stored data.
pub struct ArchiveReader<R> {
    inner: R,
    limits: ReadLimits,
    seen: HashMap<MemberPath, Seen>,
    members: u64,
    raw: u64,
    /// Of the present member: data not yet read, and zeros behind it.
    left: u64,
    padding: u64,
    last: Option<MemberPath>,
}

impl<R> std::fmt::Debug for ArchiveReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveReader")
            .field("members", &self.members)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl<R: Read> ArchiveReader<R> {
    /// Reads the uncompressed tar in `inner`.
    pub fn new(inner: R, limits: ReadLimits) -> Self {
        ArchiveReader {
            inner,
            limits,
            seen: HashMap::new(),
            members: 0,
            raw: 0,
            left: 0,
            padding: 0,
            last: None,
        }
    }

    /// Bytes of the tar read so far.
    pub fn raw_bytes(&self) -> u64 {
        self.raw
    }

    /// The next member, `None` after the last. What is left of the present one is read over.
    ///
    /// # Errors
    /// [`ReadError`]: the archive must not be used any further.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            self.skip_data()?;
            let Some(entry) = self.next_header()? else {
                self.expect_end()?;
                return Ok(None);
            };
            let Some(entry) = entry else { continue };
            self.admit(&entry)?;
            return Ok(Some(entry));
        }
    }

    /// Checks a member against those before it.
    fn admit(&mut self, entry: &Entry) -> Result<(), ReadError> {
        let refused = |why| ReadError::Refused {
            name: entry.path.to_string(),
            why,
        };
        self.members += 1;
        if self.members > self.limits.members {
            return Err(ReadError::Limit {
                what: "members",
                limit: self.limits.members,
            });
        }
        for parent in entry.path.parents() {
            // A valid path's parents are valid.
            let Ok(parent) = MemberPath::new(parent) else {
                continue;
            };
            match self.seen.get(&parent) {
                Some(Seen::Directory) => {}
                Some(Seen::Link) => return Err(refused("it lies below a link")),
                Some(Seen::File) => return Err(refused("it lies below a file")),
                // Old archives name files without their directories.
                None => {
                    self.seen.insert(parent, Seen::Directory);
                }
            }
        }
        let now = match &entry.kind {
            EntryKind::Directory => Seen::Directory,
            EntryKind::File { .. } => Seen::File,
            EntryKind::Symlink(_) => Seen::Link,
            EntryKind::Hardlink(target) => match self.seen.get(target) {
                Some(Seen::File) => Seen::File,
                _ => return Err(refused("it is a hard link to no file before it")),
            },
        };
        match self.seen.insert(entry.path.clone(), now) {
            None => {}
            // The old script names directories twice.
            Some(Seen::Directory) if now == Seen::Directory => {}
            Some(_) => return Err(refused("there is another member of that name")),
        }
        self.last = Some(entry.path.clone());
        Ok(())
    }

    fn body(&mut self, size: u64) -> Result<Vec<u8>, ReadError> {
        let padded = size.next_multiple_of(BLOCK as u64);
        let mut body = vec![0; usize::try_from(padded).unwrap_or(usize::MAX)];
        self.fill(&mut body)?;
        body.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(body)
    }

    fn block(&mut self) -> Result<[u8; BLOCK], ReadError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        Ok(block)
    }

    fn fill(&mut self, mut into: &mut [u8]) -> Result<(), ReadError> {
        while !into.is_empty() {
            match self.read_some(into)? {
                0 => return Err(self.truncated()),
                got => into = &mut into[got..],
            }
        }
        Ok(())
    }

    fn read_some(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            match self.inner.read(into) {
                Ok(got) => {
                    self.raw += got as u64;
                    if self.raw > self.limits.raw {
                        return Err(ReadError::Limit {
                            what: "bytes",
                            limit: self.limits.raw,
                        });
                    }
                    return Ok(got);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(self.truncated());
                }
                Err(error) => return Err(ReadError::Stream(error)),
            }
        }
    }

    /// Reads some of the present member's data; 0 at its end.
    ///
    /// # Errors
    /// As [`next_entry`](Self::next_entry).
    pub fn read_data(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        let want = into
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        match self.read_some(&mut into[..want])? {
            0 => Err(self.truncated()),
            got => {
                self.left -= got as u64;
                Ok(got)
            }
        }
    }

    fn skip_data(&mut self) -> Result<(), ReadError> {
        let mut scratch = [0; 1 << 14];
        while self.left > 0 {
            self.read_data(&mut scratch)?;
        }
        let padding = std::mem::take(&mut self.padding);
        let padding = usize::try_from(padding).unwrap_or(0);
        self.fill(&mut scratch[..padding])
    }

    /// After the first block of zeros comes a second, then at most zeros.
    fn expect_end(&mut self) -> Result<(), ReadError> {
        let block = self.block()?;
        if block.iter().any(|byte| *byte != 0) {
            return Err(ReadError::Trailing);
        }
        let mut scratch = [0; 1 << 14];
        loop {
            match self.read_some(&mut scratch)? {
                0 => return Ok(()),
                got if scratch[..got].iter().all(|byte| *byte == 0) => {}
                _ => return Err(ReadError::Trailing),
            }
        }
    }

    fn place(&self) -> String {
        match &self.last {
            Some(member) => format!("after member {member}"),
            None => "of the first member".to_owned(),
        }
    }

    fn truncated(&self) -> ReadError {
        let at = match &self.last {
            Some(member) if self.left > 0 => format!("in member {member}"),
            Some(member) => format!("after member {member}"),
            None => "before its first member".to_owned(),
        };
        ReadError::Truncated { at }
    }

    fn damaged(&self, why: &'static str) -> ReadError {
        ReadError::Header {
            place: self.place(),
            why,
        }
    }
}
