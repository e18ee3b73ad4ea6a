//! The structure of a table, from `information_schema`.

use std::collections::BTreeMap;

use elpis_mysql::Session;

use crate::Scalar;
use crate::store::sql::{Dialect, Sql};
use crate::store::walk::{self, Executor};
use crate::store::{Column, ColumnKind, Count, Index, OnDelete, Reference, Shape, StoreError};

/// Tables up to this size are counted: about five milliseconds.
const COUNTED: u64 = 20_000;

fn ask(text: &str, params: &[&str]) -> Sql {
    let mut sql = Sql::new(Dialect::MySql, text);
    sql.params = params.iter().map(|param| Scalar::from(*param)).collect();
    sql
}

fn text(row: &[Scalar], column: usize) -> String {
    row.get(column).map(ToString::to_string).unwrap_or_default()
}

fn number(row: &[Scalar], column: usize) -> u64 {
    match row.get(column) {
        Some(Scalar::Int(n)) => u64::try_from(*n).unwrap_or(0),
        Some(Scalar::UInt(n)) => *n,
        _ => 0,
    }
}

/// The table's structure; `None` if it does not exist.
pub(super) async fn shape(s: &mut Session, table: &str) -> Result<Option<Shape>, StoreError> {
    let facts = ask(
        "SELECT table_type, COALESCE(engine, ''), CAST(COALESCE(data_length + index_length, 0) AS UNSIGNED) \
         FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
        &[table],
    );
    let Some(facts) = walk::first(s, &facts).await? else {
        return Ok(None);
    };
    let (kind, engine) = (text(&facts, 0), text(&facts, 1));
    let obstacle = if kind != "BASE TABLE" {
        Some(format!("is a {}, not a table", kind.to_lowercase()))
    } else if !engine.eq_ignore_ascii_case("InnoDB") {
        Some(format!(
            "uses the engine {engine}, whose deletes are not transactions: convert it to InnoDB"
        ))
    } else {
        None
    };
    let indexes = indexes(s, table).await?;
    let columns = columns(s, table).await?;
    // A key is walked by comparing with values read from it. ENUM, SET and BIT do not compare as
    // they read, and floating-point numbers may not come back as they are.
    let comparable = |name: &String| {
        columns.iter().any(|column| {
            column.name == *name
                && !matches!(&column.kind, ColumnKind::Other(kind)
                    if ["enum", "set", "bit", "float", "double"].contains(&kind.as_str()))
        })
    };
    let keys = indexes
        .iter()
        .filter(|i| i.unique && i.columns.iter().all(comparable));
    let primary = keys.clone().find(|index| index.name == "PRIMARY");
    let tie_break = primary.map_or_else(Vec::new, |index| index.columns.clone());
    let keys = keys.map(|index| index.columns.clone()).collect();
    Ok(Some(Shape {
        rows: if obstacle.is_none() {
            rows(s, table).await?
        } else {
            Count::estimated(0)
        },
        bytes: Some(number(&facts, 2)),
        columns,
        keys,
        tie_break,
        indexes: indexes
            .into_iter()
            .map(|index| Index {
                name: index.name,
                columns: index.columns,
            })
            .collect(),
        referenced_by: references(s, table).await?,
        obstacle,
    }))
}

/// The number of rows: counted if it is small, else the engine's statistics; counted further
/// where these are so stale that they deny what was just seen.
pub(super) async fn rows(s: &mut Session, table: &str) -> Result<Count, StoreError> {
    let counted = count_up_to(s, table, COUNTED).await?;
    if counted < COUNTED {
        return Ok(Count::exact(counted));
    }
    let estimate = ask(
        "SELECT CAST(COALESCE(table_rows, 0) AS UNSIGNED) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = ?",
        &[table],
    );
    let estimate = walk::number(s, &estimate).await?;
    if estimate >= counted {
        return Ok(Count::estimated(estimate));
    }
    let counted = count_up_to(s, table, 50 * COUNTED).await?;
    Ok(Count {
        rows: counted,
        exact: counted < 50 * COUNTED,
    })
}

async fn count_up_to(s: &mut Session, table: &str, limit: u64) -> Result<u64, StoreError> {
    let count = Sql::new(Dialect::MySql, "SELECT COUNT(*) FROM (SELECT 1 FROM ").name(table)?;
    walk::number(s, &count.raw(" LIMIT ").number(limit).raw(") AS looked")).await
}

async fn columns(s: &mut Session, table: &str) -> Result<Vec<Column>, StoreError> {
    let columns = ask(
        "SELECT column_name, data_type FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position",
        &[table],
    );
    let columns = s.query(&columns).await?.into_iter().map(|row| {
        let kind = match text(&row, 1).to_lowercase().as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => ColumnKind::Integer,
            "timestamp" => ColumnKind::Timestamp,
            "datetime" => ColumnKind::Datetime,
            "date" => ColumnKind::Date,
            other => ColumnKind::Other(other.to_owned()),
        };
        Column {
            name: text(&row, 0),
            kind,
        }
    });
    Ok(columns.collect())
}

struct FoundIndex {
    name: String,
    columns: Vec<String>,
    /// Unique and without NULLs.
    unique: bool,
}

/// The ordered indexes, the primary key first. A prefix index or one of another kind than BTREE
/// does not order rows by the column's value and is left out.
async fn indexes(s: &mut Session, table: &str) -> Result<Vec<FoundIndex>, StoreError> {
    let rows = ask(
        "SELECT index_name, non_unique, COALESCE(column_name, ''), COALESCE(sub_part, 0), \
                COALESCE(nullable, ''), index_type, COALESCE(collation, '') \
         FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = ? \
         ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index",
        &[table],
    );
    let mut found: Vec<(FoundIndex, bool)> = Vec::new();
    for row in s.query(&rows).await? {
        let name = text(&row, 0);
        if found.last().is_none_or(|(last, _)| last.name != name) {
            let unique = number(&row, 1) == 0;
            found.push((
                FoundIndex {
                    name,
                    columns: Vec::new(),
                    unique,
                },
                true,
            ));
        }
        let Some((index, usable)) = found.last_mut() else {
            continue;
        };
        index.columns.push(text(&row, 2));
        index.unique &= text(&row, 4) != "YES";
        *usable &= number(&row, 3) == 0 && text(&row, 5) == "BTREE" && text(&row, 6) == "A";
    }
    Ok(found
        .into_iter()
        .filter(|(_, usable)| *usable)
        .map(|(index, _)| index)
        .collect())
}

async fn references(s: &mut Session, table: &str) -> Result<Vec<Reference>, StoreError> {
    let rows = ask(
        "SELECT k.constraint_name, \
                IF(k.table_schema = DATABASE(), k.table_name, \
                   CONCAT(k.table_schema, '.', k.table_name)), \
                k.column_name, k.referenced_column_name, \
                IF(k.table_schema = DATABASE(), r.delete_rule, 'RESTRICT') \
         FROM information_schema.key_column_usage k \
         JOIN information_schema.referential_constraints r \
           ON r.constraint_schema = k.constraint_schema \
          AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name \
         WHERE k.referenced_table_schema = DATABASE() AND k.referenced_table_name = ? \
         ORDER BY k.table_schema, k.table_name, k.constraint_name, k.ordinal_position",
        &[table],
    );
    let mut references: BTreeMap<(String, String), Reference> = BTreeMap::new();
    for row in s.query(&rows).await? {
        let (name, child) = (text(&row, 0), text(&row, 1));
        let entry = references.entry((child.clone(), name.clone()));
        let reference = entry.or_insert_with(|| Reference {
            name,
            child,
            columns: Vec::new(),
            parent_columns: Vec::new(),
            on_delete: match text(&row, 4).as_str() {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" | "SET DEFAULT" => OnDelete::SetNull,
                _ => OnDelete::Restrict,
            },
        });
        reference.columns.push(text(&row, 2));
        reference.parent_columns.push(text(&row, 3));
    }
    Ok(references.into_values().collect())
}
