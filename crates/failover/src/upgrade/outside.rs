//! Words to a run that another process may be driving.

use elpis_run::{Clock, Event, Journal, RunId};

use super::{StoredRun, UpgradeError};
use crate::ledger::Note;
use crate::policy::Gate;

/// Records a person's consent to a gate of an unfinished run.
///
/// # Errors
/// [`UpgradeError::NoSuchGate`], [`UpgradeError::Finished`], and when the journal cannot be used.
pub fn approve(
    journal: &dyn Journal,
    clock: &dyn Clock,
    run: RunId,
    gate: Gate,
    by: &str,
) -> Result<(), UpgradeError> {
    let stored = StoredRun::load(journal, run)?;
    if !stored.plan.policy.approve.contains(&gate) {
        return Err(UpgradeError::NoSuchGate { run, gate });
    }
    let by = by.to_owned();
    note_from_outside(
        journal,
        clock,
        run,
        &stored,
        "approve",
        &Note::Approved { gate, by },
    )
}

/// Asks a running upgrade to stop after its present step, also from another process.
///
/// # Errors
/// [`UpgradeError::Finished`], and when the journal cannot be used.
pub fn pause(
    journal: &dyn Journal,
    clock: &dyn Clock,
    run: RunId,
    by: &str,
) -> Result<(), UpgradeError> {
    let stored = StoredRun::load(journal, run)?;
    let by = by.to_owned();
    note_from_outside(
        journal,
        clock,
        run,
        &stored,
        "pause",
        &Note::PauseRequested { by },
    )
}

fn note_from_outside(
    journal: &dyn Journal,
    clock: &dyn Clock,
    run: RunId,
    stored: &StoredRun,
    step: &str,
    note: &Note,
) -> Result<(), UpgradeError> {
    if stored.history.summary.finished.is_some() {
        return Err(UpgradeError::Finished { run });
    }
    let event = Event::Note {
        step: step.to_owned(),
        detail: serde_json::to_value(note).unwrap_or_default(),
    };
    Ok(journal.append(run, clock.now(), &event)?)
}
