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

/// One table of this database, or all of them.
#[derive(Clone, Copy)]
enum Which<'a> {
    All,
    Table(&'a str),
}

impl Which<'_> {
    /// `text` with `{}` replaced by the condition that `column` is the table, if one is meant. A
    /// condition and not a pattern: the server then opens this table only.
    fn ask(self, text: &str, column: &str) -> Sql {
        match self {
            Which::All => ask(&text.replace("{}", ""), &[]),
            Which::Table(table) => {
                ask(&text.replace("{}", &format!(" AND {column} = ?")), &[table])
            }
        }
    }
}

/// The table's structure; `None` if it does not exist.
pub(super) async fn shape(s: &mut Session, table: &str) -> Result<Option<Shape>, StoreError> {
    let shapes = shapes(s, Which::Table(table)).await?;
    let Some(shape) = shapes.into_values().next() else {
        return Ok(None);
    };
    let counted = shape.obstacle.is_none();
    Ok(Some(Shape {
        rows: if counted {
            rows(s, table).await?
        } else {
            Count::estimated(0)
        },
        ..shape
    }))
}

/// The structure of every table of this database, with the engine's guess at its rows.
pub(super) async fn outline(s: &mut Session) -> Result<BTreeMap<String, Shape>, StoreError> {
    shapes(s, Which::All).await
}

async fn shapes(s: &mut Session, which: Which<'_>) -> Result<BTreeMap<String, Shape>, StoreError> {
    let facts = which.ask(
        "SELECT table_name, table_type, COALESCE(engine, ''), \
                CAST(COALESCE(data_length + index_length, 0) AS UNSIGNED), \
                CAST(COALESCE(table_rows, 0) AS UNSIGNED) \
         FROM information_schema.tables WHERE table_schema = DATABASE(){}",
        "table_name",
    );
    let facts = s.query(&facts).await?;
    if facts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut columns = columns(s, which).await?;
    let mut indexes = indexes(s, which).await?;
    let mut references = references(s, which).await?;
    let shape = |row: Vec<Scalar>| {
        let name = text(&row, 0);
        let (columns, indexes) = (columns.remove(&name), indexes.remove(&name));
        let referenced_by = references.remove(&name).unwrap_or_default();
        let shape = assemble(
            &row,
            columns.unwrap_or_default(),
            indexes.unwrap_or_default(),
        );
        let shape = Shape {
            referenced_by,
            ..shape
        };
        (name, shape)
    };
    Ok(facts.into_iter().map(shape).collect())
}

/// A table's structure from its facts, columns and indexes.
fn assemble(facts: &[Scalar], columns: Vec<Column>, indexes: Vec<FoundIndex>) -> Shape {
    let (kind, engine) = (text(facts, 1), text(facts, 2));
    let obstacle = if kind != "BASE TABLE" {
        Some(format!("is a {}, not a table", kind.to_lowercase()))
    } else if !engine.eq_ignore_ascii_case("InnoDB") {
        Some(format!(
            "uses the engine {engine}, whose deletes are not transactions: convert it to InnoDB"
        ))
    } else {
        None
    };
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
    Shape {
        rows: Count::estimated(number(facts, 4)),
        bytes: Some(number(facts, 3)),
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
        referenced_by: Vec::new(),
        obstacle,
    }
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

/// The number of rows, or `limit` if there are more. Passing over rows costs a third of what
/// counting the first of them does, which copies them.
async fn count_up_to(s: &mut Session, table: &str, limit: u64) -> Result<u64, StoreError> {
    let beyond = Sql::new(Dialect::MySql, "SELECT 1 FROM ").name(table)?;
    let beyond = beyond
        .raw(" LIMIT 1 OFFSET ")
        .number(limit.saturating_sub(1));
    if walk::first(s, &beyond).await?.is_some() {
        return Ok(limit);
    }
    let all = Sql::new(Dialect::MySql, "SELECT COUNT(*) FROM ").name(table)?;
    Ok(walk::number(s, &all).await?.min(limit))
}

async fn columns(
    s: &mut Session,
    which: Which<'_>,
) -> Result<BTreeMap<String, Vec<Column>>, StoreError> {
    let columns = which.ask(
        "SELECT table_name, column_name, data_type FROM information_schema.columns \
         WHERE table_schema = DATABASE(){} ORDER BY table_name, ordinal_position",
        "table_name",
    );
    let mut found: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in s.query(&columns).await? {
        let kind = match text(&row, 2).to_lowercase().as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => ColumnKind::Integer,
            "timestamp" => ColumnKind::Timestamp,
            "datetime" => ColumnKind::Datetime,
            "date" => ColumnKind::Date,
            other => ColumnKind::Other(other.to_owned()),
        };
        found.entry(text(&row, 0)).or_default().push(Column {
            name: text(&row, 1),
            kind,
        });
    }
    Ok(found)
}

struct FoundIndex {
    name: String,
    columns: Vec<String>,
    /// Unique and without NULLs.
    unique: bool,
}

/// The ordered indexes, the primary key first. A prefix index or one of another kind than BTREE
/// does not order rows by the column's value and is left out.
async fn indexes(
    s: &mut Session,
    which: Which<'_>,
) -> Result<BTreeMap<String, Vec<FoundIndex>>, StoreError> {
    let rows = which.ask(
        "SELECT table_name, index_name, non_unique, COALESCE(column_name, ''), \
                COALESCE(sub_part, 0), COALESCE(nullable, ''), index_type, \
                COALESCE(collation, '') \
         FROM information_schema.statistics \
         WHERE table_schema = DATABASE(){} \
         ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index",
        "table_name",
    );
    let mut found: BTreeMap<String, Vec<(FoundIndex, bool)>> = BTreeMap::new();
    for row in s.query(&rows).await? {
        let (of_table, name) = (found.entry(text(&row, 0)).or_default(), text(&row, 1));
        if of_table.last().is_none_or(|(last, _)| last.name != name) {
            let unique = number(&row, 2) == 0;
            of_table.push((
                FoundIndex {
                    name,
                    columns: Vec::new(),
                    unique,
                },
                true,
            ));
        }
        let Some((index, usable)) = of_table.last_mut() else {
            continue;
        };
        index.columns.push(text(&row, 3));
        index.unique &= text(&row, 5) != "YES";
        *usable &= number(&row, 4) == 0 && text(&row, 6) == "BTREE" && text(&row, 7) == "A";
    }
    let usable = |indexes: Vec<(FoundIndex, bool)>| {
        let usable = indexes.into_iter().filter(|(_, usable)| *usable);
        usable.map(|(index, _)| index).collect()
    };
    let found = found.into_iter();
    Ok(found.map(|(table, all)| (table, usable(all))).collect())
}

async fn references(
    s: &mut Session,
    which: Which<'_>,
) -> Result<BTreeMap<String, Vec<Reference>>, StoreError> {
    let rows = which.ask(
        "SELECT referenced_table_name, constraint_name, table_schema = DATABASE(), table_schema, \
                table_name, column_name, referenced_column_name \
         FROM information_schema.key_column_usage \
         WHERE referenced_table_schema = DATABASE(){} \
         ORDER BY table_schema, table_name, constraint_name, ordinal_position",
        "referenced_table_name",
    );
    let rows = s.query(&rows).await?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rules = on_delete(s, which).await?;
    let mut found: BTreeMap<(String, String, String), Reference> = BTreeMap::new();
    for row in rows {
        let (parent, name) = (text(&row, 0), text(&row, 1));
        let (schema, table) = (text(&row, 3), text(&row, 4));
        // What another database's table does is never ours to rely on.
        let (child, rule) = match number(&row, 2) {
            1 => (table.clone(), rules.get(&(table, name.clone())).copied()),
            _ => (format!("{schema}.{table}"), None),
        };
        let entry = found.entry((parent, child.clone(), name.clone()));
        let reference = entry.or_insert_with(|| Reference {
            name,
            child,
            columns: Vec::new(),
            parent_columns: Vec::new(),
            on_delete: rule.unwrap_or(OnDelete::Restrict),
        });
        reference.columns.push(text(&row, 5));
        reference.parent_columns.push(text(&row, 6));
    }
    let mut references: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
    for ((parent, _, _), reference) in found {
        references.entry(parent).or_default().push(reference);
    }
    Ok(references)
}

/// What the foreign keys of this database's tables do when a parent goes, by table and name. Asked
/// by itself: joined to the columns, the server opens every table twice.
async fn on_delete(
    s: &mut Session,
    which: Which<'_>,
) -> Result<BTreeMap<(String, String), OnDelete>, StoreError> {
    let rules = which.ask(
        "SELECT table_name, constraint_name, delete_rule \
         FROM information_schema.referential_constraints \
         WHERE constraint_schema = DATABASE(){}",
        "referenced_table_name",
    );
    let rules = s.query(&rules).await?.into_iter().map(|row| {
        let rule = match text(&row, 2).as_str() {
            "CASCADE" => OnDelete::Cascade,
            "SET NULL" | "SET DEFAULT" => OnDelete::SetNull,
            _ => OnDelete::Restrict,
        };
        ((text(&row, 0), text(&row, 1)), rule)
    });
    Ok(rules.collect())
}
