//! A generated installation whose server records long statements.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use elpis_benches::{KeptServer, PandoraSite};
use elpis_mysql::ConnectOptions;
use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

/// Tables whose rows are counted.
const COUNTED: [&str; 8] = [
    "tagente_datos",
    "tagente_datos_string",
    "tevento",
    "tsesion",
    "ttrap",
    "tgis_data_history",
    "tserver_export_data",
    "tsessions_php",
];

/// How many days numeric values are kept.
const NUMERIC_DAYS: i64 = 30;

pub(crate) struct Site {
    site: PandoraSite,
    installation: Installation,
}

impl Site {
    /// Starts a server, fills it and keeps a copy of the data directory.
    pub(crate) fn create(rows: u64) -> Result<Site> {
        let server = KeptServer::start(&[
            "--slow-query-log=1",
            "--long-query-time=0.02",
            "--log-output=TABLE",
        ])?;
        let large = Installation::large(Timestamp::now());
        let part = |all: u64| (all * rows / large.numeric).max(100);
        let installation = Installation {
            numeric: rows,
            strings: part(large.strings),
            events: part(large.events),
            audit: part(large.audit),
            traps: part(large.traps),
            gis: part(large.gis),
            export: part(large.export),
            php_sessions: part(large.php_sessions),
            ..large
        };
        let begun = Instant::now();
        let db = MariaDb::on(server.server());
        installation.create(&db);
        eprintln!(
            "made an installation with {rows} numeric rows in {:.0} s",
            begun.elapsed().as_secs_f64()
        );
        Ok(Site {
            site: PandoraSite::keep(server, db)?,
            installation,
        })
    }

    pub(crate) fn restore(&mut self) -> Result<()> {
        self.site.restore()
    }

    fn db(&self) -> &MariaDb {
        self.site.db()
    }

    /// The modules that have values and keep them. A server knows of no others: values of modules
    /// that are gone would be orphans for the run after this one.
    pub(crate) fn monitored(&self) -> Result<Vec<u64>> {
        let modules = self.db().sql(
            "SELECT m.id_agente_modulo FROM tagente_modulo AS m \
               JOIN tagente AS a ON a.id_agente = m.id_agente \
               JOIN tagente_estado AS e ON e.id_agente_modulo = m.id_agente_modulo \
             WHERE m.delete_pending = 0 AND m.disabled = 0 AND a.disabled = 0 \
             GROUP BY m.id_agente_modulo HAVING MAX(e.estado) <= 2;",
        );
        let modules: Vec<u64> = modules.lines().map(str::parse).collect::<Result<_, _>>()?;
        ensure!(!modules.is_empty(), "no module is monitored");
        Ok(modules)
    }

    /// What an hour makes due, in the proportions of the installation.
    pub(crate) fn an_hour_later(&self) {
        let of = &self.installation;
        let hours = |rows: u64, days: u64| (rows / (days * 24)).max(1);
        let now = Timestamp::now().as_second();
        let age = |days: i64| format!("{now} - {days} * 86400 - seq % 3600");
        self.db().sql(&format!(
            "INSERT INTO tagente_datos SELECT m.id_agente_modulo, 1, {} FROM seq_1_to_{} \
               JOIN tagente_modulo AS m ON m.id_agente_modulo = 163 + seq % 30; \
             INSERT INTO tagente_datos_string SELECT m.id_agente_modulo, 'x', {} FROM seq_1_to_{} \
               JOIN tagente_modulo AS m ON m.id_agente_modulo = 163 + seq % 30; \
             INSERT INTO tevento (utimestamp, event_type) SELECT {}, 'system' FROM seq_1_to_{}; \
             INSERT INTO tsesion (utimestamp) SELECT {} FROM seq_1_to_{}; \
             INSERT INTO ttrap (`timestamp`) SELECT FROM_UNIXTIME({}) FROM seq_1_to_{}; \
             INSERT INTO tsessions_php (id_session, last_active, data) \
               SELECT CONCAT({now}, '-', seq), {now} - 86400, 'x' FROM seq_1_to_50; \
             INSERT INTO tgis_data_history (longitude, latitude, start_timestamp, end_timestamp, \
                                            tagente_id_agente) \
               SELECT 1, 1, FROM_UNIXTIME({}), FROM_UNIXTIME({}), 1 FROM seq_1_to_50; \
             UPDATE tagente_modulo SET delete_pending = 1 \
               WHERE id_agente_modulo > 3000 AND delete_pending = 0 \
               ORDER BY id_agente_modulo LIMIT 3;",
            age(NUMERIC_DAYS),
            hours(of.numeric, of.days.numeric),
            age(7),
            hours(of.strings, of.days.strings),
            age(7),
            hours(of.events, of.days.events),
            age(7),
            hours(of.audit, of.days.audit),
            age(7),
            hours(of.traps, of.days.traps),
            age(300),
            age(299),
        ));
    }

    /// Waits until InnoDB has removed what the run before deleted, as it has an hour later.
    pub(crate) fn wait_until_cleared_up(&self) -> Result<()> {
        let give_up = Instant::now() + Duration::from_secs(300);
        let left = || {
            self.db().number(
                "SELECT CAST(variable_value AS UNSIGNED) FROM information_schema.global_status \
                 WHERE variable_name = 'Innodb_history_list_length';",
            )
        };
        while left() > 100 {
            ensure!(Instant::now() < give_up, "InnoDB does not clear up");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Rows of the large tables.
    pub(crate) fn rows(&self) -> u64 {
        let count = |table: &&str| self.db().number(&format!("SELECT COUNT(*) FROM {table};"));
        COUNTED.iter().map(count).sum()
    }

    pub(crate) fn forget_statements(&self) {
        self.db().sql("TRUNCATE mysql.slow_log;");
    }

    /// The longest statement that the server recorded since then; those below 20 ms count as 20.
    pub(crate) fn longest_statement_ms(&self) -> f64 {
        let text = self.db().sql(
            "SELECT COALESCE(MAX(TIME_TO_SEC(query_time)), 0.02) * 1000 FROM mysql.slow_log \
             WHERE sql_text NOT LIKE 'SELECT COUNT(*) FROM t%' AND sql_text NOT LIKE 'TRUNCATE%';",
        );
        text.trim().parse().unwrap_or(f64::NAN)
    }

    /// Shows the longest statements that the server recorded.
    pub(crate) fn show_longest(&self, number: u32) {
        if number > 0 {
            eprintln!(
                "{}",
                self.db().sql(&format!(
                    "SELECT TIME_TO_SEC(query_time) * 1000 AS ms, rows_examined, rows_affected, \
                       LEFT(REPLACE(sql_text, '\\n', ' '), 150) \
                     FROM mysql.slow_log ORDER BY query_time DESC LIMIT {number};"
                ))
            );
        }
    }

    /// From now on the server records each statement of new connections, not only the long ones.
    pub(crate) fn record_all_statements(&self) {
        self.db().sql("SET GLOBAL long_query_time = 0;");
    }

    /// Shows which kinds of statements took longest, all of a kind together. Those of the
    /// foreground are among them.
    pub(crate) fn show_kinds(&self, number: u32) {
        if number > 0 {
            eprintln!(
                "{}",
                self.db().sql(&format!(
                    "SELECT ROUND(SUM(TIME_TO_SEC(query_time)) * 1000, 1) AS ms, COUNT(*) AS n, \
                       SUM(rows_examined) AS examined, \
                       REGEXP_REPLACE(LEFT(REPLACE(sql_text, '\\n', ' '), 230), '[0-9]+', '0') AS kind \
                     FROM mysql.slow_log GROUP BY kind ORDER BY ms DESC LIMIT {number}; \
                     SELECT ROUND(SUM(TIME_TO_SEC(query_time)) * 1000, 1), COUNT(*) \
                     FROM mysql.slow_log WHERE sql_text NOT LIKE 'INSERT INTO tagente_datos VALUES%';"
                ))
            );
        }
    }

    /// Deletes the numeric rows that the first run deletes for their age.
    pub(crate) fn plain_loop(&self) -> Result<Command> {
        let cutoff = Timestamp::now().as_second() - NUMERIC_DAYS * 86_400;
        elpis_benches::plain_loop(&self.site.socket(), self.db().name(), cutoff)
    }

    pub(crate) fn command(&self, more: &[&str]) -> Result<Command> {
        self.site.elpis_maint(more)
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        self.site.options()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.site.pid()
    }
}
