//! What goes into the archive before its manifest.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use elpis_run::{FsError, StopToken, with_causes};

use super::{Backup, BackupError, Work};
use crate::archive::{
    ArchiveWriter, ComponentRecord, Compression, DatabaseKind, DatabaseRecord, Earlier, Entry,
    EntryKind, EntryMeta, MANIFEST_DIR, MemberPath, Omission, OmissionKind, PathError, PieceFiles,
    Position, ReadLimits, Verify, VerifyError, WriteError,
};
use crate::event::BackupEvent;
use crate::files::{Collector, Owners, Stopping, Tree, identity};
use crate::source::{Collected, CollectedData, Intake, Source};
use crate::store::ObjectStore;

impl Backup<'_> {
    pub(super) fn store_databases(
        &self,
        work: &mut Work<'_>,
        sources: &mut [Box<dyn Source>],
        dir: &Path,
        compression: Compression,
    ) -> Result<(), BackupError> {
        let earlier = self.earlier(work);
        for (at, source) in sources.iter_mut().enumerate() {
            let dir = dir.join(format!("source-{at}"));
            elpis_run::fsx::create_private_dir(&dir)?;
            let pieces = PieceFiles::new(&dir, compression).after(earlier.clone());
            let pieces = Arc::new(pieces);
            let intake = Intake {
                dir: &dir,
                pieces: Arc::clone(&pieces),
                stop: self.stop,
                observer: Arc::clone(&self.observer),
            };
            let collected =
                source
                    .collect(&intake)
                    .map_err(|error| match self.stop.is_stopped() {
                        true => BackupError::Stopped,
                        false => BackupError::Source(error),
                    })?;
            for database in collected {
                self.store_database(work, database, &pieces)?;
            }
        }
        Ok(())
    }

    fn store_database(
        &self,
        work: &mut Work<'_>,
        database: Collected,
        pieces: &PieceFiles,
    ) -> Result<(), BackupError> {
        let meta = self.own_meta(work.began);
        let (name, warnings) = (database.name, database.warnings);
        work.warnings.extend(
            warnings
                .into_iter()
                .map(|w| format!("database {name}: {w}")),
        );
        let (kind, member, rows, bytes, position) = match database.data {
            CollectedData::Pieces(number) => {
                // The old restore loads every dump in the root into one database.
                let is_first = !work.databases.iter().any(|db| db.kind == DatabaseKind::Sql);
                let member = match is_first {
                    true => own_member(&format!("{}.sql", work.name.stem())),
                    false => own_member(&format!("{MANIFEST_DIR}/databases/{name}.sql")),
                }?;
                let stored = pieces.store(number, &member, &meta, &mut work.archive)?;
                let position = Some(stored.position);
                (
                    DatabaseKind::Sql,
                    member,
                    stored.rows,
                    stored.bytes,
                    position,
                )
            }
            CollectedData::Sqlite { path, rows } => {
                let member = own_member(&format!("{MANIFEST_DIR}/databases/{name}.db"))?;
                let bytes = add_file(&mut work.archive, &member, &path, &meta, self.stop)?;
                (DatabaseKind::Sqlite, member, rows, bytes, None)
            }
        };
        if let Some(grants) = database.grants {
            let member = own_member(&format!("{MANIFEST_DIR}/grants/{name}.sql"))?;
            let kind = EntryKind::File {
                size: grants.len() as u64,
                sparse: None,
            };
            let entry = Entry {
                path: member,
                kind,
                meta,
            };
            work.archive.add_bytes(&entry, grants.as_bytes())?;
        }
        self.observer.on(&BackupEvent::DatabaseStored {
            name: name.clone(),
            rows,
            bytes,
        });
        let report = database.report;
        work.databases.push(DatabaseRecord {
            name,
            member,
            kind,
            rows,
            frames_at: position.and_then(Position::get),
            report,
        });
        Ok(())
    }

    /// The newest archive of the same kind, if chunks of it are to be used again and it is whole.
    fn earlier(&self, work: &mut Work<'_>) -> Option<Arc<Earlier>> {
        let profile = &work.plan.profile;
        if !profile.dump.reuse {
            return None;
        }
        let archives = self.store.list().unwrap_or_default();
        let newest = archives.into_iter().find(|archive| {
            archive.name.prefix() == profile.prefix
                && archive.name.container() == profile.container
                && !archive.is_broken()
        })?;
        let how = Verify {
            limits: ReadLimits::default(),
            sha256: None,
            stop: self.stop,
            observer: &self.observer,
        };
        match Earlier::open(&self.store.path(&newest.name), self.keys, &how) {
            Ok(earlier) => Some(Arc::new(earlier)),
            Err(error) => {
                let name = &newest.name;
                let why = match error {
                    VerifyError::Encrypted { .. } => {
                        "it is encrypted, and no key is at hand".into()
                    }
                    error => with_causes(&error),
                };
                work.warnings
                    .push(format!("nothing of {name} is used again: {why}"));
                None
            }
        }
    }

    pub(super) fn store_files(&self, work: &mut Work<'_>) -> Result<(), BackupError> {
        let owners = Owners::read();
        let skip = rustix::fs::stat(self.store.dir())
            .ok()
            .map(|stat| identity(&stat));
        let mut collector = Collector::new(&mut work.archive, &owners, self.stop, skip);
        for component in &work.plan.profile.components {
            let (entries, bytes) = (collector.entries, collector.bytes);
            let mut roots = Vec::new();
            for path in &component.paths {
                let root = MemberPath::of_file(path).map_err(|why| name_error(path, why))?;
                if !work.plan.roots(&component.name).any(|found| found == path) {
                    if component.required {
                        collector.omissions.push(missing(path, &component.name));
                    }
                    continue;
                }
                let tree = Tree {
                    path,
                    root: root.clone(),
                    exclude: &component.exclude,
                };
                let observer = &self.observer;
                collector.collect(&tree, &mut |entries, bytes| {
                    observer.on(&BackupEvent::Collected { entries, bytes });
                })?;
                roots.push(root);
            }
            work.components.push(ComponentRecord {
                name: component.name.clone(),
                roots,
                entries: collector.entries - entries,
                bytes: collector.bytes - bytes,
            });
        }
        work.omissions.append(&mut collector.omissions);
        Ok(())
    }
}

fn own_member(name: &str) -> Result<MemberPath, WriteError> {
    MemberPath::new(name.as_bytes()).map_err(|why| WriteError::Name {
        name: name.to_owned(),
        why,
    })
}

fn name_error(path: &Path, why: PathError) -> WriteError {
    WriteError::Name {
        name: path.display().to_string(),
        why,
    }
}

fn missing(path: &Path, component: &str) -> Omission {
    Omission {
        path: path.display().to_string(),
        kind: OmissionKind::Missing,
        why: format!("component {component} should have it"),
    }
}

/// Adds a file of the work directory and removes it.
fn add_file(
    archive: &mut ArchiveWriter,
    member: &MemberPath,
    path: &PathBuf,
    meta: &EntryMeta,
    stop: &StopToken,
) -> Result<u64, BackupError> {
    let fail = |doing| move |source| FsError::new(doing, path, source);
    let file = File::options()
        .read(true)
        .open(path)
        .map_err(fail("open"))?;
    let size = file.metadata().map_err(fail("read"))?.len();
    let kind = EntryKind::File { size, sparse: None };
    let entry = Entry {
        path: member.clone(),
        kind,
        meta: meta.clone(),
    };
    archive.add(&entry, &mut Stopping { inner: file, stop })?;
    std::fs::remove_file(path).map_err(fail("remove"))?;
    Ok(size)
}
