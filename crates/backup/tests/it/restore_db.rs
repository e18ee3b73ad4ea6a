//! Restoring databases on a real MariaDB. What a database holds is what `mariadb-dump` and
//! `CHECKSUM TABLE` say of it, before and after.

mod accounts;
mod flushed;
mod history;
mod indexes;
mod infile;
mod kills;
mod narrow;
mod newest;
mod packets;
mod qualified;
mod readers;
mod refusals;
mod standing;
mod stock;
mod unknown;
mod views;
mod whole;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use elpis_backup::archive::Container;
use elpis_backup::restore::{
    Restore, RestoreError, RestorePlan, RestorePolicy, RestoreReport, Services, SqlText, Surveyed,
};
use elpis_backup::{DumpPolicy, MySqlSource};
use elpis_mysql::{ConnectOptions, PrivateServer};
use elpis_run::{Clock, Holder, Journal, RealClock, SqliteJournal, StopToken};

use crate::support::{World, archives, sh, verify};

/// One server for all tests that do not change it as a whole. Its events run.
pub(crate) fn server() -> &'static PrivateServer {
    static SERVER: OnceLock<PrivateServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        PrivateServer::builder()
            .arg("--log-bin=bin")
            .arg("--event-scheduler=ON")
            .arg("--innodb-flush-log-at-trx-commit=0")
            .arg("--sync-binlog=0")
            // InnoDB forgets of a table that it has put aside which numbers were left out.
            .arg("--table-definition-cache=8000")
            .start()
            .unwrap()
    })
}

/// Runs SQL with the stock client and returns what it prints.
#[track_caller]
pub(crate) fn mariadb(socket: &Path, database: &str, sql: &str) -> String {
    let socket = socket.to_str().unwrap();
    let charset = "--default-character-set=utf8mb4";
    let args = [
        "--no-defaults",
        "-uroot",
        "-S",
        socket,
        "-N",
        charset,
        database,
        "-e",
        sql,
    ];
    sh("mariadb", &args, Path::new("/"))
}

/// A database with everything that a restore must carry over.
pub(crate) const FIXTURE: &str = r#"
    CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(40)) COMMENT 'ключ 😀';
    CREATE TABLE child (id INT PRIMARY KEY AUTO_INCREMENT, p INT, KEY p (p),
        CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE) AUTO_INCREMENT = 77;
    CREATE TABLE a_before (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES child (id));
    INSERT INTO parent VALUES (0, 'zero'), (1, 'it''s \\ \'q\' \n ümläut 漢 😀'), (2, NULL);
    INSERT INTO child VALUES (1, 0), (2, 1), (3, NULL);
    INSERT INTO a_before VALUES (5, 3);
    CREATE TABLE samples (m INT, v DOUBLE, f FLOAT, at BIGINT, KEY by_time (at), KEY by_module (m, at));
    INSERT INTO samples SELECT seq % 97, seq * 0.37, seq / 4, 1700000000 + seq FROM seq_1_to_8000;
    CREATE TABLE counted (k INT, n INT NOT NULL AUTO_INCREMENT, t TEXT, KEY a (k), KEY n (n), KEY z (k, n));
    INSERT INTO counted (k, t) SELECT seq % 7, REPEAT(CHAR(65 + seq % 26), 200) FROM seq_1_to_2000;
    CREATE TABLE raw (id INT PRIMARY KEY, b BLOB, v VARBINARY(300), bits BIT(9), l1 VARCHAR(20) CHARACTER SET latin1);
    INSERT INTO raw VALUES (1, x'00ff27220a5c1a', REPEAT(x'00275c', 99), 257, 'äöü€'), (2, '', '', 0, ''), (3, NULL, NULL, NULL, NULL);
    CREATE TABLE made (a INT, v INT AS (a * 2) VIRTUAL, s VARCHAR(20) AS (CONCAT('é', a)) STORED, h INT INVISIBLE DEFAULT 7, KEY (s));
    INSERT INTO made (a, h) VALUES (1, 1), (2, DEFAULT), (NULL, NULL);
    CREATE TABLE parts (id INT, at INT, x INT, PRIMARY KEY (id, at), KEY x (x)) PARTITION BY RANGE (at)
        (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
    INSERT INTO parts SELECT seq, seq % 20, seq FROM seq_1_to_500;
    CREATE TABLE isam (id INT PRIMARY KEY, t TEXT, FULLTEXT (t)) ENGINE=MyISAM;
    INSERT INTO isam VALUES (1, 'full text');
    CREATE TABLE zero_dates (d DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', t TIMESTAMP NULL);
    INSERT INTO zero_dates VALUES ('0000-00-00', '2026-03-29 02:30:00');
    CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(99));
    CREATE TABLE `we``ird; -- näme` (`a b` INT, `c``d` TEXT);
    CREATE SEQUENCE seq1 START WITH 100 INCREMENT BY 5 CACHE 10;
    DO NEXTVAL(seq1), NEXTVAL(seq1);
    CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;
    CREATE VIEW z_base AS SELECT id, p FROM child;
    CREATE VIEW a_on_view AS SELECT COUNT(*) AS n, twice(MAX(z.p)) AS `m x` FROM z_base z;
    CREATE TRIGGER first_one BEFORE INSERT ON parent FOR EACH ROW INSERT INTO log (what) VALUES ('1');
    CREATE TRIGGER a_second BEFORE INSERT ON parent FOR EACH ROW FOLLOWS first_one INSERT INTO log (what) VALUES ('ü;2');
    CREATE EVENT quiet ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'é' DO DELETE FROM log;
    CREATE EVENT loud ON SCHEDULE EVERY 1 SECOND STARTS '2026-01-01 03:00:00' ENABLE DO INSERT INTO ticks VALUES (1);
    CREATE TABLE ticks (n INT);
    DELIMITER //
    CREATE PROCEDURE p1(IN x VARCHAR(9), OUT y INT) COMMENT 'a;;b DELIMITER'
    BEGIN DECLARE z TEXT DEFAULT 'a;;b\n\'ö😀'; /* ; */ SELECT LENGTH(z) INTO y; END//
    CREATE PROCEDURE p3() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND, SQLSTATE '23000' BEGIN ROLLBACK; END;
        one: BEGIN IF (SELECT COUNT(*) FROM log) > 3 THEN LEAVE one; END IF; END; SELECT 1 AS end; END//
    DELIMITER ;
    SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES';
    CREATE PROCEDURE p2() SELECT 'a\' AS "b", 'c''d';
"#;

/// What makes it another one.
pub(crate) const CHANGES: &str = r"
    DELETE FROM samples WHERE m = 3;
    INSERT INTO parent VALUES (9, 'new');
    DROP TRIGGER a_second;
    DROP VIEW a_on_view;
    DROP EVENT quiet;
    DROP PROCEDURE p1;
    CREATE PROCEDURE later() SELECT 1;
    CREATE VIEW later_view AS SELECT 1 AS one;
    CREATE TRIGGER later_trigger AFTER DELETE ON child FOR EACH ROW DELETE FROM log;
    CREATE TABLE later_table (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES child (id));
    INSERT INTO later_table VALUES (1, 2);
    ALTER TABLE raw ADD extra INT;
    DROP TABLE zero_dates;
    CREATE VIEW zero_dates AS SELECT 1 AS d;
";

/// Fills a new database.
pub(crate) fn create(socket: &Path, name: &str) {
    mariadb(
        socket,
        "",
        &format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4"),
    );
    mariadb(socket, name, FIXTURE);
    quieten(socket, name);
}

/// Stops the event that proves by its rows whether it has fired.
pub(crate) fn quieten(socket: &Path, name: &str) {
    mariadb(
        socket,
        name,
        "ALTER EVENT loud DISABLE; DELETE FROM ticks; ALTER EVENT loud ON SCHEDULE EVERY 1 SECOND STARTS '2036-01-01 03:00:00'; ALTER EVENT loud ENABLE",
    );
}

/// What the server and its own tool say of a database, without its name.
#[track_caller]
pub(crate) fn portrait(socket: &Path, name: &str) -> String {
    let args = [
        "--no-defaults",
        "-uroot",
        "-S",
        socket.to_str().unwrap(),
        "--skip-comments",
        "--routines",
        "--events",
        "--triggers",
        "--hex-blob",
        "--order-by-primary",
        "--default-character-set=utf8mb4",
        name,
    ];
    let dump = sh("mariadb-dump", &args, Path::new("/"));
    let tables = mariadb(
        socket,
        name,
        "SELECT GROUP_CONCAT(CONCAT('`', REPLACE(table_name, '`', '``'), '`') ORDER BY 1) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
    );
    let tables = tables.trim().replace("\\\\", "\\");
    let sums = match tables.as_str() {
        "NULL" => String::new(),
        tables => mariadb(socket, name, &format!("CHECKSUM TABLE {tables} EXTENDED")),
    };
    let defaults = mariadb(
        socket,
        name,
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = DATABASE()",
    );
    // Rows of a table without a key come in any order; everything else has one.
    let (mut rows, rest): (Vec<&str>, Vec<&str>) =
        dump.lines().partition(|line| line.starts_with('('));
    rows.sort_unstable_by_key(|row| row.trim_end_matches([',', ';']));
    let rows: Vec<&str> = rows
        .into_iter()
        .map(|row| row.trim_end_matches([',', ';']))
        .collect();
    let all = [rest.join("\n"), rows.join("\n"), sums, defaults].join("\n");
    all.replace(name, "NAME")
}

/// Two portraits are the same; if not, only what differs is shown.
#[track_caller]
pub(crate) fn same(found: &str, expected: &str) {
    let difference = difference(found, expected);
    assert!(difference.is_empty(), "{difference}");
}

pub(crate) fn difference(found: &str, expected: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<String>>();
    let (found, expected) = (lines(found), lines(expected));
    if found == expected {
        return String::new();
    }
    let only = |a: &[String], b: &[String]| {
        let b: std::collections::HashSet<&String> = b.iter().collect();
        let only = a.iter().filter(|line| !b.contains(line));
        only.take(10)
            .map(|line| line.chars().take(300).collect())
            .collect::<Vec<String>>()
    };
    let at = found.iter().zip(&expected).position(|(a, b)| a != b);
    format!(
        "at {at:?}: found {:#?}, expected {:#?}",
        only(&found, &expected),
        only(&expected, &found)
    )
}

pub(crate) fn databases(socket: &Path, like: &str) -> Vec<String> {
    let all = mariadb(socket, "", &format!("SHOW DATABASES LIKE '{like}%'"));
    all.lines().map(str::to_owned).collect()
}

/// An archive of some databases.
pub(crate) fn backup(
    options: &ConnectOptions,
    names: &[&str],
    container: Container,
) -> (World, PathBuf) {
    let mut world = World::new(container);
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let source = MySqlSource::new(options.clone(), DumpPolicy::new(names));
    world.sources.push(Box::new(source));
    let report = world.backup().unwrap();
    assert!(report.complete && report.verified, "{report:?}");
    let name = archives(&world.store_dir()).pop().unwrap();
    let path = world.store_dir().join(name);
    (world, path)
}

/// Fills a new database and backs it up.
pub(crate) fn create_and_backup(server: &PrivateServer, name: &str) -> (World, PathBuf) {
    create(server.socket(), name);
    backup(&server.options(), &[name], Container::TarZst)
}

pub(crate) fn of_archive(path: &Path) -> SqlText<Surveyed> {
    let text = SqlText::of_archive(verify(path).unwrap(), None).unwrap();
    text.survey(&StopToken::new(), &()).unwrap()
}

/// What a restore needs around it.
pub(crate) struct Bench {
    pub(crate) options: ConnectOptions,
    pub(crate) journal: SqliteJournal,
    pub(crate) clock: RealClock,
    pub(crate) stop: StopToken,
    _dir: Option<tempfile::TempDir>,
}

impl Bench {
    pub(crate) fn new(options: ConnectOptions) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let bench = Bench::at(options, dir.path());
        Bench {
            _dir: Some(dir),
            ..bench
        }
    }

    /// With a journal that outlives this process.
    pub(crate) fn at(options: ConnectOptions, dir: &Path) -> Bench {
        Bench {
            options,
            journal: SqliteJournal::open(&dir.join("journal"), None).unwrap(),
            clock: RealClock::new(),
            stop: StopToken::new(),
            _dir: None,
        }
    }

    pub(crate) fn restore<'a>(&'a self, services: Option<&'a dyn Services>) -> Restore<'a> {
        Restore {
            connect: self.options.clone(),
            journal: &self.journal as &dyn Journal,
            observer: Arc::new(()),
            clock: &self.clock,
            stop: &self.stop,
            holder: Holder::current("test", self.clock.now()),
            services,
        }
    }

    #[track_caller]
    pub(crate) fn plan(&self, policy: &RestorePolicy, text: &SqlText<Surveyed>) -> RestorePlan {
        let facts = self.restore(None).inspect(policy, text).unwrap();
        RestorePlan::new(policy, &facts, text.survey(), self.clock.now())
    }

    pub(crate) fn run(
        &self,
        policy: &RestorePolicy,
        text: &SqlText<Surveyed>,
    ) -> Result<RestoreReport, RestoreError> {
        let plan = self.plan(policy, text);
        self.restore(None).run(&plan, text)
    }
}

/// Small chunks and indexes after the rows, so that little data takes all the ways.
pub(crate) fn policy(database: &str) -> RestorePolicy {
    RestorePolicy {
        chunk_bytes: 64 << 10,
        defer_from: 10 << 10,
        ..RestorePolicy::new(database)
    }
}

/// Everything that led to an error, on one line.
pub(crate) fn causes(error: &RestoreError) -> String {
    elpis_run::with_causes(error)
}

/// Feeds a file to the stock client.
pub(crate) fn load(socket: &Path, database: &str, file: &Path) {
    let status = Command::new("mariadb")
        .args(["--no-defaults", "-uroot", "-S"])
        .arg(socket)
        .arg(database)
        .stdin(Stdio::from(std::fs::File::open(file).unwrap()))
        .status()
        .unwrap();
    assert!(status.success());
}
