//! How tables are cut, and that the pieces make the whole again.

use std::collections::BTreeMap;

use elpis_backup::{DumpPolicy, Part, Piece, Window};

use crate::{checksums, database, dump, load, policy, run, server};

fn small(name: &str) -> DumpPolicy {
    DumpPolicy {
        chunk_bytes: 1 << 20,
        statement_bytes: 64 << 10,
        readers: Some(3),
        ..policy(name)
    }
}

fn chunks(pieces: &[Piece]) -> BTreeMap<String, usize> {
    let mut chunks = BTreeMap::new();
    for piece in pieces.iter().filter(|piece| piece.id.part == Part::Data) {
        *chunks.entry(piece.id.table_name.clone()).or_default() += 1;
    }
    chunks
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_partitions_and_windows_make_the_whole() {
    let mut session = database(&server().options(), "cut").await;
    for sql in [
        "CREATE TABLE keyed (id BIGINT UNSIGNED PRIMARY KEY, t CHAR(200) NOT NULL)",
        "INSERT INTO keyed SELECT seq * 1000, REPEAT('k', 200) FROM seq_1_to_20000",
        "INSERT INTO keyed VALUES (0, ''), (18446744073709551615, 'last')",
        "CREATE TABLE negative (a INT, b INT, t CHAR(200), PRIMARY KEY (a, b))",
        "INSERT INTO negative SELECT CAST(seq AS SIGNED) - 10000, seq, REPEAT('n', 200) FROM seq_1_to_20000",
        "INSERT INTO negative VALUES (-2147483648, 0, NULL), (2147483647, 0, NULL)",
        "CREATE TABLE named (name VARCHAR(99) PRIMARY KEY, t CHAR(200))",
        "INSERT INTO named SELECT seq, REPEAT('s', 200) FROM seq_1_to_20000",
        "CREATE TABLE parted (id INT, t CHAR(200)) PARTITION BY HASH (id) PARTITIONS 7",
        "INSERT INTO parted SELECT seq, REPEAT('p', 200) FROM seq_1_to_30000",
        "CREATE TABLE data (module INT, value DOUBLE, at BIGINT, KEY idx (at))",
        "INSERT INTO data SELECT seq % 100, RAND(seq), 1700000000 + seq * 60 FROM seq_1_to_10000",
        "INSERT INTO data VALUES (1, 1, NULL), (2, NULL, NULL), (3, 3, -5)",
        "CREATE TABLE left_out (id INT)",
        "INSERT INTO left_out VALUES (1)",
        "ANALYZE TABLE keyed, negative, named, parted, data",
    ] {
        run(&mut session, sql).await;
    }
    let policy = DumpPolicy {
        windows: vec![Window {
            table: "dat*".to_owned(),
            column: "at".to_owned(),
            width: 86_400,
        }],
        without_rows: vec!["left_*".to_owned()],
        ..small("cut")
    };
    let (report, memory) = dump(&server().options(), policy).await;
    let chunks = chunks(&report.pieces);
    println!("{chunks:?}");
    assert!(chunks["keyed"] > 1 && chunks["negative"] > 1 && chunks["parted"] > 1);
    assert_eq!(chunks["named"], 1);
    // 7 days and a bit, one of NULLs, one far off.
    assert_eq!(chunks["data"], 8 + 2);
    assert!(!chunks.contains_key("left_out"));

    let rows = |name: &str| {
        let tables = &report.databases[0].tables;
        tables.iter().find(|table| table.name == name).unwrap().rows
    };
    assert_eq!(rows("keyed"), 20_002);
    assert_eq!(rows("data"), 10_003);
    for piece in &report.pieces {
        let finished = memory.finished.lock().unwrap();
        let (told, sql) = &finished[&piece.id];
        assert_eq!(told, piece);
        assert_eq!(piece.bytes, sql.len() as u64);
        assert_eq!(piece.blake3, blake3::hash(sql).to_hex().to_string());
        if piece.id.part == Part::Data {
            assert!(sql.starts_with(b"INSERT INTO ") && sql.ends_with(b");\n"));
        }
    }
    let text = memory.text(0);
    let longest = text
        .split(|&byte| byte == b';')
        .map(<[u8]>::len)
        .max()
        .unwrap();
    assert!(longest <= 64 << 10, "{longest}");
    assert!(report.longest_statement <= 64 << 10);

    database(&server().options(), "cut2").await;
    load(server(), "cut2", &text);
    run(&mut session, "TRUNCATE left_out").await;
    assert_eq!(
        checksums(&mut session, "cut").await,
        checksums(&mut session, "cut2").await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_the_past_is_the_same_in_every_dump() {
    let mut session = database(&server().options(), "again").await;
    run(
        &mut session,
        "CREATE TABLE data (module INT, value DOUBLE, at BIGINT, KEY idx (at))",
    )
    .await;
    run(
        &mut session,
        "INSERT INTO data SELECT seq % 100, RAND(seq), seq * 60 FROM seq_1_to_10000",
    )
    .await;
    let policy = DumpPolicy {
        windows: vec![Window {
            table: "data".to_owned(),
            column: "at".to_owned(),
            width: 86_400,
        }],
        ..small("again")
    };
    let sums = |pieces: &[Piece]| -> Vec<String> {
        let data = pieces.iter().filter(|piece| piece.id.part == Part::Data);
        data.map(|piece| piece.blake3.clone()).collect()
    };
    let (first, _) = dump(&server().options(), policy.clone()).await;
    run(
        &mut session,
        "INSERT INTO data SELECT seq % 7, RAND(seq), seq * 60 FROM seq_10001_to_20000",
    )
    .await;
    run(
        &mut session,
        "UPDATE data SET value = -1 WHERE at = 60 * 1500",
    )
    .await;
    let (second, _) = dump(&server().options(), policy).await;
    let (first, second) = (sums(&first.pieces), sums(&second.pieces));
    assert_eq!(first.len(), 7);
    assert_eq!(second.len(), 14);
    let same: Vec<bool> = first.iter().zip(&second).map(|(a, b)| a == b).collect();
    // The second day was changed, the last was not over.
    assert_eq!(same, [true, false, true, true, true, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_databases_make_two_texts() {
    for name in ["two_a", "two_b"] {
        let mut session = database(&server().options(), name).await;
        run(&mut session, "CREATE TABLE t (id INT PRIMARY KEY)").await;
        run(
            &mut session,
            &format!("INSERT INTO t VALUES ({})", name.len()),
        )
        .await;
    }
    let policy = DumpPolicy::new(vec!["two_b".to_owned(), "two_a".to_owned()]);
    let (report, memory) = dump(&server().options(), policy).await;
    let names: Vec<&str> = report
        .databases
        .iter()
        .map(|found| found.name.as_str())
        .collect();
    assert_eq!(names, ["two_b", "two_a"]);
    for index in 0..2 {
        let text = String::from_utf8(memory.text(index)).unwrap();
        assert!(text.contains(&format!("-- Database: {}\n", names[index as usize])));
        assert_eq!(text.matches("-- Dump completed on ").count(), 1);
        assert_eq!(text.matches("INSERT INTO `t`").count(), 1);
    }
}
