//! An installation with its history database, and what plain SQL says should be left there.

use elpis_mysql::PrivateServer;
use elpis_testkit::pandora::tables;
use elpis_testkit::{Database, MariaDb};

use crate::pandora::Site;
use crate::pandora::history::with_history;

/// Types of levels and rates.
pub(super) const NUMBERS: &str = "1, 4, 7, 8, 11, 15, 16, 30, 32, 34, 37";
const DAYS: u64 = 20;
/// A bucket, in seconds.
const LENGTH: u64 = 6 * 3600;
/// Modules that the main database does not know.
const GONE: &str = "900001), (900002), (900003";

/// An installation and its history database with values of every type of module.
pub(super) struct Halves {
    pub(super) site: Site,
    pub(super) history: MariaDb,
}

impl Halves {
    pub(super) fn new(server: &PrivateServer) -> Halves {
        let history = MariaDb::on(server);
        history.sql(&tables(&["tconfig", "tagente_datos"]));
        history.sql(&format!(
            "INSERT INTO tconfig (token, value) VALUES ('days_compact', '{DAYS}'), \
               ('step_compact', '{}'), ('history_db_enabled', '0');",
            LENGTH / 3600
        ));
        let site = with_history(&history);
        // One module of each type, and of three types one more: two that reports on service levels
        // name, and one without history.
        let last = |of: u8| {
            format!("SELECT MAX(id_agente_modulo) FROM tagente_modulo WHERE id_tipo_modulo = {of}")
        };
        site.db.sql(&format!(
            "UPDATE tagente_modulo SET history_data = 1; \
             SET @level = ({}), @rate = ({}), @flag = ({}); \
             UPDATE tagente_modulo SET history_data = 0 WHERE id_agente_modulo = @flag; \
             SET @content = (SELECT MIN(id_report_content) FROM treport_content_sla_combined); \
             DELETE FROM treport_content_sla_combined; \
             INSERT INTO treport_content_sla_combined \
                 (id_report_content, id_agent_module, id_agent_module_failover) \
               VALUES (@content, @level, 0), (@content, 0, @rate);",
            last(1),
            last(4),
            last(7)
        ));
        let number = |sql: String| site.number(&format!("{sql};")).to_string();
        let other = [last(1), last(4), last(7)].map(number).join("), (");
        let each = "SELECT MIN(id_agente_modulo) FROM tagente_modulo GROUP BY id_tipo_modulo;";
        let each: Vec<String> = site.db.sql(each).lines().map(str::to_owned).collect();
        assert!(each.len() > 20, "{each:?}");
        let numbers = format!(
            "SELECT MIN(id_agente_modulo) FROM tagente_modulo GROUP BY id_tipo_modulo \
             HAVING id_tipo_modulo IN ({NUMBERS});"
        );
        let numbers: Vec<String> = site.db.sql(&numbers).lines().map(str::to_owned).collect();
        assert_eq!(numbers.len(), 11);
        let each = each.join("), (");
        history.sql(&format!(
            "CREATE TABLE oracle_modules (id INT PRIMARY KEY); \
             INSERT INTO oracle_modules VALUES ({each}), ({other}), ({GONE}); \
             CREATE TABLE oracle_numbers (id INT PRIMARY KEY); \
             INSERT INTO oracle_numbers VALUES ({});",
            numbers.join("), (")
        ));
        let halves = Halves { site, history };
        halves.fill();
        halves
    }

    /// A value every ten minutes of three old days and of two around the limit; some twice, a NULL
    /// in a bucket of each module.
    pub(super) fn fill(&self) {
        let values = |days: u64, rows: u64| {
            format!(
                "INSERT INTO tagente_datos (id_agente_modulo, datos, utimestamp) \
                 SELECT id, ROUND(40 * SIN(id + seq / 9) + seq * 7919 % 13, 2), \
                   UNIX_TIMESTAMP() DIV 600 * 600 - {days} * 86400 + seq * 600 + id % 600 \
                 FROM oracle_modules JOIN seq_1_to_{rows};"
            )
        };
        self.history.sql(&format!(
            "TRUNCATE TABLE tagente_datos; DROP TABLE IF EXISTS elpis_compaction; {}{} \
             INSERT INTO tagente_datos SELECT * FROM tagente_datos WHERE utimestamp DIV 600 % 50 = 0; \
             INSERT INTO tagente_datos SELECT id, NULL, UNIX_TIMESTAMP() - 32 * 86400 FROM oracle_modules; \
             ANALYZE TABLE tagente_datos;",
            values(33, 432),
            values(DAYS + 1, 288)
        ));
    }

    /// Where the age begins from which whole buckets are compacted.
    pub(super) fn cutoff(&self) -> u64 {
        self.history.number(&format!(
            "SELECT (UNIX_TIMESTAMP() - {DAYS} * 86400) DIV {LENGTH} * {LENGTH};"
        ))
    }

    /// What should be left of the rows that are there now: of buckets with more than `above` rows
    /// the first, the last, the earliest lowest and the earliest highest.
    pub(super) fn expect(&self, above: u32) {
        let cutoff = self.cutoff();
        let bucket = format!("utimestamp DIV {LENGTH}");
        let extreme = |name: &str| {
            format!(
                "SELECT s.id, s.bucket, MIN(d.utimestamp) AS at FROM oracle_stats AS s \
                 JOIN tagente_datos AS d ON d.id_agente_modulo = s.id AND d.{bucket} = s.bucket \
                   AND d.datos = s.{name} GROUP BY s.id, s.bucket"
            )
        };
        self.history.sql(&format!(
            "DROP TABLE IF EXISTS oracle_stats, oracle_left; \
             CREATE TABLE oracle_stats AS \
               SELECT id_agente_modulo AS id, {bucket} AS bucket, MIN(utimestamp) AS first, \
                 MAX(utimestamp) AS last, MIN(datos) AS low, MAX(datos) AS high \
               FROM tagente_datos JOIN oracle_numbers AS n ON n.id = id_agente_modulo \
               GROUP BY 1, 2 HAVING SUM(datos IS NULL) = 0 AND COUNT(*) > {above} \
                 AND (bucket + 1) * {LENGTH} <= {cutoff}; \
             CREATE TABLE oracle_left AS SELECT d.* FROM tagente_datos AS d \
               LEFT JOIN oracle_stats AS s ON s.id = d.id_agente_modulo AND s.bucket = d.{bucket} \
               LEFT JOIN ({}) AS low ON low.id = s.id AND low.bucket = s.bucket \
               LEFT JOIN ({}) AS high ON high.id = s.id AND high.bucket = s.bucket \
               WHERE s.id IS NULL OR d.utimestamp IN (s.first, s.last, low.at, high.at);",
            extreme("low"),
            extreme("high")
        ));
    }

    pub(super) fn sum(&self, table: &str) -> String {
        self.history.sql(&format!(
            "SELECT COUNT(*), SUM(CRC32(CONCAT_WS(',', id_agente_modulo, IFNULL(datos, 'none'), \
               utimestamp))) FROM {table};"
        ))
    }

    /// Makes a table of what another one holds, bucket by bucket.
    pub(super) fn by_bucket(&self, name: &str, of: &str) {
        self.history.sql(&format!(
            "DROP TABLE IF EXISTS {name}; CREATE TABLE {name} AS \
             SELECT id_agente_modulo AS id, utimestamp DIV {LENGTH} AS bucket, COUNT(*) AS n, \
               SUM(CRC32(CONCAT_WS(',', IFNULL(datos, 'none'), utimestamp))) AS content \
             FROM {of} GROUP BY 1, 2;"
        ));
    }

    pub(super) fn rows(&self) -> u64 {
        self.history.number("SELECT COUNT(*) FROM tagente_datos;")
    }

    /// Prepares by `fill` until a run of `work` did not see the end of a bucket grow old.
    pub(super) fn while_nothing_ages<T>(&self, mut work: impl FnMut() -> T) -> T {
        loop {
            let cutoff = self.cutoff();
            let done = work();
            if self.cutoff() == cutoff {
                return done;
            }
        }
    }

    pub(super) fn own_tables(&self) -> u64 {
        let sql = "SELECT COUNT(*) FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_name LIKE 'elpis%';";
        self.history.number(sql)
    }
}
