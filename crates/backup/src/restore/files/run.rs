//! Restoring: unpack, then exchange, with the journal before and after each.

use std::path::{Path, PathBuf};

use elpis_run::{
    Clock, Event, FileLock, Holder, Journal, JournalError, NewRun, Outcome, Query, RunId,
    StopToken, with_causes,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::FilesError;
use super::exchange::outcome;
use super::plan::{FileRoot, FilesPlan};
use super::record::{
    FILES_JOB, Recorded, STAGE, Slot, UNDO_JOB, dirs_detail, open_after, slots_detail,
};
use super::stage::{choose_dirs, discard, dress_like, names_top};
use crate::archive::{Archive, ExtractError, Verified};

/// Whether what was unpacked would work in its place. The product's profile knows.
pub trait FileCheck: Send + Sync {
    /// Looks at the tree or file at `unpacked`, which will go to [`FileRoot::place`].
    ///
    /// # Errors
    /// What is wrong with it, in words that hold no secret; nothing is restored then.
    fn check(&self, root: &FileRoot, unpacked: &Path) -> Result<(), String>;
}

/// Takes everything.
impl FileCheck for () {
    fn check(&self, _: &FileRoot, _: &Path) -> Result<(), String> {
        Ok(())
    }
}

/// Restores files, and takes them back.
pub struct FileRestore<'a> {
    /// Remembers every act.
    pub journal: &'a dyn Journal,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Ends it before anything took its place.
    pub stop: &'a StopToken,
    /// This process.
    pub holder: Holder,
    /// A file that is locked as long as files are restored with this journal; made if need be.
    pub lock: PathBuf,
    /// Looks at what was unpacked.
    pub check: &'a dyn FileCheck,
}

/// Trees that lie unpacked, checked and durable beside their places. [`FileRestore::swap`] goes
/// on, [`FileRestore::discard`] does not; if it is only dropped, that is as if its process had died.
#[derive(Debug)]
pub struct Staged {
    run: RunId,
    plan: FilesPlan,
    slots: Vec<Slot>,
    warnings: Vec<String>,
    _lock: FileLock,
}

impl Staged {
    /// Its number in the journal.
    pub fn run(&self) -> RunId {
        self.run
    }
}

/// Files that were restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilesReport {
    /// The run's number in the journal: what `undo` and `forget` need.
    pub run: RunId,
    /// The places.
    pub roots: Vec<RootReport>,
    /// What could not be put back as it was.
    pub warnings: Vec<String>,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootReport {
    /// What it is called.
    pub component: String,
    /// Where.
    pub place: PathBuf,
    /// Members of the archive.
    pub entries: u64,
    /// Bytes of their data.
    pub bytes: u64,
    /// Files and directories that were there, are not in the archive, and stayed.
    pub kept: u64,
}

/// What became of a run whose process had died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FilesResumed {
    /// Everything lay unpacked: it was finished.
    Finished(FilesReport),
    /// Not everything lay unpacked: what did is removed, and nothing had been changed.
    Discarded {
        /// The run.
        run: RunId,
    },
}

impl FileRestore<'_> {
    /// Unpacks what `plan` says beside the places and looks at it. Nothing that anybody uses has
    /// changed when it returns. Blocks.
    ///
    /// # Errors
    /// [`FilesError`]; nothing of it is left then.
    pub fn stage(
        &self,
        archive: &Archive<Verified>,
        plan: &FilesPlan,
    ) -> Result<Staged, FilesError> {
        if !plan.refusals.is_empty() {
            let refusals = plan.refusals.clone();
            return Err(FilesError::Refused { refusals });
        }
        let lock = self.lock()?;
        self.expect_none_open()?;
        let run = self.create(
            FILES_JOB,
            plan.roots.iter().map(|r| &r.resolved),
            json!(plan),
        )?;
        let dirs = choose_dirs(plan);
        let made = self.step(run, STAGE, dirs_detail(&dirs), || {
            let (slots, extracted) = self.unpack(archive, plan, &dirs)?;
            for (slot, root) in slots.iter().zip(&plan.roots) {
                if !names_top(archive, &root.root.member) {
                    dress_like(slot)?;
                }
            }
            if self.stop.is_stopped() {
                return Err(FilesError::Stopped);
            }
            let detail = slots_detail(&slots);
            Ok(((slots, extracted), detail))
        });
        let (slots, extracted) = match made {
            Ok(made) => made,
            Err(error) => {
                let error = match error {
                    FilesError::Extract(ExtractError::Stopped) => FilesError::Stopped,
                    other => other,
                };
                // What cannot be removed is private, and named in the journal.
                let _ = discard(&dirs);
                self.finish(run, &outcome(&error))?;
                return Err(error);
            }
        };
        let mut warnings: Vec<String> = extracted.into_iter().flat_map(|e| e.warnings).collect();
        warnings.dedup();
        Ok(Staged {
            run,
            plan: plan.clone(),
            slots,
            warnings,
            _lock: lock,
        })
    }

    /// Exchanges every tree with what lies in its place. The programs that use them should not be
    /// running. Blocks, for a moment.
    ///
    /// # Errors
    /// [`FilesError::Swap`] and [`FilesError::Replaced`]; those places that were exchanged already
    /// are exchanged back.
    pub fn swap(&self, staged: Staged) -> Result<FilesReport, FilesError> {
        if self.stop.is_stopped() {
            self.discard(staged)?;
            return Err(FilesError::Stopped);
        }
        let Staged {
            run,
            plan,
            slots,
            warnings,
            _lock,
        } = staged;
        let report = self.exchange(run, &plan, &slots, &|_| false)?;
        Ok(FilesReport { warnings, ..report })
    }

    /// Gives up what was unpacked.
    ///
    /// # Errors
    /// When it cannot be removed or recorded.
    pub fn discard(&self, staged: Staged) -> Result<(), FilesError> {
        let dirs: Vec<PathBuf> = staged.slots.iter().map(|slot| slot.dir.clone()).collect();
        discard(&dirs)?;
        let reason = "given up before anything took its place".to_owned();
        self.finish(staged.run, &Outcome::Stopped { reason })
    }

    /// Finishes what a process that died has begun, or removes what it had unpacked.
    ///
    /// # Errors
    /// [`FilesError::NothingLeft`] when the run is no unfinished restore of files;
    /// [`FilesError::Undoing`] when it is half taken back; else as [`swap`](Self::swap).
    pub fn resume(&self, run: RunId) -> Result<FilesResumed, FilesError> {
        let _lock = self.lock()?;
        let recorded = self.recorded(run)?;
        if recorded.is_undoing {
            return Err(FilesError::Undoing { run });
        }
        if !recorded.is_open() {
            let why = "it has ended";
            return Err(FilesError::NothingLeft { run, why });
        }
        let Some(slots) = &recorded.slots else {
            discard(&recorded.dirs)?;
            self.finish(run, &Outcome::Interrupted)?;
            return Ok(FilesResumed::Discarded { run });
        };
        let done = |step: &str| recorded.is_done(step);
        let report = self.exchange(run, &recorded.plan, slots, &done)?;
        Ok(FilesResumed::Finished(report))
    }

    pub(super) fn lock(&self) -> Result<FileLock, FilesError> {
        Ok(FileLock::acquire(&self.lock, &self.holder)?)
    }

    pub(super) fn recorded(&self, run: RunId) -> Result<Recorded, FilesError> {
        let why = "the journal has it as something else";
        match Recorded::read(self.journal, run) {
            Ok(Some(recorded)) => Ok(recorded),
            Ok(None) => Err(FilesError::NothingLeft { run, why }),
            Err(JournalError::UnknownRun(_)) => {
                let why = "the journal does not know it";
                Err(FilesError::NothingLeft { run, why })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// No restore of files may be neither done nor taken back. Changes nothing.
    ///
    /// # Errors
    /// [`FilesError::Unfinished`] and [`FilesError::Undoing`] name the one that is.
    pub fn expect_none_open(&self) -> Result<(), FilesError> {
        let query = Query {
            job: Some(FILES_JOB.to_owned()),
            open_only: true,
            ..Query::default()
        };
        if let Some((_, run)) = open_after(self.journal, UNDO_JOB, None)?.first() {
            return Err(FilesError::Undoing { run: *run });
        }
        match self.journal.list(&query)?.first() {
            Some(open) => Err(FilesError::Unfinished { run: open.id }),
            None => Ok(()),
        }
    }

    pub(super) fn create<'p>(
        &self,
        job: &str,
        places: impl Iterator<Item = &'p PathBuf>,
        plan: Value,
    ) -> Result<RunId, FilesError> {
        let places: Vec<String> = places.map(|place| place.display().to_string()).collect();
        Ok(self.journal.create(&NewRun {
            job: job.to_owned(),
            target: places.join(", "),
            holder: self.holder.clone(),
            started: self.clock.now(),
            plan,
        })?)
    }

    pub(super) fn finish(&self, run: RunId, outcome: &Outcome) -> Result<(), FilesError> {
        Ok(self.journal.finish(run, self.clock.now(), outcome)?)
    }

    /// An act with its records: before it, and after it with what it came to.
    pub(super) fn step<T>(
        &self,
        run: RunId,
        step: &str,
        intent: Value,
        act: impl FnOnce() -> Result<(T, Value), FilesError>,
    ) -> Result<T, FilesError> {
        let step = step.to_owned();
        let already_open = self.journal.replay(run)?.state()?.open_step() == Some(step.as_str());
        if !already_open {
            let event = Event::Intent {
                step: step.clone(),
                detail: intent,
            };
            self.journal.append(run, self.clock.now(), &event)?;
        }
        let (result, event) = match act() {
            Ok((value, detail)) => (Ok(value), Event::Done { step, detail }),
            Err(error) => {
                let event = Event::Failed {
                    step,
                    error: with_causes(&error),
                    detail: Value::Null,
                };
                (Err(error), event)
            }
        };
        self.journal.append(run, self.clock.now(), &event)?;
        result
    }
}
