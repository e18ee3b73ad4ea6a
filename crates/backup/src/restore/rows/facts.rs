//! Looking at whose rows are meant, and at the tables that they go to.

use std::collections::{BTreeMap, BTreeSet};

use elpis_mysql::{Params, Session};
use serde::{Deserialize, Serialize};

use super::{RowsOf, RowsTable};
use crate::restore::error::RestoreError;
use crate::restore::session::{Ask, of, qualified, quoted};

/// What the live database has of an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsFacts {
    /// Those that are called so; there should be one.
    pub owners: Vec<OwnerFacts>,
    /// The keys of the parts, if there is one owner.
    pub parts: BTreeSet<u64>,
    /// The tables that the live database has, by name.
    pub tables: BTreeMap<String, RowsTableFacts>,
    /// Why the owner cannot be looked for, if so.
    pub unknown: Option<String>,
}

/// One owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerFacts {
    /// Its key.
    pub key: u64,
    /// What it is called.
    pub name: String,
}

/// A table that rows go to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsTableFacts {
    /// Whether its engine knows transactions.
    pub transactional: bool,
    /// The columns of each unique index.
    pub unique: Vec<Vec<String>>,
}

/// Looks for the owner and its tables in the live database. Changes nothing.
pub(in crate::restore) async fn gather(
    session: &mut Session,
    database: &str,
    rows: &RowsOf,
) -> Result<RowsFacts, RestoreError> {
    let mut facts = RowsFacts::default();
    let (owners, parts) = (&rows.tables.owners, &rows.tables.parts);
    for (table, columns) in [
        (
            &owners.table,
            [std::slice::from_ref(&owners.key), &owners.names].concat(),
        ),
        (&parts.table, vec![parts.key.clone(), parts.owner.clone()]),
    ] {
        let there: Vec<String> = session
            .ask(
                "SELECT COLUMN_NAME FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
                of(&[database, table]),
            )
            .await?;
        if let Some(column) = columns.iter().find(|column| !there.contains(column)) {
            facts.unknown = Some(format!(
                "{database} has no column {column} in a table {table}"
            ));
            return Ok(facts);
        }
    }
    facts.owners = find_owners(session, database, rows).await?;
    if let [owner] = facts.owners.as_slice() {
        let sql = format!(
            "SELECT {} FROM {} WHERE {} = ?",
            quoted(&parts.key)?,
            qualified(database, &parts.table)?,
            quoted(&parts.owner)?
        );
        let keys: Vec<u64> = session
            .ask(&sql, Params::Positional(vec![owner.key.into()]))
            .await?;
        facts.parts = keys.into_iter().collect();
    }
    for RowsTable { table, .. } in &rows.tables.rows {
        if let Some(found) = look(session, database, table).await? {
            facts.tables.insert(table.clone(), found);
        }
    }
    Ok(facts)
}

async fn find_owners(
    session: &mut Session,
    database: &str,
    rows: &RowsOf,
) -> Result<Vec<OwnerFacts>, RestoreError> {
    let owners = &rows.tables.owners;
    let key = quoted(&owners.key)?;
    let names: Result<Vec<String>, _> = owners.names.iter().map(|name| quoted(name)).collect();
    let names = names?;
    let shown = names.first().unwrap_or(&key);
    let select = format!(
        "SELECT {key}, COALESCE(CAST({shown} AS CHAR), '') FROM {}",
        qualified(database, &owners.table)?
    );
    let owner = |(key, name)| OwnerFacts { key, name };
    if let Ok(number) = rows.whose.parse::<u64>() {
        let sql = format!("{select} WHERE {key} = ?");
        let found: Vec<(u64, String)> = session
            .ask(&sql, Params::Positional(vec![number.into()]))
            .await?;
        if !found.is_empty() {
            return Ok(found.into_iter().map(owner).collect());
        }
    }
    let named: Vec<String> = names.iter().map(|name| format!("{name} = ?")).collect();
    let sql = format!("{select} WHERE {} ORDER BY {key}", named.join(" OR "));
    let whose = vec![rows.whose.as_str(); names.len()];
    let found: Vec<(u64, String)> = session.ask(&sql, of(&whose)).await?;
    Ok(found.into_iter().map(owner).collect())
}

async fn look(
    session: &mut Session,
    database: &str,
    table: &str,
) -> Result<Option<RowsTableFacts>, RestoreError> {
    let transactional: Option<bool> = session
        .ask_first(
            "SELECT COALESCE(e.TRANSACTIONS, '') = 'YES' FROM information_schema.TABLES t \
             LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ? AND t.TABLE_TYPE = 'BASE TABLE'",
            of(&[database, table]),
        )
        .await?;
    let Some(transactional) = transactional else {
        return Ok(None);
    };
    let columns: Vec<(String, String)> = session
        .ask(
            "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 \
             ORDER BY INDEX_NAME, SEQ_IN_INDEX",
            of(&[database, table]),
        )
        .await?;
    let mut unique: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, column) in columns {
        unique.entry(index).or_default().push(column);
    }
    Ok(Some(RowsTableFacts {
        transactional,
        unique: unique.into_values().collect(),
    }))
}
