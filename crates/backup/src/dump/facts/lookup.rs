//! Asking the server for a [`Catalogue`].

use std::collections::{HashMap, HashSet};

use elpis_mysql::{FromRow, Params, Session, Value};

use super::catalogue::{Catalogue, ColumnFacts, RangeColumn, Routine, TableFacts};
use crate::dump::error::DumpError;
use crate::dump::query::Query;

/// Looks at one database; of its tables, views and sequences only at those in `only`.
///
/// Whoever holds tables must name them: the server opens every table it is asked about, and one
/// that it has not been asked to leave out may belong to a `RENAME` that waits for those held.
pub(crate) async fn database(
    session: &mut Session,
    name: &str,
    only: Option<&HashSet<String>>,
) -> Result<Catalogue, DumpError> {
    let scope = &Scope::new(name, only);
    let (charset, collation) = defaults(session, name).await?;
    let mut found = Catalogue {
        name: name.to_owned(),
        charset,
        collation,
        tables: Vec::new(),
        sequences: Vec::new(),
        views: Vec::new(),
        triggers: triggers(session, scope).await?,
        routines: routines(session, name).await?,
        events: events(session, name).await?,
        view_columns: HashMap::new(),
    };
    tables(session, scope, &mut found).await?;
    columns(session, scope, &mut found).await?;
    indexes(session, scope, &mut found).await?;
    partitions(session, scope, &mut found).await?;
    Ok(found)
}

/// Which tables are asked about.
struct Scope<'a> {
    database: &'a str,
    only: Option<&'a HashSet<String>>,
}

impl<'a> Scope<'a> {
    fn new(database: &'a str, only: Option<&'a HashSet<String>>) -> Self {
        Self { database, only }
    }

    /// The condition on two columns, which the server checks before it opens a table.
    fn condition(&self, schema: &str, table: &str) -> String {
        let names = self.only.map(|only| {
            // The empty name is nobody's, and a list must not be empty.
            let places = vec!["?"; only.len() + 1].join(", ");
            format!(" AND {table} IN ({places})")
        });
        format!("{schema} = ?{}", names.unwrap_or_default())
    }

    fn params(&self) -> Params {
        let mut params = vec![Value::from(self.database)];
        if let Some(only) = self.only {
            params.push(Value::from(""));
            params.extend(only.iter().map(Value::from));
        }
        Params::Positional(params)
    }

    async fn ask<T: FromRow + Send + 'static>(
        &self,
        session: &mut Session,
        select: &str,
        rest: &str,
    ) -> Result<Vec<T>, DumpError> {
        let condition = self.condition("TABLE_SCHEMA", "TABLE_NAME");
        let sql = format!("{select} WHERE {condition} {rest}");
        session.ask(&sql, self.params()).await
    }
}

fn of(database: &str) -> Params {
    Params::Positional(vec![database.into()])
}

async fn defaults(session: &mut Session, name: &str) -> Result<(String, String), DumpError> {
    let schemata: Vec<(String, String, String)> = session
        .ask(
            "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
             FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?",
            of(name),
        )
        .await?;
    schemata
        .into_iter()
        .find(|(found, ..)| found == name)
        .map(|(_, charset, collation)| (charset, collation))
        .ok_or_else(|| DumpError::NoDatabase {
            name: name.to_owned(),
        })
}

/// Name, type, engine, rows, bytes, comment.
type TableRow = (
    String,
    String,
    Option<String>,
    Option<u64>,
    Option<u64>,
    Option<String>,
);

async fn tables(
    session: &mut Session,
    scope: &Scope<'_>,
    found: &mut Catalogue,
) -> Result<(), DumpError> {
    let transactional: Vec<String> = session
        .ask(
            "SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'",
            Params::Empty,
        )
        .await?;
    let rows: Vec<TableRow> = scope
        .ask(
            session,
            "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, TABLE_COMMENT \
             FROM information_schema.TABLES",
            "AND TABLE_TYPE NOT LIKE '%TEMPORARY'",
        )
        .await?;
    for (name, kind, engine, rows, data_bytes, comment) in rows {
        match (kind.as_str(), engine) {
            ("VIEW" | "SYSTEM VIEW", _) => found.views.push(name),
            ("SEQUENCE", _) => found.sequences.push(name),
            (_, Some(engine)) => found.tables.push(TableFacts {
                transactional: transactional.contains(&engine),
                name,
                engine,
                rows: rows.unwrap_or_default(),
                data_bytes: data_bytes.unwrap_or_default(),
                primary_key: false,
                versioned: kind == "SYSTEM VERSIONED",
                key: None,
                partitions: Vec::new(),
                indexed: Vec::new(),
                columns: Vec::new(),
            }),
            (_, None) => {
                return Err(DumpError::Undumpable {
                    what: format!("table {}.{name}", found.name),
                    reason: comment.unwrap_or_else(|| "the server cannot open it".to_owned()),
                });
            }
        }
    }
    // In our own order: the server's depends on a collation.
    found.tables.sort_by(|a, b| a.name.cmp(&b.name));
    found.views.sort();
    found.sequences.sort();
    Ok(())
}

async fn columns(
    session: &mut Session,
    scope: &Scope<'_>,
    found: &mut Catalogue,
) -> Result<(), DumpError> {
    let rows: Vec<(String, String, String, Option<String>)> = scope
        .ask(
            session,
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, GENERATION_EXPRESSION \
             FROM information_schema.COLUMNS",
            "ORDER BY TABLE_NAME, ORDINAL_POSITION",
        )
        .await?;
    for (table, column, data_type, expression) in rows {
        if let Some(table) = by_name(&mut found.tables, &table) {
            if expression.is_none_or(|expression| expression.is_empty()) {
                table.columns.push(ColumnFacts::new(column, &data_type));
            }
        } else {
            found.view_columns.entry(table).or_default().push(column);
        }
    }
    Ok(())
}

async fn indexes(
    session: &mut Session,
    scope: &Scope<'_>,
    found: &mut Catalogue,
) -> Result<(), DumpError> {
    let rows: Vec<(String, String, String, Option<String>)> = scope
        .ask(
            session,
            "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, NULLABLE \
             FROM information_schema.STATISTICS",
            "AND SEQ_IN_INDEX = 1 AND INDEX_TYPE = 'BTREE'",
        )
        .await?;
    for (table, index, column, nullable) in rows {
        let Some(table) = by_name(&mut found.tables, &table) else {
            continue;
        };
        let primary = index == "PRIMARY";
        table.primary_key |= primary;
        let known = table.columns.iter().find(|known| known.name == column);
        if !known.is_some_and(|column| column.integer) {
            continue;
        }
        let range = RangeColumn {
            column,
            index,
            nullable: nullable.as_deref() == Some("YES"),
        };
        if primary {
            table.key = Some(range);
        } else {
            table.indexed.push(range);
        }
    }
    Ok(())
}

async fn partitions(
    session: &mut Session,
    scope: &Scope<'_>,
    found: &mut Catalogue,
) -> Result<(), DumpError> {
    let rows: Vec<(String, String, Option<u64>)> = scope
        .ask(
            session,
            "SELECT TABLE_NAME, PARTITION_NAME, DATA_LENGTH FROM information_schema.PARTITIONS",
            "AND PARTITION_NAME IS NOT NULL \
             ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION",
        )
        .await?;
    for (table, partition, bytes) in rows {
        let Some(table) = by_name(&mut found.tables, &table) else {
            continue;
        };
        let bytes = bytes.unwrap_or_default();
        match table.partitions.last_mut() {
            // Another subpartition.
            Some((last, sum)) if *last == partition => *sum = sum.saturating_add(bytes),
            _ => table.partitions.push((partition, bytes)),
        }
    }
    Ok(())
}

fn by_name<'t>(tables: &'t mut [TableFacts], name: &str) -> Option<&'t mut TableFacts> {
    let at = tables
        .binary_search_by(|table| table.name.as_str().cmp(name))
        .ok()?;
    tables.get_mut(at)
}

async fn triggers(session: &mut Session, scope: &Scope<'_>) -> Result<Vec<String>, DumpError> {
    let condition = scope.condition("EVENT_OBJECT_SCHEMA", "EVENT_OBJECT_TABLE");
    let sql = format!(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE {condition} \
         ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
    );
    session.ask(&sql, scope.params()).await
}

async fn routines(session: &mut Session, name: &str) -> Result<Vec<Routine>, DumpError> {
    let rows: Vec<(String, String, bool)> = session
        .ask(
            "SELECT ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION IS NOT NULL \
             FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? \
             ORDER BY ROUTINE_TYPE, ROUTINE_NAME",
            of(name),
        )
        .await?;
    let routine = |(name, kind, readable)| Routine {
        name,
        kind,
        readable,
    };
    Ok(rows.into_iter().map(routine).collect())
}

async fn events(session: &mut Session, name: &str) -> Result<Vec<String>, DumpError> {
    session
        .ask(
            "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? \
             ORDER BY EVENT_NAME",
            of(name),
        )
        .await
}
