//! What the server has committed, kept for sure.

use elpis_mysql::Session;

use crate::restore::error::RestoreError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::session::{Ask, qualified};

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
