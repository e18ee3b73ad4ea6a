//! The server with production settings, and the table as Pandora FMS has it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use elpis_mysql::{ConnectOptions, Params, PrivateServer, Session, SessionSettings};
use tokio::runtime::Runtime;

pub(crate) struct Bench {
    server: PrivateServer,
    snapshot: tempfile::TempDir,
}

impl Bench {
    /// Starts a server, fills the table and keeps a copy of the data directory.
    pub(crate) fn create(runtime: &Runtime, rows: u64) -> Result<Bench> {
        let server = PrivateServer::builder()
            .arg("--innodb-buffer-pool-size=2G")
            .arg("--innodb-log-file-size=512M")
            .arg("--innodb-flush-log-at-trx-commit=1")
            .arg("--log-bin=bin")
            .arg("--binlog-format=ROW")
            .arg("--sync-binlog=0")
            .start()?;
        let mut bench = Bench {
            server,
            snapshot: tempfile::tempdir()?,
        };
        let begun = Instant::now();
        runtime.block_on(bench.fill(rows))?;
        bench.server.stop()?;
        copy(&bench.server.datadir(), &bench.snapshot.path().join("data"))?;
        eprintln!("made {rows} rows in {:.0} s", begun.elapsed().as_secs_f64());
        Ok(bench)
    }

    async fn fill(&self, rows: u64) -> Result<()> {
        let settings = SessionSettings {
            statement_timeout: std::time::Duration::from_secs(600),
            ..SessionSettings::default()
        };
        let mut session = Session::open(&self.server.options(), &settings).await?;
        for sql in [
            "CREATE DATABASE bench".to_owned(),
            "USE bench".to_owned(),
            "CREATE TABLE bench.tagente_datos (
               id_agente_modulo int(10) unsigned NOT NULL DEFAULT 0, datos double DEFAULT NULL,
               utimestamp bigint(20) DEFAULT 0, KEY data_index1 (id_agente_modulo, utimestamp),
               KEY idx_utimestamp (utimestamp)) ENGINE=InnoDB"
                .to_owned(),
            "SET SESSION sql_log_bin = 0".to_owned(),
        ] {
            session.execute(&sql, Params::Empty).await?;
        }
        // Sixty days in the order of time; the last row is a minute old.
        let step = 250_000;
        for first in (1..=rows).step_by(step as usize) {
            let last = (first + step - 1).min(rows);
            let sql = format!(
                "INSERT INTO bench.tagente_datos SELECT 1 + (seq * 7919) % 10000, \
                 ROUND(RAND(seq) * 100, 5), \
                 UNIX_TIMESTAMP() - 60 - FLOOR(({rows} - seq) * (60 * 86400 / {rows})) \
                 FROM seq_{first}_to_{last}"
            );
            session.execute(&sql, Params::Empty).await?;
        }
        session
            .execute("ANALYZE TABLE bench.tagente_datos", Params::Empty)
            .await?;
        Ok(())
    }

    /// Puts the data directory back as it was, starts the server and reads the table once.
    pub(crate) fn restore(&mut self, runtime: &Runtime) -> Result<()> {
        self.server.stop()?;
        std::fs::remove_dir_all(self.server.datadir())?;
        copy(&self.snapshot.path().join("data"), &self.server.datadir())?;
        // Or the kernel would write the copy out in the middle of the measurement.
        ensure!(Command::new("sync").status()?.success(), "sync");
        self.server.restart()?;
        runtime.block_on(async {
            let mut session = Session::open(&self.options(), &SessionSettings::default()).await?;
            for index in ["data_index1", "idx_utimestamp"] {
                let sql = format!("SELECT COUNT(*) FROM tagente_datos FORCE INDEX ({index})");
                let _: Option<u64> = session.first(&sql, Params::Empty).await?;
            }
            let _: Option<f64> = session
                .first("SELECT SUM(datos) FROM tagente_datos", Params::Empty)
                .await?;
            Ok(())
        })
    }

    pub(crate) fn expired(&self, runtime: &Runtime, cutoff: i64) -> Result<u64> {
        runtime.block_on(async {
            let mut session = Session::open(&self.options(), &SessionSettings::default()).await?;
            let sql = format!("SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {cutoff}");
            session
                .first(&sql, Params::Empty)
                .await?
                .context("no count")
        })
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        ConnectOptions {
            database: Some("bench".to_owned()),
            ..self.server.options()
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.server.socket().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(
        status.success(),
        "cp {} {}: {status}",
        from.display(),
        to.display()
    );
    Ok(())
}
