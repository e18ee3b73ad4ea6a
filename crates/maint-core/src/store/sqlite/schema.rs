//! The structure of a SQLite table, from the pragma functions.

use std::collections::BTreeMap;

use super::executor::Sqlite;
use crate::Scalar;
use crate::store::sql::{Dialect, Sql};
use crate::store::walk::{self, Executor};
use crate::store::{Column, ColumnKind, Count, Index, OnDelete, Reference, Shape, StoreError};

/// The name under which SQLite's hidden row id is walked.
const ROW_ID: &str = "rowid";

fn ask(text: &str, params: &[&str]) -> Sql {
    let mut sql = Sql::new(Dialect::Sqlite, text);
    sql.params = params.iter().map(|param| Scalar::from(*param)).collect();
    sql
}

fn text(value: Option<&Scalar>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// The table's structure; `None` if it does not exist.
pub(super) async fn shape(c: &mut Sqlite, table: &str) -> Result<Option<Shape>, StoreError> {
    let kind = ask(
        "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'",
        &[table],
    );
    let Some(kind) = walk::first(c, &kind).await? else {
        return Ok(None);
    };
    let without_rowid = kind.get(1) == Some(&Scalar::Int(1));
    let obstacle = if text(kind.first()) != "table" {
        Some(format!("is a {}, not a table", text(kind.first())))
    } else if without_rowid {
        Some("is a WITHOUT ROWID table, which this store cannot walk".to_owned())
    } else {
        None
    };
    Ok(Some(Shape {
        rows: if obstacle.is_none() {
            rows(c, table).await?
        } else {
            Count::estimated(0)
        },
        bytes: None,
        columns: columns(c, table).await?,
        keys: keys(c, table).await?,
        tie_break: vec![ROW_ID.to_owned()],
        indexes: indexes(c, table).await?,
        referenced_by: references(c, table).await?,
        obstacle,
    }))
}

/// The structure of every table.
pub(super) async fn outline(c: &mut Sqlite) -> Result<BTreeMap<String, Shape>, StoreError> {
    let names = ask(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        &[],
    );
    let mut shapes = BTreeMap::new();
    for name in c.query(&names).await?.concat() {
        let name = name.to_string();
        if let Some(shape) = shape(c, &name).await? {
            shapes.insert(name, shape);
        }
    }
    Ok(shapes)
}

/// The number of rows: the span of row ids, which is exact for tables that were only appended to
/// and deleted from at the ends, counted if it is small.
pub(super) async fn rows(c: &mut Sqlite, table: &str) -> Result<Count, StoreError> {
    let span = "SELECT COALESCE(MAX(rowid) - MIN(rowid) + 1, 0) FROM ";
    let span = walk::number(c, &Sql::new(Dialect::Sqlite, span).name(table)?).await?;
    if span > 200_000 {
        return Ok(Count::estimated(span));
    }
    let count = Sql::new(Dialect::Sqlite, "SELECT COUNT(*) FROM ").name(table)?;
    Ok(Count::exact(walk::number(c, &count).await?))
}

async fn columns(c: &mut Sqlite, table: &str) -> Result<Vec<Column>, StoreError> {
    let columns = ask(
        "SELECT name, type FROM pragma_table_info(?) ORDER BY cid",
        &[table],
    );
    let mut columns: Vec<Column> = c
        .query(&columns)
        .await?
        .into_iter()
        .map(|row| {
            // The rule of SQLite's documentation ("Determination Of Column Affinity").
            let integer = text(row.get(1)).to_ascii_uppercase().contains("INT");
            let kind = if integer {
                ColumnKind::Integer
            } else {
                ColumnKind::Dynamic
            };
            Column {
                name: text(row.first()),
                kind,
            }
        })
        .collect();
    columns.push(Column {
        name: ROW_ID.to_owned(),
        kind: ColumnKind::Integer,
    });
    Ok(columns)
}

/// The row id comes first: every walk along a key uses it. A column that is the row id under
/// another name follows, for foreign keys, and so do unique columns.
async fn keys(c: &mut Sqlite, table: &str) -> Result<Vec<Vec<String>>, StoreError> {
    let mut keys = vec![vec![ROW_ID.to_owned()]];
    let primary = ask(
        "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk",
        &[table],
    );
    let primary = c.query(&primary).await?;
    if !primary.is_empty() {
        keys.push(primary.iter().map(|row| text(row.first())).collect());
    }
    let unique = ask(
        "SELECT name FROM pragma_index_list(?) WHERE \"unique\" = 1 AND partial = 0",
        &[table],
    );
    for row in c.query(&unique).await? {
        let columns = ask(
            "SELECT name FROM pragma_index_info(?) ORDER BY seqno",
            &[&text(row.first())],
        );
        let columns = c
            .query(&columns)
            .await?
            .iter()
            .map(|row| text(row.first()))
            .collect();
        if !keys.contains(&columns) {
            keys.push(columns);
        }
    }
    Ok(keys)
}

async fn indexes(c: &mut Sqlite, table: &str) -> Result<Vec<Index>, StoreError> {
    let list = ask(
        "SELECT name FROM pragma_index_list(?) WHERE partial = 0",
        &[table],
    );
    let mut indexes = Vec::new();
    for row in c.query(&list).await? {
        let name = text(row.first());
        // A descending or differently collated column, or an expression, does not order the walk
        // as we compare it: it stands there without a name.
        let columns = ask(
            "SELECT COALESCE(CASE WHEN \"desc\" = 0 AND coll = 'BINARY' THEN name END, '') \
             FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno",
            &[&name],
        );
        let columns = c
            .query(&columns)
            .await?
            .iter()
            .map(|row| text(row.first()))
            .collect();
        indexes.push(Index { name, columns });
    }
    Ok(indexes)
}

async fn references(c: &mut Sqlite, table: &str) -> Result<Vec<Reference>, StoreError> {
    let sql = ask(
        "SELECT m.name, f.id, f.\"from\", COALESCE(f.\"to\", ''), f.on_delete \
         FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f \
         WHERE m.type = 'table' AND f.\"table\" = ? COLLATE NOCASE ORDER BY m.name, f.id, f.seq",
        &[table],
    );
    let primary = keys(c, table).await?.into_iter().nth(1).unwrap_or_default();
    let mut references: Vec<Reference> = Vec::new();
    for row in c.query(&sql).await? {
        let (child, id) = (text(row.first()), text(row.get(1)));
        let name = format!("{child} foreign key {id}");
        if references.last().is_none_or(|last| last.name != name) {
            let on_delete = match text(row.get(4)).as_str() {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" | "SET DEFAULT" => OnDelete::SetNull,
                _ => OnDelete::Restrict,
            };
            let (columns, parent_columns) = (Vec::new(), Vec::new());
            references.push(Reference {
                name,
                child,
                columns,
                parent_columns,
                on_delete,
            });
        }
        let Some(last) = references.last_mut() else {
            continue;
        };
        // A foreign key that names no column points at the primary key.
        let to = match text(row.get(3)) {
            to if to.is_empty() => primary.get(last.columns.len()).cloned().unwrap_or_default(),
            to => to,
        };
        last.columns.push(text(row.get(2)));
        last.parent_columns.push(to);
    }
    Ok(references)
}
