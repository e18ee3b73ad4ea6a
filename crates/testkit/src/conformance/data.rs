//! Rows that have everything in them that goes wrong: NULL, zero and future times, duplicates,
//! the very cutoff and its neighbours, one instant with many rows.

use elpis_maint_core::{Facts, Policy, PurgeTask, Scalar};

use super::Fixture;
use crate::database::multiset;
use crate::harness::{now, policy};
use crate::model::{Expected, World};
use crate::table::{Row, Table};

pub(super) fn int(n: i64) -> Option<Scalar> {
    Some(Scalar::Int(n))
}

pub(super) fn text(s: &str) -> Option<Scalar> {
    Some(Scalar::from(s))
}

/// Where 30 days of retention end, in seconds.
pub(super) fn cutoff() -> i64 {
    now().as_second() - 30 * 86_400
}

/// Times around a cutoff: 220 of them, in no order.
pub(super) fn times() -> Vec<Option<i64>> {
    let c = cutoff();
    let mut times = vec![
        None,
        Some(0),
        Some(0),
        Some(1),
        None,
        Some(c - 1),
        Some(c),
        Some(c + 1),
    ];
    times.extend([
        Some(c),
        Some(c - 1),
        Some(c + 400 * 86_400),
        Some(4_000_000_000),
    ]);
    times.extend((0..50).map(|i| Some(c - 5000 + i % 7)));
    times.extend((0..60).map(|_| Some(c - 777)));
    times.extend((0..98).map(|i: i64| Some(c - 70 * 3600 + (i * 37 % 98) * 3600)));
    times
}

/// A policy of one table with 30 days, nothing refused for its share.
pub(super) fn rule(table: &str, more: &str) -> String {
    format!(
        "[[table]]\nname = \"{table}\"\nmax_share = 1.0\nkeep = {{ days = 30 }}\n\
         time = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\n{more}\n"
    )
}

/// Series rows at `times`.
pub(super) fn series(times: &[Option<i64>]) -> Vec<Row> {
    let rows = times.iter().enumerate();
    rows.map(|(i, time)| {
        vec![
            int(i as i64 % 5),
            int(i as i64 % 3 * 500),
            time.map(Scalar::Int),
        ]
    })
    .collect()
}

/// Audit rows at `times`.
pub(super) fn sessions(times: &[Option<i64>]) -> Vec<Row> {
    let rows = times.iter().enumerate();
    // Steps and a negative key: nothing may take a key for a row number.
    rows.map(|(i, time)| {
        vec![
            int(i as i64 * 3 - 7),
            text(&format!("u{}", i % 4)),
            time.map(Scalar::Int),
        ]
    })
    .collect()
}

/// A database with the tables of a world, and what its policy must come to.
pub(super) struct Scene<F> {
    pub(super) fixture: F,
    pub(super) world: World,
    pub(super) policy: Policy,
    pub(super) expected: Expected,
}

impl<F: Fixture> Scene<F> {
    pub(super) fn new(mut fixture: F, toml: &str, tables: Vec<(Table, Vec<Row>)>) -> Scene<F> {
        for (table, rows) in &tables {
            fixture.create(table);
            if !rows.is_empty() {
                fixture.insert(table, rows);
            }
        }
        let (world, policy) = (World::new(tables), policy(toml));
        let expected = world.purge(&policy.tables, now());
        Scene {
            fixture,
            world,
            policy,
            expected,
        }
    }

    pub(super) async fn store(&mut self) -> F::Store {
        self.fixture.store().await
    }

    pub(super) fn rows(&self, table: &str) -> u64 {
        let found = self.world.tables.iter().find(|(t, _)| t.name == table);
        found.map_or(0, |(_, rows)| rows.len() as u64)
    }

    pub(super) fn due(&self, table: &str) -> u64 {
        self.expected.deleted[table]
    }

    /// Nothing but what the model expects is there.
    pub(super) fn check_what_is_left(&mut self) {
        for (table, _) in &self.world.tables {
            let left = multiset(self.fixture.rows(table));
            let expected = multiset(self.expected.left[&table.name].clone());
            assert_eq!(left, expected, "what is left of {}", table.name);
        }
    }
}

/// The task of a table that fits its policy.
pub(super) fn task(facts: &Facts, table: &str) -> PurgeTask {
    let facts = facts.tables.iter().find(|facts| facts.table == table);
    facts.unwrap().task.clone().unwrap()
}
