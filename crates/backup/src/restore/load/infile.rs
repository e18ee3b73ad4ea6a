//! Rows of an `INSERT` as a file for `LOAD DATA LOCAL`, which a server takes in two thirds of the
//! time.
//!
//! The rows of our own dumps stand in their statements as `LOAD DATA` can read them, byte for byte.
//! Whatever is written otherwise, or could mean something else there, goes as the `INSERT` that it
//! is; so does what the server does not take without a warning. What came of it is compared with
//! the archive's sums of the rows, as always.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use elpis_mysql::{Params, Session, quote};

use super::feed::{Chunk, Insert};
use super::worker::Reading;
use crate::restore::error::RestoreError;
use crate::restore::plan::RestorePlan;
use crate::restore::policy::Compare;
use crate::restore::session::{Ask, of};

/// Types whose values mean the same as a number or text of a statement and as a field of a file.
/// A year does not: the number 0 is 0000 and the text 2000.
const TYPES: &str = "'tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'float', \
    'double', 'char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'enum', 'set', \
    'date', 'datetime', 'timestamp', 'time'";

/// Which tables' rows go as files.
pub(super) struct Infiles {
    side: String,
    /// What is known of tables; `None` if no rows go as files.
    tables: Option<Mutex<HashMap<String, bool>>>,
}

impl Infiles {
    /// Asks whether the server takes files of clients. Only what is compared row by row goes as
    /// one.
    pub(super) async fn new(
        control: &mut Session,
        plan: &RestorePlan,
    ) -> Result<Infiles, RestoreError> {
        let is_compared = plan.by_elpis && plan.policy.compare == Compare::Content;
        // As a statement in the binary log it would carry the file with it.
        let sql = "SELECT @@GLOBAL.local_infile AND (@@GLOBAL.log_bin = 0 OR @@SESSION.binlog_format <> 'STATEMENT')";
        let is_taken = match is_compared {
            true => control.ask_first(sql, Params::Empty).await?,
            false => None,
        };
        // Galera before 10.4.3 commits a file in parts.
        let split = "SHOW GLOBAL VARIABLES LIKE 'wsrep_load_data_splitting'";
        let split: Option<(String, String)> = control.ask_first(split, Params::Empty).await?;
        let is_split = split.is_some_and(|(_, value)| value == "ON");
        Ok(Infiles {
            side: plan.side.clone(),
            tables: (is_taken == Some(true) && !is_split).then(Mutex::default),
        })
    }

    /// Whether the rows of `table`, whose statements are to be read like this, may go as files.
    pub(super) async fn take(
        &self,
        session: &mut Session,
        table: &str,
        reading: &Reading,
    ) -> Result<bool, elpis_mysql::Error> {
        if self.tables.is_none() {
            return Ok(false);
        }
        if reading.charset != "utf8mb4" || reading.sql_mode.contains("NO_BACKSLASH_ESCAPES") {
            return Ok(false);
        }
        if let Some(known) = self.known(table) {
            return Ok(known);
        }
        // Only what can be rolled back can be tried.
        let sql = format!(
            "SELECT t.ENGINE = 'InnoDB' AND NOT EXISTS (SELECT * FROM information_schema.COLUMNS c \
             WHERE c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME \
             AND c.DATA_TYPE NOT IN ({TYPES})) \
             FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?"
        );
        let found: Option<bool> = session.first(&sql, of(&[&self.side, table])).await?;
        self.learn(table, found == Some(true));
        Ok(found == Some(true))
    }

    fn known(&self, table: &str) -> Option<bool> {
        let tables = self.tables.as_ref()?.lock();
        let tables = tables.unwrap_or_else(PoisonError::into_inner);
        tables.get(table).copied()
    }

    fn learn(&self, table: &str, takes: bool) {
        if let Some(tables) = &self.tables {
            let mut tables = tables.lock().unwrap_or_else(PoisonError::into_inner);
            tables.insert(table.to_owned(), takes);
        }
    }

    /// Puts the rows of a chunk into their table, within a transaction, and returns how many. `None`
    /// if they cannot go like that or the server did not take all of them as they are: what it has
    /// done must then be rolled back, and no other rows of the table go as files.
    pub(super) async fn put(
        &self,
        session: &mut Session,
        chunk: &Chunk,
    ) -> Result<Option<u64>, elpis_mysql::Error> {
        let mut rows = 0;
        for insert in &chunk.inserts {
            let Some(infile) = Infile::of(&chunk.table, insert) else {
                self.learn(&chunk.table, false);
                return Ok(None);
            };
            match session.load_local(&infile.statement, infile.data).await {
                Ok(executed) if executed.warnings == 0 && executed.rows == infile.rows => {
                    rows += executed.rows;
                }
                Err(error) if error.code().is_none() || error.is_retryable() => return Err(error),
                _ => {
                    self.learn(&chunk.table, false);
                    return Ok(None);
                }
            }
        }
        Ok(Some(rows))
    }
}

/// The rows of one statement.
#[derive(Debug, PartialEq, Eq)]
struct Infile {
    statement: Vec<u8>,
    data: Vec<u8>,
    rows: u64,
}

/// Between two rows, and behind the last one of a file.
const SEPARATOR: &[u8] = b"),\n";

impl Infile {
    /// `None` for a statement that is not written as our own dumps do.
    fn of(table: &str, insert: &Insert) -> Option<Infile> {
        let (head, values) = insert.sql.split_at_checked(insert.values)?;
        let into = format!("INSERT INTO {} ", quote(table).ok()?);
        let columns = head
            .strip_prefix(into.as_bytes())?
            .strip_suffix(b" VALUES")?;
        if !(columns.starts_with(b"(") && columns.ends_with(b")")) {
            return None;
        }
        let values = values.strip_prefix(b"\n")?;
        let rows = rows(values)?;
        let mut statement = into.replacen("INSERT", "LOAD DATA LOCAL INFILE 'rows'", 1);
        statement = statement.replacen(" INTO ", " INTO TABLE ", 1);
        statement.push_str(
            "CHARACTER SET utf8mb4 \
             FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY 0x27 ESCAPED BY 0x5C \
             LINES STARTING BY '(' TERMINATED BY 0x292C0A ",
        );
        let mut statement = statement.into_bytes();
        statement.extend_from_slice(columns);
        let mut data = Vec::with_capacity(values.len() + SEPARATOR.len());
        data.extend_from_slice(values.strip_suffix(b")")?);
        data.extend_from_slice(SEPARATOR);
        Some(Infile {
            statement,
            data,
            rows,
        })
    }
}

/// How many rows stand in `(...),\n(...)`, if all their values mean the same in a file.
fn rows(mut text: &[u8]) -> Option<u64> {
    for rows in 1.. {
        text = row(text.strip_prefix(b"(")?)?;
        if text.is_empty() {
            return Some(rows);
        }
        text = text.strip_prefix(b",\n")?;
    }
    None
}

/// What stands behind the row whose values `text` begins with.
fn row(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let behind = value(text)?;
        match behind.split_first()? {
            (b',', next) => text = next,
            (b')', next) => return Some(next),
            _ => return None,
        }
    }
}

/// What stands behind the number, the `NULL` or the text in quotes that `text` begins with.
fn value(text: &[u8]) -> Option<&[u8]> {
    if let Some(mut rest) = text.strip_prefix(b"'") {
        loop {
            let special = rest.iter().position(|byte| matches!(byte, b'\'' | b'\\'))?;
            let (found, behind) = rest.get(special..)?.split_first()?;
            rest = match (found, behind.split_first()?) {
                // Two quotes are one.
                (b'\'', (b'\'', _)) => return None,
                (b'\'', _) => return Some(behind),
                (_, (b'0' | b'n' | b'r' | b'Z' | b'\'' | b'\\', behind)) => behind,
                _ => return None,
            };
        }
    }
    if let Some(behind) = text.strip_prefix(b"NULL") {
        return Some(behind);
    }
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    match text.iter().position(|byte| !is_number(byte))? {
        0 => None,
        end => text.get(end..),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infile(sql: &str) -> Option<Infile> {
        let values = sql.find("VALUES").unwrap() + 6;
        let sql = sql.as_bytes().to_vec();
        Infile::of("t", &Insert { sql, values })
    }

    #[test]
    fn rows_of_our_own_dumps_go_as_they_stand() {
        let made = infile(
            "INSERT INTO `t` (`a`,`b`) VALUES\n(1,'x\\'),\\n(\\\\'),\n(-2.5e-7,NULL),\n('','\\0\\r\\Zü')",
        )
        .unwrap();
        assert_eq!(made.rows, 3);
        assert_eq!(
            String::from_utf8(made.data).unwrap(),
            "(1,'x\\'),\\n(\\\\'),\n(-2.5e-7,NULL),\n('','\\0\\r\\Zü'),\n"
        );
        assert_eq!(
            String::from_utf8(made.statement).unwrap(),
            "LOAD DATA LOCAL INFILE 'rows' INTO TABLE `t` CHARACTER SET utf8mb4 \
             FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY 0x27 ESCAPED BY 0x5C \
             LINES STARTING BY '(' TERMINATED BY 0x292C0A (`a`,`b`)"
        );
    }

    #[test]
    fn whatever_is_written_otherwise_stays_a_statement() {
        for sql in [
            "REPLACE INTO `t` (`a`) VALUES\n(1)",
            "INSERT IGNORE INTO `t` (`a`) VALUES\n(1)",
            "INSERT INTO `u` (`a`) VALUES\n(1)",
            "INSERT INTO `t` VALUES\n(1)",
            "INSERT INTO `t` (`a`) VALUES (1)",
            "INSERT INTO `t` (`a`) VALUES\n(1),(2)",
            "INSERT INTO `t` (`a`) VALUES\n(1), (2)",
            "INSERT INTO `t` (`a`) VALUES\n(1) ",
            "INSERT INTO `t` (`a`) VALUES\n(1),\n",
            "INSERT INTO `t` (`a`) VALUES\n()",
            "INSERT INTO `t` (`a`) VALUES\n",
            "INSERT INTO `t` (`a`) VALUES\n(0x41)",
            "INSERT INTO `t` (`a`) VALUES\n(b'1')",
            "INSERT INTO `t` (`a`) VALUES\n(_binary'x')",
            "INSERT INTO `t` (`a`) VALUES\n(NULLIF(1,1))",
            "INSERT INTO `t` (`a`) VALUES\n(DEFAULT)",
            "INSERT INTO `t` (`a`) VALUES\n(\"x\")",
            "INSERT INTO `t` (`a`) VALUES\n(1+1*2)",
            "INSERT INTO `t` (`a`) VALUES\n( 1)",
            "INSERT INTO `t` (`a`) VALUES\n(1 )",
            "INSERT INTO `t` (`a`) VALUES\n('x' 'y')",
            "INSERT INTO `t` (`a`) VALUES\n('it''s')",
            "INSERT INTO `t` (`a`) VALUES\n('100\\%')",
            "INSERT INTO `t` (`a`) VALUES\n('\\N')",
            "INSERT INTO `t` (`a`) VALUES\n('x\\')",
            "INSERT INTO `t` (`a`) VALUES\n(1,)",
            "INSERT INTO `t` (`a`) VALUES\n(1) ON DUPLICATE KEY UPDATE a = 2",
        ] {
            assert_eq!(infile(sql), None, "{sql}");
        }
    }
}
