//! Taking a restore back, and giving up what is kept of it.

use std::path::PathBuf;

use elpis_run::{Outcome, RunId};
use serde_json::{Value, json};

use super::error::FilesError;
use super::record::{FORGET_JOB, Recorded, Slot, UNDO_JOB, look, open_after};
use super::run::FileRestore;
use super::stage::discard;
use super::swap::Unsettled;

impl FileRestore<'_> {
    /// Puts back what lay in the places before a restore, also one that has not ended. What was
    /// restored, with everything written since, is kept until [`forget`](Self::forget). Blocks,
    /// for a moment. Returns the places.
    ///
    /// # Errors
    /// [`FilesError::NothingLeft`] when nothing is kept of the run; [`FilesError::Replaced`] when
    /// something else lies in a place, which is then left alone.
    pub fn undo(&self, run: RunId) -> Result<Vec<PathBuf>, FilesError> {
        let _lock = self.lock()?;
        let recorded = self.recorded(run)?;
        let Some(slots) = &recorded.slots else {
            return self.undo_unpacked(&recorded);
        };
        expect_kept(run, slots)?;
        let places: Vec<PathBuf> = slots.iter().map(|slot| slot.place.clone()).collect();
        let dead = open_after(self.journal, UNDO_JOB, Some(run))?;
        let undo = self.create(UNDO_JOB, places.iter(), json!({ "of": run }))?;
        // Not before the journal has the new try: one is open as long as it is half taken back.
        self.close(&dead)?;
        if recorded.is_open() {
            // From here on there is no way but back.
            self.finish(run, &Outcome::Interrupted)?;
        }
        for (at, slot) in slots.iter().enumerate().rev() {
            let intent = json!({ "place": slot.place });
            let step = format!("swap back {at}");
            let done = self.step(undo, &step, intent, || Ok((put_back(slot)?, Value::Null)));
            if let Err(error) = done {
                let failed = Outcome::Failed {
                    error: error.to_string(),
                };
                self.finish(undo, &failed)?;
                return Err(error);
            }
        }
        self.finish(undo, &Outcome::Done)?;
        Ok(places)
    }

    /// Ends earlier tries whose processes died: nobody else holds the lock.
    fn close(&self, dead: &[(RunId, RunId)]) -> Result<(), FilesError> {
        for (dead, _) in dead {
            self.finish(*dead, &Outcome::Interrupted)?;
        }
        Ok(())
    }

    /// A run that died while it unpacked has changed nothing.
    fn undo_unpacked(&self, recorded: &Recorded) -> Result<Vec<PathBuf>, FilesError> {
        let run = recorded.summary.id;
        if !recorded.is_open() {
            let why = "it ended before anything took its place";
            return Err(FilesError::NothingLeft { run, why });
        }
        discard(&recorded.dirs)?;
        self.finish(run, &Outcome::Interrupted)?;
        Ok(Vec::new())
    }

    /// Removes what is kept of a restore: after it what was there before, after an undo what was
    /// restored. There is no way back then. Returns the directories that were removed.
    ///
    /// # Errors
    /// [`FilesError::Unfinished`] when the run has not ended; [`FilesError::Undoing`] when it is
    /// half taken back; [`FilesError::NothingLeft`] when nothing is kept of it.
    pub fn forget(&self, run: RunId) -> Result<Vec<PathBuf>, FilesError> {
        let _lock = self.lock()?;
        let recorded = self.recorded(run)?;
        if recorded.is_undoing {
            return Err(FilesError::Undoing { run });
        }
        if recorded.is_open() {
            return Err(FilesError::Unfinished { run });
        }
        let slots = recorded.slots.unwrap_or_default();
        // One that died may have removed everything.
        self.close(&open_after(self.journal, FORGET_JOB, Some(run))?)?;
        expect_kept(run, &slots)?;
        let dirs: Vec<PathBuf> = slots.into_iter().map(|slot| slot.dir).collect();
        let forget = self.create(FORGET_JOB, dirs.iter(), json!({ "of": run }))?;
        let intent = json!({ "dirs": dirs });
        let done = self.step(forget, "remove", intent, || {
            discard(&dirs)?;
            Ok(((), Value::Null))
        });
        let outcome = match &done {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed {
                error: error.to_string(),
            },
        };
        self.finish(forget, &outcome)?;
        done.map(|()| dirs)
    }
}

fn expect_kept(run: RunId, slots: &[Slot]) -> Result<(), FilesError> {
    if slots.iter().any(|slot| look(&slot.dir).is_some()) {
        return Ok(());
    }
    let why = "nothing is kept of it";
    Err(FilesError::NothingLeft { run, why })
}

fn put_back(slot: &Slot) -> Result<(), FilesError> {
    if !slot.is_touched() {
        return Ok(());
    }
    slot.put_back().map_err(|error| match error {
        Unsettled::Fs(source) => FilesError::Swap {
            place: slot.place.clone(),
            back: false,
            source,
        },
        Unsettled::Replaced => FilesError::Replaced {
            place: slot.place.clone(),
        },
    })
}
