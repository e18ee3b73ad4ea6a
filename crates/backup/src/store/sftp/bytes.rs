//! An archive on another host, read from its beginning.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh_sftp::client::fs::File;
use tokio::io::AsyncReadExt;

use super::host::Host;
use crate::archive::ArchiveBytes;

/// How much is fetched at once.
const PIECE: usize = 1 << 20;

pub(super) struct SftpBytes {
    pub(super) host: Arc<Host>,
    /// As the other host knows it.
    pub(super) path: String,
    pub(super) address: PathBuf,
    pub(super) size: u64,
}

impl fmt::Debug for SftpBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SftpBytes").field(&self.address).finish()
    }
}

impl ArchiveBytes for SftpBytes {
    fn path(&self) -> &Path {
        &self.address
    }

    fn reader(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        let open =
            async |session: Arc<russh_sftp::client::SftpSession>| session.open(&self.path).await;
        let file = self.host.ask("open an archive", open);
        Ok(Box::new(Reading {
            of: self,
            file: file.map_err(io::Error::other)?,
            left: self.size,
            piece: io::Cursor::default(),
        }))
    }
}

struct Reading<'a> {
    of: &'a SftpBytes,
    file: File,
    /// Bytes that have not been fetched.
    left: u64,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = Read::read(&mut self.piece, into)?;
        if got > 0 || into.is_empty() || self.left == 0 {
            return Ok(got);
        }
        let wanted = PIECE.min(usize::try_from(self.left).unwrap_or(PIECE));
        let mut piece = vec![0; wanted];
        let file = &mut self.file;
        let fetch = async |_| Ok(file.read_exact(&mut piece).await?);
        let fetched = self.of.host.ask("read an archive", fetch);
        fetched.map_err(io::Error::other)?;
        self.left -= wanted as u64;
        self.piece = io::Cursor::new(piece);
        Read::read(&mut self.piece, into)
    }
}
