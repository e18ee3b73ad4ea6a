//! How large an installation is, and how it is configured.

use std::sync::OnceLock;

use elpis_mysql::PrivateServer;
use jiff::Timestamp;

use super::{Edition, fill, schema};
use crate::database::Database;
use crate::harness::now;
use crate::server::MariaDb;

/// Arguments of a server that makes and drops tables quickly.
pub const QUICK: [&str; 2] = ["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"];

/// The parameters of a generated installation. The same parameters give the same rows.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Which tables there are.
    pub edition: Edition,
    /// The moment that all ages count from.
    pub now: Timestamp,
    /// The zone of the DATETIME columns, as an offset that the server understands.
    pub zone: String,
    /// Agents; at least 40.
    pub agents: u64,
    /// Modules; at least 400.
    pub modules: u64,
    /// Modules that get seven of ten numeric rows.
    pub dense: u64,
    /// Rows of numeric series.
    pub numeric: u64,
    /// Rows of text series.
    pub strings: u64,
    /// Events.
    pub events: u64,
    /// Comments of one event.
    pub crowd: u64,
    /// Rows of the audit log.
    pub audit: u64,
    /// SNMP traps.
    pub traps: u64,
    /// Positions.
    pub gis: u64,
    /// Values waiting for export.
    pub export: u64,
    /// Sessions of the console.
    pub php_sessions: u64,
    /// How many days the rows are spread over.
    pub days: Days,
    /// Rows of `tconfig`, in this order; a token may come twice.
    pub tokens: Vec<(String, String)>,
}

/// Over how many days back from now the rows of a table are spread.
#[derive(Debug, Clone, Copy)]
pub struct Days {
    /// Rows of numeric series.
    pub numeric: u64,
    /// Rows of text series.
    pub strings: u64,
    /// Events.
    pub events: u64,
    /// Rows of the audit log.
    pub audit: u64,
    /// SNMP traps.
    pub traps: u64,
    /// Positions.
    pub gis: u64,
}

impl Installation {
    /// Every special case, and few rows else: made in about a second.
    pub fn small() -> Installation {
        Installation {
            edition: Edition::Enterprise,
            now: now(),
            zone: "+00:00".to_owned(),
            agents: 60,
            modules: 600,
            dense: 20,
            numeric: 20_000,
            strings: 4000,
            events: 6000,
            crowd: 700,
            audit: 3000,
            traps: 2000,
            gis: 2000,
            export: 1000,
            php_sessions: 600,
            days: Days {
                numeric: 60,
                strings: 14,
                events: 14,
                audit: 14,
                traps: 14,
                gis: 30,
            },
            tokens: tokens(),
        }
    }

    /// The installation that is measured: 5 million numeric rows, 300 thousand texts and events,
    /// 100 thousand audit rows and traps, 10 thousand modules, half of everything due at `now`.
    pub fn large(now: Timestamp) -> Installation {
        Installation {
            now,
            agents: 500,
            modules: 10_050,
            dense: 200,
            numeric: 5_000_000,
            strings: 300_000,
            events: 300_000,
            audit: 100_000,
            traps: 100_000,
            gis: 50_000,
            export: 20_000,
            php_sessions: 5000,
            ..Installation::small()
        }
    }

    /// Sets a token of `tconfig`, in place of all values it had.
    #[must_use]
    pub fn token(mut self, token: &str, value: &str) -> Installation {
        self.tokens.retain(|(name, _)| name != token);
        self.tokens.push((token.to_owned(), value.to_owned()));
        self
    }

    /// A database of this installation on a server that all tests of a binary share: one that
    /// forgets on a crash, which no test of this kind has, and is quick at making tables.
    pub fn install(&self) -> MariaDb {
        self.install_on(Installation::server())
    }

    /// That server.
    pub fn server() -> &'static PrivateServer {
        static SERVER: OnceLock<PrivateServer> = OnceLock::new();
        SERVER.get_or_init(|| MariaDb::own_server(&QUICK))
    }

    /// A database of this installation on `server`.
    pub fn install_on(&self, server: &PrivateServer) -> MariaDb {
        let db = MariaDb::on(server);
        self.create(&db);
        db
    }

    /// Makes the tables and rows in an empty database, and brings the statistics up to date.
    pub fn create(&self, db: &MariaDb) {
        assert!(
            self.agents >= 40 && self.modules >= 400,
            "too small for the special cases"
        );
        db.sql(&schema::ddl(self.edition));
        db.sql(&fill::script(self));
        let tables = db
            .sql("SHOW TABLES;")
            .lines()
            .collect::<Vec<_>>()
            .join(", ");
        db.sql(&format!("ANALYZE TABLE {tables};"));
    }
}

/// What an operator who uses everything has configured.
fn tokens() -> Vec<(String, String)> {
    let tokens = [
        ("days_purge", "30"),
        ("string_purge", "7"),
        ("event_purge", "7"),
        ("audit_purge", "7"),
        ("trap_purge", "7"),
        ("gis_purge", "15"),
        ("inventory_purge", "30"),
        ("delete_disabled_agents", "30"),
        ("days_autodisable_deletion", "15"),
        ("delete_notinit", "1"),
        ("days_delete_unknown", "30"),
        ("days_delete_not_initialized", "15"),
        ("delete_old_messages", "60"),
        ("num_past_special_days", "20"),
        ("session_timeout", "90"),
        ("big_operation_step_datos_purge", "100"),
        ("small_operation_step_datos_purge", "1000"),
        ("days_compact", "0"),
        ("step_compact", "1"),
        ("last_compact_offset", "0"),
        ("history_db_enabled", "0"),
        ("db_maintance", "1"),
    ];
    tokens
        .map(|(token, value)| (token.to_owned(), value.to_owned()))
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pandora::oracle::{Mentioned, Oracle, RULES, columns_that_mention};

    #[test]
    fn an_installation_is_the_same_each_time_and_no_table_is_empty() {
        let installation = Installation::small();
        let (one, two) = (installation.install(), installation.install());
        for table in one.sql("SHOW TABLES;").lines() {
            let sum = |db: &MariaDb| db.checksum(table).split('\t').nth(1).map(str::to_owned);
            assert_eq!(sum(&one), sum(&two), "{table}");
            let rows = one.number(&format!("SELECT COUNT(*) FROM {table};"));
            assert_ne!(rows, 0, "{table}");
        }
    }

    /// Every rule of the oracle finds something to do, and something to leave.
    #[test]
    fn every_rule_has_work() {
        let installation = Installation::small();
        let db = installation.install();
        let oracle = Oracle::new(&installation, &db);
        assert_eq!(oracle.differences(), Vec::<String>::new());
        let changed = oracle.apply(&[]);
        // Nothing makes a state an orphan between the two tasks that look for them.
        let busy = RULES.iter().filter(|rule| rule.task != "orphan_status");
        for rule in busy {
            let rows = changed.iter().filter(|((task, _), _)| task == rule.task);
            assert!(rows.map(|(_, rows)| rows).sum::<u64>() > 0, "{}", rule.task);
        }
        let columns = columns_that_mention(&db, Mentioned::Module);
        assert!(columns.len() > 20, "{columns:?}");
        for table in db
            .sql("SHOW TABLES;")
            .lines()
            .filter(|table| *table != "tgroup_stat")
        {
            assert_ne!(oracle.rows(table), 0, "{table}");
        }
    }
}
