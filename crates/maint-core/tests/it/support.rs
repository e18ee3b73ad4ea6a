//! What several modules need: series tables half of whose rows are expired.

use std::sync::Arc;

use elpis_maint_core::{Plan, PurgeError, PurgeReport, Store};
use elpis_run::{Journal, Query, RunSummary};
use elpis_testkit::{Database, Row, Run, Table, now, tables};

/// Where 30 days of retention end, in seconds.
pub(crate) fn cutoff() -> i64 {
    now().as_second() - 30 * 86_400
}

/// A rule of 30 days that allows any share.
pub(crate) fn rule(table: &str, more: &str) -> String {
    format!(
        "[[table]]\nname = \"{table}\"\nmax_share = 1.0\nkeep = {{ days = 30 }}\n\
         time = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\n{more}\n"
    )
}

/// Fills a series table with `n` rows (even), one a second, half of them expired.
pub(crate) fn fill_series(on: &impl Database, table: &Table, n: u64) {
    let time = format!("{} + n", cutoff() - 1 - n as i64 / 2);
    on.fill(table, n, &["n % 100", "n * 7 % 1000", &time]);
}

/// Makes and fills `tagente_datos`.
pub(crate) fn series(on: &impl Database, n: u64) -> Table {
    let table = tables::tagente_datos();
    on.create(&table);
    fill_series(on, &table, n);
    table
}

/// The recount: rows that are expired and still there.
pub(crate) fn expired(on: &impl Database, table: &str) -> u64 {
    let cutoff = cutoff();
    on.number(&format!(
        "SELECT COUNT(*) FROM {table} WHERE utimestamp < {cutoff};"
    ))
}

/// The recount: rows that are not expired.
pub(crate) fn young(on: &impl Database, table: &Table) -> Vec<Row> {
    let time = table.at("utimestamp");
    let mut rows = on.rows(table);
    rows.retain(|row| row[time].as_ref().is_none_or(|t| *t >= cutoff().into()));
    rows
}

/// All runs of a journal, newest first.
pub(crate) fn runs(journal: &Arc<dyn Journal>) -> Vec<RunSummary> {
    journal.list(&Query::default()).unwrap()
}

/// Runs `plan` in chunks of `rows`.
pub(crate) async fn run<S: Store>(
    plan: &Plan,
    store: &mut S,
    rows: u64,
) -> Result<PurgeReport, PurgeError> {
    Run::new(rows).on(plan, store).await
}
