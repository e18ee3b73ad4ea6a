//! The whole sequence against the recount, task by task and at once.

use elpis_testkit::pandora::Installation;
use elpis_testkit::pandora::oracle::{Mentioned, Oracle, RULES, mentions};
use elpis_testkit::{Database, MariaDb};

use elpis_maint_core::housekeeping::{HousekeepingPlan, PartPlan};

use crate::support::{Ask, changed, counted, due, parts_of};

fn assert_as_expected(oracle: &Oracle, after: &str) {
    let differences = oracle.differences();
    assert!(
        differences.is_empty(),
        "after {after}:\n{}",
        differences.join("\n")
    );
}

fn ids(db: &MariaDb, query: &str) -> Vec<u64> {
    let ids: Vec<u64> = db
        .sql(query)
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert!(!ids.is_empty(), "{query}");
    ids
}

/// After each task, every row of every table is as plain SQL says; each part's plan counts what its
/// report counts, with all that hangs on the rows, and together they count what plain SQL counts.
#[tokio::test]
async fn each_task_does_what_plain_sql_says() {
    let installation = Installation::small();
    let db = installation.install();
    let oracle = Oracle::new(&installation, &db);
    let mut wrong = Vec::new();
    for rule in RULES {
        let expected: u64 = oracle
            .apply(&[rule.task])
            .iter()
            .filter(|((_, table), _)| table != "marks")
            .map(|(_, rows)| rows)
            .sum();
        let mut done = 0;
        for part in 0..parts_of(&db, rule.task).await {
            let ask = Ask {
                part: Some(part),
                ..Ask::only(&[rule.task])
            };
            let plan = ask.plan(&db).await;
            let report = ask.carry_out(&plan, &db).await.unwrap();
            let (planned, changed) = (counted(&plan), report.changed());
            if planned != changed {
                let task = rule.task;
                wrong.push(format!(
                    "{task}, part {part}: {planned} planned, {changed} done"
                ));
            }
            done += changed;
        }
        if done != expected {
            wrong.push(format!("{}: {done} instead of {expected}", rule.task));
        }
        for difference in oracle.differences() {
            wrong.push(format!("after {}: {difference}", rule.task));
            oracle.follow();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One run does all of it, with ids of gone modules and agents found nowhere any more; the plan
/// said how much, and a second run at the same instant finds nothing to do.
#[tokio::test]
async fn one_run_does_everything_and_a_second_one_nothing() {
    let installation = Installation::small();
    let db = installation.install();
    let oracle = Oracle::new(&installation, &db);
    let pending = ids(
        &db,
        "SELECT id_agente_modulo FROM tagente_modulo WHERE delete_pending = 1;",
    );
    let agents = ids(&db, "SELECT id_agente FROM tagente;");
    let count = |table: &str| db.number(&format!("SELECT COUNT(*) FROM {table};"));
    oracle.apply(&[]);

    let names = db
        .sql("SHOW TABLES;")
        .lines()
        .collect::<Vec<_>>()
        .join(", ");
    let checksums = || db.sql(&format!("CHECKSUM TABLE {names};"));
    let untouched = checksums();
    let plan = Ask::default().plan(&db).await;
    assert_eq!(checksums(), untouched, "a plan writes nothing");
    let tables = [
        "tagente_datos",
        "tagente_datos_string",
        "tevento",
        "tsesion",
        "ttrap",
        "tgis_data_history",
        "tserver_export_data",
        "tmensajes",
        "talert_special_days",
        "tplanned_downtime",
        "tagent_access",
        "tpolicy_queue",
    ];
    let before = tables.map(count);
    let report = Ask::default().carry_out(&plan, &db).await.unwrap();
    assert_as_expected(&oracle, "the run");
    for (table, before) in tables.iter().zip(before) {
        let due = due(&plan, table).unwrap();
        let deleted = before - count(table);
        let also = [
            "tagente_datos",
            "tagente_datos_string",
            "tevento",
            "tagent_access",
        ];
        // Rows of these tables also go with their module or agent.
        assert!(
            if also.contains(table) {
                due <= deleted && due > 0
            } else {
                due == deleted
            },
            "{table}: {due} planned, {deleted} gone"
        );
    }
    assert!(report.changed() > 10_000, "{:?}", changed(&report));

    let mut left = mentions(&db, Mentioned::Module, &pending);
    // Numbers of services are numbers of modules by chance.
    left.retain(|(table, ..)| !table.starts_with("treport_content"));
    assert!(left.is_empty(), "{left:?}");
    let there = ids(&db, "SELECT id_agente FROM tagente;");
    let gone: Vec<u64> = agents
        .into_iter()
        .filter(|id| !there.contains(id))
        .collect();
    assert_eq!(gone.len(), 5);
    // Positions cannot be found by agent; they go with their age.
    let mut left = mentions(&db, Mentioned::Agent, &gone);
    left.retain(|(table, ..)| table != "tgis_data_history");
    assert!(left.is_empty(), "{left:?}");

    let again = Ask::default().run(&db).await;
    assert_eq!(again.changed(), 0, "{:?}", changed(&again));
    assert_as_expected(&oracle, "the second run");
}

/// Cron's run only looks before it begins, at each table once for all tasks that walk it. It does
/// the same, and the next one knows after looking that there is nothing to do.
#[tokio::test]
async fn a_run_that_only_looks_first_does_the_same() {
    let installation = Installation::small();
    let db = installation.install();
    let oracle = Oracle::new(&installation, &db);
    oracle.apply(&[]);
    let ask = Ask {
        exact: false,
        ..Ask::default()
    };
    let report = ask.run(&db).await;
    assert_as_expected(&oracle, "the run");
    assert!(report.changed() > 10_000, "{:?}", changed(&report));

    let plan = ask.plan(&db).await;
    assert_nothing_due(&plan);
    let again = ask.carry_out(&plan, &db).await.unwrap();
    assert_eq!(again.changed(), 0, "{:?}", changed(&again));
    assert_as_expected(&oracle, "the second run");
}

/// Modules that go take along what belongs to them, so that tasks about that need not look again; and
/// nothing is left for the next run.
#[tokio::test]
async fn modules_that_go_give_no_work_to_those_who_look_for_what_went_with_them() {
    let installation = Installation::small();
    let db = installation.install();
    let ask = Ask {
        exact: false,
        ..Ask::default()
    };
    ask.run(&db).await;
    db.sql(
        "UPDATE tagente_modulo AS m JOIN (SELECT id_agente_modulo FROM tagente_estado \
           WHERE estado = 0 ORDER BY id_agente_modulo LIMIT 3) AS e USING (id_agente_modulo) \
         SET m.delete_pending = 1;",
    );
    let plan = ask.plan(&db).await;
    let parts = plan.tasks.iter().flat_map(|task| &task.parts);
    let looks_again: Vec<(&str, &str)> = parts
        .filter_map(|part| match part {
            PartPlan::Sweep(plan) if plan.settled.is_none() => {
                Some((plan.task.table.as_str(), plan.name.as_str()))
            }
            _ => None,
        })
        .collect();
    let of_modules = |table: &str| table.starts_with("tagente_") || table == "ttag_module";
    let again: Vec<_> = looks_again
        .iter()
        .filter(|(table, _)| of_modules(table))
        .collect();
    // Modules whose parent went stay.
    let parents = "orphan_references/tagente_modulo.parent_module_id";
    assert_eq!(again, [&("tagente_modulo", parents)], "{looks_again:?}");
    let report = ask.carry_out(&plan, &db).await.unwrap();
    assert!(report.changed() >= 3, "{:?}", changed(&report));
    let gone = "SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;";
    assert_eq!(db.number(gone), 0);
    assert_nothing_due(&ask.plan(&db).await);
}

/// All of it was looked at, and there is nothing to do.
fn assert_nothing_due(plan: &HousekeepingPlan) {
    for part in plan.tasks.iter().flat_map(|task| &task.parts) {
        match part {
            PartPlan::Sweep(plan) => {
                let (name, settled) = (&plan.name, &plan.settled);
                assert_eq!(settled.as_deref(), Some(&[][..]), "{name}");
            }
            PartPlan::Purge(plan) => {
                let due = (plan.due.rows, plan.due.exact);
                assert_eq!(due, (0, true), "{}", plan.task.table);
            }
            PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => {}
        }
    }
}
