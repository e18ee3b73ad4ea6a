//! What belongs to a module and to an agent.
//!
//! The product declares foreign keys for some of it only. Tables that an edition lacks do not
//! matter here; rows of tables without an index on the reference are left to the searches for
//! orphans, which walk these tables in bounded steps. So are contents of reports, whose kind tells
//! whether their number is a module's at all.

use elpis_maint_core::sweep::Dependent;

fn of_module(table: &str, column: &str) -> Dependent {
    Dependent::new(table, column, "id_agente_modulo")
}

fn of_agent(table: &str, column: &str) -> Dependent {
    Dependent::new(table, column, "id_agente")
}

/// The values of a module. Large tables first: a step that is full goes no further.
pub(super) fn module_data() -> Vec<Dependent> {
    [
        "tagente_datos",
        "tagente_datos_string",
        "tagente_datos_log4x",
        "tagente_datos_inc",
    ]
    .map(|table| of_module(table, "id_agente_modulo"))
    .into()
}

/// Everything that belongs to a module.
pub(super) fn of_modules() -> Vec<Dependent> {
    let mut all = module_data();
    all.extend([
        of_module("tagente_estado", "id_agente_modulo"),
        of_module("talert_template_modules", "id_agent_module"),
        of_module("ttag_module", "id_agente_modulo"),
        of_module("tplanned_downtime_modules", "id_agent_module"),
        of_module("tservice_element", "id_agente_modulo"),
        of_module("tgraph_source", "id_agent_module"),
        of_module("tlayout_data", "id_agente_modulo"),
        of_module("tevento", "id_agentmodule"),
    ]);
    all
}

/// Everything that belongs to an agent.
pub(super) fn of_agents() -> Vec<Dependent> {
    let inventory = Dependent::new(
        "tagente_datos_inventory",
        "id_agent_module_inventory",
        "id_agent_module_inventory",
    );
    vec![
        of_agent("tagente_modulo", "id_agente").with(of_modules()),
        of_agent("tagent_module_inventory", "id_agente").with(vec![inventory]),
        of_agent("tevento", "id_agente"),
        of_agent("tagent_access", "id_agent"),
        of_agent("tgis_data_history", "tagente_id_agente"),
        of_agent("taddress_agent", "id_agent"),
        of_agent("tplanned_downtime_agents", "id_agent"),
        of_agent("tpolicy_agents", "id_agent"),
        of_agent("tservice_element", "id_agent"),
        of_agent("tlayout_data", "id_agent"),
    ]
}
