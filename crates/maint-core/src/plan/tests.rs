use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Due;
use crate::store::ServerFacts;

const NOW: &str = "2026-11-21T08:00:00Z";

fn policy(more: &str) -> Policy {
    Policy::from_toml(&format!(
        r#"
        {more}
        [throttle]
        target_ms = 4
        duty = 0.5
        [[table]]
        name = "data"
        time = {{ column = "at", unit = "epoch_seconds" }}
        keep = {{ days = 30 }}
        [[table]]
        name = "event"
        time = {{ column = "at", unit = "datetime", zone = "Europe/Madrid" }}
        keep = {{ days = 1 }}
        max_share = 1.0
        [[table]]
        name = "event_extra"
        time = {{ column = "at", unit = "epoch_seconds" }}
        keep = {{ rows = 10 }}
        "#
    ))
    .unwrap()
}

fn facts(policy: &Policy) -> Facts {
    let now: Timestamp = NOW.parse().unwrap();
    let table = |rule: &TableRule| {
        let cutoff = rule.unit.days_before(now, 30).unwrap();
        TableFacts {
            table: rule.name.clone(),
            task: Ok(PurgeTask {
                table: rule.name.clone(),
                due: Due::new(rule, cutoff.value.clone()),
                walk: Walk::Time {
                    index: "at".to_owned(),
                    then: vec![],
                },
                cascades: Vec::new(),
            }),
            cutoff: Some(cutoff),
            rows: Count::estimated(1_000_000),
            bytes: Some(100_000_000),
            due: Count::exact(150_000),
            untimed: Some(3),
            cascaded: None,
            oldest: Some(Scalar::Int(1_700_000_000)),
            newest: Some(Scalar::Int(1_795_000_000)),
        }
    };
    Facts {
        now,
        server: ServerFacts {
            product: "MariaDB 10.11".to_owned(),
            database: "pandora".to_owned(),
            target: "db1:3306/pandora".to_owned(),
            obstacles: Vec::new(),
            warnings: Vec::new(),
            replica_of: None,
            clock: Some(now),
        },
        clock_skew: Duration::ZERO,
        tables: policy.tables.iter().map(table).collect(),
        references: vec![("event_extra".to_owned(), "event".to_owned())],
    }
}

fn refused(policy: &Policy, facts: &Facts) -> Vec<String> {
    Plan::new(policy, facts, &Rates::new())
        .refusals
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_plan_says_everything_a_run_needs() {
    let policy = policy("");
    let rates = BTreeMap::from([("data".to_owned(), 50_000.0)]);
    let plan = Plan::new(&policy, &facts(&policy), &rates);
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan).unwrap());
}

#[test]
fn children_come_before_their_parents_and_the_rest_keeps_its_order() {
    let policy = policy("");
    let plan = Plan::new(&policy, &facts(&policy), &Rates::new());
    let order: Vec<&str> = plan
        .tables
        .iter()
        .map(|plan| plan.task.table.as_str())
        .collect();
    assert_eq!(order, ["data", "event_extra", "event"]);
}

#[test]
fn a_server_that_must_not_be_written_to_is_refused() {
    let policy = policy("max_clock_skew_s = 5");
    let mut facts = facts(&policy);
    facts.server.obstacles = vec!["read_only is set".to_owned()];
    facts.server.replica_of = Some("db0:3306".to_owned());
    facts.clock_skew = Duration::from_millis(5100);
    insta::assert_snapshot!(refused(&policy, &facts).join("\n"));
    let policy = self::policy("allow_replica = true");
    facts.server.obstacles.clear();
    assert_eq!(refused(&policy, &facts), [] as [&str; 0]);
}

#[test]
fn too_large_a_share_and_tables_that_do_not_fit_are_refused() {
    let policy = policy("");
    let mut facts = facts(&policy);
    facts.tables[0].due = Count::estimated(600_000);
    facts.tables[1].due = Count::exact(1_000_000);
    facts.tables[2].task = Err("has no column at".to_owned());
    insta::assert_snapshot!(refused(&policy, &facts).join("\n"));
}

#[test]
fn what_waits_for_its_own_child_is_refused() {
    let policy = policy("");
    let mut facts = facts(&policy);
    facts
        .references
        .push(("event".to_owned(), "event_extra".to_owned()));
    assert_eq!(
        refused(&policy, &facts),
        ["table event must come both before and after another table"]
    );
}

proptest! {
    #[test]
    fn a_plan_is_a_pure_function_and_its_numbers_add_up(
        due in 0u64..10_000_000,
        kept in 0u64..10_000_000,
        exact in any::<bool>(),
        share in 0.01f64..=1.0,
    ) {
        let mut policy = policy("");
        policy.tables[0].max_share = share;
        let mut facts = facts(&policy);
        facts.tables[0].due = Count { rows: due, exact };
        facts.tables[0].rows = Count { rows: due + kept, exact };
        let plan = Plan::new(&policy, &facts, &Rates::new());
        prop_assert_eq!(&plan, &Plan::new(&policy, &facts, &Rates::new()));
        let table = plan.tables.iter().find(|t| t.task.table == "data").unwrap();
        prop_assert_eq!(table.due.rows + table.kept.rows, due + kept);
        prop_assert_eq!(table.kept.exact, exact);
        let over = due as f64 / (due + kept).max(1) as f64 > share;
        prop_assert_eq!(plan.refusals.len(), usize::from(over));
        // What is not refused is never cut short by the limit that guards a run.
        prop_assert!(over || table.row_limit >= due);
        prop_assert!(table.bytes.unwrap() <= 100_000_000);
    }
}
