//! The history database: what its own settings say is kept there.

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::{Retention, TableRule, TimeUnit};
use jiff::tz::TimeZone;

use super::words::{days, skip, task};
use crate::tokens::HistoryRetention;

/// The tasks of one run in a history database, whose own `tconfig` says what is kept. What that
/// does not say is kept for ever.
///
/// `zone` is the zone in which the product writes its DATETIME columns; `max_share` is the largest
/// share of a table (above 0, at most 1) that one run may delete without more consent.
pub fn history_catalogue(
    keep: &HistoryRetention,
    zone: &TimeZone,
    max_share: Option<f64>,
) -> Vec<Task> {
    let instant = TimeUnit::EpochSeconds;
    let local = TimeUnit::Datetime(zone.clone());
    let rules = [
        (
            "history_purge_data",
            "data",
            ("days_purge", keep.days_purge),
            ("tagente_datos", "utimestamp", instant.clone()),
        ),
        (
            "history_purge_strings",
            "string data",
            ("string_purge", keep.string_purge),
            ("tagente_datos_string", "utimestamp", instant.clone()),
        ),
        (
            "history_purge_events",
            "events",
            ("event_purge", keep.event_purge),
            ("tevento", "utimestamp", instant),
        ),
        (
            "history_purge_traps",
            "SNMP traps",
            ("trap_history_purge", keep.trap_purge),
            ("ttrap", "timestamp", local),
        ),
    ];
    let rules = rules.map(|(id, what, (token, set), (table, column, unit))| {
        let Some(kept) = days(set) else {
            let title = format!("Deleting old {what} from the history DB.");
            return task(Group::HistoryDb, id, title, off(token));
        };
        let title = format!("Deleting old {what} from the history DB (More than {kept} days).");
        let rule = TableRule {
            name: table.to_owned(),
            key: Vec::new(),
            time_column: column.to_owned(),
            unit,
            keep: Retention::Days(kept),
            filters: Vec::new(),
            where_sql: None,
            after: Vec::new(),
            max_share: max_share.unwrap_or(1.0),
        };
        task(Group::HistoryDb, id, title, vec![Work::Retention(rule)])
    });
    rules.into_iter().chain([compaction(keep)]).collect()
}

fn off(token: &str) -> Vec<Work> {
    skip(format!(
        "{token} is not set in the history database's own tconfig"
    ))
}

/// The line of the log. What it announces is no task on rows but a job of its own, which follows.
fn compaction(keep: &HistoryRetention) -> Task {
    let (title, work) = match days(keep.compaction.days) {
        None => (
            "Compacting data in the history DB.".to_owned(),
            off("days_compact"),
        ),
        Some(kept) => (
            format!("Compacting data in the history DB (More than {kept} days)."),
            Vec::new(),
        ),
    };
    task(Group::HistoryDb, "history_compact", title, work)
}
