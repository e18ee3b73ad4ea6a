//! An installation and its history database on one server.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use elpis_benches::{KeptServer, PandoraSite};
use elpis_mysql::ConnectOptions;
use elpis_testkit::pandora::{Installation, tables};
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

/// What is older moves; the rows are spread over twice as many days.
pub(crate) const KEEP_DAYS: i64 = 30;

pub(crate) struct Site {
    site: PandoraSite,
    history: MariaDb,
}

impl Site {
    /// Starts a server, fills it and keeps a copy of the data directory.
    pub(crate) fn create(rows: u64) -> Result<Site> {
        // pt-archiver writes that way.
        let server = KeptServer::start(&["--local-infile=1"])?;
        let (active, history) = (MariaDb::on(server.server()), MariaDb::on(server.server()));
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
            (
                "history_db_host",
                &server.server().socket().display().to_string(),
            ),
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
        Ok(Site {
            site: PandoraSite::keep(server, active)?,
            history,
        })
    }

    pub(crate) fn restore(&mut self) -> Result<()> {
        self.site.restore()
    }

    /// Copies what is due to where only [`Site::changed_on_the_way`] looks; how many rows it is.
    pub(crate) fn remember_due(&self, cutoff: i64) -> u64 {
        self.site.db().sql(&format!(
            "SET SESSION sql_log_bin = 0; \
             CREATE TABLE remembered AS SELECT id_agente_modulo, utimestamp, datos \
               FROM tagente_datos WHERE utimestamp < {cutoff};"
        ));
        self.due(cutoff)
    }

    pub(crate) fn due(&self, cutoff: i64) -> u64 {
        self.site.db().number(&format!(
            "SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {cutoff};"
        ))
    }

    /// How many rows were due and are not in the history database with the very same values. Rows
    /// that came due meanwhile do not count.
    pub(crate) fn changed_on_the_way(&self) -> u64 {
        let (active, history) = (self.active(), self.history());
        self.site.db().number(&format!(
            "SELECT CAST(COALESCE(SUM(GREATEST(n, 0)), 0) AS UNSIGNED) FROM (SELECT SUM(s) AS n FROM ( \
               SELECT id_agente_modulo, utimestamp, datos, 1 AS s FROM {active}.remembered UNION ALL \
               SELECT id_agente_modulo, utimestamp, datos, -1 FROM {history}.tagente_datos) AS both_sides \
             GROUP BY id_agente_modulo, utimestamp, datos) AS counted;"
        ))
    }

    /// The move alone, without the rest of the hour's work.
    pub(crate) fn elpis(&self, more: &[&str]) -> Result<Command> {
        let mut command = self.site.elpis_maint(&["--only", "history_data"])?;
        command.args(more);
        Ok(command)
    }

    pub(crate) fn active(&self) -> &str {
        self.site.db().name()
    }

    pub(crate) fn history(&self) -> &str {
        self.history.name()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.site.socket()
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        self.site.options()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.site.pid()
    }
}
