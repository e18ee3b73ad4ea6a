//! What is left of things that are gone.

use elpis_maint_core::TimeUnit;
use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Condition, Relation, SweepRule};

use super::hanging::of_modules;
use super::words::{AGENT, MODULE, OrNone, delete, forget, is, older, orphans, task};
use super::{HousekeepingSettings, reports};

/// Elements of this database's own services whose module, agent or service is gone. The table is
/// known from the paid edition only.
pub(super) fn service_elements() -> Task {
    let table = "tservice_element";
    let element = |column: &str, parent, or_none| {
        let name = format!("service_elements/{column}");
        let mut rule = orphans(&name, (table, column), parent, or_none);
        rule.when.push(Condition::Own(is("id_server_meta", 0)));
        Work::Sweep(rule)
    };
    let service = ("tservice", "id");
    let work = vec![
        element("id_agente_modulo", MODULE, OrNone::Allowed),
        element("id_agent", AGENT, OrNone::Allowed),
        element("id_service_child", service, OrNone::Allowed),
        element("id_service", service, OrNone::Never),
    ];
    let title = "Deleting invalid service elements...";
    task(Group::Enterprise, "service_elements", title, work)
}

/// Lines of graphs whose module is gone; those of other servers' modules are not for us to judge.
fn graph_rule(name: &str) -> SweepRule {
    let source = ("tgraph_source", "id_agent_module");
    let mut rule = orphans(name, source, MODULE, OrNone::Allowed);
    rule.when.push(Condition::Own(is("id_server", 0)));
    rule
}

pub(super) fn graph_sources(s: &HousekeepingSettings) -> Task {
    let (source, graph) = (("tgraph_source", "id_graph"), ("tgraph", "id_graph"));
    let lines = orphans("graph_sources/graphs", source, graph, OrNone::Never);
    let mut work = vec![Work::Sweep(lines)];
    if !s.metaconsole {
        work.push(Work::Sweep(graph_rule("graph_sources/modules")));
    }
    let title = "Deleting graph sources without graph or module.";
    task(Group::Purge, "graph_sources", title, work)
}

/// Checked rather than emptied: the figures of groups that are gone, and figures that nobody has
/// brought up to date for a day.
pub(super) fn group_statistics() -> Task {
    let table = "tgroup_stat";
    let group = ("tgrupo", "id_grupo");
    let gone = orphans(
        "group_stat/gone",
        (table, "id_group"),
        group,
        OrNone::Allowed,
    );
    let stale = older("utimestamp", TimeUnit::EpochSeconds, 1);
    let stale = vec![Condition::Older(stale)];
    let stale = delete("group_stat/stale", table, stale, Vec::new());
    let work = vec![Work::Sweep(gone), Work::Sweep(stale)];
    let title = "Cleaning up group stats.";
    task(Group::Integrity, "group_stat", title, work)
}

pub(super) fn orphan_alerts() -> Task {
    let alert = ("talert_template_modules", "id_agent_module");
    let rule = orphans("orphan_alerts", alert, MODULE, OrNone::Never);
    let work = vec![Work::Sweep(rule)];
    task(
        Group::Integrity,
        "orphan_alerts",
        "Deleting orphan alerts.",
        work,
    )
}

/// Modules whose agent is gone, with everything that belongs to them.
pub(super) fn orphan_modules() -> Task {
    let id = "orphan_modules";
    let agent = Relation::to("id_agente", AGENT.0, AGENT.1);
    let when = vec![Condition::Missing(agent)];
    let work = vec![Work::Sweep(delete(id, MODULE.0, when, of_modules()))];
    task(Group::Integrity, id, "Deleting orphan modules.", work)
}

/// The status of modules that are gone, also where the consistency check was not chosen.
pub(super) fn orphan_status() -> Task {
    let status = ("tagente_estado", "id_agente_modulo");
    let rule = orphans("orphan_status", status, MODULE, OrNone::Never);
    let work = vec![Work::Sweep(rule)];
    task(
        Group::Integrity,
        "orphan_status",
        "Deleting orphan module states.",
        work,
    )
}

/// By their module and never by age: the last value of each counter is what the next is
/// compared with.
pub(super) fn orphan_increments() -> Task {
    let increments = ("tagente_datos_inc", "id_agente_modulo");
    let rule = orphans("orphan_increments", increments, MODULE, OrNone::Never);
    let work = vec![Work::Sweep(rule)];
    let title = "Deleting orphan data increments.";
    task(Group::Integrity, "orphan_increments", title, work)
}

/// The event that a column points at.
const EVENT: (&str, &str) = ("tevento", "id_evento");

/// Settings of modules and agents that name a module: a parent, or the one whose failure silences the
/// agent.
const NAME_A_MODULE: [(&str, &str); 3] = [
    ("tagente_modulo", "parent_module_id"),
    ("tagente", "cascade_protection_module"),
    ("tagente", "safe_mode_module"),
];

/// What still points at modules and agents that are gone, in tables that cannot be searched by
/// them and so could not go with them, or by rows that stay and merely name one. On a metaconsole, what can show modules of other databases
/// is left alone.
pub(super) fn orphan_references(s: &HousekeepingSettings) -> Task {
    let id = "orphan_references";
    let mut references = vec![
        ("ttag_module", "id_agente_modulo", MODULE, OrNone::Never),
        (
            "tplanned_downtime_modules",
            "id_agent_module",
            MODULE,
            OrNone::Allowed,
        ),
        (
            "tplanned_downtime_agents",
            "id_agent",
            AGENT,
            OrNone::Allowed,
        ),
        ("taddress_agent", "id_agent", AGENT, OrNone::Never),
        // Where tables came without their foreign keys.
        ("tevent_extended", "id_evento", EVENT, OrNone::Never),
        ("tevent_comment", "id_event", EVENT, OrNone::Never),
    ];
    let mut rules = reports::left_behind(s, id);
    if !s.metaconsole {
        rules.push(graph_rule(&format!("{id}/tgraph_source")));
        references.push(("tlayout_data", "id_agente_modulo", MODULE, OrNone::Allowed));
        references.push(("tlayout_data", "id_agent", AGENT, OrNone::Allowed));
    }
    for (table, column, parent, or_none) in references {
        let name = format!("{id}/{table}.{column}");
        rules.push(orphans(&name, (table, column), parent, or_none));
    }
    for (table, column) in NAME_A_MODULE {
        let name = format!("{id}/{table}.{column}");
        rules.push(forget(&name, (table, column), MODULE));
    }
    let work = rules.into_iter().map(Work::Sweep).collect();
    let title = "Deleting references to deleted modules and agents.";
    task(Group::Integrity, id, title, work)
}
