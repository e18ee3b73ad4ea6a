//! Rates that earlier runs measured, from their journal.

use elpis_run::journal::{Event, Journal, JournalError, Query};
use serde_json::Value;

use crate::compact::{COMPACT_JOB, TierReport};
use crate::purge::JOB;
use crate::{Rates, TableReport};

/// How many earlier runs are looked at.
const RUNS: u32 = 20;
/// A table's rate counts only from runs that dealt with at least this many rows of it.
const MIN_ROWS: u64 = 1000;

/// The newest measured rate of deletion of every table of `target`, in rows a second.
///
/// # Errors
/// Those of the journal.
pub fn measured_rates(journal: &dyn Journal, target: &str) -> Result<Rates, JournalError> {
    newest(journal, target, JOB, |detail| {
        let report: TableReport = serde_json::from_value(detail).ok()?;
        let rate = report.rate().filter(|_| report.deleted >= MIN_ROWS)?;
        Some((report.table, rate))
    })
}

/// The newest measured rate of compaction of every table of `target`, in rows looked at a second.
///
/// # Errors
/// Those of the journal.
pub fn measured_compact_rates(journal: &dyn Journal, target: &str) -> Result<Rates, JournalError> {
    newest(journal, target, COMPACT_JOB, |detail| {
        let report: TierReport = serde_json::from_value(detail).ok()?;
        let rows = report.sealed.examined + report.rechecked.examined;
        let rate = report.rate().filter(|_| rows >= MIN_ROWS)?;
        Some((report.table, rate))
    })
}

/// What the newest finished step says of each table.
fn newest(
    journal: &dyn Journal,
    target: &str,
    job: &str,
    measured: impl Fn(Value) -> Option<(String, f64)>,
) -> Result<Rates, JournalError> {
    let query = Query {
        job: Some(job.to_owned()),
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
            if let Some((table, rate)) = measured(detail) {
                rates.entry(table).or_insert(rate);
            }
        }
    }
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::PassReport;
    use elpis_run::Holder;
    use elpis_run::journal::{MemoryJournal, NewRun, Outcome};
    use jiff::Timestamp;

    fn finished(journal: &MemoryJournal, job: &str, detail: Value) {
        let now = Timestamp::UNIX_EPOCH;
        let run = NewRun {
            job: job.to_owned(),
            target: "t".to_owned(),
            holder: Holder::current("test", now),
            started: now,
            plan: Value::Null,
        };
        let run = journal.create(&run).unwrap();
        let step = "a step".to_owned();
        let intent = Event::Intent {
            step: step.clone(),
            detail: Value::Null,
        };
        journal.append(run, now, &intent).unwrap();
        let done = Event::Done { step, detail };
        journal.append(run, now, &done).unwrap();
        journal.finish(run, now, &Outcome::Done).unwrap();
    }

    fn compacted(examined: u64) -> Value {
        let report = TierReport {
            table: "samples".to_owned(),
            sealed: PassReport {
                examined,
                ..PassReport::default()
            },
            working_s: 1.0,
            paused_s: 1.0,
            ..TierReport::default()
        };
        serde_json::to_value(report).unwrap()
    }

    #[test]
    fn the_newest_run_with_enough_rows_counts_and_each_job_has_its_own_rates() {
        let journal = MemoryJournal::new();
        finished(&journal, COMPACT_JOB, compacted(90_000));
        finished(&journal, COMPACT_JOB, compacted(40_000));
        finished(&journal, COMPACT_JOB, compacted(10));
        let deleted = TableReport {
            table: "samples".to_owned(),
            deleted: 5_000,
            working_s: 5.0,
            ..TableReport::default()
        };
        finished(&journal, JOB, serde_json::to_value(deleted).unwrap());
        let rate = |rates: Result<Rates, JournalError>| rates.unwrap().get("samples").copied();
        assert_eq!(rate(measured_compact_rates(&journal, "t")), Some(20_000.0));
        assert_eq!(rate(measured_rates(&journal, "t")), Some(1_000.0));
        assert_eq!(rate(measured_compact_rates(&journal, "elsewhere")), None);
    }
}
