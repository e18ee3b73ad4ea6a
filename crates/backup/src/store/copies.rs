//! Copying archives from a directory to another store.

use elpis_run::journal::close_dead_runs;
use elpis_run::{
    Clock, Event, Holder, Journal, JournalError, NewRun, Outcome, StopToken, with_causes,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{LocalStore, Note, ObjectStore, StoreError};
use crate::name::ArchiveName;

/// The job's name in the journal.
const JOB: &str = "upload";

/// Copies every archive that [`LocalStore::queue`] was told of, the oldest first. What fails stays
/// queued, and what has arrived of it is not sent again.
pub struct Copies<'a> {
    /// Where the archives are.
    pub from: &'a LocalStore,
    /// Where they go.
    pub to: &'a dyn ObjectStore,
    /// Whether they stay in the directory.
    pub keep_local: bool,
    /// Remembers the run.
    pub journal: &'a dyn Journal,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Ends it.
    pub stop: &'a StopToken,
    /// This process.
    pub holder: Holder,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// Where to.
    pub to: String,
    /// The archives that are there now.
    pub copied: Vec<ArchiveName>,
    /// Their bytes.
    pub bytes: u64,
}

/// Why archives were not copied, or not all of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// One of the stores. What could be copied has been; the others are still queued.
    #[error("{name} is not copied; it stays queued")]
    Store {
        /// Which archive.
        name: ArchiveName,
        /// Why not.
        source: StoreError,
    },
    /// The directory.
    #[error(transparent)]
    From(#[from] StoreError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Copies<'_> {
    /// Copies them. Blocks.
    ///
    /// # Errors
    /// [`CopyError`], with the first archive that could not be copied.
    pub fn run(&self) -> Result<CopyReport, CopyError> {
        let _lock = self.from.lock(&self.holder)?;
        close_dead_runs(self.journal, self.clock, JOB, &self.to.place())?;
        let mut report = CopyReport {
            to: self.to.place(),
            ..CopyReport::default()
        };
        let queued = self.from.queued()?;
        if queued.is_empty() {
            return Ok(report);
        }
        let run = self.journal.create(&NewRun {
            job: JOB.to_owned(),
            target: self.to.place(),
            holder: self.holder.clone(),
            started: self.clock.now(),
            plan: json!({ "from": self.from.place(), "archives": queued }),
        })?;
        let mut failed = None;
        for name in queued {
            let step = name.to_string();
            let intent = Event::Intent {
                step: step.clone(),
                detail: Value::Null,
            };
            self.journal.append(run, self.clock.now(), &intent)?;
            let copied = self.copy(&name);
            let event = match &copied {
                Ok(bytes) => Event::Done {
                    step,
                    detail: json!({ "bytes": bytes }),
                },
                Err(error) => Event::Failed {
                    step,
                    error: with_causes(error),
                    detail: Value::Null,
                },
            };
            self.journal.append(run, self.clock.now(), &event)?;
            match copied {
                Ok(bytes) => {
                    report.bytes += bytes;
                    report.copied.push(name);
                }
                Err(source) => {
                    // What is wrong with one archive is no reason to keep the others waiting.
                    let is_over = concerns_all(&source);
                    failed.get_or_insert(CopyError::Store { name, source });
                    if is_over {
                        break;
                    }
                }
            }
        }
        let outcome = failed.as_ref().map_or(Outcome::Done, outcome);
        self.journal.finish(run, self.clock.now(), &outcome)?;
        failed.map_or(Ok(report), Err)
    }

    fn copy(&self, name: &ArchiveName) -> Result<u64, StoreError> {
        if self.stop.is_stopped() {
            return Err(StoreError::Stopped {
                doing: "send an archive".to_owned(),
                place: self.to.place(),
            });
        }
        let note = self.note(name)?;
        self.to.publish(&self.from.path(name), name, &note)?;
        if !self.keep_local {
            self.from.remove(name)?;
        }
        Ok(note.bytes)
    }

    fn note(&self, name: &ArchiveName) -> Result<Note, StoreError> {
        let mut list = self.from.list()?.into_iter();
        let found = list.find(|stored| stored.name == *name);
        let note = found.and_then(|stored| stored.note);
        note.filter(|note| !note.sha256.is_empty())
            .ok_or_else(|| StoreError::Unknown {
                place: self.from.place(),
                name: name.clone(),
            })
    }
}

fn concerns_all(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Stopped { .. } | StoreError::Remote { .. } | StoreError::Fs(_)
    )
}

fn outcome(error: &CopyError) -> Outcome {
    match error {
        CopyError::Store {
            source: StoreError::Stopped { .. },
            ..
        } => Outcome::Stopped {
            reason: "by request".to_owned(),
        },
        other => Outcome::Failed {
            error: with_causes(other),
        },
    }
}
