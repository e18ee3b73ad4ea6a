//! Many rows in one statement.

use std::fmt::Write;

use super::DemoError;

/// Rows a statement: enough to make parsing cheap, few enough for SQLite's stack.
const BATCH: usize = 400;

/// Carries out SQL text; the name of what is being done goes into the error.
pub(super) type Batch<'a> = dyn FnMut(&'static str, &str) -> Result<(), DemoError> + 'a;

/// Collects rows of one table.
pub(super) struct Rows {
    head: String,
    sql: String,
    pending: usize,
    /// Rows inserted so far.
    pub(super) total: u64,
}

impl Rows {
    pub(super) fn of(table: &str) -> Rows {
        Rows {
            head: format!("INSERT INTO {table} VALUES "),
            sql: String::new(),
            pending: 0,
            total: 0,
        }
    }

    /// Adds one row. `values` are SQL literals of our own making.
    pub(super) fn push(
        &mut self,
        values: std::fmt::Arguments<'_>,
        batch: &mut Batch<'_>,
    ) -> Result<(), DemoError> {
        self.sql
            .push_str(if self.pending == 0 { &self.head } else { "," });
        // Writing to a String cannot fail.
        let _ = write!(self.sql, "({values})");
        self.pending += 1;
        if self.pending == BATCH {
            self.flush(batch)?;
        }
        Ok(())
    }

    /// Inserts what is pending.
    pub(super) fn flush(&mut self, batch: &mut Batch<'_>) -> Result<(), DemoError> {
        if self.pending > 0 {
            batch("insert rows", &self.sql)?;
            self.total += self.pending as u64;
            self.pending = 0;
            self.sql.clear();
        }
        Ok(())
    }
}
