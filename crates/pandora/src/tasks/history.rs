//! The history database: what its own settings say is kept there.

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::{Retention, TableRule, TimeUnit};
use jiff::tz::TimeZone;

use super::words::{days, off, skip, task};
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
            let why = format!("{token} is not set in the history database's own tconfig");
            return task(Group::HistoryDb, id, title, skip(why));
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

/// Which modules have levels and which have states is known to the main database alone.
fn compaction(keep: &HistoryRetention) -> Task {
    let work = match days(keep.days_compact) {
        None => off("days_compact"),
        Some(_) => skip(
            "what kinds of values they are is known to the main database only: compact them \
             there, before they move",
        ),
    };
    let title = "Compacting data in the history DB.";
    task(Group::HistoryDb, "history_compact", title, work)
}
