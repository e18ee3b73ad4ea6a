//! What will be done: a pure function of policy and facts.

use serde::Serialize;

use super::error::DumpError;
use super::facts::{Catalogue, DumpFacts, RangeColumn, ServerFacts, TableFacts};
use super::policy::{DumpPolicy, NonTransactional, SnapshotStep};

/// A dump that only needs to be carried out. Tables that come or go until then are seen: what is
/// dumped is what the snapshot holds.
#[derive(Clone, Debug, Serialize)]
pub struct DumpPlan {
    /// The policy it was made from.
    pub policy: DumpPolicy,
    /// The server.
    pub server: ServerFacts,
    /// Parallel readers.
    pub readers: usize,
    /// The steps that will be tried, in this order.
    pub ladder: Vec<SnapshotStep>,
    /// The steps that are ruled out, each with the reason.
    pub ruled_out: Vec<String>,
    /// The databases with their tables.
    pub databases: Vec<Catalogue>,
    /// About how many bytes the server holds for what will be read.
    pub data_bytes: u64,
    /// What the operator should know before.
    pub warnings: Vec<String>,
}

pub(super) fn plan(
    policy: &DumpPolicy,
    facts: &DumpFacts,
    cores: usize,
) -> Result<DumpPlan, DumpError> {
    check(policy)?;
    let mut warnings = Vec::new();
    if !facts.missing.is_empty() {
        if !policy.accept_gaps {
            return Err(DumpError::Privileges {
                missing: facts.missing.clone(),
            });
        }
        let gaps = facts
            .missing
            .iter()
            .map(|gap| format!("the account lacks {gap}"));
        warnings.extend(gaps);
    }
    let (ladder, ruled_out) = ladder(policy, &facts.server);
    if ladder.is_empty() {
        return Err(DumpError::Snapshot { reasons: ruled_out });
    }
    let wanted = policy.readers.unwrap_or_else(|| cores.clamp(1, 4));
    let readers = if ladder[0] == SnapshotStep::SingleReader {
        if wanted > 1 {
            warnings.push(format!(
                "one reader instead of {wanted}: {}",
                ruled_out.join("; ")
            ));
        }
        1
    } else {
        wanted
    };
    let tables = facts.databases.iter().flat_map(|database| {
        let of = |table| (database.name.as_str(), table);
        database.tables.iter().map(of)
    });
    let mut data_bytes = 0_u64;
    for (database, table) in tables {
        if has_rows(policy, table) {
            data_bytes = data_bytes.saturating_add(table.data_bytes);
        }
        if table.versioned {
            warnings.push(format!(
                "{database}.{}: only current rows, not their history",
                table.name
            ));
        }
        if !table.transactional && policy.non_transactional == NonTransactional::Warn {
            warnings.push(unprotected(database, table));
        }
    }
    Ok(DumpPlan {
        policy: policy.clone(),
        server: facts.server.clone(),
        readers,
        ladder,
        ruled_out,
        databases: facts.databases.clone(),
        data_bytes,
        warnings,
    })
}

/// The warning about a table that no snapshot covers.
pub(super) fn unprotected(database: &str, table: &TableFacts) -> String {
    format!(
        "{database}.{}: the engine {} has no snapshots; its rows are not of the same moment",
        table.name, table.engine
    )
}

fn check(policy: &DumpPolicy) -> Result<(), DumpError> {
    let wrong = |setting: &'static str, reason: &str| {
        Err(DumpError::Policy {
            setting,
            reason: reason.to_owned(),
        })
    };
    let milliseconds = std::time::Duration::from_millis(10);
    let databases = &policy.databases;
    if databases.is_empty() {
        return wrong("databases", "are empty");
    }
    if (1..databases.len()).any(|at| databases[..at].contains(&databases[at])) {
        return wrong("databases", "name one twice");
    }
    if policy
        .readers
        .is_some_and(|readers| !(1..=64).contains(&readers))
    {
        return wrong("readers", "must be 1 to 64");
    }
    if policy.ladder.is_empty() {
        return wrong("ladder", "is empty");
    }
    if policy.lock_wait < milliseconds {
        return wrong("lock_wait", "must be at least 10 ms");
    }
    if policy.lock_hold < milliseconds {
        return wrong("lock_hold", "must be at least 10 ms");
    }
    if !(4 << 10..=512 << 20).contains(&policy.statement_bytes) {
        return wrong("statement_bytes", "must be 4 KiB to 512 MiB");
    }
    if policy.chunk_bytes < 1 << 20 {
        return wrong("chunk_bytes", "must be at least 1 MiB");
    }
    if policy.bytes_per_second == Some(0) {
        return wrong("bytes_per_second", "must be above 0");
    }
    if policy.windows.iter().any(|window| window.width == 0) {
        return wrong("windows", "must have a width above 0");
    }
    Ok(())
}

fn ladder(policy: &DumpPolicy, server: &ServerFacts) -> (Vec<SnapshotStep>, Vec<String>) {
    let mut ladder = Vec::new();
    let mut ruled_out = Vec::new();
    for &step in &policy.ladder {
        let reason = match step {
            // A single reader needs no agreement with others.
            _ if policy.readers == Some(1) && step != SnapshotStep::SingleReader => continue,
            SnapshotStep::LockFree => &server.no_lock_free,
            SnapshotStep::BackupStage => &server.no_backup_stage,
            SnapshotStep::GlobalReadLock => &server.no_global_lock,
            SnapshotStep::SingleReader => &None,
        };
        match reason {
            Some(reason) => ruled_out.push(format!("{}: {reason}", step.words())),
            None => ladder.push(step),
        }
    }
    if policy.readers == Some(1) && ladder.is_empty() {
        ladder.push(SnapshotStep::SingleReader);
    }
    (ladder, ruled_out)
}

impl SnapshotStep {
    /// The step for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::LockFree => "lock-free snapshots",
            Self::BackupStage => "BACKUP STAGE",
            Self::GlobalReadLock => "FLUSH TABLES WITH READ LOCK",
            Self::SingleReader => "a single reader",
        }
    }
}

/// Whether a table's rows go into the text.
pub(super) fn has_rows(policy: &DumpPolicy, table: &TableFacts) -> bool {
    let left_out = policy
        .without_rows
        .iter()
        .any(|pattern| fits(&table.name, pattern));
    !left_out && !table.is_a_window()
}

/// How a table is cut into chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Not at all.
    Whole,
    /// Into about so many ranges of a column.
    Ranges(RangeColumn, u64),
    /// At the multiples of a width.
    Windows(RangeColumn, u64),
    /// Into groups of partitions.
    Partitions(Vec<Vec<String>>),
}

pub(super) fn cut(policy: &DumpPolicy, table: &TableFacts) -> Cut {
    let window = policy
        .windows
        .iter()
        .find(|window| fits(&table.name, &window.table));
    if let Some(window) = window {
        let mut columns = table.key.iter().chain(&table.indexed);
        if let Some(range) = columns.find(|range| range.column == window.column) {
            return Cut::Windows(range.clone(), window.width);
        }
    }
    let chunks = table.data_bytes.div_ceil(policy.chunk_bytes);
    if chunks < 2 || table.versioned {
        return Cut::Whole;
    }
    if table.partitions.len() > 1 {
        return Cut::Partitions(groups(&table.partitions, policy.chunk_bytes));
    }
    match &table.key {
        Some(key) => Cut::Ranges(key.clone(), chunks.min(10_000)),
        // Through a secondary index it would cost three times as much: see `Window`.
        None => Cut::Whole,
    }
}

/// Neighbours together until they reach `bytes`.
fn groups(partitions: &[(String, u64)], bytes: u64) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut filled = u64::MAX;
    for (name, size) in partitions {
        match groups.last_mut() {
            Some(group) if filled.saturating_add(*size) <= bytes => {
                group.push(name.clone());
                filled += size;
            }
            _ => {
                groups.push(vec![name.clone()]);
                filled = *size;
            }
        }
    }
    groups
}

/// `name` or `start*`.
fn fits(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dump::policy::Window;

    fn table(name: &str, data_bytes: u64) -> TableFacts {
        TableFacts {
            name: name.to_owned(),
            engine: "InnoDB".to_owned(),
            transactional: true,
            rows: 0,
            data_bytes,
            primary_key: false,
            versioned: false,
            key: None,
            partitions: Vec::new(),
            indexed: Vec::new(),
            columns: Vec::new(),
        }
    }

    fn range(column: &str) -> RangeColumn {
        RangeColumn {
            column: column.to_owned(),
            index: "i".to_owned(),
            nullable: true,
        }
    }

    #[test]
    fn tables_are_cut_where_it_is_cheap() {
        let mut policy = DumpPolicy::new(vec!["d".to_owned()]);
        policy.chunk_bytes = 100 << 20;
        let keyless = TableFacts {
            indexed: vec![range("utimestamp")],
            ..table("tagente_datos", 1 << 30)
        };
        assert_eq!(cut(&policy, &keyless), Cut::Whole);
        policy.windows.push(Window {
            table: "tagente_datos*".to_owned(),
            column: "utimestamp".to_owned(),
            width: 86_400,
        });
        assert_eq!(
            cut(&policy, &keyless),
            Cut::Windows(range("utimestamp"), 86_400)
        );
        let keyed = TableFacts {
            key: Some(range("id")),
            ..table("tevento", 1 << 30)
        };
        assert_eq!(cut(&policy, &keyed), Cut::Ranges(range("id"), 11));
        let partition = |name: &str, megabytes: u64| (name.to_owned(), megabytes << 20);
        let parted = TableFacts {
            partitions: vec![partition("a", 60), partition("b", 40), partition("c", 1)],
            ..keyed
        };
        let groups = vec![vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]];
        assert_eq!(cut(&policy, &parted), Cut::Partitions(groups));
        assert_eq!(cut(&policy, &table("small", 5)), Cut::Whole);
    }

    #[test]
    fn a_policy_is_checked_setting_by_setting() {
        let good = DumpPolicy::new(vec!["d".to_owned()]);
        assert!(check(&good).is_ok());
        type Change = (&'static str, fn(&mut DumpPolicy));
        let changes: [Change; 10] = [
            ("databases", |policy| policy.databases.clear()),
            ("databases", |policy| policy.databases.push("d".to_owned())),
            ("readers", |policy| policy.readers = Some(0)),
            ("readers", |policy| policy.readers = Some(65)),
            ("ladder", |policy| policy.ladder.clear()),
            ("lock_wait", |policy| policy.lock_wait = Duration::ZERO),
            ("lock_hold", |policy| {
                policy.lock_hold = Duration::from_millis(9)
            }),
            ("statement_bytes", |policy| policy.statement_bytes = 4095),
            ("chunk_bytes", |policy| policy.chunk_bytes = 0),
            ("bytes_per_second", |policy| {
                policy.bytes_per_second = Some(0)
            }),
        ];
        for (expected, change) in changes {
            let mut policy = good.clone();
            change(&mut policy);
            match check(&policy) {
                Err(DumpError::Policy { setting, .. }) => assert_eq!(setting, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
