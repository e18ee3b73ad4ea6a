//! Making a backup: databases, files, manifest, a look back, and the name last.

mod fill;
mod publish;

use std::sync::Arc;

use elpis_run::journal::close_dead_runs;
use elpis_run::{
    Clock, Event, FsError, Holder, Journal, JournalError, NewRun, Observer, Outcome, RunId,
    StopToken, with_causes,
};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::Value;

use crate::archive::{
    ArchiveWriter, ComponentRecord, Compression, DatabaseRecord, EntryMeta, Omission, Tool,
    VerifyError, WriteError,
};
use crate::crypt::{Encryption, KeyError, Keys};
use crate::event::BackupEvent;
use crate::name::ArchiveName;
use crate::plan::BackupPlan;
use crate::report::{BackupReport, Phases};
use crate::source::{Source, SourceError};
use crate::store::{LocalStore, ObjectStore, StoreError};
use crate::work::{WorkDir, create_new};

/// The job's name in the journal.
pub const JOB: &str = "backup";

/// How many seconds a name may lie after the beginning, when earlier ones are taken.
const NAME_TRIES: i64 = 60;

/// Makes backups.
pub struct Backup<'a> {
    /// Where archives are kept.
    pub store: &'a LocalStore,
    /// Remembers the run.
    pub journal: &'a dyn Journal,
    /// Hears what happens.
    pub observer: Arc<dyn Observer<BackupEvent>>,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// The zone of archive names.
    pub zone: TimeZone,
    /// Ends the run before its next step.
    pub stop: &'a StopToken,
    /// This process.
    pub holder: Holder,
    /// This program.
    pub tool: Tool,
    /// To whom the archive is encrypted, if it is to be.
    pub encryption: Option<&'a Encryption>,
    /// What opens earlier archives, if windows of an encrypted one are to be used again. Without,
    /// nothing is, and the report says so.
    pub keys: &'a Keys,
}

/// Why there is no backup. Nothing has a final name then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The plan says no.
    #[error("refused: {}", refusals.join("; "))]
    Refused {
        /// Why.
        refusals: Vec<String>,
    },
    /// The place for the archive.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or directory of the work.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A database.
    #[error("cannot back up the databases")]
    Source(#[source] SourceError),
    /// The archive could not be written.
    #[error("cannot write the archive")]
    Write(#[from] WriteError),
    /// The archive was written but is not what was written.
    #[error("the archive was read back and is thrown away")]
    Verify(#[from] VerifyError),
    /// It cannot be encrypted.
    #[error("cannot encrypt the archive")]
    Key(#[from] KeyError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Stopped on request.
    #[error("stopped on request; nothing of the archive is left")]
    Stopped,
}

/// What has been put together so far.
struct Work<'a> {
    plan: &'a BackupPlan,
    name: ArchiveName,
    began: Timestamp,
    archive: ArchiveWriter,
    /// What opens the archive for the look back.
    keys: Keys,
    components: Vec<ComponentRecord>,
    databases: Vec<DatabaseRecord>,
    omissions: Vec<Omission>,
    warnings: Vec<String>,
    phases: Phases,
}

impl Backup<'_> {
    /// Carries `plan` out with the `sources` it was made with. Blocks, as long as it takes; a
    /// caller on an async runtime uses a thread of its own.
    ///
    /// # Errors
    /// [`BackupError`]: there is no archive, and the store is as it was.
    pub fn run(
        &self,
        plan: &BackupPlan,
        sources: &mut [Box<dyn Source>],
    ) -> Result<BackupReport, BackupError> {
        if !plan.refusals.is_empty() {
            return Err(BackupError::Refused {
                refusals: plan.refusals.clone(),
            });
        }
        let lock = self.store.lock(&self.holder)?;
        if lock.taken_over.is_some() || lock.swept > 0 {
            let holder = lock.taken_over.as_ref().map(Holder::to_string);
            self.observer.on(&BackupEvent::TookOver {
                holder,
                swept: lock.swept,
            });
        }
        close_dead_runs(self.journal, self.clock, JOB, &self.store.place())?;
        let began = self.clock.now();
        let name = self.free_name(plan, began)?;
        let run = self.journal.create(&NewRun {
            job: JOB.to_owned(),
            target: self.store.place(),
            holder: self.holder.clone(),
            started: began,
            plan: serde_json::to_value(plan).unwrap_or(Value::Null),
        })?;
        let file_bytes = plan.facts.roots.iter().map(|root| root.bytes).sum();
        let started = BackupEvent::Started {
            run,
            name: name.to_string(),
            file_bytes,
        };
        self.observer.on(&started);
        let made = lock
            .work_dir()
            .map_err(BackupError::from)
            .and_then(|work| self.make(run, plan, name, began, sources, &work));
        let recorded = self.journal.finish(run, self.clock.now(), &outcome(&made));
        let mut report = made?;
        if let Err(error) = recorded {
            report
                .warnings
                .push(format!("the journal does not know of this backup: {error}"));
        }
        self.observer
            .on(&BackupEvent::Finished(Box::new(report.clone())));
        Ok(report)
    }

    /// The first name from `began` on that is not taken.
    fn free_name(&self, plan: &BackupPlan, began: Timestamp) -> Result<ArchiveName, StoreError> {
        let mut name = None;
        for later in 0..NAME_TRIES {
            let at = began.saturating_add(later.seconds()).unwrap_or(began);
            let at = at.to_zoned(self.zone.clone());
            let next = self.name(plan, &at);
            if std::fs::symlink_metadata(self.store.path(&next)).is_err() {
                return Ok(next);
            }
            name.get_or_insert(next);
        }
        let began = began.to_zoned(self.zone.clone());
        let first = || self.name(plan, &began);
        let (place, name) = (self.store.place(), name.unwrap_or_else(first));
        Err(StoreError::Exists { place, name })
    }

    fn name(&self, plan: &BackupPlan, at: &Zoned) -> ArchiveName {
        let profile = &plan.profile;
        ArchiveName::new(&profile.prefix, at, profile.container)
            .encrypted(self.encryption.is_some())
    }

    fn make(
        &self,
        run: RunId,
        plan: &BackupPlan,
        name: ArchiveName,
        began: Timestamp,
        sources: &mut [Box<dyn Source>],
        dir: &WorkDir,
    ) -> Result<BackupReport, BackupError> {
        let compression = compression(plan);
        let path = dir.path().join("archive");
        let file = create_new(&path, 0o600)?;
        let (sealer, keys) = match self.encryption.map(Encryption::begin).transpose()? {
            Some((sealer, keys)) => (Some(sealer), keys),
            None => (None, Keys::none()),
        };
        let mut work = Work {
            plan,
            archive: ArchiveWriter::sealed(file, &path, &compression, sealer)?,
            keys,
            name,
            began,
            components: Vec::new(),
            databases: Vec::new(),
            omissions: Vec::new(),
            warnings: plan.warnings.clone(),
            phases: Phases::default(),
        };
        let start = self.clock.monotonic();
        self.step(run, "databases", || {
            self.store_databases(&mut work, sources, dir.path(), compression)
        })?;
        work.phases.databases_s = (self.clock.monotonic() - start).as_secs_f64();
        let start = self.clock.monotonic();
        self.step(run, "files", || self.store_files(&mut work))?;
        work.phases.files_s = (self.clock.monotonic() - start).as_secs_f64();
        self.finish(run, work)
    }

    /// A step of the run, with its records in the journal.
    fn step<T>(
        &self,
        run: RunId,
        step: &str,
        act: impl FnOnce() -> Result<T, BackupError>,
    ) -> Result<T, BackupError> {
        if self.stop.is_stopped() {
            return Err(BackupError::Stopped);
        }
        let step = step.to_owned();
        let intent = Event::Intent {
            step: step.clone(),
            detail: Value::Null,
        };
        self.journal.append(run, self.clock.now(), &intent)?;
        let done = act();
        // Whatever a stop made fail, the stop is what happened.
        let done = match self.stop.is_stopped() {
            true => Err(BackupError::Stopped),
            false => done,
        };
        let event = match &done {
            Ok(_) => Event::Done {
                step,
                detail: Value::Null,
            },
            Err(error) => Event::Failed {
                step,
                error: with_causes(error),
                detail: Value::Null,
            },
        };
        self.journal.append(run, self.clock.now(), &event)?;
        done
    }

    /// What our own members look like on disk.
    fn own_meta(&self, began: Timestamp) -> EntryMeta {
        EntryMeta {
            mode: 0o600,
            uid: rustix::process::geteuid().as_raw().into(),
            gid: rustix::process::getegid().as_raw().into(),
            mtime: began.as_second(),
            ..EntryMeta::default()
        }
    }
}

fn compression(plan: &BackupPlan) -> Compression {
    let cores = std::thread::available_parallelism().unwrap_or(std::num::NonZero::<usize>::MIN);
    let threads = plan
        .profile
        .threads
        .and_then(std::num::NonZero::new)
        .unwrap_or(cores);
    let usual = Compression::new(plan.profile.container, threads);
    Compression {
        level: plan.profile.level.unwrap_or(usual.level),
        ..usual
    }
}

fn outcome(made: &Result<BackupReport, BackupError>) -> Outcome {
    match made {
        Ok(report) if !report.complete => {
            let count = report
                .omissions
                .iter()
                .filter(|o| o.kind.is_partial())
                .count();
            Outcome::Partial {
                reason: format!("{count} files are missing or doubtful"),
            }
        }
        Ok(report) if !report.warnings.is_empty() => Outcome::Warnings {
            reason: report.warnings.join("; "),
        },
        Ok(_) => Outcome::Done,
        Err(BackupError::Stopped) => Outcome::Stopped {
            reason: "by request".to_owned(),
        },
        Err(error) => Outcome::Failed {
            error: with_causes(error),
        },
    }
}
