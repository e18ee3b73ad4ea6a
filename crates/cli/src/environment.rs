//! The environment, read once.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The part of the environment that means something to us.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    pub(crate) config: Option<PathBuf>,
    /// The same for `elpis-backup`.
    pub(crate) backup_config: Option<PathBuf>,
    /// The same for `elpis-failover`.
    pub(crate) failover_config: Option<PathBuf>,
    pub(crate) state_home: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) is_root: bool,
    /// Where the system lies whose files are meant, if it is not the running one: the root of an
    /// image. Never from the environment.
    pub(crate) root: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn read() -> Environment {
        let path = |name: &str| {
            std::env::var_os(name)
                .filter(|value: &OsString| !value.is_empty())
                .map(PathBuf::from)
        };
        Environment {
            config: path("ELPIS_CONFIG"),
            backup_config: path("ELPIS_BACKUP_CONFIG"),
            failover_config: path("ELPIS_FAILOVER_CONFIG"),
            state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
            // The owner of our own entry in /proc is our effective user.
            is_root: std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0),
            root: None,
        }
    }

    /// Where a file of the system that is meant lies.
    #[cfg(feature = "maint")]
    pub(crate) fn below(&self, path: &Path) -> PathBuf {
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        elpis_pandora::below(root, path)
    }

    /// Where runs are remembered if the configuration does not say.
    pub(crate) fn state_directory(&self) -> Option<PathBuf> {
        if self.is_root {
            return Some("/var/lib/elpis".into());
        }
        let local = || self.home.as_ref().map(|home| home.join(".local/state"));
        let state_home = self.state_home.clone().or_else(local)?;
        Some(state_home.join("elpis"))
    }
}
