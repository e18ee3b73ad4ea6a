//! Random policies over random data, compared with a second implementation in plain Rust
//! (`elpis_testkit::World`) and a recount by the database's own client.
//!
//! The seed is fixed; `ELPIS_SOAK=1` runs 500 cases instead of 24, `ELPIS_SEED=n` others.

use std::collections::BTreeMap;
use std::fmt::Write;

use elpis_maint_core::{Ended, Plan, Scalar, Store};
use elpis_testkit::conformance::Fixture;
use elpis_testkit::{
    Kind, MariaDb, Row, Run, SqliteFile, Table, World, multiset, now, plan, policy,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Seconds,
    Millis,
    Datetime(&'static str),
    Timestamp,
    Date(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    None,
    Id,
    TextAndId,
}

/// One random table with its rows, and a rule for it.
#[derive(Debug, Clone)]
struct Case {
    unit: Unit,
    key: Key,
    /// Whether the time column has an index; always, if there is no key.
    indexed: bool,
    days: u32,
    keep_rows: Option<u64>,
    filters: Vec<String>,
    /// Seconds from the cutoff, a kind, a name.
    rows: Vec<(Option<i64>, Option<i64>, usize)>,
    /// Rows of a child and of a grandchild: which parent each belongs to, as a raw number.
    children: Option<(Vec<u32>, Vec<u32>)>,
    child_rule: bool,
    chunk: u64,
}

const NAMES: [&str; 4] = ["a", "b", "it's", "ñandú"];

fn offset() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        1 => Just(None),
        4 => select(vec![Some(-1), Some(0), Some(1)]),
        4 => (-90_000_i64..90_000).prop_map(Some),
        2 => (-5_i64..0).prop_map(Some),
        2 => Just(Some(-3600)),
        1 => Just(Some(-800_000_000)),
        1 => Just(Some(200_000_000)),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    let compare = (select(vec!["=", "!=", "<", "<=", ">", ">="]), 0..4_i64)
        .prop_map(|(op, n)| format!("{{ column = \"kind\", op = \"{op}\", value = {n} }}"));
    let list = (select(vec!["in", "not_in"]), vec(0..4_i64, 1..4))
        .prop_map(|(op, list)| format!("{{ column = \"kind\", op = \"{op}\", value = {list:?} }}"));
    let null = select(vec!["is_null", "is_not_null"])
        .prop_map(|op| format!("{{ column = \"kind\", op = \"{op}\" }}"));
    let name = (select(vec!["=", "!="]), select(NAMES.to_vec())).prop_map(|(op, name)| {
        format!("{{ column = \"name\", op = \"{op}\", value = \"{name}\" }}")
    });
    prop_oneof![3 => compare, 2 => list, 1 => null, 1 => name]
}

fn case() -> impl Strategy<Value = Case> {
    let unit = select(vec![
        Unit::Seconds,
        Unit::Seconds,
        Unit::Millis,
        Unit::Datetime("UTC"),
        Unit::Datetime("Europe/Madrid"),
        Unit::Timestamp,
        Unit::Date("America/Lima"),
    ]);
    let table = (
        unit,
        select(vec![Key::None, Key::Id, Key::TextAndId]),
        any::<bool>(),
    );
    let rule = (
        1_u32..400,
        option::weighted(0.25, 1_u64..250),
        vec(filter(), 0..3),
    );
    let row = (offset(), option::weighted(0.9, 0..4_i64), 0..NAMES.len());
    let links = (vec(any::<u32>(), 0..150), vec(any::<u32>(), 0..100));
    let data = (
        vec(row, 0..300),
        option::weighted(0.5, links),
        any::<bool>(),
    );
    (table, rule, data, select(vec![1_u64, 2, 7, 50, 1000])).prop_map(
        |(
            (unit, key, indexed),
            (days, keep_rows, filters),
            (rows, children, child_rule),
            chunk,
        )| {
            Case {
                unit,
                key,
                // Without a key, or to keep a number of rows, an index is needed.
                indexed: indexed || key == Key::None || keep_rows.is_some(),
                days,
                keep_rows,
                filters,
                rows,
                // Only a single column can be pointed at.
                children: children.filter(|_| key == Key::Id),
                child_rule,
                chunk,
            }
        },
    )
}

impl Case {
    fn time(&self, offset: i64) -> Scalar {
        let at = now().as_second() - i64::from(self.days) * 86_400 + offset;
        let written = |format: &str, zone: &str| {
            let at = jiff::Timestamp::from_second(at)
                .unwrap()
                .in_tz(zone)
                .unwrap();
            Scalar::Text(at.strftime(format).to_string())
        };
        match self.unit {
            Unit::Seconds => Scalar::Int(at),
            Unit::Millis => Scalar::Int(at * 1000 + offset % 2),
            Unit::Datetime(zone) => written("%F %T", zone),
            Unit::Timestamp => written("%F %T", "UTC"),
            Unit::Date(zone) => written("%F", zone),
        }
    }

    /// The tables with their rows, and the policy.
    fn world(&self) -> (World, String) {
        let kind = match self.unit {
            Unit::Seconds | Unit::Millis => Kind::Int,
            Unit::Datetime(_) => Kind::Datetime,
            Unit::Timestamp => Kind::Timestamp,
            Unit::Date(_) => Kind::Date,
        };
        let mut table = Table::new("samples")
            .column("id", Kind::Int)
            .nullable("kind", Kind::Int)
            .column("name", Kind::Text)
            .nullable("at", kind);
        table = match self.key {
            Key::None => table,
            Key::Id => table.primary_key(&["id"]),
            Key::TextAndId => table.primary_key(&["name", "id"]),
        };
        if self.indexed {
            table = table.index("by_time", &["at"]);
        }
        let row = |(i, (offset, kind, name)): (usize, &(Option<i64>, Option<i64>, usize))| {
            // Without a key, whole rows may be duplicates of each other.
            let id = if self.key == Key::None {
                i as i64 % 9
            } else {
                i as i64 * 2 - 50
            };
            vec![
                Some(Scalar::Int(id)),
                kind.map(Scalar::Int),
                Some(Scalar::from(NAMES[*name])),
                offset.map(|offset| self.time(offset)),
            ]
        };
        let rows: Vec<Row> = self.rows.iter().enumerate().map(row).collect();
        let mut tables = vec![(table, rows)];
        let mut toml = self.rule();
        if let Some((children, grandchildren)) = &self.children
            && !self.rows.is_empty()
        {
            let link = |raw: u32, of: usize| i64::from(raw) % of as i64;
            let child = Table::new("child")
                .column("id", Kind::Int)
                .column("sample", Kind::Int)
                .nullable("at", Kind::Int)
                .primary_key(&["id"])
                .index("by_sample", &["sample"])
                .references("sample", ("samples", "id"), "CASCADE");
            let child_rows = children.iter().enumerate().map(|(i, raw)| {
                let at = (raw % 5 > 0).then(|| now().as_second() - i64::from(raw % 40) * 86_400);
                let parent = link(*raw, self.rows.len()) * 2 - 50;
                vec![
                    Some(Scalar::Int(i as i64)),
                    Some(Scalar::Int(parent)),
                    at.map(Scalar::Int),
                ]
            });
            tables.push((child, child_rows.collect()));
            if !children.is_empty() {
                let grandchild = Table::new("grandchild")
                    .column("id", Kind::Int)
                    .column("child", Kind::Int)
                    .primary_key(&["id"])
                    .index("by_child", &["child"])
                    .references("child", ("child", "id"), "CASCADE");
                let rows = grandchildren.iter().enumerate().map(|(i, raw)| {
                    let parent = link(*raw, children.len());
                    vec![Some(Scalar::Int(i as i64)), Some(Scalar::Int(parent))]
                });
                tables.push((grandchild, rows.collect()));
            }
            if self.child_rule {
                toml.push_str(
                    "[[table]]\nname = \"child\"\nmax_share = 1.0\nkeep = { days = 20 }\n\
                     time = { column = \"at\", unit = \"epoch_seconds\" }\n",
                );
            }
        }
        (World::new(tables), toml)
    }

    fn rule(&self) -> String {
        let mut toml = String::from("[[table]]\nname = \"samples\"\nmax_share = 1.0\n");
        let unit = match self.unit {
            Unit::Seconds => "unit = \"epoch_seconds\"".to_owned(),
            Unit::Millis => "unit = \"epoch_millis\"".to_owned(),
            Unit::Datetime(zone) => format!("unit = \"datetime\", zone = \"{zone}\""),
            Unit::Timestamp => "unit = \"timestamp\"".to_owned(),
            Unit::Date(zone) => format!("unit = \"date\", zone = \"{zone}\""),
        };
        writeln!(toml, "time = {{ column = \"at\", {unit} }}").unwrap();
        match self.keep_rows {
            Some(rows) => writeln!(toml, "keep = {{ rows = {rows} }}").unwrap(),
            None => writeln!(toml, "keep = {{ days = {} }}", self.days).unwrap(),
        }
        if !self.filters.is_empty() {
            writeln!(toml, "where = [{}]", self.filters.join(", ")).unwrap();
        }
        toml
    }
}

fn check_plan(plan: &Plan, expected: &elpis_testkit::Expected) -> Result<(), TestCaseError> {
    for table in &plan.tables {
        let name = &table.task.table;
        prop_assert!(table.due.exact && table.kept.exact);
        prop_assert_eq!(
            table.due.rows,
            expected.deleted[name],
            "planned for {}",
            name
        );
        let cascaded: BTreeMap<String, u64> = table.cascaded.iter().flatten().cloned().collect();
        if table.cutoff.is_some() {
            prop_assert_eq!(&cascaded, &expected.cascaded[name], "planned with {}", name);
        }
    }
    Ok(())
}

async fn check<F: Fixture>(mut fixture: F, case: &Case) -> Result<u64, TestCaseError> {
    let (world, toml) = case.world();
    for (table, rows) in &world.tables {
        fixture.create(table);
        if !rows.is_empty() {
            fixture.insert(table, rows);
        }
    }
    let policy = policy(&toml);
    let expected = world.purge(&policy.tables, now());
    let mut store = fixture.store().await;
    let exact = plan(&policy, &mut store, true).await;
    prop_assert_eq!(&exact.refusals, &[]);
    check_plan(&exact, &expected)?;

    let report = run(&exact, &mut store, case.chunk).await?;
    for table in &report {
        let name = &table.table;
        prop_assert!(table.complete);
        prop_assert_eq!(
            table.deleted,
            expected.deleted[name],
            "deleted from {}",
            name
        );
        let cascaded: BTreeMap<String, u64> = table.cascaded.iter().cloned().collect();
        prop_assert_eq!(&cascaded, &expected.cascaded[name], "gone with {}", name);
    }
    for (table, _) in &world.tables {
        let left = multiset(fixture.rows(table));
        prop_assert_eq!(
            left,
            multiset(expected.left[&table.name].clone()),
            "left of {}",
            &table.name
        );
    }
    // The second run finds nothing, and changes nothing.
    let again = plan(&policy, &mut store, true).await;
    prop_assert_eq!(again.due().rows, 0);
    let nothing = run(&again, &mut store, case.chunk).await?;
    prop_assert_eq!(
        nothing.iter().map(|table| table.all_deleted()).sum::<u64>(),
        0
    );
    Ok(report.iter().map(|table| table.all_deleted()).sum())
}

async fn run<S: Store>(
    plan: &Plan,
    store: &mut S,
    chunk: u64,
) -> Result<Vec<elpis_maint_core::TableReport>, TestCaseError> {
    let report = Run::new(chunk).on(plan, store).await;
    let report = report.map_err(|e| TestCaseError::fail(format!("{e}: {e:?}")))?;
    prop_assert_eq!(&report.ended, &Ended::Done);
    Ok(report.tables)
}

fn property<F: Fixture>(name: &str, fixture: impl Fn() -> F) {
    let cases = if std::env::var("ELPIS_SOAK").is_ok() {
        500
    } else {
        24
    };
    let seed: u64 = std::env::var("ELPIS_SEED").map_or(20_261_121, |seed| seed.parse().unwrap());
    println!("{name}: {cases} cases from ELPIS_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        // Every step of shrinking makes a new database.
        max_shrink_iters: 200,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deleted = std::cell::Cell::new((0, 0));
    let outcome = runner.run(&case(), |case| {
        let gone = runtime.block_on(check(fixture(), &case))?;
        let (rows, useful) = deleted.get();
        deleted.set((rows + gone, useful + u32::from(gone > 0)));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}, ELPIS_SEED={seed}: {error}");
    }
    let (rows, useful) = deleted.get();
    println!("{name}: {rows} rows deleted, {useful} of {cases} cases had something to delete");
    assert!(
        useful * 2 > cases,
        "most cases must have something to delete"
    );
}

#[test]
fn random_policies_on_sqlite() {
    property("SQLite", SqliteFile::new);
}

#[test]
fn random_policies_on_mariadb() {
    property("MariaDB", MariaDb::new);
}
