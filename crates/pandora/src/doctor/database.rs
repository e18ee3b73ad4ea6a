//! From facts about the database to findings. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::versions::{schema, servers};
use super::{Check, DatabaseFacts, Disk, LATE_S};

/// Tables without a key, which can be walked by time only.
const KEYLESS: [&str; 3] = [
    "tagente_datos",
    "tagente_datos_string",
    "tagente_datos_inventory",
];

/// What is well and what is not, at `now`. `max_skew`: how far clocks may differ for a run.
/// `arguments`: what names the installation on a command line.
pub fn judge_database(
    facts: &DatabaseFacts,
    now: Timestamp,
    max_skew: Duration,
    arguments: &str,
) -> Vec<Check> {
    let mut checks = vec![
        server(facts),
        schema(facts, arguments),
        clock(facts, max_skew),
        last_run(facts, now, arguments),
    ];
    checks.extend(writable(facts));
    checks.extend(servers(facts));
    checks.extend(indexes(facts));
    checks.extend(privileges(facts));
    checks.extend(facts.disk.map(disk));
    checks.extend(facts.keyless_in_cluster.iter().map(|table| {
        Check::problem(
            "database.cluster",
            format!("{table} has no primary key, and this is a Galera cluster, which does not replicate deletes from it"),
            format!("add a primary key to {table}"),
        )
    }));
    checks.extend(facts.unknown_tables.iter().map(|found| {
        Check::warning(
            "database.unknown_table",
            format!(
                "{} has about {} rows and a time ({}), and no task knows it",
                found.table, found.rows, found.column
            ),
            "if it grows for ever, give it a rule: [[policy.table]] in a configuration of Elpis",
        )
    }));
    checks
}

fn server(facts: &DatabaseFacts) -> Check {
    let server = &facts.server;
    if facts.has_window_functions {
        return Check::ok("database.server", server.clone());
    }
    Check::problem(
        "database.server",
        format!("{server} has no window functions, so nothing can be compacted"),
        "upgrade to MariaDB 10.2 or MySQL 8.0 at least",
    )
}

/// Reasons for which every run is refused.
fn writable(facts: &DatabaseFacts) -> Vec<Check> {
    let obstacles = facts.obstacles.iter().map(|obstacle| {
        Check::problem(
            "database.writable",
            format!("a run is refused: {obstacle}"),
            "set the variable right; if the server is a replica, let the job run on the primary",
        )
    });
    let replica = facts.replica_of.iter().map(|primary| {
        Check::problem(
            "database.writable",
            format!("the server is a replica of {primary}, so a run is refused"),
            "let the job run on the primary; allow_replica = true under [policy] in a \
             configuration of Elpis if this one is written to on purpose",
        )
    });
    obstacles.chain(replica).collect()
}

fn clock(facts: &DatabaseFacts, max_skew: Duration) -> Check {
    let skew = facts.clock_skew_s;
    if skew.abs() <= max_skew.as_secs_f64() {
        return Check::ok(
            "clock",
            format!("the server's clock differs by {skew:.1} s"),
        );
    }
    Check::problem(
        "clock",
        format!("the server's clock differs from this host's by {skew:.1} s, so a run is refused"),
        "let both hosts follow the same time source (chrony, ntpd)",
    )
}

fn last_run(facts: &DatabaseFacts, now: Timestamp, arguments: &str) -> Check {
    let Some(last) = facts.last_run else {
        return Check::warning(
            "last_run",
            "no run of the maintenance has ever been recorded (db_maintance)",
            format!("start one: elpis-maint run {arguments}"),
        );
    };
    let age = now.duration_since(last).as_secs();
    let hours = age / 3600;
    if age <= LATE_S {
        return Check::ok(
            "last_run",
            format!("the last complete run ended at {last:.0}"),
        );
    }
    Check::problem(
        "last_run",
        format!("the last complete run ended at {last:.0}, {hours} hours ago"),
        format!("see why with `elpis-maint history {arguments}`, and that the hourly job runs"),
    )
}

fn indexes(facts: &DatabaseFacts) -> Vec<Check> {
    if facts.missing_indexes.is_empty() && facts.missing_columns.is_empty() {
        return vec![Check::ok(
            "database.indexes",
            "the shipped indexes are there",
        )];
    }
    let missing = facts.missing_indexes.iter().map(|(table, columns)| {
        let so = match KEYLESS.contains(&table.as_str()) && columns == "utimestamp" {
            true => "nothing finds its old rows, so that they stay for ever",
            false => "every run reads the whole table",
        };
        Check::problem(
            "database.indexes",
            format!("{table} has no index on ({columns}), which the shipped schema has: {so}"),
            format!("ALTER TABLE {table} ADD INDEX ({columns})"),
        )
    });
    let lacking = facts.missing_columns.iter().map(|(table, column)| {
        Check::problem(
            "database.columns",
            format!("{table} has no column {column}, which the shipped schema has: tasks that need it do nothing"),
            "find out which update of the console's schema was missed or undone, and let the \
             console carry it out",
        )
    });
    missing.chain(lacking).collect()
}

fn privileges(facts: &DatabaseFacts) -> Vec<Check> {
    let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for denied in &facts.denied {
        let tables = lacking.entry(denied.privilege).or_default();
        tables.push(&denied.table);
    }
    let checks = lacking.into_iter().map(|(privilege, tables)| {
        let (named, more) = tables.split_at(tables.len().min(5));
        let more = match more.len() {
            0 => String::new(),
            more => format!(" and {more} more tables"),
        };
        Check::problem(
            "database.privileges",
            format!(
                "the account lacks {privilege} on {}{more}",
                named.join(", ")
            ),
            format!("GRANT {privilege} on the whole database to it"),
        )
    });
    let mut checks: Vec<Check> = checks.collect();
    if facts.may_create == Some(false) {
        checks.push(Check::warning(
            "database.privileges",
            "the account lacks CREATE, which compaction needs once for the table of its progress",
            "GRANT CREATE on the database to it",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok(
            "database.privileges",
            "the account may do what it must",
        ));
    }
    checks
}

fn disk(disk: Disk) -> Check {
    let share = disk.free as f64 / disk.total.max(1) as f64;
    let (percent, gigabytes) = (share * 100.0, disk.free as f64 / 1e9);
    let what = format!("{percent:.0} % of the database's disk is free ({gigabytes:.1} GB)");
    let remedy = "make room: deleted rows leave room inside their tables, not on the disk, and a \
                  large purge needs some for undo and binary logs";
    if share >= 0.1 {
        Check::ok("disk", what)
    } else if share >= 0.05 {
        Check::warning("disk", what, remedy)
    } else {
        Check::problem("disk", what, remedy)
    }
}

#[cfg(test)]
mod tests {
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
}
