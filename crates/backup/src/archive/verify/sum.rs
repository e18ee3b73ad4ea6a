//! Sums, taken while reading.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::archive::manifest::PieceRecord;
use crate::archive::pieces::sum_of;

/// The sum of a member, by its pieces where it has some.
pub(super) struct Sum<'a> {
    pieces: Option<&'a [PieceRecord]>,
    at: usize,
    left: u64,
    one: blake3::Hasher,
    all: blake3::Hasher,
    wrong: Option<usize>,
}

impl<'a> Sum<'a> {
    pub(super) fn new(pieces: Option<&'a [PieceRecord]>) -> Sum<'a> {
        Sum {
            pieces,
            at: 0,
            left: pieces.and_then(<[_]>::first).map_or(0, |piece| piece.bytes),
            one: blake3::Hasher::new(),
            all: blake3::Hasher::new(),
            wrong: None,
        }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let Some(pieces) = self.pieces else {
            self.one.update(bytes);
            return;
        };
        while !bytes.is_empty() && self.at < pieces.len() {
            self.end_pieces(pieces);
            let now = bytes
                .len()
                .min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.one.update(&bytes[..now]);
            self.left -= now as u64;
            bytes = &bytes[now..];
        }
        if !bytes.is_empty() {
            self.wrong.get_or_insert(pieces.len());
        }
    }

    /// Ends every piece that has all its bytes.
    fn end_pieces(&mut self, pieces: &[PieceRecord]) {
        while self.left == 0 && self.at < pieces.len() {
            let sum = self.one.finalize();
            if sum_of(&pieces[self.at].blake3) != sum.as_bytes() {
                self.wrong.get_or_insert(self.at);
            }
            self.all.update(sum.as_bytes());
            self.one.reset();
            self.at += 1;
            self.left = pieces.get(self.at).map_or(0, |piece| piece.bytes);
        }
    }

    pub(super) fn finish(mut self) -> (String, Option<usize>) {
        let Some(pieces) = self.pieces else {
            return (self.one.finalize().to_string(), None);
        };
        self.end_pieces(pieces);
        if self.at < pieces.len() {
            self.wrong.get_or_insert(self.at);
        }
        (self.all.finalize().to_string(), self.wrong)
    }
}

/// Sums up what is read from the file, and tells its failures from those of the decoder.
pub(super) struct Hashing<'a> {
    inner: Box<dyn Read + Send + 'a>,
    sha256: Sha256,
    bytes: u64,
    pub(super) failed: bool,
}

impl<'a> Hashing<'a> {
    pub(super) fn new(inner: Box<dyn Read + Send + 'a>) -> Hashing<'a> {
        Hashing {
            inner,
            sha256: Sha256::new(),
            bytes: 0,
            failed: false,
        }
    }

    /// How many bytes were read, and their sum.
    pub(super) fn finish(self) -> (u64, [u8; 32]) {
        (self.bytes, self.sha256.finalize().into())
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer).inspect_err(|error| {
            self.failed = error.kind() != io::ErrorKind::Interrupted;
        })?;
        self.sha256.update(&buffer[..got]);
        self.bytes += got as u64;
        Ok(got)
    }
}
