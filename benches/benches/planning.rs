//! Parsing a policy and making a plan, for a hundred tables.
//!
//!     cargo bench -p elpis-benches --bench planning
#![allow(clippy::expect_used)]

use std::time::Duration;

use divan::{Bencher, black_box};
use elpis_maint_core::store::{Count, ServerFacts};
use elpis_maint_core::{
    Due, Facts, Plan, Policy, PurgeTask, Rates, Scalar, TableFacts, TimeUnit, Walk,
};
use jiff::Timestamp;

fn main() {
    divan::main();
}

fn policy_text(tables: usize) -> String {
    (0..tables)
        .map(|i| {
            format!(
                "[[table]]\nname = \"table_{i}\"\n\
                 time = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\n\
                 keep = {{ days = {} }}\n\
                 where = [{{ column = \"status\", op = \"in\", value = [1, 2, 3] }}]\n",
                i + 1
            )
        })
        .collect()
}

fn facts(policy: &Policy) -> Facts {
    let now = Timestamp::from_second(1_795_000_000).expect("a fixed time");
    let tables = policy.tables.iter().map(|rule| {
        let cutoff = TimeUnit::EpochSeconds
            .days_before(now, 30)
            .expect("a fixed time");
        TableFacts {
            table: rule.name.clone(),
            task: Ok(PurgeTask {
                table: rule.name.clone(),
                due: Due::new(rule, cutoff.value.clone()),
                walk: Walk::Time {
                    index: "idx_utimestamp".to_owned(),
                    then: vec![],
                },
                cascades: Vec::new(),
            }),
            cutoff: Some(cutoff),
            rows: Count::estimated(5_000_000),
            bytes: Some(490 << 20),
            due: Count::estimated(10_000),
            untimed: None,
            cascaded: None,
            oldest: Some(Scalar::Int(1_789_000_000)),
            newest: Some(Scalar::Int(1_795_000_000)),
        }
    });
    Facts {
        now,
        server: ServerFacts {
            product: "MariaDB".to_owned(),
            database: "pandora".to_owned(),
            target: "localhost:3306/pandora".to_owned(),
            obstacles: Vec::new(),
            warnings: Vec::new(),
            replica_of: None,
            clock: Some(now),
        },
        clock_skew: Duration::ZERO,
        tables: tables.collect(),
        references: Vec::new(),
    }
}

#[divan::bench(args = [1, 10, 100])]
fn parse_policy(bencher: Bencher, tables: usize) {
    let text = policy_text(tables);
    bencher.bench(|| Policy::from_toml(black_box(&text)).expect("a good policy"));
}

#[divan::bench(args = [1, 10, 100])]
fn make_plan(bencher: Bencher, tables: usize) {
    let policy = Policy::from_toml(&policy_text(tables)).expect("a good policy");
    let facts = facts(&policy);
    bencher.bench(|| Plan::new(black_box(&policy), black_box(&facts), &Rates::new()));
}
