//! Exchanging the trees, one after the other, and all of them back if one cannot be.

use std::path::PathBuf;

use elpis_run::{Event, Outcome, RunId, with_causes};
use serde_json::{Value, json};

use super::error::FilesError;
use super::keep::keep;
use super::plan::FilesPlan;
use super::record::{Slot, look};
use super::run::{FileRestore, FilesReport, RootReport};
use super::stage::discard;
use super::swap::Unsettled;

impl FileRestore<'_> {
    /// Exchanges every tree that is not exchanged yet.
    pub(super) fn exchange(
        &self,
        run: RunId,
        plan: &FilesPlan,
        slots: &[Slot],
        is_done: &dyn Fn(&str) -> bool,
    ) -> Result<FilesReport, FilesError> {
        let mut roots = Vec::new();
        for (at, (slot, root)) in slots.iter().zip(&plan.roots).enumerate() {
            let step = format!("swap {at}");
            let mut kept = 0;
            if !is_done(&step) {
                let detail = json!({ "place": slot.place });
                let swapped = self.step(run, &step, detail, || {
                    kept = put(slot, !plan.mirror)?;
                    Ok(((), json!({ "kept": kept })))
                });
                if let Err(error) = swapped {
                    return Err(self.go_back(run, slots, error)?);
                }
            }
            roots.push(RootReport {
                component: root.root.component.clone(),
                place: root.root.place.clone(),
                entries: root.entries,
                bytes: root.bytes,
                kept,
            });
        }
        self.finish(run, &Outcome::Done)?;
        Ok(FilesReport {
            run,
            roots,
            warnings: Vec::new(),
        })
    }

    /// After a failure: every place as it was, or the truth about it.
    fn go_back(
        &self,
        run: RunId,
        slots: &[Slot],
        error: FilesError,
    ) -> Result<FilesError, FilesError> {
        let note = Event::Note {
            step: "going back".to_owned(),
            detail: Value::String(with_causes(&error)),
        };
        self.journal.append(run, self.clock.now(), &note)?;
        let mut touched = slots.iter().rev().filter(|slot| slot.is_touched());
        let all_back = touched.all(|slot| slot.put_back().is_ok());
        if !all_back {
            // The run stays open: it can be resumed or undone.
            return Ok(error);
        }
        let dirs: Vec<PathBuf> = slots.iter().map(|slot| slot.dir.clone()).collect();
        let _ = discard(&dirs);
        self.finish(run, &outcome(&error))?;
        Ok(match error {
            FilesError::Swap { place, source, .. } => FilesError::Swap {
                place,
                back: true,
                source,
            },
            other => other,
        })
    }
}

/// Puts a tree into its place and returns how much of what was there has stayed in it.
fn put(slot: &Slot, keeps: bool) -> Result<u64, FilesError> {
    let swap = |source| FilesError::Swap {
        place: slot.place.clone(),
        back: false,
        source,
    };
    let is_new = look(&slot.place) == Some(slot.new);
    let keeps = keeps && slot.before.is_some() && slot.kept().is_dir();
    let mut kept = 0;
    if keeps && !is_new {
        kept += keep(&slot.place, &slot.kept()).map_err(swap)?;
    }
    slot.put_new().map_err(|error| match error {
        Unsettled::Fs(source) => swap(source),
        Unsettled::Replaced => FilesError::Replaced {
            place: slot.place.clone(),
        },
    })?;
    if keeps {
        // What came in between the first look and the exchange.
        kept += keep(&slot.kept(), &slot.place).map_err(swap)?;
    }
    Ok(kept)
}

/// How a run ends that an error ends.
pub(super) fn outcome(error: &FilesError) -> Outcome {
    match error {
        FilesError::Stopped => Outcome::Stopped {
            reason: "by request".to_owned(),
        },
        error => Outcome::Failed {
            error: with_causes(error),
        },
    }
}
