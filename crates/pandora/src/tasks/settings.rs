//! What the catalogue of tasks needs to know, as plain values. No I/O: whoever reads the
//! configuration fills it.

use std::path::PathBuf;
use std::time::Duration;

/// How long each kind of data is kept, and what the operator wants done.
///
/// `None`, and 0 where a number is asked for, mean *off*: the task is shown as skipped. Defaults of
/// tokens that are absent from `tconfig` are for the reader to fill in; `default()` is all off.
/// Every field has the name of its token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HousekeepingSettings {
    /// Days of numeric data, export data, log4x data, policy queue entries, network configuration
    /// data and finished planned downtimes (see `history_keeps`). No default.
    pub days_purge: Option<u32>,
    /// Days of string data. The product's default is 7.
    pub string_purge: Option<u32>,
    /// Days of events. The product's default is 10.
    pub event_purge: Option<u32>,
    /// Days of audit data, and of the extended session data that hang on them. Default 7.
    pub audit_purge: Option<u32>,
    /// Days of SNMP traps. Default 7.
    pub trap_purge: Option<u32>,
    /// Days of GIS positions. Default 15.
    pub gis_purge: Option<u32>,
    /// Days of inventory data. No default.
    pub inventory_purge: Option<u32>,
    /// Days without contact after which a disabled agent is deleted with all that belongs to it.
    pub delete_disabled_agents: Option<u32>,
    /// The same for agents that disabled themselves (mode 2).
    pub days_autodisable_deletion: Option<u32>,
    /// Whether modules that never had a value are deleted: only if the token is exactly `1`.
    pub delete_notinit: bool,
    /// Days after which enabled modules in the state *unknown* are deleted.
    pub days_delete_unknown: Option<u32>,
    /// Days after which enabled modules that never had a value are deleted; needs
    /// `delete_notinit` too.
    pub days_delete_not_initialized: Option<u32>,
    /// Days of messages.
    pub delete_old_messages: Option<u32>,
    /// Days that special days of alert calendars stay after they are past.
    pub num_past_special_days: Option<u32>,
    /// How long a console session may be idle; `None` does nothing. The token counts minutes, of
    /// which 0 means 90, and −1 means 315 576 000 seconds: the reader resolves both.
    pub session_timeout: Option<Duration>,
    /// Expiry of NetFlow files; `None` if any of the three tokens is missing.
    pub netflow: Option<FlowExpiry>,
    /// Expiry of sFlow files.
    pub sflow: Option<FlowExpiry>,
    /// Days of log data (`Days_purge_old_information`), which this product keeps outside the
    /// database: only shown.
    pub days_purge_old_information: Option<u32>,
    /// Whether this is the database of a metaconsole: what can show modules of other databases
    /// (reports, graphs, visual consoles) is then not judged by the modules of this one.
    pub metaconsole: bool,
    /// The `id_server` of the running Discovery server that takes over the tasks of servers that are
    /// gone; `None` if none runs.
    pub discovery_server: Option<i64>,
    /// How long the history database keeps numeric data, on which reports may need the planned
    /// downtimes of that time.
    pub history_keeps: HistoryKeeps,
    /// The largest share of a table (above 0, at most 1) that one run may delete for its age
    /// without more consent; `None` is no limit, as in the tool that Elpis replaces.
    pub max_share: Option<f64>,
    /// Days that history keeps in the active database (`history_db_days`), if history is enabled:
    /// shown here; moving comes before the tasks.
    pub history_db_days: Option<u32>,
    /// The same for events (`history_event_days`).
    pub history_event_days: Option<u32>,
}

impl HousekeepingSettings {
    /// With every task switched on that changes tables, to see which tables these are.
    pub(crate) fn everything() -> HousekeepingSettings {
        let day = Some(1);
        HousekeepingSettings {
            days_purge: day,
            string_purge: day,
            event_purge: day,
            audit_purge: day,
            trap_purge: day,
            gis_purge: day,
            inventory_purge: day,
            delete_disabled_agents: day,
            days_autodisable_deletion: day,
            delete_notinit: true,
            days_delete_unknown: day,
            days_delete_not_initialized: day,
            delete_old_messages: day,
            num_past_special_days: day,
            session_timeout: Some(Duration::from_secs(1)),
            discovery_server: Some(1),
            ..HousekeepingSettings::default()
        }
    }
}

/// How long the history database keeps numeric data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HistoryKeeps {
    /// There is none.
    #[default]
    Nothing,
    /// So many days (`days_purge` in its own `tconfig`), at least 1.
    Days(u32),
    /// For ever: it has no such setting.
    Everything,
    /// Nobody knows.
    Unknown {
        /// Why: what came of asking it.
        why: String,
    },
}

/// How an outside program expires files of network flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowExpiry {
    /// The directory with the files (`netflow_path`): absolute.
    pub directory: PathBuf,
    /// The program (`netflow_nfexpire`), such as `/usr/bin/nfexpire`: absolute.
    pub program: PathBuf,
    /// Days that files are kept (`netflow_max_lifetime`), at least 1.
    pub lifetime_days: u32,
}
