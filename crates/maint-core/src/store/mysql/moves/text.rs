//! The statements of moves.

use elpis_mysql::{Session, Value};

use super::transit::value;
use super::{RECORDS, change, odd};
use crate::Scalar;
use crate::moves::{ChildMove, MoveTask};
use crate::store::{Cell, MoveRow, StoreError, Window};

pub(super) fn quoted(name: &str) -> Result<String, StoreError> {
    elpis_mysql::quote(name).map_err(|e| StoreError::Failed {
        doing: "quoting an identifier".to_owned(),
        source: e.into(),
    })
}

pub(super) fn names(columns: &[String]) -> Result<String, StoreError> {
    let names: Result<Vec<String>, StoreError> = columns.iter().map(|name| quoted(name)).collect();
    Ok(names?.join(", "))
}

/// `?, ?, ?`.
pub(super) fn marks(n: usize) -> String {
    vec!["?"; n].join(", ")
}

/// Where a column stands among others.
pub(super) fn place(columns: &[String], name: &str) -> Result<usize, StoreError> {
    let found = columns.iter().position(|column| column == name);
    found.ok_or_else(|| {
        odd(
            "reading rows",
            &format!("there is no column {name} on both sides"),
        )
    })
}

pub(super) fn owned(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Int(n) => Value::Int(*n),
        Scalar::UInt(n) => Value::UInt(*n),
        Scalar::Text(text) => Value::Bytes(text.clone().into_bytes()),
        Scalar::Bytes(bytes) => Value::Bytes(bytes.clone()),
    }
}

/// Which rows are in a window.
pub(super) fn condition(
    task: &MoveTask,
    window: &Window,
) -> Result<(String, Vec<Value>), StoreError> {
    let time = quoted(&task.time_column)?;
    let end = if window.closed { "<=" } else { "<" };
    let mut sql = format!("{time} >= ? AND {time} {end} ?");
    let mut params = vec![owned(&window.from), owned(&window.to)];
    if let (Some(below), Some(split)) = (&window.below, &task.split) {
        sql.push_str(&format!(" AND {} < ?", quoted(split)?));
        params.push(owned(below));
    }
    Ok((sql, params))
}

/// The columns of rows to read, and whether the lost ones hold their defaults.
fn read(columns: &[String], lost: &[String]) -> Result<String, StoreError> {
    let mut sql = names(columns)?;
    let like: Result<Vec<String>, StoreError> = lost
        .iter()
        .map(|name| quoted(name).map(|name| format!("{name} <=> DEFAULT({name})")))
        .collect();
    let like = like?;
    if !like.is_empty() {
        sql.push_str(&format!(", ({})", like.join(" AND ")));
    }
    Ok(sql)
}

/// The rows of a window, or the `limit` oldest ones that are due, oldest first and locked.
pub(super) fn held(
    task: &MoveTask,
    window: Option<&Window>,
    limit: u64,
) -> Result<(String, Vec<Value>), StoreError> {
    let time = quoted(&task.time_column)?;
    let (condition, params, bound) = match window {
        Some(window) => {
            let (condition, params) = condition(task, window)?;
            (condition, params, String::new())
        }
        None => {
            let due = vec![owned(&task.cutoff)];
            (format!("{time} < ?"), due, format!(" LIMIT {limit}"))
        }
    };
    let sql = format!(
        "SELECT {} FROM {} FORCE INDEX ({}) WHERE {condition} ORDER BY {time}{bound} FOR UPDATE",
        read(&task.columns, &task.lost)?,
        quoted(&task.table)?,
        quoted(&task.index)?
    );
    Ok((sql, params))
}

/// What hangs on `n` rows, locked.
pub(super) fn several(child: &ChildMove, n: usize) -> Result<String, StoreError> {
    Ok(format!(
        "SELECT {} FROM {} WHERE {} IN ({}) FOR UPDATE",
        read(&child.columns, &child.lost)?,
        quoted(&child.table)?,
        quoted(&child.column)?,
        marks(n)
    ))
}

/// The time of the due row after `offset` older ones.
pub(super) fn ordered(task: &MoveTask, offset: u64) -> Result<String, StoreError> {
    let time = quoted(&task.time_column)?;
    Ok(format!(
        "SELECT {time} FROM {} FORCE INDEX ({}) WHERE {time} < ? ORDER BY {time} \
         LIMIT 1 OFFSET {offset}",
        quoted(&task.table)?,
        quoted(&task.index)?
    ))
}

/// The value of `column` in the row of one instant after `offset` lower ones.
pub(super) fn any_value(task: &MoveTask, column: &str, offset: u64) -> Result<String, StoreError> {
    let column = quoted(column)?;
    Ok(format!(
        "SELECT {column} FROM {} FORCE INDEX ({}) WHERE {} = ? ORDER BY {column} \
         LIMIT 1 OFFSET {offset}",
        quoted(&task.table)?,
        quoted(&task.index)?,
        quoted(&task.time_column)?
    ))
}

/// Rows that are like `row` in every column. Texts are compared byte by byte, whatever their
/// collation says.
pub(super) fn equals(task: &MoveTask, row: &MoveRow) -> Result<(String, Vec<Value>), StoreError> {
    let mut conditions = Vec::with_capacity(row.len());
    for (name, cell) in task.columns.iter().zip(row) {
        let column = quoted(name)?;
        conditions.push(match cell {
            Cell::Bytes(_) => {
                format!("CAST(CONVERT({column} USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY)")
            }
            _ => format!("{column} <=> ?"),
        });
    }
    Ok((conditions.join(" AND "), row.iter().map(value).collect()))
}

pub(super) fn make_records() -> Result<String, StoreError> {
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {} (\
           `table_name` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, \
           `move_id` CHAR(36) CHARACTER SET ascii NOT NULL, \
           `stretch` TEXT CHARACTER SET utf8mb4 NULL, \
           `staged` TINYINT NOT NULL DEFAULT 0, \
           `row_count` BIGINT UNSIGNED NOT NULL DEFAULT 0, \
           `checksum` BIGINT UNSIGNED NOT NULL DEFAULT 0\
         ) ENGINE = InnoDB COMMENT = 'Elpis: the last step of each table that moves to history'",
        quoted(RECORDS)?
    ))
}

pub(super) fn records() -> Result<String, StoreError> {
    Ok(format!(
        "SELECT `move_id`, `stretch`, `staged`, `row_count`, `checksum` FROM {} \
         WHERE `table_name` = ?",
        quoted(RECORDS)?
    ))
}

/// All records, each with its table at the end.
pub(super) fn tables() -> Result<String, StoreError> {
    Ok(format!(
        "SELECT `move_id`, `stretch`, `staged`, `row_count`, `checksum`, `table_name` FROM {} \
         ORDER BY `table_name`",
        quoted(RECORDS)?
    ))
}

/// The rows of step `id` are gone from this side.
pub(super) async fn gone(s: &mut Session, table: &str, id: &str) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {} (`table_name`, `move_id`) VALUES (?, ?) \
         ON DUPLICATE KEY UPDATE `move_id` = ?",
        quoted(RECORDS)?
    );
    let params = vec![table.into(), id.into(), id.into()];
    change(s, &sql, params).await.map(drop)
}
