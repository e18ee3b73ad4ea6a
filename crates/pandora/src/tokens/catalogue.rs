//! Every token that housekeeping reads, with its documented default, its unit and what it means.
//! Facts: `pandora_db.pl` of 7.0NG.776 and the console's setup pages.

/// A token.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) token: &'static str,
    /// What holds where the token is absent.
    pub(super) default: Option<&'static str>,
    pub(super) unit: &'static str,
    pub(super) meaning: &'static str,
}

const fn spec(
    token: &'static str,
    default: Option<&'static str>,
    unit: &'static str,
    meaning: &'static str,
) -> Spec {
    Spec {
        token,
        default,
        unit,
        meaning,
    }
}

/// In the order of the tasks.
#[rustfmt::skip]
pub(super) const MAIN: &[Spec] = &[
    spec("days_purge", None, "days", "keep numeric data, export data, finished planned downtimes"),
    spec("string_purge", Some("7"), "days", "keep string data"),
    spec("event_purge", Some("10"), "days", "keep events"),
    spec("audit_purge", Some("7"), "days", "keep the audit log"),
    spec("trap_purge", Some("7"), "days", "keep SNMP traps"),
    spec("gis_purge", Some("15"), "days", "keep GIS positions"),
    spec("inventory_purge", None, "days", "keep inventory data"),
    spec("session_timeout", None, "minutes", "keep idle console sessions"),
    spec("delete_disabled_agents", None, "days", "delete disabled agents without contact for so long"),
    spec("days_autodisable_deletion", None, "days", "delete agents that disabled themselves, without contact for so long"),
    spec("delete_notinit", None, "", "delete modules that never had a value"),
    spec("days_delete_not_initialized", None, "days", "delete modules that never had a value for so long"),
    spec("days_delete_unknown", None, "days", "delete modules in the state unknown for so long"),
    spec("delete_old_messages", None, "days", "keep messages"),
    spec("num_past_special_days", None, "days", "keep special days of calendars after they are past"),
    spec("netflow_max_lifetime", None, "days", "keep NetFlow files"),
    spec("netflow_path", None, "", "the directory of the NetFlow files"),
    spec("netflow_nfexpire", None, "", "the program that expires NetFlow files"),
    spec("sflow_max_lifetime", None, "days", "keep sFlow files"),
    spec("sflow_path", None, "", "the directory of the sFlow files"),
    spec("sflow_nfexpire", None, "", "the program that expires sFlow files"),
    spec("Days_purge_old_information", None, "days", "keep log data"),
    spec("metaconsole", None, "", "this is the database of a metaconsole"),
    spec("days_compact", None, "days", "compact data older than this"),
    spec("step_compact", Some("1"), "hours", "into buckets of this length"),
    spec("history_db_enabled", None, "", "there is a history database"),
    spec("history_db_host", None, "", "its host"),
    spec("history_db_port", Some("3306"), "", "its port"),
    spec("history_db_name", None, "", "its name"),
    spec("history_db_user", None, "", "its account"),
    spec("history_db_pass", None, "", "the account's password"),
    spec("history_db_days", None, "days", "move numeric data there when they are older"),
    spec("history_db_adv", None, "", "string data move too"),
    spec("history_db_string_days", None, "days", "move string data there when they are older"),
    spec("history_db_step", None, "rows", "move so many at a time"),
    spec("history_db_delay", None, "seconds", "pause so long after each step"),
    spec("history_event_enabled", None, "", "events move to the history database"),
    spec("history_event_days", None, "days", "move events there when they are older"),
    spec("history_trap_enabled", None, "", "SNMP traps move to the history database"),
    spec("history_trap_days", None, "days", "move SNMP traps there when they are older"),
    spec("big_operation_step_datos_purge", None, "", "not used: how much one step takes follows from the time that steps were measured to take"),
    spec("small_operation_step_datos_purge", None, "rows", "not used: for the same reason; [policy.throttle] max_rows limits it"),
];

/// Those of the history database's own `tconfig`.
#[rustfmt::skip]
pub(super) const HISTORY: &[Spec] = &[
    spec("days_purge", None, "days", "keep numeric data in the history database"),
    spec("string_purge", None, "days", "keep string data in the history database"),
    spec("event_purge", None, "days", "keep events in the history database"),
    spec("trap_history_purge", None, "days", "keep SNMP traps in the history database"),
    spec("days_compact", None, "days", "compact numeric data there when they are older"),
    spec("step_compact", Some("1"), "hours", "into buckets of this length"),
];

/// What else is read, though not by the settings.
pub(super) const OTHER: &[&str] = &["db_maintance"];
