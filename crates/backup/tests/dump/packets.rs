//! Long rows, and servers with habits of their own.

use elpis_mysql::PrivateServer;

use crate::{checksums, database, dump, load, policy, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_longer_than_the_servers_packet() {
    let server = PrivateServer::builder()
        .arg("--max-allowed-packet=16M")
        .start()
        .unwrap();
    let mut session = database(&server.options(), "long_rows").await;
    run(
        &mut session,
        "CREATE TABLE b (id INT PRIMARY KEY, a LONGBLOB, b LONGTEXT)",
    )
    .await;
    run(
        &mut session,
        "INSERT INTO b VALUES (1, REPEAT(0xFF00, 6000000), REPEAT('ü\\'', 3000000))",
    )
    .await;
    run(
        &mut session,
        "INSERT INTO b SELECT seq, seq, seq FROM seq_2_to_1000",
    )
    .await;
    let (report, memory) = dump(&server.options(), policy("long_rows")).await;
    // 24 million digits, 3 million times a letter of two bytes and an escaped quote.
    assert!(
        report.longest_statement > 24_000_000 + 12_000_000,
        "{}",
        report.longest_statement
    );
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("max_allowed_packet"))
    );
    run(
        &mut session,
        "SET GLOBAL max_allowed_packet = 64 * 1024 * 1024",
    )
    .await;
    database(&server.options(), "long_rows2").await;
    load(&server, "long_rows2", &memory.text(0));
    assert_eq!(
        checksums(&mut session, "long_rows").await,
        checksums(&mut session, "long_rows2").await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_strict_and_strange_modes() {
    for mode in [
        "NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH",
        "TRADITIONAL,ONLY_FULL_GROUP_BY,PIPES_AS_CONCAT",
        "ORACLE",
    ] {
        let server = PrivateServer::builder()
            .arg(format!("--sql-mode={mode}"))
            .arg("--init-connect=SET @x = 1")
            .arg("--character-set-server=latin1")
            .arg("--default-time-zone=+03:00")
            .arg("--max-statement-time=1")
            .arg("--autocommit=0")
            .start()
            .unwrap();
        let mut session = database(&server.options(), "modes").await;
        for sql in [
            r"CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, c CHAR(9), v TEXT DEFAULT 'a\\b''c', ts TIMESTAMP NULL)",
            r"INSERT INTO t VALUES (1, 'a', 'it''s \\ \0 \Z', '2026-01-01'), (2, '', '\\', 0)",
            "UPDATE t SET id = 0 WHERE id = 1",
            "CREATE VIEW v AS SELECT CONCAT(id, 'x') AS n FROM t",
            "COMMIT",
        ] {
            run(&mut session, sql).await;
        }
        let (_, memory) = dump(&server.options(), policy("modes")).await;
        let mut again = database(&server.options(), "modes2").await;
        load(&server, "modes2", &memory.text(0));
        assert_eq!(
            checksums(&mut again, "modes").await,
            checksums(&mut again, "modes2").await,
            "{mode}"
        );
    }
}
