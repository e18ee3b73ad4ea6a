//! Reading `tconfig`.

use elpis_mysql::{Error, Params, Session, Value};
use elpis_run::Secret;

use super::catalogue::{HISTORY, MAIN, OTHER};
use super::{TokenRow, Tokens};

impl Tokens {
    /// Reads the rows of `tconfig` that mean something to housekeeping, of the database that
    /// `session` uses. Nothing else of the table leaves the server.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn read(session: &mut Session) -> Result<Tokens, Error> {
        let specs = MAIN.iter().chain(HISTORY).map(|spec| spec.token);
        let names: Vec<&str> = specs.chain(OTHER.iter().copied()).collect();
        let marks = vec!["?"; names.len()].join(", ");
        // As bytes: a value in another encoding is junk to report, not a reason to fail.
        let sql = format!(
            "SELECT CAST(id_config AS UNSIGNED), CAST(token AS BINARY), CAST(value AS BINARY) \
             FROM tconfig WHERE token IN ({marks}) ORDER BY id_config"
        );
        let names = names.into_iter().map(Value::from).collect();
        let rows: Vec<(u64, Vec<u8>, Option<Vec<u8>>)> =
            session.rows(&sql, Params::Positional(names)).await?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let row = |(id, token, value): (u64, Vec<u8>, Option<Vec<u8>>)| TokenRow {
            id,
            token: text(token),
            value: value.map(|value| Secret::new(text(value))),
        };
        Ok(Tokens {
            rows: rows.into_iter().map(row).collect(),
            ..Tokens::default()
        })
    }
}
