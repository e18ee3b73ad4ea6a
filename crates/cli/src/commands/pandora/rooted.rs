//! The configuration of a system that need not be the running one (`--root`).

use std::path::{Path, PathBuf};

use elpis_pandora::{resolved, shell_word};

use crate::settings::{ConfigError, Environment, Settings};

/// Where the product's configuration usually is.
const USUAL: &str = "/etc/pandora/pandora_server.conf";

/// What is known of the configuration, and what to do if it cannot be used.
pub(super) type Loaded = Result<Settings, (ConfigError, String)>;

/// The system whose files are meant, and what names its configuration.
pub(crate) struct Rooted {
    /// `/`, or the root of an image.
    pub(crate) root: Option<PathBuf>,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--pandora`.
    pub(crate) pandora: Option<PathBuf>,
}

impl Rooted {
    pub(super) fn root(&self) -> &Path {
        self.root.as_deref().unwrap_or(Path::new("/"))
    }

    pub(super) fn is_image(&self) -> bool {
        self.root() != Path::new("/")
    }

    /// Reads what is named, as paths inside the image if it is one.
    pub(super) fn load(&self) -> Loaded {
        let mut environment = Environment::read();
        environment.root.clone_from(&self.root);
        let inside = |path: PathBuf| match self.is_image() {
            true => Path::new("/").join(path),
            false => path,
        };
        environment.config = environment.config.map(inside);
        let config = self.config.clone().map(inside);
        let pandora = self.pandora.clone().map(inside);
        Settings::load(config.as_deref(), pandora.as_deref(), &environment).map_err(|error| {
            let hint = self.misplaced().unwrap_or_else(|| error.hint().to_owned());
            (error, hint)
        })
    }

    /// What names the configuration on a command line, where it cannot be read.
    pub(super) fn arguments(&self) -> String {
        let conf = shell_word(self.pandora.as_deref().unwrap_or(Path::new(USUAL)));
        match &self.config {
            None => format!("--pandora {conf}"),
            Some(config) => format!("--pandora {conf} --config {}", shell_word(config)),
        }
    }

    /// The product's configuration, as far as the command line says, where ours cannot be read.
    pub(super) fn conf(&self) -> Option<&Path> {
        let usual = self.config.is_none().then_some(Path::new(USUAL));
        self.pandora.as_deref().or(usual)
    }

    /// The file that `conf` is, by whichever name it is called.
    pub(super) fn resolved(&self, conf: &Path) -> PathBuf {
        let conf = match self.is_image() {
            true => Path::new("/").join(conf),
            false => std::path::absolute(conf).unwrap_or_else(|_| conf.to_owned()),
        };
        resolved(self.root(), &conf)
    }

    /// `arguments` for a verb that takes `--root`.
    pub(super) fn with_root(&self, arguments: &str) -> String {
        match self.is_image() {
            true => format!("{arguments} --root {}", self.root_word()),
            false => arguments.to_owned(),
        }
    }

    /// Says where a command is meant whose verb does not take `--root`.
    pub(super) fn placed(&self, remedy: String) -> String {
        let verbs = ["run", "history", "plan"].map(|verb| format!("elpis-maint {verb} "));
        match self.is_image() && verbs.iter().any(|verb| remedy.contains(verb)) {
            true => format!("{remedy} (inside {})", self.root_word()),
            false => remedy,
        }
    }

    fn root_word(&self) -> String {
        let root = std::path::absolute(self.root());
        shell_word(root.as_deref().unwrap_or(self.root()))
    }

    /// What to do if a file is named by its path on this host.
    fn misplaced(&self) -> Option<String> {
        let root = std::path::absolute(self.root()).ok()?;
        let named = [("--pandora", &self.pandora), ("--config", &self.config)];
        let mut named = named.into_iter().filter(|_| self.is_image());
        named.find_map(|(option, path)| {
            let path = std::path::absolute(path.as_ref()?).ok()?;
            let inside = path.strip_prefix(&root).ok().filter(|_| path.exists())?;
            let inside = Path::new("/").join(inside);
            let (root, inside) = (self.root().display(), inside.display());
            Some(format!(
                "with --root, name the file as it is called inside {root}: {option} {inside}"
            ))
        })
    }
}
