//! What is to be copied to another store, remembered beside the archives: `.NAME.upload`.

use std::path::{Path, PathBuf};

use elpis_run::fsx;
use serde::{Deserialize, Serialize};

use super::{LocalStore, ObjectStore, StoreError};
use crate::name::ArchiveName;

/// What is known of a copy that is not finished.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// Where it goes; empty before it has begun.
    pub(super) place: String,
    /// SHA-256 of the archive.
    pub(super) sha256: String,
    /// Bytes of each part but the last.
    pub(super) part_bytes: u64,
    /// The service's name for the upload.
    pub(super) upload: Option<String>,
    /// The service's receipt for each part that has arrived.
    pub(super) parts: Vec<Option<String>>,
}

impl Waiting {
    /// Where the record of an archive's file lies.
    pub(super) fn path(file: &Path) -> Option<PathBuf> {
        let name = file.file_name()?.to_str()?;
        Some(file.with_file_name(format!(".{name}.upload")))
    }

    /// Nothing has arrived yet.
    #[cfg(feature = "s3")]
    pub(super) fn new(place: &str, sha256: &str) -> Waiting {
        Waiting {
            place: place.to_owned(),
            sha256: sha256.to_owned(),
            ..Waiting::default()
        }
    }

    /// What is remembered, if it is of the same archive and the same place.
    #[cfg(feature = "s3")]
    pub(super) fn load(path: &Path, place: &str, sha256: &str) -> Waiting {
        let found = fsx::read_to_string(path).ok();
        let found: Option<Waiting> = found.and_then(|text| serde_json::from_str(&text).ok());
        found
            .filter(|found| found.place == place && found.sha256 == sha256)
            .unwrap_or_else(|| Waiting::new(place, sha256))
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), StoreError> {
        let text = serde_json::to_vec(self).map_err(StoreError::Note)?;
        Ok(fsx::write_durable(path, &text, 0o600)?)
    }
}

impl LocalStore {
    /// Remembers that an archive is to be copied to another store.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not there, [`StoreError::Unknown`] when nothing is known
    /// of it.
    pub fn queue(&self, name: &ArchiveName) -> Result<(), StoreError> {
        let (place, name) = (self.place(), name.clone());
        let found = self.list()?.into_iter().find(|one| one.name == name);
        let path = Waiting::path(&self.path(&name));
        let (Some(found), Some(path)) = (found, path) else {
            return Err(StoreError::Missing { place, name });
        };
        // Without a sum nobody could tell whether what arrives is what is here.
        if found.note.is_none_or(|note| note.sha256.is_empty()) {
            return Err(StoreError::Unknown { place, name });
        }
        match path.exists() {
            // What has arrived of it counts.
            true => Ok(()),
            false => Waiting::default().save(&path),
        }
    }

    /// The archives that are to be copied, the oldest name first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn queued(&self) -> Result<Vec<ArchiveName>, StoreError> {
        let mut names: Vec<ArchiveName> = self.list()?.into_iter().map(|one| one.name).collect();
        names.retain(|name| Waiting::path(&self.path(name)).is_some_and(|path| path.exists()));
        names.reverse();
        Ok(names)
    }
}
