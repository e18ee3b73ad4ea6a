//! An earlier archive whose pieces may be used again.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use elpis_run::FsError;

use super::frames::Frames;
use super::open::Archive;
use super::verify::{Contents, Verify, VerifyError};
use crate::crypt::{Keys, Opened};
use crate::dump::{Piece, PieceId};
use crate::files::identity;

/// The closed windows of an archive that has just been verified.
#[derive(Debug)]
pub(crate) struct Earlier {
    file: Arc<File>,
    path: PathBuf,
    /// What decrypts it, if it is encrypted.
    key: Option<Opened>,
    pieces: HashMap<Key, Held>,
}

/// Database, table, window.
type Key = (String, String, [i64; 2]);

/// A piece and where its frames lie.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) at: u64,
    pub(super) length: u64,
    bytes: u64,
    rows: u64,
    blake3: String,
}

impl Held {
    /// Whether it holds the same text.
    pub(super) fn is(&self, piece: &Piece) -> bool {
        (self.bytes, self.rows, &self.blake3) == (piece.bytes, piece.rows, &piece.blake3)
    }
}

impl Earlier {
    /// Opens and verifies an archive: nothing broken is handed on.
    pub(crate) fn open(path: &Path, keys: &Keys, how: &Verify<'_>) -> Result<Earlier, VerifyError> {
        let fail = |source| FsError::new("open", path, source);
        let archive = Archive::open_with(path, keys)?.verify(how)?;
        let file = File::options().read(true).open(path).map_err(fail)?;
        let (ours, named) = (rustix::fs::fstat(&file), rustix::fs::stat(path));
        let is_same = ours.is_ok_and(|ours| {
            let length = u64::try_from(ours.st_size).unwrap_or_default();
            named.is_ok_and(|named| identity(&named) == identity(&ours))
                && length == archive.contents().bytes
        });
        if !is_same {
            return Err(fail(std::io::Error::other("it changed meanwhile")).into());
        }
        Ok(Earlier {
            pieces: pieces(archive.contents()),
            file: Arc::new(file),
            path: path.to_owned(),
            key: archive.form.key,
        })
    }

    /// The `length` bytes of frames from `at` on.
    pub(super) fn frames(&self, at: u64, length: u64) -> Result<Frames, FsError> {
        let file = Arc::clone(&self.file);
        match &self.key {
            None => Ok(Frames::of(file, at, length)),
            Some(key) => Frames::sealed(file, key, at, length)
                .map_err(|source| FsError::new("read", &self.path, source)),
        }
    }

    /// The piece of the same window of the same table.
    pub(super) fn find(&self, piece: &PieceId) -> Option<&Held> {
        let (database, table) = (piece.database_name.clone(), piece.table_name.clone());
        self.pieces.get(&(database, table, piece.window?))
    }
}

fn pieces(contents: &Contents) -> HashMap<Key, Held> {
    let mut found = HashMap::new();
    for database in contents.manifest.iter().flat_map(|m| &m.databases) {
        let list = contents.lists.iter().find(|(of, _)| *of == database.member);
        let (Some((_, list)), Some(mut at)) = (list, database.frames_at) else {
            continue;
        };
        for piece in list {
            // Without its length nobody knows where the next one begins.
            let Some(length) = piece.frames else { break };
            if let Some(window) = piece.window {
                let key = (database.name.clone(), piece.table.clone(), window);
                found.insert(
                    key,
                    Held {
                        at,
                        length,
                        bytes: piece.bytes,
                        rows: piece.rows,
                        blake3: piece.blake3.clone(),
                    },
                );
            }
            at += length;
        }
    }
    found
}
