//! Modules and agents that go, with everything that belongs to them.

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Act, Age, Condition, Mark, Relation, SweepRule};
use elpis_maint_core::{Filter, Scalar, Test, TimeUnit};
use jiff::tz::TimeZone;

use super::HousekeepingSettings;
use super::hanging::{module_data, of_agents, of_modules};
use super::words::{
    AGENT, MODULE, OrNone, compare, days, delete, is, is_not, off, older, orphans, skip, task,
};

/// States of a module (`tagente_estado.estado`).
const UNKNOWN: i64 = 3;
const NOT_INITIALISED: i64 = 4;
const NO_DATA: i64 = 5;

/// Seconds of a day.
const DAY: i64 = 86_400;

fn pending_deletion() -> Condition {
    Condition::Own(is("delete_pending", 1))
}

/// The values of modules that are to be deleted, and of modules that were deleted before, by
/// whomever: the tool that Elpis replaces leaves these until they are old.
pub(super) fn pending_data() -> Task {
    let pending = SweepRule {
        name: "pending_modules_data/pending".to_owned(),
        table: MODULE.0.to_owned(),
        when: vec![pending_deletion()],
        act: Act::Clear {
            dependents: module_data(),
        },
    };
    let mut work = vec![Work::Sweep(pending)];
    for table in [
        "tagente_datos",
        "tagente_datos_string",
        "tagente_datos_log4x",
    ] {
        let name = format!("pending_modules_data/{table}");
        let from = (table, "id_agente_modulo");
        work.push(Work::Sweep(orphans(&name, from, MODULE, OrNone::Never)));
    }
    let column = "id_agent_module_inventory";
    work.push(Work::Sweep(orphans(
        "pending_modules_data/tagente_datos_inventory",
        ("tagente_datos_inventory", column),
        ("tagent_module_inventory", column),
        OrNone::Never,
    )));
    let title = "Deleting pending delete modules (data table).";
    task(Group::Purge, "pending_modules_data", title, work)
}

pub(super) fn pending() -> Task {
    let when = vec![pending_deletion()];
    let rule = delete("pending_modules", MODULE.0, when, of_modules());
    let title = "Deleting pending delete modules (status, module table).";
    task(
        Group::Purge,
        "pending_modules",
        title,
        vec![Work::Sweep(rule)],
    )
}

/// The title of a task about agents without contact.
fn agents_title(kind: &str, token: Option<u32>) -> String {
    match days(token) {
        Some(days) => {
            format!("Delete {kind} agents where last contact is bigger than {days} days.")
        }
        None => format!("Delete {kind} agents where last contact is old."),
    }
}

/// Agents that are disabled and have not been heard of for so many days; `mode` tells those that
/// disabled themselves from the others.
fn silent_agents(id: &str, zone: &TimeZone, mode: Filter, days: u32) -> Vec<Work> {
    let contact = older("ultimo_contacto", TimeUnit::Datetime(zone.clone()), days);
    let when = vec![
        Condition::Own(is("disabled", 1)),
        // A planned downtime disables agents, and enables them again when it is over.
        Condition::IfKnown(is("disabled_by_downtime", 0)),
        Condition::Own(mode),
        Condition::Older(contact),
    ];
    vec![Work::Sweep(delete(id, AGENT.0, when, of_agents()))]
}

pub(super) fn disabled_agents(s: &HousekeepingSettings, zone: &TimeZone) -> Task {
    let (id, token) = ("disabled_agents", s.delete_disabled_agents);
    let work = match days(token) {
        Some(days) => silent_agents(id, zone, is_not("modo", 2), days),
        None => off("delete_disabled_agents"),
    };
    task(Group::Purge, id, agents_title("disabled", token), work)
}

pub(super) fn autodisabled_agents(s: &HousekeepingSettings, zone: &TimeZone) -> Task {
    let (id, token) = ("autodisabled_agents", s.days_autodisable_deletion);
    let work = match days(token) {
        Some(days) => silent_agents(id, zone, is("modo", 2), days),
        None => off("days_autodisable_deletion"),
    };
    task(Group::Purge, id, agents_title("autodisabled", token), work)
}

/// The console's figures of an agent, which its server counts anew when it is told to.
fn counted_anew() -> Mark {
    let yes = |column: &str| (column.to_owned(), Scalar::Int(1));
    Mark {
        table: AGENT.0.to_owned(),
        own: "id_agente".to_owned(),
        there: AGENT.1.to_owned(),
        values: vec![yes("update_module_count"), yes("update_alert_count")],
    }
}

/// Enabled modules of enabled agents in such a state, deleted with what belongs to them: nothing is
/// asked of a disabled agent, so that the state of its modules says nothing. Modules that a policy
/// has given an agent stay: the policy would find them missing. So does a module of which a second
/// row tells another state, as a server and a console that make the first one at the same time leave.
fn in_state(id: &str, states: &[i64], state: Relation, more: Vec<Condition>) -> Vec<Work> {
    let other = Test::NotIn(states.iter().copied().map(Scalar::Int).collect());
    let mut when = vec![
        Condition::Own(is("disabled", 0)),
        Condition::Own(is("delete_pending", 0)),
        Condition::IfKnown(is("id_policy_module", 0)),
        Condition::Present(Relation::to("id_agente", AGENT.0, AGENT.1).and(is("disabled", 0))),
        Condition::Present(state),
        Condition::Without(a_state(other)),
    ];
    when.extend(more);
    let act = Act::Delete {
        dependents: of_modules(),
        marks: vec![counted_anew()],
    };
    vec![Work::Sweep(SweepRule {
        name: id.to_owned(),
        table: MODULE.0.to_owned(),
        when,
        act,
    })]
}

/// The state itself is older than this; 0 if the product never changed it.
fn changed(days: u32) -> Age {
    older("last_status_change", TimeUnit::EpochSeconds, days)
}

fn state(states: &[i64]) -> Relation {
    a_state(Test::In(states.iter().copied().map(Scalar::Int).collect()))
}

fn a_state(test: Test) -> Relation {
    Relation::to(MODULE.1, "tagente_estado", "id_agente_modulo").and(Filter {
        column: "estado".to_owned(),
        test,
    })
}

/// Modules that are due at least once a day. Others may well have had no value yet, and nothing
/// tells when they were made.
fn often() -> Vec<Condition> {
    let every_run = ["", "* * * * *"].map(Scalar::from).to_vec();
    let agent = Relation::to("id_agente", AGENT.0, AGENT.1);
    vec![
        Condition::Own(compare("module_interval", "<=", DAY)),
        Condition::Own(Filter {
            column: "cron_interval".to_owned(),
            test: Test::In(every_run),
        }),
        Condition::Present(agent.and(compare("intervalo", "<=", DAY))),
    ]
}

pub(super) fn not_initialised(s: &HousekeepingSettings) -> Task {
    let (id, group) = ("not_init", Group::CheckDb);
    if !s.delete_notinit {
        let work = skip("delete_notinit is not 1");
        return task(group, id, "Ignoring not-init data.", work);
    }
    // The missing-status task writes this state too, and its modules get a day to start.
    let states = [NOT_INITIALISED];
    let state = state(&states).older(changed(1));
    let work = in_state(id, &states, state, often());
    task(group, id, "Deleting not-init data.", work)
}

pub(super) fn old_not_initialised(s: &HousekeepingSettings) -> Task {
    let (id, token) = ("old_not_init", s.days_delete_not_initialized);
    let work = match days(token) {
        None => off("days_delete_not_initialized"),
        Some(_) if !s.delete_notinit => skip("delete_notinit is not 1"),
        Some(days) => {
            let age = older("utimestamp", TimeUnit::EpochSeconds, days);
            let states = [NOT_INITIALISED, NO_DATA];
            let state = state(&states).older(age);
            let state = state.older(changed(days));
            let known = state.clone().and(compare("last_status_change", ">", 0));
            let mut work = in_state(&format!("{id}/often"), &states, state, often());
            let seldom = format!("{id}/seldom");
            work.extend(in_state(&seldom, &states, known, Vec::new()));
            work
        }
    };
    let title = modules_title("not initialized", token);
    task(Group::CheckDb, id, title, work)
}

pub(super) fn unknown(s: &HousekeepingSettings) -> Task {
    let (id, token) = ("unknown", s.days_delete_unknown);
    let work = match days(token) {
        None => off("days_delete_unknown"),
        Some(days) => {
            let age = older("utimestamp", TimeUnit::EpochSeconds, days);
            let states = [UNKNOWN];
            in_state(id, &states, state(&states).older(age), Vec::new())
        }
    };
    task(Group::CheckDb, id, modules_title("unknown", token), work)
}

fn modules_title(kind: &str, token: Option<u32>) -> String {
    match days(token) {
        Some(days) => format!("Deleting {kind} modules (More than {days} days)."),
        None => format!("Deleting {kind} modules."),
    }
}
