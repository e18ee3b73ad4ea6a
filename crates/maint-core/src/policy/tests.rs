use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::TimeUnit;

const GOOD: &str = r#"
locks = ["{database}_pandora_db"]
max_share = 0.25

[throttle]
target_ms = 7.5
max_replica_lag_s = 2

[[table]]
name = "tagente_datos"
time = { column = "utimestamp", unit = "epoch_seconds" }
keep = { days = 30 }

[[table]]
name = "ttrap"
key = ["id_trap"]
time = { column = "timestamp", unit = "datetime", zone = "Europe/Madrid" }
keep = { rows = 1000 }
where = [
    { column = "status", op = "in", value = [1, 2] },
    { column = "source", op = "!=", value = "x" },
    { column = "text", op = "is_null" },
]
after = ["tagente_datos"]
max_share = 1.0
unsafe_sql = true
where_sql = "alerted = 0"
"#;

#[test]
fn a_good_policy_means_what_it_says() {
    let policy = Policy::from_toml(GOOD).unwrap();
    assert_eq!(policy.locks, ["{database}_pandora_db"]);
    assert_eq!(policy.throttle.target, Duration::from_micros(7500));
    assert_eq!(policy.throttle.max_replica_lag, Duration::from_secs(2));
    assert_eq!(policy.throttle.duty, ThrottleRules::default().duty);
    let [data, traps] = policy.tables.as_slice() else {
        panic!("{:?}", policy.tables)
    };
    assert_eq!((data.keep, data.max_share), (Retention::Days(30), 0.25));
    assert_eq!(data.unit, TimeUnit::EpochSeconds);
    assert_eq!((traps.keep, traps.max_share), (Retention::Rows(1000), 1.0));
    assert_eq!(traps.unit.name(), "datetime");
    assert_eq!(traps.filters[0].test, Test::In(vec![1.into(), 2.into()]));
    assert_eq!(traps.filters[1].test, Test::Compare("<>", "x".into()));
    assert_eq!(traps.where_sql.as_deref(), Some("alerted = 0"));
}

#[test]
fn every_problem_is_named_with_its_place() {
    let text = r#"
max_share = 1.5
locks = ["{host}_lock", ""]

[throttle]
min_rows = 500
max_rows = 100
duty = 0

[[table]]
name = "a"
time = { column = "at", unit = "seconds" }
keep = { days = 0 }

[[table]]
name = "a"
time = { column = "", unit = "datetime" }
keep = { days = 1, rows = 1 }

[[table]]
name = "b"
time = { column = "at", unit = "date", zone = "Mars/Olympus" }
keep = {}
after = ["c", "b"]
where = [
    { column = "x", op = "like", value = "a" },
    { column = "x", op = "in", value = [] },
    { column = "x", op = "=" },
    { column = "x", op = "is_null", value = 1 },
    { column = "x", op = "<", value = 1.5 },
]
where_sql = "1; DROP TABLE x"

[[table]]
name = "c"
time = { column = "at", unit = "timestamp", zone = "UTC" }
keep = { days = 40000 }
"#;
    insta::assert_snapshot!(Policy::from_toml(text).unwrap_err());
}

#[test]
fn unknown_keys_and_broken_toml_are_refused_with_their_place() {
    let errors: Vec<String> = [
        "max_shar = 1",
        "[throttle]\ntarget = 1",
        "[[table]]\nname = \"a\"\nkeep = { months = 1 }",
        "[[table]]\nname = \"a\"",
        "locks = [\"a\"",
        "max_share = \"half\"",
        "",
    ]
    .iter()
    .map(|text| Policy::from_toml(text).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(errors.join("\n"));
}

proptest! {
    /// Whatever is written, the answer is a policy or problems with a place inside the text.
    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,200}") {
        if let Err(error) = Policy::from_toml(&text) {
            prop_assert!(!error.problems.is_empty());
        }
    }

    #[test]
    fn no_value_is_too_strange(
        days in any::<i64>(),
        share in any::<f64>(),
        rows in any::<i64>(),
        name in "\\PC{0,70}",
    ) {
        let mut table = toml::Table::new();
        table.insert("name".into(), name.clone().into());
        table.insert("keep".into(), toml::toml! { days = 1 }.into());
        table.insert("time".into(), toml::toml! { column = "at" unit = "date" zone = "UTC" }.into());
        table["keep"]["days"] = days.into();
        table.insert("max_share".into(), share.into());
        let mut throttle = toml::Table::new();
        throttle.insert("max_rows".into(), rows.into());
        let mut root = toml::Table::new();
        root.insert("table".into(), vec![table].into());
        root.insert("throttle".into(), throttle.into());
        let text = root.to_string();
        let fine = (1..=36_500).contains(&days)
            && share > 0.0 && share <= 1.0
            && (1..=1_000_000).contains(&rows)
            && (1..=64).contains(&name.chars().count())
            && !name.ends_with(' ')
            && !name.contains('\0');
        match Policy::from_toml(&text) {
            Ok(policy) => {
                prop_assert!(fine);
                prop_assert!(policy.throttle.min_rows <= policy.throttle.max_rows);
                prop_assert_eq!(&policy.tables[0].name, &name);
            }
            Err(error) => {
                prop_assert!(!fine, "{}", error);
                let lines = text.lines().count();
                prop_assert!(error.problems.iter().all(|p| p.line >= 1 && p.line <= lines + 1));
            }
        }
    }
}
