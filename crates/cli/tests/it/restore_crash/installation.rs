//! An installation with a backup that has changed since, and what other people's programs say of it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use elpis_mysql::PrivateServer;
use elpis_run::{Journal, Query, SqliteJournal};

use crate::backup::{Site, archives};
use crate::backup_server::{leftovers, old, site, sql};
use crate::harness::Said;

/// What the archive holds besides the rows that every such site has.
const ARCHIVED: &str = r"
    DELETE FROM tagente_datos WHERE utimestamp > 15000;
    CREATE TABLE tagente (id_agente INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, nombre VARCHAR(60) COMMENT 'имя 😀') AUTO_INCREMENT = 40;
    CREATE TABLE tmodulo (id INT PRIMARY KEY, id_agente INT UNSIGNED, dato BLOB, KEY por_agente (id_agente),
        CONSTRAINT de_agente FOREIGN KEY (id_agente) REFERENCES tagente (id_agente) ON DELETE CASCADE);
    INSERT INTO tagente VALUES (1, 'uno'), (2, 'it''s; \\ \n ü 漢');
    INSERT INTO tmodulo VALUES (1, 1, x'00ff27220a5c1a'), (2, 2, NULL), (3, NULL, '');
    CREATE TABLE tpuerta (id INT PRIMARY KEY, t TEXT) ENGINE=MyISAM;
    INSERT INTO tpuerta VALUES (1, 'not transactional');
    CREATE TABLE tlog (n INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(40));
    CREATE FUNCTION doble(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;
    CREATE PROCEDURE limpiar() COMMENT 'a;b' DELETE FROM tlog WHERE what = ';';
    DELIMITER //
    CREATE PROCEDURE con_red() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; DELETE FROM tlog; END//
    DELIMITER ;
    CREATE VIEW v_base AS SELECT id, id_agente FROM tmodulo;
    CREATE VIEW a_vista AS SELECT COUNT(*) AS n, doble(MAX(id)) AS m FROM v_base;
    CREATE TRIGGER pandora.primero BEFORE INSERT ON pandora.tagente FOR EACH ROW INSERT INTO tlog (what) VALUES ('1');
    CREATE TRIGGER despues BEFORE INSERT ON tagente FOR EACH ROW FOLLOWS primero INSERT INTO tlog (what) VALUES (';2');
    CREATE EVENT cada_dia ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 03:00:00' ENABLE DO DELETE FROM tlog;
    ALTER TABLE tagente_datos ADD KEY por_tiempo (utimestamp), ADD KEY por_modulo (id_agente_modulo, utimestamp)";

/// What happens to it afterwards: the old state of every restore.
const LIVE: &str = r"
    DELETE FROM tagente_datos WHERE utimestamp > 7000;
    INSERT INTO tagente VALUES (9, 'nuevo');
    DROP TRIGGER despues;
    DROP VIEW a_vista;
    DROP EVENT cada_dia;
    DROP PROCEDURE limpiar;
    CREATE PROCEDURE tardio() SELECT 1;
    CREATE TRIGGER `pandora`.tardio AFTER DELETE ON tmodulo FOR EACH ROW DELETE FROM tlog;
    CREATE EVENT tarde ON SCHEDULE EVERY 2 DAY STARTS '2036-01-01 03:00:00' DISABLE DO DELETE FROM tlog;
    CREATE TABLE tarde (id INT PRIMARY KEY, m INT, FOREIGN KEY (m) REFERENCES tmodulo (id));
    INSERT INTO tarde VALUES (1, 2);
    DROP TABLE tpuerta;
    CREATE VIEW tpuerta AS SELECT 1 AS id";

/// What the server's own tools say of the database, and the system's of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portrait {
    pub(super) database: String,
    /// The checksum of every table.
    pub(super) sums: String,
    pub(super) files: String,
}

/// An installation with a backup, which has changed since.
pub(super) struct Installation {
    pub(super) site: Site,
    pub(super) server: PrivateServer,
    pub(super) archive: PathBuf,
    /// What the archive holds.
    pub(super) new: Portrait,
    /// What is there.
    pub(super) old: Portrait,
}

pub(super) const REACH: [&str; 4] = ["-c", "pandora_console", "--option-file", "backup.cnf"];

impl Installation {
    pub(super) fn new() -> Installation {
        Installation::on(site())
    }

    pub(super) fn on((site, server): (Site, PrivateServer)) -> Installation {
        // As the product's manual has it: a server that is killed loses what it has committed last.
        sql(
            &server,
            "SET GLOBAL innodb_flush_log_at_trx_commit = 0, sync_binlog = 0",
        );
        sql(
            &server,
            &format!("SET NAMES utf8mb4; USE pandora; {ARCHIVED}"),
        );
        site.write(
            "pandora_console/include/functions.php",
            "<?php\n// functions\n",
        );
        let links = "ln -s index.php link && mkdir empty && ln index.php twin \
                     && for i in $(seq 60); do echo $i > include/$i.inc; done && chmod 2750 include";
        site.shell(&format!("cd pandora_console && {links}"));
        let said = site.run(&old("pandora_console", &REACH[2..]));
        assert_eq!(said.code, 0, "{said:?}");
        let archive = archives(&site.path("dest")).remove(0);
        let nothing = Portrait {
            database: String::new(),
            sums: String::new(),
            files: String::new(),
        };
        let (old, new) = (nothing.clone(), nothing);
        let mut installation = Installation {
            site,
            server,
            archive,
            new,
            old,
        };
        installation.new = installation.portrait();
        sql(
            &installation.server,
            &format!("SET NAMES utf8mb4; USE pandora; {LIVE}"),
        );
        let changes = "echo '<?php changed' > index.php && rm link .htaccess include/7.inc \
                       && chmod 600 include/8.inc && echo x > include/9.inc && rmdir empty";
        installation
            .site
            .shell(&format!("cd pandora_console && {changes}"));
        installation.old = installation.portrait();
        assert_ne!(installation.old.database, installation.new.database);
        assert_ne!(installation.old.files, installation.new.files);
        installation
    }

    pub(super) fn portrait(&self) -> Portrait {
        Portrait {
            database: self.database(),
            sums: self.sums(),
            files: self.files(),
        }
    }

    /// Every name of the console with kind, mode, owner, time and content.
    pub(super) fn files(&self) -> String {
        self.site.shell(
            "cd pandora_console && find . -not -type d -printf '%P|%y|%m|%U|%G|%l|%T@|%s\\n' | sort \
             && find . -type d -printf '%P|%m|%U|%G|%T@\\n' | sort && find . -type f -exec sha256sum {} + | sort",
        )
    }

    /// Every object as the server makes it, every row, and what the server's catalogue says.
    pub(super) fn database(&self) -> String {
        let socket = self.server.socket().display();
        let dump = self.site.shell(&format!(
            "mariadb-dump --no-defaults -uroot -S {socket} --skip-comments --skip-dump-date --routines --events \
             --triggers --hex-blob --skip-extended-insert --order-by-primary --default-character-set=utf8mb4 pandora"
        ));
        let catalogue = sql(
            &self.server,
            "USE information_schema;
             SELECT * FROM SCHEMATA WHERE SCHEMA_NAME = 'pandora';
             SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION, CREATE_OPTIONS, TABLE_COMMENT FROM TABLES WHERE TABLE_SCHEMA = 'pandora' ORDER BY 1;
             SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME FROM STATISTICS WHERE TABLE_SCHEMA = 'pandora' ORDER BY 1, 2, 3;
             SELECT CONSTRAINT_SCHEMA, CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME FROM REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'pandora' ORDER BY 1, 2;
             SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_ORDER, DEFINER, SQL_MODE FROM TRIGGERS WHERE TRIGGER_SCHEMA = 'pandora' ORDER BY 1;
             SELECT ROUTINE_NAME, ROUTINE_TYPE, DEFINER, SQL_MODE FROM ROUTINES WHERE ROUTINE_SCHEMA = 'pandora' ORDER BY 1;
             SELECT EVENT_NAME, STATUS, DEFINER, STARTS FROM EVENTS WHERE EVENT_SCHEMA = 'pandora' ORDER BY 1;
             SELECT TABLE_NAME, VIEW_DEFINITION, DEFINER FROM VIEWS WHERE TABLE_SCHEMA = 'pandora' ORDER BY 1",
        );
        // Rows of a table without a key come in any order; everything else has one.
        let is_row = |line: &&str| line.starts_with("INSERT INTO");
        let (mut rows, rest): (Vec<&str>, Vec<&str>) = dump.lines().partition(is_row);
        rows.sort_unstable();
        format!("{}\n{}\n{catalogue}", rest.join("\n"), rows.join("\n"))
    }

    /// The checksum of every table.
    pub(super) fn sums(&self) -> String {
        let tables = sql(
            &self.server,
            "SELECT GROUP_CONCAT('pandora.', TABLE_NAME ORDER BY TABLE_NAME) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = 'pandora' AND TABLE_TYPE = 'BASE TABLE'",
        );
        // The catalogue is read without locks: in the middle of a RENAME it may show no table.
        match tables.trim() {
            "NULL" => String::new(),
            tables => sql(&self.server, &format!("CHECKSUM TABLE {tables} EXTENDED")),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.archive.to_str().unwrap()
    }

    /// The arguments of a verb for this installation; `config-first` is a restore as well.
    pub(super) fn args<'a>(&'a self, verb: &'a str) -> Vec<&'a str> {
        let more: &[&str] = match verb {
            "restore" => &[self.name(), "-f"],
            "config-first" => {
                let args = ["restore", self.name(), "-f", "--config-first"];
                return [&args[..], &REACH].concat();
            }
            "resume" => &["--from", self.name()],
            _ => &[],
        };
        [&[verb][..], more, &REACH].concat()
    }

    pub(super) fn run(&self, verb: &str) -> Said {
        self.site.run(&self.args(verb))
    }

    pub(super) fn start(&self, verb: &str) -> Child {
        let mut command = self.site.command(&self.args(verb));
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs of the journal that have not ended.
    pub(super) fn open_runs(&self) -> usize {
        let path = self.site.path("state/elpis/journal.db");
        let path = Some(path).filter(|path| path.exists());
        let path = path.unwrap_or_else(|| self.site.path("state/journal.db"));
        if !path.exists() {
            return 0;
        }
        let journal = SqliteJournal::open(&path, None).unwrap();
        let open = Query {
            open_only: true,
            ..Query::default()
        };
        journal.list(&open).unwrap().len()
    }

    pub(super) fn leftovers(&self) -> Vec<String> {
        leftovers(&self.site, &self.server)
    }

    #[track_caller]
    pub(super) fn is(&self, expected: &Portrait, what: &str) {
        let found = self.portrait();
        same(&found.sums, &expected.sums, what);
        same(&found.database, &expected.database, what);
        same(&found.files, &expected.files, what);
    }

    /// Both are the old or both are the new; whether they are the new.
    #[track_caller]
    pub(super) fn is_new(&self, what: &str) -> bool {
        let is_new = self.sums() == self.new.sums;
        self.is(if is_new { &self.new } else { &self.old }, what);
        is_new
    }

    /// Gives everything up that is kept.
    #[track_caller]
    pub(super) fn forget_all(&self, what: &str) {
        for _ in 0..5 {
            if self.leftovers().is_empty() {
                return;
            }
            let said = self.run("forget");
            assert_eq!(said.code, 0, "{what}: {said:?}");
        }
        assert_eq!(self.leftovers(), [""; 0], "{what}");
    }
}

impl Site {
    /// What a shell script in the site's directory prints.
    #[track_caller]
    pub(super) fn shell(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        let command = command.args(["-ec", script]).current_dir(self.dir.path());
        let output = command.env("LC_ALL", "C").output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Two texts are the same; if not, only the lines that differ are shown.
#[track_caller]
#[allow(clippy::panic, reason = "tests may")]
pub(super) fn same(found: &str, expected: &str, what: &str) {
    if found == expected {
        return;
    }
    let only = |a: &str, b: &str| -> Vec<String> {
        let b: std::collections::HashSet<&str> = b.lines().collect();
        let lines = a.lines().filter(|line| !b.contains(line)).take(12);
        lines.map(|line| line.chars().take(300).collect()).collect()
    };
    let at = found
        .lines()
        .zip(expected.lines())
        .find(|(found, expected)| found != expected);
    panic!(
        "{what}: first {at:?}; found {:#?}, expected {:#?}",
        only(found, expected),
        only(expected, found)
    );
}
