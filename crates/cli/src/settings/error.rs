//! What is wrong with the configuration, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use elpis_maint_core::policy::Problem;
use elpis_mysql::OptionFileError;
use elpis_run::FsError;

/// Why there are no settings. Nothing was touched.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// A file cannot be read.
    Missing(FsError),
    /// The configuration says things that cannot be.
    Wrong {
        path: PathBuf,
        problems: Vec<Problem>,
    },
    /// The option file cannot be used.
    OptionFile(Box<OptionFileError>),
    /// Others may read the password.
    PasswordMode { path: PathBuf, mode: u32 },
    /// Nobody says which account to use.
    NoUser,
    /// The product's own configuration cannot be used.
    Product(elpis_pandora::ConfigError),
    /// It cannot be told which host the product's HA daemon chose.
    Chosen(elpis_pandora::ChosenHostError),
    /// The history database's password cannot be read by anybody but the product.
    Encrypted { conf: PathBuf },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Missing(error) => error.fmt(f),
            ConfigError::Wrong { path, problems } => match problems.as_slice() {
                [problem] => write!(f, "{}: {problem}", path.display()),
                problems => {
                    write!(f, "{} has {} problems", path.display(), problems.len())?;
                    problems.iter().try_for_each(|p| write!(f, "\n  {p}"))
                }
            },
            ConfigError::OptionFile(error) => error.fmt(f),
            ConfigError::PasswordMode { path, mode } => write!(
                f,
                "{} holds a password and has mode {mode:03o}",
                path.display()
            ),
            ConfigError::Product(error) => error.fmt(f),
            ConfigError::Chosen(error) => error.fmt(f),
            ConfigError::Encrypted { conf } => write!(
                f,
                "history_db_pass is encrypted (encryption_passphrase is set in {}), and only the \
                 enterprise edition can decrypt it",
                conf.display()
            ),
            ConfigError::NoUser => {
                f.write_str("neither the configuration nor an option file names a user")
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Missing(error) => error.source(),
            ConfigError::OptionFile(error) => error.source(),
            _ => None,
        }
    }
}

impl ConfigError {
    /// The next step.
    pub(crate) fn hint(&self) -> &str {
        match self {
            ConfigError::Missing(_) => {
                "name the configuration with --config FILE; `elpis-maint demo` writes an example"
            }
            ConfigError::Wrong { .. } => {
                "correct the file, then run `elpis-maint policy check` again"
            }
            ConfigError::OptionFile(_) => "correct the file that option_file names",
            ConfigError::PasswordMode { .. } => "chmod 600 it, and think of who may have read it",
            ConfigError::Product(_) | ConfigError::Chosen(_) => {
                "the file is the product's: correct it there, or say otherwise under [database] in \
                 a configuration of Elpis (--config)"
            }
            ConfigError::Encrypted { .. } => {
                "write the password into a file of mode 0600 and name it in a configuration of \
                 Elpis (--config): [pandora] history_password_file"
            }
            ConfigError::NoUser => "set user under [database], or in the option file",
        }
    }
}
