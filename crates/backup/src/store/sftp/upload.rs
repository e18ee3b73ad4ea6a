//! Sending an archive: beside its place, read back, and renamed as the last act.

use std::fs::File;
use std::io::{self, Read, SeekFrom};
use std::path::Path;

use elpis_run::FsError;
use russh_sftp::client::fs::File as RemoteFile;
use russh_sftp::protocol::OpenFlags;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::SftpStore;
use super::host::private;
use crate::archive::hex;
use crate::event::BackupEvent;
use crate::name::ArchiveName;
use crate::store::waiting::Waiting;
use crate::store::{Note, ObjectStore, StoreError};

/// How much is sent or read back at once, and the least of it.
const PIECE: usize = 1 << 20;
const SMALL_PIECE: usize = 32 << 10;
const SENDING: &str = "send an archive";
const READING_BACK: &str = "read back an archive";

impl SftpStore {
    pub(super) fn upload(
        &self,
        file: &Path,
        name: &ArchiveName,
        note: &Note,
    ) -> Result<(), StoreError> {
        if self.host.look(&name.to_string())?.is_some() {
            let there = self.note(name)?;
            // Killed after the last act: it is done.
            return match there.is_some_and(|there| there.sha256 == note.sha256) {
                true => forget(file),
                false => Err(StoreError::Exists {
                    place: self.place(),
                    name: name.clone(),
                }),
            };
        }
        // Nobody but the same archive goes on with it.
        let sum = note.sha256.get(..16).unwrap_or(&note.sha256);
        let part = format!(".{name}.{sum}.part");
        let resumed = self.send(file, &part, name, note)?;
        let mut note = note.clone();
        match self.host.options.read_back {
            true if self.read_back(&part, &note)? => {}
            // What was there before was not ours: all of it once more.
            true if resumed => {
                self.host.remove(&part)?;
                self.send(file, &part, name, &note)?;
                if !self.read_back(&part, &note)? {
                    return Err(self.other_bytes(&part));
                }
            }
            true => return Err(self.other_bytes(&part)),
            false => note.verified = None,
        }
        self.host.annotate(name, &note)?;
        let (from, to) = (self.host.path(&part), self.host.path(&name.to_string()));
        let renamed = self.host.ask("name an archive", async |session| {
            session.rename(&from, &to).await
        });
        match renamed {
            Ok(()) => forget(file),
            // Another host was quicker with the same name.
            Err(StoreError::Remote { .. }) if self.host.look(&name.to_string())?.is_some() => {
                Err(StoreError::Exists {
                    place: self.place(),
                    name: name.clone(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Sends what has not arrived, and reads all of the file to be sure of the sum. Whether
    /// something was there already.
    fn send(
        &self,
        file: &Path,
        part: &str,
        name: &ArchiveName,
        note: &Note,
    ) -> Result<bool, StoreError> {
        let fail = |source| StoreError::Fs(FsError::new("read", file, source));
        let mut local = File::options().read(true).open(file).map_err(fail)?;
        let arrived = self.host.look(part)?.map_or(0, |found| found.len());
        let is_resumable = self.host.options.read_back && arrived <= note.bytes;
        let begin = if is_resumable { arrived } else { 0 };
        let mut sha256 = Sha256::new();
        skip(&mut local, begin, &mut sha256).map_err(fail)?;
        let mut remote = self.begin(part, begin)?;
        let pacer = self.host.options.pacer.as_ref();
        let size = pacer.map_or(PIECE, |pacer| pacer.piece(SMALL_PIECE, PIECE));
        let (mut sent, mut piece) = (begin, vec![0; size]);
        loop {
            let got = local.read(&mut piece).map_err(fail)?;
            if got == 0 {
                break;
            }
            sha256.update(&piece[..got]);
            let (remote, piece) = (&mut remote, &piece[..got]);
            self.host.ask(SENDING, async |_| {
                if let Some(pacer) = pacer {
                    pacer.pass(piece.len()).await;
                }
                // Small pieces are acknowledged behind our back; a dead line shows here.
                Ok(remote.write_all(piece).await?)
            })?;
            sent += got as u64;
            self.observer.on(&BackupEvent::Uploaded {
                bytes: sent,
                of: note.bytes,
            });
        }
        if sent != note.bytes || hex(&sha256.finalize()) != note.sha256 {
            self.host.remove(part)?;
            return Err(StoreError::Changed {
                place: self.place(),
                name: name.clone(),
            });
        }
        self.host.ask(SENDING, async |_| {
            remote.flush().await?;
            // Where the other host can.
            remote.sync_all().await?;
            Ok(remote.close().await?)
        })?;
        Ok(begin > 0)
    }

    /// Opens the file on the other host for what comes after `begin` bytes.
    fn begin(&self, part: &str, begin: u64) -> Result<RemoteFile, StoreError> {
        let path = self.host.path(part);
        self.host.ask(SENDING, async |session| {
            let flags = match begin {
                0 => OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE,
                _ => OpenFlags::WRITE,
            };
            let mut remote = session
                .open_with_flags_and_attributes(&path, flags, private())
                .await?;
            remote.seek(SeekFrom::Start(begin)).await?;
            Ok(remote)
        })
    }

    /// Whether what has arrived is what was sent.
    fn read_back(&self, part: &str, note: &Note) -> Result<bool, StoreError> {
        let path = self.host.path(part);
        let open = async |session: std::sync::Arc<russh_sftp::client::SftpSession>| {
            session.open(&path).await
        };
        let mut remote = self.host.ask(READING_BACK, open)?;
        let (mut sha256, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
        loop {
            let (remote, piece) = (&mut remote, &mut piece);
            let read = async |_| Ok(remote.read(piece).await?);
            let got = self.host.ask(READING_BACK, read)?;
            if got == 0 {
                return Ok(bytes == note.bytes && hex(&sha256.finalize()) == note.sha256);
            }
            sha256.update(&piece[..got]);
            bytes += got as u64;
        }
    }

    fn other_bytes(&self, part: &str) -> StoreError {
        let why = format!("{part} is not what was sent");
        self.host.failed(READING_BACK, why)
    }
}

/// Passes over what has arrived.
fn skip(local: &mut File, bytes: u64, sha256: &mut Sha256) -> io::Result<()> {
    let mut piece = Vec::with_capacity(PIECE);
    let mut left = bytes;
    while left > 0 {
        piece.clear();
        let got = local
            .by_ref()
            .take(left.min(PIECE as u64))
            .read_to_end(&mut piece)?;
        if got == 0 {
            break;
        }
        sha256.update(&piece);
        left -= got as u64;
    }
    Ok(())
}

/// It need not be copied any more.
fn forget(file: &Path) -> Result<(), StoreError> {
    let Some(record) = Waiting::path(file) else {
        return Ok(());
    };
    match std::fs::remove_file(&record) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FsError::new("remove", &record, error).into())
        }
        _ => Ok(()),
    }
}
