//! The server with production settings, and the table as Pandora FMS has it.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use elpis_mysql::{ConnectOptions, Params, Session, SessionSettings, quote};
use tokio::runtime::Runtime;

use crate::KeptServer;

/// What the table is filled with, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Sixty days; the last row is a minute old.
    SixtyDays,
    /// 10,000 series with a row every 300 s and up to a minute of jitter, all older than a week.
    Dense,
    /// 10,000 series with a row about every 20 minutes, all older than a week.
    ChangeOnly,
}

impl Data {
    /// Inserts the rows with these numbers of `rows`.
    fn insert(self, first: u64, last: u64, rows: u64) -> String {
        let (interval, jitter) = match self {
            Data::SixtyDays => {
                return format!(
                    "INSERT INTO bench.tagente_datos SELECT 1 + (seq * 7919) % 10000, \
                     ROUND(RAND(seq) * 100, 5), \
                     UNIX_TIMESTAMP() - 60 - FLOOR(({rows} - seq) * (60 * 86400 / {rows})) \
                     FROM seq_{first}_to_{last}"
                );
            }
            Data::Dense => (300, 60),
            Data::ChangeOnly => (1200, 1200),
        };
        // Row n belongs to series n % 10000 and is its (n / 10000)-th.
        let span = rows / 10_000 * interval;
        format!(
            "INSERT INTO bench.tagente_datos SELECT 1 + seq % 10000, \
             ROUND(50 + 30 * SIN((seq DIV 10000 * {interval} + seq % 10000 * 977) / 13751) \
             + 5 * RAND(seq), 5), \
             UNIX_TIMESTAMP(CURRENT_DATE) - 8 * 86400 - {span} + seq DIV 10000 * {interval} \
             + FLOOR(RAND(seq * 17) * {jitter}) FROM seq_{first}_to_{last}"
        )
    }
}

/// Statements may take as long as they take.
pub fn unlimited() -> SessionSettings {
    SessionSettings {
        statement_timeout: std::time::Duration::from_secs(3600),
        ..SessionSettings::default()
    }
}

pub struct Bench {
    kept: KeptServer,
}

impl Bench {
    /// Starts a server, fills the table and keeps a copy of the data directory.
    pub fn create(runtime: &Runtime, data: Data, rows: u64) -> Result<Bench> {
        let mut bench = Bench {
            kept: KeptServer::start(&[])?,
        };
        let begun = Instant::now();
        runtime.block_on(bench.fill(data, rows))?;
        bench.kept.keep()?;
        eprintln!("made {rows} rows in {:.0} s", begun.elapsed().as_secs_f64());
        Ok(bench)
    }

    async fn fill(&self, data: Data, rows: u64) -> Result<()> {
        let mut session = Session::open(&self.kept.server().options(), &unlimited()).await?;
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
        let step = 250_000;
        for first in (1..=rows).step_by(step as usize) {
            let last = (first + step - 1).min(rows);
            let sql = data.insert(first, last, rows);
            session.execute(&sql, Params::Empty).await?;
        }
        if data != Data::SixtyDays {
            // Living series have younger rows as well.
            let sql = "INSERT INTO bench.tagente_datos \
                       SELECT seq, 1, UNIX_TIMESTAMP() - 86400 FROM seq_1_to_10000";
            session.execute(sql, Params::Empty).await?;
        }
        session
            .execute("ANALYZE TABLE bench.tagente_datos", Params::Empty)
            .await?;
        Ok(())
    }

    /// Puts the data directory back as it was, starts the server and reads the table once.
    pub fn restore(&mut self, runtime: &Runtime) -> Result<()> {
        self.kept.put_back()?;
        self.warm_up(runtime)
    }

    /// Lets the server write out what it was given last, and reads all tables once: a measurement
    /// begins with a server that has nothing left to do.
    pub fn settle(&mut self, runtime: &Runtime) -> Result<()> {
        self.kept.restart()?;
        self.warm_up(runtime)
    }

    fn warm_up(&self, runtime: &Runtime) -> Result<()> {
        runtime.block_on(async {
            let mut session = Session::open(&self.options(), &unlimited()).await?;
            for index in ["data_index1", "idx_utimestamp"] {
                let sql = format!("SELECT COUNT(*) FROM tagente_datos FORCE INDEX ({index})");
                let _: Option<u64> = session.first(&sql, Params::Empty).await?;
            }
            let tables: Vec<String> = session.rows("SHOW TABLES", Params::Empty).await?;
            for table in tables {
                let sql = format!("CHECKSUM TABLE {}", quote(&table)?);
                session.execute(&sql, Params::Empty).await?;
            }
            Ok(())
        })
    }

    /// The number that a query returns.
    pub fn number(&self, runtime: &Runtime, sql: &str) -> Result<u64> {
        runtime.block_on(async {
            let mut session = Session::open(&self.options(), &unlimited()).await?;
            session
                .first(sql, Params::Empty)
                .await?
                .context("no number")
        })
    }

    pub fn options(&self) -> ConnectOptions {
        ConnectOptions {
            database: Some("bench".to_owned()),
            ..self.kept.server().options()
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.kept.server().socket().to_owned()
    }

    pub fn pid(&self) -> u32 {
        self.kept.server().pid()
    }
}
