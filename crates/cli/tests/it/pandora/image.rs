//! The root of a system that is not running: what `--root` is for.

use std::path::PathBuf;

use super::Site;
use crate::harness::Said;

/// With a shell, both tools, and the configuration of a site inside.
pub(super) struct Image<'a> {
    site: &'a Site,
    root: PathBuf,
}

/// As it is called inside.
pub(super) const CONF: &str = "/etc/pandora/pandora_server.conf";

impl<'a> Image<'a> {
    pub(super) fn of(site: &'a Site) -> Image<'a> {
        let root = site.world.path("image");
        for directory in ["etc/cron.hourly", "etc/systemd/system"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        let image = Image { site, root };
        for program in ["bin/sh", "usr/bin/elpis-maint", "usr/bin/pandora_db"] {
            image.lay_out(program, "", 0o755);
        }
        image
    }

    pub(super) fn root(&self) -> &PathBuf {
        &self.root
    }

    pub(super) fn lay_out(&self, file: &str, text: &str, mode: u32) {
        let path = self.root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        elpis_run::fsx::write_durable(&path, text.as_bytes(), mode).unwrap();
    }

    pub(super) fn remove(&self, file: &str) {
        std::fs::remove_file(self.root.join(file)).unwrap();
    }

    pub(super) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.root.join(file)).unwrap()
    }

    /// With the site's configuration as it is now, and no other.
    pub(super) fn run(&self, args: &[&str]) -> Said {
        self.take_conf();
        self.call(&[args, &["--pandora", CONF]].concat(), None)
    }

    /// Puts the site's configuration inside, with its mode.
    pub(super) fn take_conf(&self) {
        let inside = self.root.join(&CONF[1..]);
        std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
        std::fs::copy(self.site.world.path("pandora_server.conf"), inside).unwrap();
    }

    /// With `ELPIS_CONFIG`, and nothing else that is not in `args`.
    pub(super) fn call(&self, args: &[&str], config: Option<&str>) -> Said {
        let mut command = self.site.world.command(args);
        command.env_remove("ELPIS_CONFIG");
        command.envs(config.map(|config| ("ELPIS_CONFIG", config)));
        command.arg("--root").arg(&self.root);
        self.site.world.said(&command.output().unwrap())
    }
}
