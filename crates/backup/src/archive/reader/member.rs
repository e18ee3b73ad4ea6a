//! From headers to a member.

use std::io::Read;

use super::{ArchiveReader, ReadError};
use crate::archive::entry::{Entry, EntryKind, EntryMeta, Extent, SparseMap};
use crate::archive::field::{Header, number};
use crate::archive::header::BLOCK;
use crate::archive::path::{MemberPath, shown};
use crate::archive::pax::{Records, parse};

impl<R: Read> ArchiveReader<R> {
    /// `Some(None)` is the directory `.`, which is no member.
    pub(super) fn next_header(&mut self) -> Result<Option<Option<Entry>>, ReadError> {
        let mut pending = Pending::default();
        let mut budget = self.limits.header;
        loop {
            let block = self.block()?;
            if block.iter().all(|byte| *byte == 0) {
                if pending.is_empty() {
                    return Ok(None);
                }
                return Err(self.damaged("an extended header is followed by nothing"));
            }
            let header = Header::check(&block).map_err(|why| self.damaged(why))?;
            match header.flag() {
                b'x' | b'g' | b'L' | b'K' => {
                    let size = header.size().map_err(|why| self.damaged(why))?;
                    budget = budget.checked_sub(size).ok_or(ReadError::Limit {
                        what: "bytes of headers before one member",
                        limit: self.limits.header,
                    })?;
                    let body = self.body(size)?;
                    pending
                        .take(header.flag(), body)
                        .map_err(|why| self.damaged(why))?;
                }
                _ => return self.member(&header, pending, budget).map(Some),
            }
        }
    }

    fn member(
        &mut self,
        header: &Header<'_>,
        pending: Pending,
        budget: u64,
    ) -> Result<Option<Entry>, ReadError> {
        let records = pending.records;
        let mut stored = match records.size {
            Some(size) => size,
            None => header.size().map_err(|why| self.damaged(why))?,
        };
        let raw_name = records
            .sparse_name
            .or(records.path)
            .or(pending.long_name)
            .unwrap_or_else(|| header.name());
        let raw_link = records
            .linkpath
            .or(pending.long_link)
            .unwrap_or_else(|| header.link());
        let flag = header.flag();
        let is_directory = flag == b'5' || (matches!(flag, 0 | b'0') && raw_name.ends_with(b"/"));
        if is_directory
            && raw_name
                .split(|b| *b == b'/')
                .all(|part| matches!(part, b"" | b"."))
            && !raw_name.starts_with(b"/")
        {
            return Ok(None);
        }
        let named = |raw: &[u8]| {
            MemberPath::new(raw).map_err(|why| ReadError::Name {
                name: shown(raw),
                why,
            })
        };
        let path = named(&raw_name)?;
        let refused = |why| ReadError::Refused {
            name: path.to_string(),
            why,
        };
        let kind = if is_directory {
            EntryKind::Directory
        } else {
            match flag {
                0 | b'0' | b'7' if records.sparse_major == Some(1) => {
                    let size = records
                        .sparse_size
                        .ok_or_else(|| refused("it has holes but no size"))?;
                    let (map, length) = self.pax_map(stored, budget)?;
                    stored -= length;
                    let sparse = SparseMap::checked(map, size)
                        .filter(|map| map.stored() == stored)
                        .ok_or_else(|| refused("the map of its holes is wrong"))?;
                    EntryKind::File {
                        size,
                        sparse: Some(sparse),
                    }
                }
                _ if records.is_old_sparse => {
                    return Err(refused("it has holes in a form older than version 1.0"));
                }
                0 | b'0' | b'7' => EntryKind::File {
                    size: stored,
                    sparse: None,
                },
                b'S' => {
                    let (map, size) = self.gnu_map(header, budget)?;
                    let sparse = SparseMap::checked(map, size)
                        .filter(|map| map.stored() == stored)
                        .ok_or_else(|| refused("the map of its holes is wrong"))?;
                    EntryKind::File {
                        size,
                        sparse: Some(sparse),
                    }
                }
                b'1' => EntryKind::Hardlink(named(&raw_link)?),
                b'2' if raw_link.is_empty() || raw_link.len() > 4095 || raw_link.contains(&0) => {
                    return Err(refused("its target is no path"));
                }
                b'2' => EntryKind::Symlink(raw_link),
                b'3' | b'4' => return Err(refused("it is a device")),
                b'6' => return Err(refused("it is a pipe")),
                _ => return Err(refused("it is of an unknown kind")),
            }
        };
        // Some writers give links and directories a size but no data; ours and GNU's do not.
        if !matches!(kind, EntryKind::File { .. }) && stored > 0 {
            return Err(refused("it is no file but has data"));
        }
        self.left = stored;
        self.padding = stored.next_multiple_of(BLOCK as u64) - stored;
        let meta = EntryMeta {
            mode: header.mode().map_err(|why| self.damaged(why))?,
            uid: records
                .uid
                .map_or_else(|| header.uid(), Ok)
                .map_err(|why| self.damaged(why))?,
            gid: records
                .gid
                .map_or_else(|| header.gid(), Ok)
                .map_err(|why| self.damaged(why))?,
            uname: records.uname.unwrap_or_else(|| header.uname()),
            gname: records.gname.unwrap_or_else(|| header.gname()),
            mtime: match records.mtime {
                Some((seconds, _)) => seconds,
                None => header.mtime().map_err(|why| self.damaged(why))?,
            },
            mtime_nanos: records.mtime.map_or(0, |(_, nanos)| nanos),
            xattrs: records.xattrs,
        };
        Ok(Some(Entry { path, kind, meta }))
    }

    /// The map before the data of a sparse file in pax format 1.0, and its length in the stream.
    fn pax_map(&mut self, stored: u64, budget: u64) -> Result<(Vec<Extent>, u64), ReadError> {
        let mut text: Vec<u8> = Vec::new();
        let mut numbers = Vec::new();
        let mut wanted = 1;
        let mut start = 0;
        while numbers.len() < wanted {
            match text[start..].iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let value = number(&text[start..start + end])
                        .ok_or_else(|| self.damaged("the map of holes is no list of numbers"))?;
                    if numbers.is_empty() {
                        wanted = usize::try_from(value)
                            .ok()
                            .and_then(|count| count.checked_mul(2)?.checked_add(1))
                            .ok_or_else(|| self.damaged("the map of holes is too long"))?;
                    }
                    numbers.push(value);
                    start += end + 1;
                }
                None if text.len() as u64 + BLOCK as u64 > stored.min(budget) => {
                    return Err(self.damaged("the map of holes is too long"));
                }
                None => text.extend_from_slice(&self.block()?),
            }
        }
        let extents = numbers[1..].chunks_exact(2).map(|pair| Extent {
            offset: pair[0],
            length: pair[1],
        });
        Ok((without_empty(extents), text.len() as u64))
    }

    /// The map of a sparse file in GNU's old format, and the file's size.
    fn gnu_map(
        &mut self,
        header: &Header<'_>,
        mut budget: u64,
    ) -> Result<(Vec<Extent>, u64), ReadError> {
        let (mut extents, mut more, size) = header.gnu_sparse().map_err(|why| self.damaged(why))?;
        while more {
            budget = budget
                .checked_sub(BLOCK as u64)
                .ok_or_else(|| self.damaged("the map of holes is too long"))?;
            let block = self.block()?;
            let (next, goes_on) =
                Header::gnu_sparse_block(&block).map_err(|why| self.damaged(why))?;
            extents.extend(next);
            more = goes_on;
        }
        Ok((without_empty(extents.into_iter()), size))
    }
}

/// Writers mark the end of a file that ends with a hole by an empty piece.
fn without_empty(extents: impl Iterator<Item = Extent>) -> Vec<Extent> {
    extents.filter(|extent| extent.length > 0).collect()
}

/// What extended headers have said about the next member.
#[derive(Default)]
struct Pending {
    records: Records,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    any: bool,
}

impl Pending {
    fn is_empty(&self) -> bool {
        !self.any
    }

    fn take(&mut self, flag: u8, body: Vec<u8>) -> Result<(), &'static str> {
        let text = |mut body: Vec<u8>| {
            let end = body
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(body.len());
            body.truncate(end);
            body
        };
        match flag {
            b'g' => return parse(&body)?.expect_harmless(),
            b'x' if self.records != Records::default() => return Err("two of one kind"),
            b'x' => self.records = parse(&body)?,
            b'L' if self.long_name.is_some() => return Err("two long names"),
            b'L' => self.long_name = Some(text(body)),
            _ if self.long_link.is_some() => return Err("two long link targets"),
            _ => self.long_link = Some(text(body)),
        }
        self.any = true;
        Ok(())
    }
}
