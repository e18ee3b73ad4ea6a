//! A bucket of an S3-compatible service as a store.
//!
//! ```text
//! PREFIX/pandorafms_backup_2026-11-21-02-00-00.tar.gz          the archive
//! PREFIX/pandorafms_backup_2026-11-21-02-00-00.tar.gz.json     what is known of it
//! PREFIX/pandorafms_backup_2026-11-21-02-00-00.tar.gz.upload   who is sending it
//! ```
//!
//! What is known of an archive is written last and removed first, and what has no such note is not
//! listed: neither half an upload nor one that was never read back.

mod bytes;
mod client;
mod options;
mod upload;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use elpis_run::{Holder, Observer, StopToken};
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{Error, ObjectMeta, ObjectStore as _, ObjectStoreExt, PutMode, PutOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

pub use options::{S3Access, S3Address, S3Options};

use super::{Hold, Note, ObjectStore, StoreError, Stored, note_text};
use crate::archive::{ArchiveBytes, unhex};
use crate::event::BackupEvent;
use crate::name::ArchiveName;
use bytes::S3Bytes;

/// Notes that are fetched at the same time.
const AT_ONCE: usize = 8;

/// A place in a bucket that keeps archives.
pub struct S3Store {
    client: Arc<AmazonS3>,
    runtime: Arc<Runtime>,
    options: S3Options,
    stop: StopToken,
    observer: Arc<dyn Observer<BackupEvent>>,
}

impl std::fmt::Debug for S3Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Store")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl S3Store {
    /// A store in a bucket. Nothing is asked of the service yet. `stop` ends every request;
    /// `observer` hears [`BackupEvent::Uploaded`].
    ///
    /// # Errors
    /// [`StoreError::Settings`] when the options cannot be used.
    pub fn new(
        options: S3Options,
        stop: StopToken,
        observer: Arc<dyn Observer<BackupEvent>>,
    ) -> Result<S3Store, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Settings {
            what: "the network".to_owned(),
            why: error.to_string(),
        })?;
        Ok(S3Store {
            client: Arc::new(client::client(&options)?),
            runtime: Arc::new(runtime),
            options,
            stop,
            observer,
        })
    }

    fn key(&self, name: &str) -> Key {
        match self.options.address.prefix.as_str() {
            "" => Key::from(name),
            prefix => Key::from(format!("{prefix}/{name}")),
        }
    }

    fn note_key(&self, name: &ArchiveName) -> Key {
        self.key(&format!("{name}.json"))
    }

    fn address(&self, name: &ArchiveName) -> PathBuf {
        PathBuf::from(format!("{}/{name}", self.options.address))
    }

    /// Waits for an answer, or for the stop.
    fn ask<T>(
        &self,
        doing: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreError> {
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.stopped() => None,
                answer = request => Some(answer),
            }
        });
        match answer {
            Some(answer) => answer.map_err(|error| self.failed(doing, error)),
            None => Err(self.stopped(doing)),
        }
    }

    /// The same, where that something is not there is an answer too.
    fn ask_for<T>(
        &self,
        doing: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, StoreError> {
        self.ask(doing, async {
            match request.await {
                Err(Error::NotFound { .. }) => Ok(None),
                other => other.map(Some),
            }
        })
    }

    fn failed(&self, doing: &str, error: Error) -> StoreError {
        StoreError::Remote {
            doing: doing.to_owned(),
            place: self.place(),
            source: Box::new(error),
        }
    }

    fn stopped(&self, doing: &str) -> StoreError {
        StoreError::Stopped {
            doing: doing.to_owned(),
            place: self.place(),
        }
    }

    fn look(&self, key: &Key) -> Result<Option<ObjectMeta>, StoreError> {
        self.ask_for("look at an archive", self.client.head(key))
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let request = async { self.client.get(key).await?.bytes().await };
        Ok(self.ask_for("read a note", request)?.map(Vec::from))
    }

    fn put(&self, key: &Key, bytes: Vec<u8>, mode: PutMode) -> Result<(), StoreError> {
        let options = PutOptions::from(mode);
        let request = self.client.put_opts(key, bytes.into(), options);
        self.ask("write a note", request).map(drop)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let request = self.client.delete(key);
        self.ask_for("remove an archive", request).map(drop)
    }

    /// Every object below the prefix, by its name there.
    fn objects(&self) -> Result<BTreeMap<String, ObjectMeta>, StoreError> {
        let prefix = Some(self.options.address.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let prefix = prefix.map(Key::from);
        let listed = self.ask(
            "list the archives",
            self.client.list_with_delimiter(prefix.as_ref()),
        )?;
        let named = |object: ObjectMeta| Some((object.location.filename()?.to_owned(), object));
        Ok(listed.objects.into_iter().filter_map(named).collect())
    }

    fn note(&self, name: &ArchiveName) -> Result<Option<Note>, StoreError> {
        let text = self.get(&self.note_key(name))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// The notes of many archives.
    async fn notes(&self, names: Vec<ArchiveName>) -> object_store::Result<Notes> {
        let mut notes = Notes::new();
        let mut reading = JoinSet::new();
        let mut names = names.into_iter().peekable();
        while names.peek().is_some() || !reading.is_empty() {
            if reading.len() < AT_ONCE
                && let Some(name) = names.next()
            {
                let (client, key) = (Arc::clone(&self.client), self.note_key(&name));
                reading.spawn(async move {
                    let text = match client.get(&key).await {
                        Ok(found) => Some(found.bytes().await?),
                        // Removed since it was listed.
                        Err(Error::NotFound { .. }) => None,
                        Err(error) => return Err(error),
                    };
                    Ok((name, text))
                });
                continue;
            }
            if let Some(read) = reading.join_next().await
                && let (name, Some(text)) = read??
            {
                notes.insert(name, serde_json::from_slice(&text).ok());
            }
        }
        Ok(notes)
    }
}

/// Notes, if they can be read, of archives that have one.
type Notes = BTreeMap<ArchiveName, Option<Note>>;

impl ObjectStore for S3Store {
    fn place(&self) -> String {
        self.options.address.to_string()
    }

    fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let objects = self.objects()?;
        let is_whole = |name: &ArchiveName| objects.contains_key(&format!("{name}.json"));
        let names = objects.keys().filter_map(|name| name.parse().ok());
        let names: Vec<ArchiveName> = names.filter(is_whole).collect();
        let notes = self.ask("read the notes", self.notes(names))?;
        let mut list: Vec<Stored> = notes
            .into_iter()
            .map(|(name, note)| {
                let bytes = objects
                    .get(&name.to_string())
                    .map_or(0, |object| object.size);
                let note = note.filter(|note| note.bytes == bytes);
                Stored { name, bytes, note }
            })
            .collect();
        list.sort_by_key(|stored| std::cmp::Reverse(stored.name.to_string()));
        Ok(list)
    }

    fn open(&self, name: &ArchiveName) -> Result<Box<dyn ArchiveBytes>, StoreError> {
        let found = self.look(&self.key(&name.to_string()))?;
        let found = found.ok_or_else(|| StoreError::Missing {
            place: self.place(),
            name: name.clone(),
        })?;
        Ok(Box::new(S3Bytes {
            client: Arc::clone(&self.client),
            runtime: Arc::clone(&self.runtime),
            found,
            address: self.address(name),
        }))
    }

    /// As the note has it.
    fn sha256(&self, name: &ArchiveName) -> Result<Option<[u8; 32]>, StoreError> {
        let bytes = self.note(name)?.and_then(|note| unhex(&note.sha256));
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
    }

    /// Sends a copy of the file in parts. What has arrived is remembered beside the file, and the
    /// next time only the rest is sent.
    fn publish(&self, file: &Path, name: &ArchiveName, note: &Note) -> Result<(), StoreError> {
        self.upload(file, name, note)
    }

    fn annotate(&self, name: &ArchiveName, note: &Note) -> Result<(), StoreError> {
        self.put(&self.note_key(name), note_text(note)?, PutMode::Overwrite)
    }

    fn remove(&self, name: &ArchiveName) -> Result<(), StoreError> {
        self.delete(&self.note_key(name))?;
        self.delete(&self.key(&name.to_string()))
    }

    /// Names of archives are never used twice, so nobody needs to be kept out.
    fn hold(&self, _: &Holder) -> Result<Hold, StoreError> {
        self.sweep()?;
        Ok(Hold { _held: None })
    }
}
