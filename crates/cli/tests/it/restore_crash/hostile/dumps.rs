//! SQL text that does more than bring a database back.

use super::{Case, Ward};
use crate::restore_crash::rounds;

const TABLE: &str = "CREATE TABLE t (a INT, b TEXT);\n";

/// What stands between a sound table and a sound end, and what is said about it. `OWNED` is a file
/// that must not come into being.
const STINGS: &[(&str, &str)] = &[
    // Commands of the client.
    ("\\! touch OWNED\n;", "command of the client"),
    (
        "INSERT INTO t VALUES (1, 'x') \\! touch OWNED\n;",
        "command of the client",
    ),
    ("\\. /etc/passwd\n;", "command of the client"),
    ("\\o OWNED\n;", "command of the client"),
    ("SELECT 1 \\G", "command of the client"),
    ("system touch OWNED\n;", "`system touch"),
    ("source /etc/passwd\n;", "`source"),
    ("tee OWNED\n;", "`tee"),
    ("pager touch OWNED\n;", "`pager touch"),
    ("edit\n;", "`edit`"),
    ("connect mysql\n;", "`connect mysql`"),
    ("warnings\n;", "`warnings`"),
    // A second statement before the delimiter.
    (
        "DELIMITER //\nCREATE TABLE u (a INT); DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nINSERT INTO t VALUES (1, ''); DROP TABLE pandora.tagente//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nSET @a = 1; DROP TABLE pandora.tagente//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nDROP TABLE IF EXISTS u; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE VIEW v AS SELECT 1; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nALTER TABLE t ADD c INT; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE SEQUENCE s; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE PROCEDURE p() SELECT 1; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1 AS begin; END; DROP DATABASE pandora; SELECT 2 AS end//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1; DROP DATABASE pandora//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE PROCEDURE p() IF 1 THEN SELECT 1; END IF; DROP DATABASE pandora; IF 1 THEN SELECT 1; END IF//\nDELIMITER ;",
        "another statement",
    ),
    (
        "DELIMITER //\nCREATE PROCEDURE p() BEGIN DO IF(1, 1, 1); END; DROP DATABASE pandora; SELECT 1 AS end//\nDELIMITER ;",
        "another statement",
    ),
    ("DELIMITER\n", "DELIMITER"),
    ("DELIMITER '\n", "DELIMITER"),
    ("DELIMITER \\\n", "DELIMITER"),
    // Other databases.
    ("USE pandora; USE mysql;", "more than one database"),
    (
        "USE pandora; DROP DATABASE mysql;",
        "more than one database",
    ),
    (
        "USE pandora; /*!50000 DROP DATABASE mysql */;",
        "more than one database",
    ),
    (
        "INSERT INTO pandora.tagente VALUES (1, 'x');",
        "names a database",
    ),
    ("CREATE TABLE pandora.u (a INT);", "names a database"),
    (
        "DROP TABLE IF EXISTS t, pandora.tagente;",
        "names a database",
    ),
    (
        "DROP TABLE IF EXISTS t /*!40000 , pandora.tagente */;",
        "names a database",
    ),
    ("ALTER TABLE pandora.tagente ADD x INT;", "names a database"),
    ("ALTER TABLE t RENAME TO pandora.u;", "names a database"),
    ("ALTER TABLE t RENAME u;", "`RENAME`"),
    (
        "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE pandora.tagente;",
        "names a database",
    ),
    (
        "ALTER TABLE t ENGINE=FEDERATED CONNECTION='mysql://root@localhost/pandora/tagente';",
        "`ENGINE`",
    ),
    (
        "CREATE INDEX i ON pandora.tagente (nombre);",
        "names a database",
    ),
    (
        "CREATE UNIQUE INDEX i ON pandora.tagente (nombre);",
        "names a database",
    ),
    (
        "CREATE TRIGGER pandora.g BEFORE INSERT ON t FOR EACH ROW SET @a = 1;",
        "names a database",
    ),
    (
        "USE other; CREATE TRIGGER pandora.g BEFORE INSERT ON t FOR EACH ROW SET @a = 1;",
        "names a database",
    ),
    (
        "USE other; CREATE TRIGGER other.g BEFORE INSERT ON pandora.t FOR EACH ROW SET @a = 1;",
        "names a database",
    ),
    ("CREATE VIEW pandora.v AS SELECT 1;", "names a database"),
    (
        "CREATE TABLE u (a INT UNSIGNED, FOREIGN KEY (a) REFERENCES pandora.tagente (id_agente));",
        "names a database",
    ),
    (
        "CREATE TABLE u (n INT) ENGINE=MERGE UNION=(pandora.tlog) INSERT_METHOD=LAST;",
        "names a database",
    ),
    (
        "CREATE TABLE u (n INT) ENGINE=FEDERATED CONNECTION='mysql://root@127.0.0.1/pandora/tlog'; INSERT INTO u VALUES (1);",
        "shows what lies elsewhere",
    ),
    ("RENAME TABLE t TO pandora.u;", "`RENAME TABLE"),
    ("CALL pandora.limpiar();", "`CALL pandora"),
    // What changes the server.
    ("GRANT ALL ON *.* TO owner@'%';", "`GRANT ALL"),
    ("CREATE USER owner;", "`CREATE USER"),
    (
        "CREATE OR REPLACE USER root@localhost;",
        "`CREATE OR REPLACE",
    ),
    ("DROP USER product@'%';", "`DROP USER"),
    ("SET GLOBAL general_log = 1;", "change the server"),
    ("SET @a = 1, GLOBAL general_log = 1;", "change the server"),
    ("SET @a = 1,GLOBAL general_log = 1;", "change the server"),
    (
        "SET @a = 1,/**/GLOBAL/**/general_log = 1;",
        "change the server",
    ),
    ("SET @@global.general_log = 1;", "change the server"),
    ("SET @a = 1, PASSWORD = 'x';", "change the server"),
    (
        "SET PASSWORD FOR root@localhost = PASSWORD('x');",
        "change the server",
    ),
    (
        "SET STATEMENT max_statement_time = 1 FOR DROP DATABASE pandora;",
        "change the server",
    ),
    ("INSTALL SONAME 'x';", "`INSTALL SONAME"),
    (
        "CREATE FUNCTION f RETURNS STRING SONAME 'x.so';",
        "`CREATE FUNCTION",
    ),
    (
        "CREATE AGGREGATE FUNCTION IF NOT EXISTS f RETURNS REAL SONAME 'x.so';",
        "`CREATE AGGREGATE",
    ),
    (
        "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x');",
        "`CREATE SERVER",
    ),
    ("KILL 1;", "`KILL"),
    ("SHUTDOWN;", "`SHUTDOWN`"),
    ("PURGE BINARY LOGS BEFORE NOW();", "`PURGE"),
    // Files of the server.
    ("LOAD DATA INFILE '/etc/passwd' INTO TABLE t;", "`LOAD DATA"),
    (
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;",
        "`LOAD DATA",
    ),
    (
        "SELECT 'x' INTO OUTFILE 'OWNED';",
        "is not a statement of a dump",
    ),
    (
        "CREATE SEQUENCE s; SELECT SETVAL(s, 1) INTO OUTFILE 'OWNED';",
        "`INTO`",
    ),
    (
        "INSERT INTO t VALUES (1, LOAD_FILE('/etc/passwd'));",
        "work something out",
    ),
    // What a server would work out.
    (
        "INSERT INTO t VALUES (1, (SELECT authentication_string FROM mysql.user LIMIT 1));",
        "work something out",
    ),
    (
        "INSERT INTO t VALUES (NEXT VALUE FOR pandora.s, '');",
        "work something out",
    ),
    (
        "INSERT INTO t VALUES (1, '') ON DUPLICATE KEY UPDATE a = 1;",
        "work something out",
    ),
    ("INSERT INTO t SELECT * FROM mysql.user;", "has no VALUES"),
    ("INSERT INTO t SET a = 1;", "has no VALUES"),
    (
        "CREATE TABLE u SELECT * FROM mysql.user;",
        "names a database",
    ),
    ("CREATE TABLE u AS SELECT 1;", "work something out"),
    ("CREATE TABLE u LIKE t;", "work something out"),
    ("SET @a = SLEEP(100);", "`SLEEP`"),
    ("SET @a = (SELECT 1);", "work something out"),
    (
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW DELETE FROM pandora.tagente;\nINSERT INTO t VALUES (1, '');",
        "would fire",
    ),
    // What is not what it seems.
    (
        "INSERT INTO t VALUES (1, '' /*!99999 ,' */), (2, '' /* ' */);",
        "servers differ",
    ),
    (
        "DROP /*!99999 TABLE t */ DATABASE pandora;",
        "something else for servers",
    ),
    (
        "CREATE /*!99999 TABLE u (a int) */ USER owner;",
        "is not a statement of a dump",
    ),
    (
        "DROP TABLE t /*!99999 -- */ , pandora.tagente\n;",
        "servers differ",
    ),
    ("/*!00999999 DROP DATABASE pandora */;", "servers differ"),
    (
        "INSERT INTO t VALUES (1, '') --\x01 '\n, (2, '') -- '\n;",
        "servers differ",
    ),
    (
        "SET NAMES gbk; INSERT INTO t VALUES (1, 'x');",
        "character set",
    ),
    (
        "SET @m = CONCAT('ANSI', '_QUOTES'); SET sql_mode = @m;",
        "sql_mode",
    ),
    ("SET sql_mode = 4;", "sql_mode"),
    // What has no end.
    ("INSERT INTO t VALUES (1, 'open);", "never closed"),
    ("INSERT INTO t VALUES (1, 'x')", "has no end"),
];

pub(super) fn tries(ward: &Ward) {
    let owned = ward.world.site.path("owned").display().to_string();
    let end = "\n-- Dump completed\n";
    let case = |name: &str, bytes: Vec<u8>, why| Case {
        name: name.to_owned(),
        bytes,
        code: 3,
        why,
    };
    let mut cases: Vec<Case> = STINGS
        .iter()
        .map(|(sting, why)| {
            let sting = sting.replace("OWNED", &owned);
            // What has no end must not find one in the mark behind it.
            let end = if *why == "has no end" { "" } else { end };
            case(&sting, format!("{TABLE}{sting}{end}").into_bytes(), why)
        })
        .collect();
    for (name, text, why) in [
        (
            "a name left open",
            "CREATE TABLE `t (a INT);\n-- Dump completed\n",
            "never closed",
        ),
        (
            "a comment left open",
            "CREATE TABLE t (a INT);\n/* open\n-- Dump completed\n",
            "never closed",
        ),
        ("no end mark", "CREATE TABLE t (a INT);\n", "cut off"),
        (
            "no table",
            "SET NAMES utf8;\n-- Dump completed\n",
            "no table",
        ),
        ("nothing", "", "cut off"),
        (
            "a zero byte in a statement",
            "CREATE TABLE t (a INT)\0;\n-- Dump completed\n",
            "",
        ),
        (
            "a zero byte in a name",
            "CREATE TABLE `t\0u` (a INT);\n-- Dump completed\n",
            "not a statement of a dump",
        ),
        (
            "a zero byte before a statement",
            "\0CREATE TABLE t (a INT);\n-- Dump completed\n",
            "bytes",
        ),
        (
            "a zero byte between rows",
            "CREATE TABLE t (a INT);\nINSERT INTO t VALUES (1),\0(2);\n-- Dump completed\n",
            "work something out",
        ),
    ] {
        cases.push(case(name, text.as_bytes().to_vec(), why));
    }
    // One statement of more bytes than the server takes: 20 MB, 100 MB in the soak.
    let long = "x".repeat(rounds(20, 100) as usize * 1_000_000);
    let text = format!("{TABLE}INSERT INTO t VALUES (1, '{long}');{end}");
    cases.push(case(
        "a statement of many megabytes",
        text.into_bytes(),
        "the longest statement has",
    ));
    ward.tries(&cases, true);
}
