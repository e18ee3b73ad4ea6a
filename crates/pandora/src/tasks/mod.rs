//! The product's housekeeping tasks, as data: every line of the manual's sample output, in its
//! order, and those that the tool does without a line there.
//!
//! Nothing here does anything. The engine of `elpis-maint-core` resolves each task against the live
//! schema, and what an edition or version lacks is skipped with a word. Where a task deliberately
//! differs from the tool that Elpis replaces, `docs/compatibility.md` says so.

mod check;
mod flow;
mod hanging;
mod history;
mod integrity;
mod modules;
mod programs;
mod reports;
mod retention;
mod settings;
mod words;

#[cfg(test)]
mod tests;

use elpis_maint_core::housekeeping::Task;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use history::history_catalogue;
pub use programs::Programs;
pub use settings::{FlowExpiry, HistoryKeeps, HousekeepingSettings};

/// The tasks of one run, in the manual's order.
///
/// `zone` is the zone in which the product writes its DATETIME columns: that of the host its server
/// and console run on. `now` is the moment of the run; only rows that carry a life span of their
/// own are compared with it here.
pub fn catalogue(settings: &HousekeepingSettings, zone: &TimeZone, now: Timestamp) -> Vec<Task> {
    let s = settings;
    let retention = retention::Rules {
        settings,
        zone,
        now,
    };
    vec![
        retention.extended_sessions(),
        retention.inventory(),
        retention.numeric_data(),
        retention.export_data(),
        retention.php_sessions(),
        retention.log4x(),
        retention.strings(),
        retention.events(),
        retention.audit(),
        retention.traps(),
        retention.policy_queue(),
        integrity::service_elements(),
        retention.gis(),
        modules::pending_data(),
        modules::pending(),
        retention.access_data(),
        reports::deleted_modules(s),
        reports::deleted_agents(s),
        reports::empty(s),
        modules::disabled_agents(s, zone),
        modules::autodisabled_agents(s, zone),
        flow::netflow(s),
        flow::sflow(s),
        flow::log_data(s),
        retention.special_days(),
        retention.planned_downtimes(),
        retention.messages(),
        integrity::graph_sources(s),
        retention.caches(),
        retention.network_configuration(),
        modules::not_initialised(s),
        modules::old_not_initialised(s),
        modules::unknown(s),
        check::missing_status(now),
        check::missing_module(),
        check::empty_aliases(),
        integrity::group_statistics(),
        integrity::orphan_alerts(),
        integrity::orphan_modules(),
        integrity::orphan_status(),
        integrity::orphan_increments(),
        integrity::orphan_references(s),
        check::discovery_tasks(s, zone),
        flow::history_data(s),
        flow::history_events(s),
        flow::snmp_modules(),
        flow::dynamic_limits(),
    ]
}
