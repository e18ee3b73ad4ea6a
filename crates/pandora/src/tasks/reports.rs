//! Contents of reports that show what is gone.

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Condition, Relation, SweepRule};

use super::HousekeepingSettings;
use super::words::{AGENT, MODULE, OrNone, delete, is, orphans, skip, task};

const CONTENT: &str = "treport_content";

/// On a metaconsole the modules and agents of reports live in other databases.
fn elsewhere(s: &HousekeepingSettings) -> Option<Vec<Work>> {
    s.metaconsole
        .then(|| skip("this is a metaconsole, whose reports show modules of other databases"))
}

fn module_rules(prefix: &str) -> Vec<SweepRule> {
    [
        ("treport_content_sla_combined", OrNone::Never),
        ("treport_content_item", OrNone::Never),
        (CONTENT, OrNone::Allowed),
    ]
    .map(|(table, or_none)| {
        let name = format!("{prefix}/{table}");
        orphans(&name, (table, "id_agent_module"), MODULE, or_none)
    })
    .into()
}

fn agent_rule(name: &str) -> SweepRule {
    orphans(name, (CONTENT, "id_agent"), AGENT, OrNone::Allowed)
}

/// Contents of these kinds show nothing without these rows of theirs.
fn empty_rules(prefix: &str) -> Vec<SweepRule> {
    [
        ("SLA", "treport_content_sla_combined"),
        ("exception", "treport_content_item"),
    ]
    .map(|(kind, items)| {
        let item = Relation::to("id_rc", items, "id_report_content");
        let when = vec![Condition::Own(is("type", kind)), Condition::Missing(item)];
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
