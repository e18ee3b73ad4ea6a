//! Rows that go to the server as files, and those that cannot: the same comes of both.

use elpis_backup::archive::Container;
use elpis_backup::restore::{Compare, RestorePolicy};
use elpis_mysql::PrivateServer;

use super::{Bench, backup, mariadb, of_archive, policy, portrait, same};

/// Rows of which each is worth a try: everything that means something in a statement or in a file.
const ODD: &str = r#"
    CREATE TABLE odd (id INT PRIMARY KEY, t TEXT, l VARCHAR(99) CHARACTER SET latin1, d DOUBLE, f FLOAT,
        m DECIMAL(30,10), e ENUM('a','NULL','b,c'), s SET('x','y'), at DATETIME(6), ts TIMESTAMP NULL,
        dt DATE, ti TIME(3), big BIGINT UNSIGNED, j JSON);
    SET time_zone = '+00:00';
    INSERT INTO odd VALUES
        (-1, 'NULL', '\\N', -0e0, 1.1, -0.0000000001, 'NULL', '', '0000-00-00', NULL, '0000-00-00', '-838:59:59', 18446744073709551615, '{"a": "\\n"}'),
        (0, '),\n(', ''',''', 1.7976931348623157e308, -3.4e38, 99999999999999999999.9999999999, 'b,c', 'x,y', '2026-03-29 02:30:00.000001', '2026-03-29 01:30:00', '2024-02-29', '00:00:00.001', 0, NULL),
        (1, '', NULL, 5e-324, 1e-45, 0, NULL, NULL, NULL, '1970-01-01 00:00:01', NULL, NULL, NULL, '[]'),
        (2, '\0\b\t\n\r\Z\\\'"%_', 'äöü€', 0.1, 16777216, 1, 'a', 'y', NULL, NULL, NULL, NULL, 1, NULL),
        (3, 'ü漢😀\\', '\\', 1e22, 0.1, -1, 'a', 'x', NULL, NULL, NULL, NULL, 1, NULL),
        (4, '\\\\', '\\''', 123456789012345680, 0, 0.5, 'a', 'x', NULL, NULL, NULL, NULL, 1, NULL);
    INSERT INTO odd (id, t) SELECT 100 + seq,
        CONCAT(ELT(1 + seq % 7, ''',', '(', '),', '\n', '\\', ',''', 'NULL'), ELT(1 + seq DIV 7 % 7, ')', '\\''', '''', '\0', '\n(', ',', 'é'))
        FROM seq_1_to_2000;
    CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
        h INT INVISIBLE DEFAULT 7, g INT AS (h * 2) STORED, `c),``(d` TEXT CHECK (`c),``(d` <> ''));
    SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
    INSERT INTO counted (id, at, h, `c),``(d`) VALUES (0, '2001-01-01', 1, 'x'), (-5, '2001-01-01', NULL, NULL), (77, '2001-01-01', 3, 'y');
"#;

/// Rows that no file can hold, and one that the server takes with a warning.
const NOT_AS_FILES: &str = r#"
    CREATE TABLE years (y YEAR);
    INSERT INTO years VALUES (0), (2000), (1901), (NULL);
    CREATE TABLE raw (id INT, b BLOB, n BIT(3));
    INSERT INTO raw VALUES (1, x'00275c', 5), (2, '', 0);
    CREATE TABLE isam (id INT PRIMARY KEY, t TEXT) ENGINE=MyISAM;
    INSERT INTO isam VALUES (1, 'x'), (2, 'y');
    CREATE TABLE warned (e ENUM('a', 'b') NOT NULL);
    SET sql_mode = '';
    INSERT INTO warned VALUES ('a'), ('none'), ('b');
"#;

fn loads(server: &PrivateServer) -> u64 {
    let sql = "SHOW GLOBAL STATUS LIKE 'Com_load'";
    let told = mariadb(server.socket(), "", sql);
    told.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Restores the database `name` made of `sql`, and returns how many files the server took.
#[track_caller]
fn restored(server: &PrivateServer, name: &str, sql: &str, policy: &RestorePolicy) -> u64 {
    let socket = server.socket();
    let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
    mariadb(socket, "", &create);
    mariadb(socket, name, sql);
    let before = portrait(socket, name);
    let (_world, path) = backup(&server.options(), &[name], Container::TarZst);
    mariadb(socket, "", &format!("DROP DATABASE {name}; {create}"));
    let files = loads(server);
    let bench = Bench::new(server.options());
    bench.run(policy, &of_archive(&path)).unwrap();
    same(&portrait(socket, name), &before);
    loads(server) - files
}

#[test]
fn rows_go_as_files_where_they_mean_the_same() {
    let server = PrivateServer::start().unwrap();
    let small = |name: &str| RestorePolicy {
        chunk_bytes: 64 << 10,
        ..policy(name)
    };
    assert_eq!(restored(&server, "odd", ODD, &small("odd")), 2);
    // The one with a warning is tried.
    let files = restored(&server, "others", NOT_AS_FILES, &small("others"));
    assert_eq!(files, 1);
    // Of what is only counted nothing would tell a mistake.
    let counted = RestorePolicy {
        compare: Compare::Counts,
        ..small("counted")
    };
    assert_eq!(restored(&server, "counted", ODD, &counted), 0);
}

#[test]
fn a_server_that_takes_no_files_gets_statements() {
    for arg in ["--local-infile=OFF", "--binlog-format=STATEMENT"] {
        let server = PrivateServer::builder()
            .arg("--log-bin=bin")
            .arg(arg)
            .start()
            .unwrap();
        assert_eq!(restored(&server, "odd", ODD, &policy("odd")), 0, "{arg}");
    }
}

#[test]
fn replicas_get_rows_and_no_files() {
    let server = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--binlog-format=MIXED")
        .start()
        .unwrap();
    assert_eq!(restored(&server, "odd", ODD, &policy("odd")), 2);
    let events = mariadb(server.socket(), "", "SHOW BINLOG EVENTS");
    let kinds: Vec<&str> = events
        .lines()
        .filter_map(|event| event.split('\t').nth(2))
        .collect();
    assert!(
        kinds.iter().any(|kind| kind.starts_with("Write_rows")),
        "{kinds:?}"
    );
    assert!(!kinds.iter().any(|kind| kind.contains("load")), "{kinds:?}");
}
