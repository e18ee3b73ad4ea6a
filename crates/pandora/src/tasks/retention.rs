//! Tasks that age alone decides, or nearly so.

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Age, Condition, Relation};
use elpis_maint_core::{Filter, Retention, TableRule, Test, TimeUnit};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words::{OrNone, compare, days, delete, is, off, older, orphans, skip, task};
use super::{HistoryKeeps, HousekeepingSettings};

/// Console sessions whose name begins like this belong to no browser.
const CRON_SESSIONS: (&str, &str) = ("cron-", "cron.");

/// What the rules are made from.
pub(super) struct Rules<'a> {
    pub(super) settings: &'a HousekeepingSettings,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

impl Rules<'_> {
    fn rule(&self, table: &str, column: &str, unit: TimeUnit, days: u32) -> TableRule {
        TableRule {
            name: table.to_owned(),
            key: Vec::new(),
            time_column: column.to_owned(),
            unit,
            keep: Retention::Days(days),
            filters: Vec::new(),
            where_sql: None,
            after: Vec::new(),
            max_share: self.settings.max_share.unwrap_or(1.0),
        }
    }

    /// One table kept for so many days, if the token is set.
    fn keep(
        &self,
        (token, set): (&str, Option<u32>),
        table: &str,
        (column, unit): (&str, TimeUnit),
        filters: Vec<Filter>,
    ) -> Vec<Work> {
        let Some(days) = days(set) else {
            return off(token);
        };
        vec![Work::Retention(TableRule {
            filters,
            ..self.rule(table, column, unit, days)
        })]
    }

    fn local(&self) -> TimeUnit {
        TimeUnit::Datetime(self.zone.clone())
    }

    /// Before the sessions themselves, so both what hangs on those that go in this run and what
    /// hangs on none.
    pub(super) fn extended_sessions(&self) -> Task {
        let (table, column, sessions) = ("tsesion_extended", "id_sesion", "tsesion");
        let mut work = Vec::new();
        if let Some(days) = days(self.settings.audit_purge) {
            let session = Relation::to(column, sessions, "id_sesion");
            let old = session.older(older("utimestamp", TimeUnit::EpochSeconds, days));
            let old = vec![Condition::Present(old)];
            let name = "extended_sessions/old";
            work.push(Work::Sweep(delete(name, table, old, Vec::new())));
        }
        let none = orphans(
            "extended_sessions/orphans",
            (table, column),
            (sessions, "id_sesion"),
            OrNone::Never,
        );
        work.push(Work::Sweep(none));
        let title = "Deleting old extended session data.";
        task(Group::Purge, "extended_sessions", title, work)
    }

    pub(super) fn inventory(&self) -> Task {
        let work = self.keep(
            ("inventory_purge", self.settings.inventory_purge),
            "tagente_datos_inventory",
            ("utimestamp", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        task(
            Group::Purge,
            "inventory",
            "Deleting old inventory data.",
            work,
        )
    }

    pub(super) fn numeric_data(&self) -> Task {
        let token = self.settings.days_purge;
        let work = self.keep(
            ("days_purge", token),
            "tagente_datos",
            ("utimestamp", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        let title = with_days("Deleting old data from tagente_datos", token);
        task(Group::Purge, "numeric_data", title, work)
    }

    pub(super) fn export_data(&self) -> Task {
        let work = self.keep(
            ("days_purge", self.settings.days_purge),
            "tserver_export_data",
            ("timestamp", self.local()),
            Vec::new(),
        );
        let title = "Deleting old export data from tserver_export_data";
        task(Group::Purge, "export_data", title, work)
    }

    pub(super) fn php_sessions(&self) -> Task {
        let title = "Deleting old session data from tsessions_php";
        let (id, table) = ("php_sessions", "tsessions_php");
        let Some(timeout) = self.settings.session_timeout else {
            return task(Group::Purge, id, title, off("session_timeout"));
        };
        let idle = Condition::Older(Age {
            column: "last_active".to_owned(),
            unit: TimeUnit::EpochSeconds,
            keep: timeout,
        });
        let empty = Condition::Own(Filter {
            column: "data".to_owned(),
            test: Test::IsNull,
        });
        let (from, to) = CRON_SESSIONS;
        let of_cron = vec![
            Condition::Own(compare("id_session", ">=", from)),
            Condition::Own(compare("id_session", "<", to)),
        ];
        let sweep = |name, when| Work::Sweep(delete(name, table, when, Vec::new()));
        let work = vec![
            sweep("php_sessions/idle", vec![idle]),
            sweep("php_sessions/empty", vec![empty]),
            sweep("php_sessions/cron", of_cron),
        ];
        task(Group::Purge, id, title, work)
    }

    pub(super) fn log4x(&self) -> Task {
        let token = self.settings.days_purge;
        let work = self.keep(
            ("days_purge", token),
            "tagente_datos_log4x",
            ("utimestamp", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        let title = with_days("Deleting old data from tagente_datos_log4x", token);
        task(Group::Purge, "log4x", title, work)
    }

    pub(super) fn strings(&self) -> Task {
        let token = self.settings.string_purge;
        let work = self.keep(
            ("string_purge", token),
            "tagente_datos_string",
            ("utimestamp", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        let title = with_days("Deleting old data from tagente_datos_string", token);
        task(Group::Purge, "strings", title, work)
    }

    /// What hangs on events goes with them, by the foreign keys of the schema.
    pub(super) fn events(&self) -> Task {
        let token = self.settings.event_purge;
        let work = self.keep(
            ("event_purge", token),
            "tevento",
            ("utimestamp", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        let title = with_days("Deleting old event data at tevento table", token);
        task(Group::Purge, "events", title, work)
    }

    pub(super) fn audit(&self) -> Task {
        let token = self.settings.audit_purge;
        let work = self.keep(
            ("audit_purge", token),
            "tsesion",
            ("utimestamp", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        let title = with_days("Deleting old audit data", token);
        task(Group::Purge, "audit", title, work)
    }

    pub(super) fn traps(&self) -> Task {
        let token = self.settings.trap_purge;
        let work = self.keep(
            ("trap_purge", token),
            "ttrap",
            ("timestamp", self.local()),
            Vec::new(),
        );
        let title = with_days("Deleting old SNMP traps", token);
        task(Group::Purge, "traps", title, work)
    }

    /// Entries that have ended. The table is known from the paid edition only.
    pub(super) fn policy_queue(&self) -> Task {
        let token = self.settings.days_purge;
        let work = self.keep(
            ("days_purge", token),
            "tpolicy_queue",
            ("end_utimestamp", TimeUnit::EpochSeconds),
            vec![compare("end_utimestamp", ">", 0)],
        );
        let title = match days(token) {
            Some(days) => {
                format!("Deleting old policy queue entries (More than {days} days)...")
            }
            None => "Deleting old policy queue entries...".to_owned(),
        };
        task(Group::Enterprise, "policy_queue", title, work)
    }

    /// Positions that have ended; the one an agent is at now has no end.
    pub(super) fn gis(&self) -> Task {
        let token = self.settings.gis_purge;
        let work = self.keep(
            ("gis_purge", token),
            "tgis_data_history",
            ("end_timestamp", TimeUnit::Timestamp),
            Vec::new(),
        );
        let title = with_days("Deleting old GIS data", token);
        task(Group::Purge, "gis", title, work)
    }

    /// The table is gone from current versions.
    pub(super) fn access_data(&self) -> Task {
        let rule = self.rule("tagent_access", "utimestamp", TimeUnit::EpochSeconds, 1);
        let title = "Deleting old access data (More than 24hr)";
        task(
            Group::Purge,
            "access_data",
            title,
            vec![Work::Retention(rule)],
        )
    }

    /// Days of the year 1 are days of *every* year (the console writes `*-12-25` as `0001-12-25`)
    /// and stay.
    pub(super) fn special_days(&self) -> Task {
        let work = self.keep(
            ("num_past_special_days", self.settings.num_past_special_days),
            "talert_special_days",
            ("date", TimeUnit::Date(self.zone.clone())),
            vec![compare("date", ">=", "0002-01-01")],
        );
        task(
            Group::Purge,
            "special_days",
            "Deleting old special days.",
            work,
        )
    }

    /// Those that were for one time and are over, unless data of that time may still be there, in
    /// this database or in the history database: reports on service levels take them out.
    pub(super) fn planned_downtimes(&self) -> Task {
        let own = days(self.settings.days_purge);
        let keep = |kept: Option<u32>| {
            self.keep(
                ("days_purge", kept),
                "tplanned_downtime",
                ("date_to", TimeUnit::EpochSeconds),
                vec![is("type_execution", "once")],
            )
        };
        let work = match &self.settings.history_keeps {
            HistoryKeeps::Nothing => keep(own),
            HistoryKeeps::Days(moved) => keep(own.map(|own| own.max(*moved))),
            _ if own.is_none() => keep(None),
            HistoryKeeps::Everything => skip(
                "the history database keeps its data for ever, and reports on them need their \
                 downtimes: set days_purge in its tconfig",
            ),
            HistoryKeeps::Unknown { why } => skip(format!(
                "as long as the history database keeps data, reports need their downtimes, and it \
                 could not be asked: {why}"
            )),
        };
        let title = "Deleting old planned downtimes.";
        task(Group::Purge, "planned_downtimes", title, work)
    }

    pub(super) fn messages(&self) -> Task {
        let work = self.keep(
            ("delete_old_messages", self.settings.delete_old_messages),
            "tmensajes",
            ("timestamp", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        task(Group::Purge, "messages", "Deleting old messages.", work)
    }

    /// Pictures of visual consoles, each with a life span of its own in seconds. The session's
    /// zone is UTC, and both sides of the comparison are instants.
    pub(super) fn caches(&self) -> Task {
        let table = "tvisual_console_elements_cache";
        let now = self.now.as_second();
        let rule = TableRule {
            where_sql: Some(format!("UNIX_TIMESTAMP(created_at) + expiration < {now}")),
            ..self.rule(table, "created_at", TimeUnit::Timestamp, 0)
        };
        let title = "Deleting old visual console cache.";
        task(Group::Purge, "caches", title, vec![Work::Retention(rule)])
    }

    /// The table is known from the paid edition only.
    pub(super) fn network_configuration(&self) -> Task {
        let work = self.keep(
            ("days_purge", self.settings.days_purge),
            "tncm_agent_data",
            ("updated_at", TimeUnit::EpochSeconds),
            Vec::new(),
        );
        let title = "Deleting old network configuration data.";
        task(Group::Purge, "network_configuration", title, work)
    }
}

fn with_days(title: &str, token: Option<u32>) -> String {
    match days(token) {
        Some(days) => format!("{title} (More than {days} days)."),
        None => format!("{title}."),
    }
}
