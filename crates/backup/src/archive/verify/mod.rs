//! Whether an archive is whole: every frame, every header, every sum, every dump's end.

mod ahead;
mod check;
mod sum;

use std::io;
use std::path::PathBuf;

use elpis_run::{FsError, Observer, StopToken, with_causes};
use serde::Serialize;

use ahead::Ahead;
use check::Check;
use sum::Hashing;

use super::bytes::ArchiveBytes;
use super::container::Container;
use super::manifest::{Content, Manifest, MemberRecord, PieceRecord};
use super::open::Form;
use super::path::MemberPath;
use super::reader::{ArchiveReader, ReadError, ReadLimits};
use crate::crypt::KeyError;
use crate::event::BackupEvent;
use crate::store::StoreError;

/// How to verify.
#[derive(Clone, Copy)]
pub struct Verify<'a> {
    /// Bounds for hostile archives.
    pub limits: ReadLimits,
    /// The file's SHA-256, where something outside of it knows it (`SHA256SUMS`).
    pub sha256: Option<[u8; 32]>,
    /// Ends it early.
    pub stop: &'a StopToken,
    /// Hears [`BackupEvent::Verifying`].
    pub observer: &'a dyn Observer<BackupEvent>,
}

/// Why an archive is not verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file cannot be read.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The store that keeps it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is something else.
    #[error("{} is no backup archive: it begins neither like gzip nor like zstd", path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted, and there is no key at hand.
    #[error("{} is encrypted", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted, and the keys at hand do not open it.
    #[error("{} cannot be decrypted", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// It is damaged or hostile.
    #[error("{} is broken: {}", path.display(), first(problems))]
    Broken {
        /// The file.
        path: PathBuf,
        /// Everything that was found; at least one.
        problems: Vec<Problem>,
    },
    /// Stopped on request.
    #[error("stopped before the archive was read to its end")]
    Stopped,
}

/// One thing that is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The member, if it is one member's problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.member {
            Some(member) => write!(f, "{member}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

fn first(problems: &[Problem]) -> String {
    match problems {
        [] => "for no reason".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// What a verified archive holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// What it is.
    pub container: Container,
    /// The file's length in bytes.
    pub bytes: u64,
    /// The tar's length in bytes.
    pub raw_bytes: u64,
    /// The file's SHA-256.
    pub sha256: [u8; 32],
    /// What it says about itself; an archive of the old script has none.
    pub manifest: Option<Manifest>,
    /// Every member as it was found, the manifest included.
    pub members: Vec<MemberRecord>,
    /// Its SQL dumps, all of them complete.
    pub dumps: Vec<Dump>,
    /// The pieces of those that have a list.
    pub(crate) lists: Vec<(MemberPath, Vec<PieceRecord>)>,
}

/// A dump in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dump {
    /// The member.
    pub member: MemberPath,
    /// Bytes of SQL.
    pub bytes: u64,
    /// Rows, if the manifest counts them.
    pub rows: Option<u64>,
}

impl Contents {
    /// Bytes that the members take when they are put back, holes not counted.
    pub fn stored_bytes(&self) -> u64 {
        self.members
            .iter()
            .map(|member| match &member.content {
                Content::File { size, .. } => *size,
                _ => 0,
            })
            .fold(0, u64::saturating_add)
            .min(self.raw_bytes)
    }
}

impl Verify<'_> {
    pub(super) fn run(
        &self,
        archive: &dyn ArchiveBytes,
        form: &Form,
    ) -> Result<Contents, VerifyError> {
        let path = archive.path();
        let sum = |source: io::Error| FsError::new("read", path, source);
        let mut source = Hashing::new(archive.reader().map_err(sum)?);
        let mut check = Check::new(self);
        let outcome = std::thread::scope(|scope| {
            let ahead = Ahead::start(scope, || form.unpack(&mut source));
            let mut reader = ArchiveReader::new(ahead, self.limits);
            check.read(&mut reader).map(|()| reader.raw_bytes())
        });
        if self.stop.is_stopped() {
            return Err(VerifyError::Stopped);
        }
        let raw_bytes = match outcome {
            Err(ReadError::Stream(error)) if source.failed => {
                return Err(FsError::new("read", path, error).into());
            }
            Err(error) => {
                let what = with_causes(&error);
                check.problems.push(Problem { member: None, what });
                0
            }
            Ok(raw) => raw,
        };
        io::copy(&mut source, &mut io::sink()).map_err(sum)?;
        let (bytes, sha256) = source.finish();
        if raw_bytes > 0 {
            check.compare();
            check.compare_sha256(sha256);
        }
        if !check.problems.is_empty() {
            let (path, problems) = (path.to_owned(), check.problems);
            return Err(VerifyError::Broken { path, problems });
        }
        Ok(Contents {
            container: form.container,
            bytes,
            raw_bytes,
            sha256,
            manifest: check.manifest,
            members: check.members,
            dumps: check.dumps.into_iter().map(|(dump, _)| dump).collect(),
            lists: check.lists,
        })
    }
}

/// Whether a link at `path` leads out of the archive.
pub(crate) fn leaves(path: &MemberPath, target: &[u8]) -> bool {
    if target.first() == Some(&b'/') {
        return true;
    }
    let mut depth = path.parts().count() as i64 - 1;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}
