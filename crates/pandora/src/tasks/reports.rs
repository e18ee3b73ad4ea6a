//! Contents of reports that show what is gone.

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Condition, Relation, SweepRule};

use super::HousekeepingSettings;
use super::words::{AGENT, MODULE, OrNone, delete, is, none_of, one_of, orphans, skip, task};

const CONTENT: &str = "treport_content";
const ITEM: &str = "treport_content_item";
const SLA: &str = "treport_content_sla_combined";

/// Kinds of contents whose numbers of modules and agents are no such numbers, or are those of
/// another installation (pandora_db.pl of 7.0NG.776 spares the same). They and their items stay.
const OTHERS: [&str; 13] = [
    "SLA_services",
    "custom_graph",
    "sql_graph_vbar",
    "sql_graph_hbar",
    "sql_graph_pie",
    "database_serialized",
    "sql",
    "inventory",
    "inventory_changes",
    "netflow_area",
    "netflow_data",
    "netflow_summary",
    "netflow_top_N",
];
/// The kind whose service levels are those of services: what its rows call a module is a service.
const OF_SERVICES: &str = "SLA_services";

/// On a metaconsole the modules and agents of reports live in other databases.
fn elsewhere(s: &HousekeepingSettings) -> Option<Vec<Work>> {
    s.metaconsole
        .then(|| skip("this is a metaconsole, whose reports show modules of other databases"))
}

/// Contents that point at nothing by `column`, unless they are of a kind that points elsewhere.
fn contents(name: &str, column: &str, parent: (&str, &str)) -> SweepRule {
    let mut rule = orphans(name, (CONTENT, column), parent, OrNone::Allowed);
    rule.when.push(Condition::Own(none_of("type", &OTHERS)));
    rule
}

/// Rows of `table`, which belong to contents, whose module is gone, unless the content is of one of
/// these kinds.
fn parts(name: &str, table: &str, kinds: &[&str]) -> SweepRule {
    let mut rule = orphans(name, (table, "id_agent_module"), MODULE, OrNone::Allowed);
    let spared = Relation::to("id_report_content", CONTENT, "id_rc").and(one_of("type", kinds));
    rule.when.push(Condition::Missing(spared));
    rule
}

fn module_rules(prefix: &str) -> Vec<SweepRule> {
    vec![
        parts(&format!("{prefix}/{SLA}"), SLA, &[OF_SERVICES]),
        parts(&format!("{prefix}/{ITEM}"), ITEM, &OTHERS),
        contents(&format!("{prefix}/{CONTENT}"), "id_agent_module", MODULE),
    ]
}

fn agent_rule(name: &str) -> SweepRule {
    contents(name, "id_agent", AGENT)
}

/// Contents of these kinds show nothing without these rows of theirs.
fn empty_rules(prefix: &str) -> Vec<SweepRule> {
    [
        ("SLA", SLA),
        ("SLA_monthly", SLA),
        (OF_SERVICES, SLA),
        ("exception", ITEM),
    ]
    .map(|(kind, items)| {
        let item = Relation::to("id_rc", items, "id_report_content");
        let when = vec![Condition::Own(is("type", kind)), Condition::Without(item)];
        delete(&format!("{prefix}/{kind}"), CONTENT, when, Vec::new())
    })
    .into()
}

pub(super) fn deleted_modules(s: &HousekeepingSettings) -> Task {
    let id = "report_modules";
    let rules = || module_rules(id).into_iter().map(Work::Sweep).collect();
    let work = elsewhere(s).unwrap_or_else(rules);
    let title = "Delete contents in report that have some deleted modules.";
    task(Group::Purge, id, title, work)
}

pub(super) fn deleted_agents(s: &HousekeepingSettings) -> Task {
    let id = "report_agents";
    let work = elsewhere(s).unwrap_or_else(|| vec![Work::Sweep(agent_rule(id))]);
    let title = "Delete contents in report that have some deleted agents.";
    task(Group::Purge, id, title, work)
}

pub(super) fn empty(s: &HousekeepingSettings) -> Task {
    let id = "report_empty";
    let rules = || empty_rules(id).into_iter().map(Work::Sweep).collect();
    let work = elsewhere(s).unwrap_or_else(rules);
    let title = "Delete empty contents in report (like SLA or Exception).";
    task(Group::Purge, id, title, work)
}

/// The same once more, for modules and agents that later tasks delete: nothing may be left for the
/// next run.
pub(super) fn left_behind(s: &HousekeepingSettings, task: &str) -> Vec<SweepRule> {
    if s.metaconsole {
        return Vec::new();
    }
    let prefix = format!("{task}/reports");
    let mut rules = module_rules(&prefix);
    rules.push(agent_rule(&format!("{prefix}/agents")));
    rules.extend(empty_rules(&prefix));
    rules
}
