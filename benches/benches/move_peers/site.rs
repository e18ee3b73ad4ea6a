//! An installation and its history database on a server of their own, with the product's
//! configuration file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use elpis_mysql::{ConnectOptions, PrivateServer};
use elpis_testkit::pandora::{Installation, tables};
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

/// What is older moves; the rows are spread over twice as many days.
pub(crate) const KEEP_DAYS: i64 = 30;

pub(crate) struct Site {
    server: PrivateServer,
    active: MariaDb,
    history: MariaDb,
    work: tempfile::TempDir,
}

impl Site {
    /// Starts a server, fills it and keeps a copy of the data directory.
    pub(crate) fn create(rows: u64) -> Result<Site> {
        let server = PrivateServer::builder()
            .arg("--innodb-buffer-pool-size=2G")
            .arg("--innodb-log-file-size=512M")
            .arg("--innodb-flush-log-at-trx-commit=1")
            .arg("--log-bin=bin")
            .arg("--binlog-format=ROW")
            .arg("--sync-binlog=0")
            // pt-archiver writes that way.
            .arg("--local-infile=1")
            .start()?;
        let (active, history) = (MariaDb::on(&server), MariaDb::on(&server));
        history.sql(&tables(&["tconfig", "tagente_datos"]));
        let days = KEEP_DAYS.to_string();
        let installation = Installation {
            now: Timestamp::now(),
            numeric: rows,
            modules: 10_050,
            dense: 200,
            ..Installation::small()
        };
        let installation = [
            ("history_db_enabled", "1"),
            ("history_db_host", &server.socket().display().to_string()),
            ("history_db_name", history.name()),
            ("history_db_user", "root"),
            ("history_db_pass", ""),
            ("history_db_days", &days),
            ("history_db_step", "0"),
            ("history_db_delay", "0"),
        ]
        .into_iter()
        .fold(installation, |site, (token, value)| {
            site.token(token, value)
        });
        installation.create(&active);
        // Values with all their digits, as computed ones have.
        active.sql("UPDATE tagente_datos SET datos = datos + RAND(utimestamp) / 3;");
        let mut site = Site {
            server,
            active,
            history,
            work: tempfile::tempdir()?,
        };
        site.configure()?;
        site.server.stop()?;
        copy(&site.server.datadir(), &site.work.path().join("data"))?;
        Ok(site)
    }

    fn configure(&self) -> Result<()> {
        let text = format!(
            "servername pandorafms\ndbname {}\ndbuser root\ndbpass \ndbhost {}\nlog_file /dev/null\n\
             ha_hosts_file {}\n",
            self.active(),
            self.socket().display(),
            self.work.path().join("none").display(),
        );
        std::fs::write(self.work.path().join("pandora_server.conf"), text)?;
        let state = self.work.path().join("state");
        let text = format!("[state]\ndirectory = \"{}\"\n", state.display());
        std::fs::write(self.work.path().join("maint.toml"), text)?;
        Ok(())
    }

    /// Puts the data directory back as it was, starts the server and reads the table once.
    pub(crate) fn restore(&mut self) -> Result<()> {
        self.server.stop()?;
        std::fs::remove_dir_all(self.server.datadir())?;
        copy(&self.work.path().join("data"), &self.server.datadir())?;
        // Or the kernel would write the copy out in the middle of the measurement.
        ensure!(Command::new("sync").status()?.success(), "sync");
        self.server.restart()?;
        for index in ["data_index1", "idx_utimestamp"] {
            self.active.sql(&format!(
                "SELECT COUNT(*) FROM tagente_datos FORCE INDEX ({index});"
            ));
        }
        self.active.sql("SELECT SUM(datos) FROM tagente_datos;");
        Ok(())
    }

    /// Copies what is due to where only [`Site::changed_on_the_way`] looks; how many rows it is.
    pub(crate) fn remember_due(&self, cutoff: i64) -> u64 {
        self.active.sql(&format!(
            "SET SESSION sql_log_bin = 0; \
             CREATE TABLE remembered AS SELECT id_agente_modulo, utimestamp, datos \
               FROM tagente_datos WHERE utimestamp < {cutoff};"
        ));
        self.due(cutoff)
    }

    pub(crate) fn due(&self, cutoff: i64) -> u64 {
        self.active.number(&format!(
            "SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {cutoff};"
        ))
    }

    /// How many rows were due and are not in the history database with the very same values. Rows
    /// that came due meanwhile do not count.
    pub(crate) fn changed_on_the_way(&self) -> u64 {
        let (active, history) = (self.active(), self.history());
        self.active.number(&format!(
            "SELECT CAST(COALESCE(SUM(GREATEST(n, 0)), 0) AS UNSIGNED) FROM (SELECT SUM(s) AS n FROM ( \
               SELECT id_agente_modulo, utimestamp, datos, 1 AS s FROM {active}.remembered UNION ALL \
               SELECT id_agente_modulo, utimestamp, datos, -1 FROM {history}.tagente_datos) AS both_sides \
             GROUP BY id_agente_modulo, utimestamp, datos) AS counted;"
        ))
    }

    /// `elpis-maint run --pandora`, for the move alone.
    pub(crate) fn elpis(&self, more: &[&str]) -> Result<Command> {
        let mut command = Command::new(elpis_benches::program("elpis-maint")?);
        command
            .args(["run", "-q", "--only", "history_data", "--pandora"])
            .arg(self.work.path().join("pandora_server.conf"))
            .arg("--config")
            .arg(self.work.path().join("maint.toml"))
            // The zone that the installation's DATETIME columns are in.
            .env("TZ", "UTC")
            .args(more);
        Ok(command)
    }

    pub(crate) fn active(&self) -> &str {
        self.active.name()
    }

    pub(crate) fn history(&self) -> &str {
        self.history.name()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.server.socket().to_owned()
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        self.active.options.clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(
        status.success(),
        "cp {} {}: {status}",
        from.display(),
        to.display()
    );
    Ok(())
}
