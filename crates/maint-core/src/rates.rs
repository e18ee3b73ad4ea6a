//! Deletion rates that earlier runs measured, from their journal.

use elpis_run::journal::{Event, Journal, JournalError, Query};

use crate::purge::JOB;
use crate::{Rates, TableReport};

/// How many earlier runs are looked at.
const RUNS: u32 = 20;
/// A table's rate counts only from runs that deleted at least this many rows of it.
const MIN_ROWS: u64 = 1000;

/// The newest measured rate of every table of `target`, in rows a second.
///
/// # Errors
/// Those of the journal.
pub fn measured_rates(journal: &dyn Journal, target: &str) -> Result<Rates, JournalError> {
    let query = Query {
        job: Some(JOB.to_owned()),
        target: Some(target.to_owned()),
        open_only: false,
        limit: Some(RUNS),
    };
    let mut rates = Rates::new();
    for run in journal.list(&query)? {
        for record in journal.replay(run.id)?.records {
            let Event::Done { detail, .. } = record.event else {
                continue;
            };
            let Ok(report) = serde_json::from_value::<TableReport>(detail) else {
                continue;
            };
            if let Some(rate) = report.rate().filter(|_| report.deleted >= MIN_ROWS) {
                rates.entry(report.table).or_insert(rate);
            }
        }
    }
    Ok(rates)
}
