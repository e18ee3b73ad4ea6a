//! What belongs to modules and agents, and so goes with them: at once where the product can find
//! it by a key, at the end of a run where it must search for it.

use super::Statements;

/// Contents of these kinds, and their items, are none of the maintenance's business: what they call
/// a module or an agent is none, or not of this database.
macro_rules! spared {
    () => {
        "('SLA_services', 'custom_graph', 'sql_graph_vbar', 'sql_graph_hbar', 'sql_graph_pie',
          'database_serialized', 'sql', 'inventory', 'inventory_changes', 'netflow_area',
          'netflow_data', 'netflow_summary', 'netflow_top_N')"
    };
}

pub(super) const REPORT_MODULES: Statements = &[
    (
        "treport_content_item",
        concat!(
            "DELETE FROM `treport_content_item` WHERE id_agent_module <> 0
      AND id_agent_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)
      AND id_report_content NOT IN (SELECT id_rc FROM `treport_content` WHERE type IN ",
            spared!(),
            ")"
        ),
    ),
    (
        "treport_content_sla_combined",
        "DELETE FROM `treport_content_sla_combined` WHERE id_agent_module <> 0
      AND id_agent_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)
      AND id_report_content NOT IN
          (SELECT id_rc FROM `treport_content` WHERE type = 'SLA_services')",
    ),
    (
        "treport_content",
        concat!(
            "DELETE FROM `treport_content` WHERE id_agent_module <> 0
      AND id_agent_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)
      AND type NOT IN ",
            spared!()
        ),
    ),
    ("treport_content_item", REPORT_ITEMS),
    ("treport_content_sla_combined", REPORT_SLAS),
];
pub(super) const REPORT_AGENTS: Statements = &[
    (
        "treport_content",
        concat!(
            "DELETE FROM `treport_content` WHERE id_agent <> 0
      AND id_agent NOT IN (SELECT id_agente FROM `tagente`) AND type NOT IN ",
            spared!()
        ),
    ),
    ("treport_content_item", REPORT_ITEMS),
    ("treport_content_sla_combined", REPORT_SLAS),
];
pub(super) const REPORT_EMPTY: Statements = &[(
    "treport_content",
    "DELETE FROM `treport_content`
     WHERE type IN ('SLA', 'SLA_monthly', 'SLA_services') AND id_rc NOT IN
           (SELECT id_report_content FROM `treport_content_sla_combined`)
        OR type = 'exception' AND id_rc NOT IN
           (SELECT id_report_content FROM `treport_content_item`)",
)];
pub(super) const REPORT_ITEMS: &str = "DELETE FROM `treport_content_item`
    WHERE id_report_content NOT IN (SELECT id_rc FROM `treport_content`)";
pub(super) const REPORT_SLAS: &str = "DELETE FROM `treport_content_sla_combined`
    WHERE id_report_content NOT IN (SELECT id_rc FROM `treport_content`)";
pub(super) const GRAPH_MODULES: &str = "DELETE FROM `tgraph_source` WHERE id_agent_module <> 0
    AND id_agent_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)";
/// What points at modules and agents without a key, and is searched for once, at the end.
pub(super) const LEFT_BEHIND: Statements = &[
    ("tgraph_source", GRAPH_MODULES),
    (
        "ttag_module",
        "DELETE FROM `ttag_module`
      WHERE id_agente_modulo NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
    ),
    (
        "tplanned_downtime_modules",
        "DELETE FROM `tplanned_downtime_modules`
      WHERE id_agent_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
    ),
    (
        "tplanned_downtime_agents",
        "DELETE FROM `tplanned_downtime_agents`
      WHERE id_agent NOT IN (SELECT id_agente FROM `tagente`)",
    ),
    (
        "taddress_agent",
        "DELETE FROM `taddress_agent` WHERE id_agent NOT IN (SELECT id_agente FROM `tagente`)",
    ),
    (
        "tlayout_data",
        "DELETE FROM `tlayout_data` WHERE (id_agente_modulo <> 0
        AND id_agente_modulo NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`))
      OR (id_agent <> 0 AND id_agent NOT IN (SELECT id_agente FROM `tagente`))",
    ),
    (
        "tvisual_console_elements_cache",
        "DELETE FROM `tvisual_console_elements_cache`
      WHERE vc_item_id NOT IN (SELECT id FROM `tlayout_data`)",
    ),
    (
        "tagente_modulo",
        "UPDATE `tagente_modulo` AS m LEFT JOIN `tagente_modulo` AS parent
        ON parent.id_agente_modulo = m.parent_module_id
      SET m.parent_module_id = 0
      WHERE m.parent_module_id <> 0 AND parent.id_agente_modulo IS NULL",
    ),
    (
        "tagente",
        "UPDATE `tagente` SET cascade_protection_module = 0 WHERE cascade_protection_module <> 0
      AND cascade_protection_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
    ),
    (
        "tagente",
        "UPDATE `tagente` SET safe_mode_module = 0 WHERE safe_mode_module <> 0
      AND safe_mode_module NOT IN (SELECT id_agente_modulo FROM `tagente_modulo`)",
    ),
];

/// What belongs to a module and goes with it: table and column.
pub(super) const OF_MODULE: &[(&str, &str)] = &[
    ("tagente_datos", "id_agente_modulo"),
    ("tagente_datos_string", "id_agente_modulo"),
    ("tagente_datos_inc", "id_agente_modulo"),
    ("tagente_datos_log4x", "id_agente_modulo"),
    ("tagente_estado", "id_agente_modulo"),
    ("tevento", "id_agentmodule"),
    ("talert_template_modules", "id_agent_module"),
    ("ttag_module", "id_agente_modulo"),
    ("tmodule_synth", "id_agent_module_target"),
    ("tmodule_relationship", "module_a"),
    ("tmodule_relationship", "module_b"),
    ("tservice_element", "id_agente_modulo"),
    ("tagente_modulo", "id_agente_modulo"),
];

/// What belongs to an agent besides its modules, and goes with it.
pub(super) const OF_AGENT: &[(&str, &str)] = &[
    ("taddress_agent", "id_agent"),
    ("tevento", "id_agente"),
    ("tagent_module_inventory", "id_agente"),
    ("tagent_custom_data", "id_agent"),
    ("tagent_secondary_group", "id_agent"),
    ("tgis_data_status", "tagente_id_agente"),
    ("tgis_map_layer_groups", "agent_id"),
    ("tgis_map_layer_has_tagente", "tagente_id_agente"),
    ("tpolicy_group_agents", "id_agent"),
    ("tncm_agent", "id_agent"),
    ("tncm_agent_data", "id_agent"),
    ("tncm_queue", "id_agent"),
    ("tservice_element", "id_agent"),
    ("tagent_access", "id_agent"),
    ("tagente", "id_agente"),
];

/// What hangs on those, and goes as well: child, column, parent, key.
pub(super) const CHILDREN: &[(&str, &str, &str, &str)] = &[
    (
        "talert_template_module_actions",
        "id_alert_template_module",
        "talert_template_modules",
        "id",
    ),
    ("tevent_extended", "id_evento", "tevento", "id_evento"),
    ("tevent_comment", "id_event", "tevento", "id_evento"),
    (
        "tagente_datos_inventory",
        "id_agent_module_inventory",
        "tagent_module_inventory",
        "id_agent_module_inventory",
    ),
];
