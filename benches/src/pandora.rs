//! A Pandora FMS installation on a server of its own, with the product's configuration file.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use elpis_mysql::ConnectOptions;
use elpis_testkit::{Database, MariaDb};

use crate::KeptServer;

pub struct PandoraSite {
    server: KeptServer,
    db: MariaDb,
    work: tempfile::TempDir,
}

impl PandoraSite {
    /// Keeps the data directory of a server on which `db` is the filled installation.
    pub fn keep(server: KeptServer, db: MariaDb) -> Result<PandoraSite> {
        let mut site = PandoraSite {
            server,
            db,
            work: tempfile::tempdir()?,
        };
        site.configure()?;
        site.server.keep()?;
        Ok(site)
    }

    fn configure(&self) -> Result<()> {
        let text = format!(
            "servername pandorafms\ndbname {}\ndbuser root\ndbpass \ndbhost {}\nlog_file /dev/null\n\
             ha_hosts_file {}\n",
            self.db.name(),
            self.socket().display(),
            self.work.path().join("none").display(),
        );
        std::fs::write(self.conf(), text)?;
        let state = self.work.path().join("state");
        let text = format!("[state]\ndirectory = \"{}\"\n", state.display());
        std::fs::write(self.settings(), text)?;
        Ok(())
    }

    fn conf(&self) -> PathBuf {
        self.work.path().join("pandora_server.conf")
    }

    fn settings(&self) -> PathBuf {
        self.work.path().join("maint.toml")
    }

    /// Puts the data directory back as it was, starts the server and reads the largest table once.
    pub fn restore(&mut self) -> Result<()> {
        self.server.put_back()?;
        for index in ["data_index1", "idx_utimestamp"] {
            self.db.sql(&format!(
                "SELECT COUNT(*) FROM tagente_datos FORCE INDEX ({index});"
            ));
        }
        self.db.sql("SELECT SUM(datos) FROM tagente_datos;");
        Ok(())
    }

    /// `elpis-maint run --pandora`, as cron calls it, with more arguments.
    pub fn elpis_maint(&self, more: &[&str]) -> Result<Command> {
        let mut command = Command::new(crate::program("elpis-maint")?);
        command
            .args(["run", "-q", "--pandora"])
            .arg(self.conf())
            .arg("--config")
            .arg(self.settings())
            // The zone that the installation's DATETIME columns are in.
            .env("TZ", "UTC")
            .args(more);
        Ok(command)
    }

    pub fn db(&self) -> &MariaDb {
        &self.db
    }

    pub fn options(&self) -> ConnectOptions {
        self.db.options.clone()
    }

    pub fn socket(&self) -> PathBuf {
        self.server.server().socket().to_owned()
    }

    pub fn pid(&self) -> u32 {
        self.server.server().pid()
    }
}
