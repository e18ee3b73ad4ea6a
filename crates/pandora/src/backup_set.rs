//! What belongs into a backup of Pandora FMS: the four components of its manual, as data, and
//! what the database says of the installation.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use elpis_backup::archive::{Container, Product};
use elpis_backup::profile::Component;
use elpis_backup::{Profile, Window};
use elpis_mysql::{Error, Params, Session, quote};
use elpis_run::Secret;

/// What the names of its archives begin with, as with the product's own script.
const PREFIX: &str = "pandorafms";
/// What the product is called in manifests.
pub(crate) const PRODUCT: &str = "Pandora FMS";
/// Where the packages put the server's configuration.
pub(crate) const CONFIGURATION: &str = "/etc/pandora";
/// Where agents leave their data, and where their remote configurations are (`conf`, `md5`,
/// `collections`): the product's default of `incomingdir`.
pub(crate) const PENDING: &str = "/var/spool/pandora/data_in";
/// Tables that only grow at their end, with the column that tells when; a week is one chunk.
const SERIES: [(&str, &str); 3] = [
    ("tagente_datos*", "utimestamp"),
    ("tevento", "utimestamp"),
    ("tlog_*", "utimestamp"),
];
const WEEK: u64 = 7 * 86_400;

/// A component of the manual's backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The server's configuration files.
    Configuration,
    /// Files that wait for the server, and the agents' remote configurations.
    Pending,
    /// The whole database.
    Database,
    /// The whole console.
    Console,
}

/// A name that is none of a [`Part`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no part of a backup: configuration, pending, database or console")]
pub struct PartNameError {
    /// The name.
    pub name: String,
}

impl FromStr for Part {
    type Err = PartNameError;

    fn from_str(name: &str) -> Result<Part, PartNameError> {
        match name {
            "configuration" => Ok(Part::Configuration),
            "pending" => Ok(Part::Pending),
            "database" => Ok(Part::Database),
            "console" => Ok(Part::Console),
            _ => Err(PartNameError {
                name: name.to_owned(),
            }),
        }
    }
}

/// Where an installation lies, and what of it belongs into a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSet {
    /// The console's directory; a server may stand without one on its host.
    pub console: Option<PathBuf>,
    /// The directory of the server's configuration.
    pub configuration: PathBuf,
    /// The directory of pending files and remote configurations.
    pub pending: PathBuf,
    /// What is left out.
    pub without: Vec<Part>,
}

impl Default for BackupSet {
    /// Where the packages put things, without a console.
    fn default() -> BackupSet {
        BackupSet {
            console: None,
            configuration: CONFIGURATION.into(),
            pending: PENDING.into(),
            without: Vec::new(),
        }
    }
}

impl BackupSet {
    /// Whether a part belongs into the backup.
    pub fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }

    /// The profile: components are files; the databases are for the caller, who knows how to
    /// reach them. `tar.gz` in the layout of the product's own script.
    pub fn profile(&self) -> Profile {
        let mut profile = Profile::new("pandora", PREFIX, Container::TarGz);
        let mut add = |part, name: &str, path: &Path, required| {
            if self.has(part) {
                profile.components.push(Component {
                    name: name.to_owned(),
                    paths: vec![path.to_owned()],
                    exclude: Vec::new(),
                    required,
                });
            }
        };
        if let Some(console) = &self.console {
            add(Part::Console, "console", console, true);
        }
        // A console may stand without a server on its host.
        let server = self.console.is_none();
        add(
            Part::Configuration,
            "configuration",
            &self.configuration,
            server,
        );
        add(Part::Pending, "pending files", &self.pending, server);
        profile.product.name = Some(PRODUCT.to_owned());
        profile
    }

    /// The windows into which the tables of time series are cut when chunks of the last archive
    /// are to be used again.
    pub fn windows() -> Vec<Window> {
        let window = |(table, column): (&str, &str)| Window {
            table: table.to_owned(),
            column: column.to_owned(),
            width: WEEK,
        };
        SERIES.into_iter().map(window).collect()
    }
}

/// What a Pandora FMS database says of its installation.
#[derive(Debug, Clone)]
pub struct Portrait {
    /// For the manifest: the version of the schema and its maintenance release.
    pub product: Product,
    /// The history database, if one is in use.
    pub history: Option<HistoryPlace>,
}

/// Where the history database is.
#[derive(Debug, Clone)]
pub struct HistoryPlace {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its name.
    pub name: String,
    /// The product's account there.
    pub user: String,
    /// The account's password as `tconfig` has it: where `pandora_server.conf` sets an
    /// `encryption_passphrase`, it is encrypted.
    pub password: Secret<String>,
}

/// Asks `database`, which need not be the session's own.
///
/// # Errors
/// What the server answers, such as that there is no such database or no `tconfig` in it.
pub async fn portrait(session: &mut Session, database: &str) -> Result<Portrait, Error> {
    let database = quote(database).map_err(|error| Error::Options {
        reason: error.to_string(),
    })?;
    let sql = format!(
        "SELECT token, value FROM {database}.tconfig WHERE token LIKE 'history_db_%' \
         OR token IN ('db_scheme_version', 'db_scheme_build', 'MR')"
    );
    let rows: Vec<(String, Option<String>)> = session.rows(&sql, Params::Empty).await?;
    Ok(read(&rows))
}

fn read(rows: &[(String, Option<String>)]) -> Portrait {
    let token = |wanted: &str| {
        let row = rows.iter().find(|(token, _)| token == wanted)?;
        row.1.clone().filter(|value| !value.is_empty())
    };
    let release = token("MR").map(|number| format!("MR {number}"));
    let schema: Vec<String> = release
        .into_iter()
        .chain(token("db_scheme_build"))
        .collect();
    let product = Product {
        name: Some(PRODUCT.to_owned()),
        version: token("db_scheme_version"),
        schema: (!schema.is_empty()).then(|| schema.join(", ")),
    };
    let is_enabled = token("history_db_enabled").as_deref() == Some("1");
    let history = token("history_db_name").filter(|_| is_enabled);
    let history = history.map(|name| HistoryPlace {
        host: token("history_db_host").unwrap_or_else(|| "localhost".to_owned()),
        port: token("history_db_port")
            .and_then(|port| port.parse().ok())
            .unwrap_or(3306),
        name,
        user: token("history_db_user").unwrap_or_default(),
        password: Secret::new(token("history_db_pass").unwrap_or_default()),
    });
    Portrait { product, history }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_components_each_optional() {
        let all = BackupSet {
            console: Some("/var/www/html/pandora_console".into()),
            ..BackupSet::default()
        };
        let names = |set: &BackupSet| -> Vec<(String, bool)> {
            let components = set.profile().components;
            components
                .into_iter()
                .map(|c| (c.name, c.required))
                .collect()
        };
        assert_eq!(
            names(&all),
            [
                ("console".to_owned(), true),
                ("configuration".to_owned(), false),
                ("pending files".to_owned(), false)
            ]
        );
        assert_eq!(all.profile().check(), Ok(()));
        assert_eq!(all.profile().prefix, "pandorafms");
        let server = BackupSet {
            without: vec![Part::Pending],
            ..BackupSet::default()
        };
        assert_eq!(names(&server), [("configuration".to_owned(), true)]);
        assert!(server.has(Part::Database));
        for (name, part) in [
            ("configuration", Part::Configuration),
            ("pending", Part::Pending),
            ("database", Part::Database),
            ("console", Part::Console),
        ] {
            assert_eq!(name.parse(), Ok(part));
        }
        assert!("consoles".parse::<Part>().is_err());
    }

    #[test]
    fn tconfig_tells_versions_and_history() {
        let rows = |rows: &[(&str, &str)]| -> Vec<(String, Option<String>)> {
            let row =
                |(token, value): &(&str, &str)| ((*token).to_owned(), Some((*value).to_owned()));
            rows.iter().map(row).collect()
        };
        let found = read(&rows(&[
            ("db_scheme_version", "7.0NG.777"),
            ("db_scheme_build", "PD240508"),
            ("MR", "70"),
            ("history_db_enabled", "1"),
            ("history_db_host", "10.0.0.9"),
            ("history_db_port", ""),
            ("history_db_name", "pandora_history"),
            ("history_db_user", "pandora"),
            ("history_db_pass", "hush"),
        ]));
        assert_eq!(found.product.version.as_deref(), Some("7.0NG.777"));
        assert_eq!(found.product.schema.as_deref(), Some("MR 70, PD240508"));
        let history = found.history.unwrap();
        assert_eq!((history.host.as_str(), history.port), ("10.0.0.9", 3306));
        assert!(!format!("{history:?}").contains("hush"));
        let off = read(&rows(&[
            ("history_db_enabled", "0"),
            ("history_db_name", "h"),
        ]));
        assert!(off.history.is_none() && off.product.schema.is_none());
    }
}
