use super::super::{State, UnknownTable};
use super::*;
use crate::server::Denied;

fn well(now: Timestamp) -> DatabaseFacts {
    DatabaseFacts {
        server: "MariaDb 10.11.6".to_owned(),
        has_window_functions: true,
        schema_version: Some("7.0NG".to_owned()),
        // Of one version, built on two days for two systems.
        server_versions: vec![
            "7.0NG.776 Build 240328".into(),
            "7.0NG.776 Build 240401".into(),
        ],
        last_run: Some(now),
        disk: Some(Disk {
            free: 50,
            total: 100,
        }),
        ..DatabaseFacts::default()
    }
}

fn judge(facts: &DatabaseFacts, now: Timestamp) -> Vec<Check> {
    judge_database(facts, now, Duration::from_secs(30), "--pandora /c")
}

#[test]
fn a_healthy_database_has_no_findings() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let checks = judge(&well(now), now);
    assert!(
        checks.iter().all(|check| check.state == State::Ok),
        "{checks:?}"
    );
    assert!(checks.iter().all(|check| check.remedy.is_none()));
    let tool = format!("elpis-maint {}, schema 7.0NG", env!("CARGO_PKG_VERSION"));
    assert!(
        checks.iter().any(|check| check.what.starts_with(&tool)),
        "{checks:?}"
    );
}

#[test]
fn every_fault_is_found_with_a_remedy() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let well = || well(now);
    let ago = |s| Timestamp::from_second(1_800_000_000 - s).ok();
    let faults = [
        (
            "database.server",
            DatabaseFacts {
                has_window_functions: false,
                ..well()
            },
        ),
        (
            "database.schema",
            DatabaseFacts {
                schema_version: Some("8.0".into()),
                server_versions: Vec::new(),
                ..well()
            },
        ),
        (
            "database.schema",
            DatabaseFacts {
                schema_version: None,
                ..well()
            },
        ),
        (
            "database.servers",
            DatabaseFacts {
                server_versions: vec!["7.0NG.776 Build 1".into(), "7.0NG.770".into()],
                ..well()
            },
        ),
        (
            "database.servers",
            DatabaseFacts {
                server_versions: vec!["6.0SP5 Build 2".into()],
                ..well()
            },
        ),
        (
            "database.writable",
            DatabaseFacts {
                obstacles: vec!["read_only is set"],
                ..well()
            },
        ),
        (
            "database.writable",
            DatabaseFacts {
                replica_of: Some("primary:3306".into()),
                ..well()
            },
        ),
        (
            "database.columns",
            DatabaseFacts {
                missing_columns: vec![("tevento".into(), "utimestamp".into())],
                ..well()
            },
        ),
        (
            "clock",
            DatabaseFacts {
                clock_skew_s: -31.0,
                ..well()
            },
        ),
        (
            "last_run",
            DatabaseFacts {
                last_run: None,
                ..well()
            },
        ),
        (
            "last_run",
            DatabaseFacts {
                last_run: ago(LATE_S + 1),
                ..well()
            },
        ),
        (
            "disk",
            DatabaseFacts {
                disk: Some(Disk {
                    free: 9,
                    total: 100,
                }),
                ..well()
            },
        ),
        (
            "database.indexes",
            DatabaseFacts {
                missing_indexes: vec![("tevento".into(), "utimestamp".into())],
                ..well()
            },
        ),
        (
            "database.privileges",
            DatabaseFacts {
                denied: vec![Denied {
                    privilege: "DELETE",
                    table: "tevento".into(),
                }],
                ..well()
            },
        ),
        (
            "database.privileges",
            DatabaseFacts {
                may_create: Some(false),
                ..well()
            },
        ),
        (
            "database.cluster",
            DatabaseFacts {
                keyless_in_cluster: vec!["tagente_datos".into()],
                ..well()
            },
        ),
        (
            "database.unknown_table",
            DatabaseFacts {
                unknown_tables: vec![UnknownTable {
                    table: "tnew".into(),
                    column: "utimestamp".into(),
                    rows: 10_000,
                }],
                ..well()
            },
        ),
    ];
    for (name, facts) in faults {
        let checks = judge(&facts, now);
        let found: Vec<&Check> = checks
            .iter()
            .filter(|check| check.state != State::Ok)
            .collect();
        assert_eq!(found.len(), 1, "{name}: {checks:?}");
        assert_eq!(found[0].check, name);
        let remedy = found[0].remedy.as_deref().unwrap();
        // What it says to call has to work as it stands.
        assert_eq!(
            remedy.contains("elpis-maint "),
            remedy.contains("--pandora /c"),
            "{remedy}"
        );
    }
    let late = DatabaseFacts {
        last_run: ago(LATE_S),
        ..well()
    };
    assert!(
        judge(&late, now)
            .iter()
            .all(|check| check.state == State::Ok)
    );
}
