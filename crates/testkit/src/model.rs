//! Retention once more, in plain Rust over rows in memory: the second implementation that the
//! engine is compared with. It shares no code with the engine but the policy's types.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use elpis_maint_core::{Retention, Scalar, TableRule, Test, TimeUnit};
use jiff::Timestamp;

use crate::table::{Row, Table};

/// Tables and their rows.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Parents before their children.
    pub tables: Vec<(Table, Vec<Row>)>,
}

/// What a purge must come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The rows that stay, by table.
    pub left: BTreeMap<String, Vec<Row>>,
    /// By table with a rule, the rows that it deletes.
    pub deleted: BTreeMap<String, u64>,
    /// By table with a rule, the rows of other tables that go with them.
    pub cascaded: BTreeMap<String, BTreeMap<String, u64>>,
}

impl World {
    /// A world with these tables, parents first.
    pub fn new(tables: Vec<(Table, Vec<Row>)>) -> World {
        World { tables }
    }

    /// The outcome of a purge under `rules` at `now`.
    pub fn purge(&self, rules: &[TableRule], now: Timestamp) -> Expected {
        let mut left = self.clone();
        let mut expected = Expected::default();
        // Where retention ends is fixed before the first row goes.
        let cutoffs: Vec<Option<Scalar>> =
            rules.iter().map(|rule| self.cutoff(rule, now)).collect();
        let mut turns: Vec<usize> = (0..rules.len()).collect();
        // Children stand behind their parents in the world and are purged before them.
        turns.sort_by_key(|i| usize::MAX - self.place(&rules[*i].name));
        for turn in turns {
            let (rule, cutoff) = (&rules[turn], &cutoffs[turn]);
            let (table, rows) = &mut left.tables[self.place(&rule.name)];
            let table = table.clone();
            let (gone, kept) = rows.drain(..).partition(|row| {
                cutoff
                    .as_ref()
                    .is_some_and(|c| expired(rule, &table, c, row))
            });
            *rows = kept;
            let gone: Vec<Row> = gone;
            expected
                .deleted
                .insert(rule.name.clone(), gone.len() as u64);
            let mut cascaded = BTreeMap::new();
            left.follow(&table, &gone, &mut cascaded);
            expected.cascaded.insert(rule.name.clone(), cascaded);
        }
        for (table, rows) in left.tables {
            expected.left.insert(table.name, rows);
        }
        expected
    }

    fn place(&self, name: &str) -> usize {
        let found = self.tables.iter().position(|(table, _)| table.name == name);
        found.unwrap_or_else(|| panic!("the model has no table {name}"))
    }

    fn follow(&mut self, parent: &Table, gone: &[Row], counts: &mut BTreeMap<String, u64>) {
        for place in 0..self.tables.len() {
            let (table, rows) = &mut self.tables[place];
            let Some(key) = table.foreign_keys.iter().find(|k| k.parent == parent.name) else {
                continue;
            };
            let (from, to) = (table.at(&key.column), parent.at(&key.parent_column));
            let dead: BTreeSet<&Scalar> = gone.iter().filter_map(|row| row[to].as_ref()).collect();
            let (lost, kept): (Vec<Row>, Vec<Row>) = rows
                .drain(..)
                .partition(|row| row[from].as_ref().is_some_and(|value| dead.contains(value)));
            *rows = kept;
            let table = table.clone();
            *counts.entry(table.name.clone()).or_default() += lost.len() as u64;
            self.follow(&table, &lost, counts);
        }
    }

    fn cutoff(&self, rule: &TableRule, now: Timestamp) -> Option<Scalar> {
        let seconds = now.as_second();
        match rule.keep {
            Retention::Rows(keep) => {
                let (table, rows) = &self.tables[self.place(&rule.name)];
                let time = table.at(&rule.time_column);
                let mut times: Vec<&Scalar> =
                    rows.iter().filter_map(|row| row[time].as_ref()).collect();
                times.sort();
                let nth = times.len().checked_sub(usize::try_from(keep).ok()?)?;
                times.get(nth).map(|time| (*time).clone())
            }
            Retention::Days(days) => {
                let then = seconds - i64::from(days) * 86_400;
                Some(match &rule.unit {
                    TimeUnit::EpochSeconds => Scalar::Int(then),
                    TimeUnit::EpochMillis => Scalar::Int(then * 1000),
                    TimeUnit::Timestamp => date("UTC", &format!("@{then}"), "+%F %T"),
                    TimeUnit::Datetime(zone) => date(name(zone), &format!("@{then}"), "+%F %T"),
                    TimeUnit::Date(zone) => {
                        let today = date(name(zone), &format!("@{seconds}"), "+%F");
                        date("UTC", &format!("{today} -{days} days"), "+%F")
                    }
                })
            }
        }
    }
}

fn name(zone: &jiff::tz::TimeZone) -> &str {
    zone.iana_name().expect("a zone with a name")
}

/// The system's own calendar, which is not the engine's.
fn date(zone: &str, when: &str, format: &str) -> Scalar {
    let output = Command::new("date")
        .env("TZ", zone)
        .args(["-d", when, format])
        .output()
        .expect("the program `date`");
    assert!(output.status.success(), "date -d {when:?}");
    Scalar::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn expired(rule: &TableRule, table: &Table, cutoff: &Scalar, row: &Row) -> bool {
    let cell = |column: &str| row[table.at(column)].as_ref();
    let old = cell(&rule.time_column).is_some_and(|time| time < cutoff);
    old && rule.filters.iter().all(|filter| {
        let value = cell(&filter.column);
        match &filter.test {
            Test::IsNull => value.is_none(),
            Test::IsNotNull => value.is_some(),
            Test::In(list) => value.is_some_and(|value| list.contains(value)),
            Test::NotIn(list) => value.is_some_and(|value| !list.contains(value)),
            Test::Compare(op, with) => value.is_some_and(|value| match *op {
                "=" => value == with,
                "<>" => value != with,
                "<" => value < with,
                "<=" => value <= with,
                ">" => value > with,
                ">=" => value >= with,
                other => panic!("the model knows no operator {other}"),
            }),
        }
    })
}
