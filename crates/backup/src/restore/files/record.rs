//! What the journal keeps of a restore of files, and what has become of it.

use std::path::{Path, PathBuf};

use elpis_run::{Event, History, Holder, Journal, JournalError, Query, RunId, RunSummary};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plan::FilesPlan;
use crate::files::identity;

/// The job's name in the journal.
pub const FILES_JOB: &str = "restore files";
/// Taking one back.
pub(super) const UNDO_JOB: &str = "undo files";
/// Giving the kept trees of one up.
pub(super) const FORGET_JOB: &str = "forget files";

/// The step that unpacks.
pub(super) const STAGE: &str = "stage";

/// Device and number of what lies at a path; nothing if nothing does.
pub(super) type Found = Option<(u64, u64)>;

/// A tree that was unpacked: what is to be exchanged with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// The place, with its links resolved.
    pub(super) place: PathBuf,
    /// A private directory of ours beside it.
    pub(super) dir: PathBuf,
    /// What was unpacked.
    pub(super) new: (u64, u64),
    /// What lay at the place then.
    pub(super) before: Found,
}

impl Slot {
    /// Where what does not lie at the place is kept.
    pub(super) fn kept(&self) -> PathBuf {
        kept(&self.dir)
    }

    /// Where the tree of the place lies for a moment on a file system that cannot exchange names.
    pub(super) fn aside(&self) -> PathBuf {
        self.dir.join("aside")
    }

    /// Whether the exchange has been made or begun.
    pub(super) fn is_touched(&self) -> bool {
        look(&self.place) == Some(self.new)
            || look(&self.kept()) != Some(self.new)
            || look(&self.aside()).is_some()
    }
}

/// In a slot's directory, the tree.
pub(super) fn kept(dir: &Path) -> PathBuf {
    dir.join("tree")
}

/// What lies at `path`, without following it.
pub(super) fn look(path: &Path) -> Found {
    let found = rustix::fs::lstat(path).ok()?;
    Some(identity(&found))
}

/// A restore of files, as the journal and the places tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilesRun {
    /// Its number in the journal.
    pub run: RunId,
    /// When it began.
    pub started: Timestamp,
    /// Who began it: what was restored together has the same.
    pub holder: Holder,
    /// The archive.
    pub archive: PathBuf,
    /// Whether a database was to be restored with them.
    pub with_database: bool,
    /// The places.
    pub places: Vec<PathBuf>,
    /// What became of it.
    pub state: FilesState,
}

/// What became of a restore of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FilesState {
    /// Its process died before the end: resume or undo it.
    Unfinished,
    /// Taking it back has begun and not ended: undo it once more.
    Undoing,
    /// What it restored is in its places, and what was there before is kept.
    Restored,
    /// What was there before is there again, and what was restored is kept.
    Undone,
    /// Something else lies in a place now.
    Replaced,
    /// Nothing is kept of it.
    Over,
}

/// A run with everything that the journal has of it.
pub(super) struct Recorded {
    pub(super) summary: RunSummary,
    pub(super) plan: FilesPlan,
    /// The directories of ours that it was going to make.
    pub(super) dirs: Vec<PathBuf>,
    /// What it had unpacked when it was done with that.
    pub(super) slots: Option<Vec<Slot>>,
    /// Whether a process has begun to take it back and died.
    pub(super) is_undoing: bool,
    history: History,
}

impl Recorded {
    /// Reads a run; `None` if it is none of files.
    pub(super) fn read(
        journal: &dyn Journal,
        run: RunId,
    ) -> Result<Option<Recorded>, JournalError> {
        let history = journal.replay(run)?;
        if history.summary.job != FILES_JOB {
            return Ok(None);
        }
        let unreadable = |what| {
            move |source: serde_json::Error| JournalError::Unreadable {
                run,
                what,
                source: source.into(),
            }
        };
        let plan = serde_json::from_value(history.plan.clone()).map_err(unreadable("plan"))?;
        let (mut dirs, mut slots) = (Vec::new(), None);
        for record in &history.records {
            match &record.event {
                Event::Intent { step, detail } if step == STAGE => {
                    dirs = from(detail, "dirs").map_err(unreadable("intent"))?;
                }
                Event::Done { step, detail } if step == STAGE => {
                    slots = Some(from(detail, "slots").map_err(unreadable("result"))?);
                }
                _ => {}
            }
        }
        Ok(Some(Recorded {
            summary: history.summary.clone(),
            plan,
            dirs,
            slots,
            is_undoing: !open_after(journal, UNDO_JOB, Some(run))?.is_empty(),
            history,
        }))
    }

    /// Whether a step was done.
    pub(super) fn is_done(&self, wanted: &str) -> bool {
        let mut events = self.history.records.iter().map(|record| &record.event);
        events.any(|event| matches!(event, Event::Done { step, .. } if step == wanted))
    }

    /// Whether it has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.summary.finished.is_none()
    }

    fn state(&self) -> FilesState {
        if self.is_undoing {
            return FilesState::Undoing;
        }
        if self.is_open() {
            return FilesState::Unfinished;
        }
        let Some(slots) = &self.slots else {
            return FilesState::Over;
        };
        if !slots.iter().any(|slot| look(&slot.dir).is_some()) {
            return FilesState::Over;
        }
        let all = |wanted: &dyn Fn(&Slot) -> Found| {
            slots.iter().all(|slot| look(&slot.place) == wanted(slot))
        };
        if all(&|slot| Some(slot.new)) {
            FilesState::Restored
        } else if all(&|slot| slot.before) {
            FilesState::Undone
        } else {
            FilesState::Replaced
        }
    }
}

/// Runs of `job` that have not ended and were to take back or give up the restore `of`, or any.
pub(super) fn open_after(
    journal: &dyn Journal,
    job: &str,
    of: Option<RunId>,
) -> Result<Vec<(RunId, RunId)>, JournalError> {
    let open = Query {
        job: Some(job.to_owned()),
        open_only: true,
        ..Query::default()
    };
    let mut found = Vec::new();
    for summary in journal.list(&open)? {
        let plan = journal.replay(summary.id)?.plan;
        let restore = plan.get("of").and_then(Value::as_i64).map(RunId);
        if let Some(restore) = restore.filter(|restore| of.is_none_or(|of| of == *restore)) {
            found.push((summary.id, restore));
        }
    }
    Ok(found)
}

/// The field `name` of a detail.
fn from<T: serde::de::DeserializeOwned>(detail: &Value, name: &str) -> serde_json::Result<T> {
    serde_json::from_value(detail.get(name).cloned().unwrap_or(Value::Null))
}

pub(super) fn dirs_detail(dirs: &[PathBuf]) -> Value {
    json!({ "dirs": dirs })
}

pub(super) fn slots_detail(slots: &[Slot]) -> Value {
    json!({ "slots": slots })
}

/// The restores of files that the journal knows, the newest first. Blocks.
///
/// # Errors
/// When the journal cannot be read.
pub fn files_runs(journal: &dyn Journal) -> Result<Vec<FilesRun>, JournalError> {
    let query = Query {
        job: Some(FILES_JOB.to_owned()),
        ..Query::default()
    };
    let mut runs = Vec::new();
    for summary in journal.list(&query)? {
        if let Some(recorded) = Recorded::read(journal, summary.id)? {
            runs.push(FilesRun {
                run: summary.id,
                started: summary.started,
                holder: summary.holder,
                state: recorded.state(),
                archive: recorded.plan.archive,
                with_database: recorded.plan.with_database,
                places: recorded
                    .plan
                    .roots
                    .into_iter()
                    .map(|root| root.resolved)
                    .collect(),
            });
        }
    }
    Ok(runs)
}
