//! The pieces of dumps: compressed once, as they come, into the work directory, and later put
//! behind their header without being touched again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use elpis_run::FsError;

use super::container::{Compression, FrameCompressor};
use super::earlier::Earlier;
use super::entry::{Entry, EntryKind, EntryMeta};
use super::frames::{Frames, Position};
use super::manifest::{Content, PIECES_DIR, PieceRecord};
use super::path::{MemberPath, PathError};
use super::writer::{ArchiveWriter, WriteError};
use crate::dump::{DumpSink, Piece, PieceId, PieceWriter, SinkError};
use crate::work::create_new;

/// Takes the pieces of dumps into files of one directory: the sink of an archive.
#[derive(Debug)]
pub struct PieceFiles {
    dir: PathBuf,
    compression: Compression,
    earlier: Option<Arc<Earlier>>,
    done: Done,
}

/// The finished pieces, shared with the writers of those that are not.
type Done = Arc<Mutex<BTreeMap<PieceId, PieceFile>>>;

/// A finished piece on disk.
#[derive(Debug)]
struct PieceFile {
    place: Place,
    /// Bytes of its frames.
    compressed: u64,
    piece: Piece,
}

/// Where the frames of a piece lie.
#[derive(Debug)]
enum Place {
    /// In a file of their own.
    Own(PathBuf),
    /// In an earlier archive, from there on.
    Earlier(Arc<Earlier>, u64),
}

impl PieceFile {
    /// Its frames. They stay readable when their own file is removed.
    fn frames(&self) -> Result<Frames, FsError> {
        match &self.place {
            Place::Own(path) => {
                let file = File::options().read(true).open(path);
                let file = file.map_err(|source| FsError::new("open", path, source))?;
                Ok(Frames::of(Arc::new(file), 0, self.compressed))
            }
            Place::Earlier(earlier, at) => earlier.frames(*at, self.compressed),
        }
    }

    fn remove(&self) -> Result<(), FsError> {
        let Place::Own(path) = &self.place else {
            return Ok(());
        };
        std::fs::remove_file(path).map_err(|source| FsError::new("remove", path, source))
    }
}

/// What the pieces of a database came to in the archive.
pub(crate) struct StoredDump {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Where its first frame stands.
    pub(crate) position: Position,
}

impl PieceFiles {
    /// Keeps pieces in `dir`, which must be private.
    pub fn new(dir: &Path, compression: Compression) -> PieceFiles {
        PieceFiles {
            dir: dir.to_owned(),
            compression,
            earlier: None,
            done: Done::default(),
        }
    }

    /// Uses pieces of an earlier archive again where they are the same.
    pub(crate) fn after(self, earlier: Option<Arc<Earlier>>) -> PieceFiles {
        PieceFiles { earlier, ..self }
    }

    fn done(&self) -> std::sync::MutexGuard<'_, BTreeMap<PieceId, PieceFile>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pieces of a database, in the order of its text.
    fn take(&self, database: u32) -> Vec<PieceFile> {
        let mut done = self.done();
        let (mine, others) = std::mem::take(&mut *done)
            .into_iter()
            .partition(|(id, _)| id.database == database);
        *done = others;
        let mine: BTreeMap<PieceId, PieceFile> = mine;
        mine.into_values().collect()
    }

    /// Writes the dump of a database as plain text, removes its pieces, and returns its length.
    pub(crate) fn concatenate(&self, database: u32, out: &mut dyn Write) -> io::Result<u64> {
        let mut bytes = 0;
        for file in self.take(database) {
            let frames = file.frames().map_err(io::Error::other)?;
            let mut text = self.compression.container.decoder(frames)?;
            bytes += io::copy(&mut text, out)?;
            file.remove().map_err(io::Error::other)?;
        }
        Ok(bytes)
    }

    /// Puts the dump of a database into the archive as `member`, the list of its pieces before
    /// it, and removes the pieces.
    pub(crate) fn store(
        &self,
        database: u32,
        member: &MemberPath,
        meta: &EntryMeta,
        archive: &mut ArchiveWriter,
    ) -> Result<StoredDump, WriteError> {
        let pieces = self.take(database);
        let bytes = pieces.iter().map(|file| file.piece.bytes).sum();
        let rows = pieces.iter().map(|file| file.piece.rows).sum();
        let list = piece_list(&pieces)?;
        let path = list_of(member).map_err(|why| WriteError::Name {
            name: member.to_string(),
            why,
        })?;
        archive.add_bytes(&file_entry(path, list.len() as u64, meta), &list)?;

        let position = archive.begin_spliced(&file_entry(member.clone(), bytes, meta))?;
        let mut sums = blake3::Hasher::new();
        for file in &pieces {
            sums.update(&sum_of(&file.piece.blake3));
            archive.splice(file.frames()?, file.piece.bytes)?;
            // The archive has it open: the space is free as soon as it has been copied.
            file.remove()?;
        }
        let content = Content::File {
            size: bytes,
            blake3: sums.finalize().to_string(),
            pieces: Some(pieces.len() as u64),
            rows: Some(rows),
        };
        archive.end_spliced(member, bytes, content)?;
        Ok(StoredDump {
            rows,
            bytes,
            position,
        })
    }
}

/// The member that lists the pieces of `dump`.
pub(super) fn list_of(dump: &MemberPath) -> Result<MemberPath, PathError> {
    let name = dump.parts().next_back().unwrap_or_default();
    MemberPath::new(&[PIECES_DIR.as_bytes(), b"/", name, b".jsonl"].concat())
}

/// The 32 bytes that a sum in hexadecimal stands for; of no sum, none.
pub(in crate::archive) fn sum_of(blake3: &str) -> Vec<u8> {
    super::path::unhex(blake3).unwrap_or_default()
}

fn piece_list(pieces: &[PieceFile]) -> Result<Vec<u8>, WriteError> {
    let mut list = Vec::new();
    for file in pieces {
        let record = PieceRecord {
            table: file.piece.id.table_name.clone(),
            bytes: file.piece.bytes,
            rows: file.piece.rows,
            blake3: file.piece.blake3.clone(),
            frames: Some(file.compressed),
            window: file.piece.id.window,
        };
        serde_json::to_writer(&mut list, &record).map_err(WriteError::Manifest)?;
        list.push(b'\n');
    }
    Ok(list)
}

fn file_entry(path: MemberPath, size: u64, meta: &EntryMeta) -> Entry {
    let kind = EntryKind::File { size, sparse: None };
    Entry {
        path,
        kind,
        meta: meta.clone(),
    }
}

impl DumpSink for PieceFiles {
    fn begin(&self, piece: &PieceId) -> Result<Box<dyn PieceWriter>, SinkError> {
        let (part, table, chunk) = (piece.part as u8, piece.table, piece.chunk);
        let name = format!("piece-{}-{part}-{table}-{chunk}", piece.database);
        let path = self.dir.join(name);
        let file = create_new(&path, 0o600)?;
        Ok(Box::new(PieceInFile {
            file,
            path,
            compressor: self.compression.compressor()?,
            buffer: Vec::new(),
            block: self.compression.container.block(),
            compressed: 0,
            raw: 0,
            done: Arc::clone(&self.done),
        }))
    }

    fn may_have(&self, piece: &PieceId) -> bool {
        self.earlier
            .as_ref()
            .is_some_and(|earlier| earlier.find(piece).is_some())
    }

    fn take_over(&self, piece: &Piece) -> Result<bool, SinkError> {
        let Some(earlier) = &self.earlier else {
            return Ok(false);
        };
        let Some(held) = earlier.find(&piece.id).filter(|held| held.is(piece)) else {
            return Ok(false);
        };
        let file = PieceFile {
            place: Place::Earlier(Arc::clone(earlier), held.at),
            compressed: held.length,
            piece: piece.clone(),
        };
        self.done().insert(piece.id.clone(), file);
        Ok(true)
    }
}

/// A piece that is being written, on its reader's thread.
struct PieceInFile {
    file: File,
    path: PathBuf,
    compressor: FrameCompressor,
    buffer: Vec<u8>,
    block: usize,
    compressed: u64,
    raw: u64,
    done: Done,
}

impl PieceInFile {
    fn end_frame(&mut self) -> Result<(), SinkError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let frame = self.compressor.frame(&self.buffer)?;
        self.file
            .write_all(&frame)
            .map_err(|source| FsError::new("write", &self.path, source))?;
        self.compressed += frame.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl PieceWriter for PieceInFile {
    fn write(&mut self, mut sql: &[u8]) -> Result<(), SinkError> {
        self.raw += sql.len() as u64;
        while !sql.is_empty() {
            let room = self.block - self.buffer.len();
            let (now, later) = sql.split_at(sql.len().min(room));
            self.buffer.extend_from_slice(now);
            sql = later;
            if self.buffer.len() == self.block {
                self.end_frame()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, piece: &Piece) -> Result<(), SinkError> {
        self.end_frame()?;
        if self.raw != piece.bytes {
            let (got, told) = (self.raw, piece.bytes);
            return Err(format!("a piece has {got} bytes and not {told}, as the dump says").into());
        }
        let file = PieceFile {
            place: Place::Own(self.path),
            compressed: self.compressed,
            piece: piece.clone(),
        };
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(piece.id.clone(), file);
        Ok(())
    }
}
