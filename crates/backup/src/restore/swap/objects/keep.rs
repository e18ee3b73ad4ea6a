//! Objects kept in a database beside the live one, as JSON for the restore and as SQL for people.

use elpis_mysql::{Params, Session, Value};

use super::Scripts;
use crate::restore::error::RestoreError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::session::{Ask, of, qualified};
use crate::restore::swap::make_durable;

/// Of which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Whose {
    /// The live one as it was.
    Old,
    /// What the text made.
    New,
    /// The live one as it was when the restore was taken back.
    Last,
}

impl Whose {
    fn word(self) -> &'static str {
        match self {
            Whose::Old => "old",
            Whose::New => "new",
            Whose::Last => "end",
        }
    }
}

impl Scripts {
    fn table(old: &str) -> Result<String, RestoreError> {
        qualified(old, &format!("{OWN_PREFIX}objects"))
    }

    /// Keeps them in the old database.
    pub(in crate::restore) async fn keep(
        &self,
        session: &mut Session,
        old: &str,
        whose: Whose,
    ) -> Result<(), RestoreError> {
        let table = Scripts::table(old)?;
        session
            .tell(&format!(
                "CREATE TABLE IF NOT EXISTS {table} (whose VARCHAR(3) CHARACTER SET ascii PRIMARY KEY, \
                 scripts LONGBLOB NOT NULL) ENGINE=InnoDB"
            ))
            .await?;
        let json = serde_json::to_vec(self).map_err(|error| RestoreError::NeedsPerson {
            what: error.to_string(),
        })?;
        let sql = format!("REPLACE INTO {table} VALUES (?, ?)");
        let params = vec![whose.word().into(), Value::Bytes(json)];
        session
            .execute(&sql, Params::Positional(params))
            .await
            .map_err(|source| RestoreError::server("keeping the old objects", source))?;
        // What is taken down next is gone at once.
        make_durable(session, old).await
    }

    /// Keeps them once more so that a person can read them, as SQL by kind.
    pub(in crate::restore) async fn keep_texts(
        &self,
        session: &mut Session,
        database: &str,
    ) -> Result<(), RestoreError> {
        let table = qualified(database, &format!("{OWN_PREFIX}texts"))?;
        session
            .tell(&format!(
                "CREATE TABLE IF NOT EXISTS {table} (kind VARCHAR(8) CHARACTER SET ascii PRIMARY KEY, \
                 text LONGBLOB NOT NULL) ENGINE=InnoDB"
            ))
            .await?;
        for (kind, text) in [
            ("routines", &self.routine_text),
            ("views", &self.view_text),
            ("triggers", &self.trigger_text),
            ("events", &self.event_text),
        ] {
            let sql = format!("REPLACE INTO {table} VALUES (?, ?)");
            let params = vec![kind.into(), Value::Bytes(text.clone())];
            session
                .execute(&sql, Params::Positional(params))
                .await
                .map_err(|source| RestoreError::server("keeping the objects' texts", source))?;
        }
        Ok(())
    }

    /// What is kept there; `None` if nothing is.
    pub(in crate::restore) async fn kept(
        session: &mut Session,
        old: &str,
        whose: Whose,
    ) -> Result<Option<Scripts>, RestoreError> {
        let there: Option<u64> = session
            .ask_first(
                "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
                of(&[old, &format!("{OWN_PREFIX}objects")]),
            )
            .await?;
        if there != Some(1) {
            return Ok(None);
        }
        let sql = format!(
            "SELECT scripts FROM {} WHERE whose = ?",
            Scripts::table(old)?
        );
        let json: Option<Vec<u8>> = session.ask_first(&sql, of(&[whose.word()])).await?;
        let Some(json) = json else { return Ok(None) };
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| RestoreError::NeedsPerson {
                what: format!("the objects kept in {old} cannot be read: {error}"),
            })
    }
}
