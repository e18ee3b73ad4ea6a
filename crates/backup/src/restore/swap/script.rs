//! Running the text of objects in a database.

use std::time::Duration;

use elpis_mysql::{Backoff, Session};

use crate::restore::error::RestoreError;
use crate::restore::load::enable;
use crate::restore::session::{Ask, quoted};
use crate::restore::sql::{Kind, Object, Part, SqlReader};

/// Whether a statement about an object is carried out, by its kind and name.
pub(super) type Wanted<'a> = dyn Fn(Object, &str) -> bool + Send + Sync + 'a;

/// A text of objects: each is removed if it is there and made, in the settings it was made in.
pub(super) struct Script<'a> {
    pub(super) text: &'a [u8],
    /// The database that the text is of.
    pub(super) of: &'a str,
    /// Which objects.
    pub(super) wanted: &'a Wanted<'a>,
    /// Which events are to fire although the text says that they do not.
    pub(super) firing: &'a (dyn Fn(&str) -> bool + Send + Sync),
}

impl Script<'_> {
    /// Carries it out in `database`.
    pub(super) async fn run(
        &self,
        session: &mut Session,
        database: &str,
    ) -> Result<(), RestoreError> {
        let reader = SqlReader::new(self.text).of_database(self.of);
        let mut reader = reader.into_database(database, self.of);
        let database = quoted(database)?;
        session.tell(&format!("USE {database}")).await?;
        while let Some(part) = reader.next()? {
            let Part::Statement { mut sql, kind } = part else {
                continue;
            };
            let mut doing = "settings of the session".to_owned();
            match &kind {
                Kind::Collate { options } => {
                    let alter = format!("ALTER DATABASE {database} ");
                    sql = [alter.as_bytes(), sql.get(*options..).unwrap_or_default()].concat();
                }
                Kind::Object {
                    object,
                    name,
                    is_made,
                    ..
                } => {
                    if !(self.wanted)(*object, name) {
                        continue;
                    }
                    let fires = *object == Object::Event && *is_made && (self.firing)(name);
                    if let Some(enabled) = fires.then(|| enable(&sql, reader.modes())).flatten() {
                        sql = enabled;
                    }
                    doing = format!("making {object:?} {name}").to_lowercase();
                }
                // Placeholders of views remove tables of their names; a view's name is no table's.
                Kind::NoTable { .. } => continue,
                // Events stand in a kind of their own, and so does what removes them.
                _ => {}
            }
            carry_out(session, &sql)
                .await
                .map_err(|source| RestoreError::server(doing, source))?;
        }
        Ok(())
    }
}

/// How often a statement is tried while somebody holds a table: what was taken down must come
/// back, and each try waits as long as the session waits for a lock.
const TRIES: u32 = 120;

/// Carries a statement out, however long somebody holds what it needs.
pub(super) async fn carry_out(session: &mut Session, sql: &[u8]) -> Result<(), elpis_mysql::Error> {
    let mut backoff = Backoff::new(TRIES, Duration::from_millis(50), Duration::from_secs(1));
    loop {
        let error = match session.execute_bytes(sql).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        match backoff.next().filter(|_| error.is_retryable()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(error),
        }
    }
}
