//! The repository.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_backup::archive::{Archive, Extract, Verified};
use elpis_run::{FsError, Secret, StopToken, fsx};
use rustic_backend::BackendOptions;
use rustic_core::{
    BackupOptions, CheckOptions, ConfigOptions, Credentials, IndexedIdsStatus, KeyOptions,
    OpenStatus, ParentOptions, PathList, RepositoryOptions, RusticResult, SnapshotOptions,
};
use serde::Serialize;

use crate::error::RepositoryError;
use crate::unfold::{Extent, measure, unfold};

/// What every snapshot of ours is tagged with.
const TAG: &str = "elpis-backup";

/// A repository in a directory.
#[derive(Debug)]
pub struct Repository {
    path: PathBuf,
    password: Secret<String>,
}

/// An archive in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Its number, in hexadecimal.
    pub id: String,
    /// The archive it was made of.
    pub archive: String,
    /// The host it was made on.
    pub host: String,
}

/// What storing an archive came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Added {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that the repository did not have before, compressed and encrypted.
    pub added: u64,
}

impl Repository {
    /// The repository in `path`, with the password that is the first line of a file of mode 0600.
    /// Nothing is opened yet.
    ///
    /// # Errors
    /// [`RepositoryError::Password`], and when the file cannot be read.
    pub fn new(path: &Path, password_file: &Path) -> Result<Repository, RepositoryError> {
        let found = std::fs::metadata(password_file)
            .map_err(|source| FsError::new("read", password_file, source))?;
        let wrong = |why| RepositoryError::Password {
            path: password_file.to_owned(),
            why,
        };
        if found.mode() & 0o077 != 0 {
            return Err(wrong("readable by others: set its mode to 0600"));
        }
        let text = Secret::new(fsx::read_to_string(password_file)?);
        let password = text.expose().lines().next().unwrap_or_default();
        if password.is_empty() {
            return Err(wrong("its first line is empty"));
        }
        Ok(Repository {
            path: path.to_owned(),
            password: Secret::new(password.to_owned()),
        })
    }

    /// Makes the repository where there is none yet.
    ///
    /// # Errors
    /// When there is one, or the directory cannot be written.
    pub fn init(&self) -> Result<(), RepositoryError> {
        let made = self.closed().and_then(|repository| {
            let (key, config) = (KeyOptions::default(), ConfigOptions::default());
            repository.init(&self.credentials(), &key, &config)
        });
        made.map(drop).map_err(|error| self.failed("begin", error))
    }

    /// Stores a verified archive as a snapshot named `name`. It is unpacked below `work`, which
    /// needs room for all of it, and twice for its largest dump.
    ///
    /// Every file is read and compared block by block: nothing is taken for unchanged because its
    /// time and size are.
    ///
    /// # Errors
    /// [`RepositoryError`]: there is no such snapshot then.
    pub fn add(
        &self,
        archive: &mut Archive<Verified>,
        name: &str,
        work: &Path,
        stop: &StopToken,
    ) -> Result<Added, RepositoryError> {
        let there = self
            .snapshots()?
            .into_iter()
            .find(|one| one.archive == name);
        if let Some(there) = there {
            return Err(RepositoryError::Exists {
                name: name.to_owned(),
                snapshot: there.id,
            });
        }
        // Private, and gone with everything in it whatever happens.
        let dir = tempfile::Builder::new()
            .prefix(".elpis-backup-restic.")
            .tempdir_in(work)
            .map_err(|source| FsError::new("create directory", work, source))?;
        let root = dir.path().join("root");
        let how = Extract {
            only: &[],
            outside_links: true,
            stop,
        };
        archive.extract(&root, &how)?;
        if let Some(manifest) = archive.manifest() {
            unfold(&root, manifest)?;
        }
        let host = archive.manifest().map(|manifest| manifest.host.clone());
        self.store(&root, name, host, measure(&root)?)
    }

    fn store(
        &self,
        root: &Path,
        name: &str,
        host: Option<String>,
        expected: Extent,
    ) -> Result<Added, RepositoryError> {
        let fail = |error| self.failed("store a snapshot", error);
        let repository = self.open()?;
        let indexed = repository.to_indexed_ids().map_err(fail)?;
        let stored = self.snapshot(&indexed, root, name, host).map_err(fail)?;
        let summary = stored.summary.clone().unwrap_or_default();
        let done = Extent {
            files: summary.total_files_processed,
            bytes: summary.total_bytes_processed,
        };
        // The library passes over what it cannot read.
        if done != expected {
            indexed.delete_snapshots(&[stored.id]).map_err(fail)?;
            return Err(RepositoryError::Incomplete {
                stored: done.files,
                expected: expected.files,
                stored_bytes: done.bytes,
                expected_bytes: expected.bytes,
            });
        }
        Ok(Added {
            snapshot: Snapshot {
                id: stored.id.to_hex().as_str().to_owned(),
                archive: stored.label,
                host: stored.hostname,
            },
            files: done.files,
            bytes: done.bytes,
            added: summary.data_added_packed,
        })
    }

    fn snapshot(
        &self,
        repository: &rustic_core::Repository<IndexedIdsStatus>,
        root: &Path,
        name: &str,
        host: Option<String>,
    ) -> RusticResult<rustic_core::repofile::SnapshotFile> {
        let mut options = SnapshotOptions::default()
            .label(name.to_owned())
            .add_tags(TAG)?;
        options.host = host;
        // Without `force` a file of the same size and time as in the snapshot before is not read.
        let parent = ParentOptions::default().force(true);
        let how = BackupOptions::default()
            .as_path(PathBuf::from("/"))
            .parent_opts(parent);
        let paths: PathList = std::iter::once(root).collect();
        repository.backup(&how, &paths, options.to_snapshot()?)
    }

    /// The archives in the repository, the oldest first.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, RepositoryError> {
        let found = self.open()?.get_all_snapshots();
        let mut found = found.map_err(|error| self.failed("list the snapshots", error))?;
        found.retain(|snapshot| snapshot.tags.contains(TAG));
        found.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(found
            .into_iter()
            .map(|snapshot| Snapshot {
                id: snapshot.id.to_hex().as_str().to_owned(),
                archive: snapshot.label,
                host: snapshot.hostname,
            })
            .collect())
    }

    /// Reads everything in the repository and compares every checksum.
    ///
    /// # Errors
    /// When something is damaged or missing.
    pub fn check(&self) -> Result<(), RepositoryError> {
        let how = CheckOptions::default().read_data(true);
        let checked = self.open()?.check(how).and_then(|results| results.is_ok());
        checked.map_err(|error| self.failed("check everything", error))
    }

    fn open(&self) -> Result<rustic_core::Repository<OpenStatus>, RepositoryError> {
        let opened = self
            .closed()
            .and_then(|repository| repository.open(&self.credentials()));
        opened.map_err(|error| self.failed("open it", error))
    }

    fn closed(&self) -> RusticResult<rustic_core::Repository<()>> {
        let backends = BackendOptions::default()
            .repository(self.path.display().to_string())
            .to_backends()?;
        // A cache would lie in somebody's home directory.
        rustic_core::Repository::new(&RepositoryOptions::default().no_cache(true), &backends)
    }

    fn credentials(&self) -> Credentials {
        Credentials::password(self.password.expose())
    }

    fn failed(
        &self,
        doing: &'static str,
        source: Box<rustic_core::RusticError>,
    ) -> RepositoryError {
        RepositoryError::Repository {
            doing,
            path: self.path.clone(),
            source,
        }
    }
}
