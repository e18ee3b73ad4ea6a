//! Everything a naive dump gets wrong, in one database.

use elpis_mysql::{Params, Row, Session, Value};

use crate::{checksums, database, dump, load, policy, run, server};

async fn fill(session: &mut Session, name: &str) {
    let statements = [
        // Character sets, on both sides of what a connection can lose.
        "CREATE TABLE charsets (id INT PRIMARY KEY, l1 VARCHAR(20) CHARACTER SET latin1, \
         u3 VARCHAR(20) CHARACTER SET utf8mb3, u4 TEXT CHARACTER SET utf8mb4, \
         sj VARCHAR(20) CHARACTER SET sjis, u16 VARCHAR(20) CHARACTER SET utf16, \
         k8 VARCHAR(9) CHARACTER SET koi8r COMMENT 'кои8 ''x'' \\\\', \
         e ENUM('a','ä') CHARACTER SET latin1, e2 ENUM('','b'), s SET('x','ÿ')) COMMENT 'ключ 😀'",
        "INSERT INTO charsets VALUES (1,'äöü€','ßЖ','😀''\\\\\"\\n\\0\\Z\\r%_','ソ表能','😀x','Привет','ä','','x,ÿ'), \
         (2,'','','','','','','','',''), (3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL), \
         (4,CONVERT(_latin1 0xC3A4 USING latin1),'a b ','line\\nline','\\\\','a','b',99,'b','')",
        // Bytes of UTF-8 that were stored through a latin1 connection.
        "CREATE TABLE misdeclared (t VARCHAR(40) CHARACTER SET latin1)",
        "INSERT INTO misdeclared VALUES (_latin1 0xC3A4C3B6E282ACF09F9880)",
        "CREATE TABLE binaries (id INT PRIMARY KEY, b BINARY(4), v VARBINARY(300), t TINYBLOB, \
         l LONGBLOB, b1 BIT(1), b9 BIT(9), b64 BIT(64), g GEOMETRY, p POINT, \
         u UUID, i6 INET6, j JSON)",
        "INSERT INTO binaries VALUES (1,'a','',0x00FF275C0A,REPEAT(0x00275C,1000),1,257, \
         18446744073709551615,ST_GeomFromText('LINESTRING(0 0,1 1)'),POINT(1.1,-2.2), \
         '123e4567-e89b-12d3-a456-426655440000','::ffff:1.2.3.4','{\"a\": \"\\\\u00e4 \\'\"}')",
        "INSERT INTO binaries VALUES (2,'','','','',0,0,0,NULL,NULL,NULL,NULL,NULL)",
        "CREATE TABLE numbers (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, t TINYINT, \
         z INT(8) UNSIGNED ZEROFILL, bi BIGINT, d DECIMAL(65,30), y YEAR, f FLOAT, \
         fd FLOAT(12,2), db DOUBLE, dd DOUBLE(20,3), fu FLOAT UNSIGNED, bo BOOL)",
        "INSERT INTO numbers VALUES (0,-128,42,-9223372036854775808,-0.000000000000000000000000000001, \
         0000,16777218,16777218.25,-0e0,123456789012345.678,1.1,1)",
        "INSERT INTO numbers VALUES (18446744073709551614,127,0,9223372036854775807, \
         99999999999999999999999999999999999.999999999999999999999999999999,2155,1.17549e-38, \
         0.1,1.7976931348623157e308,0.001,3.4028234e38,0), \
         (5,0,1,1,1,1999,3.14159274,-1.5,5e-324,-1.5,0,NULL), \
         (6,0,1,1,1,1901,0.1,1e7,0.1,1e15,1e-10,NULL), \
         (7,0,1,1,1,2000,1e10,-0e0,9007199254740993,13.537865827671437,0.3,NULL)",
        "INSERT INTO numbers (id, f, db) SELECT 100 + seq, RAND(seq) * POW(10, CAST(seq % 60 AS SIGNED) - 30), \
         RAND(seq) * POW(10, CAST(seq % 600 AS SIGNED) - 300) FROM seq_1_to_1000",
        "CREATE TABLE zero_id (id INT AUTO_INCREMENT PRIMARY KEY, v INT) AUTO_INCREMENT = 500",
        "INSERT INTO zero_id VALUES (1, 1), (2, 2)",
        "UPDATE zero_id SET id = 0 WHERE id = 1",
        "CREATE TABLE times (id INT PRIMARY KEY, d DATE, dt DATETIME, dt6 DATETIME(6), \
         ts TIMESTAMP NULL, ts3 TIMESTAMP(3) NULL, t TIME, t6 TIME(6), \
         z DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00')",
        "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO times VALUES (1,'0000-00-00','0000-00-00','0000-00-00',0,0,'-838:59:59', \
         '838:59:59.999999',DEFAULT), \
         (2,'2026-02-31','2026-02-31 23:59:59','9999-12-31 23:59:59.999999', \
         '2026-03-29 02:30:00','2038-01-19 03:14:07.999','00:00:00','-00:00:00.000001','2024-00-00'), \
         (3,'1000-01-01','0001-01-01','1970-01-01 00:00:00.000001',NULL,NULL,'100:00:01',NULL,'2020-01-01')",
        // The hour that exists twice where the server lives.
        "SET SESSION time_zone = '+02:00', sql_mode = ''",
        "INSERT INTO times (id, ts) VALUES (4, '2026-10-25 02:30:00')",
        "SET SESSION time_zone = '+00:00'",
        "CREATE TABLE generated (a INT, v INT AS (a * 2) VIRTUAL, s VARCHAR(20) AS (CONCAT('é', a)) STORED, \
         h INT INVISIBLE DEFAULT 7, b INT DEFAULT (a + 1), KEY (s))",
        "INSERT INTO generated (a, h) VALUES (1, 1), (2, DEFAULT), (NULL, NULL)",
        "CREATE SEQUENCE s1 START WITH 100 INCREMENT BY 5 CACHE 10",
        "DO NEXTVAL(s1), NEXTVAL(s1)",
        "CREATE SEQUENCE s2 START WITH 1 MAXVALUE 3 CYCLE NOCACHE",
        "DO NEXTVAL(s2), NEXTVAL(s2), NEXTVAL(s2), NEXTVAL(s2), NEXTVAL(s2)",
        "CREATE TABLE defaults (id BIGINT DEFAULT NEXTVAL(s1), u CHAR(36) DEFAULT UUID(), \
         t VARCHAR(30) DEFAULT 'it''s \\\\ \\n ü', CHECK (t <> 'a;;b'))",
        "INSERT INTO defaults VALUES (1, 'u', 't')",
        "CREATE TABLE `we``ird; -- näme` (`a b` INT, `c``d` TEXT, `select` INT, `Жx` INT)",
        "CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent (id) \
         ON DELETE CASCADE, UNIQUE KEY u (p, id))",
        "INSERT INTO parent VALUES (1), (2)",
        "INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)",
        "CREATE TABLE z_later (id INT PRIMARY KEY)",
        "CREATE TABLE a_refers (id INT PRIMARY KEY, z INT, FOREIGN KEY (z) REFERENCES z_later (id))",
        "CREATE TABLE parts (id INT, at INT, PRIMARY KEY (id, at)) PARTITION BY RANGE (at) \
         SUBPARTITION BY HASH (id) SUBPARTITIONS 2 \
         (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)",
        "INSERT INTO parts SELECT seq, seq % 20 FROM seq_1_to_100",
        "CREATE TABLE compressed (id INT PRIMARY KEY, t TEXT) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
        "INSERT INTO compressed VALUES (1, REPEAT('x', 10000))",
        "CREATE TABLE versioned (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING",
        "INSERT INTO versioned VALUES (1, 1), (2, 2)",
        "CREATE TABLE myisam (id INT PRIMARY KEY, t TEXT, FULLTEXT (t)) ENGINE=MyISAM",
        "INSERT INTO myisam VALUES (1, 'full text')",
        "CREATE TABLE aria (id INT) ENGINE=Aria",
        "INSERT INTO aria VALUES (1)",
        "CREATE TABLE memory_rows (id INT) ENGINE=MEMORY",
        "INSERT INTO memory_rows VALUES (1), (2)",
        "CREATE TABLE empty (id INT PRIMARY KEY)",
        "CREATE TABLE isam_part (id INT) ENGINE=MyISAM",
        "INSERT INTO isam_part VALUES (1), (2)",
        "CREATE TABLE merged (id INT) ENGINE=MRG_MyISAM UNION=(isam_part)",
        "CREATE TABLE Case_Twin (id INT, upper INT)",
        "CREATE TABLE case_twin (id INT)",
        "INSERT INTO Case_Twin VALUES (1, 2)",
        "INSERT INTO case_twin VALUES (3)",
        "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(99))",
        // Objects, each with settings of its own.
        "CREATE VIEW z_base AS SELECT id, p FROM child",
        "CREATE VIEW a_on_view AS SELECT COUNT(*) AS n, MAX(z.p) AS `m x` FROM z_base z",
        "CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2",
        "CREATE VIEW uses_function AS SELECT twice(id) AS t, 'ü' AS u FROM parent",
        "CREATE PROCEDURE p1(IN x VARCHAR(9), OUT y INT) COMMENT 'ein Übel;; DELIMITER' \
         BEGIN DECLARE z TEXT DEFAULT 'a;;b\\n\\'ö😀'; /* ;; */ SELECT LENGTH(z) INTO y; END",
        "CREATE AGGREGATE FUNCTION agg(x INT) RETURNS INT DETERMINISTIC BEGIN DECLARE n INT DEFAULT 0; \
         DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN n; LOOP FETCH GROUP NEXT ROW; SET n = n + x; END LOOP; END",
        "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'",
        "CREATE PROCEDURE p2() SELECT 'a\\' AS \"b\", 'c''d'",
        "SET SESSION sql_mode = 'ORACLE'",
        "CREATE PACKAGE pack AS FUNCTION f RETURN INT; END",
        "CREATE PACKAGE BODY pack AS FUNCTION f RETURN INT IS BEGIN RETURN 1; END; END",
        "SET SESSION sql_mode = ''",
        "CREATE TRIGGER first_one BEFORE INSERT ON parent FOR EACH ROW INSERT INTO log (what) VALUES ('1')",
        "CREATE TRIGGER a_second BEFORE INSERT ON parent FOR EACH ROW FOLLOWS first_one \
         BEGIN INSERT INTO log (what) VALUES ('ü2'); END",
        "CREATE TRIGGER zz BEFORE INSERT ON parent FOR EACH ROW PRECEDES first_one SET @x = 1",
        "CREATE EVENT ev1 ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' ON COMPLETION PRESERVE \
         DISABLE COMMENT 'é' DO BEGIN DELETE FROM log; END",
        "SET SESSION time_zone = '+05:30', sql_mode = 'STRICT_ALL_TABLES'",
        "CREATE EVENT ev2 ON SCHEDULE EVERY 1 YEAR STARTS '2030-01-01 00:00:00' DO SELECT 1",
        "SET SESSION time_zone = '+00:00', sql_mode = ''",
        // Made by a client of another age.
        "SET SESSION character_set_client = latin1, collation_connection = latin1_german1_ci",
        "CREATE PROCEDURE old_client() SELECT 'plain'",
        "SET NAMES utf8mb4",
    ];
    for sql in statements {
        run(session, sql).await;
    }
    run(session, "CREATE TABLE fk_before (id INT)").await;
    // An account that does not exist any more.
    run(
        session,
        "CREATE DEFINER=`gone`@`10.%` VIEW orphaned AS SELECT 1 AS x",
    )
    .await;
    run(session, "SET NAMES latin1").await;
    // é in latin1: the server must be told the body in the same way again.
    let latin1 = "CREATE PROCEDURE latin() SELECT 'é' AS x";
    run(session, latin1).await;
    run(session, "CREATE VIEW latin_view AS SELECT 'é' AS x").await;
    run(session, "SET NAMES utf8mb4").await;
    run(
        session,
        &format!("ALTER DATABASE {name} COLLATE latin2_czech_cs"),
    )
    .await;
    run(
        session,
        "CREATE PROCEDURE under_latin2(x VARCHAR(9)) SELECT x",
    )
    .await;
    run(
        session,
        &format!("ALTER DATABASE {name} COLLATE utf8mb4_general_ci"),
    )
    .await;
}

/// Every table of `information_schema` that tells something of a database, with what must differ
/// left out.
async fn schema(session: &mut Session, database: &str) -> Vec<String> {
    let mut facts = Vec::new();
    for (table, column, leave_out) in [
        ("COLUMNS", "TABLE_SCHEMA", &["TABLE_SCHEMA"][..]),
        (
            "TABLES",
            "TABLE_SCHEMA",
            &[
                "TABLE_SCHEMA",
                "TABLE_ROWS",
                "AVG_ROW_LENGTH",
                "DATA_LENGTH",
                "INDEX_LENGTH",
                "DATA_FREE",
                "CREATE_TIME",
                "UPDATE_TIME",
                "CHECK_TIME",
                "MAX_INDEX_LENGTH",
                "CHECKSUM",
            ],
        ),
        (
            "STATISTICS",
            "TABLE_SCHEMA",
            &["TABLE_SCHEMA", "INDEX_SCHEMA", "CARDINALITY"],
        ),
        (
            "KEY_COLUMN_USAGE",
            "TABLE_SCHEMA",
            &[
                "TABLE_SCHEMA",
                "CONSTRAINT_SCHEMA",
                "REFERENCED_TABLE_SCHEMA",
            ],
        ),
        (
            "REFERENTIAL_CONSTRAINTS",
            "CONSTRAINT_SCHEMA",
            &["CONSTRAINT_SCHEMA", "UNIQUE_CONSTRAINT_SCHEMA"],
        ),
        (
            "CHECK_CONSTRAINTS",
            "CONSTRAINT_SCHEMA",
            &["CONSTRAINT_SCHEMA"],
        ),
        (
            "PARTITIONS",
            "TABLE_SCHEMA",
            &[
                "TABLE_SCHEMA",
                "TABLE_ROWS",
                "AVG_ROW_LENGTH",
                "DATA_LENGTH",
                "INDEX_LENGTH",
                "DATA_FREE",
                "CREATE_TIME",
                "UPDATE_TIME",
                "CHECK_TIME",
                "MAX_DATA_LENGTH",
                "CHECKSUM",
            ],
        ),
        ("VIEWS", "TABLE_SCHEMA", &["TABLE_SCHEMA"]),
        (
            "TRIGGERS",
            "TRIGGER_SCHEMA",
            &["TRIGGER_SCHEMA", "EVENT_OBJECT_SCHEMA", "CREATED"],
        ),
        (
            "ROUTINES",
            "ROUTINE_SCHEMA",
            &["ROUTINE_SCHEMA", "CREATED", "LAST_ALTERED"],
        ),
        ("PARAMETERS", "SPECIFIC_SCHEMA", &["SPECIFIC_SCHEMA"]),
        (
            "EVENTS",
            "EVENT_SCHEMA",
            &["EVENT_SCHEMA", "CREATED", "LAST_ALTERED", "LAST_EXECUTED"],
        ),
    ] {
        let sql = format!("SELECT * FROM information_schema.{table} WHERE {column} = '{database}'");
        let rows: Vec<Row> = session.rows(&sql, Params::Empty).await.unwrap();
        assert!(!rows.is_empty(), "{table}");
        let mut lines: Vec<String> = rows
            .iter()
            .map(|row| {
                let columns = row.columns_ref().iter().enumerate();
                let kept = columns.filter(|(_, column)| !leave_out.contains(&&*column.name_str()));
                let cells: Vec<String> = kept
                    .map(|(at, _)| match row.as_ref(at) {
                        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes)
                            .replace(&format!("`{database}`."), "`db`.")
                            // Aria tells its default only of tables that were made with it.
                            .replace("page_checksum=1 ", ""),
                        other => format!("{other:?}"),
                    })
                    .collect();
                format!("{table}: {}", cells.join(" | "))
            })
            .collect();
        lines.sort();
        facts.extend(lines);
    }
    facts
}

fn assert_same(original: &[String], loaded: &[String]) {
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|line| !b.contains(line)).cloned().collect()
    };
    let (lost, new) = (only(original, loaded), only(loaded, original));
    assert!(
        lost.is_empty() && new.is_empty(),
        "lost:\n{}\nnew:\n{}",
        lost.join("\n"),
        new.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_into_another_database_as_it_was() {
    let mut session = database(&server().options(), "awkward").await;
    fill(&mut session, "awkward").await;
    let (report, memory) = dump(&server().options(), policy("awkward")).await;
    assert!(report.snapshot.readers > 1, "{:?}", report.snapshot);
    database(&server().options(), "awkward2").await;
    load(server(), "awkward2", &memory.text(0));

    let mut before = checksums(&mut session, "awkward").await;
    let mut after = checksums(&mut session, "awkward2").await;
    // When its rows began to be is part of a versioned table's checksum.
    for sums in [&mut before, &mut after] {
        sums.retain(|(table, _)| table != "versioned");
    }
    assert_eq!(before, after);
    let original = schema(&mut session, "awkward").await;
    let loaded = schema(&mut session, "awkward2").await;
    assert_same(&original, &loaded);

    // What a checksum does not see.
    for sql in [
        "SELECT GROUP_CONCAT(HEX(f), HEX(db), db + 0e0 ORDER BY id) FROM {}.numbers",
        "SELECT GROUP_CONCAT(id, v) FROM {}.versioned",
        "SELECT NEXTVAL({}.s2)",
        "SELECT GROUP_CONCAT(x) FROM {}.latin_view",
        "SELECT GROUP_CONCAT(t, u) FROM {}.uses_function",
        "SELECT n * 1000 + `m x` FROM {}.a_on_view",
    ] {
        let mut ask = async |name: &str| -> Option<Value> {
            let sql = sql.replace("{}", name);
            session.first(&sql, Params::Empty).await.unwrap()
        };
        assert_eq!(ask("awkward").await, ask("awkward2").await, "{sql}");
    }
    let next: Option<i64> = session
        .first("SELECT NEXTVAL(awkward2.s1)", Params::Empty)
        .await
        .unwrap();
    assert!(next.unwrap() >= 110, "{next:?} was given out before");

    let tables = &report.databases[0].tables;
    let of = |name: &str| tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!(of("numbers").rows, 1005);
    assert_eq!(of("empty").rows, 0);
    assert_eq!((of("isam_part").rows, of("merged").rows), (2, 0));
    assert!(of("myisam").consistent, "locked while it was read");
    assert!(
        report
            .snapshot
            .locked_tables
            .contains(&"awkward.myisam".to_owned())
    );
    assert!(
        report.databases[0]
            .definers
            .contains(&"gone@10.%".to_owned())
    );
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("versioned"))
    );
}
