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
mod tests;
