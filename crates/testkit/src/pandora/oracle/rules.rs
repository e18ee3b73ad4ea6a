//! The tasks in the manual's order, as statements that nobody would run on a large table.

use super::belongings::{GRAPH_MODULES, LEFT_BEHIND, REPORT_AGENTS, REPORT_EMPTY, REPORT_MODULES};
use super::{Marks, Rule, Statements};

const fn rule(task: &'static str, statements: Statements) -> Rule {
    Rule {
        task,
        marks: Marks::Nothing,
        statements: &[],
        then: statements,
    }
}

const fn deleting(task: &'static str, marks: Marks) -> Rule {
    Rule {
        task,
        marks,
        statements: &[],
        then: &[],
    }
}

/// Every task that changes rows. Children follow their parents in statements of their own, since
/// the copy has no foreign keys. 0 stands for *none* in many references.
pub const RULES: &[Rule] = &[
    rule(
        "extended_sessions",
        &[
            (
                "tsesion_extended",
                "DELETE FROM `tsesion_extended` WHERE id_sesion IN
          (SELECT id_sesion FROM `tsesion` WHERE utimestamp < {now} - {audit_purge} * 86400)",
            ),
            (
                "tsesion_extended",
                "DELETE FROM `tsesion_extended` WHERE id_sesion NOT IN (SELECT id_sesion FROM `tsesion`)",
            ),
        ],
    ),
    rule(
        "inventory",
        &[(
            "tagente_datos_inventory",
            "DELETE FROM `tagente_datos_inventory` WHERE utimestamp < {now} - {inventory_purge} * 86400",
        )],
    ),
    rule(
        "numeric_data",
        &[(
            "tagente_datos",
            "DELETE FROM `tagente_datos` WHERE utimestamp < {now} - {days_purge} * 86400",
        )],
    ),
    rule(
        "export_data",
        &[(
            "tserver_export_data",
            "DELETE FROM `tserver_export_data`
         WHERE `timestamp` < FROM_UNIXTIME({now} - {days_purge} * 86400)",
        )],
    ),
    rule(
        "php_sessions",
        &[
            (
                "tsessions_php",
                "DELETE FROM `tsessions_php` WHERE last_active < {now} - {session_timeout} * 60",
            ),
            (
                "tsessions_php",
                "DELETE FROM `tsessions_php`
          WHERE {session_timeout} AND (data IS NULL OR id_session LIKE 'cron-%')",
            ),
        ],
    ),
    rule(
        "log4x",
        &[(
            "tagente_datos_log4x",
            "DELETE FROM `tagente_datos_log4x` WHERE utimestamp < {now} - {days_purge} * 86400",
        )],
    ),
    rule(
        "strings",
        &[(
            "tagente_datos_string",
            "DELETE FROM `tagente_datos_string` WHERE utimestamp < {now} - {string_purge} * 86400",
        )],
    ),
    rule(
        "events",
        &[
            (
                "tevento",
                "DELETE FROM `tevento` WHERE utimestamp < {now} - {event_purge} * 86400",
            ),
            (
                "tevent_extended",
                "DELETE FROM `tevent_extended` WHERE {event_purge}
          AND id_evento NOT IN (SELECT id_evento FROM `tevento`)",
            ),
            (
                "tevent_comment",
                "DELETE FROM `tevent_comment` WHERE {event_purge}
          AND id_event NOT IN (SELECT id_evento FROM `tevento`)",
            ),
        ],
    ),
    rule(
        "audit",
        &[(
            "tsesion",
            "DELETE FROM `tsesion` WHERE utimestamp < {now} - {audit_purge} * 86400",
        )],
    ),
    rule(
        "traps",
        &[(
            "ttrap",
            "DELETE FROM `ttrap` WHERE `timestamp` < FROM_UNIXTIME({now} - {trap_purge} * 86400)",
        )],
    ),
    rule(
        "policy_queue",
        &[(
            "tpolicy_queue",
            "DELETE FROM `tpolicy_queue` WHERE end_utimestamp > 0
         AND end_utimestamp < {now} - {days_purge} * 86400",
        )],
    ),
    rule(
        "service_elements",
        &[(
            "tservice_element",
            "DELETE FROM `tservice_element` WHERE id_server_meta = 0 AND (
           (id_agente_modulo <> 0
            AND id_agente_modulo NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`))
           OR (id_agent <> 0 AND id_agent NOT IN (SELECT id_agente FROM `tagente`))
           OR (id_service_child <> 0 AND id_service_child NOT IN (SELECT id FROM `tservice`))
           OR id_service NOT IN (SELECT id FROM `tservice`))",
        )],
    ),
    rule(
        "gis",
        &[(
            "tgis_data_history",
            "DELETE FROM `tgis_data_history`
         WHERE UNIX_TIMESTAMP(end_timestamp) < {now} - {gis_purge} * 86400",
        )],
    ),
    rule(
        "pending_modules_data",
        &[
            (
                "tagente_datos",
                "DELETE FROM `tagente_datos` WHERE id_agente_modulo NOT IN
          (SELECT id_agente_modulo FROM `tagente_modulo` WHERE delete_pending = 0)",
            ),
            (
                "tagente_datos_string",
                "DELETE FROM `tagente_datos_string` WHERE id_agente_modulo NOT IN
          (SELECT id_agente_modulo FROM `tagente_modulo` WHERE delete_pending = 0)",
            ),
            (
                "tagente_datos_log4x",
                "DELETE FROM `tagente_datos_log4x` WHERE id_agente_modulo NOT IN
          (SELECT id_agente_modulo FROM `tagente_modulo` WHERE delete_pending = 0)",
            ),
            (
                "tagente_datos_inc",
                "DELETE FROM `tagente_datos_inc` WHERE id_agente_modulo IN
          (SELECT id_agente_modulo FROM `tagente_modulo` WHERE delete_pending = 1)",
            ),
            (
                "tagente_datos_inventory",
                "DELETE FROM `tagente_datos_inventory` WHERE id_agent_module_inventory NOT IN
          (SELECT id_agent_module_inventory FROM `tagent_module_inventory`)",
            ),
        ],
    ),
    deleting(
        "pending_modules",
        Marks::Modules("SELECT id_agente_modulo FROM `tagente_modulo` WHERE delete_pending = 1"),
    ),
    rule(
        "access_data",
        &[(
            "tagent_access",
            "DELETE FROM `tagent_access` WHERE utimestamp < {now} - 86400",
        )],
    ),
    rule("report_modules", REPORT_MODULES),
    rule("report_agents", REPORT_AGENTS),
    rule("report_empty", REPORT_EMPTY),
    deleting(
        "disabled_agents",
        Marks::Agents(
            "SELECT id_agente FROM `tagente` WHERE disabled = 1 AND disabled_by_downtime = 0 AND modo <> 2
             AND ultimo_contacto < FROM_UNIXTIME({now} - {delete_disabled_agents} * 86400)",
        ),
    ),
    deleting(
        "autodisabled_agents",
        Marks::Agents(
            "SELECT id_agente FROM `tagente` WHERE disabled = 1 AND disabled_by_downtime = 0 AND modo = 2
             AND ultimo_contacto < FROM_UNIXTIME({now} - {days_autodisable_deletion} * 86400)",
        ),
    ),
    rule(
        "special_days",
        &[(
            "talert_special_days",
            "DELETE FROM `talert_special_days` WHERE YEAR(`date`) > 1
         AND `date` < DATE(FROM_UNIXTIME({now})) - INTERVAL {num_past_special_days} DAY",
        )],
    ),
    rule(
        "planned_downtimes",
        &[
            (
                "tplanned_downtime",
                "DELETE FROM `tplanned_downtime` WHERE type_execution = 'once'
          AND date_to < {now} - {days_purge} * 86400",
            ),
            (
                "tplanned_downtime_agents",
                "DELETE FROM `tplanned_downtime_agents`
          WHERE id_downtime NOT IN (SELECT id FROM `tplanned_downtime`)",
            ),
            (
                "tplanned_downtime_modules",
                "DELETE FROM `tplanned_downtime_modules`
          WHERE id_downtime NOT IN (SELECT id FROM `tplanned_downtime`)",
            ),
        ],
    ),
    rule(
        "messages",
        &[
            (
                "tmensajes",
                "DELETE FROM `tmensajes` WHERE `timestamp` < {now} - {delete_old_messages} * 86400",
            ),
            (
                "tnotification_user",
                "DELETE FROM `tnotification_user`
          WHERE id_mensaje NOT IN (SELECT id_mensaje FROM `tmensajes`)",
            ),
            (
                "tnotification_group",
                "DELETE FROM `tnotification_group`
          WHERE id_mensaje NOT IN (SELECT id_mensaje FROM `tmensajes`)",
            ),
        ],
    ),
    rule(
        "graph_sources",
        &[
            (
                "tgraph_source",
                "DELETE FROM `tgraph_source` WHERE id_graph NOT IN (SELECT id_graph FROM `tgraph`)",
            ),
            ("tgraph_source", GRAPH_MODULES),
        ],
    ),
    rule(
        "caches",
        &[(
            "tvisual_console_elements_cache",
            "DELETE FROM `tvisual_console_elements_cache`
         WHERE UNIX_TIMESTAMP(created_at) + expiration < {now}",
        )],
    ),
    rule(
        "network_configuration",
        &[(
            "tncm_agent_data",
            "DELETE FROM `tncm_agent_data` WHERE updated_at < {now} - {days_purge} * 86400",
        )],
    ),
    deleting(
        "not_init",
        Marks::Counted(
            "SELECT m.id_agente_modulo FROM `tagente_modulo` AS m
             JOIN `tagente` AS a ON a.id_agente = m.id_agente
             JOIN `tagente_estado` AS e ON e.id_agente_modulo = m.id_agente_modulo
             WHERE {delete_notinit} AND m.disabled = 0 AND a.disabled = 0 AND e.estado = 4
               AND m.id_policy_module = 0 AND m.module_interval <= 86400 AND a.intervalo <= 86400
               AND m.cron_interval IN ('', '* * * * *')
               AND e.last_status_change < {now} - 86400
               AND 1 > (SELECT SUM(o.estado <> 4) FROM `tagente_estado` AS o WHERE o.id_agente_modulo = m.id_agente_modulo)",
        ),
    ),
    deleting(
        "old_not_init",
        Marks::Counted(
            "SELECT m.id_agente_modulo FROM `tagente_modulo` AS m
             JOIN `tagente_estado` AS e ON e.id_agente_modulo = m.id_agente_modulo
             JOIN `tagente` AS a ON a.id_agente = m.id_agente
             WHERE {delete_notinit} AND m.disabled = 0 AND a.disabled = 0 AND e.estado IN (4, 5)
               AND m.id_policy_module = 0 AND (e.last_status_change > 0
                 OR m.module_interval <= 86400 AND a.intervalo <= 86400 AND m.cron_interval IN ('', '* * * * *'))
               AND e.utimestamp < {now} - {days_delete_not_initialized} * 86400
               AND e.last_status_change < {now} - {days_delete_not_initialized} * 86400
               AND 1 > (SELECT SUM(o.estado NOT IN (4, 5)) FROM `tagente_estado` AS o WHERE o.id_agente_modulo = m.id_agente_modulo)",
        ),
    ),
    deleting(
        "unknown",
        Marks::Counted(
            "SELECT m.id_agente_modulo FROM `tagente_modulo` AS m
             JOIN `tagente` AS a ON a.id_agente = m.id_agente AND a.disabled = 0
             JOIN `tagente_estado` AS e ON e.id_agente_modulo = m.id_agente_modulo
             WHERE m.disabled = 0 AND e.estado = 3 AND m.id_policy_module = 0
               AND e.utimestamp < {now} - {days_delete_unknown} * 86400
               AND 1 > (SELECT SUM(o.estado <> 3) FROM `tagente_estado` AS o WHERE o.id_agente_modulo = m.id_agente_modulo)",
        ),
    ),
    rule(
        "missing_status",
        &[(
            "tagente_estado",
            "INSERT INTO `tagente_estado` (id_agente_modulo, id_agente, datos, last_status_change,
           estado, known_status, last_status, last_known_status)
         SELECT id_agente_modulo, id_agente, '', {now}, 4, 4, 4, 4
         FROM `tagente_modulo` AS m
         WHERE delete_pending = 0 AND id_agente IN (SELECT id_agente FROM `tagente`)
           AND id_agente_modulo NOT IN (SELECT id_agente_modulo FROM `tagente_estado`)",
        )],
    ),
    rule(
        "missing_module",
        &[(
            "tagente_estado",
            "DELETE FROM `tagente_estado`
         WHERE id_agente_modulo NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
        )],
    ),
    rule(
        "empty_aliases",
        &[(
            "tagente",
            "UPDATE `tagente` SET alias = nombre WHERE alias = ''",
        )],
    ),
    rule(
        "group_stat",
        &[(
            "tgroup_stat",
            "DELETE FROM `tgroup_stat` WHERE utimestamp < {now} - 86400
         OR (id_group <> 0 AND id_group NOT IN (SELECT id_grupo FROM `tgrupo`))",
        )],
    ),
    rule(
        "orphan_alerts",
        &[
            (
                "talert_template_modules",
                "DELETE FROM `talert_template_modules`
          WHERE id_agent_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
            ),
            (
                "talert_template_module_actions",
                "DELETE FROM `talert_template_module_actions`
          WHERE id_alert_template_module NOT IN (SELECT id FROM `talert_template_modules`)",
            ),
        ],
    ),
    deleting(
        "orphan_modules",
        Marks::Modules(
            "SELECT id_agente_modulo FROM `tagente_modulo`
             WHERE id_agente NOT IN (SELECT id_agente FROM `tagente`)",
        ),
    ),
    rule(
        "orphan_status",
        &[(
            "tagente_estado",
            "DELETE FROM `tagente_estado`
         WHERE id_agente_modulo NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
        )],
    ),
    rule(
        "orphan_increments",
        &[(
            "tagente_datos_inc",
            "DELETE FROM `tagente_datos_inc`
         WHERE id_agente_modulo NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
        )],
    ),
    Rule {
        statements: &[REPORT_MODULES, REPORT_AGENTS, REPORT_EMPTY],
        ..rule("orphan_references", LEFT_BEHIND)
    },
    rule(
        "discovery_tasks",
        &[(
            "trecon_task",
            "UPDATE `trecon_task` SET id_recon_server = 2 WHERE id_recon_server NOT IN (SELECT 0 UNION
         SELECT id_server FROM `tserver` WHERE status <> -1 OR keepalive >= FROM_UNIXTIME({now} - 86400))",
        )],
    ),
];
