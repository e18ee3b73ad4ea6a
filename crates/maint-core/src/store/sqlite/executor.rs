//! Statements on a SQLite connection.

use std::sync::{Arc, Mutex, MutexGuard};

use diesel::connection::SimpleConnection;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::row::{Field, NamedRow, Row};
use diesel::sql_types::{BigInt, Binary, Double, Text};
use diesel::sqlite::{Sqlite as Backend, SqliteType};
use diesel::{RunQueryDsl, SqliteConnection, sql_query};

use crate::Scalar;
use crate::store::StoreError;
use crate::store::sql::{Dialect, Sql};
use crate::store::walk::Executor;

/// The connection, shared with the blocking thread that uses it.
pub(super) struct Sqlite {
    pub(super) connection: Arc<Mutex<SqliteConnection>>,
}

/// Quotes an identifier for SQLite.
pub(in crate::store) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Carries out a statement without parameters or results.
pub(super) fn batch(sqlite: &Sqlite, text: &str) -> Result<(), StoreError> {
    sqlite
        .get()?
        .batch_execute(text)
        .map_err(|e| failed(text, e))
}

impl Sqlite {
    fn get(&self) -> Result<MutexGuard<'_, SqliteConnection>, StoreError> {
        self.connection.lock().map_err(|_| StoreError::Lost {
            doing: "using the connection".to_owned(),
            source: "an earlier call panicked".into(),
        })
    }
}

impl Executor for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;

    /// Keys of several columns become one OR of all, which SQLite refuses from 1,000 on.
    const MOST_KEYS: usize = 500;

    async fn change(&mut self, sql: &Sql) -> Result<u64, StoreError> {
        let changed = bound(sql)
            .execute(&mut *self.get()?)
            .map_err(|e| failed(&sql.text, e))?;
        Ok(changed as u64)
    }

    async fn query(&mut self, sql: &Sql) -> Result<Vec<Vec<Scalar>>, StoreError> {
        let rows: Vec<AnyRow> = bound(sql)
            .load(&mut *self.get()?)
            .map_err(|e| failed(&sql.text, e))?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.0.into_iter().collect())
            .collect())
    }

    async fn integers(&mut self, sql: &Sql) -> Result<Vec<Vec<Option<i64>>>, StoreError> {
        let rows: Vec<AnyRow> = bound(sql)
            .load(&mut *self.get()?)
            .map_err(|e| failed(&sql.text, e))?;
        let whole = |value: Option<Scalar>| match value? {
            Scalar::Int(n) => Some(n),
            _ => None,
        };
        Ok(rows
            .into_iter()
            .map(|row| row.0.into_iter().map(whole).collect())
            .collect())
    }

    async fn reals(&mut self, sql: &Sql) -> Result<Vec<Vec<Option<f64>>>, StoreError> {
        let rows: Vec<Reals> = bound(sql)
            .load(&mut *self.get()?)
            .map_err(|e| failed(&sql.text, e))?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn guess(&mut self, _sql: &Sql) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}

fn bound(sql: &Sql) -> BoxedSqlQuery<'static, Backend, SqlQuery> {
    let mut query = sql_query(&sql.text).into_boxed();
    for param in &sql.params {
        query = match param {
            Scalar::Int(n) => query.bind::<BigInt, _>(*n),
            // SQLite has no integers above i64::MAX; such a value compares as the largest.
            Scalar::UInt(n) => query.bind::<BigInt, _>(i64::try_from(*n).unwrap_or(i64::MAX)),
            Scalar::Text(text) => query.bind::<Text, _>(text.clone()),
            Scalar::Bytes(bytes) => query.bind::<Binary, _>(bytes.clone()),
        };
    }
    query
}

/// A row of values of whatever type they have; `None` stands for NULL.
struct AnyRow(Vec<Option<Scalar>>);

impl QueryableByName<Backend> for AnyRow {
    fn build<'a>(row: &impl NamedRow<'a, Backend>) -> deserialize::Result<Self> {
        let mut values = Vec::with_capacity(row.field_count());
        for i in 0..row.field_count() {
            let field = Row::get(row, i).ok_or("a column is missing")?;
            let Some(value) = field.value() else {
                values.push(None);
                continue;
            };
            values.push(Some(match value.value_type() {
                Some(SqliteType::Text) => {
                    Scalar::Text(<String as FromSql<Text, Backend>>::from_sql(value)?)
                }
                Some(SqliteType::Binary) => {
                    Scalar::Bytes(<Vec<u8> as FromSql<Binary, Backend>>::from_sql(value)?)
                }
                // A time with a fraction: rounded up, so that a walk always gets past it.
                Some(SqliteType::Float | SqliteType::Double) => {
                    let real = <f64 as FromSql<Double, Backend>>::from_sql(value)?;
                    Scalar::Int(real.ceil() as i64)
                }
                _ => Scalar::Int(<i64 as FromSql<BigInt, Backend>>::from_sql(value)?),
            }));
        }
        Ok(AnyRow(values))
    }
}

/// A row of numbers; `None` stands for NULL and for what is no number.
struct Reals(Vec<Option<f64>>);

impl QueryableByName<Backend> for Reals {
    fn build<'a>(row: &impl NamedRow<'a, Backend>) -> deserialize::Result<Self> {
        let mut values = Vec::with_capacity(row.field_count());
        for i in 0..row.field_count() {
            let field = Row::get(row, i).ok_or("a column is missing")?;
            let number = match field.value() {
                Some(value) => match value.value_type() {
                    Some(SqliteType::Text | SqliteType::Binary) | None => None,
                    Some(_) => Some(<f64 as FromSql<Double, Backend>>::from_sql(value)?),
                },
                None => None,
            };
            values.push(number);
        }
        Ok(Reals(values))
    }
}

fn failed(text: &str, error: DieselError) -> StoreError {
    let doing = format!("at `{}`", text.chars().take(120).collect::<String>());
    match &error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => StoreError::Lost {
            doing,
            source: error.into(),
        },
        DieselError::DatabaseError(_, info) if info.message().contains("locked") => {
            StoreError::Contended {
                doing,
                tries: 1,
                source: error.into(),
            }
        }
        _ => StoreError::Failed {
            doing,
            source: error.into(),
        },
    }
}
