//! `db_maintance` (sic): the time of the last complete run, about which the console alarms.

use elpis_mysql::{Error, Params, Session, Value};
use jiff::Timestamp;

use crate::tokens::Tokens;

const TOKEN: &str = "db_maintance";

/// Writes that a complete run ended at `now`, the way the console expects it: one row, with the
/// time in seconds. Both halves or neither.
///
/// # Errors
/// What the server answers; the old row is then as it was.
pub async fn record_maintenance(session: &mut Session, now: Timestamp) -> Result<(), Error> {
    let token = || Value::from(TOKEN);
    session.begin().await?;
    let delete = "DELETE FROM tconfig WHERE token = ?";
    session
        .execute(delete, Params::Positional(vec![token()]))
        .await?;
    let insert = "INSERT INTO tconfig (token, value) VALUES (?, ?)";
    let seconds = Value::from(now.as_second().to_string());
    session
        .execute(insert, Params::Positional(vec![token(), seconds]))
        .await?;
    session.commit().await
}

/// When the last complete run ended, by whichever tool.
pub fn last_maintenance(tokens: &Tokens) -> Option<Timestamp> {
    let row = tokens
        .rows
        .iter()
        .find(|row| row.token.trim_end().eq_ignore_ascii_case(TOKEN))?;
    let seconds = row.value.as_ref()?.expose().trim().parse().ok()?;
    Timestamp::from_second(seconds)
        .ok()
        .filter(|at| at.as_second() > 0)
}
