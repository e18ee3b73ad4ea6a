//! A server as the configuration names it, and how to connect to it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_mysql::{ConnectOptions, Tls, read_option_file};
use elpis_run::{FsError, Secret, fsx};

use super::{ConfigError, Environment};

/// The groups of an option file that are ours to read.
const OPTION_GROUPS: [&str; 3] = ["client", "client-mariadb", "elpis"];

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

impl Server {
    /// With its files where those of `environment`'s system lie.
    pub(super) fn below(self, environment: &Environment) -> Server {
        let below = |path: PathBuf| environment.below(&path);
        Server {
            option_file: self.option_file.map(below),
            password_file: self.password_file.map(below),
            tls: self.tls.map(|tls| match tls {
                Tls::Required { ca, verify_host } => Tls::Required {
                    ca: ca.map(below),
                    verify_host,
                },
                Tls::Off => Tls::Off,
            }),
            under: self.under.map(|under| Box::new(under.below(environment))),
            ..self
        }
    }

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
