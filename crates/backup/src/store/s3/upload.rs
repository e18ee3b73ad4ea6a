//! Sending an archive in parts.
//!
//! The service makes the object out of its parts in one act, and only when it has been read back
//! does it get the note with which it counts. Another host that sends an archive of the same name
//! is kept out by `NAME.upload`, which only one can create.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use elpis_run::{FsError, Holder};
use jiff::Timestamp;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use object_store::{Error, PutMode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::S3Store;
use crate::archive::hex;
use crate::event::BackupEvent;
use crate::name::ArchiveName;
use crate::store::waiting::Waiting;
use crate::store::{Note, ObjectStore, StoreError, note_text};

/// Parts on their way at the same time, unless there is a limit to the rate.
const AT_ONCE: usize = 3;
/// The most parts that a service takes.
const MAX_PARTS: u64 = 10_000;
/// After so many days nobody will go on with an upload any more.
const ABANDONED_DAYS: i64 = 7;

const SENDING: &str = "send an archive";

/// Who sends an archive: the object `NAME.upload`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Claim {
    sha256: String,
    upload: String,
    host: String,
}

/// A part that has arrived, by its place.
type Arrived = object_store::Result<(usize, PartId)>;

/// Why sending ends early.
enum Ended {
    Failed(StoreError),
    /// The service does not know the upload any more, as far as it says.
    Forgotten(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Ended {
        Ended::Failed(error)
    }
}

/// An archive on its way.
struct Upload<'a> {
    store: &'a S3Store,
    file: &'a Path,
    name: &'a ArchiveName,
    key: Key,
    note: &'a Note,
    record: std::path::PathBuf,
    waiting: Waiting,
}

impl S3Store {
    pub(super) fn upload(
        &self,
        file: &Path,
        name: &ArchiveName,
        note: &Note,
    ) -> Result<(), StoreError> {
        let record = Waiting::path(file).ok_or_else(|| {
            let why = io::ErrorKind::InvalidFilename.into();
            FsError::new("remember the parts of", file, why)
        })?;
        let mut upload = Upload {
            store: self,
            file,
            name,
            key: self.key(&name.to_string()),
            note,
            waiting: Waiting::load(&record, &self.place(), &note.sha256),
            record,
        };
        upload.run()
    }

    /// Ends uploads that nobody goes on with.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        let long_ago = Timestamp::now().as_second() - ABANDONED_DAYS * 86_400;
        for (name, object) in self.objects()? {
            let of = name.strip_suffix(".upload");
            let Some(of) = of.and_then(|of| of.parse::<ArchiveName>().ok()) else {
                continue;
            };
            if object.last_modified.timestamp() < long_ago {
                let claim = self.claim(&object.location)?;
                if let Some(claim) = claim {
                    self.abort(&self.key(&of.to_string()), &claim.upload)?;
                }
                self.delete(&object.location)?;
            }
        }
        Ok(())
    }

    fn claim(&self, key: &Key) -> Result<Option<Claim>, StoreError> {
        let text = self.get(key)?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    fn abort(&self, key: &Key, upload: &String) -> Result<(), StoreError> {
        let request = self.client.abort_multipart(key, upload);
        self.ask_for("end an upload", request).map(drop)
    }
}

impl Upload<'_> {
    fn run(&mut self) -> Result<(), StoreError> {
        let note_key = self.store.note_key(self.name);
        if let Some(there) = self.store.get(&note_key)? {
            let there: Option<Note> = serde_json::from_slice(&there).ok();
            // Killed after the last act: it is done.
            return match there.is_some_and(|there| there.sha256 == self.note.sha256) {
                true => self.forget(),
                false => Err(self.exists()),
            };
        }
        // An upload that the service has forgotten was finished before, or begins again, once.
        let mut again = true;
        loop {
            self.begin()?;
            match self.send().and_then(|parts| self.complete(parts)) {
                Ok(()) => break,
                Err(Ended::Failed(error)) => return Err(error),
                Err(Ended::Forgotten(_)) if self.is_there()? => break,
                Err(Ended::Forgotten(_)) if again => {
                    again = false;
                    self.store.delete(&self.claim_key())?;
                    self.waiting = Waiting::new(&self.waiting.place, &self.note.sha256);
                }
                Err(Ended::Forgotten(error)) => return Err(error),
            }
        }
        let mut note = self.note.clone();
        match self.store.options.read_back {
            true => self.read_back()?,
            false => note.verified = None,
        }
        let put = self
            .store
            .put(&note_key, note_text(&note)?, PutMode::Create);
        put.map_err(|error| match error {
            StoreError::Remote { source, .. } if is_taken(source.as_ref()) => self.exists(),
            other => other,
        })?;
        self.forget()
    }

    fn claim_key(&self) -> Key {
        self.store.key(&format!("{}.upload", self.name))
    }

    /// Begins an upload and claims the name, unless that was done before.
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.waiting.upload.is_some() {
            return Ok(());
        }
        let store = self.store;
        let request = store.client.create_multipart(&self.key);
        let upload = store.ask("begin an upload", request)?;
        let claim = Claim {
            sha256: self.note.sha256.clone(),
            upload: upload.clone(),
            host: Holder::current("", Timestamp::now()).host,
        };
        let text = serde_json::to_vec(&claim).map_err(StoreError::Note)?;
        match store.put(&self.claim_key(), text.clone(), PutMode::Create) {
            Err(StoreError::Remote { source, .. }) if is_taken(source.as_ref()) => {
                match store.claim(&self.claim_key())? {
                    // Ours, of which this host remembers nothing.
                    Some(old) if old.sha256 == claim.sha256 && old.host == claim.host => {
                        store.abort(&self.key, &old.upload)?;
                        store.put(&self.claim_key(), text, PutMode::Overwrite)?;
                    }
                    _ => {
                        store.abort(&self.key, &upload)?;
                        return Err(self.exists());
                    }
                }
            }
            other => other?,
        }
        let part_bytes = self
            .note
            .bytes
            .div_ceil(MAX_PARTS)
            .next_multiple_of(1 << 20);
        self.waiting.part_bytes = part_bytes.max(store.options.part_bytes);
        self.waiting.upload = Some(upload);
        self.waiting.parts.clear();
        self.waiting.save(&self.record)
    }

    /// Sends the parts that have not arrived, and reads all of them to be sure of the sum.
    fn send(&mut self) -> Result<Vec<PartId>, Ended> {
        let fail = |source| StoreError::Fs(FsError::new("read", self.file, source));
        let mut file = File::options().read(true).open(self.file).map_err(fail)?;
        let (total, part_bytes) = (self.note.bytes, self.waiting.part_bytes.max(1));
        let count = usize::try_from(total.div_ceil(part_bytes)).unwrap_or(usize::MAX);
        self.waiting.parts.resize(count, None);
        let mut sha256 = Sha256::new();
        let mut sending: JoinSet<Arrived> = JoinSet::new();
        let at_once = self.store.options.pacer.as_ref().map_or(AT_ONCE, |_| 1);
        for at in 0..count {
            let begin = at as u64 * part_bytes;
            let mut part = Vec::new();
            (&mut file)
                .take(part_bytes.min(total - begin))
                .read_to_end(&mut part)
                .map_err(fail)?;
            sha256.update(&part);
            if self.waiting.parts[at].is_some() {
                continue;
            }
            while sending.len() >= at_once {
                self.wait(&mut sending)?;
            }
            self.pace(part.len())?;
            let (client, key) = (Arc::clone(&self.store.client), self.key.clone());
            let upload = self.waiting.upload.clone().unwrap_or_default();
            let send = async move {
                let part = client.put_part(&key, &upload, at, part.into()).await?;
                Ok((at, part))
            };
            sending.spawn_on(send, self.store.runtime.handle());
        }
        while !sending.is_empty() {
            self.wait(&mut sending)?;
        }
        if hex(&sha256.finalize()) != self.note.sha256 {
            return Err(self.changed().into());
        }
        let parts = self.waiting.parts.iter().flatten();
        let parts = parts.map(|content_id| PartId {
            content_id: content_id.clone(),
        });
        Ok(parts.collect())
    }

    /// Waits until a part may be sent.
    fn pace(&self, bytes: usize) -> Result<(), StoreError> {
        let Some(pacer) = &self.store.options.pacer else {
            return Ok(());
        };
        let passed = async {
            pacer.pass(bytes).await;
            Ok(())
        };
        self.store.ask(SENDING, passed)
    }

    /// Waits until one of the parts has arrived.
    fn wait(&mut self, sending: &mut JoinSet<Arrived>) -> Result<(), Ended> {
        let store = self.store;
        let arrived = store.ask(SENDING, async {
            match sending.join_next().await {
                None => Ok(None),
                Some(joined) => joined?.map(Some),
            }
        });
        let Some((at, part)) = arrived.map_err(ended)? else {
            return Ok(());
        };
        self.waiting.parts[at] = Some(part.content_id);
        self.waiting.save(&self.record)?;
        let arrived = self.waiting.parts.iter().flatten().count() as u64;
        store.observer.on(&BackupEvent::Uploaded {
            bytes: self.note.bytes.min(arrived * self.waiting.part_bytes),
            of: self.note.bytes,
        });
        Ok(())
    }

    /// Makes the object out of its parts.
    fn complete(&self, parts: Vec<PartId>) -> Result<(), Ended> {
        let upload = self.waiting.upload.clone().unwrap_or_default();
        let client = &self.store.client;
        let request = client.complete_multipart(&self.key, &upload, parts);
        self.store
            .ask("finish an upload", request)
            .map(drop)
            .map_err(ended)
    }

    fn is_there(&self) -> Result<bool, StoreError> {
        let found = self.store.look(&self.key)?;
        Ok(found.is_some_and(|found| found.size == self.note.bytes))
    }

    /// Reads what has arrived, to its end.
    fn read_back(&self) -> Result<(), StoreError> {
        let archive = self.store.open(self.name)?;
        let mut sha256 = Sha256::new();
        let fail = |error: io::Error| StoreError::Remote {
            doing: "read back what was sent".to_owned(),
            place: self.store.place(),
            source: Box::new(error),
        };
        let mut reader = archive.reader().map_err(fail)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            if self.store.stop.is_stopped() {
                return Err(self.store.stopped("read back what was sent"));
            }
            match reader.read(&mut buffer).map_err(fail)? {
                0 => break,
                got => sha256.update(&buffer[..got]),
            }
        }
        if hex(&sha256.finalize()) == self.note.sha256 {
            return Ok(());
        }
        self.store.delete(&self.key)?;
        self.forget()?;
        Err(fail(io::Error::other("it is not what was sent")))
    }

    /// The file is not what its note says: nothing of it may arrive.
    fn changed(&self) -> StoreError {
        if let Some(upload) = &self.waiting.upload {
            // What cannot be removed now goes with the sweep.
            let _ = self.store.abort(&self.key, upload);
        }
        let _ = self.forget();
        StoreError::Changed {
            place: self.store.place(),
            name: self.name.clone(),
        }
    }

    /// Takes the claim and the record away.
    fn forget(&self) -> Result<(), StoreError> {
        self.store.delete(&self.claim_key())?;
        match std::fs::remove_file(&self.record) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FsError::new("remove", &self.record, error).into())
            }
            _ => Ok(()),
        }
    }

    fn exists(&self) -> StoreError {
        StoreError::Exists {
            place: self.store.place(),
            name: self.name.clone(),
        }
    }
}

/// Services answer differently for an upload that is not there.
fn ended(error: StoreError) -> Ended {
    let is_unknown = match &error {
        StoreError::Remote { source, .. } => matches!(
            source.downcast_ref(),
            Some(Error::NotFound { .. } | Error::PermissionDenied { .. })
        ),
        _ => false,
    };
    match is_unknown {
        true => Ended::Forgotten(error),
        false => Ended::Failed(error),
    }
}

fn is_taken(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Error::AlreadyExists { .. } | Error::Precondition { .. })
    )
}
