//! The history side of a move: what comes is written, read back, compared and recorded.

use std::collections::BTreeMap;

use elpis_mysql::{Params, Session, Value};

use super::text::{condition, marks, names, place, quoted};
use super::transit::{cells, groups, rows_of, value, values};
use super::{RECORDS, change, exists, failed, first, odd, query};
use crate::moves::MoveTask;
use crate::store::mysql::{MOST_KEYS, Tries, begin, end};
use crate::store::{Batch, Cell, MoveRecord, MoveRow, Received, StoreError, Window, row_checksum};

/// Bytes of one statement: well below the smallest `max_allowed_packet` in use.
const STATEMENT: usize = 256 * 1024;
/// Values of one statement, of which a prepared one may have 65,535.
const PARAMETERS: usize = 32 * 1024;

/// Where rows are held apart if others of the same time are there already.
fn staging(task: &MoveTask) -> String {
    let name: String = task.table.chars().take(50).collect();
    format!("elpis_moving_{name}")
}

pub(super) async fn receive(
    s: &mut Session,
    task: &MoveTask,
    batch: &Batch,
    id: &str,
    newer: bool,
) -> Result<Received, StoreError> {
    let mut record = MoveRecord {
        id: id.to_owned(),
        window: batch.window.clone(),
        staged: false,
        rows: batch.rows.len() as u64,
        checksum: row_checksum(&batch.rows),
    };
    if task.key.is_none() && !is_free(s, task, &batch.window).await? {
        // Not in the transaction: it would end with the first of these statements.
        make_staging(s, task).await?;
        record.staged = true;
    }
    let mut tries = Tries::new();
    loop {
        begin(s).await?;
        let received = match &task.key {
            Some(key) => merge(s, task, key, batch, newer).await,
            None => append(s, task, batch, record.staged).await,
        };
        let received = match received {
            Ok(done @ Received::Proven { .. }) => remember(s, task, &record).await.map(|()| done),
            other => other,
        };
        match received {
            Ok(conflict @ Received::Conflict { .. }) => {
                let undone = s.rollback().await;
                undone.map_err(|e| failed("at ROLLBACK", e))?;
                return Ok(conflict);
            }
            done => match end(s, done).await {
                Ok(received) => return Ok(received),
                Err(error) => tries.again(error).await?,
            },
        }
    }
}

/// Whether the history database has no row in the window.
async fn is_free(s: &mut Session, task: &MoveTask, window: &Window) -> Result<bool, StoreError> {
    let (condition, params) = condition(task, window)?;
    let table = quoted(&task.table)?;
    let sql = format!("SELECT 1 FROM {table} WHERE {condition} LIMIT 1");
    Ok(first(s, &sql, params).await?.is_none())
}

/// An empty table of the same structure; it holds nothing that is needed whenever it is made.
async fn make_staging(s: &mut Session, task: &MoveTask) -> Result<(), StoreError> {
    tidy(s, task).await?;
    let sql = format!(
        "CREATE TABLE {} LIKE {}",
        quoted(&staging(task))?,
        quoted(&task.table)?
    );
    let made = s.execute(&sql, Params::Empty).await;
    made.map_err(|e| failed("creating a table to move rows through", e))
        .map(drop)
}

pub(super) async fn tidy(s: &mut Session, task: &MoveTask) -> Result<(), StoreError> {
    let name = staging(task);
    if exists(s, &name).await? {
        let sql = format!("DROP TABLE {}", quoted(&name)?);
        let dropped = s.execute(&sql, Params::Empty).await;
        dropped.map_err(|e| failed("dropping a table that rows were moved through", e))?;
    }
    Ok(())
}

/// Rows without a key: all of them are written, and those that were written are read back.
async fn append(
    s: &mut Session,
    task: &MoveTask,
    batch: &Batch,
    staged: bool,
) -> Result<Received, StoreError> {
    let target = match staged {
        true => staging(task),
        false => task.table.clone(),
    };
    insert(s, &target, &task.columns, &batch.rows, None).await?;
    let mut written = window_rows(s, task, &target, &batch.window).await?;
    let mut sent = batch.rows.clone();
    written.sort_unstable();
    sent.sort_unstable();
    if written != sent {
        return Ok(differs(task, written.len(), sent.len()));
    }
    if staged {
        let columns = names(&task.columns)?;
        let sql = format!(
            "INSERT INTO {} ({columns}) SELECT {columns} FROM {}",
            quoted(&task.table)?,
            quoted(&target)?
        );
        let copied = change(s, &sql, Vec::new()).await?;
        if copied != batch.rows.len() as u64 {
            return Ok(differs(task, copied as usize, sent.len()));
        }
    }
    Ok(Received::Proven { known: 0 })
}

fn differs(task: &MoveTask, there: usize, sent: usize) -> Received {
    Received::Conflict {
        why: format!(
            "came out otherwise in the history database than it went in ({there} rows of {sent} \
             read back, or other values): compare the definitions of {} in both databases, and look \
             for triggers",
            task.table
        ),
    }
}

/// Rows with a key, and what hangs on them: those that are missing are written, those that are
/// there must be the same.
async fn merge(
    s: &mut Session,
    task: &MoveTask,
    key: &str,
    batch: &Batch,
    newer: bool,
) -> Result<Received, StoreError> {
    let parents = Keyed {
        table: &task.table,
        columns: &task.columns,
        key,
    };
    let known = match parents.merge(s, &batch.rows, newer).await? {
        Received::Proven { known } => known,
        conflict => return Ok(conflict),
    };
    for (child, rows) in task.children.iter().zip(&batch.children) {
        let children = Keyed {
            table: &child.table,
            columns: &child.columns,
            key: &child.key,
        };
        let merged = children.merge(s, rows, newer).await?;
        if matches!(merged, Received::Conflict { .. }) {
            return Ok(merged);
        }
    }
    Ok(Received::Proven { known })
}

/// A table whose rows have a key.
struct Keyed<'a> {
    table: &'a str,
    columns: &'a [String],
    key: &'a str,
}

impl Keyed<'_> {
    async fn merge(
        &self,
        s: &mut Session,
        rows: &[MoveRow],
        newer: bool,
    ) -> Result<Received, StoreError> {
        let at = place(self.columns, self.key)?;
        let there = self.find(s, rows, at).await?;
        let (mut missing, mut other, mut known) = (Vec::new(), Vec::new(), 0);
        for row in rows {
            match there.get(&row[at]) {
                None => missing.push(row.clone()),
                Some(found) if found == row => known += 1,
                Some(_) if newer => other.push(row.clone()),
                Some(_) => {
                    return Ok(Received::Conflict {
                        why: format!(
                            "has another row with {} {} in the history database than here: compare \
                             them, and delete one; nothing of this step was moved",
                            self.key,
                            shown(&row[at])
                        ),
                    });
                }
            }
        }
        insert(s, self.table, self.columns, &missing, None).await?;
        insert(s, self.table, self.columns, &other, Some(self.key)).await?;
        let now = self.find(s, rows, at).await?;
        let same = rows.iter().all(|row| now.get(&row[at]) == Some(row));
        Ok(match same {
            true => Received::Proven { known },
            false => Received::Conflict {
                why: format!(
                    "came out otherwise in the history database than it went in: compare the \
                     definitions of {} in both databases, and look for triggers",
                    self.table
                ),
            },
        })
    }

    /// Those of `rows` that are there, by their key.
    async fn find(
        &self,
        s: &mut Session,
        rows: &[MoveRow],
        at: usize,
    ) -> Result<BTreeMap<Cell, MoveRow>, StoreError> {
        let keys: Vec<Value> = rows.iter().map(|row| value(&row[at])).collect();
        let mut found = BTreeMap::new();
        for piece in keys.chunks(MOST_KEYS) {
            let sql = format!(
                "SELECT {} FROM {} WHERE {} IN ({}) FOR UPDATE",
                names(self.columns)?,
                quoted(self.table)?,
                quoted(self.key)?,
                marks(piece.len())
            );
            for row in query(s, &sql, piece.to_vec()).await?.into_iter().map(cells) {
                found.insert(row[at].clone(), row);
            }
        }
        Ok(found)
    }
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Int(n) => n.to_string(),
        Cell::UInt(n) => n.to_string(),
        Cell::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Writes rows, in statements of bounded size. With `key`, a row of the same key is replaced.
async fn insert(
    s: &mut Session,
    table: &str,
    columns: &[String],
    rows: &[MoveRow],
    key: Option<&str>,
) -> Result<(), StoreError> {
    let into = format!(
        "INSERT INTO {} ({}) VALUES ",
        quoted(table)?,
        names(columns)?
    );
    let replaced = match key {
        None => String::new(),
        Some(key) => {
            let others = columns.iter().filter(|column| *column != key);
            let set: Result<Vec<String>, StoreError> = others
                .map(|column| quoted(column).map(|name| format!("{name} = VALUES({name})")))
                .collect();
            format!(" ON DUPLICATE KEY UPDATE {}", set?.join(", "))
        }
    };
    let row = format!("({})", marks(columns.len()));
    for part in bounded(rows, columns.len()) {
        for group in groups(part) {
            let sql = format!(
                "{into}{}{replaced}",
                vec![row.as_str(); group.len()].join(", ")
            );
            change(s, &sql, values(group)).await?;
        }
    }
    Ok(())
}

/// Cuts rows into parts that fit a statement; a row that is too large for that goes alone.
fn bounded(rows: &[MoveRow], columns: usize) -> Vec<&[MoveRow]> {
    let most = (PARAMETERS / columns.max(1)).max(1);
    let mut parts = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, row) in rows.iter().enumerate() {
        let bytes: usize = row.iter().map(weight).sum();
        if at > start && (size + bytes > STATEMENT || at - start >= most) {
            parts.push(&rows[start..at]);
            (start, size) = (at, 0);
        }
        size += bytes;
    }
    if start < rows.len() {
        parts.push(&rows[start..]);
    }
    parts
}

fn weight(cell: &Cell) -> usize {
    match cell {
        Cell::Bytes(bytes) => bytes.len() + 9,
        _ => 12,
    }
}

/// The rows of a window, in any order.
async fn window_rows(
    s: &mut Session,
    task: &MoveTask,
    table: &str,
    window: &Window,
) -> Result<Vec<MoveRow>, StoreError> {
    let (condition, params) = condition(task, window)?;
    let columns = names(&task.columns)?;
    let sql = format!("SELECT {columns} FROM {} WHERE {condition}", quoted(table)?);
    let rows = query(s, &sql, params).await?;
    Ok(rows_of(rows, task.columns.len()).0)
}

async fn remember(s: &mut Session, task: &MoveTask, record: &MoveRecord) -> Result<(), StoreError> {
    let stretch = serde_json::to_string(&record.window).map_err(|error| StoreError::Failed {
        doing: "writing elpis_moves".to_owned(),
        source: error.into(),
    })?;
    let sql = format!(
        "REPLACE INTO {} (`table_name`, `move_id`, `stretch`, `staged`, `row_count`, `checksum`) \
         VALUES (?, ?, ?, ?, ?, ?)",
        quoted(RECORDS)?
    );
    let params = vec![
        task.table.as_str().into(),
        record.id.as_str().into(),
        stretch.into(),
        i64::from(record.staged).into(),
        record.rows.into(),
        record.checksum.into(),
    ];
    change(s, &sql, params).await.map(drop)
}

/// The rows that a step brought: from where they were held apart, or from the window, which was
/// empty before.
pub(super) async fn received(
    s: &mut Session,
    task: &MoveTask,
    record: &MoveRecord,
) -> Result<Vec<MoveRow>, StoreError> {
    let table = match record.staged {
        true => staging(task),
        false => task.table.clone(),
    };
    let rows = window_rows(s, task, &table, &record.window).await?;
    if rows.len() as u64 == record.rows && row_checksum(&rows) != record.checksum {
        return Err(odd(
            &format!("taking up the move of {} again", task.table),
            "rows that were copied have been changed in the history database since then: compare \
             both databases where elpis_moves says, then delete its row there",
        ));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_bounded_in_bytes_and_in_values() {
        let row = |bytes: usize| vec![Cell::Bytes(vec![b'x'; bytes])];
        let rows = vec![row(10), row(STATEMENT), row(STATEMENT * 2), row(1), row(1)];
        let sizes: Vec<usize> = bounded(&rows, 1).iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [1, 1, 1, 2]);
        let many: Vec<MoveRow> = (0..3_000).map(|_| vec![Cell::Null; 32]).collect();
        let parts = bounded(&many, 32);
        assert!(parts.iter().all(|part| part.len() * 32 <= PARAMETERS));
        assert_eq!(parts.concat(), many);
        assert!(bounded(&[], 3).is_empty());
    }
}
