//! Whether the history database has the schema of the product's own: the console updates both, and
//! each says in its `tconfig` how far it came.

use elpis_mysql::{Error, Params, Session};

use super::Check;

/// What a database says of its schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaVersion {
    /// `db_scheme_version`, such as `7.0NG`.
    pub version: Option<String>,
    /// `MR`: the last minor release whose changes of the schema were made. The manual's minimal
    /// `tconfig` of a history database begins with 0.
    pub minor_release: Option<String>,
}

impl SchemaVersion {
    /// Asks the database that `session` uses. Of rows with the same token the first one counts; a
    /// database whose `tconfig` is not there or must not be read says nothing.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn read(session: &mut Session) -> Result<SchemaVersion, Error> {
        let sql = "SELECT CAST(token AS BINARY), CAST(value AS BINARY) FROM tconfig \
                   WHERE token IN ('db_scheme_version', 'MR') ORDER BY id_config";
        let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = match session.rows(sql, Params::Empty).await {
            Err(error) if matches!(error.code(), Some(1142 | 1146)) => Vec::new(),
            rows => rows?,
        };
        let token = |wanted: &str| {
            let mut rows = rows.iter();
            let (_, value) = rows.find(|(token, _)| token == wanted.as_bytes())?;
            let value = String::from_utf8_lossy(value.as_deref()?);
            Some(value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Ok(SchemaVersion {
            version: token("db_scheme_version"),
            minor_release: token("MR"),
        })
    }

    fn words(&self) -> String {
        let release = self.minor_release.as_ref().map(|of| format!("MR {of}"));
        let said: Vec<String> = self.version.iter().cloned().chain(release).collect();
        match said.is_empty() {
            true => "unknown".to_owned(),
            false => said.join(", "),
        }
    }
}

/// Whether the history database has the same schema as the product's own, `active`. What only one
/// of them says is compared with nothing. `arguments`: what names the installation on a command line.
pub fn judge_history_schema(
    active: &SchemaVersion,
    history: &SchemaVersion,
    arguments: &str,
) -> Check {
    let name = "history.schema";
    let differs = |of: fn(&SchemaVersion) -> Option<&String>| {
        let both = of(active).zip(of(history));
        both.is_some_and(|(here, there)| here != there)
    };
    let there = history.words();
    if !differs(|one| one.version.as_ref()) && !differs(|one| one.minor_release.as_ref()) {
        return Check::ok(name, format!("the history database's schema: {there}"));
    }
    let here = active.words();
    Check::warning(
        name,
        format!(
            "the history database's schema is {there}, and the product's own is {here}: tables and \
             columns that updates added or changed may not be there"
        ),
        format!(
            "let the console's update bring the history database to the same MR (or run the \
             update's SQL files there); until then `elpis-maint plan {arguments}` says which \
             tables do not move"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn says(version: &str, minor_release: &str) -> SchemaVersion {
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        SchemaVersion {
            version: said(version),
            minor_release: said(minor_release),
        }
    }

    #[test]
    fn only_what_both_say_can_differ() {
        let active = says("7.0NG", "70");
        for alike in [
            says("7.0NG", "70"),
            says("", "70"),
            says("7.0NG", ""),
            says("", ""),
        ] {
            let check = judge_history_schema(&active, &alike, "--pandora /c");
            assert_eq!(check.state, State::Ok, "{check:?}");
        }
        for other in [says("7.0NG", "69"), says("", "0"), says("6.0", "70")] {
            let check = judge_history_schema(&active, &other, "--pandora /c");
            assert_eq!(
                (check.check, check.state),
                ("history.schema", State::Warning)
            );
            assert!(check.what.contains(&other.words()) && check.what.contains("MR 70"));
            assert!(check.remedy.is_some());
        }
    }
}
