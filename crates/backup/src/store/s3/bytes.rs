//! An archive in a bucket, read piece by piece.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::aws::AmazonS3;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _};
use tokio::runtime::Runtime;

use crate::archive::ArchiveBytes;

/// How much is asked for at once. A request that fails is repeated whole.
const PIECE: u64 = 8 << 20;

#[derive(Debug)]
pub(super) struct S3Bytes {
    pub(super) client: Arc<AmazonS3>,
    pub(super) runtime: Arc<Runtime>,
    pub(super) found: ObjectMeta,
    pub(super) address: PathBuf,
}

impl ArchiveBytes for S3Bytes {
    fn path(&self) -> &Path {
        &self.address
    }

    fn reader(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(Pieces {
            of: self,
            at: 0,
            piece: io::Cursor::default(),
        }))
    }
}

struct Pieces<'a> {
    of: &'a S3Bytes,
    /// Where the next piece begins.
    at: u64,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.piece.read(into)?;
        if got > 0 || into.is_empty() || self.at >= self.of.found.size {
            return Ok(got);
        }
        let end = (self.at + PIECE).min(self.of.found.size);
        let piece = self.of.fetch(self.at, end)?;
        if piece.len() as u64 != end - self.at {
            return Err(io::Error::other(
                "the service sent less than it was asked for",
            ));
        }
        self.at = end;
        self.piece = io::Cursor::new(piece);
        self.piece.read(into)
    }
}

impl S3Bytes {
    fn fetch(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(from..to)),
            // Another object that has taken the key is another archive.
            if_match: self.found.e_tag.clone(),
            ..GetOptions::default()
        };
        self.runtime
            .block_on(async {
                let answer = self.client.get_opts(&self.found.location, options).await?;
                answer.bytes().await
            })
            .map(Vec::from)
            .map_err(io::Error::other)
    }
}
