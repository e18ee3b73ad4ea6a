//! Only the master server maintains the database.

use crate::ServerConf;
use crate::files::ConfigError;

/// Why this host's server may not maintain the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotMaster {
    /// Another server is the master.
    #[error(
        "the master is the server {master:?}, and servername says that this is {ours:?}: the database is maintained from the master's host only"
    )]
    Other {
        /// `servername` of this host's configuration.
        ours: String,
        /// The name of the master in `tserver`.
        master: String,
    },
    /// There is no master that runs.
    #[error("no server of tserver is master and running, so neither is this one ({ours:?})")]
    None {
        /// `servername` of this host's configuration.
        ours: String,
    },
}

/// The name of this host's server: `servername` without any blanks, as the product's tool reads
/// it, or the host's name.
///
/// # Errors
/// [`ConfigError::NotText`].
pub fn server_name(conf: &ServerConf, host: &str) -> Result<String, ConfigError> {
    let name = conf.text("servername")?.unwrap_or(host);
    Ok(name.split_whitespace().collect())
}

/// Whether the server called `ours` is the master: the running one of `tserver` with the highest
/// number in its column `master`.
///
/// # Errors
/// [`NotMaster`]. The product's tool then ends without a word.
pub fn check_master(ours: &str, master: Option<&str>) -> Result<(), NotMaster> {
    match master {
        Some(master) if master == ours => Ok(()),
        Some(master) => Err(NotMaster::Other {
            ours: ours.to_owned(),
            master: master.to_owned(),
        }),
        None => Err(NotMaster::None {
            ours: ours.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_is_known_by_its_whole_name() {
        assert_eq!(check_master("pandora", Some("pandora")), Ok(()));
        for (ours, master) in [
            ("pandora", Some("pandora2")),
            ("Pandora", Some("pandora")),
            ("p", None),
        ] {
            let error = check_master(ours, master).unwrap_err().to_string();
            assert!(error.contains(&format!("{ours:?}")), "{error}");
        }
    }

    #[test]
    fn the_servers_name_has_no_blanks_and_defaults_to_the_host() {
        let name = |text: &str| {
            let conf = ServerConf::parse("c".as_ref(), text.as_bytes().to_vec());
            server_name(&conf, "host1").unwrap()
        };
        assert_eq!(name("servername my server \n"), "myserver");
        assert_eq!(name("# servername x\n"), "host1");
    }
}
