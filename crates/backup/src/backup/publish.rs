//! Manifest, a look back, and the name.

use elpis_run::{Event, RunId};
use serde_json::Value;

use super::{Backup, BackupError, Work};
use crate::archive::{
    Archive, Entry, EntryKind, FORMAT, Finished, Manifest, ReadLimits, Verify, VerifyError, hex,
};
use crate::crypt::Keys;
use crate::name::ArchiveName;
use crate::report::BackupReport;
use crate::store::{Note, ObjectStore, Verification};

impl Backup<'_> {
    /// Manifest, a look back, and the name.
    pub(super) fn finish(&self, run: RunId, work: Work<'_>) -> Result<BackupReport, BackupError> {
        let start = self.clock.monotonic();
        let (plan, keys, mut phases) = (work.plan, work.keys, work.phases);
        let manifest = Manifest {
            format: FORMAT,
            tool: self.tool.clone(),
            host: self.holder.host.clone(),
            profile: plan.profile.name.clone(),
            began: work.began,
            finished: self.clock.now(),
            container: plan.profile.container,
            product: plan.profile.product.clone(),
            components: work.components,
            databases: work.databases,
            omissions: work.omissions,
            notes: work.warnings,
            members: Vec::new(),
        };
        let meta = self.own_meta(work.began);
        let entry = |path, size| Entry {
            path,
            kind: EntryKind::File { size, sparse: None },
            meta,
        };
        let (finished, manifest) = work.archive.finish(manifest, entry)?;
        phases.finish_s = (self.clock.monotonic() - start).as_secs_f64();

        let start = self.clock.monotonic();
        let verified = plan.profile.verify;
        if verified {
            self.step(run, "verify", || self.look_back(&finished, &keys))?;
            phases.verify_s = (self.clock.monotonic() - start).as_secs_f64();
        }
        let note = Note {
            sha256: hex(&finished.sha256),
            bytes: finished.bytes,
            began: manifest.began,
            profile: Some(manifest.profile.clone()),
            complete: Some(manifest.is_complete()),
            verified: verified.then(|| Verification {
                at: self.clock.now(),
                broken: None,
            }),
            pinned: None,
            rehearsed: None,
        };
        self.publish(run, &finished, &work.name, &note)?;
        Ok(BackupReport {
            run,
            path: self.store.path(&work.name),
            bytes: finished.bytes,
            raw_bytes: finished.raw_bytes,
            sha256: note.sha256,
            members: finished.members,
            started: manifest.began,
            finished: self.clock.now(),
            phases,
            complete: manifest.is_complete(),
            databases: manifest
                .databases
                .into_iter()
                .map(|db| (db.name, db.rows))
                .collect(),
            components: manifest.components,
            omissions: manifest.omissions,
            warnings: manifest.notes,
            verified,
        })
    }

    /// After the archive has its name nothing is an error any more.
    fn publish(
        &self,
        run: RunId,
        finished: &Finished,
        name: &ArchiveName,
        note: &Note,
    ) -> Result<(), BackupError> {
        if self.stop.is_stopped() {
            return Err(BackupError::Stopped);
        }
        let (step, detail) = ("publish".to_owned(), Value::String(name.to_string()));
        let intent = Event::Intent {
            step: step.clone(),
            detail: detail.clone(),
        };
        self.journal.append(run, self.clock.now(), &intent)?;
        self.store.publish(&finished.path, name, note)?;
        // If this cannot be recorded, neither can the end, and the report says so.
        let _ = self
            .journal
            .append(run, self.clock.now(), &Event::Done { step, detail });
        Ok(())
    }

    fn look_back(&self, finished: &Finished, keys: &Keys) -> Result<(), BackupError> {
        let how = Verify {
            limits: ReadLimits::default(),
            sha256: Some(finished.sha256),
            stop: self.stop,
            observer: &self.observer,
        };
        match Archive::open_with(&finished.path, keys)?.verify(&how) {
            Ok(_) => Ok(()),
            Err(VerifyError::Stopped) => Err(BackupError::Stopped),
            Err(error) => Err(error.into()),
        }
    }
}
