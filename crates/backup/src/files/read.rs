//! Reading a file that others may be writing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use elpis_run::StopToken;
use rustix::fs::{Stat, fgetxattr, flistxattr, fstat};
use rustix::io::Errno;

use crate::archive::{Extent, SparseMap};

/// Files up to this size are read whole before they are stored, and again if they changed.
const SMALL: u64 = 4 << 20;
/// How often a file that changes is read again.
const TRIES: u32 = 3;

/// A file's bytes, or the way to get them.
pub(super) enum Data {
    /// Read at one moment, unless `steady` is false.
    Whole {
        bytes: Vec<u8>,
        stat: Stat,
        steady: bool,
    },
    /// Too large for memory, or with holes.
    Streamed { reader: Streamed, stat: Stat },
}

/// Reads a small file; a large one is only prepared.
pub(super) fn read(mut file: File) -> io::Result<Data> {
    for attempt in 1.. {
        let before = fstat(&file)?;
        if before.st_size.unsigned_abs() > SMALL || has_holes(&before) {
            let size = before.st_size.unsigned_abs();
            let sparse = if has_holes(&before) {
                holes(&file, size)?
            } else {
                None
            };
            let reader = Streamed::new(file, size, sparse)?;
            return Ok(Data::Streamed {
                reader,
                stat: before,
            });
        }
        let mut bytes = Vec::with_capacity(before.st_size.unsigned_abs() as usize);
        file.rewind()?;
        // A file that grows for ever ends here.
        (&mut file).take(SMALL + 1).read_to_end(&mut bytes)?;
        let steady = is_same(&before, &fstat(&file)?) && bytes.len() as i64 == before.st_size;
        if steady || attempt == TRIES {
            return Ok(Data::Whole {
                bytes,
                stat: before,
                steady,
            });
        }
    }
    Err(io::ErrorKind::Other.into())
}

/// Whether nobody has written in between.
fn is_same(before: &Stat, after: &Stat) -> bool {
    before.st_size == after.st_size
        && (before.st_mtime, before.st_mtime_nsec) == (after.st_mtime, after.st_mtime_nsec)
        && (before.st_ctime, before.st_ctime_nsec) == (after.st_ctime, after.st_ctime_nsec)
}

fn has_holes(stat: &Stat) -> bool {
    stat.st_blocks.saturating_mul(512) < stat.st_size
}

/// Where the data of a file lies; `None` when the file system does not tell or there is no hole.
fn holes(file: &File, size: u64) -> io::Result<Option<SparseMap>> {
    use rustix::fs::SeekFrom as Sparse;
    let mut extents = Vec::new();
    let mut at = 0;
    while at < size {
        let offset = match rustix::fs::seek(file, Sparse::Data(at)) {
            Ok(offset) => offset,
            // There is only a hole up to the end.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::NOTSUP) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let end = rustix::fs::seek(file, Sparse::Hole(offset))?.min(size);
        if offset >= end {
            break;
        }
        extents.push(Extent {
            offset,
            length: end - offset,
        });
        at = end;
    }
    let whole = extents.first().is_some_and(|first| first.length == size);
    Ok((!whole).then_some(SparseMap(extents)))
}

/// Gives exactly as many bytes as a file had when it was opened, whatever happens to it.
pub(super) struct Streamed {
    file: File,
    before: Stat,
    size: u64,
    sparse: Option<SparseMap>,
    /// Pieces still to read, the next one last.
    extents: Vec<Extent>,
    problem: Option<io::Error>,
}

impl Streamed {
    fn new(file: File, size: u64, sparse: Option<SparseMap>) -> io::Result<Streamed> {
        let whole = || {
            vec![Extent {
                offset: 0,
                length: size,
            }]
        };
        let mut extents = sparse.as_ref().map_or_else(whole, |map| map.0.clone());
        extents.reverse();
        let before = fstat(&file)?;
        Ok(Streamed {
            file,
            before,
            size,
            sparse,
            extents,
            problem: None,
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn sparse(&self) -> Option<SparseMap> {
        self.sparse.clone()
    }

    /// After reading: what went wrong, and whether the file stayed as it was.
    pub(super) fn verdict(self) -> (Option<io::Error>, bool) {
        let steady = fstat(&self.file).is_ok_and(|after| is_same(&self.before, &after));
        (self.problem, steady)
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(extent) = self.extents.last_mut() else {
            return Ok(0);
        };
        let want = buffer
            .len()
            .min(usize::try_from(extent.length).unwrap_or(usize::MAX));
        let mut got = 0;
        if self.problem.is_none() {
            self.file.seek(SeekFrom::Start(extent.offset))?;
            match self.file.read(&mut buffer[..want]) {
                Ok(read) => got = read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => self.problem = Some(error),
            }
        }
        if got == 0 {
            // Cut short or unreadable: the header has promised these bytes.
            buffer[..want].fill(0);
            got = want;
        }
        extent.offset += got as u64;
        extent.length -= got as u64;
        if extent.length == 0 {
            self.extents.pop();
        }
        Ok(got)
    }
}

impl Read for Streamed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.extents.last().is_some_and(|extent| extent.length == 0) {
            self.extents.pop();
        }
        self.read_on(buffer)
    }
}

/// Ends a long reading when somebody asks for it.
pub(crate) struct Stopping<'a, R> {
    pub(crate) inner: R,
    pub(crate) stop: &'a StopToken,
}

impl<R: Read> Read for Stopping<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_stopped() {
            return Err(io::Error::other("stopped on request"));
        }
        self.inner.read(buffer)
    }
}

/// Extended attributes; none where the file system has none.
pub(crate) fn xattrs(file: &impl std::os::fd::AsFd) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0u8; 1 << 16];
    let length = match flistxattr(file, list.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(errno) => return Err(errno.into()),
    };
    let mut found = Vec::new();
    // The kernel's limit for one value.
    let mut value = Vec::new();
    for name in list[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        value.resize(1 << 16, 0);
        match fgetxattr(file, name, value.as_mut_slice()) {
            Ok(length) => found.push((name.to_vec(), value[..length].to_vec())),
            // Gone in between, or not for us.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn large(dir: &tempfile::TempDir) -> (File, Streamed) {
        let path = dir.path().join("large");
        let mut file = File::options()
            .create_new(true)
            .write(true)
            .read(true)
            .open(&path)
            .unwrap();
        file.write_all(&vec![7; (SMALL + 10) as usize]).unwrap();
        let Data::Streamed { reader, .. } = read(file.try_clone().unwrap()).unwrap() else {
            panic!("not streamed");
        };
        (file, reader)
    }

    #[test]
    fn a_large_file_that_rests_is_steady() {
        let dir = tempfile::tempdir().unwrap();
        let (_file, mut reader) = large(&dir);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, vec![7; (SMALL + 10) as usize]);
        assert!(matches!(reader.verdict(), (None, true)));
    }

    #[test]
    fn a_large_file_that_is_cut_or_grows_gives_its_first_size_and_is_noticed() {
        for size in [SMALL / 2, SMALL * 2] {
            let dir = tempfile::tempdir().unwrap();
            let (file, mut reader) = large(&dir);
            let mut bytes = vec![0; 1000];
            reader.read_exact(&mut bytes).unwrap();
            file.set_len(size).unwrap();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, SMALL + 10);
            assert!(matches!(reader.verdict(), (None, false)));
        }
    }
}
