//! What the server has committed, kept for sure.

use elpis_mysql::{Params, Session};

use crate::restore::error::RestoreError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::session::{Ask, of, qualified};

/// How many tables one statement names.
const AT_ONCE: usize = 100;
/// What the server answers without `RELOAD`.
const DENIED: u16 = 1227;

/// Makes everything durable that the server has committed so far, by making and removing a table in
/// `database`. The product's manual has the server flush its log once a second
/// (`innodb_flush_log_at_trx_commit = 0`): what was committed in the last one is gone if it dies, and
/// the journal would be ahead of it. Making a table flushes the log whatever the setting.
pub(in crate::restore) async fn make_durable(
    session: &mut Session,
    database: &str,
) -> Result<(), RestoreError> {
    let table = qualified(database, &format!("{OWN_PREFIX}durable"))?;
    for sql in [
        format!("DROP TABLE IF EXISTS {table}"),
        format!("CREATE TABLE {table} (n INT) ENGINE=InnoDB"),
        format!("DROP TABLE {table}"),
    ] {
        session.tell(&sql).await?;
    }
    Ok(())
}

/// Writes the tables of `database` to their files whose engine keeps no log of them, such as MyISAM
/// and Aria without transactions: until somebody closes them, a part of them may only be in the memory
/// of the server. An exchange closes them, but what was loaded and compared may wait for it, and a
/// server that dies then would leave damaged ones. `false` without the right to do it (`RELOAD`).
pub(in crate::restore) async fn flush(
    session: &mut Session,
    database: &str,
) -> Result<bool, RestoreError> {
    let tables: Vec<String> = session
        .ask(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? \
             AND ENGINE IN ('MyISAM', 'Aria', 'ARCHIVE', 'CSV')",
            of(&[database]),
        )
        .await?;
    for some in tables.chunks(AT_ONCE) {
        let names: Result<Vec<String>, _> = some.iter().map(|t| qualified(database, t)).collect();
        // Replicas have their own.
        let sql = format!("FLUSH LOCAL TABLES {}", names?.join(", "));
        match session.execute(&sql, Params::Empty).await {
            Ok(_) => {}
            Err(error) if error.code() == Some(DENIED) => return Ok(false),
            Err(source) => {
                return Err(RestoreError::server(
                    "writing tables to their files",
                    source,
                ));
            }
        }
    }
    Ok(true)
}
