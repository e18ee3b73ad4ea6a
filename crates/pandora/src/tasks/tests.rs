//! The catalogue itself; what it does to a database is tested against a recount in `tests/it`.

mod flows;

use std::collections::BTreeSet;
use std::time::Duration;

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Act, Condition};
use elpis_maint_core::{Retention, Scalar, TimeUnit};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;
use crate::tokens::{CompactionSettings, HistoryRetention};

const NOW: &str = "2026-11-03T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn made(settings: &HousekeepingSettings) -> Vec<Task> {
    catalogue(settings, &TimeZone::get("Europe/Madrid").unwrap(), now())
}

/// Everything switched on, each number different.
fn everything() -> HousekeepingSettings {
    HousekeepingSettings {
        days_purge: Some(30),
        string_purge: Some(6),
        event_purge: Some(7),
        audit_purge: Some(8),
        trap_purge: Some(9),
        gis_purge: Some(10),
        inventory_purge: Some(11),
        delete_disabled_agents: Some(12),
        days_autodisable_deletion: Some(13),
        delete_notinit: true,
        days_delete_unknown: Some(14),
        days_delete_not_initialized: Some(15),
        delete_old_messages: Some(16),
        num_past_special_days: Some(5),
        session_timeout: Some(Duration::from_secs(5400)),
        netflow: Some(flow("/var/spool/netflow", "/usr/bin/nfexpire")),
        sflow: Some(flow("/var/spool/sflow", "/usr/bin/nfexpire")),
        days_purge_old_information: Some(90),
        discovery_server: Some(3),
        history_db_days: Some(5),
        history_event_days: Some(5),
        ..HousekeepingSettings::default()
    }
}

fn flow(directory: &str, program: &str) -> FlowExpiry {
    FlowExpiry {
        directory: directory.into(),
        program: program.into(),
        lifetime_days: 7,
    }
}

fn work<'a>(tasks: &'a [Task], id: &str) -> &'a [Work] {
    let task = tasks.iter().find(|task| task.id == id);
    &task.unwrap_or_else(|| panic!("no task {id}")).work
}

fn skipped(tasks: &[Task], id: &str) -> Option<String> {
    match work(tasks, id) {
        [Work::Skip { why }] => Some(why.clone()),
        _ => None,
    }
}

/// The lines of the manual's sample output, in its order: what follows the tag.
const MANUAL: &str = "\
PURGE Deleting old extended session data.
PURGE Deleting old inventory data.
PURGE Deleting old export data from tserver_export_data
PURGE Deleting old session data from tsessions_php
PURGE Deleting old event data at tevento table (More than 7 days).
PURGE Deleting old audit data (More than 7 days).
PURGE Deleting old SNMP traps (More than 7 days).
ENTERPRISE Deleting old policy queue entries (More than 7 days)...
ENTERPRISE Deleting invalid service elements...
PURGE Deleting old GIS data (More than 7 days).
PURGE Deleting pending delete modules (data table).
PURGE Deleting pending delete modules (status, module table).
PURGE Deleting old access data (More than 24hr)
PURGE Delete contents in report that have some deleted modules.
PURGE Delete contents in report that have some deleted agents.
PURGE Delete empty contents in report (like SLA or Exception).
PURGE Delete autodisabled agents where last contact is bigger than 30 days.
PURGE Deleting old netflow data.
PURGE Deleting log data older than 90 days.
PURGE Deleting old special days.
CHECKDB Ignoring not-init data.
CHECKDB Checking database consistency (Missing status).
CHECKDB Checking database consistency (Missing module).
CHECKDB Updating empty aliases.
INTEGRITY Cleaning up group stats.
INTEGRITY Deleting orphan alerts.
INTEGRITY Deleting orphan modules.
HISTORYDB Moving data older than 5 days to the history DB...
HISTORYDB Moving events older than 5 days to the history DB...
ENTERPRISE Moving SNMP modules back to the Enterprise SNMP Server.
ENTERPRISE Dynamically updating critical min and max values.";

#[test]
fn every_line_of_the_manual_is_there_in_its_order() {
    let settings = HousekeepingSettings {
        days_purge: Some(7),
        event_purge: Some(7),
        audit_purge: Some(7),
        trap_purge: Some(7),
        gis_purge: Some(7),
        days_autodisable_deletion: Some(30),
        days_purge_old_information: Some(90),
        history_db_days: Some(5),
        history_event_days: Some(5),
        ..HousekeepingSettings::default()
    };
    let tasks = made(&settings);
    let mut printed = tasks
        .iter()
        .map(|task| format!("{} {}", task.group, task.title));
    for line in MANUAL.lines() {
        assert!(printed.any(|title| title == line), "{line}");
    }
}

/// The whole order, lines without a counterpart in the sample output included, is the documented one.
#[test]
fn the_tasks_are_documented_in_their_order() {
    let doc = include_str!("../../../../docs/compatibility.md");
    let table = doc.split("### Tasks, in the order").nth(1).unwrap();
    let table = table.split("\n\nAll that belongs").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').nth(1).unwrap());
    let documented: Vec<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let tasks = made(&everything());
    let (told, real): (Vec<&str>, Vec<&str>) = {
        let known = |id: &&str| tasks.iter().any(|task| task.id == *id);
        let told = documented.into_iter().filter(known).collect();
        (told, tasks.iter().map(|task| task.id.as_str()).collect())
    };
    assert_eq!(told, real);
}

#[test]
fn names_are_told_apart() {
    let tasks = made(&everything());
    let mut seen = BTreeSet::new();
    let mut tables = BTreeSet::new();
    for task in &tasks {
        assert!(seen.insert(task.id.clone()), "{}", task.id);
        for work in &task.work {
            match work {
                Work::Sweep(rule) => {
                    assert!(seen.insert(format!("sweep {}", rule.name)), "{}", rule.name);
                    assert!(!rule.when.is_empty(), "{} takes every row", rule.name);
                }
                Work::Retention(rule) => {
                    assert!(tables.insert(rule.name.clone()), "{} twice", rule.name);
                }
                Work::Program(program) => {
                    assert!(seen.insert(format!("program {}", program.name)));
                }
                Work::Skip { .. } => {}
            }
        }
    }
}

#[test]
fn moving_has_two_lines_in_the_log_of_the_tasks() {
    let tasks = made(&everything());
    let moves = tasks.iter().filter(|task| task.group == Group::HistoryDb);
    assert_eq!(moves.count(), 2);
}

#[test]
fn with_everything_off_only_what_needs_no_setting_is_done() {
    let zeros = HousekeepingSettings {
        days_purge: Some(0),
        event_purge: Some(0),
        delete_disabled_agents: Some(0),
        days_delete_unknown: Some(0),
        num_past_special_days: Some(0),
        ..HousekeepingSettings::default()
    };
    for settings in [HousekeepingSettings::default(), zeros] {
        let tasks = made(&settings);
        let busy: Vec<&str> = tasks
            .iter()
            .filter(|task| {
                task.work
                    .iter()
                    .any(|work| !matches!(work, Work::Skip { .. }))
            })
            .map(|task| task.id.as_str())
            .collect();
        assert_eq!(
            busy,
            [
                "extended_sessions",
                "service_elements",
                "pending_modules_data",
                "pending_modules",
                "access_data",
                "report_modules",
                "report_agents",
                "report_empty",
                "graph_sources",
                "caches",
                "missing_status",
                "missing_module",
                "empty_aliases",
                "group_stat",
                "orphan_alerts",
                "orphan_modules",
                "orphan_status",
                "orphan_increments",
                "orphan_references",
            ]
        );
        assert_eq!(skipped(&tasks, "events").unwrap(), "event_purge is not set");
    }
}

#[test]
fn days_are_days() {
    let tasks = made(&everything());
    for (id, table, days) in [
        ("numeric_data", "tagente_datos", 30),
        ("strings", "tagente_datos_string", 6),
        ("events", "tevento", 7),
        ("audit", "tsesion", 8),
        ("traps", "ttrap", 9),
        ("gis", "tgis_data_history", 10),
        ("inventory", "tagente_datos_inventory", 11),
        ("messages", "tmensajes", 16),
        ("access_data", "tagent_access", 1),
    ] {
        let [Work::Retention(rule)] = work(&tasks, id) else {
            panic!("{id} is no retention")
        };
        assert_eq!(
            (rule.name.as_str(), rule.keep),
            (table, Retention::Days(days))
        );
    }
    // Agents: 86 400 seconds a day, where the incumbent takes 8 600.
    for (id, days) in [("disabled_agents", 12), ("autodisabled_agents", 13)] {
        let [Work::Sweep(rule)] = work(&tasks, id) else {
            panic!("{id} is no sweep")
        };
        let age = rule.when.iter().find_map(|condition| match condition {
            Condition::Older(age) => Some(age.keep),
            _ => None,
        });
        assert_eq!(age.unwrap().as_secs(), days * 86_400);
    }
}

/// On 3 November with five days, the incumbent computes 20261098 and deletes nothing.
#[test]
fn special_days_are_counted_on_the_calendar() {
    let tasks = made(&everything());
    let [Work::Retention(rule)] = work(&tasks, "special_days") else {
        panic!("no retention")
    };
    let TimeUnit::Date(zone) = &rule.unit else {
        panic!("{:?}", rule.unit)
    };
    assert_eq!(zone.iana_name(), Some("Europe/Madrid"));
    let cutoff = rule.unit.days_before(now(), 5).unwrap().value;
    assert_eq!(
        cutoff,
        Scalar::from("2026-10-29"),
        "the 28th goes, the 29th stays"
    );
}

#[test]
fn a_missing_status_is_not_initialised_and_not_critical() {
    let tasks = made(&everything());
    let [Work::Sweep(rule)] = work(&tasks, "missing_status") else {
        panic!("no sweep")
    };
    let Act::Insert { into, values, .. } = &rule.act else {
        panic!("{:?}", rule.act)
    };
    assert_eq!(into, "tagente_estado");
    let state = values.iter().find(|(column, _)| column == "estado");
    let four = elpis_maint_core::sweep::Expr::Value(Scalar::Int(4));
    assert_eq!(state.map(|(_, value)| value), Some(&four));
}

#[test]
fn reports_of_a_metaconsole_are_left_alone() {
    let settings = HousekeepingSettings {
        metaconsole: true,
        ..everything()
    };
    let tasks = made(&settings);
    for id in ["report_modules", "report_agents", "report_empty"] {
        assert!(skipped(&tasks, id).unwrap().contains("metaconsole"));
    }
    let touched = tasks
        .iter()
        .flat_map(|task| &task.work)
        .any(|work| match work {
            Work::Sweep(rule) => {
                rule.table.starts_with("treport")
                    || rule.table == "tlayout_data"
                    || rule.name == "graph_sources/modules"
            }
            _ => false,
        });
    assert!(!touched);
}

/// Reports on moved data need the downtimes of their time.
#[test]
fn downtimes_stay_as_long_as_data_of_their_time() {
    let kept = |own: Option<u32>, history_keeps: HistoryKeeps| {
        let settings = HousekeepingSettings {
            days_purge: own,
            history_keeps,
            ..everything()
        };
        match work(&made(&settings), "planned_downtimes") {
            [Work::Retention(rule)] => Ok(rule.keep),
            [Work::Skip { why }] => Err(why.clone()),
            other => panic!("{other:?}"),
        }
    };
    let days = |days| Ok(Retention::Days(days));
    assert_eq!(kept(Some(30), HistoryKeeps::Nothing), days(30));
    assert_eq!(kept(Some(30), HistoryKeeps::Days(180)), days(180));
    assert_eq!(kept(Some(30), HistoryKeeps::Days(10)), days(30));
    let refused = HistoryKeeps::Unknown {
        why: "connection refused".to_owned(),
    };
    let why = kept(Some(30), refused.clone()).unwrap_err();
    assert!(why.contains("connection refused"), "{why}");
    let why = kept(Some(30), HistoryKeeps::Everything).unwrap_err();
    assert!(why.contains("days_purge"), "{why}");
    for keeps in [HistoryKeeps::Days(180), HistoryKeeps::Everything, refused] {
        let why = kept(None, keeps).unwrap_err();
        assert_eq!(why, "days_purge is not set");
    }
}

#[test]
fn the_history_database_has_its_tasks_in_the_order_of_a_run() {
    let lines = |keep: &HistoryRetention| -> Vec<(String, String, usize)> {
        let tasks = history_catalogue(keep, &TimeZone::UTC, None).into_iter();
        let lines = tasks.map(|task| (task.id, task.title, task.work.len()));
        lines.collect()
    };
    let ids = |keep: &HistoryRetention| -> Vec<String> {
        lines(keep).into_iter().map(|(id, ..)| id).collect()
    };
    let off = HistoryRetention::default();
    let on = HistoryRetention {
        compaction: CompactionSettings {
            days: Some(120),
            step_hours: 1,
        },
        ..HistoryRetention::default()
    };
    let order = [
        "history_purge_data",
        "history_purge_strings",
        "history_purge_events",
        "history_purge_traps",
        "history_compact",
    ];
    assert_eq!(ids(&off), order);
    assert_eq!(ids(&on), order);
    // Announced, and done by a job of its own; or skipped, with the token.
    let title = "Compacting data in the history DB (More than 120 days).";
    assert_eq!(lines(&on)[4].1, title);
    assert_eq!(lines(&on)[4].2, 0);
    let tasks = history_catalogue(&off, &TimeZone::UTC, None);
    let [Work::Skip { why }] = &tasks[4].work[..] else {
        panic!("{:?}", tasks[4]);
    };
    assert!(why.starts_with("days_compact is not set"), "{why}");
}
