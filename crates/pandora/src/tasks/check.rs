//! Rows that lack what belongs to them.

use std::time::Duration;

use elpis_maint_core::housekeeping::{Group, Task, Work};
use elpis_maint_core::sweep::{Act, Condition, Expr, Relation, SweepRule};
use elpis_maint_core::{Scalar, TimeUnit};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::HousekeepingSettings;
use super::words::{
    AGENT, MODULE, OrNone, is, is_not, older, orphans, points_somewhere, skip, task,
};

/// The state of a module that has had no value yet.
const NOT_INITIALISED: i64 = 4;
/// The console adds the module first and its status right after it.
const SETTLE: Duration = Duration::from_secs(2);

/// Modules that stay get a status: *not initialised*, not *critical* as the tool that Elpis
/// replaces writes it. Modules that are to be deleted, or whose agent is gone, get none.
///
/// When the status was given to them stands in it, so that tasks that delete modules without
/// values let these start first.
pub(super) fn missing_status(now: Timestamp) -> Task {
    let copy = |column: &str, from: &str| (column.to_owned(), Expr::Column(from.to_owned()));
    let state = |column: &str| {
        let state = Expr::Value(Scalar::Int(NOT_INITIALISED));
        (column.to_owned(), state)
    };
    let rule = SweepRule {
        name: "missing_status".to_owned(),
        table: MODULE.0.to_owned(),
        when: vec![
            Condition::Own(is("delete_pending", 0)),
            Condition::Present(Relation::to("id_agente", AGENT.0, AGENT.1)),
            Condition::Missing(Relation::to(MODULE.1, "tagente_estado", MODULE.1)),
        ],
        act: Act::Insert {
            into: "tagente_estado".to_owned(),
            values: vec![
                copy("id_agente_modulo", "id_agente_modulo"),
                copy("id_agente", "id_agente"),
                state("estado"),
                state("known_status"),
                state("last_status"),
                state("last_known_status"),
                ("datos".to_owned(), Expr::Value(Scalar::from(""))),
                (
                    "last_status_change".to_owned(),
                    Expr::Value(Scalar::Int(now.as_second())),
                ),
            ],
            settle: SETTLE,
        },
    };
    let title = "Checking database consistency (Missing status).";
    task(
        Group::CheckDb,
        "missing_status",
        title,
        vec![Work::Sweep(rule)],
    )
}

pub(super) fn missing_module() -> Task {
    let status = ("tagente_estado", "id_agente_modulo");
    let rule = orphans("missing_module", status, MODULE, OrNone::Never);
    let title = "Checking database consistency (Missing module).";
    task(
        Group::CheckDb,
        "missing_module",
        title,
        vec![Work::Sweep(rule)],
    )
}

pub(super) fn empty_aliases() -> Task {
    let rule = SweepRule {
        name: "empty_aliases".to_owned(),
        table: AGENT.0.to_owned(),
        when: vec![
            Condition::Own(is("alias", "")),
            Condition::Own(is_not("nombre", "")),
        ],
        act: Act::Set {
            values: vec![("alias".to_owned(), Expr::Column("nombre".to_owned()))],
        },
    };
    let work = vec![Work::Sweep(rule)];
    task(
        Group::CheckDb,
        "empty_aliases",
        "Updating empty aliases.",
        work,
    )
}

/// How a server is marked that ended in a crash (`tserver.status`); 0 is one that was stopped.
const CRASHED: i64 = -1;

/// Discovery tasks of servers that are gone for good, and of servers that crashed and have not come
/// back within a day. A server that was stopped keeps its tasks, and one that its watchdog starts
/// again finds them.
pub(super) fn discovery_tasks(s: &HousekeepingSettings, zone: &TimeZone) -> Task {
    let title = "Checking Discovery tasks bound to inactive servers.";
    let id = "discovery_tasks";
    let Some(server) = s.discovery_server else {
        let work = skip("there is no running Discovery server to give them to");
        return task(Group::Integrity, id, title, work);
    };
    let column = "id_recon_server";
    let of = || Relation::to(column, "tserver", "id_server");
    let silent = older("keepalive", TimeUnit::Datetime(zone.clone()), 1);
    let crashed = of().and(is("status", CRASHED)).older(silent);
    let rule = |why: &str, lost: Condition| {
        Work::Sweep(SweepRule {
            name: format!("{id}/{why}"),
            table: "trecon_task".to_owned(),
            when: vec![points_somewhere(column), lost],
            act: Act::Set {
                values: vec![(column.to_owned(), Expr::Value(Scalar::Int(server)))],
            },
        })
    };
    let work = vec![
        rule("gone", Condition::Missing(of())),
        rule("crashed", Condition::Present(crashed)),
    ];
    task(Group::Integrity, id, title, work)
}
