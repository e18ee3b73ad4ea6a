//! `status`: the last run of every job on every target, and whether one is at work.

use anyhow::Result;
use elpis_run::RunSummary;
use elpis_run::journal::Journal;
use serde::Serialize;

use super::journal;
use crate::exit::{Code, Verdict};
use crate::output::{self, Printer};
use crate::settings::Settings;

/// The newest run of one job on one target.
#[derive(Debug, Serialize)]
pub(crate) struct TargetStatus {
    /// The run.
    pub(crate) last: RunSummary,
    /// Whether it is at work: yes, no, or (on another host) unknown.
    pub(crate) running: Option<bool>,
}

pub(crate) fn status(settings: &Settings, printer: Printer) -> Result<Verdict> {
    let targets = match journal::look(&settings.state)? {
        None => Vec::new(),
        Some(journal) => targets(&journal)?,
    };
    if printer.json {
        printer.document(&targets)?;
    } else if targets.is_empty() {
        let directory = settings.state.directory.display();
        printer.say(&format!("no run is known in {directory}"));
    } else {
        printer.data(&output::status(&targets))?;
    }
    Ok(Verdict::silent(Code::Done))
}

fn targets(journal: &dyn Journal) -> Result<Vec<TargetStatus>> {
    let newest = journal::latest(journal)?.into_iter();
    Ok(newest
        .map(|last| TargetStatus {
            running: match last.finished {
                Some(_) => Some(false),
                None => last.holder.is_alive(),
            },
            last,
        })
        .collect())
}
