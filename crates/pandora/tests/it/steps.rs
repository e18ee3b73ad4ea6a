//! The same as in `bounded` with chunks of three rows, so that tasks with few rows, and what hangs
//! on one row, would be seen to exceed them too.

use std::collections::BTreeMap;

use elpis_maint_core::housekeeping::{HousekeepingReport, PartReport};
use elpis_pandora::{HistoryRetention, history_catalogue};
use elpis_testkit::pandora::oracle::Oracle;
use elpis_testkit::pandora::{Installation, QUICK};
use elpis_testkit::{Database, MariaDb, Recorded};
use jiff::tz::TimeZone;

use crate::support::{Ask, logged};

/// Rows of a chunk.
const ROWS: u64 = 3;

/// Tasks without a statement that changes rows: they run programs, are switched off here, or are
/// done by other means.
const NO_ROWS: [&str; 7] = [
    "netflow",
    "sflow",
    "log_data",
    "history_data",
    "history_events",
    "snmp_modules",
    "dynamic_limits",
];

/// More than a chunk of everything that the installation has less of: agents of both kinds that are
/// to go, modules without values, of unknown state and without one; and of all that hangs on one module, agent,
/// downtime, message, event or part of a report that goes; and of what points at nothing.
const MORE: &str = "
SET foreign_key_checks = 0, sql_mode = '';
UPDATE tagente SET disabled = 1, modo = 1, ultimo_contacto = '2000-01-01 00:00:00'
  WHERE id_agente BETWEEN 5041 AND 5044;
UPDATE tagente SET disabled = 1, modo = 2, ultimo_contacto = '2000-01-01 00:00:00'
  WHERE id_agente BETWEEN 5045 AND 5048;
UPDATE tagente_estado SET estado = 4, utimestamp = 0 WHERE id_agente_modulo BETWEEN 478 AND 484;
UPDATE tagente_estado SET estado = 3, utimestamp = 0 WHERE id_agente_modulo BETWEEN 488 AND 494;
DELETE FROM tagente_estado WHERE id_agente_modulo BETWEEN 510 AND 515;
UPDATE tagente_modulo SET parent_module_id = 5900000 WHERE id_agente_modulo BETWEEN 500 AND 505;
UPDATE tagente SET cascade_protection_module = 5900001, safe_mode_module = 5900001
  WHERE id_agente BETWEEN 1 AND 5;

SELECT MIN(id_agente_modulo) INTO @module FROM tagente_modulo WHERE delete_pending = 1;
INSERT INTO tagente_estado (id_agente_modulo) SELECT @module FROM seq_1_to_5;
INSERT INTO tevento (id_agentmodule, utimestamp) SELECT @module, {now} FROM seq_1_to_5;
INSERT INTO talert_template_modules (id_agent_module, id_alert_template)
  SELECT @module, 10 + seq FROM seq_1_to_5;
INSERT INTO talert_template_module_actions (id_alert_template_module, id_alert_action)
  SELECT LAST_INSERT_ID(), seq FROM seq_1_to_5;
INSERT INTO ttag_module (id_tag, id_agente_modulo) SELECT 10 + seq, @module FROM seq_1_to_5;
INSERT INTO tmodule_synth (id_agent_module_source, id_agent_module_target)
  SELECT seq, @module FROM seq_1_to_5;
INSERT INTO tmodule_relationship (module_a, module_b) SELECT @module, 1 FROM seq_1_to_5;
INSERT INTO tmodule_relationship (module_a, module_b) SELECT 1, @module FROM seq_1_to_5;
INSERT INTO tservice_element (id_service, id_agente_modulo) SELECT 1, @module FROM seq_1_to_5;

SELECT 5041 INTO @agent;
INSERT INTO taddress_agent (id_a, id_agent) SELECT seq, @agent FROM seq_1_to_5;
INSERT INTO tevento (id_agente, utimestamp) SELECT @agent, {now} FROM seq_1_to_5;
INSERT INTO tagent_module_inventory (id_agente, id_module_inventory)
  SELECT @agent, 1 FROM seq_1_to_5;
INSERT INTO tagente_datos_inventory (id_agent_module_inventory, data, utimestamp)
  SELECT LAST_INSERT_ID(), 'x;y', {now} FROM seq_1_to_5;
INSERT INTO tagent_custom_data (id_field, id_agent) SELECT 10 + seq, @agent FROM seq_1_to_5;
INSERT INTO tagent_secondary_group (id_agent, id_group) SELECT @agent, seq FROM seq_1_to_5;
INSERT INTO tgis_map_layer_groups (layer_id, group_id, agent_id)
  SELECT 1, 100 + seq, @agent FROM seq_1_to_5;
INSERT INTO tgis_map_layer_has_tagente SELECT 10 + seq, @agent FROM seq_1_to_5;
INSERT INTO tpolicy_group_agents (id_policy, id_agent) SELECT 1, @agent FROM seq_1_to_5;
INSERT INTO tncm_agent_data (id_agent, updated_at) SELECT @agent, {now} FROM seq_1_to_5;
INSERT INTO tncm_queue (id_agent) SELECT @agent FROM seq_1_to_5;
INSERT INTO tservice_element (id_service, id_agent) SELECT 1, @agent FROM seq_1_to_5;
INSERT INTO tagent_access SELECT @agent, {now} FROM seq_1_to_5;
INSERT INTO tipam_network (network, vrf) SELECT CONCAT('10.200.0.', seq), @agent FROM seq_1_to_5;

INSERT INTO tplanned_downtime_agents (id_agent, id_downtime) SELECT seq, 40 FROM seq_1_to_5;
INSERT INTO tplanned_downtime_modules (id_agent, id_agent_module, id_downtime)
  SELECT 1, 1, 40 FROM seq_1_to_5;
INSERT INTO tnotification_user SELECT 1100, CONCAT('user', seq), NULL FROM seq_1_to_5;
INSERT INTO tnotification_group SELECT 1100, 10 + seq FROM seq_1_to_5;
INSERT INTO tevent_extended (id_evento) SELECT 12 FROM seq_1_to_5;
INSERT INTO treport_content_item (id_report_content, id_agent_module) SELECT 21, 0 FROM seq_1_to_5;
INSERT INTO treport_content_sla_combined (id_report_content, id_agent_module)
  SELECT 21, 0 FROM seq_1_to_5;
INSERT INTO treport_content_item (id_report_content, id_agent_module)
  SELECT 62, 5600300 + seq FROM seq_1_to_5;
INSERT INTO tservice_element (id_service, id_agente_modulo)
  SELECT 1, 5800010 + seq FROM seq_1_to_5;
INSERT INTO tservice_element (id_service, id_agent) SELECT 1, 7200010 + seq FROM seq_1_to_5;
INSERT INTO tservice_element (id_service, id_service_child) SELECT 1, 900 + seq FROM seq_1_to_5;
INSERT INTO tservice_element (id_service) SELECT 78 FROM seq_1_to_5;
";

#[tokio::test]
async fn no_statement_of_any_task_exceeds_a_chunk_of_three_rows() {
    let server = MariaDb::recording_server(&QUICK);
    let installation = Installation {
        numeric: 1000,
        strings: 500,
        events: 1000,
        crowd: 20,
        audit: 200,
        traps: 200,
        gis: 200,
        export: 200,
        php_sessions: 200,
        ..Installation::small()
    };
    let db = installation.install_on(&server);
    db.sql(&MORE.replace("{now}", &installation.now.as_second().to_string()));
    let oracle = Oracle::new(&installation, &db);
    oracle.apply(&[]);
    let ask = Ask {
        rows: ROWS,
        orphans: 1.0,
        exact: false,
        ..Ask::default()
    };
    db.forget_recorded();
    let report = ask.run(&db).await;
    let mut seen = Seen::default();
    seen.add(&logged(&db));
    // Nothing was left out for being bounded.
    let differences = oracle.differences();
    assert!(differences.is_empty(), "{}", differences.join("\n"));

    // A second installation, where `missing_module` has not yet taken what is for `orphan_status`
    // as well, and whose tables serve as those of a history database.
    let other = installation.install_on(&server);
    other.forget_recorded();
    let only = Ask {
        only: vec!["orphan_status".to_owned()],
        ..ask.clone()
    };
    let alone = only.run(&other).await;
    let keep = HistoryRetention {
        days_purge: Some(30),
        string_purge: Some(7),
        event_purge: Some(7),
        trap_purge: Some(7),
        ..HistoryRetention::default()
    };
    let mut tasks = history_catalogue(&keep, &TimeZone::UTC, None);
    // Compaction there is a job of its own.
    tasks.retain(|task| task.id != "history_compact");
    assert_eq!(tasks.len(), 4);
    let plan = ask.plan_for(tasks, &other).await;
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let history = ask.carry_out(&plan, &other).await.unwrap();
    seen.add(&logged(&other));
    for (table, days) in [
        ("tagente_datos", 30),
        ("tagente_datos_string", 7),
        ("tevento", 7),
    ] {
        assert_eq!(
            old_rows(&other, table, &installation, days),
            0,
            "{table} of the history"
        );
    }

    // Every task met more rows than a chunk has, so that one that takes all at once is seen.
    let mut idle = tasks_below(&report, ROWS);
    idle.retain(|task| !NO_ROWS.contains(&task.as_str()) && task != "orphan_status");
    idle.extend(tasks_below(&alone, ROWS));
    idle.extend(tasks_below(&history, ROWS));
    assert!(idle.is_empty(), "too few rows are due: {idle:?}");
    // And so did every kind of statement, each of which once came up against the limit.
    let few: Vec<String> = seen
        .kinds
        .iter()
        .filter(|(_, (most, sum))| *most < ROWS || *sum <= ROWS)
        .map(|(kind, (most, sum))| format!("{kind}: {most} of {sum}"))
        .collect();
    assert!(few.is_empty(), "{}", few.join("\n"));
    assert!(seen.kinds.len() > 60, "{:?}", seen.kinds);
}

/// What was recorded of statements that change rows: by verb, table and columns, the most
/// rows of one of them, and of all.
#[derive(Default)]
struct Seen {
    kinds: BTreeMap<String, (u64, u64)>,
}

impl Seen {
    fn add(&mut self, log: &[Recorded]) {
        for Recorded { affected, text, .. } in log {
            let short: String = text.chars().take(300).collect();
            assert!(*affected <= ROWS, "{affected} rows changed by {short}");
            let verb = text.split(' ').next().unwrap_or_default();
            if !["DELETE", "UPDATE", "INSERT"].contains(&verb) {
                assert_eq!(*affected, 0, "{short}");
                continue;
            }
            let mut kind = vec![verb];
            for name in text.split('`').skip(1).step_by(2) {
                if !kind.contains(&name) {
                    kind.push(name);
                }
            }
            let (most, sum) = self.kinds.entry(kind.join(" ")).or_default();
            *most = (*most).max(*affected);
            *sum += affected;
        }
    }
}

/// Tasks that changed `most` rows or fewer.
fn tasks_below(report: &HousekeepingReport, most: u64) -> Vec<String> {
    let changed = |part: &PartReport| match part {
        PartReport::Purge(part) => part.deleted,
        PartReport::Sweep(part) => part.changed,
        _ => 0,
    };
    let few = report.tasks.iter().filter_map(|task| {
        let sum: u64 = task.parts.iter().map(changed).sum();
        (sum <= most).then(|| task.id.clone())
    });
    few.collect()
}

/// Rows of a table that are older than `days`.
fn old_rows(db: &MariaDb, table: &str, installation: &Installation, days: i64) -> u64 {
    let limit = installation.now.as_second() - days * 86_400;
    db.number(&format!(
        "SELECT COUNT(*) FROM {table} WHERE utimestamp < {limit};"
    ))
}
