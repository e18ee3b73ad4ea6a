//! Keeping what is known of stored archives true.

use elpis_run::{Clock, Observer, StopToken};
use jiff::tz::TimeZone;

use crate::archive::{
    Archive, Contents, ReadLimits, Unverified, Verified, Verify, VerifyError, hex,
};
use crate::crypt::Keys;
use crate::event::BackupEvent;
use crate::name::ArchiveName;
use crate::store::{Note, ObjectStore, RehearsalNote, StoreError, Stored, Verification};

/// Verifies archives of a store and notes what came out.
pub struct Inspector<'a> {
    /// The store.
    pub store: &'a dyn ObjectStore,
    /// What opens encrypted archives.
    pub keys: &'a Keys,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// The zone of archive names.
    pub zone: TimeZone,
    /// Ends it early.
    pub stop: &'a StopToken,
    /// Hears [`BackupEvent::Verifying`].
    pub observer: &'a dyn Observer<BackupEvent>,
}

impl Inspector<'_> {
    /// Verifies one archive, with the sum that the store has for it, and notes the outcome. An
    /// outcome that cannot be noted is told to `unnoted`.
    ///
    /// # Errors
    /// As [`Archive::verify`].
    pub fn verify(
        &self,
        name: &ArchiveName,
        unnoted: &mut dyn FnMut(StoreError),
    ) -> Result<Archive<Verified>, VerifyError> {
        let before = self.stored(name).ok();
        let sha256 = self.store.sha256(name).unwrap_or_else(|error| {
            unnoted(error);
            None
        });
        let how = Verify {
            limits: ReadLimits::default(),
            sha256,
            stop: self.stop,
            observer: self.observer,
        };
        let result = self.open(name).and_then(|archive| archive.verify(&how));
        let note = match &result {
            Ok(archive) => Some(self.whole(name, archive.contents(), before)),
            Err(error @ (VerifyError::Broken { .. } | VerifyError::NotAnArchive { .. })) => {
                before.map(|before| self.broken(name, error, before))
            }
            // Nothing is known of an archive that could not be read to its end.
            Err(_) => None,
        };
        if let Some(Err(error)) = note.map(|note| self.store.annotate(name, &note)) {
            unnoted(error);
        }
        result
    }

    /// Marks an archive as never to be pruned, or takes the mark away.
    ///
    /// # Errors
    /// When it cannot be noted, or there is no such archive.
    pub fn pin(&self, name: &ArchiveName, why: Option<String>) -> Result<(), StoreError> {
        let found = self.stored(name)?;
        let note = found.note.unwrap_or_else(|| Note {
            sha256: String::new(),
            bytes: found.bytes,
            began: name.began(&self.zone),
            profile: None,
            complete: None,
            verified: None,
            pinned: None,
            rehearsed: None,
        });
        self.store.annotate(
            name,
            &Note {
                pinned: why,
                ..note
            },
        )
    }

    /// Opens an archive of the store with the keys at hand.
    ///
    /// # Errors
    /// As [`Archive::open_bytes`], and [`VerifyError::Store`].
    pub fn open(&self, name: &ArchiveName) -> Result<Archive<Unverified>, VerifyError> {
        Archive::open_bytes(self.store.open(name)?, self.keys)
    }

    fn stored(&self, name: &ArchiveName) -> Result<Stored, StoreError> {
        let mut list = self.store.list()?.into_iter();
        list.find(|stored| stored.name == *name)
            .ok_or_else(|| StoreError::Missing {
                place: self.store.place(),
                name: name.clone(),
            })
    }

    /// Notes what a rehearsal of an archive came to.
    ///
    /// # Errors
    /// When it cannot be noted, or there is no such archive.
    pub fn rehearsed(&self, name: &ArchiveName, outcome: RehearsalNote) -> Result<(), StoreError> {
        let found = self.stored(name)?;
        let missing = || StoreError::Unknown {
            place: self.store.place(),
            name: name.clone(),
        };
        let note = found.note.ok_or_else(missing)?;
        let rehearsed = Some(outcome);
        self.store.annotate(name, &Note { rehearsed, ..note })
    }

    fn whole(&self, name: &ArchiveName, found: &Contents, before: Option<Stored>) -> Note {
        let manifest = found.manifest.as_ref();
        let before = before.and_then(|stored| stored.note);
        // Another file of the same name was not rehearsed.
        let same = before
            .as_ref()
            .filter(|note| note.sha256 == hex(&found.sha256));
        Note {
            sha256: hex(&found.sha256),
            bytes: found.bytes,
            began: manifest.map_or_else(|| name.began(&self.zone), |manifest| manifest.began),
            profile: manifest.map(|manifest| manifest.profile.clone()),
            complete: manifest.map(crate::archive::Manifest::is_complete),
            verified: Some(Verification {
                at: self.clock.now(),
                broken: None,
            }),
            rehearsed: same.and_then(|note| note.rehearsed.clone()),
            pinned: before.and_then(|note| note.pinned),
        }
    }

    fn broken(&self, name: &ArchiveName, error: &VerifyError, before: Stored) -> Note {
        let Stored { bytes, note, .. } = before;
        Note {
            sha256: note
                .as_ref()
                .map(|note| note.sha256.clone())
                .unwrap_or_default(),
            bytes,
            began: note
                .as_ref()
                .map_or_else(|| name.began(&self.zone), |note| note.began),
            profile: note.as_ref().and_then(|note| note.profile.clone()),
            complete: note.as_ref().and_then(|note| note.complete),
            verified: Some(Verification {
                at: self.clock.now(),
                broken: Some(error.to_string()),
            }),
            rehearsed: None,
            pinned: note.and_then(|note| note.pinned),
        }
    }
}
