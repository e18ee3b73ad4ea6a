//! How a session carries out statements, and what values are in it.

use elpis_mysql::{Error as MySqlError, Params, Row, Session, Value};

use super::{MOST_KEYS, failed};
use crate::Scalar;
use crate::store::StoreError;
use crate::store::sql::{Dialect, Sql};
use crate::store::walk::Executor;

impl Executor for Session {
    const DIALECT: Dialect = Dialect::MySql;

    const MOST_KEYS: usize = MOST_KEYS;

    async fn change(&mut self, sql: &Sql) -> Result<u64, StoreError> {
        Session::execute(self, &sql.text, params(sql))
            .await
            .map_err(|e| at(sql, e))
    }

    async fn query(&mut self, sql: &Sql) -> Result<Vec<Vec<Scalar>>, StoreError> {
        let rows: Vec<Row> = Session::rows(self, &sql.text, params(sql))
            .await
            .map_err(|e| at(sql, e))?;
        let row = |row: Row| row.unwrap_raw().into_iter().map(|v| scalar(v?)).collect();
        Ok(rows.into_iter().filter_map(row).collect())
    }

    async fn integers(&mut self, sql: &Sql) -> Result<Vec<Vec<Option<i64>>>, StoreError> {
        let rows: Vec<Row> = Session::rows(self, &sql.text, params(sql))
            .await
            .map_err(|e| at(sql, e))?;
        let whole = |value: Option<Value>| match value? {
            Value::Int(n) => Some(n),
            Value::UInt(n) => i64::try_from(n).ok(),
            _ => None,
        };
        let rows = rows.into_iter().map(Row::unwrap_raw);
        Ok(rows
            .map(|row| row.into_iter().map(whole).collect())
            .collect())
    }

    async fn reals(&mut self, sql: &Sql) -> Result<Vec<Vec<Option<f64>>>, StoreError> {
        let rows: Vec<Row> = Session::rows(self, &sql.text, params(sql))
            .await
            .map_err(|e| at(sql, e))?;
        let rows = rows.into_iter().map(Row::unwrap_raw);
        Ok(rows
            .map(|row| row.into_iter().map(|value| real(value?)).collect())
            .collect())
    }

    async fn guess(&mut self, sql: &Sql) -> Result<Option<u64>, StoreError> {
        let text = format!("EXPLAIN {}", sql.text);
        let row: Option<Row> = Session::first(self, &text, params(sql))
            .await
            .map_err(|e| at(sql, e))?;
        Ok(row
            .and_then(|row| row.get_opt::<u64, _>("rows"))
            .and_then(Result::ok))
    }
}

/// Always positional, even if empty: without parameters a statement would go as text, and numbers
/// would come back as text.
fn params(sql: &Sql) -> Params {
    Params::Positional(
        sql.params
            .iter()
            .map(|param| match param {
                Scalar::Int(n) => Value::Int(*n),
                Scalar::UInt(n) => Value::UInt(*n),
                Scalar::Text(text) => Value::Bytes(text.clone().into_bytes()),
                Scalar::Bytes(bytes) => Value::Bytes(bytes.clone()),
            })
            .collect(),
    )
}

/// `None` for NULL, and for what is no number.
fn real(value: Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(n as f64),
        Value::UInt(n) => Some(n as f64),
        Value::Float(x) => Some(f64::from(x)),
        Value::Double(x) => Some(x),
        // DECIMAL travels as text.
        Value::Bytes(text) => std::str::from_utf8(&text).ok()?.parse().ok(),
        _ => None,
    }
}

/// `None` for NULL.
fn scalar(value: Value) -> Option<Scalar> {
    Some(match value {
        Value::NULL => return None,
        Value::Int(n) => Scalar::Int(n),
        Value::UInt(n) => i64::try_from(n).map_or(Scalar::UInt(n), Scalar::Int),
        Value::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Scalar::Text(text),
            Err(error) => Scalar::Bytes(error.into_bytes()),
        },
        Value::Date(year, month, day, hour, minute, second, micro) => {
            let mut text =
                format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
            if micro > 0 {
                text.push_str(&format!(".{micro:06}"));
            }
            Scalar::Text(text)
        }
        other => Scalar::Text(other.as_sql(true).trim_matches('\'').to_owned()),
    })
}

fn at(sql: &Sql, error: MySqlError) -> StoreError {
    failed(
        &format!("at `{}`", sql.text.chars().take(160).collect::<String>()),
        error,
    )
}
