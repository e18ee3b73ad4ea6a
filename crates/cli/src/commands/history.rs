//! `history`: earlier runs.

use anyhow::Result;
use elpis_run::RunId;
use elpis_run::journal::{Journal, JournalError, Query};

use super::journal;
use crate::exit::{Code, Verdict};
use crate::output::{self, Printer};
use crate::settings::Settings;

/// The newest runs.
pub(crate) fn list(settings: &Settings, limit: u32, printer: Printer) -> Result<Verdict> {
    let query = Query {
        limit: Some(limit),
        ..Query::default()
    };
    let runs = match journal::look(&settings.state)? {
        None => Vec::new(),
        Some(journal) => journal::runs(&journal, &query)?,
    };
    if printer.json {
        printer.document(&runs)?;
    } else if runs.is_empty() {
        let directory = settings.state.directory.display();
        printer.say(&format!("no run is known in {directory}"));
    } else {
        printer.data(&output::history(&runs))?;
    }
    Ok(Verdict::silent(Code::Done))
}

/// Everything about one run.
pub(crate) fn show(settings: &Settings, run: RunId, printer: Printer) -> Result<Verdict> {
    let journal = journal::look(&settings.state)?.ok_or(JournalError::UnknownRun(run))?;
    let history = journal.replay(run)?;
    if printer.json {
        printer.document(&history)?;
    } else {
        printer.data(&output::record(&history))?;
    }
    Ok(Verdict::silent(Code::Done))
}
