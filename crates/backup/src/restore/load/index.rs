//! Building the indexes that were left for later.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::restore::error::RestoreError;
use crate::restore::session::Opening;

/// What the server answers when an index is there already.
const DUP_KEYNAME: u16 = 1061;

/// Makes the indexes of `table`, on a session of its own: the texts' settings are not for this.
pub(in crate::restore) async fn build(
    opening: &Opening,
    table: &str,
    alter: &str,
) -> Result<(), RestoreError> {
    let fail = |source| RestoreError::server(format!("building the indexes of {table}"), source);
    // Only the statement of a process that died can hold the table: it ends by itself.
    let opening = Opening {
        lock_wait: opening.statement_timeout,
        ..opening.clone()
    };
    let mut session = opening.open().await.map_err(fail)?;
    // It has words of the text in it: the server prepares no more than one statement.
    match session.execute_single(alter.as_bytes()).await {
        // It made them. That they are the right ones, the comparison tells.
        Err(error) if error.code() == Some(DUP_KEYNAME) => Ok(()),
        made => made.map_err(fail),
    }
}

/// Tables whose rows are being loaded and whose indexes come after them.
#[derive(Default)]
pub(super) struct Growing(Mutex<BTreeMap<String, Without>>);

/// A table without its indexes.
struct Without {
    /// Rows that are still to come.
    rows: u64,
    /// The statement that makes its indexes.
    alter: String,
}

impl Growing {
    /// `rows` rows come into `table`, and then `alter`.
    pub(super) fn begin(&self, table: &str, rows: u64, alter: String) {
        if let Ok(mut tables) = self.0.lock() {
            tables.insert(table.to_owned(), Without { rows, alter });
        }
    }

    /// So many rows of `table` are loaded. Returns the statement that makes its indexes if these
    /// were the last ones.
    pub(super) fn grown(&self, table: &str, rows: u64) -> Option<String> {
        let mut tables = self.0.lock().ok()?;
        let without = tables.get_mut(table)?;
        without.rows = without.rows.checked_sub(rows)?;
        match without.rows {
            0 => tables.remove(table).map(|without| without.alter),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use elpis_mysql::{Isolation, PrivateServer};

    use super::*;
    use crate::restore::work::runtime;
    use elpis_mysql::Params;

    #[test]
    fn indexes_that_a_dead_process_has_asked_for_are_waited_for() {
        let server = PrivateServer::builder().start().unwrap();
        let opening = Opening {
            connect: server.options(),
            statement_timeout: Duration::from_secs(60),
            lock_wait: Duration::from_secs(1),
            isolation: Isolation::RepeatableRead,
        };
        let fresh = || async {
            let mut session = opening.open().await.unwrap();
            session.execute("USE d", Params::Empty).await.unwrap();
            session
        };
        let all = async {
            let mut other = opening.open().await.unwrap();
            for sql in [
                "CREATE DATABASE d",
                "CREATE TABLE d.t (a INT)",
                "USE d",
                "LOCK TABLES t WRITE",
            ] {
                other.execute(sql, Params::Empty).await.unwrap();
            }
            let alter = "ALTER TABLE d.t ADD KEY k (a)";
            let theirs = async {
                let mut looking = fresh().await;
                let waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                               WHERE INFO LIKE 'ALTER %' AND STATE LIKE 'Waiting%lock'";
                while looking.first::<u64>(waiting, Params::Empty).await.unwrap() != Some(1) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                // Longer than a lock is waited for otherwise.
                tokio::time::sleep(Duration::from_millis(1500)).await;
                other
                    .execute("ALTER TABLE t ADD KEY k (a)", Params::Empty)
                    .await
                    .unwrap();
                other.execute("UNLOCK TABLES", Params::Empty).await.unwrap();
            };
            let (built, ()) = tokio::join!(build(&opening, "t", alter), theirs);
            built.unwrap();
            let error = build(&opening, "u", "ALTER TABLE d.u ADD KEY k (a)").await;
            assert!(error.unwrap_err().to_string().contains("indexes of u"));
        };
        runtime().unwrap().block_on(all);
    }

    #[test]
    fn the_last_rows_of_a_table_bring_its_indexes_once() {
        let growing = Growing::default();
        growing.begin("t", 10, "alter t".to_owned());
        growing.begin("u", 10, "alter u".to_owned());
        assert_eq!(growing.grown("t", 4), None);
        assert_eq!(growing.grown("u", 9), None);
        assert_eq!(growing.grown("v", 10), None);
        assert_eq!(growing.grown("t", 6).as_deref(), Some("alter t"));
        assert_eq!(growing.grown("t", 0), None);
        assert_eq!(growing.grown("u", 2), None, "more rows than the text had");
        assert_eq!(growing.grown("u", 1).as_deref(), Some("alter u"));
    }
}
