//! Writing an archive: members in order, then the manifest, then the end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use elpis_run::FsError;

use super::container::Compression;
use super::entry::{Entry, EntryKind};
use super::frames::{FrameWriter, Frames, Position};
use super::header::{BLOCK, head};
use super::manifest::{Content, MANIFEST_NAME, Manifest, MemberRecord};
use super::path::{MemberPath, PathError};
use crate::crypt::Sealer;

/// Why an archive could not be written. Nothing of it has a final name then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file cannot be created or written; often the disk is full.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A member's data could not be read.
    #[error("cannot read the data of member {member}")]
    Data {
        /// Which member.
        member: MemberPath,
        /// Why not.
        source: io::Error,
    },
    /// A name that no member may have.
    #[error("a member cannot be called {name}: it {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: PathError,
    },
    /// The manifest cannot be put into JSON.
    #[error("cannot write the manifest")]
    Manifest(#[source] serde_json::Error),
}

/// An archive that is being written.
pub struct ArchiveWriter {
    out: FrameWriter,
    path: PathBuf,
    members: Vec<MemberRecord>,
    raw: u64,
}

/// An archive that is complete and on disk, still under its working name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The length of the tar in it, in bytes.
    pub raw_bytes: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// How many members it has, the manifest included.
    pub members: u64,
}

impl std::fmt::Debug for ArchiveWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveWriter")
            .field("path", &self.path)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

impl ArchiveWriter {
    /// Begins an archive in `file`, which is empty and lies at `path`.
    ///
    /// # Errors
    /// When there is no memory for the compressors.
    pub fn new(file: File, path: &Path, compression: &Compression) -> Result<Self, WriteError> {
        Self::sealed(file, path, compression, None)
    }

    /// The same, encrypted if there is a `sealer`.
    pub(crate) fn sealed(
        file: File,
        path: &Path,
        compression: &Compression,
        sealer: Option<Sealer>,
    ) -> Result<Self, WriteError> {
        let out = FrameWriter::new(file, compression, sealer)
            .map_err(|source| FsError::new("write", path, source))?;
        Ok(ArchiveWriter {
            out,
            path: path.to_owned(),
            members: Vec::new(),
            raw: 0,
        })
    }

    /// Adds a member. `data` gives exactly [`EntryKind::stored`] bytes, for a file with holes only
    /// what its map lists; more than that is not read.
    ///
    /// # Errors
    /// [`WriteError::Data`] also when `data` ends early. The archive is of no use after an error.
    pub fn add(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<(), WriteError> {
        self.put(&head(entry))?;
        let length = entry.kind.stored();
        let mut blake3 = blake3::Hasher::new();
        self.copy(&entry.path, data, length, &mut blake3)?;
        self.pad(length)?;
        let content = match &entry.kind {
            EntryKind::File { size, .. } => Content::File {
                size: *size,
                blake3: blake3.finalize().to_string(),
                pieces: None,
                rows: None,
            },
            EntryKind::Directory => Content::Directory,
            EntryKind::Symlink(target) => Content::symlink(target),
            EntryKind::Hardlink(target) => Content::Hardlink {
                target: target.clone(),
            },
        };
        self.record(&entry.path, content);
        Ok(())
    }

    /// Begins a regular file whose data is compressed already: [`splice`](Self::splice) adds it.
    /// Tells where its first frame will stand.
    pub(crate) fn begin_spliced(&mut self, entry: &Entry) -> Result<Position, WriteError> {
        self.put(&head(entry))?;
        let position = self.out.position();
        position.map_err(|source| FsError::new("write", &self.path, source).into())
    }

    /// Adds whole frames that hold `raw` bytes of data.
    pub(crate) fn splice(&mut self, frames: Frames, raw: u64) -> Result<(), WriteError> {
        self.raw += raw;
        self.out
            .splice(frames)
            .map_err(|source| FsError::new("write", &self.path, source).into())
    }

    /// Ends the member whose data was spliced.
    pub(crate) fn end_spliced(
        &mut self,
        path: &MemberPath,
        raw: u64,
        content: Content,
    ) -> Result<(), WriteError> {
        self.pad(raw)?;
        self.record(path, content);
        Ok(())
    }

    /// Adds a small file of ours.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_bytes(&mut self, entry: &Entry, bytes: &[u8]) -> Result<(), WriteError> {
        self.add(entry, &mut &bytes[..])
    }

    /// Writes the manifest and the end of the archive and makes the file durable. The list of
    /// members in `manifest` is filled in here. `entry` is the manifest's own.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn finish(
        mut self,
        mut manifest: Manifest,
        entry: impl FnOnce(MemberPath, u64) -> Entry,
    ) -> Result<(Finished, Manifest), WriteError> {
        manifest.members = std::mem::take(&mut self.members);
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(WriteError::Manifest)?;
        text.push(b'\n');
        let name = MemberPath::new(MANIFEST_NAME.as_bytes()).map_err(|why| WriteError::Name {
            name: MANIFEST_NAME.to_owned(),
            why,
        })?;
        self.add_bytes(&entry(name, text.len() as u64), &text)?;
        self.put(&[0; 2 * BLOCK])?;
        let (raw_bytes, path) = (self.raw, self.path);
        let failed = |op, source| FsError::new(op, &path, source);
        let written = self
            .out
            .finish()
            .map_err(|source| failed("write", source))?;
        written
            .file
            .sync_all()
            .map_err(|source| failed("sync", source))?;
        let finished = Finished {
            bytes: written.bytes,
            raw_bytes,
            sha256: written.sha256,
            members: manifest.members.len() as u64 + 1,
            path,
        };
        Ok((finished, manifest))
    }

    fn record(&mut self, path: &MemberPath, content: Content) {
        let path = path.clone();
        self.members.push(MemberRecord { path, content });
    }

    fn copy(
        &mut self,
        member: &MemberPath,
        data: &mut dyn Read,
        length: u64,
        blake3: &mut blake3::Hasher,
    ) -> Result<(), WriteError> {
        let mut buffer = vec![0; 1 << 16];
        let mut left = length;
        while left > 0 {
            let want = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let failed = |source| WriteError::Data {
                member: member.clone(),
                source,
            };
            let got = match data.read(&mut buffer[..want]) {
                Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            blake3.update(&buffer[..got]);
            self.put(&buffer[..got])?;
            left -= got as u64;
        }
        Ok(())
    }

    fn pad(&mut self, length: u64) -> Result<(), WriteError> {
        let over = (length % BLOCK as u64) as usize;
        if over > 0 {
            self.put(&[0; BLOCK][over..])?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.raw += bytes.len() as u64;
        self.out
            .write_all(bytes)
            .map_err(|source| FsError::new("write", &self.path, source).into())
    }
}
