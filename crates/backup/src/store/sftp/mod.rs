//! A directory on another host as a store, over SFTP.
//!
//! ```text
//! pandorafms_backup_2026-11-21-02-00-00.tar.gz         the archive, whole or not there
//! .pandorafms_backup_2026-11-21-02-00-00.tar.gz.json   what is known of it
//! .pandorafms_backup_2026-11-21-02-00-00.tar.gz.SUM.part   what has arrived of it
//! ```
//!
//! The names are those of [`LocalStore`](super::LocalStore), so that Elpis on that host can work
//! with the directory too.

mod address;
mod bytes;
mod host;
mod link;
mod upload;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use elpis_run::{Holder, Observer, StopToken};
use jiff::Timestamp;
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::FileAttributes;
use tokio::task::JoinSet;

pub use address::{SftpAddress, SftpOptions};

use super::{Hold, Note, ObjectStore, StoreError, Stored};
use crate::archive::{ArchiveBytes, unhex};
use crate::event::BackupEvent;
use crate::name::ArchiveName;
use bytes::SftpBytes;
use host::{Host, read};

/// Notes that are fetched at the same time.
const AT_ONCE: usize = 8;
/// After so many days nobody will go on with an upload any more.
const ABANDONED_DAYS: i64 = 7;

/// A directory on another host that keeps archives.
pub struct SftpStore {
    host: Arc<Host>,
    observer: Arc<dyn Observer<BackupEvent>>,
}

impl fmt::Debug for SftpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}

impl SftpStore {
    /// A store in a directory, which must be there. The host is not asked yet. `stop` ends every
    /// request; `observer` hears [`BackupEvent::Uploaded`].
    ///
    /// # Errors
    /// [`StoreError::Settings`] when this machine has no network to offer.
    pub fn new(
        options: SftpOptions,
        stop: StopToken,
        observer: Arc<dyn Observer<BackupEvent>>,
    ) -> Result<SftpStore, StoreError> {
        Ok(SftpStore {
            host: Arc::new(Host::new(options, stop)?),
            observer,
        })
    }

    fn note(&self, name: &ArchiveName) -> Result<Option<Note>, StoreError> {
        let paths = self.host.note_paths(name);
        let text = self.host.ask("read a note", async |session| {
            let [whole, new] = &paths;
            Ok(match read(&session, whole).await? {
                // Killed while it was replaced.
                None => read(&session, new).await?,
                text => text,
            })
        })?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Removes what killed processes have left: notes of archives that are not there, and uploads
    /// that nobody goes on with.
    fn sweep(&self) -> Result<(), StoreError> {
        let files = self.host.files()?;
        let long_ago = Timestamp::now().as_second() - ABANDONED_DAYS * 86_400;
        for (file, found) in &files {
            let Some((of, kind)) = companion(file) else {
                continue;
            };
            let is_old = found.mtime.is_some_and(|at| i64::from(at) < long_ago);
            let is_alone = !files.contains_key(&of.to_string());
            // The note of an upload comes before the last act: a fresh one may be somebody's.
            if is_old && (is_alone || kind == Companion::Part) {
                self.host.remove(file)?;
            }
        }
        Ok(())
    }
}

/// A file that belongs to an archive.
#[derive(Debug, PartialEq)]
enum Companion {
    Note,
    Part,
}

fn companion(file: &str) -> Option<(ArchiveName, Companion)> {
    let rest = file.strip_prefix('.')?;
    if let Some(of) = rest
        .strip_suffix(".json")
        .or(rest.strip_suffix(".json.new"))
    {
        return Some((of.parse().ok()?, Companion::Note));
    }
    let (of, _) = rest.strip_suffix(".part")?.rsplit_once('.')?;
    Some((of.parse().ok()?, Companion::Part))
}

/// The notes of many archives, by their names.
async fn notes(
    session: Arc<SftpSession>,
    wanted: Vec<(ArchiveName, [String; 2])>,
) -> Result<BTreeMap<ArchiveName, Note>, Error> {
    let mut notes = BTreeMap::new();
    let mut reading = JoinSet::new();
    let mut wanted = wanted.into_iter();
    loop {
        while reading.len() < AT_ONCE
            && let Some((name, [whole, new])) = wanted.next()
        {
            let session = Arc::clone(&session);
            reading.spawn(async move {
                let text = match read(&session, &whole).await? {
                    None => read(&session, &new).await?,
                    text => text,
                };
                Ok::<_, Error>((name, text))
            });
        }
        let Some(read) = reading.join_next().await else {
            return Ok(notes);
        };
        let (name, text) = read.map_err(|error| Error::IO(error.to_string()))??;
        if let Some(note) = text.and_then(|text| serde_json::from_slice(&text).ok()) {
            notes.insert(name, note);
        }
    }
}

impl ObjectStore for SftpStore {
    fn place(&self) -> String {
        self.host.place()
    }

    fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let files = self.host.files()?;
        let names = files.keys().filter_map(|file| file.parse().ok());
        let names: Vec<ArchiveName> = names.collect();
        let has_note = |name: &ArchiveName| {
            let ends = [".json", ".json.new"];
            ends.iter()
                .any(|end| files.contains_key(&format!(".{name}{end}")))
        };
        let noted = names.iter().filter(|name| has_note(name));
        let noted = noted.map(|name| (name.clone(), self.host.note_paths(name)));
        let noted = noted.collect();
        let read = async |session| notes(session, noted).await;
        let mut notes = self.host.ask("read the notes", read)?;
        let mut list: Vec<Stored> = names
            .into_iter()
            .map(|name| {
                let bytes = files[&name.to_string()].len();
                let note = notes.remove(&name).filter(|note| note.bytes == bytes);
                Stored { name, bytes, note }
            })
            .collect();
        list.sort_by_key(|stored| std::cmp::Reverse(stored.name.to_string()));
        Ok(list)
    }

    fn open(&self, name: &ArchiveName) -> Result<Box<dyn ArchiveBytes>, StoreError> {
        let found = self.host.look(&name.to_string())?;
        let found = found.filter(FileAttributes::is_regular);
        let found = found.ok_or_else(|| StoreError::Missing {
            place: self.place(),
            name: name.clone(),
        })?;
        Ok(Box::new(SftpBytes {
            host: Arc::clone(&self.host),
            path: self.host.path(&name.to_string()),
            address: PathBuf::from(format!("{}/{name}", self.place())),
            size: found.len(),
        }))
    }

    /// As the note has it.
    fn sha256(&self, name: &ArchiveName) -> Result<Option<[u8; 32]>, StoreError> {
        let bytes = self.note(name)?.and_then(|note| unhex(&note.sha256));
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
    }

    /// Sends a copy of the file. What has arrived stays there, and the next time only the rest is
    /// sent.
    fn publish(
        &self,
        file: &std::path::Path,
        name: &ArchiveName,
        note: &Note,
    ) -> Result<(), StoreError> {
        self.upload(file, name, note)
    }

    fn annotate(&self, name: &ArchiveName, note: &Note) -> Result<(), StoreError> {
        self.host.annotate(name, note)
    }

    fn remove(&self, name: &ArchiveName) -> Result<(), StoreError> {
        self.host.remove(&name.to_string())?;
        self.host.remove(&format!(".{name}.json"))?;
        self.host.remove(&format!(".{name}.json.new"))
    }

    /// Names of archives are never used twice, so nobody needs to be kept out.
    fn hold(&self, _: &Holder) -> Result<Hold, StoreError> {
        self.sweep()?;
        Ok(Hold { _held: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companions_are_known_by_their_names() {
        let name = "pandorafms_backup_2026-11-21-02-00-00.tar.gz";
        let of: ArchiveName = name.parse().unwrap();
        for (file, kind) in [
            (format!(".{name}.json"), Some(Companion::Note)),
            (format!(".{name}.json.new"), Some(Companion::Note)),
            (format!(".{name}.0123abcd.part"), Some(Companion::Part)),
            (format!("{name}.part"), None),
            (format!(".{name}.part"), None),
            (".other.json".to_owned(), None),
        ] {
            assert_eq!(
                companion(&file),
                kind.map(|kind| (of.clone(), kind)),
                "{file}"
            );
        }
    }
}
