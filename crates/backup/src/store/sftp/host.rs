//! The other host: a session that is begun when it is needed, and what is asked over it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use elpis_run::StopToken;
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};

use super::address::SftpOptions;
use super::link::{Link, LinkError};
use crate::name::ArchiveName;
use crate::store::{Note, StoreError, note_text};

/// The other host, and the session with it.
pub(super) struct Host {
    pub(super) options: SftpOptions,
    runtime: Runtime,
    link: Mutex<Option<Link>>,
    stop: StopToken,
}

/// The files of a directory by their names.
pub(super) type Files = BTreeMap<String, FileAttributes>;

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpStore")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Host {
    pub(super) fn new(options: SftpOptions, stop: StopToken) -> Result<Host, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Settings {
            what: "the network".to_owned(),
            why: error.to_string(),
        })?;
        Ok(Host {
            options,
            runtime,
            link: Mutex::new(None),
            stop,
        })
    }

    pub(super) fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.options.address.directory())
    }

    /// The note, and the one that will replace it.
    pub(super) fn note_paths(&self, name: &ArchiveName) -> [String; 2] {
        [".json", ".json.new"].map(|end| self.path(&format!(".{name}{end}")))
    }

    pub(super) fn place(&self) -> String {
        self.options.address.to_string()
    }

    /// Asks the other host something; `request` gets the session, which is begun if there is none.
    pub(super) fn ask<T>(
        &self,
        doing: &str,
        request: impl AsyncFnOnce(Arc<SftpSession>) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let mut link = self.kept().take();
        let asked = async {
            let open = match link.take() {
                Some(open) => open,
                None => Link::open(&self.options).await?,
            };
            let session = Arc::clone(&link.insert(open).session);
            match request(session).await {
                Ok(answer) => Ok(answer),
                Err(error @ Error::Status(_)) => Err(error.into()),
                // The next request begins another session.
                Err(error) => Err(match link.take() {
                    Some(link) => link.explain(error).await,
                    None => error.into(),
                }),
            }
        };
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.stopped() => None,
                answer = asked => Some(answer),
            }
        });
        let Some(answer) = answer else {
            // Half a conversation is of no use to anybody: the session goes with it.
            return Err(StoreError::Stopped {
                doing: doing.to_owned(),
                place: self.place(),
            });
        };
        *self.kept() = link;
        answer.map_err(|error: LinkError| self.failed(doing, error))
    }

    fn kept(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(
        &self,
        doing: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Remote {
            doing: doing.to_owned(),
            place: self.place(),
            source: error.into(),
        }
    }

    /// Every regular file of the directory.
    pub(super) fn files(&self) -> Result<Files, StoreError> {
        let dir = self.options.address.directory();
        let entries = self.ask("list the archives", async |session| {
            session.read_dir(dir).await
        })?;
        let files = entries.map(|entry| (entry.file_name(), entry.metadata()));
        Ok(files.filter(|(_, found)| found.is_regular()).collect())
    }

    /// What is there under a name, if something is.
    pub(super) fn look(&self, file: &str) -> Result<Option<FileAttributes>, StoreError> {
        let path = self.path(file);
        self.ask("look at an archive", async |session| {
            there(session.symlink_metadata(&path).await)
        })
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, file: &str) -> Result<(), StoreError> {
        let path = self.path(file);
        self.ask("remove a file", async |session| {
            there(session.remove_file(&path).await).map(drop)
        })
    }

    /// Replaces a note. One of both is there whenever this ends.
    pub(super) fn annotate(&self, name: &ArchiveName, note: &Note) -> Result<(), StoreError> {
        let (text, [whole, new]) = (note_text(note)?, self.note_paths(name));
        self.ask("write a note", async |session| {
            let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
            let mut file = session
                .open_with_flags_and_attributes(&new, flags, private())
                .await?;
            file.write_all(&text).await?;
            file.sync_all().await?;
            file.close().await?;
            // A rename of SFTP replaces nothing.
            there(session.remove_file(&whole).await)?;
            session.rename(&new, &whole).await
        })
    }
}

/// The attributes of a new file.
pub(super) fn private() -> FileAttributes {
    FileAttributes {
        permissions: Some(0o600),
        ..FileAttributes::empty()
    }
}

/// Where that something is not there is an answer too.
pub(super) fn there<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
        other => other.map(Some),
    }
}

pub(super) async fn read(session: &SftpSession, path: &str) -> Result<Option<Vec<u8>>, Error> {
    there(session.read(path).await)
}
