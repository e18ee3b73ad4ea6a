//! The configuration: file, then environment, then arguments, merged once into plain values.

mod error;
mod pandora;
mod raw;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_maint_core::Policy;
use elpis_maint_core::policy::PolicyError;
use elpis_mysql::{ConnectOptions, Tls, read_option_file};
use elpis_run::{FsError, Secret, fsx};

pub(crate) use crate::environment::Environment;
pub(crate) use error::ConfigError;
pub(crate) use pandora::Pandora;
use raw::{Check, RawConfig};

/// Where the configuration is when nobody says otherwise.
const DEFAULT_CONFIG: &str = "/etc/elpis/maint.toml";
/// The groups of an option file that are ours to read.
const OPTION_GROUPS: [&str; 3] = ["client", "client-mariadb", "elpis"];
/// How long the journal remembers a run unless the configuration says otherwise.
const KEEP_DAYS: u32 = 400;

/// Everything a command needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The file that was read.
    pub(crate) config: PathBuf,
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

/// Where a server is, as far as the configuration itself says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server {
    /// The database's name; for a replica, what it is called in messages.
    pub(crate) name: Option<String>,
    pub(crate) option_file: Option<PathBuf>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) user: Option<String>,
    /// Only from the product's own configuration; ours cannot hold one.
    pub(crate) password: Option<Secret<String>>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) tls: Option<Tls>,
    /// What holds where neither this nor the option file says otherwise: the product's own
    /// configuration.
    pub(crate) under: Option<Box<Server>>,
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
    /// Reads and checks the configuration that `argument` names, or the environment, or nobody;
    /// and the product's own that `pandora` or the configuration names.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub(crate) fn load(
        argument: Option<&Path>,
        pandora: Option<&Path>,
        environment: &Environment,
    ) -> Result<Settings, ConfigError> {
        let named = argument.or(environment.config.as_deref());
        if let (None, Some(conf)) = (named, pandora) {
            // The product's own configuration is enough.
            return Settings::parse(conf, "", Some(conf), environment);
        }
        let path = named.unwrap_or(Path::new(DEFAULT_CONFIG));
        let text = fsx::read_to_string(path).map_err(ConfigError::Missing)?;
        Settings::parse(path, &text, pandora, environment)
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
                let (server, pandora) = Pandora::read(added, own)?;
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
                    config: path.to_owned(),
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

    /// Lets every table lose up to `share` of its rows: the operator's explicit consent.
    pub(crate) fn consent(&mut self, share: Option<f64>) {
        if let (Some(pandora), Some(share)) = (&mut self.pandora, share) {
            pandora.max_share = pandora.max_share.map(|own| own.max(share));
            pandora.max_orphan_share = pandora.max_orphan_share.max(share);
        }
        for rule in &mut self.policy.tables {
            rule.max_share = rule.max_share.max(share.unwrap_or(0.0));
        }
    }
}

impl Server {
    /// How to connect: what the option file says, and over it what the configuration says.
    /// `warnings` gets what an operator should know.
    ///
    /// # Errors
    /// When a file cannot be used, or nobody names an account.
    pub(crate) fn connect_options(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<ConnectOptions, ConfigError> {
        let mut options = match &self.under {
            Some(under) => under.connect_options(warnings)?,
            None => ConnectOptions {
                program: "elpis-maint".to_owned(),
                ..ConnectOptions::default()
            },
        };
        if let Some(path) = &self.option_file {
            let file = read_option_file(path, &OPTION_GROUPS, options)
                .map_err(|source| ConfigError::OptionFile(Box::new(source)))?;
            options = file.options;
            warnings.extend(file.warnings);
        }
        if let Some(host) = &self.host {
            // A host in the configuration is not to be outdone by a socket in the option file.
            options.host.clone_from(host);
            options.socket = None;
        }
        if let Some(port) = self.port {
            options.port = port;
        }
        if let Some(socket) = &self.socket {
            options.socket = Some(socket.clone());
        }
        if let Some(user) = &self.user {
            options.user.clone_from(user);
        }
        if let Some(password) = &self.password {
            options.password = Some(password.clone());
        }
        if let Some(path) = &self.password_file {
            options.password = Some(read_password(path)?);
        }
        if let Some(tls) = &self.tls {
            options.tls = tls.clone();
        }
        if options.user.is_empty() {
            return Err(ConfigError::NoUser);
        }
        Ok(options)
    }
}

/// A file that holds a password and nothing else; one line end after it does not count.
fn read_password(path: &Path) -> Result<Secret<String>, ConfigError> {
    let found = std::fs::metadata(path)
        .map_err(|source| ConfigError::Missing(FsError::new("read", path, source)))?;
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ConfigError::PasswordMode {
            path: path.to_owned(),
            mode,
        });
    }
    let text = Secret::new(fsx::read_to_string(path).map_err(ConfigError::Missing)?);
    let line = text.expose();
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Secret::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

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

    #[test]
    fn the_configuration_goes_before_the_option_file() {
        let dir = tempfile::tempdir().unwrap();
        let cnf = dir.path().join("my.cnf");
        let text = "[client]\nsocket=/run/s.sock\nuser=filed\npassword=hush\n";
        fsx::write_durable(&cnf, text.as_bytes(), 0o600).unwrap();
        let server = Server {
            name: Some("pandora".to_owned()),
            option_file: Some(cnf),
            ..Server::default()
        };
        let mut warnings = Vec::new();
        let options = server.connect_options(&mut warnings).unwrap();
        assert_eq!(options.user, "filed");
        assert_eq!(options.socket.as_deref(), Some(Path::new("/run/s.sock")));
        let tcp = Server {
            host: Some("db1".to_owned()),
            user: Some("named".to_owned()),
            ..server
        };
        let options = tcp.connect_options(&mut warnings).unwrap();
        assert_eq!((options.host.as_str(), options.socket), ("db1", None));
        assert_eq!(options.user, "named");
        assert_eq!(options.password.unwrap().expose(), "hush");
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn a_password_file_is_private_and_loses_only_its_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        for (written, meant) in [
            ("hush\n", "hush"),
            ("hush\r\n", "hush"),
            (" hush \n\n", " hush \n"),
            ("hush", "hush"),
        ] {
            fsx::write_durable(&path, written.as_bytes(), 0o600).unwrap();
            assert_eq!(read_password(&path).unwrap().expose(), meant);
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_password(&path).unwrap_err();
        assert!(error.to_string().contains("640"), "{error}");
        assert!(error.hint().contains("chmod 600"), "{}", error.hint());
    }
}
