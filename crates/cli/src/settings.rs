//! The configuration: file, then environment, then arguments, merged once into plain values.

mod error;
mod pandora;
mod raw;
mod server;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use elpis_maint_core::Policy;
use elpis_maint_core::policy::PolicyError;
use elpis_run::fsx;

pub(crate) use crate::environment::Environment;
pub(crate) use error::ConfigError;
pub(crate) use pandora::Pandora;
use raw::{Check, RawConfig};
pub(crate) use server::Server;

/// Where the configuration is when nobody says otherwise.
const DEFAULT_CONFIG: &str = "/etc/elpis/maint.toml";
/// How long the journal remembers a run unless the configuration says otherwise.
const KEEP_DAYS: u32 = 400;

/// Where our own configuration is looked for.
struct Place<'a> {
    /// By the operator's word: it has to be there.
    named: Option<&'a Path>,
    /// Where nobody named one.
    default: &'a Path,
}

/// Everything a command needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Our own file that was read; `None` where the product's is all there is.
    pub(crate) config: Option<PathBuf>,
    pub(crate) database: Database,
    pub(crate) replicas: Vec<Server>,
    pub(crate) state: State,
    /// With `pandora`, what is to be added to what the product's own settings ask for.
    pub(crate) policy: Policy,
    /// The installation of Pandora FMS that is kept in order.
    pub(crate) pandora: Option<Pandora>,
}

/// Which database is kept in order.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite(PathBuf),
    MySql(Server),
}

/// Where runs are remembered.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) directory: PathBuf,
    pub(crate) keep_days: u32,
}

impl State {
    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.join("journal.db")
    }
}

impl Settings {
    /// Reads and checks the configuration that `argument` names, or the environment, or else the
    /// one in the usual place, which only need not be there beside the product's own; and that,
    /// which `pandora` or the configuration names.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub(crate) fn load(
        argument: Option<&Path>,
        pandora: Option<&Path>,
        environment: &Environment,
    ) -> Result<Settings, ConfigError> {
        let place = Place {
            named: argument.or(environment.config.as_deref()),
            default: Path::new(DEFAULT_CONFIG),
        };
        Settings::at(&place, pandora, environment)
    }

    fn at(
        place: &Place<'_>,
        pandora: Option<&Path>,
        environment: &Environment,
    ) -> Result<Settings, ConfigError> {
        let path = place.named.unwrap_or(place.default);
        match (fsx::read_to_string(&environment.below(path)), pandora) {
            (Ok(text), Some(conf))
                if place.named.is_none() && is_of_another(path, &text, conf, environment) =>
            {
                let mut settings = Settings::parse(conf, "", Some(conf), environment)?;
                if let Some(pandora) = &mut settings.pandora {
                    pandora.warnings.push(format!(
                        "{} names another installation or database and is not read: name it with \
                         --config if it is meant",
                        path.display()
                    ));
                }
                Ok(settings)
            }
            (Ok(text), _) => {
                let mut settings = Settings::parse(path, &text, pandora, environment)?;
                settings.config = Some(path.to_owned());
                Ok(settings)
            }
            // The product's own configuration is enough. What is there and cannot be read is not
            // passed over: it may hold a limit.
            (Err(error), Some(conf))
                if place.named.is_none() && error.source.kind() == ErrorKind::NotFound =>
            {
                Settings::parse(conf, "", Some(conf), environment)
            }
            (Err(error), _) => Err(ConfigError::Missing(error)),
        }
    }

    fn parse(
        path: &Path,
        text: &str,
        pandora: Option<&Path>,
        environment: &Environment,
    ) -> Result<Settings, ConfigError> {
        let wrong = |PolicyError { problems }| ConfigError::Wrong {
            path: path.to_owned(),
            problems,
        };
        let raw: RawConfig =
            toml::from_str(text).map_err(|e| wrong(PolicyError::syntax(text, &e)))?;
        let mut check = Check::new(path, text);
        let added = check.pandora(&raw, pandora);
        let database = match &added {
            None => check.database(raw.database.as_ref()).map(|own| (own, None)),
            Some(added) => {
                let own = check.over_pandora(raw.database.as_ref());
                let (server, pandora) = Pandora::read(added, own, environment)?;
                Some((Database::MySql(server), Some(pandora)))
            }
        };
        let main = database.as_ref().map(|(database, _)| database);
        let replicas = check.replicas(&raw.replica, main);
        let state = check.state(&raw.state, environment.state_directory());
        let policy = match added {
            None => raw.policy.validate(text),
            Some(_) => raw.policy.validate_addition(text),
        };
        let policy = match policy {
            Ok(policy) => Some(policy),
            Err(error) => {
                check.problems.extend(error.problems);
                None
            }
        };
        match (database, state, policy) {
            (Some((database, pandora)), Some(state), Some(policy)) if check.problems.is_empty() => {
                Ok(Settings {
                    config: None,
                    database,
                    replicas,
                    state,
                    policy,
                    pandora,
                })
            }
            _ => {
                check.problems.sort_by_key(|p| (p.line, p.column));
                Err(wrong(PolicyError {
                    problems: check.problems,
                }))
            }
        }
    }

    /// What names this configuration on a command line, wherever that is given.
    pub(crate) fn arguments(&self) -> String {
        let mut words = Vec::new();
        if let Some(pandora) = &self.pandora {
            words.push(("--pandora", &pandora.conf));
        }
        words.extend(self.config.as_ref().map(|config| ("--config", config)));
        let words = words.into_iter().map(|(option, path)| {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("{option} {}", elpis_pandora::shell_word(&path))
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Lets every table lose up to `share` of its rows and no more, whatever was configured: the
    /// operator's own word.
    pub(crate) fn consent(&mut self, share: Option<f64>) {
        let Some(share) = share else {
            return;
        };
        if let Some(pandora) = &mut self.pandora {
            pandora.max_share = Some(share);
            pandora.max_orphan_share = share;
        }
        for rule in &mut self.policy.tables {
            rule.max_share = share;
        }
    }
}

/// Whether the file in the usual place, which nobody has named, is about something else than the
/// installation of `conf`: it names another one, or a database without one.
fn is_of_another(path: &Path, text: &str, conf: &Path, environment: &Environment) -> bool {
    let Ok(raw) = toml::from_str::<RawConfig>(text) else {
        // Its problems are told by whoever reads it in earnest.
        return false;
    };
    let real = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let path = environment.below(&path);
        path.canonicalize().unwrap_or(path)
    };
    match raw.conf() {
        Some(named) => real(&path.parent().unwrap_or(Path::new("")).join(named)) != real(conf),
        None => raw.names_a_database(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "[[policy.table]]\nname = 't'\ntime = { column = 'at', unit = \
                          'epoch_seconds' }\nkeep = { days = 30 }\n";

    fn environment() -> Environment {
        Environment {
            home: Some("/home/me".into()),
            ..Environment::default()
        }
    }

    fn parse(text: &str) -> Result<Settings, ConfigError> {
        let text = format!("{text}\n{POLICY}");
        Settings::parse(
            Path::new("/etc/elpis/maint.toml"),
            &text,
            None,
            &environment(),
        )
    }

    fn problems(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_small_file_is_enough() {
        let settings = parse("[database]\nkind = 'sqlite'\npath = 'm.db'").unwrap();
        assert!(
            matches!(&settings.database, Database::Sqlite(path) if path == Path::new("/etc/elpis/m.db")),
            "relative to the file: {settings:?}"
        );
        assert_eq!(
            settings.state.directory,
            Path::new("/home/me/.local/state/elpis")
        );
        assert_eq!(settings.state.keep_days, 400);
    }

    #[test]
    fn the_usual_file_counts_beside_the_products_unless_another_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str| {
            fsx::write_durable(&path(name), text.as_bytes(), 0o600).unwrap();
        };
        let conf = "dbname p\ndbuser u\ndbpass hush\ndbhost h\nha_hosts_file /nowhere/ha\n";
        write("p.conf", conf);
        write("named.toml", "[pandora.tokens]\nevent_purge = 9\n");
        let (default, conf) = (path("maint.toml"), path("p.conf"));
        let at = |named: Option<&Path>| {
            let place = Place {
                named,
                default: &default,
            };
            Settings::at(&place, Some(&conf), &environment())
        };
        let token = |settings: &Settings| {
            let pandora = settings.pandora.as_ref().unwrap();
            pandora.tokens.get("event_purge").cloned()
        };
        let alone = at(None).unwrap();
        assert_eq!((alone.config.as_ref(), token(&alone)), (None, None));
        write("maint.toml", "[pandora.tokens]\nevent_purge = 90\n");
        let usual = at(None).unwrap();
        assert_eq!(usual.config.as_ref(), Some(&default));
        assert_eq!(token(&usual).as_deref(), Some("90"));
        let named = path("named.toml");
        let named = at(Some(&named)).unwrap();
        assert_eq!(named.config, Some(path("named.toml")));
        assert_eq!(token(&named).as_deref(), Some("9"));
        // What is named has to be there, and what is there has to be right.
        assert!(matches!(
            at(Some(&path("none.toml"))),
            Err(ConfigError::Missing(_))
        ));
        // One of another installation, or of a database without one, is not meant.
        for (text, is_meant) in [
            ("conf = 'other.conf'", false),
            ("conf = 'p.conf'", true),
            ("[database]\nkind = 'sqlite'\npath = 'm'", false),
            ("[database]\nname = 'other'", false),
            ("[database]\nhost = 'near'", true),
        ] {
            write(
                "maint.toml",
                &format!("[pandora]\ntokens = {{ event_purge = 90 }}\n{text}\n"),
            );
            let found = at(None).unwrap();
            let warned = |found: &Settings| {
                let warnings = &found.pandora.as_ref().unwrap().warnings;
                warnings.iter().any(|one| one.contains("maint.toml"))
            };
            assert_eq!(token(&found).is_some(), is_meant, "{text}");
            assert_eq!(warned(&found), !is_meant, "{text}");
        }
        write("maint.toml", "[pandora]\ntokns = 1\n");
        let said = at(None).unwrap_err().to_string();
        assert!(
            said.contains("maint.toml") && said.contains("tokns"),
            "{said}"
        );
        std::fs::remove_file(&default).unwrap();
        fsx::create_private_dir(&default).unwrap();
        assert!(matches!(at(None), Err(ConfigError::Missing(_))));
    }

    #[test]
    fn the_state_directory_is_the_files_then_the_users_or_the_systems() {
        let file = parse("[database]\nkind='sqlite'\npath='m'\n[state]\ndirectory='/s'\n");
        assert_eq!(file.unwrap().state.directory, Path::new("/s"));
        let mut environment = environment();
        environment.state_home = Some("/x".into());
        assert_eq!(
            environment.state_directory().unwrap(),
            Path::new("/x/elpis")
        );
        environment.is_root = true;
        assert_eq!(
            environment.state_directory().unwrap(),
            Path::new("/var/lib/elpis")
        );
    }

    #[test]
    fn an_inline_password_is_refused_and_not_repeated() {
        for password in ["'hush'", "271828", "['hush']", "{ a = 'hush' }"] {
            let config = format!("[database]\nkind = 'mysql'\nname = 'p'\npassword = {password}");
            let said = problems(&config);
            assert!(said.contains("line 4"), "{said}");
            assert!(said.contains("password_file"), "{said}");
            assert!(!said.contains("hush") && !said.contains("2718"), "{said}");
        }
    }

    #[test]
    fn problems_have_places() {
        let said = problems("[database]\nkind = 'oracle'\n[state]\nkeep_days = -3\n");
        assert!(said.contains("line 2, column 8: database.kind"), "{said}");
        assert!(
            said.contains("line 4, column 13: state.keep_days"),
            "{said}"
        );
        let said = problems("[database]\nkind = 'sqlite'\npaht = 'x'\n");
        assert!(
            said.contains("line 3, column 1: unknown field `paht`"),
            "{said}"
        );
        let said = problems("[database]\nkind = 'sqlite'\npath = 'x'\nport = 3306\n");
        assert!(said.contains("line 4, column 8: database.port"), "{said}");
        let said = problems("[database]\nkind = 'mysql'\nname = 'p'\n[[replica]]\nname = 'r'\n");
        assert!(said.contains("line 4"), "{said}");
    }
}
